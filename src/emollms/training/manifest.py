"""The record of a finished training run, `run.json`, from which cards are filled."""

import json
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field

from emollms.errors import EmollmsError, UsageError
from emollms.hardware import Hardware
from emollms.storage import Strict, write_whole
from emollms.training.arguments import Architecture

NAME = "run.json"
MODEL = "model"
"""Folder of a run with the trained adapter or weights, the tokenizer and templates."""
CHECKPOINTS = "checkpoints"
CURVES = "curves.png"

Method = Literal["full", "lora", "qlora"]


class RecipeRecord(Strict):
    """The recipe.

    Args:
        name: its name, or path.
        sha256: hash of its file.
        values: its settings, with the overrides applied.
        overrides: the settings that were overridden, as `key=value`.
    """

    name: str
    sha256: str
    values: dict[str, object]
    overrides: list[str]


class DataSource(Strict):
    """A corpus of the data set."""

    corpus: str
    license: str = Field(validation_alias=AliasChoices("license", "licence"))  # its spelling until 0.1
    redistribution: str


class DataRecord(Strict):
    """The data set.

    Args:
        target: a folder, or `OWNER/NAME@REVISION`.
        data_set, title, version, profile, content_hash: as its manifest has them.
        sources: its corpora.
    """

    target: str
    data_set: str
    title: str
    version: str
    profile: str
    content_hash: str
    sources: list[DataSource]


class ModelRecord(Strict):
    """The base model.

    Args:
        name: repository or folder, as in the recipe.
        repository: its repository on the Hub, where it has one.
        revision: the commit, or `sha256:` and a hash of its files.
        family: the `model_type` of its configuration.
        architecture: decoder-only, encoder-decoder or encoder.
        parameters: the number of its parameters.
        trainable: the number that were trained, of the model or of its adapter.
    """

    name: str
    repository: str | None
    revision: str | None
    family: str
    architecture: Architecture
    parameters: int
    trainable: int


class RowsRecord(Strict):
    """The rows of a task, in numbers.

    Args:
        train: examples that training draws from.
        validation: validation rows in each evaluation.
        cut_off: training rows that were left out because they are longer than `max_length`.
        shared: training examples that were left out because their text also appears in validation.
        taught: texts whose targets a teacher gave.
    """

    train: int
    validation: int
    cut_off: int
    shared: int
    taught: int = 0


class TaughtTexts(Strict):
    """The texts that a teacher labelled, in numbers; each is counted at the first that applies.

    Args:
        name: the file, or the data set on the Hub.
        sha256: hash of the file, or the data set and its fingerprint.
        rows: of the file.
        no_text: rows without a text.
        repeated: rows whose text came before; letter case, links and user names make no difference.
        held_out: texts that are left out because validation or test rows of the data set have them, or nearly them.
        no_answer: texts that are left out because the teacher answered no question about them.
        validation: texts that are kept for validation, since there is no data set.
        train: texts that are trained on.
    """

    name: str
    sha256: str
    rows: int
    no_text: int
    repeated: int
    held_out: int
    no_answer: int
    validation: int
    train: int


class TeacherRecord(Strict):
    """The teacher of a run that was distilled.

    Args:
        names: of the models and lexicons that answered, for people; of several, their mean was taught.
        predictors: what their answers depend on: weights, template, numbers' type, decoding.
        questions: what they were asked, by name.
        calibrated: whether the probabilities were calibrated.
        min_confidence: below it, an answer was not taught.
        weight: of a target of the teacher in the loss, against 1 for gold.
        alpha: the part of the teacher in a target that has gold too, 0..1.
        texts: the texts that it labelled.
    """

    names: list[str]
    predictors: list[dict[str, object]]
    questions: list[str]
    calibrated: bool
    min_confidence: float | None
    weight: float
    alpha: float = 0.0
    texts: TaughtTexts


class Evaluation(Strict):
    """An evaluation on the validation rows.

    Args:
        step: optimizer steps so far.
        epoch: epochs so far.
        loss: mean loss of the answers' tokens; None where it was not evaluated.
        metric: mean over tasks; None where it was not evaluated.
        tasks: Pearson's r or macro-F1 of each task.
    """

    step: int
    epoch: float
    loss: float | None
    metric: float | None
    tasks: dict[str, float]


