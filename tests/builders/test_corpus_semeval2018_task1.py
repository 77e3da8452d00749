"""SemEval-2018 Task 1: Affect in Tweets: number of rows, and the first, middle and last of them as checksums."""

import pytest

from emollms.corpora.registry import get_corpus, is_here
from emollms.dataset.corpus_files import row_marks

NAME = "semeval2018_task1"


@pytest.mark.skipif(not is_here(get_corpus(NAME)), reason="its files are not on this machine")
def test_rows() -> None:
    first_middle_last = ("4f6ddd57a06b", "935b9495be64", "7fd7c1c1ca4d")
    assert row_marks(NAME) == (64_040, first_middle_last)
