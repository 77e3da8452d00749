"""Models of the transformers library from a folder or repository."""

import json
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer
from transformers.utils.hub import cached_file
from transformers.utils.peft_utils import find_adapter_config_file

from emollms.errors import EmollmsError, UsageError, shorten
from emollms.hardware import Precision, default_device, inference_precision
from emollms.inference.model_names import check_dtype, check_model
from emollms.inference.smollm2 import resolve
from emollms.inference.transformers_engine import TransformersEngine
from emollms.inference.weights import check_reads, load_whole
from emollms.prompts.framing import Template


def load(
    model: str,
    *,
    revision: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    template: Template = "auto",
    batch_tokens: int | None = None,
) -> TransformersEngine:
    """Load a model and its tokenizer; code that comes with a model is never run.

    Args:
        model: folder or repository, also of a PEFT adapter; or the packaged model, see `smollm2.resolve`.
        revision: branch, tag or commit of a repository.
        device: `auto` for the first accelerator, or a name as torch knows it.
        dtype: `float32`, `bfloat16`, `float16`; or `auto` for what suits the device, see
            `emollms.hardware.inference_precision`.
        template: see `emollms.prompts.framing.resolve_template`.
        batch_tokens: see `TransformersEngine`.

    Raises:
        UsageError: there is no such model, device or number type.
        EmollmsError: its weights do not fill it exactly, or it gives no numbers.
    """
    place = _device(device)
    precision = _precision(dtype, place)
    model = resolve(model)
    check_model(model, revision)
    try:
        tokenizer = load_tokenizer(model, revision)
        loaded = open_model(model, revision, getattr(torch, precision.name))
    except EmollmsError:
        raise
    except Exception as error:  # readers of damaged or unknown files raise anything
        raise UsageError(f"cannot load {model!r}: {in_a_line(error)}") from error
    engine = TransformersEngine(
        loaded.to(place), tokenizer, model, revision, template, batch_tokens, dtype_reason=precision.reason
    )
    check_reads(loaded, tokenizer, model)
    return engine


def open_model(model: str, revision: str | None, dtype: Any) -> Any:
    """A model; an adapter comes with the model it was made for, whose revision is not the adapter's.

    Raises:
        UsageError: an adapter names no base model, or one that is not there, or PEFT is missing.
        EmollmsError: see `weights.load_whole` and `adapters.load_adapter`.
        Exception: as transformers and PEFT raise it.
    """
    name, base_revision = base_of(model, revision)
    loaded = load_whole(name, base_revision, dtype=dtype)
    if name == model:
        return loaded
    try:
        from emollms.inference.adapters import load_adapter
    except ModuleNotFoundError as error:
        raise UsageError(f"{model} is an adapter, which needs {error.name}: pip install {error.name}") from error
    return load_adapter(loaded, model, revision).get_base_model()


def load_tokenizer(model: str, revision: str | None = None) -> Any:
    """The tokenizer of a model; for an adapter that has none, that of its base.

    Raises:
        Exception: as transformers raises it.
    """
    there = {"revision": revision, "_raise_exceptions_for_missing_entries": False}
    if not any(cached_file(model, name, **there) for name in ("tokenizer_config.json", "tokenizer.json")):
        model, revision = base_of(model, revision)
    return AutoTokenizer.from_pretrained(model, revision=revision)


def base_of(model: str, revision: str | None = None) -> tuple[str, str | None]:
    """The model whose weights there are: for an adapter the one it was made for, with the revision that it names.

    Raises:
        UsageError: an adapter names none, or a folder that is not there.
    """
    adapter = find_adapter_config_file(model, revision=revision)
    if adapter is None or (Path(model) / "config.json").is_file():
        return model, revision
    found = json.loads(Path(adapter).read_text(encoding="utf-8"))
    base = found.get("base_model_name_or_path")
    if not base:
        raise UsageError(f"{adapter} names no base_model_name_or_path; name the model that the adapter was made for")
    if Path(base).is_absolute() and not Path(base).is_dir():
        raise UsageError(
            f"the base model {base} of the adapter {model} is not there; name where it is: emollms merge --base"
        )
    return str(base), found.get("revision")


def in_a_line(error: Exception) -> str:
    """What an error of a library says, in one line of readable length."""
    said = " ".join(str(error).split())
    return shorten(said if isinstance(error, OSError | ValueError) else f"{type(error).__name__}: {said}", 400)


def _device(name: str) -> torch.device:
    if name == "auto":
        return default_device()
    try:
        return torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"unknown device {name!r}; name one as torch does: cpu, cuda, cuda:1, mps") from error


def _precision(name: str, device: torch.device) -> Precision:
    if name == "auto":
        return inference_precision(device)
    check_dtype(name)
    return Precision(name, "asked for")
