"""EmoBank: number of rows, and the first, middle and last of them as checksums."""

import pytest

from emollms.corpora.registry import get_corpus, is_here
from emollms.dataset.corpus_files import row_marks

NAME = "emobank"


@pytest.mark.skipif(not is_here(get_corpus(NAME)), reason="its files are not on this machine")
def test_rows() -> None:
    first_middle_last = ("8e87d9660da7", "ff28710806d3", "68b1206056ea")
    assert row_marks(NAME) == (90_558, first_middle_last)
