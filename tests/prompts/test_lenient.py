"""The lenient rule: words first, then the number; all that the strict rule reads, in the same way."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emollms.errors import UsageError
from emollms.prompts.answers import answer, parse_answer
from emollms.prompts.reasons import EMPTY, NO_CLASS, NO_NUMBER, OFF_SCALE, UNKNOWN_CLASS, UNKNOWN_LABEL
from emollms.tasks import TASKS, MultiLabelTask, RegressionTask, Task, get_task

ASKED = [(task, emotion) for task in TASKS.values() for emotion in task.emotions[:1] or (None,)]
every_task = pytest.mark.parametrize(("task", "emotion"), ASKED, ids=[task.name for task, _ in ASKED])
WORDS = (
    "very", "negative", "positive", "neutral", "not", "no", "joy", "anger", "angry", "and", "or", "high", "low", "none",
    "moderate", "emotional state", "can be inferred", "Answer:", "1", "-2", "0.5", "75%", "3/4", "two", ": ", ", ",
    ". ", "\n", "- ", "posi", "from 0 to 1", "İ", "\ud800",
)  # fmt: skip
some_text = st.text() | st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join)


@every_task
@settings(deadline=None)  # machines are shared
@given(text=some_text)
def test_it_reads_more_than_the_strict_rule_and_nothing_otherwise(task: Task, emotion: str | None, text: str) -> None:
    strict = parse_answer(task, text, emotion)
    lenient = parse_answer(task, text, emotion, parse="lenient")
    assert (lenient.value is None) == (lenient.reason is not None)
    if strict.value is not None:
        assert lenient == strict
    if lenient.value is None:
        return
    if isinstance(task, RegressionTask):
        assert 0 <= lenient.value <= 1
        return  # three decimals are written, so reading back may round
    said = lenient.value
    if said == () and isinstance(task, MultiLabelTask) and task.nothing is None:
        pytest.fail("an answer without a label, where one always applies")
    assert parse_answer(task, answer(task, said, emotion), emotion, parse="lenient").value == said


CLASSES = [
    ("TDT", "1: negative, 2: neutral, 3: positive", -1), ("SST5", "1: negative, 2: neutral, 3: positive", 1),
    ("SST5", "1: negative\n2: neutral\n3: positive", 1), ("SST5", "0: very negative 1: negative", 0),
    ("TDT", "-2: negative", -1), ("TDT", "-2: very negative emotional state", -1), ("TDT", "2: positive", 1),
    ("TDT", "2: VERY POSITIVE", 1), ("TDT", "-2: Negative emotional state", -1), ("TDT", "2: verypositive", 1),
    ("TDT", "1: neutral", 0), ("TDT", "1: negative", -1), ("TDT", "- 1: negative", -1), ("TDT", "- 1", -1),
    ("TDT", "1. negative", -1), ("TDT", "negatively", -1), ("TDT", "positivity", 1), ("TDT", "neg", -1),
    ("TDT", "minus one", -1), ("TDT", "class two", UNKNOWN_CLASS), ("TDT", "2", UNKNOWN_CLASS),
    ("TDT", "-2: dislike", UNKNOWN_CLASS), ("TDT", "5: 5 stars", UNKNOWN_CLASS), ("TDT", "0.5", UNKNOWN_CLASS),
    ("TDT", "I cannot tell", NO_CLASS), ("TDT", "", EMPTY), ("TDT", "n", NO_CLASS),
    ("TDT", "-1: dislike", -1), ("TDT", "3: moderately positive emotional state can be inferred", 1),
    ("SST5", "1: very negative", 0), ("SST5", "4: positive", 3), ("SST5", "5: extreme positive", 4),
    ("SST5", "highly negative", 0), ("SST5", "1: slightly positive", 3), ("SST5", "very-positive", 4),
    ("SST5", "0: neutral or mixed emotional state can be inferred", 2), ("SST5", "3: very positive state", 4),
    ("SST5", "-3: very negative emotional state can be inferred", 0), ("SST5", "two", 2), ("SST5", "Three.", 3),
    ("SST5", "very posi", 4), ("SST5", "2: very nega", 2), ("SST5", "0: very", 0), ("SST5", "neutr", 2),
    ("SST5", "neither positive nor negative, but neutral", 2), ("SST5", "not positive", NO_CLASS),
    ("SST5", "It isn't negative; I'd say neutral", 2), ("SST5", "not very positive, rather neutral", 2),
    ("SST5", "not only positive but very positive", 3), ("SST5", "positive, not negative", 3),
    ("SST5", "2. The reviewer praises it. That is not negative.", 2), ("SST5", "9: no idea", UNKNOWN_CLASS),
    ("SST5", "The film has 2 heroes. The sentiment is positive.", 2), ("SST5", "positive (or negative?)", 3),
    ("V-oc", "5: extremely positive emotional state", 3), ("V-oc", "-4: negative", -3), ("V-oc", "0: positive", 1),
    ("V-oc", "positive", NO_CLASS), ("V-oc", "moderate negative", -2), ("V-oc", "slightly posi", 1),
    ("V-oc", "very negative", -3), ("V-oc", "5: very happy emotional state can be inferred", UNKNOWN_CLASS),
    ("V-oc", "-1: slightly negative emotional state -2: moderately negative emotional state", -1),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "expected"), CLASSES)
def test_classes(name: str, text: str, expected: int | str) -> None:
    check(name, text, expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1: high amount of joy", 3), ("high", 3), ("none", 0), ("no joy", 0), ("no emotion", 0), ("no anger", 0),
        ("1: low amount of fear can be inferred", 1), ("anger: 2, joy: 3", 3), ("joy: 1 and anger: 3", 1),
        ("not high", NO_CLASS), ("moderate amount of j", 2), ("lowest", 1), ("joyful", NO_CLASS),
    ],
)  # fmt: skip
def test_classes_of_an_emotion(text: str, expected: int | str) -> None:
    check("EI-oc", text, expected, "joy")


SCORES = [
    ("0.3 or 0.4", 0.3), ("0.3-0.5", 0.3), ("less than 0.5", 0.5), ("0. taxi", 0.0), ("0.五", 0.0), ("0. 734", 0.734),
    ("0:239", 0.239),
    ("0.distribution(joy).mean 0.4", 0.0), ("1. Positive", 1.0), ("- 0.5", 0.5), ("score—0.5", 0.5),
    ("0.5 on a scale of 0 to 1", 0.5), ("On a scale from 0 to 1, I'd say 0.7", 0.7), ("Score [0, 1]: 0.7", 0.7),
    ("between 0 and 1, about 0.3", 0.3), ("0-1: 0.7", 0.7), ("0 to 1", 0.0), ("75%", 0.75), ("7/10", 0.7),
    ("0.7/1", 0.7), ("8 out of 10", 0.8), ("0.7 out of 1", 0.7), ("zero point three", 0.3), ("point five", 0.5),
    ("one", 1.0), ("In 2019, 0.3", 0.3), ("GPT4 says 0.3", 0.3), ("the 2nd is 0.3", 0.3), ("0.5\n0.7", 0.5),
    ("1.2", OFF_SCALE), ("-0.333", OFF_SCALE), ("5.7, or 0.7", OFF_SCALE), ("-47.683", OFF_SCALE), ("150%", OFF_SCALE),
    ("2019", OFF_SCALE), ("positive", NO_NUMBER), ("nan", NO_NUMBER), ("one of them", NO_NUMBER), ("", EMPTY),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), SCORES)
def test_scores(text: str, expected: float | str) -> None:
    check("SST", text, expected)


@pytest.mark.parametrize(
    ("name", "emotion", "scale", "text", "expected"),
    [
        ("V-A", None, (-4.0, 4.0), "- 2", -2.0),
        ("V-A", None, (-4.0, 4.0), "-2.5 to 2.5", -2.5),
        ("V-A", None, (-4.0, 4.0), "5.5", OFF_SCALE),
        ("V-A", None, (-4.0, 4.0), "0: extreme positive", 0.0),
        ("EmoBank", "valence", (1.0, 5.0), "2:43", 2.43),
        ("EmoBank", "valence", (1.0, 5.0), "2:43 PM", 2.0),
        ("EmoBank", "valence", (1.0, 5.0), "3. moderate", 3.0),
        ("EmoBank", "valence", (1.0, 5.0), "4/5", 4.0),
        ("EmoBank", "valence", (1.0, 5.0), "on a scale of 1 to 5: 2", 2.0),
        ("EmoBank", "valence", (1.0, 5.0), "arousal: 2, valence: 4", 4.0),
        ("EI-reg", "joy", (0.0, 1.0), "fear: 0.9, joy: 0.2", 0.2),
        ("EI-reg", "joy", (0.0, 1.0), "0.9 (least joy)", 0.9),
    ],
)
def test_scores_on_other_scales(name: str, emotion: str, scale: tuple[float, float], text: str, expected) -> None:
    check(name, text, expected, emotion, scale)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("E-c", "joy, sadness, neutralornoemotion", ("joy", "sadness")),
        ("E-c", "neutral or no emotion, anger", ("anger",)),
        ("E-c", "neutral", ()), ("E-c", "none", ()), ("E-c", "No emotion", ()),
        ("E-c", "joy, hope", ("joy",)), ("E-c", "hope", UNKNOWN_LABEL), ("E-c", "joy or sadness", ("joy", "sadness")),
        ("E-c", "no anger or fear, but joy", ("joy",)), ("E-c", "no joy", UNKNOWN_LABEL),
        ("E-c", "neither joy nor love; disgust", ("disgust",)),
        ("E-c", "angry and sad", ("anger", "sadness")), ("E-c", "joyful, disgusted", ("disgust", "joy")),
        ("E-c", "anger, disg", ("anger", "disgust")), ("E-c", "dis", ("disgust",)),
        ("E-c", "The tweeter feels anger because the trust is gone.", ("anger",)),
        ("E-c", "joy, joy, joy, jo", ("joy",)), ("E-c", "", EMPTY), ("E-c", "distant", UNKNOWN_LABEL),
        ("GoEmotions", "neutral, joy", ("joy", "neutral")), ("GoEmotions", "no emotion", UNKNOWN_LABEL),
        ("GoEmotions-28", "annoyed, curious", ("annoyance", "curiosity")),
        ("GoEmotions-28", "dis", UNKNOWN_LABEL), ("GoEmotions-28", "grateful", ("gratitude",)),
    ],
)  # fmt: skip
def test_labels(name: str, text: str, expected: tuple[str, ...] | str) -> None:
    check(name, text, expected)


def check(name: str, text: str, expected: object, emotion: str | None = None, scale: tuple[float, float] = (0, 1)):
    reading = parse_answer(get_task(name), text, emotion, scale, "lenient")
    if isinstance(expected, str):
        assert (reading.value, str(reading.reason).split(": ")[0]) == (None, expected)
    else:
        assert (reading.value, reading.reason) == (expected, None)
        assert type(reading.value) is type(expected)


def test_an_unknown_rule_is_refused() -> None:
    with pytest.raises(UsageError, match="unknown rule for reading answers 'lax'"):
        parse_answer(get_task("SST"), "0.5", parse="lax")  # type: ignore[arg-type]
