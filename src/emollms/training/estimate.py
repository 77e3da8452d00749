"""A rule of thumb for what a recipe takes: memory of each device, tokens, and time on an H100 and on two CPU cores.

It assumes AAID in English, mixed precision where the weights are trained, and batches of short rows; loading and
evaluations are left out. Against measured runs (`tests/training/test_estimate.py`) memory is within 25 % and time
within 20 %; of models without `shape` in their recipe, and of settings that no test measures, expect less.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, NamedTuple

from emollms.training.arguments import architecture
from emollms.training.recipe import Recipe


class _Task(NamedTuple):
    """Training rows of a task in AAID (`release`, English) with the tokenizer and chat template of SmolLM2."""

    texts: int
    tokens: float  # mean of a row, its answer included
    longest: int


TASKS = {
    "E-c": _Task(6820, 126, 174),
    "EI-oc": _Task(7084, 145, 193),
    "EI-reg": _Task(7084, 115, 156),
    "V-oc": _Task(1179, 176, 230),
    "V-reg": _Task(1179, 107, 155),
}
HEADS = _Task(6888, 32, 165)
"""The same for one-pass classifiers: each text once, whatever is asked about it."""
_FRAME, _WORDINGS, _ANSWER = 21, 10, 11
"""Tokens that a row is shorter in the plain frame; wordings of a text; positions of an answer with logits."""
_PADDING = 1.28
"""Padding where rows are not grouped by length, as a factor."""
_EAGER, _SDPA, _ADAPTER = 125, 70, 20
"""Bytes kept for the backward pass for each token, layer and unit of width, measured on SmolLM2-135M in bfloat16: with
eager attention (2 cores), with sdpa (H200), and more with an adapter in every layer."""
_PROCESS = 1.2e9
"""Bytes of Python, the libraries and the rows on a CPU, measured; about what CUDA takes of a GPU."""
_NF4 = 0.516
"""Bytes of a weight in NF4 with nested quantisation: four bits and the scales of blocks."""


class DeviceSpeed(NamedTuple):
    """What a run is timed on.

    Args:
        name: for the list.
        rate: floating-point operations a second that training reaches there, not the peak of the data sheet.
        launch: seconds to launch the kernels of a layer, forward and backward, which bounds small models.
    """

    name: str
    rate: float
    launch: float = 0.0


H100 = DeviceSpeed("H100", 0.35 * 989e12, 1.4e-3)
"""35 % of the dense bfloat16 peak: well-filled batches of short rows with plain PyTorch."""
TWO_CORES = DeviceSpeed("2 cores", 0.18e12)
"""Two CPU cores with AMX in bfloat16: SmolLM2-135M trained at 247 and 306 tokens a second in two whole runs."""


@dataclass(frozen=True)
class Estimate:
    """What a recipe takes.

    Args:
        method: what is trained: `full`, `lora` or `qlora`.
        parameters: of the base model.
        trainable: parameters that are trained, of the model or its adapter.
        devices: processes that train together.
        memory: bytes on each device, at the peak.
        tokens: computed in the whole run, padding included.
        operations: floating-point operations of the whole run.
        layers: layers that are computed in the whole run, forward and backward, over all batches.
        minutes: the time budget of the recipe, if it has one; tokens and operations are then upper bounds.
    """

    method: str
    parameters: float
    trainable: float
    devices: int
    memory: float
    tokens: float
    operations: float
    layers: float
    minutes: float | None

    def seconds(self, machine: DeviceSpeed, devices: int | None = None) -> float:
        """Time of the training steps, on as many of a machine as `devices`, or as the recipe says."""
        alone = max(self.operations / machine.rate, self.layers * machine.launch)
        return min(alone / (devices or self.devices), 60 * self.minutes if self.minutes else inf)


def estimate(recipe: Recipe) -> Estimate:
    """Estimate what a recipe takes; settings that it leaves out count as their defaults."""
    values: Mapping[str, Any] = recipe.values
    parameters, shape = float(values.get("parameters") or 0.0), values.get("shape") or {}
    # Decoders are about 128 times as wide as deep, and a layer has 12 weights for each square of the width.
    layers = float(shape.get("layers") or max(1.0, (parameters / (12 * 128**2)) ** (1 / 3)))
    width = float(shape.get("width") or 128 * layers)
    vocabulary = float(shape.get("vocabulary") or 0)
    embeddings = min(vocabulary * width, parameters / 2)
    seq2seq = architecture(str(values["family"])) == "seq2seq"
    adapter, four_bit = bool(values.get("use_peft")), bool(values.get("load_in_4bit"))
    recomputes = bool(values.get("gradient_checkpointing", not seq2seq))  # TRL's default, and not transformers'
    devices, batch = int(values.get("processes") or 1), int(values.get("per_device_train_batch_size", 8))

    trainable = _adapter_weights(values, width, layers) if adapter else parameters
    held = (parameters - embeddings) * _NF4 + embeddings * 2 if four_bit else parameters * (2 if _half(values) else 4)
    rows, tokens, longest = _data(values)
    tokens_a_batch = batch * longest
    # The decoder of an encoder-decoder reads the short answer alone: half of the layers see few tokens.
    read = layers / 2 if seq2seq else layers
    a_token = width * (
        (_EAGER if values.get("attn_implementation") in ("eager", "auto") else _SDPA) + _ADAPTER * adapter
    )
    activations = tokens_a_batch * (read * 4 * width + a_token if recomputes else read * a_token)
    activations += batch * _ANSWER * vocabulary * 12  # logits in half precision, in float32, and their gradient

    epochs = _epochs(values, rows, batch * devices)
    # Each weight takes two operations a token forward and four backward; under an adapter, which needs no gradient of
    # the weights but has some of its own, it was 5.25 in all. Recomputing is one more forward pass.
    operations = ((5.25 if adapter else 6) + 2 * recomputes) * (parameters - embeddings) * (0.5 if seq2seq else 1)
    return Estimate(
        method="full" if not adapter else "qlora" if four_bit else "lora",
        parameters=parameters,
        trainable=trainable,
        devices=devices,
        memory=_memory(values, held, trainable, activations, layers),
        tokens=tokens * epochs,
        operations=tokens * epochs * operations,
        layers=rows * epochs / batch * layers * (2 if adapter else 1) * (4 / 3 if recomputes else 1),
        minutes=float(values.get("minutes") or 0) or None,
    )


def _memory(values: Mapping[str, Any], held: float, trainable: float, activations: float, layers: float) -> float:
    """The peak on each device: weights, gradients, Adam's two moments, activations."""
    adapter, half, settings = bool(values.get("use_peft")), _half(values), str(values.get("accelerate") or "")
    devices = int(values.get("processes") or 1)
    sharding = next((kind for kind in ("zero1", "zero2", "zero3", "fsdp") if kind in settings), "")
    weights = held + 4 * trainable * adapter
    copy = 0.0 if half or adapter else held / 2  # autocast's copy in half precision
    gradients = trainable * (2 if half and not adapter else 4)
    # DeepSpeed trains a copy in float32 of weights in half precision.
    optimizer = trainable * ((2 if "8bit" in str(values.get("optim")) else 8) + 4 * (half and "zero" in sharding))
    if sharding in ("zero3", "fsdp"):
        weights, copy = weights / devices, copy / layers  # gathered layer by layer
    if sharding in ("zero2", "zero3", "fsdp"):
        gradients /= devices
    optimizer = 0.0 if "offload" in settings else optimizer / (devices if sharding else 1)
    # With one batch a step the activations are freed as the gradients appear; otherwise both are there at once.
    accumulates = int(values.get("gradient_accumulation_steps", 1)) > 1 or devices > 1
    passing = gradients + activations if accumulates else max(gradients, activations)
    return _PROCESS + weights + copy + optimizer + passing


