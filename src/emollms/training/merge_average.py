"""The mean of the weights of several models that were tuned from one base: a model soup (Wortsman et al., 2022).

Runs that differ in the order of their rows err differently. The mean of their weights makes up for part of that, as an
ensemble does, and costs no more than one model to run. It needs weights that lie near each other, hence one base.
"""

from collections.abc import Iterable, Mapping, Sequence
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


def average(model: Any, others: Iterable[Any], sources: Sequence[MergeSource]) -> None:
    """Give a model the mean of the weights, in float32, and of the thresholds.

    Args:
        model: of the first source; it keeps its precision.
        others: of the other sources; one after the other is in memory, beside the first and the mean.
        sources: all of them.

    Raises:
        UsageError: one of them is another model.
    """
    mean = {name: _number(one) for name, one in model.state_dict().items()}
    shapes = {name: one.shape for name, one in mean.items()}
    for count, (other, source) in enumerate(zip(others, sources[1:], strict=True), 2):
        weights: Mapping[str, torch.Tensor] = other.state_dict()
        found = {name: one.shape for name, one in weights.items()}
        if odd := sorted(name for name in found.keys() | shapes.keys() if found.get(name) != shapes.get(name)):
            raise UsageError(
                f"{source.weights} has tensors of other names or shapes, such as {odd[0]}; average runs of one model"
            )
        for name, one in weights.items():
            if one.is_floating_point():
                mean[name].add_((one.float() - mean[name]) / count)
    model.load_state_dict(mean)
    if heads := [source.heads for source in sources if source.heads]:
        model.config.update(_mean_thresholds(heads).config())


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


def _mean_thresholds(heads: Sequence[Heads]) -> Heads:
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
