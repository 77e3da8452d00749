"""`emollms train`: from a recipe to a checkpoint."""

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emollms.cli.output import examples, print_error, print_fields, print_note
from emollms.optional import needing
from emollms.progress import show_progress

if TYPE_CHECKING:
    from emollms.training.manifest import RunManifest
    from emollms.training.recipe import Recipe

app = typer.Typer()

_TRAIN = examples(
    "emollms train emosmol-135m --data out/aaid --out out/emosmol",
    "emollms train emosmol-135m --data owner/aaid@v1.0.0 --out out/v-reg --set tasks=V-reg --set num_train_epochs=2",
    "emollms train emosmol-135m --data out/aaid --out out/short --minutes 10",
    "emollms train my-recipe.yaml --data out/aaid --out out/mine --set learning_rate=2e-5",
)


@app.command(epilog=_TRAIN)
def train(
    recipe: Annotated[
        str, typer.Argument(metavar="RECIPE", help="Its name (see `emollms recipes`), or a YAML file of your own.")
    ],
    data: Annotated[str, typer.Option(metavar="DIR|REPO[@REV]", help="The data set, here or on the Hub.")],
    out: Annotated[Path, typer.Option(metavar="RUN", help="The folder of the run.")],
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting of the recipe; repeatable.")
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(metavar="N", help="Train as many steps as fit into so many minutes here, up to three epochs."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run; it is an error if there is none to go on with.")
    ] = False,
) -> None:
    """Tune a model. A run that was killed or stopped goes on when the same command is given again.

    RUN gets model/ (weights or adapter, tokenizer, templates), run.json and curves.png. The exit code is 75 for a run
    that was asked to stop (SIGTERM, Ctrl-C) and saved a checkpoint.
    """
    begun = time.monotonic()
    calm_libraries()
    from emollms.dataset.reader import Dataset
    from emollms.evaluation.run_folder import check_place
    from emollms.hardware import limit_threads
    from emollms.training.fields import check_keys
    from emollms.training.folder import SETTINGS, is_finished
    from emollms.training.launch import launched, launcher, tell_launcher
    from emollms.training.recipe import load_recipe
    from emollms.training.refused import check_recipe

    chosen = load_recipe(recipe, changes or [], minutes)
    check_keys(chosen)
    check_recipe(chosen)
    launcher(chosen)
    check_place(out, SETTINGS)
    opened = Dataset(data)
    tasks = chosen.values.get("tasks")
    opened.tasks("train", [tasks] if isinstance(tasks, str) else tasks if isinstance(tasks, list) else [])
    if not is_finished(out):
        _check_model(chosen)
    if (code := launched(chosen)) is not None:
        raise typer.Exit(code)
    limit_threads()
    with needing("train"):
        from emollms.training.finite import DivergedError
        from emollms.training.run import train as run
        from emollms.training.stop import Interrupted
    command = ("emollms", *sys.argv[1:])
    first = not int(os.environ.get("RANK", "0"))
    try:
        with show_progress("steps", progress=first) as on_progress:
            done = run(
                chosen, opened, out, resume=resume, command=command, begun=begun, tell=on_progress, note=print_note
            )
    except (Interrupted, DivergedError) as error:  # all processes raise it together
        if not tell_launcher(error.exit_code):
            raise
        if first:
            print_error(error)
        return
    if not first:
        return
    _print_run(done.run)
    print_note(f"{'was there already, not run again:' if done.already else 'wrote'} {out / 'model'}")
    print_note(f"next: emollms merge {out} --out MODEL, and emollms evaluate --model MODEL --data AEB --out SCORES")


def calm_libraries() -> None:
    """Settings that libraries read when they are imported: threads that sleep while they wait, no telemetry."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")


def _check_model(recipe: "Recipe") -> None:
    """Look at the name of the model that a recipe tunes before torch is imported for it."""
    from emollms.inference.model_names import check_model

    name, revision = (recipe.values.get(key) for key in ("model_name_or_path", "model_revision"))
    if isinstance(name, str):
        check_model(name, str(revision) if revision and revision != "main" else None, print_note)


def _print_run(run: "RunManifest") -> None:
    minutes = f"{run.seconds / 60:.1f} minutes"
    fields: dict[str, object] = {
        "steps": f"{run.steps} ({run.epochs:g} epochs)",
        "precision": f"{run.hardware.precision}: {run.hardware.precision_reason}",
        "time": f"{minutes} on {run.hardware.device}" + (f", resumed {run.resumed} times" if run.resumed else ""),
        "tokens": f"{run.tokens:,} ({run.tokens / max(run.seconds, 1e-9):,.0f} a second), {run.answer_tokens:,} learnt",
    }
    if run.losses:
        fields["loss"] = f"{run.losses[0].loss:.3f} → {run.losses[-1].loss:.3f}"
    best = next((one for one in run.evaluations if one.step == run.best_step), None)
    if best:
        tasks = ", ".join(f"{task} {value:.3f}" for task, value in best.tasks.items())
        fields["validation"] = f"step {best.step}, chosen by {run.selection}: {tasks or f'loss {best.loss:.3f}'}"
    print_fields(fields)
