"""The parts of a merge: the base that an adapter was trained on, in full precision, and the adapter on it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from peft import PeftModel
from safetensors import SafetensorError, safe_open
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

from emollms.errors import EmollmsError, UsageError
from emollms.evaluation.model_source import split_revision
from emollms.inference.hashing import weights_hash
from emollms.inference.smollm2 import resolve
from emollms.training.manifest import RunManifest

WEIGHTS = "adapter_model.safetensors"
_PREFIX = "base_model.model."
"""What PEFT puts before the names of a model's weights."""


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer in the model folder of a run.

    Raises:
        EmollmsError: there is none.
    """
    if not (folder / "tokenizer_config.json").is_file():
        raise EmollmsError(f"{folder} has no tokenizer, and a model is never merged without one; train again")
    return AutoTokenizer.from_pretrained(folder)


def load_weights(folder: Path, dtype: str) -> Any:
    """The model in a folder that holds all of its weights.

    Args:
        folder: where it is.
        dtype: type of the numbers; `auto` as they are stored.

    Raises:
        EmollmsError: it cannot be read.
    """
    try:
        return _load(str(folder), None, dtype)
    except (OSError, ValueError) as error:
        raise EmollmsError(f"cannot read the model in {folder}: {' '.join(str(error).split())}") from error


def load_base(
    folder: Path, manifest: RunManifest, dtype: str, base: str | None, tell: Callable[[str], None] = lambda text: None
) -> Any:
    """The model that an adapter was trained on, whatever precision that was done in.

    Args:
        folder: with the adapter.
        manifest: of its run.
        dtype: type of the numbers; `auto` as they are stored.
        base: folder or repository, where it is another than the run names.
        tell: is told when `base` is not what the run names.

    Raises:
        UsageError: there is no such model.
        EmollmsError: it is another one than in training.
    """
    name, revision = split_revision(resolve(base)) if base else _named(folder, manifest)
    _check_hash(name, manifest, tell if base else None)
    try:
        if getattr(AutoConfig.from_pretrained(name, revision=revision), "quantization_config", None):
            raise UsageError(f"the base {name} is stored quantised; name the one it was made from with --base")
        return _load(name, revision, dtype)
    except (OSError, ValueError) as error:
        told = " ".join(str(error).split())
        raise UsageError(f"cannot load the base model {name!r} ({told}); name where it is with --base") from error


def load_adapter(model: Any, folder: Path) -> Any:
    """The adapter in `folder` on its base; embeddings become as long as they were in training.

    Raises:
        EmollmsError: it does not fit.
    """
    try:
        length = _vocabulary(model, folder / WEIGHTS)
        if length and length != model.get_input_embeddings().num_embeddings:
            model.resize_token_embeddings(length, mean_resizing=False)
        return PeftModel.from_pretrained(model, folder).eval()
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        told = " ".join(str(error).split())
        raise EmollmsError(f"the adapter in {folder} does not fit its base ({told[:300]}); train again") from error


def _load(name: str, revision: str | None, dtype: str) -> Any:
    config = AutoConfig.from_pretrained(name, revision=revision)
    kind = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    return kind.from_pretrained(name, revision=revision, dtype=dtype).eval()


def _named(folder: Path, manifest: RunManifest) -> tuple[str, str | None]:
    """Name and revision of the base; the run's name counts where the folder that the adapter names is gone."""
    adapter = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    name = str(adapter["base_model_name_or_path"])
    if not Path(name).is_dir() and (Path(name).is_absolute() or manifest.model.name != name):
        name = resolve(manifest.model.name)
    if Path(name).is_dir():
        return name, None
    if Path(name).is_absolute() or name.startswith("."):
        raise UsageError(f"the base model {name} is not there any more; name where it is with --base")
    recorded = manifest.model.revision
    return name, recorded if recorded and not recorded.startswith("sha256:") else adapter.get("revision")


def _check_hash(name: str, manifest: RunManifest, tell: Callable[[str], None] | None) -> None:
    """A folder must hold what was trained on; one that the caller named may differ, and then that is told."""
    recorded = manifest.model.revision or ""
    if not Path(name).is_dir() or not recorded.startswith("sha256:") or weights_hash(Path(name)) == recorded:
        return
    text = f"{name} is not the model that the run was trained on: its files have other hashes"
    if tell is None:
        raise EmollmsError(f"{text}; bring it back, or name where it is with --base")
    tell(text)


def _vocabulary(model: Any, weights: Path) -> int | None:
    """How many tokens the embeddings in an adapter's file are for; None where it holds none."""
    layers = {id(model.get_input_embeddings()), id(model.get_output_embeddings())}
    names = [name for name, module in model.named_modules() if id(module) in layers]
    wanted = {f"{_PREFIX}{name}.{end}" for name in names for end in ("weight", "base_layer.weight")}
    with safe_open(weights, framework="pt") as stored:
        found = wanted.intersection(stored.keys())
        return max((int(stored.get_slice(key).get_shape()[0]) for key in found), default=None)
