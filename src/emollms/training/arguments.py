"""The settings of a recipe beside those of TRL and transformers: data, objective, and choice of the best step."""

from dataclasses import dataclass, field
from typing import Literal

from emollms.errors import unknown

Architecture = Literal["causal", "seq2seq", "encoder"]

FAMILIES: dict[str, Architecture] = {
    "bart": "seq2seq",
    "bloom": "causal",
    "deberta-v2": "encoder",
    "gemma3_text": "causal",
    "gpt2": "causal",
    "gpt_neox": "causal",
    "llama": "causal",
    "mistral": "causal",
    "modernbert": "encoder",
    "mt5": "seq2seq",
    "olmo2": "causal",
    "opt": "causal",
    "qwen2": "causal",
    "qwen3": "causal",
    "smollm3": "causal",
    "t5": "seq2seq",
    "umt5": "seq2seq",
    "xlm-roberta": "encoder",
}
"""Families of models that recipes can train; for each, `emollms.training.tiny` makes a tiny random model for tests."""


def architecture(family: str) -> Architecture:
    """Whether models of a family are decoders, encoder-decoders or encoders.

    Raises:
        UsageError: the family is unknown.
    """
    if family not in FAMILIES:
        raise unknown("family", family, FAMILIES)
    return FAMILIES[family]


Wordings = Literal["per_epoch", "all"]
Objective = Literal["cross_entropy", "expected_value", "heads"]
Features = Literal["tuned", "frozen"]
SpellOut = Literal["emoji", "hashtags", "line_breaks"]
Selection = Literal["metric", "loss"]
PrecisionName = Literal["auto", "float32", "bfloat16", "float16"]


@dataclass(kw_only=True)
class TuningArguments:
    """The settings of a recipe that are this project's own.

    Args:
        family: `model_type` of the base model, such as `llama`, `opt` or `t5`.
        parameters: the number of parameters of the base model; for estimates.
        shape: `layers` of the base model (encoder and decoder together), its `width`, tokens of its `vocabulary`; for
            estimates, which are rougher without.
        about: one line of description.
        accelerate: how it is distributed: a name of the settings that TRL ships (`single_gpu`, `multi_gpu`, `fsdp1`,
            `fsdp2`, `zero1`, `zero2`, `zero3`), a file of accelerate, or None for one process.
        processes: how many processes those settings are for.
        precision: of the computation: `auto` (bfloat16 where it is faster than float32, else float32; see
            `emollms.hardware`), `float32`, `bfloat16` or `float16`. `bf16` and `fp16` take precedence.
        minutes: how long training takes, instead of `num_train_epochs` or `max_steps`: as many steps as fit into these
            minutes on the machine; see `emollms.training.trial`. None for no such limit.
        most_epochs: with `minutes`, the most epochs, however many would fit; the paper trains three.
        template: of the prompts: `auto` (the model's chat template, if it has one), `frame` or `chat`.
        tasks: names of the tasks to train; None for all of the data set.
        languages: codes of the languages to train; None for all of the data set.
        task_weights: how often a row of a task is drawn in an epoch, by name of the task: 1 is each row once, 0.5 half
            of the rows, 2 each twice. Of other tasks each is drawn once, or, where the data set has a mixing limit (as
            AAID+ has), as many as that allows.
        wordings: `per_epoch` draws one wording of the instruction for each example and epoch; `all` takes every row of
            the data set in each epoch, as the paper did.
        train_limit: the most examples of a task; None for all.
        validation_fraction: of the texts of the validation split, those that stay in it, drawn by hash; the others are
            trained on. 1 for all.
        objective: `cross_entropy`, or `expected_value`, which adds for regression rows the squared error of the
            expected value over the distribution of the number (RAFT, ICLR 2025); or `heads`, which trains a classifier
            that answers all questions in one pass, see `emollms.training.heads`.
        objective_weight: the weight of a row's squared error against the cross entropy of one token, or of one output.
        features: with `heads`, whether the backbone is `tuned` too, or `frozen`: then each text is read once, and the
            outputs are trained in seconds.
        freeze_layers: with `heads`, how many of the lower layers stay as they are, and are computed once a text.
        head_learning_rate: with `heads`, the learning rate of the outputs; None for that of the backbone.
        cue: with `heads`, the words that the tokenizer adds to a text, and at whose end a decoder is read out.
        spell_out: with `heads`, what the tokenizer makes words of before it reads a text: `emoji`, `hashtags`, and
            `line_breaks` written as a backslash and an n. For backbones of books and pages, which know few of them.
        selection: what chooses the best checkpoint, and stops early: `metric`, the mean over tasks of Pearson's r
            and of macro-F1 on a sample of validation rows, or `loss`, on the same rows.
        selection_rows: the most validation rows of a task in one evaluation.
        selection_share: the most validation rows that are evaluated in the whole run, all tasks together, as a fraction
            of the training rows, but at least four of a task each time. It keeps short runs from being mostly
            evaluation. None for no such limit.
        early_stopping_patience: evaluations without improvement after which training stops; None for never.
    """

    family: str
    parameters: float = 0.0
    shape: dict[str, int] = field(default_factory=dict)
    about: str = ""
    accelerate: str | None = None
    processes: int = 1
    precision: PrecisionName = "auto"
    minutes: float | None = None
    most_epochs: int = 3
    template: Literal["auto", "frame", "chat"] = "auto"
    tasks: list[str] | None = None
    languages: list[str] | None = None
    task_weights: dict[str, float] = field(default_factory=dict)
    wordings: Wordings = "per_epoch"
    train_limit: int | None = None
    validation_fraction: float = 1.0
    objective: Objective = "cross_entropy"
    objective_weight: float = 1.0
    features: Features = "tuned"
    freeze_layers: int = 0
    head_learning_rate: float | None = None
    cue: str = ""
    spell_out: list[SpellOut] = field(default_factory=list)
    selection: Selection = "metric"
    selection_rows: int = 64
    selection_share: float | None = None
    early_stopping_patience: int | None = None
