"""VADER ground truth (ICWSM 2014): number of rows, and the first, middle and last of them as checksums."""

import pytest

from emollms.corpora.registry import get_corpus, is_here
from emollms.dataset.corpus_files import row_marks

NAME = "vader"


@pytest.mark.skipif(not is_here(get_corpus(NAME)), reason="its files are not on this machine")
def test_rows() -> None:
    first_middle_last = ("dd0a5f791e09", "86958da36e46", "02af3e9fb1e1")
    assert row_marks(NAME) == (23_703, first_middle_last)
