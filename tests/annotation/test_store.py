from pathlib import Path

import pytest

from emollms.annotation.store import AnswerStore, answer_key
from emollms.errors import EmollmsError
from emollms.inference.predictions import Prediction


def test_answers_come_back_as_they_were_given(tmp_path: Path) -> None:
    given = [
        Prediction("a", "0.731", {"0.7": 0.25, "0.8": 0.123456789}),
        Prediction("b", "anger, joy 😀", None),
        Prediction("c", "broken \ud800", {}),
    ]
    with AnswerStore(tmp_path / "deep" / "answers.sqlite") as store:
        store.add(given)
    with AnswerStore(tmp_path / "deep" / "answers.sqlite") as store:
        found = store.get(["a", "b", "c", "d"])
    assert set(found) == {"a", "b", "c"}
    assert found["a"].probabilities == {"0.7": 0.25, "0.8": 0.123457}
    assert (found["b"].answer, found["c"].answer) == ("anger, joy 😀", "broken \ud800")


def test_what_is_added_is_given_as_it_would_be_read(tmp_path: Path) -> None:
    with AnswerStore(tmp_path / "answers.sqlite") as store:
        added = store.add([Prediction("a", "0.5", {"0.5": 1 / 3}, 7.0)])
        assert added == store.get(["a"])


def test_many_keys_are_asked_for_at_once() -> None:
    with AnswerStore() as store:
        store.add(Prediction(str(n), str(n)) for n in range(3000))
        assert len(store.get([str(n) for n in range(5000)])) == 3000


def test_a_file_of_something_else_is_told(tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite"
    path.write_text("not a database, but a text that is long enough to be taken for one" * 20)
    with pytest.raises(EmollmsError, match="is no store of answers"):
        AnswerStore(path).get(["a"])


def test_keys_tell_all_parts_apart() -> None:
    parts = ["m", "q", "t", None], ["m", "q", "t", "x"], ["m", "qt", "", None], ["m", "q", "T", None]
    assert len({answer_key(*one) for one in parts}) == 4
