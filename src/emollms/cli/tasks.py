"""`emollms tasks`: what can be asked of a text."""

from typing import TYPE_CHECKING, Annotated

import typer

from emollms.cli import complete
from emollms.cli.base import NounGroup, TableCommand
from emollms.cli.output import Cell, examples, print_fields, print_table

if TYPE_CHECKING:
    from emollms.tasks import Task

_LIST = examples("emollms tasks", "emollms tasks list --json", "emollms tasks | cut -f 1,3")
_SHOW = examples("emollms tasks show E-c", "emollms tasks show EI-reg --json")

app = typer.Typer(
    name="tasks",
    cls=NounGroup,
    epilog=_LIST,
    help="List what can be asked of a text, and show a task with its scale, metrics and corpora.",
)


@app.command("list", epilog=_LIST, cls=TableCommand)
def list_() -> None:
    """List the tasks: what is answered, and which data sets have them."""
    from emollms.tasks import TASKS

    columns = ("name", "kind", "answers", "emotions", "AAID", "AEB", "about")
    print_table(
        columns,
        [
            (
                task.name, task.kind, _answers(task), Cell(task.emotions, " ".join(task.emotions)),
                _yes(task.training), _yes(task.benchmark), task.about,
            )
            for task in TASKS.values()
        ],
    )  # fmt: skip


@app.command(epilog=_SHOW, cls=TableCommand)
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of a task.", autocompletion=complete.task)],
) -> None:
    """Show all that is known of a task: its scale, classes or labels, its metrics, corpora and wordings."""
    from emollms.corpora.registry import corpora
    from emollms.evaluation.task_metrics import metrics_of
    from emollms.prompts.instructions import instruction_languages, wordings
    from emollms.tasks import MultiLabelTask, OrdinalTask, get_task

    task = get_task(name)
    metrics = metrics_of(task)
    having = [one.meta.name for one in corpora().values() if task.name in one.meta.tasks]
    languages = instruction_languages(task.name)
    fields: dict[str, object] = {
        "name": task.name, "about": task.about, "kind": task.kind, "answers": _answers(task),
        "emotions": Cell(task.emotions, ", ".join(task.emotions)),
        "perspective": task.perspective or Cell(None, ""),
        "main metric": metrics.main.title,
        "metrics": Cell([one.title for one in metrics.metrics], ", ".join(one.title for one in metrics.metrics)),
        "corpora": Cell(having, ", ".join(having)),
        "wordings": Cell(
            {one: len(wordings(task.name, one)) for one in languages},
            ", ".join(f"{len(wordings(task.name, one))} {one}" for one in languages),
        ),
        "AAID": _yes(task.training), "AEB": _yes(task.benchmark),
    }  # fmt: skip
    if isinstance(task, OrdinalTask):
        fields["classes"] = Cell(task.classes, "\n".join(f"{number}: {text}" for number, text in task.classes.items()))
    if isinstance(task, MultiLabelTask):
        fields["labels"] = Cell(task.labels, ", ".join(task.labels))
    print_fields(fields)


def _answers(task: "Task") -> Cell:
    """The native scale, the classes or the labels of a task."""
    from emollms.tasks import MultiLabelTask, OrdinalTask, RegressionTask

    if isinstance(task, RegressionTask):
        return Cell([task.low, task.high], f"{task.low:g} to {task.high:g}")
    if isinstance(task, OrdinalTask):
        return Cell(list(task.classes), f"classes {min(task.classes)} to {max(task.classes)}")
    assert isinstance(task, MultiLabelTask)
    return Cell(task.labels, f"{len(task.labels)} labels")


def _yes(value: bool) -> Cell:
    return Cell(value, "yes" if value else "no")
