"""BRIGHTER: number of rows, and the first, middle and last of them as checksums."""

import pytest

from emollms.corpora.registry import get_corpus, is_here
from emollms.dataset.corpus_files import row_marks

NAME = "brighter"


@pytest.mark.skipif(not is_here(get_corpus(NAME)), reason="its files are not on this machine")
def test_rows() -> None:
    first_middle_last = ("a6535bdee854", "d5a2b3e0dd51", "981eea7bc2d8")
    assert row_marks(NAME) == (392_004, first_middle_last)
