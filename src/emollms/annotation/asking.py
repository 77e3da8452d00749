"""Asking: what is wanted of which predictor, in the same batches each time, and kept as it comes."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emollms.annotation.questions import Question
from emollms.annotation.store import AnswerStore
from emollms.evaluation.predictors import Predictor
from emollms.inference.predictions import Prediction
from emollms.storage import write_json

KEPT_AT_ONCE = 64
"""Answers are kept in the store so many at a time: what a kill can cost."""


@dataclass(frozen=True)
class Item:
    """One text to annotate.

    Args:
        text: the text; None or blank for none.
        target: what is asked about, where a question is about something in the text.
        note: what the reader of the input has to say of the text.
    """

    text: str | None
    target: str | None = None
    note: str | None = None


@dataclass(frozen=True)
class Wanted:
    """An answer that is wanted.

    Args:
        predictor: whose, by number.
        question: to what.
        text: about what text, or part of one.
        target: about what in it.
    """

    predictor: int
    question: Question
    text: str
    target: str | None

    def row(self, key: str) -> dict[str, Any]:
        """The row of a data set that would ask the same."""
        prompt = self.question.prompt(self.text, self.target)
        return {"id": key, "prompt": prompt, "emotion": self.question.emotion, "text": self.text, "language": "en"}


@dataclass(frozen=True)
class AskedPart:
    """A part of a text, as one question is asked of it.

    Args:
        question: the name of the question.
        predictor: who is asked, by number.
        key: of the answer.
        size: its characters.
    """

    question: str
    predictor: int
    key: str
    size: int


class Journal:
    """Remembers which answers a window asks for.

    What a model says depends, in the last bits, on what is in a batch with it. A run that was killed has part of its
    answers in the store when it is resumed; so that the rest has the same neighbours as it would have had, the window
    is planned from the list that was made when it began, and not from what is missing now.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def asked(self, new: Sequence[str]) -> list[str]:
        """The keys that the window began with: those of the file, or `new`, which is then written to it."""
        if self.path.is_file():
            return list(json.loads(self.path.read_text(encoding="utf-8")))
        write_json(self.path, list(new), indent=None)
        return list(new)


def ask(
    predictors: Sequence[Predictor], wanted: Mapping[str, Wanted], known: Collection[str], store: AnswerStore
) -> Iterator[dict[str, Prediction]]:
    """The answers that are wanted, as they are kept in the store; questions of one task go through a model together.

    Args:
        predictors: who answers, by number.
        wanted: what is wanted, by key.
        known: the keys whose answers are not asked for; their questions still take their places in the batches.
        store: keeps each answer as it comes.
    """
    groups: dict[tuple[int, int], list[str]] = {}
    for key, one in wanted.items():
        groups.setdefault((one.predictor, id(one.question.task)), []).append(key)
    for (number, _), keys in groups.items():
        if all(key in known for key in keys):
            continue
        rows, task = [wanted[key].row(key) for key in keys], wanted[keys[0]].question.task
        waiting: list[Prediction] = []
        try:
            for prediction in predictors[number].predict(task, rows, known):
                waiting.append(prediction)
                if len(waiting) == KEPT_AT_ONCE:
                    yield store.add(waiting)
                    waiting = []
        except BaseException:
            store.add(waiting)  # what came before a failure was paid for
            raise
        if waiting:
            yield store.add(waiting)
