"""What a recipe will take, before anything is loaded: memory of each device by part, and time on named hardware.

The constants say where they come from; `tests/training/test_estimate.py` holds the figures against measured runs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

from emollms.training.arguments import architecture
from emollms.training.recipe import Recipe


@dataclass(frozen=True)
class TaskSize:
    """Training rows of a task in AAID: profile `release`, English, the tokenizer of SmolLM2 with its chat template.

    Args:
        texts: training examples, each with ten wordings.
        tokens: mean tokens of a row, its answer included.
        longest: tokens of the longest row.
    """

    texts: int
    tokens: float
    longest: int


TASKS = {
    "E-c": TaskSize(6820, 126, 174),
    "EI-oc": TaskSize(7084, 145, 193),
    "EI-reg": TaskSize(7084, 115, 156),
    "V-oc": TaskSize(1179, 176, 230),
    "V-reg": TaskSize(1179, 107, 155),
}
FRAME = 21
"""How many tokens fewer a row has in the plain frame."""
WORDINGS = 10
ANSWER = 10
"""Places of an answer whose logits are computed, with the one before."""
PADDING = 1.28
"""How much more is computed where rows are not grouped by length."""

# Bytes that are kept for the backward pass, for each token, layer and number of the width, in bfloat16 autocast.
# Measured on SmolLM2-135M: plain attention on a CPU, fused attention, which keeps no scores, on an H200.
PLAIN_ACTIVATIONS = 125
FUSED_ACTIVATIONS = 70
ADAPTER_ACTIVATIONS = 20
"""More, for an adapter in every layer: its inputs in float32, and the masks of its dropout."""
ADAPTER_PASSES = 5.25
"""Operations for each weight and token with an adapter: four, and what it takes itself; 386 tokens a second for 338."""
PROCESS = 1.2e9
"""What Python, the libraries and the rows take on a CPU, measured; and about what CUDA takes of a GPU."""
FOUR_BIT = 0.516
"""Bytes of a weight in NF4 with nested quantisation: four bits, and the scales of blocks."""


@dataclass(frozen=True)
class DeviceSpeed:
    """What a run is timed on.

    Args:
        name: for people.
        rate: floating-point operations a second that training really does there, not those of the data sheet.
        launch: seconds to start the kernels of one layer, forward and backward; small models take no less than that.
    """

    name: str
    rate: float
    launch: float = 0.0


H100 = DeviceSpeed("H100", 0.35 * 989e12, 1.4e-3)
"""35 % of the dense bfloat16 peak, about what well-filled batches of short rows reach with plain PyTorch. Six runs of
SmolLM2-135M that shared one H200 came together to 23 steps of 30 layers a second, in which it was mostly waiting."""
TWO_CORES = DeviceSpeed("2 cores", 0.18e12)
"""Two CPU cores with AMX in bfloat16: SmolLM2-135M trained at 247 and at 306 tokens a second in two whole runs,
looks at the validation rows included. What torch does on one core alone keeps the other one waiting."""


@dataclass(frozen=True)
class Memory:
    """Bytes on each device.

    Args:
        weights: the model, with the copy in half precision that autocast makes of weights in float32.
        gradients: of what is trained.
        optimiser: its state, with weights in float32 where the model's own are not.
        activations: what the backward pass needs of the longest batch, and the logits of the answers.
        process: what is there before any model.
        grows: whether gradients are there while activations are; otherwise one makes room for the other.
    """

    weights: float
    gradients: float
    optimiser: float
    activations: float
    process: float
    grows: bool

    @property
    def total(self) -> float:
        """The peak."""
        passing = (self.gradients, self.activations)
        return self.process + self.weights + self.optimiser + (sum(passing) if self.grows else max(passing))


@dataclass(frozen=True)
class Estimate:
    """What a recipe will take.

    Args:
        method: what is trained: `full`, `lora` or `qlora`.
        parameters: of the base model.
        trainable: how many of them, or of the adapter, are trained.
        devices: processes that train together.
        memory: of each device.
        tokens: tokens computed in the whole run, over all devices.
        operations: floating-point operations of the whole run.
        layers: layers that are gone through forward and back, over all batches and devices; those with an adapter,
            which has as many kernels again, count double.
        minutes: how long the recipe lets training take, if it does; tokens, operations and layers are then the most.
    """

    method: str
    parameters: float
    trainable: float
    devices: int
    memory: Memory
    tokens: float
    operations: float
    layers: float
    minutes: float | None = None

    def seconds(self, hardware: DeviceSpeed, devices: int | None = None) -> float:
        """Time of the training, without loading and evaluations of the validation rows; `minutes` are the most.

        Args:
            hardware: what it is trained on.
            devices: on how many of these; None for as many as the recipe names.
        """
        alone = max(self.operations / hardware.rate, self.layers * hardware.launch)
        return min(alone / (devices or self.devices), 60 * self.minutes if self.minutes else inf)


def estimate(recipe: Recipe) -> Estimate:
    """Estimate a recipe that `parse` takes; settings that it leaves out count as their defaults."""
    return _Sizes(recipe.values).estimate()


class _Sizes:
    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values
        self.parameters = float(values.get("parameters") or 0.0)
        shape = values.get("shape") or {}
        # Decoders are about 128 times as wide as deep, and have 12 numbers a layer for each square of the width.
        self.layers = float(shape.get("layers") or max(1.0, (self.parameters / (12 * 128**2)) ** (1 / 3)))
        self.width = float(shape.get("width") or 128 * self.layers)
        self.vocabulary = float(shape.get("vocabulary") or 0)
        self.embeddings = min(self.vocabulary * self.width, self.parameters / 2)
        self.seq2seq = architecture(str(values["family"])) == "seq2seq"
        self.devices = int(values.get("processes") or 1)
        self.adapter = bool(values.get("use_peft"))
        self.four_bit = bool(values.get("load_in_4bit"))
        self.half = self._is_half(values)
        self.sharding = _sharding(values.get("accelerate"))
        self.fewer = FRAME if values.get("template") == "frame" else 0

    @staticmethod
    def _is_half(values: Mapping[str, Any]) -> bool:
        """Whether the weights take two bytes; on the hardware of the list, which is fast in bfloat16."""
        dtype = values.get("dtype") or "auto"
        if dtype != "auto":
            return dtype in ("bfloat16", "float16")
        single = values.get("precision") == "float32" or values.get("bf16") is False
        return bool(values.get("use_peft")) and not single

    @property
    def trainable(self) -> float:
        if not self.adapter:
            return self.parameters
        rank, targets = float(self.values.get("lora_r", 16)), self.values.get("lora_target_modules")
        named = 2 * len(targets) if isinstance(targets, Sequence) and not isinstance(targets, str) else 4
        ends = 19 if targets == "all-linear" else named  # widths that go into and out of the layers of one block
        return rank * ends * self.width * self.layers

    def estimate(self) -> Estimate:
        tokens = self._tokens() * self._epochs()
        batches = self._rows() * self._epochs() / int(self.values.get("per_device_train_batch_size", 8))
        layers = batches * self.layers * (2 if self.adapter else 1) * (4 / 3 if self._checkpoints() else 1)
        operations = tokens * self._operations_a_token()
        method = "full" if not self.adapter else "qlora" if self.four_bit else "lora"
        return Estimate(
            method, self.parameters, self.trainable, self.devices, self._memory(), tokens, operations, layers,
            float(self.values.get("minutes") or 0) or None,
        )  # fmt: skip

    def _memory(self) -> Memory:
        trained, own = self.trainable, self._weight_bytes()
        master = self.sharding in ("zero1", "zero2", "zero3") and self.half  # DeepSpeed's weights in float32
        states = 2 if "8bit" in str(self.values.get("optim")) else 8
        copy = 0.0 if self.half or self.adapter else 2 * self.parameters
        gradients = trained * (2 if self.half and not self.adapter else 4)
        optimiser = trained * (states + (4 if master else 0))
        weights = own + (trained * 4 if self.adapter else 0)
        if self.sharding in ("zero3", "fsdp"):
            weights, copy = weights / self.devices, copy / self.layers  # gathered layer by layer
        if self.sharding in ("zero2", "zero3", "fsdp"):
            gradients /= self.devices
        if self.sharding != "none":
            optimiser /= self.devices
        if "offload" in str(self.values.get("accelerate")):
            optimiser = 0.0
        accumulates = int(self.values.get("gradient_accumulation_steps", 1)) > 1 or self.devices > 1
        return Memory(weights + copy, gradients, optimiser, self._activations(), PROCESS, accumulates)

    def _weight_bytes(self) -> float:
        if self.four_bit:
            return (self.parameters - self.embeddings) * FOUR_BIT + self.embeddings * 2
        return self.parameters * (2 if self.half else 4)

    def _activations(self) -> float:
        batch = int(self.values.get("per_device_train_batch_size", 8))
        tokens = batch * (max(task.longest for task in self._tasks().values()) - self.fewer)
        plain = self.values.get("attn_implementation") in ("eager", "auto")  # what `auto` may come to on a CPU
        kinds = (PLAIN_ACTIVATIONS if plain else FUSED_ACTIVATIONS) + (ADAPTER_ACTIVATIONS if self.adapter else 0)
        a_token = kinds * self.width
        layers = self.layers / 2 if self.seq2seq else self.layers  # the decoder reads the short answer
        kept = tokens * (layers * 4 * self.width + a_token if self._checkpoints() else layers * a_token)
        return kept + batch * (ANSWER + 1) * self.vocabulary * 12

    def _checkpoints(self) -> bool:
        """Whether activations are computed again; TRL does so by default, transformers does not."""
        return bool(self.values.get("gradient_checkpointing", not self.seq2seq))

    def _operations_a_token(self) -> float:
        """Two for each weight forward, two for the gradients of activations, two for those of weights."""
        computed = self.parameters - self.embeddings
        passes = (ADAPTER_PASSES if self.adapter else 6) + (2 if self._checkpoints() else 0)
        return computed * passes * (0.5 if self.seq2seq else 1)  # prompts go through the encoder alone

    def _tasks(self) -> dict[str, TaskSize]:
        names = self.values.get("tasks")
        wanted = [names] if isinstance(names, str) else names
        return {name: size for name, size in TASKS.items() if not wanted or name in wanted} or TASKS

    def _rows(self) -> float:
        """Rows of an epoch."""
        return sum(self._rows_of(name, task) for name, task in self._tasks().items())

    def _rows_of(self, name: str, task: TaskSize) -> float:
        texts = min(task.texts, int(self.values.get("train_limit") or task.texts))
        weight = float((self.values.get("task_weights") or {}).get(name, 1))
        return texts * weight * (WORDINGS if self.values.get("wordings") == "all" else 1)

    def _tokens(self) -> float:
        """Tokens of an epoch, padding included."""
        grouped = self.values.get("train_sampling_strategy") == "group_by_length"
        own = sum(self._rows_of(name, task) * (task.tokens - self.fewer) for name, task in self._tasks().items())
        return own * (1.01 if grouped else PADDING)

    def _epochs(self) -> float:
        steps = int(self.values.get("max_steps") or -1)
        if steps <= 0:
            return float(self.values.get("num_train_epochs", 3))
        batch = int(self.values.get("per_device_train_batch_size", 8)) * self.devices
        return steps * batch * int(self.values.get("gradient_accumulation_steps", 1)) / self._rows()


def _sharding(settings: object) -> str:
    """What is shared out between devices: `none`, `zero1`, `zero2`, `zero3` or `fsdp`."""
    name = str(settings or "")
    for known in ("zero1", "zero2", "zero3", "fsdp"):
        if known in name:
            return known
    return "none"
