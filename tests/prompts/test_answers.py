"""Label → answer → label, and the forms that answers of real models take."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emollms.errors import EmollmsError, UsageError
from emollms.prompts.answers import (
    CONTRADICTION,
    EMPTY,
    NO_CLASS,
    NO_NUMBER,
    NOTHING_AND_LABELS,
    OFF_SCALE,
    OTHER_EMOTION,
    UNKNOWN_CLASS,
    UNKNOWN_LABEL,
    AnswerError,
    answer,
    parse_answer,
)
from emollms.prompts.numerals import CUT_OFF, TWO_NUMBERS, UNREADABLE
from emollms.tasks import TASKS, MultiLabelTask, OrdinalTask, RegressionTask, Task, get_task

ASKED = [(task, emotion) for task in TASKS.values() for emotion in (task.emotions or (None,))]
every_question = pytest.mark.parametrize(("task", "emotion"), ASKED, ids=[f"{t.name}-{e or ''}" for t, e in ASKED])


def of_kind(kind: type[Task]) -> pytest.MarkDecorator:
    chosen = [(task, emotion) for task, emotion in ASKED if isinstance(task, kind)]
    return pytest.mark.parametrize(("task", "emotion"), chosen, ids=[f"{t.name}-{e or ''}" for t, e in chosen])


def check(name: str, text: str, expected: object, emotion: str | None = None, scale: tuple[float, float] = (0, 1)):
    reading = parse_answer(get_task(name), text, emotion, scale)
    if isinstance(expected, str):
        assert reading.value is None
        assert reading.reason is not None
        assert reading.reason.split(": ")[0] == expected
    else:
        assert (reading.value, reading.reason) == (expected, None)
        assert type(reading.value) is type(expected)


@of_kind(RegressionTask)
def test_every_score_is_read_back(task: Task, emotion: str | None):
    for thousandths in range(1001):
        said = answer(task, thousandths / 1000, emotion)
        assert len(said) == 5
        assert parse_answer(task, said, emotion).value == thousandths / 1000


@of_kind(OrdinalTask)
def test_every_class_is_read_back(task: OrdinalTask, emotion: str | None):
    for number in task.classes:
        said = answer(task, number, emotion)
        for form in (
            said,
            said.upper(),
            f" {said}.",
            said.partition(": ")[2],
            f"**{said}**",
            str(number),
            f"{number}.0",
        ):
            reading = parse_answer(task, form, emotion)
            assert (reading.value, reading.reason) == (number, None), form
            assert type(reading.value) is int


@of_kind(OrdinalTask)
def test_another_number_before_the_words_of_a_class_is_a_contradiction(task: OrdinalTask, emotion: str | None):
    for number in task.classes:
        for other in task.classes.keys() - {number}:
            said = f"{other}: {task.class_name(number, emotion)}"
            assert parse_answer(task, said, emotion).reason == f"{CONTRADICTION}: {said!r}"


@pytest.mark.parametrize(
    "task", [t for t in TASKS.values() if isinstance(t, MultiLabelTask)], ids=lambda task: task.name
)
@settings(deadline=None)  # machines are shared
@given(data=st.data())
def test_every_set_of_labels_is_read_back(task: MultiLabelTask, data: st.DataObject):
    labels = data.draw(st.lists(st.sampled_from(task.labels), min_size=0 if task.nothing else 1))
    said = answer(task, labels)
    assert parse_answer(task, said).value == tuple(label for label in task.labels if label in labels)
    assert parse_answer(task, f"{said}.").value == parse_answer(task, said).value
    assert parse_answer(task, ", ".join(labels) or said).value == parse_answer(task, said).value


@every_question
@settings(deadline=None)  # machines are shared
@given(
    text=st.text()
    | st.text(alphabet="0123456789.,-+−e%/: ½五٣ſİßK\n\u200b\ud800")
    | st.lists(st.sampled_from([*"0123-.:, ", "very", "negative", "joy", "and", "can be inferred", "İ", "ſ"])).map(
        "".join
    )
)
def test_no_text_raises_and_a_reading_has_a_value_or_a_reason(task: Task, emotion: str | None, text: str):
    reading = parse_answer(task, text, emotion)
    assert (reading.value is None) == (reading.reason is not None)
    if isinstance(task, RegressionTask) and reading.value is not None:
        assert 0 <= reading.value <= 1
    if isinstance(task, OrdinalTask) and reading.value is not None:
        assert reading.value in task.classes
    assert reading.reason is None or len(reading.reason) < 200


SCORES = [
    ("0.734", 0.734), (" 0.734 ", 0.734), ("0", 0.0), ("1", 1.0), ("0.", 0.0), ("1.0", 1.0), (".458", 0.458),
    ("0.734.", 0.734), ("0,734", 0.734), ("7e-1", 0.7), ("5E-01", 0.5), ("+0.5", 0.5), ("+ 0.5", 0.5), ("-0", 0.0),
    ("-0.000", 0.0), ("٠٫٥", 0.5), ("0.7٣", 0.73), ("０．５", 0.5), ("\u200e0.5\ufeff", 0.5), ("0.5\n", 0.5),
    ("The intensity of the emotion is 0.75.", 0.75), ("I would say 1. The tweeter is furious.", 1.0),
    ("Intensity Score: 0.5", 0.5), ("**0.5**", 0.5), ('"0.5"', 0.5), ("'0.5'", 0.5), ("(0.5)", 0.5), ("~0.5", 0.5),
    ("<score>0.5</score>", 0.5), ("=> 0.5", 0.5), ("0.5 0.5", 0.5), ("0.4 positive", 0.4),
    ("anger, disgust 0.542", 0.542),
    ("0: None", 0.0), ("0:None", 0.0), ("0, no emotion", 0.0), ("Score (three decimals): 0.500", 0.5),
    ("", EMPTY), (" \n", EMPTY), (".", EMPTY), ("high", NO_NUMBER), ("zero", NO_NUMBER),
    ("zero point three", NO_NUMBER),
    ("negative.", NO_NUMBER), ("nan", NO_NUMBER), ("inf", NO_NUMBER), ("-Infinity", NO_NUMBER), ("½", NO_NUMBER),
    ("1.001", OFF_SCALE), ("-0.333", OFF_SCALE), ("−0.333", OFF_SCALE), ("-.125", OFF_SCALE), ("2", OFF_SCALE),
    ("75", OFF_SCALE), ("1e400", OFF_SCALE), ("9" * 500, OFF_SCALE), ("-1.", OFF_SCALE),
    ("0.3 or 0.4", TWO_NUMBERS), ("0.3 to 0.5", TWO_NUMBERS), ("0.5 on a scale of 0 to 1", TWO_NUMBERS),
    ("0.5, 0.533", TWO_NUMBERS), ("0.5 -0.5", TWO_NUMBERS),
    ("75%", UNREADABLE), ("0.7 %", UNREADABLE), ("0.7٪", UNREADABLE), ("1 percent", UNREADABLE),
    ("- 0.156", UNREADABLE),
    ("0.7/1", UNREADABLE), ("1/1", UNREADABLE), ("0:24", UNREADABLE), ("1:1", UNREADABLE), ("0.3-0.5", UNREADABLE),
    ("0.5th", UNREADABLE), ("v0.5", UNREADABLE), ("0x1", UNREADABLE), ("1e", UNREADABLE), ("1.2.3", UNREADABLE),
    ("1½", UNREADABLE), ("0.五 or 0.5", CUT_OFF), ("0 point seven", UNREADABLE), ("0 and a half", UNREADABLE),
    ("less than 0.5", UNREADABLE), ("> 0.5", UNREADABLE), ("≤0.5", UNREADABLE), ("not 0.5", UNREADABLE),
    ("isn't 0.5", UNREADABLE), ("0.5 or more", UNREADABLE), ("0.5+", UNREADABLE), ("10^-1", UNREADABLE),
    ("1,0,0", UNREADABLE), ("1'000", UNREADABLE), ("0.1±0.1", UNREADABLE), ("score—0.5", UNREADABLE),
    ("0. taxi", CUT_OFF), ("0.五", CUT_OFF), ("0.+", CUT_OFF), ("0. positive 0.362", CUT_OFF), ("1. Positive", CUT_OFF),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), SCORES, ids=[f"{text[:40]!r}" for text, _ in SCORES])
def test_scores(text: str, expected: float | str):
    check("SST", text, expected)


@pytest.mark.parametrize(
    ("name", "emotion", "scale", "text", "expected"),
    [
        ("EmoBank", "valence", (1, 5), "3,427", 3.427),
        ("EmoBank", "valence", (1, 5), "2.", 2.0),
        ("EmoBank", "valence", (1, 5), "2: neutral", 2.0),
        ("EmoBank", "valence", (1, 5), "2:", 2.0),
        ("EmoBank", "valence", (1, 5), '3.67"', 3.67),
        ("EmoBank", "valence", (1, 5), "3. moderate", CUT_OFF),
        ("EmoBank", "valence", (1, 5), "2:43", UNREADABLE),
        ("EmoBank", "valence", (1, 5), "3:42 PM] 3", UNREADABLE),
        ("EmoBank", "valence", (1, 5), "2: neutral / 3: slightly positive", TWO_NUMBERS),
        ("EmoBank", "valence", (1, 5), "0.5", OFF_SCALE),
        ("EmoBank", "valence", (1, 5), "arousal: 3.5", OTHER_EMOTION),
        ("EmoBank", "dominance", (1, 5), "4 - Controlled", 4.0),
        ("EmoBank", "dominance", (1, 5), "2: Most being controlled", 2.0),
        ("EmoBank", "dominance", (1, 5), "2.7 most being in control", CONTRADICTION),
        ("V-A", None, (-4, 4), "-2.2.", -2.2),
        ("V-A", None, (-4, 4), " +2", 2.0),
        ("V-A", None, (-4, 4), "−2", -2.0),
        ("V-A", None, (-4, 4), "- 2", UNREADABLE),
        ("V-A", None, (-4, 4), "5.5", OFF_SCALE),
        ("V-A", None, (-4, 4), "0: extreme positive", CONTRADICTION),
        ("V-reg", None, (0, 1), "0.9: very negative", CONTRADICTION),
        ("V-reg", None, (0, 1), "0.9 between very negative and very positive", 0.9),
        ("EI-reg", "joy", (0, 1), "0.9 (most joy)", 0.9),
        ("EI-reg", "joy", (0, 1), "0.9 (least joy)", CONTRADICTION),
        ("EI-reg", "joy", (0, 1), "fear: 0.9", OTHER_EMOTION),
        ("EI-reg", "joy", (0, 1), "joy is 0.9, and there is no fear", 0.9),
    ],
)
def test_scores_on_other_scales_and_words_beside_them(name: str, emotion, scale, text: str, expected):
    check(name, text, expected, emotion, scale)


CLASSES = [
    ("SST5", "1:negative", 1), ("SST5", "0: verynegative", 0), ("SST5", "0: very negative emotional state.", 0),
    ("SST5", "Sentiment Class: 3", 3), ("SST5", "I choose class 3 (positive).", 3), ("SST5", "very negative", 0),
    ("SST5", "Very  Positive.", 4), ("SST5", "verynegative", 0), ("SST5", "2. neutral", 2), ("SST5", "②", NO_CLASS),
    ("SST5", "1: very negative", CONTRADICTION), ("SST5", "1: verynegative", CONTRADICTION),
    ("SST5", "3: POSITIVE, not negative", CONTRADICTION), ("SST5", "5: extreme positive", UNKNOWN_CLASS),
    ("SST5", "rather negative", NO_CLASS), ("SST5", "", EMPTY), ("SST5", "nan", NO_CLASS),
    ("SST5", "2 or 3", TWO_NUMBERS),
    ("SST5", "not 2", UNREADABLE), ("SST5", "2/4", UNREADABLE), ("SST5", "1st", UNREADABLE),
    ("SST5", "at least 2", UNREADABLE),
    ("TDT", "-1 : negative", -1), ("TDT", "-1: negative.", -1), ("TDT", "−1", -1), ("TDT", "–1: negative", -1),
    ("TDT", "+1", 1), ("TDT", "-1.0", -1), ("TDT", "-1: dislike", -1), ("TDT", "-1: displeased", -1),
    ("TDT", "-1: negative emotional state", -1), ("TDT", "1: slightly positive", 1), ("TDT", "negative", -1),
    ("TDT", "١", 1), ("TDT", "-2: very sad", UNKNOWN_CLASS), ("TDT", "-2: negative emotional state", UNKNOWN_CLASS),
    ("TDT", "5: 5 stars", UNKNOWN_CLASS), ("TDT", "-2:angered -2.0:very angry", UNKNOWN_CLASS),
    ("TDT", "-2: very bad 2: bad -2", TWO_NUMBERS), ("TDT", "- 1: negative", UNREADABLE),
    ("TDT", "class-1", UNREADABLE),
    ("TDT", "1: negative", CONTRADICTION), ("TDT", "0.5", UNKNOWN_CLASS), ("TDT", "1e999", UNKNOWN_CLASS),
    ("V-oc", "2.", 2), ("V-oc", " 2: moderately positive", 2), ("V-oc", "2.0", 2), ("V-oc", "1.5", UNKNOWN_CLASS),
    ("V-oc", "2: moderately positive mental state can be inferred", 2), ("V-oc", "-2: negative", -2),
    ("V-oc", "neutral or mixed emotional state can be inferred", 0), ("V-oc", "2: very positive", CONTRADICTION),
    ("V-oc", "2: negative", CONTRADICTION), ("V-oc", "5: very happy emotional state can be inferred", UNKNOWN_CLASS),
    ("V-oc", "very negative", NO_CLASS), ("V-oc", "100%", UNREADABLE),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "expected"), CLASSES)
def test_classes(name: str, text: str, expected: int | str):
    check(name, text, expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2", 2),
        ("3: high amount of joy", 3),
        ("3: high amount of joy, no doubt", 3),
        ("0: no joy", 0),
        ("0: none", 0),
        ("no joy can be inferred.", 0),
        ("1: high amount of joy can be inferred", CONTRADICTION),
        ("0: low", CONTRADICTION),
        ("2: moderate amount of anger can be inferred", OTHER_EMOTION),
        ("moderate amount of anger can be inferred", OTHER_EMOTION),
        ("5: high amount of joy can be inferred", UNKNOWN_CLASS),
        ("high", NO_CLASS),
    ],
)
def test_classes_of_an_emotion(text: str, expected: int | str):
    check("EI-oc", text, expected, "joy")


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("E-c", "joy, anger", ("anger", "joy")),
        ("E-c", "Anger, JOY.", ("anger", "joy")),
        ("E-c", "anger,joy,", ("anger", "joy")),
        ("E-c", "anger and joy", ("anger", "joy")),
        ("E-c", "- anger\n- joy", ("anger", "joy")),
        ("E-c", "This tweet contains emotions: anger, joy.", ("anger", "joy")),
        ("E-c", "joy, joy", ("joy",)),
        ("E-c", "neutral or no emotion.", ()),
        ("E-c", "neutralornoemotion", ()),
        ("E-c", "joy, sadness, neutralornoemotion", NOTHING_AND_LABELS),
        ("E-c", "joy, hope", UNKNOWN_LABEL),
        ("E-c", "joy or sadness", UNKNOWN_LABEL),
        ("E-c", "no joy", UNKNOWN_LABEL),
        ("E-c", "neutral", UNKNOWN_LABEL),
        ("E-c", "", EMPTY),
        ("E-c", ", ,", EMPTY),
        ("GoEmotions", "neutral, neutral", ("neutral",)),
        ("GoEmotions", "neutral, joy", ("joy", "neutral")),
        ("GoEmotions", "neutral or no emotion", UNKNOWN_LABEL),
        ("GoEmotions-28", "Realization", ("realization",)),
    ],
)
def test_labels(name: str, text: str, expected: tuple[str, ...] | str):
    check(name, text, expected)


def test_reasons_name_the_offending_part():
    assert parse_answer(get_task("E-c"), "joy, hope").reason == "unknown label: 'hope'"
    assert parse_answer(get_task("TDT"), "-2: very sad").reason == "unknown class: '-2'"
    assert parse_answer(get_task("SST"), "0.3 or 0.4").reason == "different numbers: '0.3 and 0.4'"


@pytest.mark.parametrize(
    ("name", "value", "emotion", "message"),
    [
        ("SST", 1.2, None, r"SST has no score 1\.2; give a number on 0\.\.1"),
        ("SST", float("nan"), None, "SST has no score nan"),
        ("SST", "0.5", None, "SST has no score '0.5'"),
        ("TDT", 2, None, "TDT has no class 2; give one of -1, 0, 1"),
        ("TDT", 1.0, None, r"TDT has no class 1\.0"),
        ("E-c", ["hope"], None, "E-c has no label 'hope'; give some of anger, anticipation"),
        ("E-c", "joy", None, "E-c takes a collection of labels, not 'joy'"),
        ("GoEmotions", [], None, "GoEmotions has no answer without a label"),
    ],
)
def test_values_that_are_no_answer(name: str, value, emotion, message: str):
    with pytest.raises(AnswerError, match=message) as caught:
        answer(get_task(name), value, emotion)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, EmollmsError)


def test_emotions_are_checked():
    with pytest.raises(UsageError, match="EI-oc asks for one emotion at a time"):
        answer(get_task("EI-oc"), 2)
    with pytest.raises(UsageError, match="unknown emotion of task EI-reg 'love'"):
        parse_answer(get_task("EI-reg"), "0.5", "love")


@pytest.mark.parametrize("name", ["SST", "SST5", "V-oc", "E-c", "GoEmotions-28"])
@pytest.mark.parametrize(
    "unit",
    ["9", "1 ", "0.", "1.", "-", "very ", " ", "joy,", "joy ", "and ", "e1", "\u200b", "½", "½1 ", "(", "1'", "\n",
     "<", "<think>", "1) ", "Answer: ", "not "],
)  # fmt: skip
def test_time_is_linear_in_the_length(name: str, unit: str):
    def seconds(count: int) -> float:
        started = time.process_time()
        parse_answer(get_task(name), unit * count)
        parse_answer(get_task(name), f"0{unit * count}x")
        parse_answer(get_task(name), unit * count, parse="lenient")
        return time.process_time() - started

    # Four times, where it is linear, and sixteen times, where it grows with the square; 0.2 s are noise.
    assert seconds(40_000) < 8 * seconds(10_000) + 0.2
