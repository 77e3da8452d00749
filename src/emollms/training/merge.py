"""Merge an adapter into its base: the result is read back and checked before it appears at its place."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from transformers import AutoConfig

from emollms.errors import EmollmsError, UsageError, unknown
from emollms.progress import OnProgress, Warn, silent
from emollms.storage import commit, draft
from emollms.training.checkpoints import check_space, model_size
from emollms.training.folder import check_shard_size
from emollms.training.generation import drop_unused
from emollms.training.manifest import NAME
from emollms.training.merge_checks import Answers, Framing, answers, check_same, check_tokenizer
from emollms.training.merge_source import (
    MergeSource,
    find_source,
    load_adapter,
    load_base,
    load_weights,
    read_tokenizer,
)

DTYPES = ("float32", "bfloat16", "float16")


@dataclass(frozen=True, repr=False)
class Merged:
    """A merged model.

    Args:
        folder: where it is.
        dtype: type of its weights.
        parameters: the number of them; 0 if it already existed.
        files: names of the files with its weights.
        difference: the largest difference of a logit from that of base and adapter, as a fraction of the largest
            logit; 0 if it already existed.
        already: whether it already existed, and was not merged again.
    """

    folder: Path
    dtype: str
    parameters: int
    files: list[str]
    difference: float
    already: bool = False

    def __repr__(self) -> str:
        """`Merged(out/emosmol: 134,515,008 parameters in float32, 1 file of weights, logits within 3e-07)`."""
        if self.already:
            return f"Merged({self.folder}: already there, in {self.dtype})"
        files = f"{len(self.files)} file{'s' * (len(self.files) > 1)} of weights"
        return (
            f"Merged({self.folder}: {self.parameters:,} parameters in {self.dtype}, {files}, "
            f"logits within {self.difference:.0e})"
        )


def write_merged(
    run: Path,
    out: Path,
    *,
    dtype: str = "auto",
    shard_size: str = "2GB",
    base: str | None = None,
    on_progress: OnProgress = silent,
    warn: Warn = lambda text: None,
) -> Merged:
    """Write the merged model into a folder, which appears once it is complete and checked; see `emollms.merge`."""
    if dtype not in ("auto", *DTYPES):
        raise unknown("dtype", dtype, ("auto", *DTYPES))
    check_shard_size(shard_size)
    source = find_source(run)
    tokenizer = read_tokenizer(source)
    if out.exists():
        return _already(source, out, dtype)
    with draft(out) as folder:
        try:
            made = _merge(source, tokenizer, folder, dtype, shard_size, base, on_progress, warn)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        commit(folder, out)
    return replace(made, folder=out)


def _merge(
    source: MergeSource,
    tokenizer: Any,
    folder: Path,
    dtype: str,
    shard_size: str,
    base: str | None,
    on_progress: OnProgress,
    warn: Warn,
) -> Merged:
    template = source.framing(tokenizer)
    on_progress("loading the model", 0, None)
    if source.is_adapter:
        model = load_adapter(load_base(source, tokenizer, dtype, base, warn), source.weights)
    else:
        model = load_weights(source.weights, dtype)
    wanted = answers(model, tokenizer, template)
    if hasattr(model, "merge_and_unload"):
        on_progress("merging the adapter into its base", 0, None)
        model = model.merge_and_unload()
    check_space(folder, model_size(model), "the merged model")
    on_progress("writing", 0, None)
    numbers = _write(model, tokenizer, source.weights, folder, shard_size)
    del model  # the check loads it again, and a large model must not be in memory twice
    on_progress("checking", 0, None)
    difference = _check(folder, numbers, tokenizer, template, wanted)
    if source.record:
        shutil.copyfile(source.record, folder / NAME)
    else:
        warn(f"no finished run, so the model has no {NAME}, which `emollms publish model` needs")
    files = sorted(path.name for path in folder.glob("*.safetensors"))
    return Merged(folder, numbers.dtype, numbers.parameters, files, difference)


@dataclass(frozen=True)
class _Numbers:
    dtype: str
    parameters: int


def _write(model: Any, tokenizer: Any, source: Path, folder: Path, shard_size: str) -> _Numbers:
    """Write the tokenizer and the model, in this order: a draft that was interrupted never looks like a whole model."""
    tokenizer.save_pretrained(folder)
    settings = source / "generation_config.json"
    if settings.is_file():
        model.generation_config = type(model.generation_config).from_pretrained(source)
    if model.can_generate():
        drop_unused(model, str(source))
    model.save_pretrained(folder, max_shard_size=shard_size)
    return _Numbers(str(model.dtype).removeprefix("torch."), sum(one.numel() for one in model.parameters()))


def _check(folder: Path, numbers: _Numbers, tokenizer: Any, template: Framing, wanted: Answers) -> float:
    written = check_tokenizer(folder, tokenizer, template)
    model = load_weights(folder, "auto")
    if str(model.dtype) != f"torch.{numbers.dtype}":
        raise EmollmsError(f"the merged model was written as {numbers.dtype} and read back as {model.dtype}")
    return check_same(wanted, answers(model, written, template), numbers.dtype)


def _already(source: MergeSource, out: Path, dtype: str) -> Merged:
    """The result of the same merge, done before.

    Raises:
        UsageError: the folder holds something else.
    """
    record, there = source.record, out / NAME
    same = record is not None and there.is_file() and there.read_bytes() == record.read_bytes()
    if not same or not (out / "config.json").is_file():
        raise UsageError(f"{out} already exists and is not this run's model; choose another --out, or remove it")
    found = str(AutoConfig.from_pretrained(out).dtype).removeprefix("torch.")
    if dtype not in ("auto", found):
        raise UsageError(f"{out} holds this run's model in {found}, not {dtype}; choose another --out, or remove it")
    files = sorted(path.name for path in out.glob("*.safetensors"))
    return Merged(out, found, 0, files, 0.0, already=True)
