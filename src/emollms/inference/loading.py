"""Models of the transformers library from a folder or repository."""

import json
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer
from transformers.utils.peft_utils import find_adapter_config_file

from emollms.errors import UsageError
from emollms.hardware import Precision, default_device, inference_precision
from emollms.inference.model_names import check_dtype, check_model
from emollms.inference.smollm2 import resolve
from emollms.inference.transformers_engine import TransformersEngine
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
    """
    place = _device(device)
    precision = _precision(dtype, place)
    model = resolve(model)
    check_model(model, revision)
    try:
        tokenizer = AutoTokenizer.from_pretrained(model, revision=revision)
        loaded = open_model(model, revision, getattr(torch, precision.name))
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot load {model!r}: {' '.join(str(error).split())}") from error
    return TransformersEngine(
        loaded.to(place), tokenizer, model, revision, template, batch_tokens, dtype_reason=precision.reason
    )


def open_model(model: str, revision: str | None, dtype: Any) -> Any:
    """A model; an adapter comes with the model it was made for, whose revision is not the adapter's.

    Raises:
        OSError, ValueError: as transformers raises them.
    """
    name, base_revision = base_of(model, revision)
    config = AutoConfig.from_pretrained(name, revision=base_revision)
    kind = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    loaded = kind.from_pretrained(name, revision=base_revision, dtype=dtype)
    if name != model:
        loaded.load_adapter(model, adapter_kwargs={"revision": revision})
    return loaded


def base_of(model: str, revision: str | None = None) -> tuple[str, str | None]:
    """The model whose weights there are: for an adapter the one it was made for, with the revision that it names."""
    adapter = find_adapter_config_file(model, revision=revision)
    if adapter is None or (Path(model) / "config.json").is_file():
        return model, revision
    found = json.loads(Path(adapter).read_text(encoding="utf-8"))
    return str(found["base_model_name_or_path"]), found.get("revision")


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
