"""Small files that come with a model, in its folder or its repo: the record of its training, its calibration."""

import json
from contextlib import suppress
from pathlib import Path

from emollms.errors import EmollmsError
from emollms.inference.model_names import PACKAGED_MODEL, is_shipped, resolve_model
from emollms.locations import is_local
from emollms.network import hub_problem
from emollms.prompts.framing import PUBLISHED
from emollms.tasks import TASKS, training_tasks

RUN = "run.json"


def tuned_on(model: str) -> tuple[str, ...] | None:
    """The names of the tasks that a model was tuned on; None for one that was never tuned for affect.

    The record of its training tells, beside its weights; the published EmoLLMs, which have none, are known by name.
    """
    if model.partition("@")[0].lower() in PUBLISHED:
        return tuple(task.name for task in training_tasks())
    path = beside(model, RUN)
    if path is None:
        return None
    with suppress(OSError, ValueError, AttributeError):
        rows = json.loads(path.read_text(encoding="utf-8")).get("rows")
        return tuple(name for name in rows if name in TASKS) or None if isinstance(rows, dict) else None
    return None


def held_out_fraction(model: str) -> float:
    """Of validation texts, the fraction that a model was not trained on, as its record has it; 1 without one."""
    if (path := beside(model, RUN)) is not None:
        with suppress(OSError, ValueError, AttributeError, KeyError, TypeError):
            values = json.loads(path.read_text(encoding="utf-8"))["recipe"]["values"]
            return float(values.get("validation_fraction", 1.0))
    return 1.0


def beside(model: str, name: str) -> Path | None:
    """A small file that comes with a model: in its folder, in that of its run, or in its repo; None where it is not."""
    if model == PACKAGED_MODEL:
        return None
    if is_shipped(model) or is_local(model):
        folder = Path(resolve_model(model))
        places = [folder / name, *([folder.parent / name] if folder.name == "model" else [])]
        return next((place for place in places if place.is_file()), None)
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    repo, _, revision = model.partition("@")
    try:
        offline = hub_problem() is not None
        return Path(hf_hub_download(repo, name, revision=revision or None, local_files_only=offline))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, EmollmsError):
        return None
