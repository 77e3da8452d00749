"""Target-dependent Twitter sentiment: number of rows, and the first, middle and last of them as checksums."""

import pytest

from emollms.corpora.registry import get_corpus, is_here
from emollms.dataset.corpus_files import row_marks

NAME = "tdt"


@pytest.mark.skipif(not is_here(get_corpus(NAME)), reason="its files are not on this machine")
def test_rows() -> None:
    first_middle_last = ("d2c6b6816e2e", "914337052be8", "bf98c42765d1")
    assert row_marks(NAME) == (6940, first_middle_last)
