"""`emollms train`: from a recipe to a checkpoint."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emollms.cli import complete
from emollms.cli.base import TableCommand
from emollms.cli.output import examples, print_error, print_fields, print_note

if TYPE_CHECKING:
    from emollms.training.result import TrainingRun

app = typer.Typer()

Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a setting of the recipe; repeatable."),
]
Minutes = Annotated[
    float | None,
    typer.Option(metavar="N", help="Train as many steps as fit into N minutes on this machine, up to its most_epochs."),
]
Resume = Annotated[bool, typer.Option("--resume", help="Fail if there is no run to resume.")]
_TRAIN = examples(
    "emollms train emosmol-135m --data out/aaid --out out/emosmol",
    "emollms train emosmol-135m --data owner/aaid@v1.0.0 --out out/v-reg --set tasks=V-reg --set num_train_epochs=2",
    "emollms train emosmol-135m --data out/aaid --out out/short --minutes 10",
    "emollms train my-recipe.yaml --data out/aaid --out out/mine --set learning_rate=2e-5",
)


@app.command(epilog=_TRAIN, cls=TableCommand)
def train(
    recipe: Annotated[
        str,
        typer.Argument(
            metavar="RECIPE",
            help="Name of a recipe (see `emollms recipes`), or a YAML file.",
            autocompletion=complete.recipe,
        ),
    ],
    data: Annotated[str, typer.Option(metavar="DIR|REPO[@REV]", help="The data set, here or on the Hub.")],
    out: Annotated[Path, typer.Option(metavar="RUN", help="The folder of the run.")],
    set: Settings = None,
    minutes: Minutes = None,
    resume: Resume = False,
) -> None:
    """Fine-tune a model. The same command resumes a run that was killed or stopped.

    RUN gets model/ (weights or adapter, tokenizer, templates), run.json and curves.png. The exit code is 75 for a run
    that was asked to stop (SIGTERM, Ctrl-C) and saved a checkpoint.
    """
    from emollms.training import api
    from emollms.training.launch import DivergedError, Interrupted, LaunchError, is_launched, report_exit_code

    first = not int(os.environ.get("RANK", "0"))
    try:
        run = api.train(
            recipe, data=data, out=out, set=set or (), minutes=minutes, resume=resume, progress=first, warn=print_note
        )
    except LaunchError as error:  # its processes have printed why
        raise typer.Exit(error.exit_code) from None
    except (Interrupted, DivergedError) as error:  # all processes raise it together
        if not report_exit_code(error.exit_code):
            raise
        if first:
            print_error(error)
        return
    if first and not is_launched():
        print_run(run)


def print_run(run: "TrainingRun") -> None:
    """Print what a run did, and what comes next."""
    record, best = run.manifest, run.best
    speed = f"{record.tokens / max(record.seconds, 1e-9):,.0f} a second"
    resumed = f", resumed {record.resumed} times" if record.resumed else ""
    fields: dict[str, object] = {
        "steps": f"{record.steps} ({record.epochs:g} epochs)",
        "precision": f"{record.hardware.precision}: {record.hardware.precision_reason}",
        "time": f"{record.seconds / 60:.1f} minutes on {record.hardware.device}{resumed}",
        "tokens": f"{record.tokens:,} ({speed}), {record.answer_tokens:,} of them with a loss",
    }
    if record.losses:
        fields["loss"] = f"{record.losses[0].loss:.3f} → {record.losses[-1].loss:.3f}"
    if best:
        tasks = ", ".join(f"{task} {value:.3f}" for task, value in best.tasks.items())
        fields["validation"] = f"step {best.step}, chosen by {record.selection}: {tasks or f'loss {best.loss:.3f}'}"
    print_fields(fields)
    print_note(f"{'already finished, not run again:' if run.already else 'wrote'} {run.model}")
    print_note(f"next: emollms merge {run.folder} --out MODEL; emollms evaluate --model MODEL --data AEB --out SCORES")
