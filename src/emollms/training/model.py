"""The base model of a recipe, checked against what the recipe says of it, with the kernels that are installed."""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import torch
from peft import LoraConfig
from transformers import AutoConfig, AutoTokenizer, Seq2SeqTrainingArguments
from trl.trainer.utils import get_quantization_config

from emollms.errors import EmollmsError, UsageError, unknown
from emollms.inference.heads import Heads
from emollms.inference.loading import in_a_line
from emollms.inference.model_names import check_model, resolve_model
from emollms.inference.weights import load_whole
from emollms.training.generation import drop_unused
from emollms.training.recipe_args import ParsedRecipe


@dataclass(frozen=True)
class LoadedModel:
    """A base model.

    Args:
        model: the model.
        tokenizer: its tokenizer.
        attention: the implementation of attention in use.
    """

    model: Any
    tokenizer: Any
    attention: str


def load_model(parsed: ParsedRecipe, heads: Heads | None = None) -> LoadedModel:
    """The base model of a recipe and its tokenizer; code in a model's repository is never run.

    Args:
        parsed: the settings of the run.
        heads: the outputs of a classifier, which are new; None for a model that writes answers.

    Raises:
        UsageError: it cannot be loaded, or is of another family than the recipe says.
        EmollmsError: its weights do not fill it exactly, or are not finite.
    """
    name = resolve_model(str(parsed.model.model_name_or_path))
    revision = None if parsed.model.model_revision == "main" else parsed.model.model_revision
    check_model(name, revision)
    try:
        config = AutoConfig.from_pretrained(name, revision=revision)
        _check_kind(parsed, config)
        tokenizer = AutoTokenizer.from_pretrained(name, revision=revision)
        model: Any = load_whole(
            name,
            revision,
            # With FSDP the other processes hold no weights yet: they get them from the first one.
            check_numbers=parsed.training.local_process_index == 0,
            heads=heads,
            dtype=getattr(torch, parsed.model.dtype or "float32"),
            attn_implementation=parsed.model.attn_implementation,
            quantization_config=get_quantization_config(parsed.model),
        )
    except EmollmsError:
        raise
    except Exception as error:  # readers of damaged or unknown files raise anything
        raise UsageError(f"cannot load {parsed.model.model_name_or_path!r}: {in_a_line(error)}") from error
    if heads is None:
        drop_unused(model, name)
    if parsed.peft is not None:
        _check_names(parsed.peft, model)
    return LoadedModel(model, tokenizer, str(model.config._attn_implementation))


def _check_names(peft: LoraConfig, model: Any) -> None:
    """Check that each module or parameter named for an adapter exists: PEFT only checks that any of them does.

    Raises:
        UsageError: one does not.
    """
    modules = [name for name, _ in model.named_modules()]
    parameters = [name for name, _ in model.named_parameters()]
    for key, names, known in (
        ("lora_target_modules", peft.target_modules, modules),
        ("lora_modules_to_save", peft.modules_to_save, modules),
        ("lora_target_parameters", peft.target_parameters, parameters),
    ):
        for name in () if names is None or isinstance(names, str) else sorted(names):
            if not any(one == name or one.endswith(f".{name}") for one in known):
                parts = 2 if key == "lora_target_parameters" else 1
                ends = {".".join(one.split(".")[-parts:]) for one in known if not one.split(".")[-1].isdigit()}
                raise UsageError(f"{key}: {unknown('name', name, ends - {''})}")


def _check_kind(parsed: ParsedRecipe, config: Any) -> None:
    """Check that an encoder-decoder is not trained as a decoder, or the other way round."""
    name, found = parsed.model.model_name_or_path, config.get_text_config().model_type
    if parsed.tuning.family not in (found, config.model_type):
        raise UsageError(f"{name} is of the family {found}, not {parsed.tuning.family} as the recipe says")
    is_seq2seq = isinstance(parsed.training, Seq2SeqTrainingArguments)
    if bool(config.is_encoder_decoder) != is_seq2seq:
        raise UsageError(f"{name} is {'an encoder-decoder' if config.is_encoder_decoder else 'a decoder'}; its family "
                         f"{found} is listed as the other kind")  # fmt: skip


def use_liger(training: Any, device: torch.device) -> bool:
    """Use Liger's layer kernels if they are installed, there is a GPU for them, and the recipe does not turn them off.

    Its fused heads stay off: they return a loss instead of logits.
    """
    if device.type != "cuda" or not find_spec("liger_kernel") or not training.use_liger_kernel:
        training.use_liger_kernel = False
        return False
    training.use_liger_kernel = True
    training.liger_kernel_config = {"fused_linear_cross_entropy": False, "cross_entropy": False}
    return True
