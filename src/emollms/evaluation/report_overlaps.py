"""Texts that stand in more than one task: a model's errors in one are then no news in the other."""

from collections.abc import Mapping

import pyarrow.parquet as pq

from emollms.evaluation.data import EvaluationData
from emollms.evaluation.report_content import Overlaps
from emollms.quality.duplicates.normalise import normalise

_SCREENED = (
    "Texts that stand, equal or nearly (Jaccard similarity of character 4-grams from {:.2f}), in another task too."
)
_COMPARED = (
    "Texts that stand in another task too, equal but for writing such as capitals, links and user names; this data set "
    "was built without the search for nearly equal ones."
)


def overlaps(data: EvaluationData) -> Overlaps:
    """What the build of a data set found; equal texts where it did not look."""
    screening = data.manifest.screening
    if screening is None:
        return _equal_texts(data)
    totals: dict[str, int] = {}
    for count in data.manifest.counts:
        totals[count.task] = totals.get(count.task, 0) + count.read - sum(count.dropped.values())
    return Overlaps(_SCREENED.format(screening.threshold), *_only_shared(totals, screening.overlaps))


def _equal_texts(data: EvaluationData) -> Overlaps:
    texts: dict[str, set[str]] = {}
    for task in dict.fromkeys(count.task for count in data.manifest.counts):
        folder = data.folder / "data" / task
        if folder.is_dir():
            column = pq.read_table(folder, columns=["text"], partitioning=None)["text"]
            texts[task] = set(normalise(column).to_pylist())
    counts = {
        task: {other: len(own & theirs) for other, theirs in texts.items() if other != task and own & theirs}
        for task, own in texts.items()
    }
    return Overlaps(_COMPARED, *_only_shared({task: len(own) for task, own in texts.items()}, counts))


def _only_shared(
    totals: Mapping[str, int], counts: Mapping[str, Mapping[str, int]]
) -> tuple[dict[str, int], dict[str, Mapping[str, int]]]:
    """The tasks that share a text with another one."""
    shared = {task for task, own in counts.items() if any(own.values())}
    shared |= {other for own in counts.values() for other, count in own.items() if count}
    names = [task for task in totals if task in shared]
    return {task: totals[task] for task in names}, {task: dict(counts.get(task, {})) for task in names}
