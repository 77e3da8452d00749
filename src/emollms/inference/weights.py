"""Weights that are whole: a checkpoint that fills its model exactly, and holds finite numbers alone.

transformers and PEFT draw weights at random that a checkpoint lacks, leave out what has no place in the model, and only
warn. A model that is scored, tuned, merged or published is loaded here, and so is its adapter: that is an error.
"""

import logging
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
)

from emollms.errors import EmollmsError, UsageError
from emollms.inference.engine import NO_NUMBERS
from emollms.inference.heads import Heads
from emollms.optional import needing

WORDS = "It is a sunny day."
_CLASSIFIER = "ForSequenceClassification"
"""How the names of classes of classifiers end."""
_UNUSED = re.compile(r"\.pooler\.|\.position_ids$|\.token_type_ids$")
"""What classifiers of others keep of the models that they were made from, and do not use."""
PREFIX = "base_model.model."
"""What PEFT puts before the names of a model's weights."""


def load_whole(
    name: str, revision: str | None = None, *, check_numbers: bool = True, heads: Heads | None = None, **options: Any
) -> Any:
    """A model whose checkpoint fills it exactly; code that comes with a model is never run.

    Tied weights, which are stored once, are no gap, nor is what transformers ignores by design
    (`_keys_to_ignore_on_load_missing` and `_keys_to_ignore_on_load_unexpected` of the model's class).

    Args:
        name: folder or repository.
        revision: branch, tag or commit of a repository.
        check_numbers: whether all weights must be finite.
        heads: outputs of a classifier that the model is to become, drawn at random; only its backbone comes from the
            checkpoint.
        options: further arguments of `from_pretrained`.

    Raises:
        EmollmsError: tensors are missing, left over, of another shape, or hold NaN or infinite values.
        Exception: as transformers raises it, where the model cannot be read at all.
    """
    config = AutoConfig.from_pretrained(name, revision=revision)
    kind: Any = AutoModelForSequenceClassification if heads else kind_of(config)
    if heads:
        config.update(heads.config())
    with _quiet_report():
        model, report = kind.from_pretrained(
            name, config=config, revision=revision, output_loading_info=True, ignore_mismatched_sizes=True, **options
        )
    faults = [report["missing_keys"], report["unexpected_keys"], report["mismatched_keys"]]
    if kind is AutoModelForSequenceClassification:
        faults[1] = [key for key in faults[1] if not _UNUSED.search(str(key))]
    if heads:  # what stands above the backbone is new, and what stood there in the checkpoint is left
        backbone = f"{model.base_model_prefix}."
        faults = [[key for key in keys if str(key).startswith(backbone)] for keys in faults[:2]] + faults[2:]
    check_filled(name, *faults)
    if check_numbers:
        check_finite(model, name)
    return model


def kind_of(config: Any) -> Any:
    """The class of transformers that loads a model: a classifier, an encoder-decoder or a decoder."""
    if any(str(name).endswith(_CLASSIFIER) for name in config.architectures or ()):
        return AutoModelForSequenceClassification
    return AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM


def above_backbone(model: Any) -> list[str]:
    """The modules of a classifier that stand above its backbone, and are new where it was made from another model."""
    modules = ((name, one) for name, one in model.named_children() if name != model.base_model_prefix)
    return [name for name, one in modules if next(one.parameters(), None) is not None]


def load_adapter(model: Any, name: str, revision: str | None = None) -> Any:
    """An adapter on its base; embeddings become as long as they were when it was trained.

    Args:
        model: the base.
        name: folder or repository of the adapter.
        revision: its branch, tag or commit.

    Returns:
        A `PeftModel`.

    Raises:
        UsageError: it is of a kind that does not change the model's own layers, or PEFT is not installed.
        EmollmsError: it does not fit its base exactly, or holds NaN or infinite values.
        Exception: as PEFT raises it, where it cannot be read, or does not fit the base at all.
    """
    with needing("train", f"{name} is an adapter, which"):
        from peft import PeftConfig, get_peft_model
        from peft.utils import load_peft_weights

    config: Any = PeftConfig.from_pretrained(name, revision=revision)
    if config.is_prompt_learning or config.is_adaption_prompt:
        raise UsageError(
            f"{name} is an adapter of the kind {config.peft_type.value}, which adds tokens to a prompt; only adapters "
            "of the model's layers, such as LoRA, can be scored, merged or published"
        )
    if type(model).__name__.endswith(_CLASSIFIER):  # its base has no outputs, so that they come with the adapter
        lacking = set(above_backbone(model)) - set(config.modules_to_save or ())
        check_filled(name, lacking, (), ())
    weights = load_peft_weights(name, device="cpu", revision=revision)
    length = _embedded_tokens(model, weights)
    if length and length != model.get_input_embeddings().num_embeddings:
        model.resize_token_embeddings(length, mean_resizing=False)
    config.inference_mode = True
    with warnings.catch_warnings():
        # transformers warns about what PEFT calls, and PEFT about what `check_filled` makes an error
        warnings.filterwarnings("ignore", category=FutureWarning)
        warnings.filterwarnings("ignore", category=UserWarning, module="peft")
        adapted: Any = get_peft_model(model, config)
        found = adapted.load_adapter(name, "default", revision=revision, torch_device="cpu")
    check_filled(name, found.missing_keys, [key for key in found.unexpected_keys if not _is_copy(key, weights)], ())
    check_finite(adapted, name)
    return adapted.eval()


