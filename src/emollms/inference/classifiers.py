"""Which models are classifiers, as their `config.json` alone tells, and what their outputs answer."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from emollms.errors import EmollmsError, UsageError, shorten
from emollms.inference.companions import beside
from emollms.inference.heads import FILE, Activation, Floats, Heads
from emollms.inference.label_map import read_label_map
from emollms.inference.predictions import Prediction
from emollms.tasks import Task

_SHOWN = 400
"""Characters of the labels of a model in an error."""


class Outputs(Protocol):
    """What the outputs of a classifier answer: `Heads` of its own, or a `LabelMap`."""

    @property
    def activation(self) -> Activation:
        """What is done to its outputs before they are read."""

    @property
    def map_digest(self) -> str | None:
        """Tells a map from others; None without one."""

    @property
    def tasks(self) -> tuple[str, ...]:
        """The names of the tasks that it answers."""

    def answers(self, task: Task) -> bool:
        """Whether it answers all questions of a task."""

    def thresholds(self, task: Task) -> Mapping[str, float] | None:
        """From which probability on a label is named, by label; None where that is .5 for all."""

    def prediction(self, task: Task, row: Mapping[str, Any], outputs: Floats, seconds: float = 0.0) -> Prediction:
        """What the outputs for a text say to a question."""


def classifier_outputs(model: str, map: Path | None = None) -> Outputs | None:
    """What the outputs of a model answer; None for a model that is no classifier, and writes its answers.

    Args:
        model: folder, `OWNER/NAME`, `OWNER/NAME@REVISION`, or the packaged model.
        map: a file that says which of its labels answer what; see `label_map`.

    Raises:
        UsageError: a classifier says nothing of its questions and comes without a map, or the map does not fit it.
        EmollmsError: its configuration is damaged.
    """
    heads = heads_of(model)
    if heads is not None:
        if map is not None:
            raise UsageError(f"{model} says itself what its outputs answer; leave --map out")
        return heads
    names = _labels(model)
    if names is None:
        if map is not None:
            raise UsageError(f"{model} is no classifier, and --map is for the labels of one; leave it out")
        return None
    if map is not None:
        return read_label_map(map, names)
    first = next(iter(names.values()), "")
    raise UsageError(
        f"{model} is a classifier with the labels {shorten(', '.join(names.values()), _SHOWN)}, and nothing says which "
        f"question they answer; write that into a file, such as `activation: softmax`, `questions: {{E-c: {{joy: "
        f"{first}}}}}`, and give it with --map (docs/heads.md)"
    )


def heads_of(model: str) -> Heads | None:
    """The outputs of a one-pass classifier of this package; None for another model.

    Raises:
        EmollmsError: what its configuration says of them is damaged.
    """
    config = _read(model, "config.json")
    return Heads.read(_read(model, FILE) or {} if config is None else config, model)


def _labels(model: str) -> dict[int, str] | None:
    """The labels of a classifier, by number; None for another model."""
    config = _read(model, "config.json") or {}
    if not any(str(name).endswith("ForSequenceClassification") for name in config.get("architectures") or ()):
        return None
    named = config.get("id2label") or {number: f"LABEL_{number}" for number in range(config.get("num_labels", 2))}
    return {int(number): str(label) for number, label in named.items()}


def _read(model: str, name: str) -> dict[str, Any] | None:
    path = beside(model, name)
    if path is None:
        return None
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise EmollmsError(f"{path} is damaged ({error}); save or download the model again") from None
