"""`emollms.distill`: a one-pass classifier from what a teacher says of texts, and from gold where there is any."""

import math
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, cast

from emollms.annotation.open import listed, open_annotator
from emollms.errors import UsageError
from emollms.inference.engines import Name as EngineName
from emollms.optional import require
from emollms.progress import OnProgress, Warn, show_progress
from emollms.prompts.framing import Template
from emollms.training.api import overrides_of, set_library_defaults
from emollms.training.recipe import Recipe, load_recipe
from emollms.training.result import TrainingRun

if TYPE_CHECKING:
    from emollms.annotation.questions import Question
    from emollms.dataset.reader import Dataset


def distill(
    recipe: str | Path,
    *,
    texts: str | Path,
    out: str | Path,
    data: str | Path | None = None,
    teacher: str | Sequence[str] | None = None,
    endpoint: str | None = None,
    baseline: str | Sequence[str] | None = None,
    task: str | Sequence[str] | None = None,
    weight: float = 1.0,
    alpha: float = 0.0,
    text_column: str = "text",
    min_confidence: float | None = None,
    calibration: str | Path | None = None,
    map: str | Path | None = None,
    split: str | None = None,
    config: str | None = None,
    store: str | Path | None = None,
    fresh: bool = False,
    engine: EngineName | None = None,
    template: Template = "auto",
    dtype: str = "auto",
    workers: int = 8,
    per_minute: float | None = None,
    price: tuple[float, float] | None = None,
    max_cost: float | None = None,
    set: Mapping[str, object] | Sequence[str] = (),
    minutes: float | None = None,
    resume: bool = False,
    delimiter: str | None = None,
    encoding: str = "utf-8",
    no_quotes: bool = False,
    progress: bool | OnProgress = False,
    warn: Warn = lambda text: None,
) -> TrainingRun:
    """Train a one-pass classifier on what a teacher says of texts, mixed with gold; see `docs/distill.md`.

    The teacher's distributions are the targets: the expected value of a score, the cumulative probabilities of
    classes, the probabilities of labels. The same call resumes a run that was stopped or killed, while the teacher
    answers or later, and returns a finished one as it is.

    ```python
    run = emollms.distill(
        "emosmol-135m-heads", texts="posts.csv", teacher="OWNER/MODEL", data="out/aaid", out="out/small"
    )
    ```

    Args:
        recipe: name of a recipe with `objective: heads`, or a YAML file.
        texts: a table of texts, here or on the Hub, as `emollms annotate` reads it; `-` for standard input.
        out: the folder of the run; see `emollms.train`. `teacher.parquet` in it holds the answers.
        data: a data set whose gold is trained on too, and validates; texts in its validation or test rows, equal or
            nearly so, are left out. None for the teacher's targets alone; then a tenth of the texts validates, and what
            chooses the best step and the thresholds of labels is the agreement with the teacher.
        teacher: a folder, `OWNER/NAME[@REVISION]`, or the packaged model; several for their mean. With an endpoint, the
            name that its server knows the model by.
        endpoint: the address of a server that speaks OpenAI's protocol.
        baseline: `vader` or `textblob`, or both.
        task: what the teacher is asked, by names as in `emollms annotate`; None for the tasks of the recipe, or of the
            data set, or, without these, what the teacher was tuned on.
        weight: of a target of the teacher in the loss, against 1 for gold; above 0.
        alpha: the part of the teacher in a target that has gold too, 0..1 (Hinton et al., 2015); 0 for gold alone.
        text_column: the column of the texts.
        min_confidence: 0..1; answers that are less sure are not taught.
        calibration: a file of `emollms calibrate`; None for the one that comes with the teacher.
        map: a file that says which labels of a classifier answer what, as in `emollms annotate`.
        split: of a data set of texts on the Hub.
        config: of a data set of texts on the Hub.
        store: the file that keeps answers; None for the one that all runs share.
        fresh: leave the store alone, and ask everything.
        engine: `transformers`, `vllm` or `endpoint`; None for what fits.
        template: how prompts of the teacher are framed.
        dtype: the numbers' type of the teacher; not for an endpoint.
        workers: the most requests to an endpoint at a time.
        per_minute: the most requests to an endpoint a minute.
        price: what an endpoint asks for a million tokens that it reads, and for a million that it writes.
        max_cost: stop before more than this is spent; needs `price`.
        set: settings of the recipe to override, as a mapping, or as lines `key=value`.
        minutes: train as many steps as fit into this time here, up to `most_epochs`, from when the teacher is done.
        resume: whether it is an error if there is no run to resume.
        delimiter: what separates cells in a text file; None for what its ending says.
        encoding: of a text file.
        no_quotes: whether double quotes are plain characters in CSV and TSV.
        progress: whether to show progress on stderr, or a function to call with it.
        warn: is called with each line that the user should see: texts left out, evaluations, what was resumed.

    Returns:
        The run; `manifest.teacher` is the record of the teacher.

    Raises:
        UsageError: an option is wrong, recipe, teacher, texts and data do not fit together, or `out` holds something
            else.
        SourceError: a row of the texts is broken.
        Interrupted: the run was asked to stop (SIGTERM, Ctrl-C) and saved a checkpoint.
        EmollmsError: the teacher failed, or the training; what was done is kept.
    """
    command = _command(locals())
    set_library_defaults()
    from emollms.annotation.annotator import Annotator
    from emollms.annotation.inputs import open_input
    from emollms.dataset.reader import Dataset
    from emollms.hardware import limit_threads
    from emollms.tables.files import Dialect

    out = Path(out)
    chosen = load_recipe(str(recipe), overrides_of(set), minutes)
    if not (listed(teacher) or endpoint or listed(baseline)):
        raise UsageError("name who teaches: --teacher, --endpoint or --baseline")
    _check(chosen, out, weight, alpha, warn)
    opened = Dataset(data) if data is not None else None
    with tempfile.TemporaryDirectory(prefix="emollms-") as scratch:
        dialect = Dialect(delimiter, encoding, not no_quotes)
        source = open_input(str(texts), text_column, None, dialect, Path(scratch), split, config)
        annotator = open_annotator(
            Annotator, teacher, endpoint=endpoint, baseline=baseline, task=_questions(task, chosen, opened),
            min_confidence=min_confidence, calibration=calibration, map=map, engine=engine, template=template,
            dtype=dtype, workers=workers, per_minute=per_minute, price=price, max_cost=max_cost, store=store,
            fresh=fresh, warn=warn,
        )  # fmt: skip
        _check_whole_tasks(annotator.questions, [one.name for one in opened.tasks("train")] if opened else [])
        limit_threads()
        rooms = require("emollms.annotation.teacher", "train"), require("emollms.training.run", "train")
        with annotator, show_progress("steps", progress=progress) as on_progress:
            labels = rooms[0].Teacher(annotator, source, str(texts), opened, weight, alpha, out, warn)
            run: TrainingRun = rooms[1].run_training(
                chosen, opened, out, teacher=labels, resume=resume, command=command, begun=time.monotonic(),
                on_progress=on_progress, warn=warn,
            )  # fmt: skip
    return run


