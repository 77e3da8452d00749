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
        about = {"text": self.text, "target": self.target, "emotion": self.question.emotion, "language": "en"}
        return {"id": key, "prompt": self.question.prompt(self.text, self.target), **about}


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
    # All of it, known or not: who reads a text once for all questions forms the same batches in a run that is resumed.
    asked = {group: [wanted[key].row(key) for key in keys] for group, keys in groups.items()}
    for number, predictor in enumerate(predictors):
        own = [(wanted[groups[group][0]].question.task, rows) for group, rows in asked.items() if group[0] == number]
        if own:
            predictor.prepare(own)
    for group, keys in groups.items():
        if all(key in known for key in keys):
            continue
        predictor, rows, task = predictors[group[0]], asked[group], wanted[keys[0]].question.task
        waiting: list[Prediction] = []
        try:
            for prediction in predictor.predict(task, rows, known):
                waiting.append(prediction)
                if len(waiting) == KEPT_AT_ONCE:
                    yield store.add(waiting)
                    waiting = []
        except BaseException:
            store.add(waiting)  # what came before a failure was paid for
            raise
        if waiting:
            yield store.add(waiting)
