"""What a recipe says beside the fields of TRL and transformers: the data, the objective, how the best one is chosen."""

from dataclasses import dataclass, field
from typing import Literal

from emollms.errors import unknown

Architecture = Literal["causal", "seq2seq"]

FAMILIES: dict[str, Architecture] = {
    "bart": "seq2seq",
    "bloom": "causal",
    "gemma3_text": "causal",
    "gpt2": "causal",
    "gpt_neox": "causal",
    "llama": "causal",
    "mistral": "causal",
    "mt5": "seq2seq",
    "olmo2": "causal",
    "opt": "causal",
    "qwen2": "causal",
    "qwen3": "causal",
    "smollm3": "causal",
    "t5": "seq2seq",
    "umt5": "seq2seq",
}
"""Each has a tiny random model, `emollms.training.tiny`, on which its recipes and the tests are tried."""


def architecture(family: str) -> Architecture:
    """Whether models of a family are decoders or encoder-decoders.

    Raises:
        UsageError: no recipe can be for such a family.
    """
    if family not in FAMILIES:
        raise unknown("family", family, FAMILIES)
    return FAMILIES[family]


Wordings = Literal["per_epoch", "all"]
Objective = Literal["cross_entropy", "expected_value"]
Selection = Literal["metric", "loss"]
PrecisionName = Literal["auto", "float32", "bfloat16", "float16"]


@dataclass(kw_only=True)
class TuningArguments:
    """The fields of a recipe that are this project's own.

    Args:
        family: kind of the base model, such as `llama`, `opt` or `t5`; it must be that of the model's configuration.
        parameters: how many parameters the base model has; for estimates.
        shape: `layers` of the base model (encoder and decoder together), its `width`, tokens of its `vocabulary`; for
            estimates, which are rougher without.
        about: one line for people.
        accelerate: how it is distributed: a name of the settings that TRL ships (`single_gpu`, `multi_gpu`, `fsdp1`,
            `fsdp2`, `zero1`, `zero2`, `zero3`), a file of accelerate, or None for one process.
        processes: how many processes those settings are for.
        precision: what the model is computed in: `auto` (bfloat16 where it is faster than float32, else float32; see
            `emollms.hardware`), `float32`, `bfloat16` or `float16`. `bf16` and `fp16` count where they are set.
        minutes: how long training takes, in place of `num_train_epochs` or `max_steps`: as many steps as fit into so
            many minutes of the machine, up to three epochs; see `emollms.training.pace`. None for no such limit.
        template: how prompts are framed: `auto` (the model's chat template, where it has one), `frame` or `chat`.
        tasks: names of the tasks to train; None for all of the data set.
        languages: codes of the languages to train; None for all of the data set.
        task_weights: how often rows of a task are drawn in an epoch, by name of the task: 1 is each row once, 0.5 every
            other row, 2 each twice.
        wordings: `per_epoch` draws one wording of the instruction for each example and epoch; `all` takes every row of
            the data set in each epoch, as the paper did.
        train_limit: the most examples of a task; None for all.
        objective: `cross_entropy`, or `expected_value`, which adds for regression rows the squared error of the
            expected value over the distribution of the number (RAFT, ICLR 2025).
        objective_weight: the weight of a row's squared error against the cross entropy of one token.
        selection: what early stopping and the best checkpoint go by: `metric`, the mean over tasks of Pearson's r and
            of macro-F1 on a sample of validation rows, or `loss`, on the same rows.
        selection_rows: the most validation rows of a task that are evaluated each time.
        selection_share: the most validation rows that are evaluated in the whole run, all tasks together, as a fraction
            of the rows that are trained; at least four of a task are each time. It keeps short runs from being mostly
            evaluation. None for no such limit.
        early_stopping_patience: evaluations without a better one after which training stops; None for never.
    """

    family: str
    parameters: float = 0.0
    shape: dict[str, int] = field(default_factory=dict)
    about: str = ""
    accelerate: str | None = None
    processes: int = 1
    precision: PrecisionName = "auto"
    minutes: float | None = None
    template: Literal["auto", "frame", "chat"] = "auto"
    tasks: list[str] | None = None
    languages: list[str] | None = None
    task_weights: dict[str, float] = field(default_factory=dict)
    wordings: Wordings = "per_epoch"
    train_limit: int | None = None
    objective: Objective = "cross_entropy"
    objective_weight: float = 1.0
    selection: Selection = "metric"
    selection_rows: int = 64
    selection_share: float | None = None
    early_stopping_patience: int | None = None