class LossPoint(Strict):
    """The training loss, averaged since the previous point.

    Args:
        step: optimizer steps so far.
        epoch: epochs so far.
        loss: mean loss.
        learning_rate: at this step.
    """

    step: int
    epoch: float
    loss: float
    learning_rate: float


class AveragedRun(Strict):
    """A further run, whose weights went into the mean that a model has.

    Args:
        command: the command line.
        overrides: the settings of the recipe that were overridden, as `key=value`.
        best_step: the step whose weights were taken.
        seconds, tokens, energy_joules: as in `RunManifest`.
    """

    command: list[str]
    overrides: list[str]
    best_step: int
    seconds: float
    tokens: int
    energy_joules: float | None


class RunManifest(Strict):
    """The record of a finished run.

    Args:
        format: version of this format.
        name: of the model.
        command: the command line.
        recipe, data, model, hardware: see their classes; `data` is None where a teacher gave all targets.
        teacher: of a run that was distilled; else None.
        method: `full` for all weights, `lora` for an adapter, `qlora` for one of a quantised model.
        template: `frame` or `chat`; `text` where the model reads the text alone.
        objective: `cross_entropy`, `expected_value` or `heads`.
        seed: of everything random.
        versions: of Python and of packages.
        rows: by task.
        started: UTC, ISO 8601, of the first start.
        seconds: of training, over all resumptions, evaluations included.
        resumed: how often it was resumed.
        steps: optimizer steps.
        max_steps: optimizer steps that were planned; early stopping makes fewer. None in records of older versions.
        epochs: passes over the data.
        tokens: tokens read in training, padding left out.
        answer_tokens: those of them with a loss.
        energy_joules: energy that the GPUs took, by NVML's counter; None where they do not count it.
        peak_memory: bytes, of the accelerator where there is one.
        selection: what the best step was chosen by: `metric`, `loss` or `last`.
        best_step: the step whose weights are kept.
        losses: the training loss.
        evaluations: on the validation rows.
        made_with: version of this package.
        averaged_with: of a model with the mean weights of several runs, the others.
    """

    format: Literal[1] = 1
    name: str
    command: list[str]
    recipe: RecipeRecord
    data: DataRecord | None
    teacher: TeacherRecord | None = None
    model: ModelRecord
    hardware: Hardware
    method: Method
    template: Literal["frame", "chat", "text"]
    objective: str
    seed: int
    versions: dict[str, str]
    rows: dict[str, RowsRecord]
    started: str
    seconds: float
    resumed: int
    steps: int
    max_steps: int | None = None
    epochs: float
    tokens: int
    answer_tokens: int
    energy_joules: float | None
    peak_memory: int
    selection: Literal["metric", "loss", "last"]
    best_step: int
    losses: list[LossPoint]
    evaluations: list[Evaluation]
    made_with: str
    averaged_with: list[AveragedRun] = Field(default_factory=list)

    @property
    def sources(self) -> list[DataSource]:
        """The corpora that gold came from."""
        return self.data.sources if self.data else []

    def write(self, folder: Path) -> None:
        """Write `run.json` into a folder, whole or not at all."""
        write_whole(folder / NAME, self.to_json())

    def to_json(self) -> str:
        """The text of `run.json`."""
        return self.model_dump_json(indent=2) + "\n"


def read_run(folder: Path) -> RunManifest:
    """The record of a finished run, or of a model that was made from one.

    Raises:
        UsageError: there is none, or it is not that of a training run.
        EmollmsError: it is damaged.
    """
    path = folder / NAME
    if not path.is_file():
        raise UsageError(f"{folder} holds no finished run: {NAME} is missing; train one with `emollms train`")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, dict) and "recipe" not in found:
            raise UsageError(f"{folder} holds no training run; train one with `emollms train`")
        return RunManifest.model_validate(found)
    except ValueError as error:
        raise EmollmsError(f"{path} is damaged ({str(error).splitlines()[0]}); train again") from None
