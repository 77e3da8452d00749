"""What other harnesses are told of a benchmark, whichever of them it is written for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from emollms.dataset.reader import TEST, Dataset, choose_language
from emollms.evaluation.export_hooks import INVALID_RATE
from emollms.evaluation.task_metrics import metrics_of
from emollms.inference.decoding import answer_limit
from emollms.tasks import Task, get_task

ExportTemplate = Literal["frame", "chat"]


@dataclass(frozen=True)
class ExportedTask:
    """A task as a harness knows it.

    Args:
        task: ours.
        name: its name there.
        files: its parquet files, by absolute paths.
        metrics: names of its metrics, the published one first, and of the rate of invalid answers.
        max_tokens: the most tokens of an answer, which is cut at its first line break when it is read.
    """

    task: Task
    name: str
    files: Sequence[str]
    metrics: Sequence[str]
    max_tokens: int


@dataclass(frozen=True)
class ExportPlan:
    """A benchmark as a harness knows it.

    Args:
        group: name of all tasks together.
        title: the data set with its version, for people.
        version: its version.
        content_hash: hash of its rows.
        template: `frame` for our frame around prompts, `chat` for prompts as they are, which the harness puts into the
            chat template of a model.
        language: code of the language of the rows.
        unannotated: corpus and task to the labels that were not annotated there, which no metric counts.
        tasks: the tasks.
    """

    group: str
    title: str
    version: str
    content_hash: str
    template: ExportTemplate
    language: str
    unannotated: Mapping[str, Mapping[str, list[str]]]
    tasks: Sequence[ExportedTask]


def plan_export(data: Dataset, template: ExportTemplate = "frame", language: str | None = None) -> ExportPlan:
    """What a harness is told of the test rows of a data set.

    Args:
        data: the data set.
        template: see `ExportPlan`.
        language: code of the language; None for English, or the only one.

    Raises:
        UsageError: there are no test rows, or none in the language.
    """
    every = {task.name: data.rows(task.name, TEST) for task in data.tasks(TEST)}
    chosen = choose_language((row for rows in every.values() for row in rows), language)
    tasks = [get_task(name) for name, rows in every.items() if any(row["language"] == chosen for row in rows)]
    manifest = data.manifest
    return ExportPlan(
        group=f"emollms_{_word(manifest.data_set)}",
        title=f"{manifest.title} {manifest.version}",
        version=manifest.version,
        content_hash=manifest.content_hash,
        template=template,
        language=chosen,
        unannotated=_unannotated(data, tasks, chosen),
        tasks=[_exported(data, task) for task in tasks],
    )


def _exported(data: Dataset, task: Task) -> ExportedTask:
    return ExportedTask(
        task=task,
        name=f"emollms_{_word(task.name)}",
        files=[str((data.folder / file.path).resolve()) for file in data.manifest.files_of(task.name, TEST)],
        metrics=[*(metric.name for metric in metrics_of(task).metrics), INVALID_RATE],
        max_tokens=answer_limit(task),
    )


def _unannotated(data: Dataset, tasks: Sequence[Task], language: str) -> dict[str, dict[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = {}
    for source in data.manifest.sources:
        for task in tasks:
            if labels := data.manifest.unannotated(source.corpus, task.name, TEST, language):
                found.setdefault(source.corpus, {})[task.name] = list(labels)
    return found


def _word(name: str) -> str:
    return name.lower().replace("-", "_")
