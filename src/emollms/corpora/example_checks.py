"""Whether an example is what its corpus and its task allow."""

import math
from numbers import Integral, Real
from typing import TYPE_CHECKING

from emollms.corpora.metadata import CorpusMetadata
from emollms.corpora.record import CellError
from emollms.tasks import TASKS, MultiLabelTask, OrdinalTask, RegressionTask

if TYPE_CHECKING:
    from emollms.corpora.base import Example
    from emollms.corpora.ratings import Value

IN_ROWS = "correct what rows() gives"
TEXTS = ("task", "split", "source_id", "text", "gold", "language")


def check_parts(example: "Example", meta: CorpusMetadata) -> None:
    """Check the types of an example's texts, and that task, split and language are among the corpus's own.

    Raises:
        CellError: they are not.
    """
    texts = (example.source_id, example.text, example.gold, example.emotion or "", example.target or "")
    if not all(isinstance(text, str) for text in texts):
        raise _not_a_text(example)
    if example.task in meta.tasks and example.split in meta.splits and example.language in meta.languages:
        return
    for name in ("task", "split", "language"):
        value, own = getattr(example, name), getattr(meta, f"{name}s")
        if not isinstance(value, str):
            raise _not_a_text(example)
        if value not in own:
            raise CellError(f"the corpus has no such {name}; its {name}s are {', '.join(own)}", value, IN_ROWS)


def _not_a_text(example: "Example") -> CellError:
    given = ((name, getattr(example, name)) for name in TEXTS)
    optional = "emotion" if isinstance(example.target or "", str) else "target"
    name, value = next(((n, v) for n, v in given if not isinstance(v, str)), (optional, getattr(example, optional)))
    return CellError(f"{name} is no text (str)", _typed(value), IN_ROWS)


def checked_value(example: "Example", meta: CorpusMetadata, value: "Value") -> "Value":
    """A value as the task of its example takes it: a float, a class number, or a tuple of labels.

    Raises:
        CellError: the example has no id or text, or the task has no such emotion, score, class or label.
    """
    task = TASKS[example.task]
    if not example.source_id.strip():
        raise CellError("the id is empty", example.text)
    if not example.text.strip():
        raise CellError("the text is empty", example.source_id)
    if example.target is not None and not example.target.strip():
        raise CellError("the target is empty", example.text)
    if (example.emotion or "") not in (task.emotions or ("",)):
        raise CellError(f"{task.name} has no emotion of this name", example.emotion or "")
    missing = meta.left_out(example.task, example.split, example.language)
    if example.emotion and example.emotion in missing:
        raise CellError(_unannotated(example), example.emotion)
    if isinstance(task, RegressionTask):
        return _score(task, value)
    if isinstance(task, OrdinalTask):
        return _class(task, value)
    assert isinstance(task, MultiLabelTask)
    return _labels(task, example, missing)


def _score(task: RegressionTask, value: object) -> float:
    if type(value) is not float and (isinstance(value, bool) or not isinstance(value, Real)):
        raise CellError(f"{task.name} takes a number from {task.low:g} to {task.high:g}", _typed(value), IN_ROWS)
    score = float(value)
    if not (math.isfinite(score) and task.low <= score <= task.high):
        raise CellError(f"{task.name} goes from {task.low:g} to {task.high:g}, and this is outside", str(value))
    return score


def _class(task: OrdinalTask, value: object) -> int:
    if type(value) is not int and (isinstance(value, bool) or not isinstance(value, Integral)):
        numbers = ", ".join(map(str, task.classes))
        raise CellError(f"{task.name} takes one of the numbers {numbers} (int)", _typed(value), IN_ROWS)
    if value not in task.classes:
        raise CellError(f"{task.name} has no class of this number", str(value))
    return int(value)


def _labels(task: MultiLabelTask, example: "Example", missing: tuple[str, ...]) -> tuple[str, ...]:
    labels = example.value
    if not isinstance(labels, tuple) or not all(isinstance(label, str) for label in labels):
        raise CellError(f"{task.name} takes a tuple of labels, such as {task.labels[:2]!r}", _typed(labels), IN_ROWS)
    for label in labels:
        if label not in task.labels:
            raise CellError(f"{task.name} has no such label", label)
        if label in missing:
            raise CellError(_unannotated(example), label)
    if len(set(labels)) < len(labels):
        raise CellError("a label stands twice", example.gold)
    if not labels and task.nothing is None:
        raise CellError(f"{task.name} needs at least one label", "")
    return labels


def _unannotated(example: "Example") -> str:
    return f"the corpus says that it did not annotate this ({example.task}, {example.split}, {example.language})"


def _typed(value: object) -> str:
    return f"{value!r} ({type(value).__name__})"
