"""The model of a recipe: loaded as what it is, with the kernels that are there."""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    Seq2SeqTrainingArguments,
)
from trl.trainer.utils import get_quantization_config

from emollms.errors import UsageError
from emollms.inference.model_names import check_model
from emollms.inference.smollm2 import resolve
from emollms.training.parsing import Parsed


@dataclass(frozen=True)
class Loaded:
    """A base model.

    Args:
        model: the model.
        tokenizer: its tokenizer.
        attention: the implementation of attention that is used.
    """

    model: Any
    tokenizer: Any
    attention: str


def load_model(parsed: Parsed) -> Loaded:
    """The base model of a recipe and its tokenizer; code that comes with a model is never run.

    Raises:
        UsageError: it cannot be loaded, or is of another kind than the recipe says.
    """
    name = resolve(str(parsed.model.model_name_or_path))
    revision = None if parsed.model.model_revision == "main" else parsed.model.model_revision
    check_model(name, revision)
    try:
        config = AutoConfig.from_pretrained(name, revision=revision)
        _check_kind(parsed, config)
        kind = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
        tokenizer = AutoTokenizer.from_pretrained(name, revision=revision)
        model: Any = kind.from_pretrained(
            name,
            revision=revision,
            dtype=getattr(torch, parsed.model.dtype or "float32"),
            attn_implementation=parsed.model.attn_implementation,
            quantization_config=get_quantization_config(parsed.model),
        )
    except (OSError, ValueError, ImportError) as error:
        raise UsageError(f"cannot load {parsed.model.model_name_or_path!r}: {' '.join(str(error).split())}") from error
    return Loaded(model, tokenizer, str(model.config._attn_implementation))


def _check_kind(parsed: Parsed, config: Any) -> None:
    """Never train an encoder-decoder as a decoder, or the other way round."""
    name, found = parsed.model.model_name_or_path, config.get_text_config().model_type
    if parsed.tuning.family not in (found, config.model_type):
        raise UsageError(f"{name} is of the family {found}, not {parsed.tuning.family} as the recipe says")
    is_seq2seq = isinstance(parsed.training, Seq2SeqTrainingArguments)
    if bool(config.is_encoder_decoder) != is_seq2seq:
        raise UsageError(f"{name} is {'an encoder-decoder' if config.is_encoder_decoder else 'a decoder'}; its family "
                         f"{found} is listed as the other kind")  # fmt: skip


def use_liger(training: Any, device: torch.device) -> bool:
    """Turn Liger's layer kernels on where they are installed and there is a GPU for them.

    Its fused heads stay off: they give a loss in place of logits.
    """
    if device.type != "cuda" or not find_spec("liger_kernel"):
        training.use_liger_kernel = False
        return False
    training.use_liger_kernel = True
    training.liger_kernel_config = {"fused_linear_cross_entropy": False, "cross_entropy": False}
    return True
