"""`emollms.train` and `emollms.merge`: what their commands do, as functions that are light to import.

Options, paths and names are checked before torch is imported and before a process is launched.
"""

import json
import os
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from emollms.errors import UsageError
from emollms.optional import require
from emollms.progress import OnProgress, Warn, show_progress
from emollms.training.manifest import MODEL, NAME, read_run
from emollms.training.recipe import Recipe, load_recipe
from emollms.training.result import TrainingRun

if TYPE_CHECKING:
    from emollms.training.merge import Merged


def train(
    recipe: str | Path,
    *,
    data: str | Path,
    out: str | Path,
    set: Mapping[str, object] | Sequence[str] = (),
    minutes: float | None = None,
    resume: bool = False,
    progress: bool | OnProgress = False,
    warn: Warn = lambda text: None,
) -> TrainingRun:
    """Fine-tune a model. The same call resumes a run that was stopped or killed, and returns a finished one as it is.

    ```python
    run = emollms.train("emosmol-135m", data="out/aaid", out="out/short", minutes=10, set={"tasks": "V-reg"})
    ```

    Args:
        recipe: name of a recipe (`emollms recipes` lists them), or a YAML file.
        data: a data set with training and validation rows: a folder, or `OWNER/NAME[@REVISION]` on the Hub.
        out: the folder of the run. It gets `model/` (weights or adapter, tokenizer, templates), `run.json` and
            `curves.png`.
        set: settings of the recipe to override, as a mapping, or as lines `key=value`.
        minutes: train as many steps as fit into this time here, including loading, up to the recipe's `most_epochs`.
        resume: whether it is an error if there is no run to resume.
        progress: whether to show progress on stderr; or a function to call with the newest loss, the steps done and the
            steps in all.
        warn: is called with each line that the user should see: rows left out, evaluations, what was resumed.

    Returns:
        The run. With several processes (`processes` of the recipe) this function starts them and waits; they print
        their progress themselves.

    Raises:
        UsageError: an option is wrong, recipe, model and data do not fit together, or `out` holds something else.
        Interrupted: the run was asked to stop (SIGTERM, Ctrl-C) and saved a checkpoint.
        DivergedError: its loss, gradient or weights stopped being finite.
        LaunchError: one of several processes failed, or they were asked to stop.
    """
    begun = time.monotonic()
    set_library_defaults()
    from emollms.dataset.reader import Dataset
    from emollms.evaluation.run_folder import check_place
    from emollms.hardware import limit_threads
    from emollms.training.fields import check_keys
    from emollms.training.folder import SETTINGS, is_finished
    from emollms.training.launch import LaunchError, launcher, run_until_stopped
    from emollms.training.refused import check_recipe

    out, overrides = Path(out), overrides_of(set)
    chosen = load_recipe(str(recipe), overrides, minutes)
    check_keys(chosen)
    check_recipe(chosen)
    start = launcher(chosen)
    check_place(out, SETTINGS)
    opened = Dataset(data)
    tasks = chosen.values.get("tasks")
    opened.tasks("train", [tasks] if isinstance(tasks, str) else tasks if isinstance(tasks, list) else [])
    finished = is_finished(out)
    if not finished:
        check_base(chosen, warn)
    command = [
        "train", str(recipe), "--data", str(data), "--out", str(out),
        *(part for override in overrides for part in ("--set", override)),
        *(() if minutes is None else ("--minutes", f"{minutes:g}")), *(("--resume",) if resume else ()),
    ]  # fmt: skip
    if start is not None:
        if code := run_until_stopped([*start, "-m", "emollms", *command]):
            raise LaunchError(code)
        return TrainingRun(out, read_run(out), already=finished)
    limit_threads()
    engine = require("emollms.training.run", "train")
    with show_progress("steps", progress=progress) as on_progress:
        run: TrainingRun = engine.run_training(
            chosen, opened, out, resume=resume, command=("emollms", *command), begun=begun, on_progress=on_progress,
            warn=warn,
        )  # fmt: skip
    return run


