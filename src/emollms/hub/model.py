"""A tuned model, merged or as an adapter, as a release."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from huggingface_hub import HfApi

from emollms.dataset.manifest import README
from emollms.errors import EmollmsError, UsageError
from emollms.hub.checks import check_sensitive
from emollms.hub.evidence import Evidence
from emollms.hub.model_card import render_model_card
from emollms.hub.model_files import ADAPTER, CONFIG, check_code, check_tokenizer, check_weights, model_files, read_json
from emollms.hub.release import LocalFile, Release, local_file, local_files, made_file
from emollms.hub.repo import FROM_THE_CLIENT
from emollms.hub.rights import refuse_bound_rows
from emollms.optional import check_installed
from emollms.storage import CALIBRATION
from emollms.training.manifest import MODEL, NAME, RunManifest, read_run

OPEN = ("mit", "apache-2.0", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "cc-by-4.0", "odc-by", "unlicense", "isc")
"""Licences of data that ask for no more than to name whose it is."""


def model_license(run: RunManifest, given: str | None, api: HfApi | None = None) -> str:
    """The licence of a model, as the Hub names it.

    A model keeps the licence of the model that it was tuned from, where its data ask for nothing more than to be named.

    Args:
        run: the record of its run.
        given: what its publisher says; it is taken as it is.
        api: the client.

    Raises:
        UsageError: none was given, and the licence does not follow; the message tells what it was made of.
    """
    if given:
        return given
    base = _license_of(run, api or HfApi(library_name="emollms"))
    data = {source.corpus: source.license for source in run.data.sources}
    asking = [f"{corpus} ({license})" for corpus, license in data.items() if license not in OPEN]
    if base and not asking:
        return base
    name = run.model.repository or run.model.name
    reason = f"of the data {', '.join(asking)}" if base else f"the licence of {name} is not to be found"
    chain = (
        f"base model {name} ({base or 'unknown'}); data {', '.join(f'{name} ({one})' for name, one in data.items())}"
    )
    raise UsageError(f"give the model's licence with --license ID; it does not follow, because {reason}: {chain}")


def _license_of(run: RunManifest, api: HfApi) -> str | None:
    """The licence that the card of the base model states; None where that cannot be read."""
    if not run.model.repository:
        return None
    try:
        card = api.model_info(run.model.repository).card_data
    except FROM_THE_CLIENT:
        return None
    stated = card.get("license") if card else None
    return str(stated) if stated and stated != "other" else None


COMMIT = re.compile("[0-9a-f]{40}")
WHOLE_PATH = re.compile(r"(?<![^\s='\"])(?:~|[A-Za-z]:)?[/\\](?:[^/\\\s]+[/\\])*([^/\\\s]+)[/\\]?")
"""A path from the root, a drive or a home; its last part stands for it."""
NEEDED = ("torch", "transformers")
"""What loading a model back takes; an adapter takes `peft` as well."""


@dataclass(frozen=True)
class ModelOptions:
    """What whoever publishes a model knows besides.

    Args:
        scores: folders of `emollms evaluate`.
        calibration: file of `emollms calibrate`; None for the one in the model's folder, where there is one.
        license: the model's licence, as the Hub names it; None where it follows from what the model was made of.
        data_repo: the repository of the data on the Hub.
        extra: further files, such as the model as GGUF.
    """

    scores: Sequence[Path] = ()
    calibration: Path | None = None
    license: str | None = None
    data_repo: str | None = None
    extra: Sequence[Path] = ()


@dataclass(frozen=True)
class LocalModel:
    """A model here that was checked.

    Args:
        folder: the folder of its weights.
        run: the record of its run.
        files: its files as they are to be published, but for the card.
        notes: what whoever publishes it should know.
    """

    folder: Path
    run: RunManifest
    files: Mapping[str, LocalFile]
    notes: tuple[str, ...] = field(default=())

    @property
    def relation(self) -> Literal["finetune", "adapter"]:
        """What is published of it: all weights, or an adapter."""
        return "adapter" if ADAPTER in self.files else "finetune"


def model_releases(folder: Path, repo: str, options: ModelOptions = ModelOptions()) -> Callable[[str], Release]:
    """A function that makes the release of a model under a version; only the card differs from version to version.

    Args:
        folder: a merged model, a run, or the model in it.
        repo: the repo.
        options: what else is known.

    Raises:
        UsageError: there is no such model; the licence is missing; scores or calibration are of another one.
        EmollmsError: it is incomplete, or must not be published.
    """
    model = local_model(folder)
    _check_needed(model)
    kept = model.folder / CALIBRATION
    fitted = options.calibration or (kept if kept.is_file() else None)
    evidence = Evidence(model.folder, repo, options.scores, fitted)
    scores, unsure = evidence.read_scores()
    calibration = evidence.read_calibration()
    license = model_license(model.run, options.license)
    data_repo = options.data_repo or _data_repo(model.run)
    files = dict(model.files)
    if fitted:
        files[CALIBRATION] = local_file(fitted, CALIBRATION)
    files |= {path.name: local_file(path, path.name) for path in options.extra}
    notes = (*model.notes, *unsure, *check_sensitive(files))
    refuse_bound_rows(files)

    def make(version: str) -> Release:
        card = render_model_card(
            model.run, scores, repo=repo, version=version, license=license, relation=model.relation,
            calibration=calibration, data_repo=data_repo,
        )  # fmt: skip
        readme = made_file(README, card.encode("utf-8"))
        check_sensitive({README: readme})
        return Release("model", model.run.name, version, {README: readme, **files}, load_model_back, notes)

    return make


def local_model(folder: Path) -> LocalModel:
    """A model here, with its record; all that can be checked without its scores is checked.

    Raises:
        UsageError: there is no model.
        EmollmsError: it is incomplete, or must not be published.
    """
    place, record = find_model(folder)
    run = read_run(record)
    paths = model_files(place)
    check_code(place, paths)
    check_tokenizer(place, paths, run.template)
    _check_run(place, run, paths, check_weights(place, paths))
    written = _record(record)
    files = local_files(place, paths) | {NAME: written}
    if ADAPTER in files:
        files[ADAPTER] = _adapter_config(place, run, files[ADAPTER])
    notes = []
    if (place / README).is_file():
        notes.append(f"the {README} in {place} is left out: the card is made from {NAME}")
    if written.read() != (record / NAME).read_bytes():
        notes.append(f"{NAME} goes out without the folders of this machine")
    return LocalModel(place, run, dict(sorted(files.items())), tuple(notes))


def find_model(folder: Path) -> tuple[Path, Path]:
    """The folder of the weights, and that of the record: a run keeps its model in a folder inside.

    Raises:
        UsageError: there is no such folder.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder; give a merged model, or a finished run")
    if (folder / NAME).is_file() and not any((folder / name).is_file() for name in (CONFIG, ADAPTER)):
        return folder / MODEL, folder
    if not (folder / NAME).is_file() and folder.resolve().name == MODEL and (folder.resolve().parent / NAME).is_file():
        return folder, folder.resolve().parent
    return folder, folder