def _is_copy(key: str, weights: Mapping[str, torch.Tensor]) -> bool:
    """Whether a tensor is in the file a second time: PEFT stores trained embeddings of a resized model twice."""
    other = key.replace(".modules_to_save.", ".")
    return other != key and other in weights and torch.equal(weights[key], weights[other])


def _embedded_tokens(model: Any, weights: Mapping[str, torch.Tensor]) -> int | None:
    """How many tokens the embeddings in an adapter's file are for; None where it holds none."""
    layers = {id(model.get_input_embeddings()), id(model.get_output_embeddings())}
    names = [name for name, module in model.named_modules() if id(module) in layers]
    wanted = {f"{PREFIX}{name}.{end}" for name in names for end in ("weight", "base_layer.weight")}
    return max((int(weights[key].shape[0]) for key in wanted.intersection(weights)), default=None)


def check_finite(model: Any, name: str) -> None:
    """Make sure that all weights of a model are numbers.

    Raises:
        EmollmsError: some are not; the message names the first tensor.
    """
    if (tensor := first_not_finite(model)) is not None:
        raise EmollmsError(f"{NO_NUMBERS} (NaN or infinite weights, such as {tensor} of {name}); tune it again")


@torch.no_grad()
def first_not_finite(model: Any) -> str | None:
    """The name of the first weight, or buffer, that holds NaN or infinite values; None where all are finite."""
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        local = getattr(tensor, "ds_tensor", tensor)  # of ZeRO-3: what this process holds
        local = local.to_local() if hasattr(local, "to_local") else local  # of FSDP2: likewise
        if not local.is_floating_point() or not local.numel() or local.is_meta:
            continue
        # a sum could overflow, and isfinite() would take memory as large as the tensor
        smallest, largest = torch.aminmax(local.detach().float() if local.itemsize == 1 else local.detach())
        if not (torch.isfinite(smallest) and torch.isfinite(largest)):
            return str(name).removeprefix(PREFIX)
    return None


@torch.inference_mode()
def check_reads(model: Any, tokenizer: Any, name: str) -> None:
    """Let a model read a sentence.

    Raises:
        EmollmsError: its tokenizer has tokens that it does not know, or it gives NaN or infinite logits.
    """
    ids = tokenizer(WORDS, return_tensors="pt").input_ids.to(model.device)
    length = int(model.get_input_embeddings().weight.shape[0])
    if int(ids.max()) >= length:
        raise EmollmsError(
            f"the tokenizer of {name} gives token {int(ids.max())}, and the model knows {length}; it is the tokenizer "
            "of another model"
        )
    given = {"decoder_input_ids": ids[:, :1]} if model.config.is_encoder_decoder else {}
    if not torch.isfinite(model(input_ids=ids, **given).logits).all():
        raise EmollmsError(f"{NO_NUMBERS} (NaN or infinite logits); tune it again")


def check_filled(
    name: str, missing: Iterable[str], unexpected: Iterable[str], mismatched: Iterable[tuple[str, Any, Any]]
) -> None:
    """Refuse a checkpoint that does not fill its model exactly.

    Args:
        name: folder or repository.
        missing: names of tensors that the model has and the checkpoint lacks.
        unexpected: names of tensors that the model has no place for.
        mismatched: names of tensors of another shape, with the shape that is stored and the one that is needed.

    Raises:
        EmollmsError: it does not; the message names a tensor of each kind of fault.
    """
    shapes = sorted(f"{key} ({_shape(stored)}, not {_shape(wanted)})" for key, stored, wanted in mismatched)
    faults = (("missing", sorted(missing)), ("left over", sorted(unexpected)), ("of another shape", shapes))
    told = [
        f"{len(keys)} tensor{'s are' if len(keys) > 1 else ' is'} {what}, such as {keys[0].removeprefix(PREFIX)}"
        for what, keys in faults if keys
    ]  # fmt: skip
    if told:
        raise EmollmsError(
            f"the weights in {name} do not fill their model: {'; '.join(told)}; save or download them again, with the "
            "configuration that belongs to them"
        )


def _shape(size: Iterable[int]) -> str:
    return "×".join(map(str, size))


@contextmanager
def _quiet_report() -> Iterator[None]:
    """Keep the table away that transformers logs of weights that do not fit: the error says it in a line."""

    def keep(record: logging.LogRecord) -> bool:
        return "LOAD REPORT" not in record.getMessage()

    logger = logging.getLogger("transformers.modeling_utils")
    logger.addFilter(keep)
    try:
        yield
    finally:
        logger.removeFilter(keep)
