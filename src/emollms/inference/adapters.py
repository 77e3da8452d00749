"""Adapters of PEFT: the base they name, and themselves on it."""

from collections.abc import Mapping
from typing import Any

import torch
from peft import PeftConfig, get_peft_model
from peft.utils import load_peft_weights

from emollms.errors import UsageError
from emollms.inference.weights import PREFIX, check_filled, check_finite


def load_adapter(model: Any, name: str, revision: str | None = None) -> Any:
    """An adapter on its base; embeddings become as long as they were when it was trained.

    Args:
        model: the base.
        name: folder or repository of the adapter.
        revision: its branch, tag or commit.

    Returns:
        A `PeftModel`.

    Raises:
        UsageError: it is of a kind that does not change the model's own layers.
        EmollmsError: it does not fill its places in the base exactly, or holds NaN or infinite values.
        Exception: as PEFT raises it, where it cannot be read, or does not fit the base at all.
    """
    config: Any = PeftConfig.from_pretrained(name, revision=revision)
    if config.is_prompt_learning or config.is_adaption_prompt:
        raise UsageError(
            f"{name} is an adapter of the kind {config.peft_type.value}, which adds tokens to a prompt; only adapters "
            "of the model's layers, such as LoRA, can be scored, merged or published"
        )
    weights = load_peft_weights(name, device="cpu", revision=revision)
    length = _vocabulary(model, weights)
    if length and length != model.get_input_embeddings().num_embeddings:
        model.resize_token_embeddings(length, mean_resizing=False)
    config.inference_mode = True
    adapted: Any = get_peft_model(model, config)
    found = adapted.load_adapter(name, "default", revision=revision, torch_device="cpu")
    check_filled(name, found.missing_keys, [key for key in found.unexpected_keys if not _is_copy(key, weights)], ())
    check_finite(adapted, name)
    return adapted.eval()


def _is_copy(key: str, weights: Mapping[str, torch.Tensor]) -> bool:
    """Whether a tensor stands in the file a second time: PEFT stores trained embeddings of a resized model twice."""
    other = key.replace(".modules_to_save.", ".")
    return other != key and other in weights and torch.equal(weights[key], weights[other])


def _vocabulary(model: Any, weights: Mapping[str, torch.Tensor]) -> int | None:
    """How many tokens the embeddings in an adapter's file are for; None where it holds none."""
    layers = {id(model.get_input_embeddings()), id(model.get_output_embeddings())}
    names = [name for name, module in model.named_modules() if id(module) in layers]
    wanted = {f"{PREFIX}{name}.{end}" for name in names for end in ("weight", "base_layer.weight")}
    return max((int(weights[key].shape[0]) for key in wanted.intersection(weights)), default=None)
