"""From a run, or an adapter, to a model that needs no other: what is written is checked before it is in its place."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import AutoConfig

from emollms.errors import EmollmsError, UsageError, unknown
from emollms.storage import commit, draft
from emollms.training.disk import check_space, model_size
from emollms.training.folder import check_shard_size
from emollms.training.generation import drop_unused
from emollms.training.manifest import NAME
from emollms.training.merge_base import load_adapter, load_base, load_weights
from emollms.training.merge_checks import Answers, Framing, answers, check_same, check_tokenizer
from emollms.training.merge_source import MergeSource, find_source, read_tokenizer

DTYPES = ("float32", "bfloat16", "float16")


@dataclass(frozen=True)
class Merged:
    """A model that was merged.

    Args:
        dtype: type of its numbers.
        parameters: how many it has; 0 where it was there already.
        files: names of the files with its weights.
        difference: the largest difference of a logit from those of the run's model, as a share of the largest logit;
            0 where it was there already.
        already: whether it was there already.
    """

    dtype: str
    parameters: int
    files: list[str]
    difference: float
    already: bool


def merge(
    run: Path,
    out: Path,
    *,
    dtype: str = "auto",
    shard_size: str = "2GB",
    base: str | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> Merged:
    """Write the model of a run, or of an adapter, into a folder of its own; it appears when it is whole and checked.

    A base that was loaded in 4 or 8 bits is loaded again as it is. The model that was written is read back, and its
    logits are compared with those of base and adapter: see `emollms.training.merge_checks.BOUNDS`.

    Args:
        run: the folder of a finished run, of the model in it, of a checkpoint, or of an adapter made elsewhere.
        out: the folder of the model.
        dtype: `float32`, `bfloat16` or `float16`; `auto` is that of the base, and of the weights of a full run.
        shard_size: the largest size of a file, such as `2GB`.
        base: folder or repository of the base, where it is no longer what the run names.
        tell: is told what is being done.

    Raises:
        UsageError: there is nothing to merge, the base is missing, or `out` holds something else.
        EmollmsError: the disk is too small, the base is another one than the run's, or a check failed: weights that do
            not fill their model exactly or are not finite, a merged model that answers otherwise.
    """
    if dtype not in ("auto", *DTYPES):
        raise unknown("dtype", dtype, ("auto", *DTYPES))
    check_shard_size(shard_size)
    source = find_source(run)
    tokenizer = read_tokenizer(source)
    if out.exists():
        return _already(source, out, dtype)
    with draft(out) as folder:
        try:
            made = _merge(source, tokenizer, folder, dtype, shard_size, base, tell)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        commit(folder, out)
    return made


def _merge(
    source: MergeSource,
    tokenizer: Any,
    folder: Path,
    dtype: str,
    shard_size: str,
    base: str | None,
    tell: Callable[[str], None],
) -> Merged:
    template = source.framing(tokenizer)
    tell("loading the model")
    if source.is_adapter:
        model = load_adapter(load_base(source, tokenizer, dtype, base, tell), source.weights)
    else:
        model = load_weights(source.weights, dtype)
    wanted = answers(model, tokenizer, template)
    if hasattr(model, "merge_and_unload"):
        tell("merging the adapter into its base")
        model = model.merge_and_unload()
    check_space(folder, model_size(model), "the merged model")
    tell("writing")
    numbers = _write(model, tokenizer, source.weights, folder, shard_size)
    del model  # a large model must not be in memory twice
    tell("checking")
    difference = _check(folder, numbers, tokenizer, template, wanted)
    if source.record:
        shutil.copyfile(source.record, folder / NAME)
    else:
        tell(f"there is no {NAME} of a finished run, so the model has none, and `emollms publish model` needs one")
    files = sorted(path.name for path in folder.glob("*.safetensors"))
    return Merged(numbers.dtype, numbers.parameters, files, difference, already=False)


@dataclass(frozen=True)
class _Numbers:
    dtype: str
    parameters: int


def _write(model: Any, tokenizer: Any, source: Path, folder: Path, shard_size: str) -> _Numbers:
    """The tokenizer first, so that there is no model without it even in the draft."""
    tokenizer.save_pretrained(folder)
    settings = source / "generation_config.json"
    if settings.is_file():
        model.generation_config = type(model.generation_config).from_pretrained(source)
    drop_unused(model, str(source))
    model.save_pretrained(folder, max_shard_size=shard_size)
    return _Numbers(str(model.dtype).removeprefix("torch."), sum(one.numel() for one in model.parameters()))


def _check(folder: Path, numbers: _Numbers, tokenizer: Any, template: Framing, wanted: Answers) -> float:
    written = check_tokenizer(folder, tokenizer, template)
    model = load_weights(folder, "auto")
    if str(model.dtype) != f"torch.{numbers.dtype}":
        raise EmollmsError(f"the merged model is read back as {model.dtype} and was written as {numbers.dtype}")
    return check_same(wanted, answers(model, written, template), numbers.dtype)


def _already(source: MergeSource, out: Path, dtype: str) -> Merged:
    """The same merge, done before; a folder is whole where there is one.

    Raises:
        UsageError: it is something else.
    """
    record, there = source.record, out / NAME
    same = record is not None and there.is_file() and there.read_bytes() == record.read_bytes()
    if not same or not (out / "config.json").is_file():
        raise UsageError(f"{out} is there already; choose another --out, or remove it")
    found = str(AutoConfig.from_pretrained(out).dtype).removeprefix("torch.")
    if dtype not in ("auto", found):
        raise UsageError(f"{out} holds this run's model in {found}, not {dtype}; choose another --out, or remove it")
    files = sorted(path.name for path in out.glob("*.safetensors"))
    return Merged(found, 0, files, 0.0, already=True)
