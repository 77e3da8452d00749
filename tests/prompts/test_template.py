import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emollms.errors import UsageError
from emollms.prompts.instructions import instruction
from emollms.prompts.template import end_sentence, frame, prompt, prompt_parts
from emollms.tasks import TASKS, get_task

# As in the published benchmark, but for GoEmotions, whose comments it calls tweets.
CUES = {
    **dict.fromkeys(("EI-reg", "V-reg", "EmoBank", "V-A", "V-M", "V-NYT", "V-T"), "Intensity Score:"),
    **dict.fromkeys(("EI-oc", "V-oc", "TDT"), "Intensity Class:"),
    "SST": "Sentiment score:",
    "SST5": "Sentiment Class:",
    "E-c": "This tweet contains emotions:",
    "GoEmotions": "This text contains emotions:",
}


@pytest.mark.parametrize("name", CUES)
def test_parts_are_those_of_the_benchmark(name: str):
    task = get_task(name)
    emotion = task.emotions[0] if task.emotions else None
    noun = "Tweet" if name in ("EI-reg", "EI-oc", "V-reg", "V-oc", "E-c") else "Text"
    named = " Emotion E: anger." if name in ("EI-reg", "EI-oc") else ""
    expected = f"Task: {instruction(task, 0, emotion)} {noun}: So it goes.{named} {CUES[name]} "
    assert prompt(task, "So it goes.", emotion=emotion) == expected


def test_only_tweets_get_a_final_dot():
    assert " Tweet: So it goes. Intensity Score: " in prompt(get_task("V-reg"), "So it goes")
    assert " Text: So it goes Intensity Score: " in prompt(get_task("V-A"), "So it goes")


@pytest.mark.parametrize(
    ("text", "ended"),
    [("a", "a."), ("a.", "a."), ("a!", "a!"), ("a?", "a?"), ("a. ", "a. ."), ("", "."), ("a…", "a….")],
)
def test_a_sentence_is_ended_unless_it_is(text: str, ended: str):
    assert end_sentence(text) == ended


@settings(deadline=None)  # machines are shared
@given(text=st.text(), number=st.integers(0, 4), task=st.sampled_from(list(TASKS.values())))
def test_a_prompt_is_one_line_made_of_its_parts(text: str, number: int, task):
    emotion = task.emotions[-1] if task.emotions else None
    parts = prompt_parts(task, number, emotion)
    whole = prompt(task, text, number, emotion)
    assert whole.startswith(parts.before)
    assert whole.endswith(parts.after)
    assert not set(whole) & set("\r\n\v\f\x85\u2028\u2029")


def test_line_breaks_become_spaces():
    assert "Text: one two three Intensity" in prompt(get_task("V-A"), "one\r\ntwo\u2028three")


def test_a_prompt_needs_an_emotion_that_the_task_knows():
    with pytest.raises(UsageError, match="EI-oc asks for one emotion at a time"):
        prompt(get_task("EI-oc"), "So it goes.")
    with pytest.raises(UsageError, match="unknown emotion of task EmoBank 'joy'"):
        prompt(get_task("EmoBank"), "So it goes.", emotion="joy")


def test_the_answer_follows_the_frame_at_once():
    assert frame("Task: … Score: ") == "Human: \nTask: … Score: \n\nAssistant:\n"
