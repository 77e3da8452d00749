"""Merge an adapter into its base, or average runs: the result is read back and checked before it is at its place."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from transformers import AutoConfig

from emollms.errors import EmollmsError, UsageError, unknown
from emollms.progress import OnProgress, Warn, silent
from emollms.storage import commit, draft
from emollms.training.checkpoints import check_space, model_size
from emollms.training.folder import check_shard_size
from emollms.training.generation import drop_unused
from emollms.training.manifest import NAME, read_run
from emollms.training.merge_average import average, averaged, check_alike
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
        difference: the largest difference of a logit from that before the model was written, of base and adapter or of
            the mean, as a fraction of the largest logit; 0 if it already existed.
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
    runs: Sequence[Path],
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
    sources = [find_source(run) for run in runs]
    tokenizers = [read_tokenizer(source) for source in sources]
    check_alike(sources, tokenizers, warn)
    record = _record(sources)
    if out.exists():
        return _already(record, out, dtype)
    with draft(out) as folder:
        try:
            made = _merge(sources, tokenizers, record, folder, dtype, shard_size, base, on_progress, warn)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        commit(folder, out)
    return replace(made, folder=out)


def _merge(
    sources: Sequence[MergeSource],
    tokenizers: Sequence[Any],
    record: bytes | None,
    folder: Path,
    dtype: str,
    shard_size: str,
    base: str | None,
    on_progress: OnProgress,
    warn: Warn,
) -> Merged:
    source, tokenizer = sources[0], tokenizers[0]
    template = source.framing(tokenizer)
    load = partial(_whole, template=template, dtype=dtype, base=base, on_progress=on_progress, warn=warn)
    model, wanted = load(source, tokenizer)
    if len(sources) > 1:
        average(model, (load(*other)[0] for other in zip(sources[1:], tokenizers[1:], strict=True)), sources)
        wanted = answers(model, tokenizer, template)
    check_space(folder, model_size(model), "the merged model")
    on_progress("writing", 0, None)
    numbers = _write(model, tokenizer, source.weights, folder, shard_size)
    del model  # the check loads it again, and a large model must not be in memory twice
    on_progress("checking", 0, None)
    difference = _check(folder, numbers, tokenizer, template, wanted)
    if record:
        (folder / NAME).write_bytes(record)
    else:
        warn(f"no finished run, so the model has no {NAME}, which `emollms publish model` needs")
    files = sorted(path.name for path in folder.glob("*.safetensors"))
    return Merged(folder, numbers.dtype, numbers.parameters, files, difference)


def _whole(
    source: MergeSource,
    tokenizer: Any,
    template: Framing,
    dtype: str,
    base: str | None,
    on_progress: OnProgress,
    warn: Warn,
) -> tuple[Any, Answers]:
    """A model, its adapter merged into its base, and the logits that it had before that."""
    on_progress(f"loading {source.weights}", 0, None)
    if source.is_adapter:
        model = load_adapter(load_base(source, tokenizer, dtype, base, warn), source.weights)
    else:
        model = load_weights(source.weights, dtype)
    wanted = answers(model, tokenizer, template)
    if hasattr(model, "merge_and_unload"):
        on_progress("merging the adapter into its base", 0, None)
        model = model.merge_and_unload()
    return model, wanted


def _record(sources: Sequence[MergeSource]) -> bytes | None:
    """What `run.json` of the model will hold; None where one of the sources is no finished run."""
    records = [source.record for source in sources if source.record]
    if len(records) < len(sources):
        return None
    if len(records) == 1:
        return records[0].read_bytes()
    return averaged([read_run(record.parent) for record in records]).to_json().encode()


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


def _already(record: bytes | None, out: Path, dtype: str) -> Merged:
    """The result of the same merge, done before.

    Raises:
        UsageError: the folder holds something else.
    """
    there = out / NAME
    same = record is not None and there.is_file() and there.read_bytes() == record
    if not same or not (out / "config.json").is_file():
        raise UsageError(f"{out} already exists and is not this run's model; choose another --out, or remove it")
    found = str(AutoConfig.from_pretrained(out).dtype).removeprefix("torch.")
    if dtype not in ("auto", found):
        raise UsageError(f"{out} holds this run's model in {found}, not {dtype}; choose another --out, or remove it")
    files = sorted(path.name for path in out.glob("*.safetensors"))
    return Merged(out, found, 0, files, 0.0, already=True)