def _half(values: Mapping[str, Any]) -> bool:
    """Whether weights take two bytes, on machines that are fast in bfloat16."""
    dtype = values.get("dtype") or "auto"
    if dtype != "auto":
        return dtype in ("bfloat16", "float16")
    return bool(values.get("use_peft")) and values.get("precision") != "float32" and values.get("bf16") is not False


def _adapter_weights(values: Mapping[str, Any], width: float, layers: float) -> float:
    targets = values.get("lora_target_modules")
    ends = 19 if targets == "all-linear" else 2 * len(targets) if isinstance(targets, list) else 4  # widths in and out
    return float(values.get("lora_r", 16)) * ends * width * layers


def _data(values: Mapping[str, Any]) -> tuple[float, float, int]:
    """Rows of an epoch, their tokens with padding, and the tokens of the longest row."""
    by_length = values.get("train_sampling_strategy") == "group_by_length"
    wanted = values.get("tasks")
    if values.get("objective") == "heads":
        texts = min(HEADS.texts, float(values.get("train_limit") or HEADS.texts))
        return texts, texts * HEADS.tokens * (1.01 if by_length else _PADDING), HEADS.longest
    names = [wanted] if isinstance(wanted, str) else wanted
    tasks = {name: task for name, task in TASKS.items() if not names or name in names} or TASKS
    fewer = _FRAME if values.get("template") == "frame" else 0
    times = _WORDINGS if values.get("wordings") == "all" else 1
    weights, limit = values.get("task_weights") or {}, int(values.get("train_limit") or 10**9)
    rows = {name: min(task.texts, limit) * float(weights.get(name, 1)) * times for name, task in tasks.items()}
    tokens = sum(rows[name] * (task.tokens - fewer) for name, task in tasks.items())
    padding = 1.01 if by_length else _PADDING
    return sum(rows.values()), tokens * padding, max(task.longest for task in tasks.values()) - fewer


def _epochs(values: Mapping[str, Any], rows: float, batch: int) -> float:
    steps = int(values.get("max_steps") or -1)
    if steps <= 0:
        return float(values.get("num_train_epochs", 3))
    return steps * batch * int(values.get("gradient_accumulation_steps", 1)) / rows
