"""A tuned model, merged or as an adapter, as a release."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from emollms.dataset.manifest import README
from emollms.errors import EmollmsError, UsageError
from emollms.evaluation.calibration import Calibration
from emollms.evaluation.run_folder import SCORES
from emollms.evaluation.scores import Scores
from emollms.hub.eval_results import eval_results
from emollms.hub.model_card import render_model_card
from emollms.hub.model_files import ADAPTER, CONFIG, check_code, check_tokenizer, check_weights, model_files, read_json
from emollms.hub.model_license import model_license
from emollms.hub.release import LocalFile, Release, local_file, local_files, made_file
from emollms.hub.rights import refuse_bound_rows
from emollms.hub.sensitive import check_sensitive
from emollms.inference.classifiers import heads_of
from emollms.optional import check_installed
from emollms.storage import CALIBRATION, weights_hash
from emollms.training.manifest import MODEL, NAME, RunManifest, read_run

COMMIT = re.compile("[0-9a-f]{40}")
WHOLE_PATH = re.compile(r"(?<![^\s='\"])(?:~|[A-Za-z]:)?[/\\](?:[^/\\\s]+[/\\])*([^/\\\s]+)[/\\]?")
"""A path from the root, a drive or a home; only its last part is shown."""
NEEDED = ("torch", "transformers")
"""What loading a model back takes; an adapter takes `peft` as well."""


@dataclass(frozen=True)
class ModelOptions:
    """What is known of a model besides its run.

    Args:
        scores: folders of `emollms evaluate`.
        calibration: file of `emollms calibrate`; None for the one in the model's folder, where there is one.
        license: the model's licence, as the Hub names it; None where it follows from what the model was made of.
        data_repo: the repository of the data on the Hub.
        benchmark_repo: the benchmark on the Hub that scores of a folder are of.
        extra: further files, such as the model as GGUF.
    """

    scores: Sequence[Path] = ()
    calibration: Path | None = None
    license: str | None = None
    data_repo: str | None = None
    benchmark_repo: str | None = None
    extra: Sequence[Path] = ()


@dataclass(frozen=True)
class LocalModel:
    """A model here that was checked.

    Args:
        folder: the folder of its weights.
        run: the record of its run.
        files: its files as they are to be published, but for the card.
        notes: what its publisher should know.
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
    model = local_model(folder, options.scores)
    needed = (*NEEDED, "peft") if model.relation == "adapter" else NEEDED
    check_installed(needed, "train", "a model is loaded before and after it is sent, which")
    kept = model.folder / CALIBRATION
    fitted = options.calibration or (kept if kept.is_file() else None)
    evidence = Evidence(model.folder, repo, options.scores, fitted)
    scores, unsure = evidence.read_scores()
    calibration = evidence.read_calibration()
    license, heads = model_license(model.run, options.license), heads_of(str(model.folder))
    files = dict(model.files)
    if fitted:
        files[CALIBRATION] = local_file(fitted, CALIBRATION)
    files |= {path.name: local_file(path, path.name) for path in options.extra}
    results, unlisted = eval_results(scores, options.benchmark_repo)
    files |= results
    notes = (*model.notes, *unsure, *unlisted, *check_sensitive(files))
    refuse_bound_rows(files)

    def make(version: str) -> Release:
        card = render_model_card(
            model.run, scores, repo=repo, version=version, license=license, relation=model.relation,
            calibration=calibration, data_repo=options.data_repo, heads=heads,
        )  # fmt: skip
        readme = made_file(README, card.encode("utf-8"))
        check_sensitive({README: readme})
        return Release("model", model.run.name, version, {README: readme, **files}, load_model_back, notes)

    return make


