"""Which metrics a task has, which is the published one, and what becomes of invalid answers.

Sources: SemEval-2018 Task 1 (Mohammad et al., 2018) for EI-*, V-reg, V-oc and E-c; Tables 5 and 6 of EmoLLMs (Liu et
al., 2024) for the others; SemEval-2025 Task 11 (Muhammad et al., 2025) for BRIGHTER: macro-F1 over the emotions of a
language (track A), and Pearson's r averaged over them (track B).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

from numpy.typing import NDArray

from emollms.evaluation import metrics
from emollms.evaluation.metrics import RowSums
from emollms.tasks import MultiLabelTask, OrdinalTask, Task

Values = NDArray[Any]
Policy = Literal["official", "drop", "worst"]
POLICIES: Mapping[Policy, str] = {
    "official": "the middle of the scale; class 0 in the tasks of SemEval-2018, elsewhere a wrong class; no label",
    "drop": "the row is left out",
    "worst": "the answer farthest from the gold",
}
"""What an invalid answer counts as."""


@dataclass(frozen=True)
class Metric:
    """A metric.

    Args:
        name: its name in scores.
        title: its name for people.
        sums: gold and predictions to the metric, see `metrics.RowSums`.
        rows: the rows it looks at, from the gold.
        by_label: whether it has a value for each label, or class seen in gold.
    """

    name: str
    title: str
    sums: Callable[[Values, Values], RowSums]
    rows: Callable[[Values], metrics.Flags] = metrics.everywhere
    by_label: bool = False


def _on(name: str, title: str, metric: Callable[..., RowSums], rows: Callable[[Values], metrics.Flags]) -> Metric:
    """A metric on some of the rows."""
    return Metric(name, title, partial(metric, where=rows), rows)


PEARSON = Metric("pearson", "Pearson's r", metrics.pearson)
PEARSON_UPPER_HALF = _on("pearson_upper_half", "Pearson's r, gold ≥ 0.5", metrics.pearson, metrics.upper_half)
PEARSON_NONZERO = _on("pearson_nonzero", "Pearson's r, gold ≠ 0", metrics.pearson, metrics.nonzero)
KAPPA = Metric("kappa", "quadratic weighted kappa", metrics.kappa)
KAPPA_NONZERO = _on("kappa_nonzero", "quadratic weighted kappa, gold ≠ 0", metrics.kappa, metrics.nonzero)
ACCURACY = Metric("accuracy", "accuracy", metrics.accuracy)
MACRO_F1 = Metric("macro_f1", "macro-F1", metrics.macro_f1, by_label=True)
MICRO_F1 = Metric("micro_f1", "micro-F1", metrics.micro_f1)
JACCARD = Metric("jaccard", "accuracy (mean Jaccard index of rows)", metrics.jaccard)
JACCARD_WEIGHTED = Metric(
    "jaccard_weighted", "Jaccard index of labels, weighted by gold rows", metrics.jaccard_weighted, by_label=True
)


@dataclass(frozen=True)
class TaskMetrics:
    """How a task is scored.

    Args:
        main: the metric of the task in tables, the one published for it.
        others: further ones.
        invalid_class: the class that an invalid answer is by the official rule; None where it is wrong.
        source: the metric by which the source of the task ranks systems, where it is another than `main`.
    """

    main: Metric
    others: tuple[Metric, ...] = ()
    invalid_class: int | None = None
    source: Metric | None = None

    @property
    def source_metric(self) -> Metric:
        """The metric by which the source of the task ranks systems; tables by language show it."""
        return self.source or self.main

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """All, the main one first."""
        return (self.main, *self.others)

    def get(self, name: str) -> Metric | None:
        """The metric of this name, if the task has it."""
        return next((metric for metric in self.metrics if metric.name == name), None)


_REGRESSION = TaskMetrics(PEARSON)
_INTENSITY = TaskMetrics(PEARSON, (PEARSON_UPPER_HALF,))
_ORDINAL = TaskMetrics(PEARSON, (PEARSON_NONZERO, KAPPA, KAPPA_NONZERO, ACCURACY), invalid_class=0)
_CLASSES = TaskMetrics(ACCURACY, (MACRO_F1,))
_LABELS = TaskMetrics(JACCARD_WEIGHTED, (JACCARD, MICRO_F1, MACRO_F1))
_OTHER_CLASSES = TaskMetrics(PEARSON, (KAPPA, ACCURACY, MACRO_F1))
_OTHER_LABELS = TaskMetrics(MACRO_F1, (JACCARD, MICRO_F1))
TASK_METRICS: Mapping[str, TaskMetrics] = {
    "EI-reg": _INTENSITY,
    "EI-oc": _ORDINAL,
    "V-reg": _INTENSITY,
    "V-oc": _ORDINAL,
    "E-c": replace(_LABELS, source=JACCARD),
    "EmoBank": _REGRESSION,
    "GoEmotions": replace(_LABELS, source=MACRO_F1),
    "SST": _REGRESSION,
    "SST5": _CLASSES,
    "TDT": _CLASSES,
    "V-A": _REGRESSION,
    "V-M": _REGRESSION,
    "V-NYT": _REGRESSION,
    "V-T": _REGRESSION,
    "GoEmotions-28": replace(_LABELS, source=MACRO_F1),
    "EmoBank-reader": _REGRESSION,
    "EmoBank-writer": _REGRESSION,
    "BRIGHTER-E-c": _OTHER_LABELS,
    "BRIGHTER-EI-oc": _ORDINAL,
}
"""How each task is scored; `main` is the published metric, that of Table 5 of EmoLLMs for E-c and GoEmotions."""


def metrics_of(task: Task) -> TaskMetrics:
    """How `task` is scored; a task of another package as its kind is."""
    if task.name in TASK_METRICS:
        return TASK_METRICS[task.name]
    if isinstance(task, MultiLabelTask):
        return _OTHER_LABELS
    return _OTHER_CLASSES if isinstance(task, OrdinalTask) else _REGRESSION
