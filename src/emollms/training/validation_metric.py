"""The scores of a model during training: the published metrics, on a sample of validation rows."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import groupby
from statistics import mean
from typing import Any

import torch
from accelerate.utils import broadcast_object_list

from emollms.dataset.reader import Row
from emollms.evaluation.parsing import parse_predictions
from emollms.evaluation.scoring import gold_label, score, unannotated_of
from emollms.evaluation.task_metrics import MACRO_F1, PEARSON, metrics_of
from emollms.inference.decoding import decode
from emollms.inference.predictions import Prediction
from emollms.inference.transformers_engine import TransformersEngine
from emollms.prompts.framing import Template
from emollms.tasks import Task, get_task

BATCH_TOKENS = 1024
"""Tokens of a batch: a few rows, since most of the memory is in use by training."""


def validation_scorer(
    rows: Mapping[str, Sequence[Row]], tokenizer: Any, template: Template
) -> Callable[[Any], dict[str, float]]:
    """A function that scores the model of a trainer on `rows`, by name of the task; `metric` is the mean over tasks.

    Every process scores all rows: with sharded weights each forward pass needs all of them.
    """
    asked = [(get_task(name), name, own) for name, own in rows.items()]

    def scores(trainer: Any) -> dict[str, float]:
        model = bare_model(trainer)
        trained = model.training
        engine = TransformersEngine(
            model, tokenizer, "the model in training", template=template, batch_tokens=BATCH_TOKENS
        )
        try:
            found = {name: task_score(task, own, partial(decode, engine, task)) for task, name, own in asked}
        finally:
            engine.close()
            model.train(trained)
        return shared_scores(found)

    return scores


def shared_scores(found: Mapping[str, float]) -> dict[str, float]:
    """The scores of tasks as a trainer logs them, with their mean; those of the first process.

    Rounding differs by process, and early stopping must come for all at once.
    """
    shared = [{f"task_{name}": value for name, value in found.items()} | {"metric": mean(found.values())}]
    broadcast_object_list(shared)
    return shared[0]


def bare_model(trainer: Any) -> torch.nn.Module:
    """The model of a trainer, without the wrappers of PEFT and data parallelism, which hide the arguments it accepts.

    An FSDP model stays wrapped, since only the wrapper can gather its weights.
    """
    model = trainer.model if trainer.is_fsdp_enabled else trainer.accelerator.unwrap_model(trainer.model)
    bare: torch.nn.Module = model.get_base_model() if hasattr(model, "peft_config") else model
    return bare


def task_score(task: Task, rows: Sequence[Row], predict: Callable[[Sequence[Row]], Iterable[Prediction]]) -> float:
    """Pearson's r, or macro-F1 for labels and for classes that are not scored by Pearson's r; the mean of languages.

    Args:
        task: the task.
        rows: its rows.
        predict: answers rows.
    """
    in_order = sorted(rows, key=lambda row: str(row["language"]))
    return mean(
        _language_score(task, own, predict(own))
        for own in (list(some) for _, some in groupby(in_order, key=lambda row: str(row["language"])))
    )


def _language_score(task: Task, rows: Sequence[Row], predicted: Iterable[Prediction]) -> float:
    predictions = {prediction.id: prediction for prediction in predicted}
    parsed = parse_predictions(task, rows, predictions).parsed
    gold_labels, emotions = [gold_label(task, row) for row in rows], [row["emotion"] for row in rows]
    scored = score(task, gold_labels, parsed, emotions, unannotated=unannotated_of(rows), resamples=1)
    metric = PEARSON if metrics_of(task).main is PEARSON else MACRO_F1
    return float(scored.metrics[metric.name].value)
