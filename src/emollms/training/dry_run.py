"""Recipes tested offline: each is parsed, and trains a tiny random model of its family for one optimizer step."""

import io
import math
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from emollms.dataset.build import build_repo
from emollms.dataset.reader import Dataset
from emollms.dataset.specs import Settings, get_data_set
from emollms.errors import EmollmsError
from emollms.training.launch import settings_file
from emollms.training.recipe import Recipe, load_recipe
from emollms.training.recipe_args import parse
from emollms.training.run import run_training
from emollms.training.tiny import POSITIONS, make_tiny

# Models whose tokenizers differ from those of the first in their family.
_KINDS = (("smollm2", "smollm2"), ("llama-2-.*chat", "llama-chat"), ("llama-3.*instruct", "llama3"))
_SMALL = (
    "model_revision=main", "max_steps=1", "per_device_train_batch_size=4", "gradient_accumulation_steps=1",
    "load_in_4bit=false", "load_in_8bit=false", "accelerate=null", "processes=1", "eval_strategy=no",
    "save_strategy=no", "warmup_steps=0", "tasks=null", "languages=null", "task_weights={}", "train_limit=8",
    "report_to=none",
)  # fmt: skip
"""Overrides that make a run small, and free of what needs a GPU."""
_EACH_STEP = ("logging_strategy=steps", "logging_steps=1")


@dataclass(frozen=True)
class RecipeCheck:
    """The result of a test of a recipe.

    Args:
        name: its name or path.
        method: `full`, `lora` or `qlora`; empty if it could not be parsed.
        loss: of the one step; None if there was none.
        problem: what is wrong; None if nothing is.
    """

    name: str
    method: str
    loss: float | None
    problem: str | None


def check_recipes(names: Sequence[str]) -> Iterator[RecipeCheck]:
    """Test recipes, one after the other.

    Args:
        names: names or files.
    """
    with TemporaryDirectory(prefix="emollms-check-") as scratch:
        root = Path(scratch)
        settings = Settings(get_data_set("aaid"), corpora=("sample",))
        build_repo(settings, root / "data", validate=False)
        data = Dataset(root / "data")
        for name in names:
            with TemporaryDirectory(dir=root) as folder:
                yield _check(name, data, Path(folder))


def kind_of(recipe: Recipe) -> str:
    """The kind of tiny model for the base model of a recipe."""
    name = str(recipe.values.get("model_name_or_path")).lower()
    return next((kind for pattern, kind in _KINDS if re.search(pattern, name)), str(recipe.values["family"]))


def _check(name: str, data: Dataset, scratch: Path) -> RecipeCheck:
    method = ""
    try:
        recipe = load_recipe(name)
        parsed = parse(recipe, scratch / "checkpoints", device="cpu")
        method = parsed.method
        _complete(recipe)
        if parsed.tuning.accelerate:
            settings_file(parsed.tuning.accelerate)
        with _quiet():
            run = run_training(_small(recipe, parsed.training.max_length, scratch), data, scratch / "run").manifest
        loss = run.losses[-1].loss if run.losses else math.nan
        if run.steps != 1 or not math.isfinite(loss):
            return RecipeCheck(
                name, method, loss, f"the step on a tiny model has a loss of {loss}; lower the learning rate"
            )
        return RecipeCheck(name, method, loss, None)
    except EmollmsError as error:
        return RecipeCheck(name, method, None, " ".join(str(error).split()))
    except Exception as error:  # any error that a setting causes in the libraries is a finding
        return RecipeCheck(
            name, method, None, f"{type(error).__name__} in the step on a tiny model: {error}".split("\n")[0]
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress what trainers print."""
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def _complete(recipe: Recipe) -> None:
    missing = [key for key in ("about", "parameters", "seed") if not recipe.values.get(key)]
    if missing:
        raise EmollmsError(f"{recipe.path}: {', '.join(missing)} is missing; lists and estimates need it")


def _small(recipe: Recipe, longest: int | None, scratch: Path) -> Recipe:
    """The recipe for a tiny model in `scratch`, one step long."""
    model = make_tiny(kind_of(recipe), scratch / "model")
    length = min(longest or POSITIONS, POSITIONS)
    changes = [*_SMALL, f"model_name_or_path={model}", f"max_length={length}", *_EACH_STEP]
    if recipe.values.get("freeze_layers"):
        changes.append("freeze_layers=1")  # tiny models have two layers
    return load_recipe(str(recipe.path), changes)
