"""One template: the prompt, and the boundary at which the answer begins.

Training, evaluation and annotation all come through here. The parts and cues are those of the published benchmark:
`Task: {instruction} Tweet: {text} Emotion E: {emotion}. Intensity Score: `, between `Human:` and `Assistant:`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from emollms.prompts.instructions import ENGLISH, instruction
from emollms.tasks import Task

SENTENCE_ENDS = (".", "!", "?")
LINE_BREAKS = "[\r\n\v\f\x85\u2028\u2029]+"  # read alike by Python and by RE2, which renders whole columns
_LINE_BREAKS = re.compile(LINE_BREAKS)


@dataclass(frozen=True)
class PromptParts:
    """What stands before and after a text in its prompt."""

    before: str
    after: str


def prompt_parts(
    task: Task,
    wording: int,
    emotion: str | None = None,
    labels: Sequence[str] | None = None,
    language: str = ENGLISH,
) -> PromptParts:
    """The parts of a prompt that do not depend on the text; arguments as for `prompt`.

    Raises:
        UsageError: the task asks for an emotion and none is named, or another one.
    """
    task.check_emotion(emotion)
    named = f" Emotion E: {emotion}." if task.names_emotion else ""
    return PromptParts(
        before=f"Task: {instruction(task, wording, emotion, labels, language)} {task.noun}: ",
        after=f"{named} {task.cue} ",
    )


def ends_sentences(task: Task) -> bool:
    """Whether texts of this task are ended like sentences in the prompt; so it is for tweets."""
    return task.noun == "Tweet"


def end_sentence(text: str) -> str:
    """`text` with a `.` appended unless it ends in `.`, `!` or `?`; not stripped first, as in the published AEB."""
    return text if text.endswith(SENTENCE_ENDS) else f"{text}."


def prompt(
    task: Task,
    text: str,
    wording: int = 0,
    emotion: str | None = None,
    labels: Sequence[str] | None = None,
    target: str | None = None,
    language: str = ENGLISH,
) -> str:
    """The one-line prompt that asks `task` of `text`. It ends in a space; see `frame` for the answer boundary.

    Args:
        task: the task.
        text: the text; its line breaks become spaces.
        wording: which instruction wording, from 0.
        emotion: the emotion or dimension, where the task has them.
        labels: the labels to ask for; None for all of a multi-label task.
        target: what the question is about, where it is asked of something that the text mentions.
        language: the language of the wording; what surrounds it, and the answer, are in English.
    """
    parts = prompt_parts(task, wording, emotion, labels, language)
    return parts.before + shown(task, text, target) + parts.after


def shown(task: Task, text: str, target: str | None = None) -> str:
    """A text as it appears in its prompt: on one line, ended like a sentence where the task asks for that.

    Its target, where it has one, follows.
    """
    line = one_line(text)
    ended = end_sentence(line) if ends_sentences(task) else line
    return ended if target is None else f"{ended} Target: {one_line(target)}."


def one_line(text: str) -> str:
    """`text` with a space in place of its line breaks."""
    return _LINE_BREAKS.sub(" ", text)


def frame(prompt: str) -> str:
    """What a model without a chat template sees before its answer; the answer follows at once, without a space."""
    return f"Human: \n{prompt}\n\nAssistant:\n"
