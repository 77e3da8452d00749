"""The record of a training run: `run.json`, written when all is done. Cards are filled from it."""

import json
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field

from emollms.errors import EmollmsError, UsageError
from emollms.hardware import Hardware
from emollms.storage import Strict, write_whole

NAME = "run.json"
MODEL = "model"
"""Folder of a run with what was trained: an adapter, or all weights; with tokenizer and templates."""
CHECKPOINTS = "checkpoints"
CURVES = "curves.png"

Architecture = Literal["causal", "seq2seq"]
Method = Literal["full", "lora", "qlora"]


class RecipeRecord(Strict):
    """The recipe.

    Args:
        name: its name, or path.
        sha256: hash of its file.
        values: all that it says, with what `--set` changed.
        overrides: what `--set` changed, as `key=value`.
    """

    name: str
    sha256: str
    values: dict[str, object]
    overrides: list[str]


class DataSource(Strict):
    """A corpus that the data is made of."""

    corpus: str
    license: str = Field(validation_alias=AliasChoices("license", "licence"))  # as records once spelled it
    redistribution: str


class DataRecord(Strict):
    """The data set.

    Args:
        target: how it was named: a folder, or `OWNER/NAME@REVISION`.
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
        name: repository or folder, as the recipe has it.
        repository: its repository on the Hub, where it has one.
        revision: the commit, or `sha256:` and a hash of its files.
        family: the `model_type` of its configuration.
        architecture: decoder-only or encoder-decoder.
        parameters: how many it has.
        trainable: how many of them, or of its adapter, were trained.
    """

    name: str
    repository: str | None
    revision: str | None
    family: str
    architecture: Architecture
    parameters: int
    trainable: int


class RowsRecord(Strict):
    """Rows of a task: examples for training, of validation that are looked at, and rows that are longer than the limit.

    Args:
        train: examples that training draws from.
        validation: validation rows that are looked at.
        cut_off: training rows of the data set that are longer than the model's limit, and are left out.
        shared: training examples whose text stands in validation, and are left out.
    """

    train: int
    validation: int
    cut_off: int
    shared: int


class Evaluation(Strict):
    """One look at the validation rows.

    Args:
        step: optimiser steps so far.
        epoch: epochs so far.
        loss: mean loss of the answers' tokens; None where it was not looked at.
        metric: mean over tasks; None where it was not looked at.
        tasks: Pearson's r or macro-F1 of each task.
    """

    step: int
    epoch: float
    loss: float | None
    metric: float | None
    tasks: dict[str, float]


class LossPoint(Strict):
    """The training loss, averaged since the point before.

    Args:
        step: optimiser steps so far.
        epoch: epochs so far.
        loss: mean loss.
        learning_rate: at this step.
    """

    step: int
    epoch: float
    loss: float
    learning_rate: float


class RunManifest(Strict):
    """What a finished run was.

    Args:
        format: number of this form.
        name: of the model that came out.
        command: the command that did it.
        recipe, data, model, hardware: see there.
        method: what was trained.
        template: `frame` or `chat`.
        objective: `cross_entropy` or `expected_value`.
        seed: of everything that is drawn.
        versions: of Python and of packages.
        rows: by task.
        started: UTC, ISO 8601, of the first start.
        seconds: of training, over all resumptions, evaluations included.
        resumed: how often it was taken up again.
        steps: optimiser steps.
        max_steps: optimizer steps that were planned: fewer are made where training stops early; None in records of
            older versions.
        epochs: passes over the data.
        tokens: tokens read in training, padding left out.
        answer_tokens: those of them with a loss.
        energy_joules: energy that the GPUs took, by NVML's counter; None where they do not count it.
        peak_memory: bytes, of the accelerator where there is one.
        selection: what the best step was chosen by: `metric`, `loss` or `last`.
        best_step: the step whose weights are kept.
        losses: the training loss.
        evaluations: looks at the validation rows.
        made_with: version of this package.
    """

    format: Literal[1] = 1
    name: str
    command: list[str]
    recipe: RecipeRecord
    data: DataRecord
    model: ModelRecord
    hardware: Hardware
    method: Method
    template: Literal["frame", "chat"]
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

    def write(self, folder: Path) -> None:
        """Write it into the folder of a run, whole or not at all."""
        write_whole(folder / NAME, self.model_dump_json(indent=2) + "\n")


def read_run(folder: Path) -> RunManifest:
    """The manifest of a finished run, or of a model that was made from one.

    Raises:
        UsageError: there is none, or it is that of something else, as evaluations have.
        EmollmsError: it is damaged.
    """
    path = folder / NAME
    if not path.is_file():
        raise UsageError(f"{folder} holds no finished run: {NAME} is missing; make one with `emollms train`")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, dict) and "recipe" not in found:
            raise UsageError(f"{folder} holds no training run; make one with `emollms train`")
        return RunManifest.model_validate(found)
    except ValueError as error:
        raise EmollmsError(f"{path} is damaged ({str(error).splitlines()[0]}); train again") from None
