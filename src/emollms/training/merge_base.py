"""The parts of a merge: the base that an adapter was trained on, in full precision, and the adapter on it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import AutoConfig, AutoTokenizer

from emollms.errors import EmollmsError, UsageError
from emollms.evaluation.predictors import split_revision
from emollms.inference import weights
from emollms.inference.loading import in_a_line
from emollms.inference.model_names import resolve_model
from emollms.storage import weights_hash
from emollms.training.merge_checks import prompts
from emollms.training.merge_source import MergeSource, adapter_settings


def load_weights(folder: Path, dtype: str) -> Any:
    """The model in a folder that holds all of its weights.

    Args:
        folder: where it is.
        dtype: type of the numbers; `auto` as they are stored.

    Raises:
        EmollmsError: it cannot be read, its weights do not fill it exactly, or are not finite.
    """
    try:
        return weights.load_whole(str(folder), dtype=dtype).eval()
    except EmollmsError:
        raise
    except Exception as error:  # readers of damaged or unknown files raise anything
        raise EmollmsError(f"cannot read the model in {folder}: {in_a_line(error)}") from error


def load_base(
    source: MergeSource, tokenizer: Any, dtype: str, base: str | None, tell: Callable[[str], None] = lambda text: None
) -> Any:
    """The model that an adapter was trained on, whatever precision that was done in.

    Args:
        source: the adapter.
        tokenizer: its tokenizer.
        dtype: type of the numbers; `auto` as they are stored.
        base: folder or repository, where it is another than the run or the adapter names.
        tell: is told when `base` is not what the run names.

    Raises:
        UsageError: there is no such model.
        EmollmsError: it is another one than in training, its weights do not fill it exactly, or are not finite.
    """
    name, revision = split_revision(resolve_model(base)) if base else _named(source)
    _check_hash(name, source, tell if base else None)
    try:
        if getattr(AutoConfig.from_pretrained(name, revision=revision), "quantization_config", None):
            raise UsageError(f"the base {name} is stored quantised; name the one it was made from with --base")
        _check_vocabulary(name, revision, tokenizer, source)
        return weights.load_whole(name, revision, dtype=dtype).eval()
    except EmollmsError:
        raise
    except Exception as error:  # readers of damaged or unknown files raise anything
        raise UsageError(
            f"cannot load the base model {name!r} ({in_a_line(error)}); name where it is with --base"
        ) from error


def load_adapter(model: Any, folder: Path) -> Any:
    """The adapter in `folder` on its base; see `emollms.inference.weights.load_adapter`.

    Raises:
        EmollmsError: it does not fit, or cannot be put into the weights of its base.
    """
    try:
        adapted = weights.load_adapter(model, str(folder))
    except EmollmsError:
        raise
    except Exception as error:  # PEFT raises anything where an adapter does not fit
        raise EmollmsError(
            f"the adapter in {folder} does not fit its base ({in_a_line(error)}); train again, or name its base with "
            "--base"
        ) from error
    if not hasattr(adapted, "merge_and_unload"):
        kind = adapted.peft_config["default"].peft_type.value
        raise UsageError(f"{folder} is an adapter of the kind {kind}, which has no form without PEFT")
    return adapted


def _named(source: MergeSource) -> tuple[str, str | None]:
    """Name and revision of the base; the run's name counts where the folder that the adapter names is gone."""
    adapter = adapter_settings(source.weights)
    name = str(adapter.get("base_model_name_or_path") or "")
    if source.base and not Path(name).is_dir() and (Path(name).is_absolute() or source.base != name):
        name = resolve_model(source.base)
    if not name:
        raise UsageError(f"the adapter in {source.weights} names no base model; name it with --base")
    if Path(name).is_dir():
        return name, None
    if Path(name).is_absolute() or name.startswith("."):
        raise UsageError(f"the base model {name} is not there any more; name where it is with --base")
    recorded = source.revision
    return name, recorded if recorded and not recorded.startswith("sha256:") else adapter.get("revision")


def _check_hash(name: str, source: MergeSource, tell: Callable[[str], None] | None) -> None:
    """A folder must hold what was trained on; one that the caller named may differ, and then that is told."""
    recorded = source.revision or ""
    if not Path(name).is_dir() or not recorded.startswith("sha256:") or weights_hash(Path(name)) == recorded:
        return
    text = f"{name} is not the model that the run was trained on: its files have other hashes"
    if tell is None:
        raise EmollmsError(f"{text}; bring it back, or name where it is with --base")
    tell(text)


def _check_vocabulary(name: str, revision: str | None, tokenizer: Any, source: MergeSource) -> None:
    """The base must read texts as the adapter's tokenizer does; that one may know more tokens.

    Raises:
        EmollmsError: it reads them as other tokens, so that it is no base of this adapter.
    """
    try:
        of_base = AutoTokenizer.from_pretrained(name, revision=revision)
    except Exception:  # a base without a tokenizer says nothing
        return
    for text in prompts():
        if of_base(text).input_ids != tokenizer(text).input_ids:
            raise EmollmsError(
                f"{name} reads texts as other tokens than the tokenizer in {source.weights}; it is not the base that "
                "the adapter was made for, so name that with --base"
            )
