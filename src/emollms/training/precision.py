"""What `auto` in a recipe means on a machine: precision, type of the weights, attention; and explicit settings."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from emollms.errors import UsageError
from emollms.hardware import Precision, training_attention, training_precision
from emollms.storage import Strict
from emollms.training.recipe import Recipe

if TYPE_CHECKING:
    import torch

HALF = ("bfloat16", "float16")


class Resolved(Strict):
    """What was decided on the machine on which a run started; it stays the same wherever the run is resumed.

    Args:
        precision: `float32`, `bfloat16` or `float16`, in which the model is computed.
        precision_reason: why.
        attention: implementation of attention; None for the default of transformers.
        max_steps: optimizer steps that fit into the `minutes` of the recipe; None without `minutes`, or before the
            steps are timed.
    """

    precision: str
    precision_reason: str
    attention: str | None
    max_steps: int | None = None


def resolve(recipe: Recipe, values: Mapping[str, Any], device: "torch.device") -> Resolved:
    """Decide the settings that a recipe leaves to the machine.

    Args:
        recipe: the recipe, for errors.
        values: its values, each as the type of its field.
        device: the device of training.

    Raises:
        UsageError: two of its settings contradict each other.
    """
    precision = _precision(recipe, values, device)
    _check_weights(recipe, values, precision.name)
    attention = values.get("attn_implementation")
    if attention in (None, "auto"):
        attention = training_attention(device, precision.name)
    return Resolved(precision=precision.name, precision_reason=precision.reason, attention=attention)


def applied(values: Mapping[str, Any], resolved: Resolved) -> dict[str, Any]:
    """The values, and what was decided, as settings of the libraries.

    Weights that are trained stay in float32: in bfloat16, with 8 bits, a small step is rounded away. The weights below
    an adapter do not change, so they can have the precision of the computation, as can the computation in 4 bits.
    """
    half = resolved.precision if resolved.precision in HALF and values.get("use_peft") else "float32"
    dtype = values.get("dtype")
    found = {
        **values,
        "bf16": resolved.precision == "bfloat16" and not _is_pure(values),
        "fp16": resolved.precision == "float16",
        "dtype": half if dtype in (None, "auto") else dtype,
        "attn_implementation": resolved.attention,
    }
    return found | ({"max_steps": resolved.max_steps} if resolved.max_steps else {})


def _is_pure(values: Mapping[str, Any]) -> bool:
    """Whether everything is computed in the type of the weights, without autocast: `bf16: false`."""
    return values.get("bf16") is False


def _precision(recipe: Recipe, values: Mapping[str, Any], device: "torch.device") -> Precision:
    asked, bf16, fp16, dtype = (values.get(key) for key in ("precision", "bf16", "fp16", "dtype"))
    if asked not in (None, "auto"):
        for key in ("bf16", "fp16"):
            if values.get(key) is not None:
                raise UsageError(
                    f"{recipe.where(key)}: {key} and precision: {asked} are both set; keep one "
                    f"(`--set {key}=null` unsets {key})"
                )
        return Precision(str(asked), "set by the recipe")
    if bf16 and fp16:
        raise UsageError(f"{recipe.where('fp16')}: bf16 and fp16 are both set; keep one")
    if bf16 or fp16:
        return Precision("bfloat16" if bf16 else "float16", f"set by the recipe, {'bf16' if bf16 else 'fp16'}: true")
    if dtype in HALF:
        return Precision(str(dtype), f"set by the recipe, dtype: {dtype}")
    if bf16 is False:
        return Precision("float32", "set by the recipe, bf16: false")
    return training_precision(device)


def _check_weights(recipe: Recipe, values: Mapping[str, Any], precision: str) -> None:
    """Check that the type of the weights and the precision of the computation agree."""
    dtype = values.get("dtype")
    if dtype in HALF and dtype != precision:
        raise UsageError(
            f"{recipe.where('dtype')}: dtype: {dtype} and a precision of {precision} contradict each other; leave "
            "out dtype, and it follows the precision"
        )
    if dtype == "float16" and not values.get("use_peft"):
        raise UsageError(
            f"{recipe.where('dtype')}: weights in float16 cannot be trained: small steps are rounded away; leave out "
            "dtype, or train an adapter with `use_peft: true`"
        )
