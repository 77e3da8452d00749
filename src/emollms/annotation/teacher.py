"""A teacher: labels texts that have no gold, and hands on its distributions as the targets of a one-pass classifier."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from emollms.annotation.annotator import WINDOW, Annotator
from emollms.annotation.arrow_source import ArrowSource
from emollms.annotation.frames import readable
from emollms.annotation.inputs import Input
from emollms.annotation.questions import Question
from emollms.annotation.run import annotate_file, annotation_record, is_annotated
from emollms.dataset.reader import Dataset, Row
from emollms.dedup.normalize import normalize
from emollms.dedup.reference import ReferenceIndex
from emollms.errors import UsageError
from emollms.inference.heads import Heads
from emollms.progress import OnProgress, Warn
from emollms.prompts.template import one_line
from emollms.training.data import TRAIN, split_texts
from emollms.training.manifest import TaughtTexts, TeacherRecord
from emollms.training.soft_targets import SoftTargets

TABLE = "teacher.parquet"
"""The texts, and what the teacher says of them, in the folder of a run."""
HELD_OUT = 0.1
"""The fraction of texts that are kept for validation where there is no data set."""
Floats = NDArray[np.float32]


@dataclass
class Teacher:
    """Labels texts; a `TargetSource` of training.

    Args:
        annotator: who answers, and what is asked.
        source: the texts.
        name: of the file, or of the data set on the Hub.
        data: whose validation and test texts are left out; None without one.
        weight: of a target of the teacher in the loss, against 1 for gold.
        alpha: the part of the teacher in a target that has gold too, 0..1.
        out: the folder of the run, which keeps the answers.
        warn: is called with the numbers of texts.
    """

    annotator: Annotator
    source: Input
    name: str
    data: Dataset | None
    weight: float
    alpha: float
    out: Path
    warn: Warn

    def settings(self) -> dict[str, object]:
        """What the targets depend on. Nothing is loaded for it: a server may be gone when a run is resumed."""
        return {**self._asked, "weight": self.weight, "alpha": self.alpha}

    @cached_property
    def _asked(self) -> dict[str, object]:
        annotator = self.annotator
        return {
            "predictors": [one.settings() for one in annotator.predictors],
            "questions": {one.name: one.identity for one in annotator.questions},
            "calibration": annotator.calibration.model_dump() if annotator.calibration else None,
            "min_confidence": annotator.min_confidence,
            "texts": self.source.digest,
        }

    def targets(self, on_progress: OnProgress) -> SoftTargets:
        """See `TargetSource.targets`.

        Raises:
            UsageError: no text is left to train on.
        """
        texts, left_out = self._screened()
        if not texts:
            raise UsageError(f"{self.name} has no text to train on: {_shown(left_out)}")
        table = self._annotated(texts, on_progress)
        asked = self.annotator.questions
        heads = Heads.of(list({one.task.name: one.task for one in asked}.values()))
        targets = np.full((table.num_rows, len(heads.outputs)), np.nan, np.float32)
        for question in asked:
            targets[:, heads.columns(question.task, question.emotion)] = soft_targets(question, table)
        lines = [one_line(text) for text in texts]
        answered = ~np.isnan(targets).all(axis=1)
        held_out = answered & (self.data is None) & np.array([_is_held_out(line) for line in lines])
        train = answered & ~held_out
        counts = left_out | {
            "no_answer": int((~answered).sum()),
            "validation": int(held_out.sum()),
            "train": int(train.sum()),
        }
        self.warn(f"{self.name}: {_shown(counts)}")
        if not train.any():
            raise UsageError(f"{self.name} has no text to train on: {_shown(counts)}")
        validation = _validation_rows(
            asked, table.filter(pa.array(held_out)), list(compress(lines, held_out)), heads, targets[held_out]
        )
        return SoftTargets(heads, list(compress(lines, train)), targets[train], self._record(counts), validation)

    def _screened(self) -> tuple[list[str], dict[str, int]]:
        """The texts that are asked about, and the numbers of the others.

        What is left out is left out before it is asked about: answers may cost money.
        """
        self.source.table.check()
        every = [text for some in self.source.table.windows(WINDOW) for text in some.texts]
        texts = [readable(text) for text in every if text and text.strip()]
        forms = normalize(pa.array(texts, pa.large_string()))
        first = np.unique(forms.to_numpy(zero_copy_only=False), return_index=True)[1] if texts else np.zeros(0, int)
        first.sort()
        known = np.zeros(len(first), bool)
        if self.data is not None and len(first):
            splits = [split for split in self.data.splits if split != TRAIN]
            index = ReferenceIndex(split_texts(self.data, *splits))
            known[index.matches(forms.take(pa.array(first))).row] = True
        counts = {
            "rows": len(every),
            "no_text": len(every) - len(texts),
            "repeated": len(texts) - len(first),
            "held_out": int(known.sum()),
        }
        return [texts[place] for place in first[~known]], counts

    def _annotated(self, texts: Sequence[str], on_progress: OnProgress) -> pa.Table:
        """The texts with the answers about them: those that an earlier call got, or new ones."""
        table = pa.table({"text": pa.array(texts, pa.string())})
        whole = json.dumps([self._asked, list(texts)], sort_keys=True)
        digest = f"sha256:{hashlib.sha256(whole.encode('utf-8', 'surrogatepass')).hexdigest()}"
        out = self.out / TABLE
        if not is_annotated(out, digest):
            source = ArrowSource(table.to_batches, table.schema, table.num_rows, "text", name=self.name)
            out.unlink(missing_ok=True)  # of a run that was begun with another teacher, and saved nothing
            annotate_file(
                self.annotator, source, out, digest=digest, probabilities=True, on_progress=on_progress, warn=self.warn
            )
        self.annotator.close()  # the student needs the memory
        return pq.read_table(out)

    def _record(self, counts: Mapping[str, int]) -> TeacherRecord:
        said = annotation_record(self.out / TABLE)
        return TeacherRecord(
            names=[one.name for one in self.annotator.predictors],
            predictors=said["predictors"],
            questions=[_name(one) for one in self.annotator.questions],
            calibrated=self.annotator.calibration is not None,
            min_confidence=self.annotator.min_confidence,
            weight=self.weight,
            alpha=self.alpha,
            texts=TaughtTexts(name=self.name, sha256=self.source.digest.removeprefix("sha256:"), **counts),
        )


def soft_targets(question: Question, table: pa.Table) -> Floats:
    """What a teacher's answers make the outputs of a question.

    A score is itself; classes are the probabilities that the class is at least the second, the third, …; labels are
    their probabilities, whatever the thresholds say.

    Args:
        question: the question.
        table: of `annotate_file` with `probabilities`.

    Returns:
        Of shape (texts, outputs), on 0..1; NaN where there is no answer, or it was withheld.
    """
    known = np.asarray(table[question.name].is_valid())
    found: NDArray[np.float64]
    if question.kind == "score":
        found = _numbers(table, question.name).reshape(-1, 1)
    else:
        found = np.stack([_numbers(table, f"{question.name}_{option}") for option in question.options], axis=1)
    if question.kind == "class":
        at_least = np.cumsum(found[:, ::-1], axis=1)[:, ::-1]
        # Calibrated or rounded probabilities may not sum to 1 exactly.
        found = at_least[:, 1:] / at_least[:, :1]
    return np.asarray(np.where(known[:, None], np.clip(found, 0.0, 1.0), np.nan), dtype=np.float32)


def _numbers(table: pa.Table, name: str) -> NDArray[np.float64]:
    return np.asarray(pc.fill_null(table[name].cast(pa.float64()), np.nan), dtype=np.float64)


def _validation_rows(
    asked: Sequence[Question], table: pa.Table, texts: Sequence[str], heads: Heads, targets: Floats
) -> dict[str, list[Row]]:
    """Rows as those of a data set, by name of the task, whose gold is what the teacher says."""
    found: dict[str, list[Row]] = {}
    for question in asked:
        said = table[question.name].to_pylist()
        soft = targets[:, heads.columns(question.task, question.emotion)]
        for text, value, own in zip(texts, said, soft, strict=True):
            if value is not None:
                gold = {"labels": value, "score": None} if question.kind == "labels" else {"labels": [], "score": value}
                row: dict[str, Any] = {
                    "id": f"{_name(question)}/{_digest(text)}", "text": text, "emotion": question.emotion,
                    "target": None, "language": "en", "soft": own, **gold,
                }  # fmt: skip
                found.setdefault(question.task.name, []).append(row)
    return found


def _name(question: Question) -> str:
    return f"{question.task.name}/{question.emotion}" if question.emotion else question.task.name


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _is_held_out(text: str) -> bool:
    """Whether a text is for validation: the same in every run, whatever else the file holds."""
    return int(_digest(text)[:8], 16) < HELD_OUT * 2**32


def _shown(counts: Mapping[str, int]) -> str:
    """`1,000 texts: 950 to train on, 20 repeated, 30 in validation or test rows of the data`."""
    words = {
        "train": "to train on", "validation": "for validation", "no_text": "without a text", "repeated": "repeated",
        "held_out": "left out, being in validation or test rows of the data", "no_answer": "left out without an answer",
    }  # fmt: skip
    parts = [f"{counts[name]:,} {shown}" for name, shown in words.items() if counts.get(name)]
    return f"{counts['rows']:,} rows: {', '.join(parts)}"