@dataclass(frozen=True)
class Evidence:
    """Scores and calibration of a model.

    Args:
        folder: the model.
        repo: where it is published to; what was scored there is taken for it.
        scores: folders of `emollms evaluate`.
        calibration: file of `emollms calibrate`.
    """

    folder: Path
    repo: str
    scores: Sequence[Path] = ()
    calibration: Path | None = None

    @cached_property
    def _hash(self) -> str:
        return weights_hash(self.folder)

    def read_scores(self) -> tuple[list[Scores], list[str]]:
        """What each `scores.json` holds, and notes about those that cannot be checked.

        Raises:
            UsageError: a folder holds none, or they are of another model.
            EmollmsError: a file is damaged.
        """
        found: list[Scores] = []
        notes: list[str] = []
        for folder in self.scores:
            scores = Scores.read(folder / SCORES)
            notes += self._check(folder, scores)
            found.append(scores)
        return found, notes

    def _check(self, folder: Path, scores: Scores) -> list[str]:
        """Refuse scores of another model.

        Returns:
            A note, if that cannot be checked.
        """
        source = scores.run.settings.source
        if not source:
            raise EmollmsError(f"{folder / SCORES} does not say what was scored; evaluate the model again")
        model = str(source.get("model", ""))
        if "baseline" in source:
            raise UsageError(f"{folder} holds scores of the baseline {source['baseline']}, not of the model")
        if "ensemble" in source:
            raise UsageError(f"{folder} holds scores of an ensemble, {scores.name}, not of the model alone")
        if "weights" in source and source["weights"] != self._hash:
            raise UsageError(f"{folder} holds scores of other weights than those in {self.folder}; evaluate these")
        if "endpoint" in source or "predictions" in source:
            what = f"the served model {model}" if model else "a file of answers"
            return [f"the scores in {folder} are of {what}; make sure that it is this model"]
        if model and model.partition("@")[0] != self.repo:
            raise UsageError(f"{folder} holds scores of {model}, not of {self.folder} or {self.repo}; evaluate these")
        return []

    def read_calibration(self) -> Mapping[str, Any] | None:
        """What the file of the calibration holds; None without one.

        Raises:
            UsageError: it is none, or of other weights.
        """
        if self.calibration is None:
            return None
        fitted = Calibration.read(self.calibration)
        if (fitted.model_hash or "").startswith("sha256:") and fitted.model_hash != self._hash:
            raise UsageError(
                f"{self.calibration} was fitted for other weights than those in {self.folder}; calibrate these"
            )
        if len(fitted.predictors) > 1 or any("baseline" in one for one in fitted.predictors):
            raise UsageError(f"{self.calibration} was fitted for {fitted.model}, not for {self.folder} alone")
        return dict(json.loads(fitted.model_dump_json()))


def check_model(folder: Path, scores: Sequence[Path] = ()) -> tuple[Path, Path, RunManifest, list[str]]:
    """Check all that does not take reading the weights, or the network.

    Returns:
        The folder of the weights, that of the record, the record, and the paths of the model's files.

    Raises:
        UsageError: there is no model, or a folder of `scores` holds none.
        EmollmsError: it is incomplete, or must not be published.
    """
    for one in scores:
        if not (one / SCORES).is_file():
            raise UsageError(f"{one} holds no {SCORES}; make it with `emollms evaluate --out {one}`")
    place, record = find_model(folder)
    run = read_run(record)
    paths = model_files(place)
    check_code(place, paths)
    check_tokenizer(place, paths, run.template)
    _check_run(place, run, paths, check_weights(place, paths))
    return place, record, run, paths


def local_model(folder: Path, scores: Sequence[Path] = ()) -> LocalModel:
    """A model here, with its record, after `check_model`, which raises what is wrong with it."""
    place, record, run, paths = check_model(folder, scores)
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
    if run.template == "text" and heads_of(str(folder)) is None:
        raise EmollmsError(
            f"{folder} does not say what its outputs answer; save the model again, as `emollms train` did"
        )
    if is_adapter and run.method == "full":
        raise EmollmsError(f"{folder} holds an adapter, and {NAME} says that all weights were trained")
    said = run.model.family if is_adapter else str(read_json(folder / CONFIG).get("model_type"))
    if said != run.model.family:
        raise EmollmsError(f"{folder / CONFIG} is of family {said}, and {NAME} says {run.model.family}")
    least = run.model.trainable if is_adapter else run.model.parameters
    if numbers < least:
        raise EmollmsError(f"{folder} holds {numbers:,} weights, and {NAME} says {least:,}; save the model again")


def _record(folder: Path) -> LocalFile:
    """The record of a run, with names in place of whole paths: those reveal whose machine it was."""
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