def _check_run(folder: Path, run: RunManifest, files: Sequence[str], numbers: int) -> None:
    """Refuse a model that is not what its record says.

    Raises:
        EmollmsError: it is not.
    """
    is_adapter = ADAPTER in files
    if not is_adapter and CONFIG not in files:
        raise EmollmsError(f"{folder} lacks {CONFIG}; save the model again")
    if is_adapter and run.method == "full":
        raise EmollmsError(f"{folder} holds an adapter, and {NAME} says that all weights were trained")
    said = run.model.family if is_adapter else str(read_json(folder / CONFIG).get("model_type"))
    if said != run.model.family:
        raise EmollmsError(f"{folder / CONFIG} is of family {said}, and {NAME} says {run.model.family}")
    least = run.model.trainable if is_adapter else run.model.parameters
    if numbers < least:
        raise EmollmsError(f"{folder} holds {numbers:,} weights, and {NAME} says {least:,}; save the model again")


def _record(folder: Path) -> LocalFile:
    """The record of a run, with names in place of whole paths: those tell whose machine it was."""
    text = (folder / NAME).read_text(encoding="utf-8")
    shown = json.dumps(_without_folders(json.loads(text)), indent=2, ensure_ascii=False) + "\n"
    return made_file(NAME, shown.encode("utf-8"))


def _without_folders(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_folders(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_without_folders(one) for one in value]
    return WHOLE_PATH.sub(r"\1", value) if isinstance(value, str) else value


def _adapter_config(folder: Path, run: RunManifest, config: LocalFile) -> LocalFile:
    """The configuration of an adapter, naming its base model as the Hub knows it, and the commit if that is known."""
    found = json.loads(config.read())
    base = found.get("base_model_name_or_path")
    if run.model.repository is None:
        raise EmollmsError(
            f"{folder / ADAPTER} names the base model {base}, which only this machine has; merge the adapter with "
            f"`emollms merge`, and publish that"
        )
    commit = run.model.revision if COMMIT.fullmatch(run.model.revision or "") else found.get("revision")
    if base == run.model.repository and commit == found.get("revision"):
        return config
    found |= {"base_model_name_or_path": run.model.repository, "revision": commit}
    return made_file(ADAPTER, (json.dumps(found, indent=2, sort_keys=True) + "\n").encode("utf-8"))


def _data_repo(run: RunManifest) -> str | None:
    """The repository of the data, where the run took them from the Hub."""
    repo, _, revision = run.data.target.partition("@")
    return repo if revision and repo.count("/") == 1 else None


def _check_needed(model: LocalModel) -> None:
    needed = (*NEEDED, "peft") if model.relation == "adapter" else NEEDED
    check_installed(needed, "train", "a model is loaded before and after it is sent, which")


def load_model_back(folder: Path, cache: Path) -> None:
    """Load a model and its tokenizer, and read a few words with them.

    Args:
        folder: what was downloaded.
        cache: an empty folder.

    Raises:
        EmollmsError: it does not load, or gives no numbers.
    """
    from emollms.inference.loading import load_and_read

    load_and_read(folder)
