"""What `emollms merge` was given (a run, its model, a checkpoint, an adapter made elsewhere), and its base."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from transformers import AutoConfig, AutoTokenizer

from emollms.errors import EmollmsError, UsageError
from emollms.evaluation.predictors import split_revision
from emollms.inference import weights
from emollms.inference.classifiers import heads_of
from emollms.inference.heads import FILE, Heads
from emollms.inference.heads_engine import read_out_before_padding
from emollms.inference.loading import in_a_line, load_tokenizer
from emollms.inference.model_names import resolve_model
from emollms.progress import Warn
from emollms.prompts.framing import Template, framing_chat_template, resolve_template
from emollms.storage import weights_hash
from emollms.training.checkpoints import defect
from emollms.training.folder import SETTINGS
from emollms.training.manifest import CHECKPOINTS, MODEL, NAME, read_run
from emollms.training.merge_checks import Framing, prompts

ADAPTER = "adapter_config.json"
CONFIG = "config.json"
_STATE = "trainer_state.json"
_BARE = {"add_special_tokens": False}


@dataclass(frozen=True)
class MergeSource:
    """The weights to merge, and what is known about them.

    Args:
        weights: the folder with adapter or weights, and the tokenizer.
        record: `run.json`; None without a finished run.
        template: the template of the prompts.
        base: the base model as the run names it; None if only the adapter does.
        revision: of the base, as the run recorded it: a commit, or `sha256:` and a hash of its files.
        is_run: whether emollms trained it.
    """

    weights: Path
    record: Path | None
    template: Template | Literal["text"]
    base: str | None = None
    revision: str | None = None
    is_run: bool = True

    @property
    def is_adapter(self) -> bool:
        """Whether the weights are an adapter, and not a whole model."""
        return (self.weights / ADAPTER).is_file()

    @property
    def heads(self) -> Heads | None:
        """The outputs of a classifier; None for a model that writes its answers."""
        return heads_of(str(self.weights)) if self.template == "text" else None

    def framing(self, tokenizer: Any) -> Framing:
        """The template, for this tokenizer."""
        return "text" if self.template == "text" else resolve_template(tokenizer, self.template)


def find_source(folder: Path) -> MergeSource:
    """What a folder holds that can be merged.

    Raises:
        UsageError: nothing.
        EmollmsError: an incomplete checkpoint, or a damaged record.
    """
    is_model = _holds_model(folder) and not (folder / MODEL).is_dir()  # RUN/model, and not RUN
    recorded = folder.resolve().parent if is_model and not (folder / NAME).is_file() else folder
    if (recorded / NAME).is_file() and (recorded == folder or folder.resolve().name == MODEL):
        run = read_run(recorded)
        weights = folder if is_model else folder / MODEL
        return MergeSource(weights, recorded / NAME, run.template, run.model.name, run.model.revision)
    if (folder / _STATE).is_file() and (folder.parent.parent / SETTINGS).is_file():
        return _checkpoint(folder)
    if (folder / ADAPTER).is_file():
        is_classifier = adapter_settings(folder).get("task_type") == "SEQ_CLS"
        return MergeSource(folder, None, "text" if is_classifier else "auto", is_run=False)
    if (folder / CONFIG).is_file():
        raise UsageError(f"{folder} holds a whole model and no adapter, so there is nothing to merge")
    if folder.is_dir() and not (folder / CHECKPOINTS).is_dir():
        raise UsageError(
            f"{folder} holds no finished run: {NAME} is missing; train one with `emollms train`, or give an adapter "
            f"with its {ADAPTER}"
        )
    if not folder.is_dir():
        raise UsageError(f"no such folder: {folder}; give a finished run of `emollms train`, or an adapter")
    raise UsageError(
        f"{folder} holds no finished run: {NAME} is missing; finish it with the same `emollms train`, or give one of "
        f"{folder / CHECKPOINTS}"
    )


def read_tokenizer(source: MergeSource) -> Any:
    """The tokenizer of the weights; for an adapter made elsewhere without one, that of its base.

    Raises:
        EmollmsError: a run has none.
        UsageError: neither an adapter made elsewhere nor its base has one.
    """
    if source.is_run and not (source.weights / "tokenizer_config.json").is_file():
        raise EmollmsError(f"{source.weights} has no tokenizer, which a merged model needs; train again")
    if source.is_run:
        tokenizer = AutoTokenizer.from_pretrained(source.weights)
        if source.record is None and source.framing(tokenizer) == "frame":
            tokenizer.chat_template = framing_chat_template(tokenizer)  # as `emollms train` does at the end
        return tokenizer
    try:
        return load_tokenizer(str(source.weights))
    except EmollmsError:
        raise
    except Exception as error:  # readers of damaged or unknown files raise anything
        raise UsageError(
            f"neither {source.weights} nor its base has a tokenizer ({' '.join(str(error).split())[:200]}); save one "
            "with the adapter"
        ) from error


def adapter_settings(folder: Path) -> Mapping[str, Any]:
    """The content of `adapter_config.json`.

    Raises:
        EmollmsError: it is damaged.
    """
    try:
        found: Mapping[str, Any] = json.loads((folder / ADAPTER).read_text(encoding="utf-8"))
        return dict(found)
    except ValueError as error:
        raise EmollmsError(f"{folder / ADAPTER} is damaged ({error}); save the adapter again") from None


def _checkpoint(folder: Path) -> MergeSource:
    """A checkpoint of a run, finished or not.

    Raises:
        EmollmsError: it is incomplete.
    """
    if (fault := defect(folder)) is not None:
        raise EmollmsError(f"{folder} cannot be merged: {fault}; give another checkpoint, or the run")
    settings = json.loads((folder.parent.parent / SETTINGS).read_text(encoding="utf-8"))
    recipe = settings["recipe"]
    revision = str(settings.get("model"))
    return MergeSource(
        folder,
        None,
        "text" if recipe.get("objective") == "heads" else recipe.get("template", "auto"),
        str(recipe["model_name_or_path"]),
        revision if revision.startswith("sha256:") else recipe.get("model_revision"),
    )


def _holds_model(folder: Path) -> bool:
    return any((folder / name).is_file() for name in (ADAPTER, CONFIG))


def load_weights(folder: Path, dtype: str) -> Any:
    """A whole model.

    Args:
        folder: where it is.
        dtype: type of the weights; `auto` for the stored one.

    Raises:
        EmollmsError: it cannot be read, its weights do not fill it exactly, or are not finite.
    """
    try:
        return weights.load_whole(str(folder), dtype=dtype).eval()
    except EmollmsError:
        raise
    except Exception as error:  # readers of damaged or unknown files raise anything
        raise EmollmsError(f"cannot read the model in {folder}: {in_a_line(error)}") from error


def load_base(source: MergeSource, tokenizer: Any, dtype: str, base: str | None, warn: Warn = lambda text: None) -> Any:
    """The model that an adapter was trained on, in full precision even if it was trained in 4 or 8 bits.

    Args:
        source: the adapter.
        tokenizer: its tokenizer.
        dtype: type of the weights; `auto` for the stored one.
        base: folder or repository, if it is not the one that the run or the adapter names.
        warn: is called if `base` differs from the model of the training.

    Raises:
        UsageError: there is no such model.
        EmollmsError: it is not the model of the training, its weights do not fill it exactly, or are not finite.
    """
    name, revision = split_revision(resolve_model(base)) if base else _named(source)
    _check_hash(name, source, warn if base else None)
    try:
        if getattr(AutoConfig.from_pretrained(name, revision=revision), "quantization_config", None):
            raise UsageError(f"the base {name} is stored quantised; give the one it was made from with --base")
        _check_vocabulary(name, revision, tokenizer, source)
        model = weights.load_whole(name, revision, dtype=dtype, heads=_heads_of_adapter(source)).eval()
        if source.template == "text":
            read_out_before_padding(model, tokenizer)
        return model
    except EmollmsError:
        raise
    except Exception as error:  # readers of damaged or unknown files raise anything
        raise UsageError(
            f"cannot load the base model {name!r} ({in_a_line(error)}); give its place with --base"
        ) from error


def _heads_of_adapter(source: MergeSource) -> Heads | None:
    if source.template == "text" and source.heads is None:
        raise UsageError(
            f"{source.weights} is an adapter of a classifier, and lacks {FILE}, which says what its outputs answer; "
            "merge the finished run"
        )
    return source.heads


def load_adapter(model: Any, folder: Path) -> Any:
    """The adapter in `folder` on its base; see `emollms.inference.weights.load_adapter`.

    Raises:
        EmollmsError: it does not fit, or cannot be merged.
    """
    try:
        adapted = weights.load_adapter(model, str(folder))
    except EmollmsError:
        raise
    except Exception as error:  # PEFT raises anything where an adapter does not fit
        raise EmollmsError(
            f"the adapter in {folder} does not fit its base ({in_a_line(error)}); train again, or give its base with "
            "--base"
        ) from error
    if not hasattr(adapted, "merge_and_unload"):
        kind = adapted.peft_config["default"].peft_type.value
        raise UsageError(f"{folder} is an adapter of the kind {kind}, which cannot be merged: it works only with PEFT")
    return adapted


def _named(source: MergeSource) -> tuple[str, str | None]:
    """Name and revision of the base; that of the run if the folder that the adapter names is gone."""
    adapter = adapter_settings(source.weights)
    name = str(adapter.get("base_model_name_or_path") or "")
    if source.base and not Path(name).is_dir() and (Path(name).is_absolute() or source.base != name):
        name = resolve_model(source.base)
    if not name:
        raise UsageError(f"the adapter in {source.weights} names no base model; give it with --base")
    if Path(name).is_dir():
        return name, None
    if Path(name).is_absolute() or name.startswith("."):
        raise UsageError(f"the base model {name} no longer exists; give its new place with --base")
    recorded = source.revision
    return name, recorded if recorded and not recorded.startswith("sha256:") else adapter.get("revision")


def _check_hash(name: str, source: MergeSource, warn: Warn | None) -> None:
    """Check that a folder holds the model of the training; with `warn`, for a base that the user gave, only warn."""
    recorded = source.revision or ""
    if not Path(name).is_dir() or not recorded.startswith("sha256:") or weights_hash(Path(name)) == recorded:
        return
    text = f"{name} is not the model that the run was trained on: the hashes of its files differ"
    if warn is None:
        raise EmollmsError(f"{text}; restore it, or give its place with --base")
    warn(text)


def _check_vocabulary(name: str, revision: str | None, tokenizer: Any, source: MergeSource) -> None:
    """Check that the base's tokenizer agrees with the adapter's, which may have added tokens.

    Raises:
        EmollmsError: it does not, so this is not the base of the adapter.
    """
    try:
        of_base = AutoTokenizer.from_pretrained(name, revision=revision)
    except Exception:  # without a tokenizer there is nothing to compare
        return
    # A classifier's tokenizer adds a cue, and may spell out emoji: neither makes it that of another base.
    if source.template == "text" and of_base.is_fast and tokenizer.is_fast:
        of_base.backend_tokenizer.normalizer = tokenizer.backend_tokenizer.normalizer
    for text in prompts():
        if of_base(text, **_BARE).input_ids != tokenizer(text, **_BARE).input_ids:
            raise EmollmsError(
                f"{name} and {source.weights} tokenize texts differently, so it is not the base of the adapter; give "
                "that with --base"
            )
