"""The calibration that comes with a model, and what annotates on this machine without a download."""

from emollms.evaluation.calibration import Calibration
from emollms.inference.companions import beside
from emollms.inference.model_names import PACKAGED_MODEL, SHIPPED_MODEL, is_shipped
from emollms.locations import is_local
from emollms.storage import CALIBRATION
from emollms.tables.files import Warn


def calibration_of(model: str) -> Calibration | None:
    """The calibration that comes with a model; None where there is none.

    Raises:
        UsageError: the file is damaged.
    """
    path = beside(model, CALIBRATION)
    if path is None:
        return None
    fitted = Calibration.read(path)
    # In a repo it was checked before it was published, and the hash of the folder there is no commit of the repo.
    return fitted if is_shipped(model) or is_local(model) else fitted.of_repo(model)


def default_model(warn: Warn) -> str:
    """The model that annotates where none is named: the one that comes with this package."""
    warn(f"no --model is named, so {SHIPPED_MODEL} annotates, which comes with this package; also on this machine, "
         f"without another download: {what_runs_here()}")  # fmt: skip
    return SHIPPED_MODEL


def what_runs_here() -> str:
    """A line that lists what else can annotate on this machine without another download."""
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
