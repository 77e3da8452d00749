"""What a model was tuned on, and the calibration that comes with it: read from its folder, or from its repo."""

import json
from contextlib import suppress
from pathlib import Path

from emollms.errors import EmollmsError
from emollms.evaluation.calibration import Calibration
from emollms.inference.model_names import PACKAGED_MODEL
from emollms.locations import is_local
from emollms.network import hub_problem
from emollms.prompts.framing import PUBLISHED
from emollms.tasks import TASKS, training_tasks

CALIBRATION = "calibration.json"
"""The file of a model's folder or repo that `emollms calibrate` wrote."""
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


def calibration_of(model: str) -> Calibration | None:
    """The calibration that comes with a model; None where there is none.

    Raises:
        UsageError: the file is damaged.
    """
    path = beside(model, CALIBRATION)
    return None if path is None else Calibration.read(path)


def beside(model: str, name: str) -> Path | None:
    """A small file that comes with a model: in its folder, in that of its run, or in its repo; None where it is not."""
    if model == PACKAGED_MODEL:
        return None
    if is_local(model):
        folder = Path(model)
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


def what_runs_here() -> str:
    """A line that lists what can annotate on this machine without another download, for when nothing was named."""
    found = [*_in_cache(), f"--model {PACKAGED_MODEL} (small, never tuned for affect)"]
    found += [f"--baseline {name}" for name, package in _LEXICONS.items() if _is_installed(package)]
    return "; ".join(found)


_LEXICONS = {"vader": "vaderSentiment", "textblob": "textblob"}


def _is_installed(package: str) -> bool:
    from importlib.util import find_spec

    return find_spec(package) is not None


def _in_cache() -> list[str]:
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        repos = scan_cache_dir().repos
    except (CacheNotFound, OSError):
        return []
    names = (repo.repo_id for repo in repos if repo.repo_type == "model" and _is_model(repo))
    return [f"--model {name}" for name in sorted(names)]


def _is_model(repo: object) -> bool:
    revisions = getattr(repo, "revisions", ())
    return any(file.file_name in ("config.json", "adapter_config.json") for one in revisions for file in one.files)
