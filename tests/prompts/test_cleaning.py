"""What surrounds an answer is cut, whatever kind of answer it is, and nothing else."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emollms.prompts.answers import answer, parse_answer
from emollms.prompts.cleaning import after_cues, cut_surroundings, without_thinking
from emollms.prompts.framing import frame
from emollms.prompts.reasons import CONTRADICTION, CUT_OFF, EMPTY, TWO_NUMBERS, UNKNOWN_LABEL, UNREADABLE
from emollms.prompts.template import prompt
from emollms.tasks import TASKS, MultiLabelTask, OrdinalTask, Task, get_task

ASKED = [(task, emotion) for task in TASKS.values() for emotion in task.emotions[:1] or (None,)]
every_task = pytest.mark.parametrize(("task", "emotion"), ASKED, ids=[task.name for task, _ in ASKED])
ENDS = (
    "</s>", "<|im_end|>", "<eos>", "<end_of_turn>", "<|eot_id|>", "<|endoftext|>", "[EOS]", "<pad>", "<|end|>",
    "<｜end▁of▁sentence｜>", "<|end_of_text|>", "<|im_e", "</s", "<extra_id_1>", " [end of text]",
)  # fmt: skip
BEFORE = (
    "", " ", "<s>", "<pad> ", "<|im_start|>assistant\n", "<think>\n\n</think>\n\n", "<think>1 or 2, joy?</think>",
    "It is 3, or joy </think>\n", "<|channel|>analysis<|message|>2<|end|><|start|>assistant<|channel|>final<|message|>",
    "Assistant: ", "assistant\n", "Answer: ", "**Answer:** ", "### Answer\n", "Final answer:\n", "The answer is ",
    "Sure! Here is the answer: ", "Let me look at the words.\n", "* ", "• ", "'", "```json\n", "<answer>",
    '{"label": "', "\ufeff",
)  # fmt: skip
AFTER = (
    "", "\n", "\n\nHuman: \nTask: 1 or 2, anger", " Human: again 7", "\nThe 7 words of the tweeter make that clear.",
    "\nTweet: so angry 3", "*", "'", "\n```", "</answer>", '"}', "<|im_end|>\n<|im_start|>user\nand 2?", "<think>2?",
    "\nUser: anger, 2",
)  # fmt: skip


def canonical(task: Task, data: st.DataObject) -> object:
    if isinstance(task, MultiLabelTask):
        return data.draw(st.lists(st.sampled_from(task.labels), min_size=0 if task.nothing else 1, unique=True))
    if isinstance(task, OrdinalTask):
        return data.draw(st.sampled_from(sorted(task.classes)))
    return data.draw(st.integers(0, 1000)) / 1000


@every_task
@settings(deadline=None)  # machines are shared
@given(data=st.data(), before=st.sampled_from(BEFORE), end=st.sampled_from(("", *ENDS)), after=st.sampled_from(AFTER))
def test_an_answer_is_found_in_what_surrounds_it(
    task: Task, emotion: str | None, data: st.DataObject, before: str, end: str, after: str
) -> None:
    said = answer(task, canonical(task, data), emotion)
    expected = parse_answer(task, said, emotion)
    assert expected.reason is None
    whole = f"{before}{said}{end}{after}"
    assert parse_answer(task, whole, emotion) == expected
    assert parse_answer(task, whole, emotion, parse="lenient") == expected


@every_task
@settings(deadline=None)  # machines are shared
@given(
    text=st.text()
    | st.lists(
        st.sampled_from(
            [*ENDS, *BEFORE, *AFTER, "0.5", "1", "-2", ": ", ". ", ", ", "- ", "1. ", "2) ", "negative", "joy", "The"]
        ),
        max_size=9,
    ).map("".join)
)
def test_what_is_cut_is_cut_at_once(task: Task, emotion: str | None, text: str) -> None:
    cut = cut_surroundings(text, task, emotion)
    assert cut_surroundings(cut, task, emotion) == cut
    assert len(cut) <= len(text)
    for parse in ("strict", "lenient"):
        assert parse_answer(task, cut, emotion, parse=parse) == parse_answer(task, text, emotion, parse=parse)


@every_task
@settings(deadline=None)  # machines are shared
@given(data=st.data(), framed=st.booleans())
def test_an_echo_of_the_prompt_is_cut(task: Task, emotion: str | None, data: st.DataObject, framed: bool) -> None:
    value = canonical(task, data)
    asked = prompt(task, "Rated 1 of 5, so angry", emotion=emotion)
    whole = (frame(asked) if framed else asked) + answer(task, value, emotion)
    assert parse_answer(task, whole, emotion) == parse_answer(task, answer(task, value, emotion), emotion)


@every_task
def test_the_own_cue_of_a_task_is_a_cue(task: Task, emotion: str | None) -> None:
    assert after_cues(f"{task.cue} x") == len(task.cue) + 1


@every_task
def test_no_cue_swallows_a_word_of_an_answer(task: Task, emotion: str | None) -> None:
    if isinstance(task, MultiLabelTask):
        words = task.labels
    else:
        words = [task.class_name(number, emotion) for number in getattr(task, "classes", ())]
    for said in words:
        assert cut_surroundings(f"Answer: {said}", task, emotion) == said


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("SST", "1. 0.5", 0.5), ("SST", "1) 0", 0.0), ("SST", "12. Score: 0.25", 0.25), ("SST", "1. 1.0", 1.0),
        ("SST", "1.5", None), ("SST", "0.5.", 0.5), ("SST", "1.", 1.0), ("SST", ".5", 0.5),
        ("SST", "1. Positive", CUT_OFF), ("SST", "1. 5", CUT_OFF), ("SST", "0. 0.5", CUT_OFF),
        ("SST", "- 0.5", UNREADABLE), ("SST", "> 0.5", UNREADABLE), ("SST", "* 0.5", 0.5), ("SST", "a: 0.5", 0.5),
        ("SST5", "1. 3: positive", 3), ("SST5", "2) 3", 3), ("SST5", "1) negative", 1), ("SST5", "3. positive", 3),
        ("SST5", "1. positive", CONTRADICTION), ("SST5", "- positive", 3),
        ("TDT", "-1: negative", -1), ("TDT", "- 1: negative", UNREADABLE), ("TDT", "1. -1: negative", -1),
        ("E-c", "1. joy\n2. love", ("joy", "love")), ("E-c", "1: joy", ("joy",)), ("E-c", "(1) joy", ("joy",)),
        ("E-c", "- joy\n- love", ("joy", "love")), ("E-c", "• joy\n• love", ("joy", "love")),
    ],
)  # fmt: skip
def test_list_numbers_and_bullets_are_told_from_numbers(name: str, text: str, expected: object) -> None:
    reading = parse_answer(get_task(name), text)
    if isinstance(expected, str):
        assert str(reading.reason).split(": ")[0] == expected
    elif expected is None:
        assert reading.value is None
    else:
        assert reading.value == expected


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("SST", "0.5\n0.7", TWO_NUMBERS),
        ("SST", "0.5\nFinal score: 0.7", TWO_NUMBERS),
        ("SST", "0.5 or rather 0.7", TWO_NUMBERS),
        ("SST5", "1: negative\n2: neutral\n3: positive", TWO_NUMBERS),
        ("SST5", "It is not negative.\n2", CONTRADICTION),
        ("SST5", "2: neutral. However, it is negative.", CONTRADICTION),
        ("E-c", "joy\nhope", UNKNOWN_LABEL),
        ("E-c", "joy. This is not sadness.", UNKNOWN_LABEL),
        ("E-c", "no joy</s>", UNKNOWN_LABEL),
    ],
)
def test_what_contradicts_an_answer_is_no_surrounding(name: str, text: str, reason: str) -> None:
    assert str(parse_answer(get_task(name), text).reason).split(": ")[0] == reason


@pytest.mark.parametrize(
    "text", ["</s>", "<think>0.5", "<think></think>", "Human: 0.5", "<|im_end|>0.5", "**", "Answer:"]
)
def test_where_nothing_is_left_there_is_no_answer(text: str) -> None:
    task = get_task("SST")
    if text == "<|im_end|>0.5":  # an end token that leads is no end
        assert parse_answer(task, text).value == 0.5
    else:
        assert parse_answer(task, text).reason == EMPTY


def test_thinking() -> None:
    assert without_thinking("<think>\n</think>\n0.5") == "\n0.5"
    assert without_thinking("<think>a</think><think>b</think>0.5") == "0.5"
    assert without_thinking("so 0.7 </think> 0.5") == " 0.5"
    assert without_thinking("<think>so 0.7") == ""
    assert without_thinking("0.5</think>") == "0.5"
    assert without_thinking("0.5 <think>and</think> 0.7") == "0.5 <think>and</think> 0.7"
