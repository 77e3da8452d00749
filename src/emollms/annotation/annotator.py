"""The annotator: texts in, affect out; each question that is new is asked once."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self, overload

from emollms.annotation.answers import Affect, Answer, Scale, strongest, told
from emollms.annotation.asking import AskedPart, Item, Journal, Wanted, ask
from emollms.annotation.columns import Annotations
from emollms.annotation.frames import as_table, is_table, readable, texts_in
from emollms.annotation.questions import Question
from emollms.annotation.segments import segments
from emollms.annotation.store import AnswerStore, answer_key
from emollms.dataset.reader import Row
from emollms.errors import UsageError
from emollms.evaluation.beliefs import Belief, belief, combined, combined_thresholds
from emollms.evaluation.calibration import Calibration
from emollms.evaluation.model_predictor import ModelPredictor
from emollms.evaluation.predictors import Predictor, can_answer, identity
from emollms.inference.predictions import Prediction
from emollms.progress import OnProgress, silent
from emollms.tasks import Task

WINDOW = 4096
"""Texts that are asked about together; memory grows with it and not with the input."""


@dataclass
class Counts:
    """What a run had to do.

    Args:
        texts: texts that were read.
        questions: answers that were needed, those to equal questions about equal texts once.
        asked: those that a model was asked for.
    """

    texts: int = 0
    questions: int = 0
    asked: int = 0


class Annotator:
    """Puts scores, labels and confidences on texts. `Annotator.from_pretrained` makes one for a model.

    Args:
        predictors: who answers; of several, the mean of their distributions is told.
        questions: what is asked.
        calibration: what was fitted for these predictors; None where nothing was.
        store: keeps answers; None for memory alone.
        scale: whether scores are told on 0..1 or on the native scale of their task.
        min_confidence: below it, an answer is withheld (`abstained`).

    Raises:
        UsageError: there is nobody to ask, no question, or one that none of the predictors answers.
    """

    def __init__(
        self,
        predictors: Sequence[Predictor],
        questions: Sequence[Question],
        *,
        calibration: Calibration | None = None,
        store: AnswerStore | None = None,
        scale: Scale = "unit",
        min_confidence: float | None = None,
    ) -> None:
        if not predictors or not questions:
            raise UsageError("an annotator needs a model, an endpoint or a baseline, and a question")
        names = [one.name for one in questions]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise UsageError(f"two questions would have the column {twice!r}; ask one of them")
        self.predictors, self.questions = tuple(predictors), tuple(questions)
        self.calibration, self.scale, self.min_confidence = calibration, scale, min_confidence
        self.store = store if store is not None else AnswerStore()
        self.counts = Counts()
        self._answers_to = {
            number: {one.name for one in questions if can_answer(predictor, one.task)}
            for number, predictor in enumerate(predictors)
        }
        for name in names:
            if not any(name in own for own in self._answers_to.values()):
                shown = ", ".join(predictor.name for predictor in predictors)
                raise UsageError(f"{shown} has no answer to {name!r}; leave it out of --task, or give another model")
        self._identities: list[str] | None = None

    @classmethod
    def from_pretrained(cls, model: str | Sequence[str] | None = None, **options: Any) -> Self:
        """An annotator for a model; see `emollms.annotation.open.open_annotator` for all options.

        Args:
            model: a folder, `OWNER/NAME[@REVISION]` on the Hub, or several of them for an ensemble.
            options: `task`, `labels`, `score`, `range`, `endpoint`, `baseline`, `scale`, `min_confidence` and so on,
                the same as those of `emollms annotate`.

        Raises:
            UsageError: there is no such model or question.
        """
        from emollms.annotation.open import open_annotator

        return open_annotator(cls, model, **options)

    @overload
    def __call__(self, texts: str) -> Affect: ...

    @overload
    def __call__(
        self,
        texts: Any,
        *,
        text_column: str = "text",
        target_column: str | None = None,
        on_progress: OnProgress = silent,
    ) -> Annotations: ...

    def __call__(
        self,
        texts: Any,
        *,
        text_column: str = "text",
        target_column: str | None = None,
        on_progress: OnProgress = silent,
    ) -> Affect | Annotations:
        """Annotate one text, or many.

        Args:
            texts: a text; or a list, a column or any other iterable of texts, where None is none; or a table (of
                pandas, polars, Arrow or `datasets`), whose columns the result keeps.
            text_column: the column of a table that holds the texts.
            target_column: the column that holds what is asked about, for tasks that have a target.
            on_progress: is told how far it is.

        Returns:
            For one text its `Affect`; else `Annotations`, a row a text, in order.

        Raises:
            UsageError: a table has no such column, or an element is no text.
            EmollmsError: the model fails.
        """
        if isinstance(texts, str):
            return self.annotate([Item(texts)])[0]
        table = as_table(texts, text_column, target_column)
        values = texts_in(table, text_column)
        targets = texts_in(table, target_column) if target_column else [None] * len(values)
        rows: list[Affect] = []
        for start in range(0, len(values), WINDOW):
            some = zip(values[start : start + WINDOW], targets[start : start + WINDOW], strict=True)
            rows += self.annotate([Item(text, target) for text, target in some])
            on_progress("texts", len(rows), len(values))
        is_plain = table.column_names == [text_column] and not is_table(texts)
        return Annotations(self.questions, rows, None if is_plain else table)

    def annotate(
        self,
        items: Sequence[Item],
        journal: Journal | None = None,
        on_answers: Callable[[int, int], None] = lambda done, total: None,
    ) -> list[Affect]:
        """Annotate the texts of one window.

        Args:
            items: the texts.
            journal: remembers which answers this window has to ask for, so that a run that was killed asks in the same
                batches, and gets the same bits, when it is resumed.
            on_answers: called with the answers that came, and with those that were asked for.
        """
        wanted: dict[str, Wanted] = {}
        plans = [[] if self._is_blank(item) else self._plan(item, wanted) for item in items]
        found = self._find(wanted, journal, on_answers)
        self.counts.texts += len(items)
        return [
            Affect([self._answer(one, item, plan, found) for one in self.questions])
            for item, plan in zip(items, plans, strict=True)
        ]

    def close(self) -> None:
        """Let go of the models and of the store."""
        for predictor in self.predictors:
            predictor.close()
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def identities(self) -> list[str]:
        """For each predictor, what its answers depend on besides question and text; loads the models.

        Raises:
            UsageError: the calibration was fitted for others.
        """
        if self._identities is None:
            self._identities = [identity(predictor) for predictor in self.predictors]
            if self.calibration:
                self.calibration.check_predictors([json.loads(one) for one in self._identities])
        return self._identities

    @property
    def cost(self) -> float | None:
        """What its endpoints took until now; None where none has a price."""
        costs = [one.spending.cost for one in self.predictors if isinstance(one, ModelPredictor)]
        known = [cost for cost in costs if cost is not None]
        return sum(known) if known else None

    def count_tokens(self, items: Sequence[Item]) -> int:
        """The tokens that all models read to answer all questions about some texts."""
        wanted: dict[str, Wanted] = {}
        for item in items:
            if not self._is_blank(item):
                self._plan(item, wanted)
        asked: list[list[tuple[Task, Row]]] = [[] for _ in self.predictors]
        for key, one in wanted.items():
            asked[one.predictor].append((one.question.task, one.row(key)))
        return sum(model.count_tokens(own) for model, own in zip(self.predictors, asked, strict=True))

    def is_known(self, item: Item) -> bool:
        """Whether the store has all answers about a text."""
        wanted: dict[str, Wanted] = {}
        if not self._is_blank(item):
            self._plan(item, wanted)
        return len(self.store.get(list(wanted))) == len(wanted)

    def describe(self) -> dict[str, Any]:
        """What a record of annotations says: the predictors, the questions, the calibration and the options."""
        return {
            "predictors": [json.loads(one) for one in self.identities],
            "questions": {one.name: json.loads(one.identity) for one in self.questions},
            "calibration": self.calibration.model_dump() if self.calibration else None,
            "scale": self.scale,
            "min_confidence": self.min_confidence,
        }

    def segments(self, question: Question, text: str, target: str | None = None) -> list[str]:
        """The parts in which a text is asked about; one, but for long texts."""
        answering = [one for number, one in enumerate(self.predictors) if question.name in self._answers_to[number]]

        def fits(part: str) -> bool:
            row = Wanted(0, question, part, target).row("")
            return all(one.has_room(question.task, row) for one in answering)

        return segments(text, fits)

    @staticmethod
    def _is_blank(item: Item) -> bool:
        return item.text is None or not item.text.strip()

    def _plan(self, item: Item, wanted: dict[str, Wanted]) -> list[AskedPart]:
        """The parts of a text by question and predictor, with the keys of their answers; new ones join `wanted`."""
        text, target = readable(str(item.text)), None if item.target is None else readable(item.target)
        parts: list[AskedPart] = []
        for question in self.questions:
            for segment in self.segments(question, text, target):
                for number, name in enumerate(self.identities):
                    if question.name in self._answers_to[number]:
                        key = answer_key(name, question.identity, segment, target)
                        wanted.setdefault(key, Wanted(number, question, segment, target))
                        parts.append(AskedPart(question.name, number, key, len(segment)))
        return parts

    def _find(
        self, wanted: Mapping[str, Wanted], journal: Journal | None, on_answers: Callable[[int, int], None]
    ) -> dict[str, Prediction]:
        """The answers to all that is wanted: from the store, and where it has none, from the predictors."""
        found = self.store.get(list(wanted))
        new = [key for key in wanted if key not in found]
        todo = journal.asked(new) if journal else new
        self.counts.questions += len(wanted)
        self.counts.asked += len(new)
        done = 0
        for some in ask(self.predictors, {key: wanted[key] for key in todo if key in wanted}, set(found), self.store):
            found |= some
            done += len(some)
            on_answers(done, len(new))
        return found

    def _answer(
        self, question: Question, item: Item, plan: Sequence[AskedPart], found: Mapping[str, Prediction]
    ) -> Answer:
        if not plan:
            return Answer(question, note=_joined(item.note, "no text"))
        by_model: dict[int, list[tuple[int, Prediction | None]]] = {}
        for part in plan:
            if part.question == question.name:
                by_model.setdefault(part.predictor, []).append((part.size, found.get(part.key)))
        beliefs, problems, thresholds, cut = [], [], [], 1
        for number, parts in by_model.items():
            said = [belief(question.task, question.emotion, one) if one else "no answer" for _, one in parts]
            good = [(size, one) for (size, _), one in zip(parts, said, strict=True) if isinstance(one, Belief)]
            problems += [one for one in said if isinstance(one, str)]
            cut = max(cut, len(parts))
            if good and question.kind == "labels":
                beliefs.append(strongest([one for _, one in good]))
                thresholds.append(self.predictors[number].thresholds(question.task))
            elif good:
                beliefs.append(combined([one for _, one in good], [size for size, _ in good]))
        note = _joined(item.note, f"cut into {cut} parts" if cut > 1 else None, problems[0] if problems else None)
        if not beliefs:
            return Answer(question, note=note)
        fitted = self.calibration.tasks.get(question.task.name) if self.calibration else None
        draw, limits = _draw(question, str(item.text)), combined_thresholds(thresholds)
        answer = told(question, combined(beliefs), fitted, draw, self.scale, self.min_confidence, limits)
        return replace(answer, note=note)


def _draw(question: Question, text: str) -> float:
    """A number on 0..1 that question and text decide, and nothing else."""
    digest = hashlib.sha256(f"{question.identity}\0{text}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _joined(*notes: str | None) -> str | None:
    return "; ".join(dict.fromkeys(note for note in notes if note)) or None
