"""What `scores.json` says of a task: its figures, how the answers were read, and the figures by the other rule."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from emollms.evaluation.data import Row
from emollms.evaluation.readings import Read
from emollms.evaluation.results import TaskScore
from emollms.evaluation.schemes import Policy
from emollms.evaluation.scoring import RESAMPLES, gold_of, score, unannotated_of
from emollms.prompts.answers import Parse
from emollms.tasks import Task


def task_scores(task: Task, rows: Sequence[Row], read: Read, policy: Policy) -> dict[str, Any]:
    """The entry of a task.

    Args:
        task: the task.
        rows: its rows.
        read: what the answers to them say, by both rules.
        policy: what an answer that cannot be read counts as.
    """

    def by(parse: Parse, resamples: int) -> TaskScore:
        golds, emotions = [gold_of(task, row) for row in rows], [row["emotion"] for row in rows]
        return score(
            task, golds, read.by_parse[parse], emotions, policy, unannotated=unannotated_of(rows), resamples=resamples
        )

    scored = by(read.parse, RESAMPLES)
    figures: dict[str, Any] = {}
    for parse, readings in read.by_parse.items():
        same = [one.value for one in readings] == [one.value for one in read.readings]
        own = scored if same else by(parse, resamples=1)  # the other rule's figures have no intervals
        metrics = {name: metric.value for name, metric in own.metrics.items()}
        figures[parse] = {"metrics": metrics, "invalid": own.invalid_count}
    scale = asdict(read.scale) if read.scale else None
    return scored.as_json() | {"scored_by": read.rule, "parse": read.parse, "scale": scale, "by_parse": figures}