def _check(recipe: Recipe, out: Path, weight: float, alpha: float, warn: Warn) -> None:
    """Check what takes neither torch nor the network."""
    from emollms.evaluation.run_folder import check_place
    from emollms.training.api import check_base
    from emollms.training.fields import check_keys
    from emollms.training.folder import SETTINGS, is_finished
    from emollms.training.launch import launcher
    from emollms.training.refused import check_recipe

    if not (math.isfinite(weight) and weight > 0):
        raise UsageError(f"--weight {weight:g}: give a number above 0, what a text of the teacher counts against gold")
    if not 0 <= alpha <= 1:
        raise UsageError(f"--alpha {alpha:g}: give 0 to 1, the part of the teacher in targets that have gold too")
    check_keys(recipe)
    check_recipe(recipe)
    objective = recipe.values.get("objective", "cross_entropy")
    if objective != "heads":
        raise UsageError(
            f"{recipe.name} has `objective: {objective}`, which has no soft targets; "
            "choose a recipe with `objective: heads`, such as emosmol-135m-heads"
        )
    if launcher(recipe) is not None or os.environ.get("WORLD_SIZE", "1") != "1":
        raise UsageError("distillation trains in one process; leave out processes and accelerate")
    check_place(out, SETTINGS)
    if not is_finished(out):
        check_base(recipe, warn)


def _questions(task: str | Sequence[str] | None, recipe: Recipe, data: "Dataset | None") -> list[str]:
    """What the teacher is asked: what is named, or the tasks of the recipe, or of the data set."""
    tasks = recipe.values.get("tasks")
    named = listed(cast("str | list[str] | None", tasks))
    known = [one.name for one in data.tasks("train", named)] if data else named
    return listed(task) or known


def _check_whole_tasks(asked: "Sequence[Question]", with_gold: Sequence[str]) -> None:
    """Make sure that every output of the classifier will have targets."""
    for task in {one.task.name: one.task for one in asked}.values():
        missing = {*task.emotions} - {one.emotion for one in asked if one.task.name == task.name}
        if missing and task.name not in with_gold:
            names = ", ".join(one.name for one in asked if one.task.name == task.name)
            raise UsageError(
                f"--task {names}: a classifier answers all of {task.name}, also {', '.join(sorted(missing))}; "
                f"give --task {task.name}, or --data with gold for it"
            )


def _command(given: Mapping[str, object]) -> list[str]:
    """The command line of a call, for the record."""
    words = ["emollms", "distill"]
    for name, parameter in signature(distill).parameters.items():
        value = given[name]
        if name in ("progress", "warn") or value == parameter.default:
            continue
        option = f"--{name.replace('_', '-')}"
        if value is True:
            words.append(option)
        elif name == "price" and isinstance(value, tuple):
            words += [option, *map(str, value)]
        elif name == "set":
            words += [part for line in overrides_of(cast("Sequence[str]", value)) for part in (option, line)]
        else:
            several = value if isinstance(value, list | tuple) else [value]
            words += [part for one in several for part in (option, str(one))]
    return words
