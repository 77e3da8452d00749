"""From a finished run to a model that stands alone: an adapter goes into its base, and what is written is checked."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import AutoConfig

from emollms.errors import EmollmsError, UsageError, unknown
from emollms.repository.draft import draft, move_in
from emollms.training.disk import check_space, model_size
from emollms.training.folder import check_shard_size
from emollms.training.manifest import MODEL, NAME, RunManifest, read_run
from emollms.training.merge_base import load_adapter, load_base, load_tokenizer, load_weights
from emollms.training.merge_checks import Answers, answers, check_same, check_tokenizer

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
    """Write the model of a finished run into a folder of its own; it appears there when it is whole and checked.

    A base that was loaded in 4 or 8 bits is loaded again as it is. The model that was written is read back, and its
    logits are compared with those of base and adapter: see `emollms.training.merge_checks.BOUNDS`.

    Args:
        run: the folder of the run.
        out: the folder of the model.
        dtype: `float32`, `bfloat16` or `float16`; `auto` is that of the base, and of the weights of a full run.
        shard_size: the largest size of a file, such as `2GB`.
        base: folder or repository of the base, where it is no longer what the run names.
        tell: is told what is being done.

    Raises:
        UsageError: there is no finished run, the base is missing, or `out` holds something else.
        EmollmsError: the disk is too small, the base is another one than the run's, or a check failed.
    """
    if dtype not in ("auto", *DTYPES):
        raise unknown("dtype", dtype, ("auto", *DTYPES))
    check_shard_size(shard_size)
    manifest = read_run(run)
    tokenizer = load_tokenizer(run / MODEL)
    if out.exists():
        return _already(run, out, dtype)
    with draft(out) as folder:
        try:
            made = _merge(run, manifest, tokenizer, folder, dtype, shard_size, base, tell)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        move_in(folder, out)
    return made


def _merge(
    run: Path,
    manifest: RunManifest,
    tokenizer: Any,
    folder: Path,
    dtype: str,
    shard_size: str,
    base: str | None,
    tell: Callable[[str], None],
) -> Merged:
    source = run / MODEL
    tell("loading the model of the run")
    if (source / "adapter_config.json").is_file():
        model = load_adapter(load_base(source, manifest, dtype, base, tell), source)
    else:
        model = load_weights(source, dtype)
    wanted = answers(model, tokenizer, manifest.template)
    if hasattr(model, "merge_and_unload"):
        tell("merging the adapter into its base")
        model = model.merge_and_unload()
    check_space(folder, model_size(model), "the merged model")
    tell("writing")
    numbers = _write(model, tokenizer, source, folder, shard_size)
    del model  # a large model must not be in memory twice
    tell("checking")
    difference = _check(folder, numbers, tokenizer, manifest, wanted)
    shutil.copyfile(run / NAME, folder / NAME)
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
    model.save_pretrained(folder, max_shard_size=shard_size)
    return _Numbers(str(model.dtype).removeprefix("torch."), sum(one.numel() for one in model.parameters()))


def _check(folder: Path, numbers: _Numbers, tokenizer: Any, manifest: RunManifest, wanted: Answers) -> float:
    written = check_tokenizer(folder, tokenizer, manifest.template)
    model = load_weights(folder, "auto")
    if str(model.dtype) != f"torch.{numbers.dtype}":
        raise EmollmsError(f"the merged model is read back as {model.dtype} and was written as {numbers.dtype}")
    return check_same(wanted, answers(model, written, manifest.template), numbers.dtype)


def _already(run: Path, out: Path, dtype: str) -> Merged:
    """The same merge, done before; a folder is whole where there is one.

    Raises:
        UsageError: it is something else.
    """
    same = out.is_dir() and (out / NAME).is_file() and (out / NAME).read_bytes() == (run / NAME).read_bytes()
    if not same or not (out / "config.json").is_file():
        raise UsageError(f"{out} is there already; choose another --out, or remove it")
    found = str(AutoConfig.from_pretrained(out).dtype).removeprefix("torch.")
    if dtype not in ("auto", found):
        raise UsageError(f"{out} holds this run's model in {found}, not {dtype}; choose another --out, or remove it")
    files = sorted(path.name for path in out.glob("*.safetensors"))
    return Merged(found, 0, files, 0.0, already=True)
