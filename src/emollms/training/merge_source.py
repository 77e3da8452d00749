"""What `emollms merge` was given: a run, the model in one, a checkpoint of one, or an adapter made elsewhere."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from transformers import AutoTokenizer

from emollms.errors import EmollmsError, UsageError
from emollms.inference.loading import load_tokenizer
from emollms.prompts.framing import Template, framing_chat_template, resolve_template
from emollms.training.checkpoints import defect
from emollms.training.folder import SETTINGS
from emollms.training.manifest import CHECKPOINTS, MODEL, NAME, read_run

ADAPTER = "adapter_config.json"
CONFIG = "config.json"
_STATE = "trainer_state.json"


@dataclass(frozen=True)
class MergeSource:
    """Weights to merge, and what is known of them.

    Args:
        weights: the folder with adapter or weights, and the tokenizer.
        record: the record of the run, a file; None where there is no finished run.
        template: how prompts were framed.
        base: the base model as the run names it; None where the adapter alone knows.
        revision: of the base, as the run recorded it: a commit, or `sha256:` and a hash of its files.
        is_run: whether emollms trained it.
    """

    weights: Path
    record: Path | None
    template: Template
    base: str | None = None
    revision: str | None = None
    is_run: bool = True

    @property
    def is_adapter(self) -> bool:
        """Whether there is a base to merge it into."""
        return (self.weights / ADAPTER).is_file()

    def framing(self, tokenizer: Any) -> Literal["frame", "chat"]:
        """The template, for this tokenizer."""
        return resolve_template(tokenizer, self.template)


def find_source(folder: Path) -> MergeSource:
    """What a folder holds that can be merged.

    Raises:
        UsageError: nothing.
        EmollmsError: a checkpoint that was not written to its end, or a damaged record.
    """
    is_model = _holds_model(folder) and not (folder / MODEL).is_dir()  # RUN/model, which `emollms train` names
    recorded = folder.resolve().parent if is_model and not (folder / NAME).is_file() else folder
    if (recorded / NAME).is_file() and (recorded == folder or folder.resolve().name == MODEL):
        run = read_run(recorded)
        weights = folder if is_model else folder / MODEL
        return MergeSource(weights, recorded / NAME, run.template, run.model.name, run.model.revision)
    if (folder / _STATE).is_file() and (folder.parent.parent / SETTINGS).is_file():
        return _checkpoint(folder)
    if (folder / ADAPTER).is_file():
        adapter_settings(folder)
        return MergeSource(folder, None, "auto", is_run=False)
    if (folder / CONFIG).is_file():
        raise UsageError(f"{folder} holds a whole model and no adapter: there is nothing to merge")
    if folder.is_dir() and not (folder / CHECKPOINTS).is_dir():
        raise UsageError(
            f"{folder} holds no finished run: {NAME} is missing; make one with `emollms train`, or give an adapter "
            f"with its {ADAPTER}"
        )
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}; give a run that `emollms train` finished, or an adapter")
    raise UsageError(
        f"{folder} holds no finished run: {NAME} is missing; let the same `emollms train` finish it, or give one of "
        f"{folder / CHECKPOINTS}"
    )


def read_tokenizer(source: MergeSource) -> Any:
    """The tokenizer of what is merged; for an adapter made elsewhere that has none, that of its base.

    Raises:
        EmollmsError: a run has none.
        UsageError: an adapter made elsewhere has none, and its base neither.
    """
    if source.is_run and not (source.weights / "tokenizer_config.json").is_file():
        raise EmollmsError(f"{source.weights} has no tokenizer, and a model is never merged without one; train again")
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
            f"{source.weights} has no tokenizer, nor has its base ({' '.join(str(error).split())[:200]}); save it with "
            "the adapter"
        ) from error


def adapter_settings(folder: Path) -> Mapping[str, Any]:
    """What `adapter_config.json` says.

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
        EmollmsError: it was not written to its end.
    """
    if (fault := defect(folder)) is not None:
        raise EmollmsError(f"{folder} cannot be merged: {fault}; give another checkpoint, or the run")
    settings = json.loads((folder.parent.parent / SETTINGS).read_text(encoding="utf-8"))
    recipe = settings["recipe"]
    revision = str(settings.get("model"))
    return MergeSource(
        folder,
        None,
        recipe.get("template", "auto"),
        str(recipe["model_name_or_path"]),
        revision if revision.startswith("sha256:") else recipe.get("model_revision"),
    )


def _holds_model(folder: Path) -> bool:
    return any((folder / name).is_file() for name in (ADAPTER, CONFIG))
