"""Stanford Sentiment Treebank: number of rows, and the first, middle and last of them as checksums."""

import pytest

from emollms.corpora.registry import get_corpus, is_here
from emollms.dataset.corpus_files import row_marks

NAME = "sst"


@pytest.mark.skipif(not is_here(get_corpus(NAME)), reason="its files are not on this machine")
def test_rows() -> None:
    first_middle_last = ("7a7a05020ca0", "32ac97863658", "9139150c366b")
    assert row_marks(NAME) == (23_710, first_middle_last)
