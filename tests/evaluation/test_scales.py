"""Which scale the answers to a task are on: decided by all of them, and converted."""

import pytest

from emollms.errors import UsageError
from emollms.evaluation.parsing import parse_predictions
from emollms.evaluation.scales import Scale, choose_scale
from emollms.inference.predictions import Prediction
from emollms.prompts.answers import ParsedAnswer
from emollms.tasks import get_task


def chosen(name: str, answers: list[str], asked: Scale = "auto", emotion: str | None = None) -> str | None:
    found = choose_scale(get_task(name), [(answer, emotion) for answer in answers], asked)
    return found.name if found else None


UNITS = [f"0.{number:03}" for number in range(100, 200)]


@pytest.mark.parametrize(
    ("name", "answers", "expected"),
    [
        ("V-A", ["-2.5", "3", "0.4"], "native"),
        ("V-A", ["-2.5"], "native"),
        ("V-A", ["0.5", "0.25", "1"], "unit"),
        ("V-A", [*UNITS, "-2", "3", "2.5", "-1"], "unit"),  # 4 of 104
        ("V-A", [*UNITS[:57], "-2", "3", "2.5"], "native"),  # 3 of 60
        ("V-A", [*UNITS[:10], "-2"], "unit"),  # one of eleven is an outlier
        ("V-A", [*UNITS[:10], *["75"] * 5], "unit"),  # neither on this scale nor on that
        ("V-A", ["-2: negative", "The score is 3.", "2.0</s>"], "native"),
        ("V-A", ["no idea"] * 5, "unit"),
        ("V-A", [], "unit"),
        ("SST", ["-2", "3", "4"], "unit"),  # its native range is 0 to 1
        ("EI-reg", [], "unit"),
        ("SST5", ["4"], None),
        ("E-c", ["joy"], None),
    ],
)
def test_auto(name: str, answers: list[str], expected: str | None) -> None:
    assert chosen(name, answers, emotion="joy" if name == "EI-reg" else None) == expected


def test_auto_on_a_range_that_begins_at_1() -> None:
    assert chosen("EmoBank", ["3", "2.7", "4", "0.5", "1"], emotion="valence") == "native"
    assert chosen("EmoBank", ["0.5", "1", "0.25"], emotion="valence") == "unit"


def test_asked_for() -> None:
    assert chosen("V-A", ["-2", "3"], "unit") == "unit"
    assert chosen("V-A", ["0.5"], "native") == "native"
    with pytest.raises(UsageError, match="unknown scale 'percent'"):
        choose_scale(get_task("V-A"), [], "percent")  # type: ignore[arg-type]


def test_what_was_seen_is_recorded() -> None:
    found = choose_scale(get_task("V-A"), [("-2", None), ("0.5", None), ("4", None), ("9", None), ("x", None)])
    assert found is not None
    assert (found.name, found.low, found.high, found.outside, found.numbers) == ("native", -4.0, 4.0, 2, 3)


def rows(name: str, answers: list[str], emotion: str | None = None) -> tuple[list[dict], dict[str, Prediction]]:
    made = [{"id": str(number), "emotion": emotion} for number in range(len(answers))]
    return made, {str(number): Prediction(str(number), answer) for number, answer in enumerate(answers)}


def test_native_answers_are_read_on_0_to_1_one_scale_for_all() -> None:
    asked, said = rows("V-A", ["-4", "0", "0.5", "4", "5", "-2.5 to 2"])
    read = parse_predictions(get_task("V-A"), asked, said, scale="auto")
    assert [one.value for one in read.parsed] == [0.0, 0.5, 0.5625, 1.0, None, None]
    assert read.parsed[4].reason == "off the scale: '5'"
    assert read.by_parse["lenient"][5] == ParsedAnswer(0.1875, None)
    assert read.scale is not None
    assert (read.scale.name, read.scale.asked) == ("native", "auto")
    asked, said = rows("EmoBank", ["1", "3", "5", "0.5"], "arousal")
    read = parse_predictions(get_task("EmoBank"), asked, said, scale="native")
    assert [one.value for one in read.parsed] == [0.0, 0.5, 1.0, None]


def test_unit_is_what_read_all_takes_unless_asked() -> None:
    asked, said = rows("V-A", ["-2", "3", "0.5"])
    assert [one.value for one in parse_predictions(get_task("V-A"), asked, said).parsed] == [None, None, 0.5]