def merge(
    run: str | Path | Sequence[str | Path],
    *,
    out: str | Path,
    dtype: str = "auto",
    shard_size: str = "2GB",
    base: str | None = None,
    progress: bool | OnProgress = False,
    warn: Warn = lambda text: None,
) -> "Merged":
    """Merge an adapter into its base, with tokenizer, chat template and settings, as a model of its own.

    Several runs are averaged, each merged first: a model soup (Wortsman et al., 2022), as fast as one model. They must
    have been tuned from the same base; runs of one recipe that differ in `data_seed` serve best. Thresholds of labels
    are averaged, too.

    A base that was trained on in 4 or 8 bits is loaded again in full precision. The result is read back before it
    appears: its tokens must be equal, and its logits within 1e-5 of the largest one in float32 (1e-2 in float16, 6e-2
    in bfloat16, whose weights are rounded) from those of base and adapter. A run of all weights is written alike.

    Args:
        run: a finished run of `emollms.train`, its `model/`, a checkpoint, or an adapter made elsewhere; or several.
        out: the folder of the model; it appears once it is complete and checked.
        dtype: `float32`, `bfloat16` or `float16`; `auto` is that of the base, or of the weights of a full run.
        shard_size: the largest size of a file of weights, such as `2GB`.
        base: folder or `OWNER/NAME[@REVISION]` of the base, if it is no longer where the run or adapter says.
        progress: whether to show progress on stderr, or a function to call with what is being done.
        warn: is called with each line that the user should see.

    Returns:
        The merged model; one that already existed is not merged again.

    Raises:
        UsageError: an option is wrong, there is nothing to merge, several do not fit together, or `out` holds something
            else.
        EmollmsError: the disk is too small, the base is not that of the training, or a check failed: weights that do
            not fill the model exactly or are not finite, a merged model with other logits.
    """
    runs, out = [Path(run)] if isinstance(run, str | Path) else [Path(one) for one in run], Path(out)
    if not runs:
        raise UsageError("no run to merge; give one, or several to average")
    for number, one in enumerate(runs):
        if one.resolve() in (other.resolve() for other in runs[:number]):
            raise UsageError(f"{one} is given twice; give each run once")
        _check_merge(one, dtype, shard_size, base, warn)
    set_library_defaults()
    engine = require("emollms.training.merge", "train")
    with warnings.catch_warnings(), show_progress("steps", progress=progress) as on_progress:
        warnings.filterwarnings("ignore", category=FutureWarning)  # of transformers, about what PEFT calls
        merged: Merged = engine.write_merged(
            runs, out, dtype=dtype, shard_size=shard_size, base=base, on_progress=on_progress, warn=warn
        )
    return merged


def set_library_defaults() -> None:
    """Set what libraries read when they are imported: threads that sleep while they wait, no telemetry."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")


def overrides_of(settings: Mapping[str, object] | Sequence[str]) -> list[str]:
    """The settings of `set`, as lines `key=value`."""
    if isinstance(settings, Mapping):
        return [f"{key}={json.dumps(value)}" for key, value in settings.items()]  # JSON is YAML
    return [settings] if isinstance(settings, str) else list(settings)


def check_base(recipe: Recipe, warn: Warn) -> None:
    """Check the name of the model before torch is imported for it."""
    from emollms.inference.model_names import check_model

    name, revision = (recipe.values.get(key) for key in ("model_name_or_path", "model_revision"))
    if isinstance(name, str):
        check_model(name, str(revision) if revision and revision != "main" else None, warn)


def _check_merge(run: Path, dtype: str, shard_size: str, base: str | None, warn: Warn) -> None:
    """Check the arguments before torch is imported for them."""
    from emollms.inference.model_names import FILES, base_of, check_dtype, check_model
    from emollms.locations import is_local, missing
    from emollms.training.folder import check_shard_size

    check_dtype(dtype)
    check_shard_size(shard_size)
    if not run.is_dir():
        raise UsageError(f"{run} is a file; give the folder of a run") if run.exists() else missing(str(run))
    if base is not None:
        check_model(base, warn=warn)
    if not any((run / name).exists() for name in (NAME, MODEL, *FILES)):
        read_run(run)  # says what is missing
    if base is None and (named := base_of(run / MODEL)) and not is_local(named[0]):
        check_model(*named, warn)
