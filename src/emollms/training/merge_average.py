"""The mean of the weights of several models that were tuned from one base: a model soup (Wortsman et al., 2022).

Runs that differ in the order of their rows err differently. The mean of their weights makes up for part of that, as an
ensemble does, and costs no more than one model to run. It needs weights that lie near each other, hence one base.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from emollms.errors import UsageError
from emollms.evaluation.beliefs import combined_thresholds
from emollms.inference.heads import Heads
from emollms.progress import Warn
from emollms.training.manifest import AveragedRun, RunManifest, read_run
from emollms.training.merge_checks import inputs
from emollms.training.merge_source import MergeSource

_OWN = {"data_seed", "minutes"}
"""Settings in which runs of one recipe differ as they should."""


class RunningMean:
    """The mean of the weights of models, in float32, one after the other; in memory are two models and the mean.

    Args:
        model: the first model.
    """

    def __init__(self, model: Any) -> None:
        self._count = 1
        self._mean = {name: _number(one) for name, one in model.state_dict().items()}

    def add(self, model: Any, name: str) -> None:
        """One more model.

        Raises:
            UsageError: it is another model.
        """
        weights: Mapping[str, torch.Tensor] = model.state_dict()
        shapes, wanted = ({key: one.shape for key, one in some.items()} for some in (weights, self._mean))
        if other := sorted(key for key in shapes.keys() | wanted.keys() if shapes.get(key) != wanted.get(key)):
            raise UsageError(
                f"{name} has tensors of other names or shapes, such as {other[0]}; average runs of one model"
            )
        self._count += 1
        for key, one in weights.items():
            if one.is_floating_point():
                self._mean[key].add_((one.float() - self._mean[key]) / self._count)

    def into(self, model: Any) -> None:
        """Give a model the mean as its weights, in its own precision."""
        model.load_state_dict(self._mean)


def _number(weights: torch.Tensor) -> torch.Tensor:
    return weights.detach().to(torch.float32, copy=True) if weights.is_floating_point() else weights.clone()


def check_alike(sources: Sequence[MergeSource], tokenizers: Sequence[Any], warn: Warn) -> None:
    """Make sure that the weights of some models can be averaged.

    Args:
        sources: the models.
        tokenizers: theirs.
        warn: is called where they were trained differently.

    Raises:
        UsageError: they read other texts, answer other questions, were tuned from other models, or one was trained on
            texts that the other was validated on.
    """
    first = sources[0]
    framing = first.framing(tokenizers[0])
    texts = inputs(tokenizers[0], framing)
    for source, tokenizer in zip(sources[1:], tokenizers[1:], strict=True):
        problem = None
        if source.framing(tokenizer) != framing:
            problem = "are asked in other templates"
        elif tokenizer(texts).input_ids != tokenizers[0](texts).input_ids:
            problem = "tokenize texts differently"
        elif _questions(source) != _questions(first):
            problem = "answer other questions"
        elif None not in (source.base, first.base) and _base(source) != _base(first):
            problem = f"were tuned from other models ({source.base}, {first.base})"
        if problem:
            raise UsageError(f"{source.weights} and {first.weights} {problem}, so their weights have no useful mean")
        changed = _differing(first, source)
        told = f"{source.weights} was trained with another {', '.join(changed)} than {first.weights}"
        if "validation_fraction" in changed:
            raise UsageError(f"{told}; train them alike, or one has learned what the other was validated on")
        if changed:
            warn(told)


def _questions(source: MergeSource) -> object:
    return source.heads and source.heads.record.questions


def _base(source: MergeSource) -> tuple[str | None, ...]:
    """By its files where they are known: the same model may lie in two folders."""
    return (source.revision,) if (source.revision or "").startswith("sha256:") else (source.base, source.revision)


def _differing(first: MergeSource, other: MergeSource) -> list[str]:
    """The settings in which two recorded runs differ, and `data`."""
    if first.record is None or other.record is None:
        return []
    one, two = (read_run(source.record.parent) for source in (first, other) if source.record)
    settings, others = one.recipe.values, two.recipe.values
    found = sorted(key for key in settings.keys() | others.keys() if settings.get(key) != others.get(key))
    hashes = [run.data and run.data.content_hash for run in (one, two)]
    return [key for key in found if key not in _OWN] + ["data"] * (hashes[0] != hashes[1])


def mean_thresholds(heads: Sequence[Heads]) -> Heads:
    """The outputs of averaged classifiers, with the means of their thresholds."""
    tasks = dict.fromkeys(task for one in heads for task in one.record.thresholds)
    found = {task: combined_thresholds([one.record.thresholds.get(task) for one in heads]) or {} for task in tasks}
    return heads[0].with_thresholds(found)


def averaged(runs: Sequence[RunManifest]) -> RunManifest:
    """The record of the mean of several runs: that of the first, which names the others.

    Raises:
        UsageError: one of them is a mean already, whose runs would count less than the others.
    """
    for run in runs:
        if run.averaged_with:
            raise UsageError(
                f"{run.name} is the mean of {1 + len(run.averaged_with)} runs already; give all runs at once"
            )
    others = [
        AveragedRun(
            command=run.command, overrides=run.recipe.overrides, best_step=run.best_step, seconds=run.seconds,
            tokens=run.tokens, energy_joules=run.energy_joules,
        )
        for run in runs[1:]
    ]  # fmt: skip
    return runs[0].model_copy(update={"averaged_with": others})
