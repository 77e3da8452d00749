"""GoEmotions: number of rows, and the first, middle and last of them as checksums."""

import pytest

from emollms.corpora.registry import get_corpus, is_here
from emollms.dataset.corpus_files import row_marks

NAME = "goemotions"


@pytest.mark.skipif(not is_here(get_corpus(NAME)), reason="its files are not on this machine")
def test_rows() -> None:
    first_middle_last = ("c5d97d002904", "0262add73228", "cf39186f8eb5")
    assert row_marks(NAME) == (108_526, first_middle_last)
