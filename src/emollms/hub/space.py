"""A demo of a published model, as a Space: what `emollms space` wrote, as a release.

The Space carries the part of this package that asks a model, so that it gives the answers of `emollms evaluate`, and
needs no release of the package on an index.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from emollms import __version__
from emollms.dataset.manifest import README, entry
from emollms.dataset.manifest_entries import FileEntry
from emollms.errors import EmollmsError, UsageError
from emollms.hub.card_checks import metadata_in
from emollms.hub.model_files import ADAPTER
from emollms.hub.plan import published_versions
from emollms.hub.release import LocalFile, Release, checked_files, refuse_others
from emollms.hub.repo import Remote
from emollms.hub.rights import refuse_bound_rows
from emollms.hub.sensitive import check_sensitive
from emollms.hub.state import RemoteFile, RepoState
from emollms.network import require_hub
from emollms.storage import Strict, commit, draft, recover, write_json
from emollms.tasks import TASKS, get_task, training_tasks
from emollms.templates import render_card
from emollms.training.manifest import NAME as RUN

NAME, APP, REQUIREMENTS = "space.json", "app.py", "requirements.txt"
ENDINGS = (".py", ".yaml", ".json", ".md", ".txt", ".typed", ".html")
"""Kinds of files that a Space is made of."""
SDK_VERSION = "6.31.0"
"""The gradio of a Space where none is installed here; else it is that one, with which the demo was tried."""
LONGEST_ABOUT = 60
"""Characters that the Hub shows of `short_description`."""
CARRIED = (
    "__init__.py", "bfloat16.py", "errors.py", "hardware.py", "locations.py", "network.py", "optional.py",
    "progress.py", "py.typed", "storage.py", "tasks", "prompts", "inference",
)  # fmt: skip
"""What of the package a Space carries, besides the instructions in English."""
PACKAGES = (
    "torch>=2.6", "transformers>=5.20", "safetensors>=0.5", "pyyaml>=6.0", "numpy>=2.0", "pydantic>=2.10", "filelock",
)  # fmt: skip
"""What that part needs; the Hub adds gradio, in the version that the card names."""


class SpaceManifest(Strict):
    """What a Space is.

    Args:
        format: number of this form.
        model: repository of the model that a demo asks; None for a leaderboard.
        revision: tag or commit of the model.
        answers: repositories of the answers that a leaderboard was made from.
        title: its name for people.
        license: of the Space.
        tasks: what can be asked.
        files: all its files but this one.
        made_with: version of this package.
    """

    format: Literal[1] = 1
    model: str | None = None
    revision: str | None = None
    answers: tuple[str, ...] = ()
    title: str
    license: str
    tasks: list[str]
    files: list[FileEntry]
    made_with: str


@dataclass(frozen=True)
class LocalSpace:
    """A Space here that was checked.

    Args:
        manifest: what it is.
        files: all its files.
    """

    manifest: SpaceManifest
    files: Mapping[str, LocalFile]


def local_space(folder: Path) -> LocalSpace:
    """A Space here.

    Raises:
        UsageError: there is none, or there are unexpected files.
        EmollmsError: it is damaged.
    """
    manifest = _read(folder)
    files = checked_files(folder, manifest.files, NAME)
    refuse_others(folder, files, "the Space")
    if others := [path for path in files if not path.endswith(ENDINGS)]:
        raise EmollmsError(f"a Space is made of {', '.join(ENDINGS)} files; refused: {', '.join(others)}")
    return LocalSpace(manifest, dict(sorted(files.items())))


def _read(folder: Path) -> SpaceManifest:
    path = folder / NAME
    if not path.is_file():
        raise UsageError(f"{folder} holds no Space: {NAME} is missing; make one with `emollms space MODEL --out DIR`")
    try:
        return SpaceManifest.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise EmollmsError(f"{path} is damaged ({str(error).splitlines()[0]}); make the Space again") from None


def space_releases(folder: Path) -> Callable[[str], Release]:
    """A function that makes the release of a Space under a version; its files are the same under each.

    Raises:
        UsageError: there is no Space, or its model is not on the Hub.
        EmollmsError: it is damaged, or holds secrets.
    """
    space = local_space(folder)
    manifest = space.manifest
    own = _check_model(manifest) if manifest.model else _check_answers(manifest)
    refuse_bound_rows(space.files)
    notes = (*check_sensitive(space.files), *own)
    sdk: Literal["gradio", "static"] = "gradio" if manifest.model else "static"
    return lambda version: Release("space", manifest.title, version, space.files, load_space_back, notes, sdk)


def _check_model(manifest: SpaceManifest) -> tuple[str, ...]:
    """Make sure that the model of a demo is on the Hub; gives what its publisher should know."""
    model = Remote(str(manifest.model), "model")
    state = model.state()
    if state is None:
        raise UsageError(f"there is no model {model.repo} on the Hub that this account may see; publish it first")
    model.files(str(manifest.revision))
    return (
        (f"{model.repo} is private: the Space needs the secret HF_TOKEN in its settings to read it",)
        if state.private
        else ()
    )


def _check_answers(manifest: SpaceManifest) -> tuple[str, ...]:
    """Make sure that the answers of a leaderboard are on the Hub; gives what its publisher should know."""
    notes = []
    for name in manifest.answers:
        state = Remote(name).state()
        if state is None:
            raise UsageError(f"there are no answers {name} on the Hub that this account may see; publish them first")
        if state.private:
            notes.append(f"{name} is private: nobody else can score its answers again")
    return tuple(notes)


def load_space_back(folder: Path, cache: Path) -> None:
    """Read what a Space starts from: its settings, and its code as Python.

    Args:
        folder: what was downloaded.
        cache: an empty folder.

    Raises:
        EmollmsError: it cannot be read.
    """
    for path in (file.path for file in _read(folder).files if file.path.endswith(".py")):
        try:
            compile((folder / path).read_bytes(), path, "exec")
        except SyntaxError as error:
            raise EmollmsError(f"{path} is not valid Python: {error.msg}; make the Space again") from None


def render_space_card(model_repo: str, revision: str, title: str, license: str) -> str:
    """The README of a Space.

    Args:
        model_repo: the model that it asks, `OWNER/NAME`.
        revision: its tag or commit.
        title: the name of the Space for people.
        license: the licence of the Space, as the Hub names it.
    """
    metadata = {
        "title": title,
        "emoji": "🎭",
        "colorFrom": "indigo",
        "colorTo": "pink",
        "sdk": "gradio",
        "sdk_version": _gradio(),
        "python_version": "3.11",
        "app_file": APP,
        "pinned": False,
        "models": [model_repo],
        **({"license": license} if license != "other" else _own_terms(model_repo)),
        "short_description": "The affect of a text, read by a tuned language model"[:LONGEST_ABOUT],
        "tags": ["emotion", "sentiment", "affective-computing", "emollms"],
    }
    values = {"model_repo": model_repo, "revision": revision, "title": title, "sdk_version": metadata["sdk_version"]}
    return render_card("space/README.md.j2", metadata, **values)


def _gradio() -> str:
    try:
        return version("gradio")
    except PackageNotFoundError:
        return SDK_VERSION


def _own_terms(model_repo: str) -> dict[str, object]:
    """What the Hub asks for beside the licence `other`: here the model's."""
    name = "terms-of-the-model"
    return {"license": "other", "license_name": name, "license_link": f"https://huggingface.co/{model_repo}#licence"}


def write_space(
    model: str,
    out: Path,
    title: str | None = None,
    license: str | None = None,
    tasks: Sequence[str] = (),
) -> SpaceManifest:
    """Write a demo of a model; it appears when everything is written.

    Args:
        model: `OWNER/NAME`, for its newest version, or `OWNER/NAME@REVISION`.
        out: the folder; a Space that is there is replaced.
        title: its name for people.
        license: its licence, as the Hub names it; that of the model by default.
        tasks: what can be asked; what the model was tuned for by default.

    Raises:
        UsageError: there is no such model, or it states no licence; or `out` holds something else.
    """
    check_space_place(out)
    repo, _, revision = model.partition("@")
    wanted = [get_task(name).name for name in tasks]
    require_hub()
    remote = Remote(repo, "model")
    state = remote.state()
    if state is None:
        raise UsageError(f"there is no model {repo} on the Hub that this account may see; publish it first")
    if license:
        remote.check_license(license)
    revision = revision or _newest(state)
    there = remote.files(revision)
    manifest = SpaceManifest(
        model=repo,
        revision=revision,
        title=title or f"{repo.split('/')[1]}: a demo",
        license=license or _license(remote, revision, there),
        tasks=wanted or _tasks(remote, revision, there),
        files=[],
        made_with=__version__,
    )
    with draft(out) as unfinished:
        _write(manifest, unfinished, [*PACKAGES, "peft>=0.21"] if ADAPTER in there else PACKAGES)
        commit(unfinished, out)
    return manifest


def check_space_place(out: Path) -> None:
    """Make sure that a Space can be written into a folder, in place of the one that is there.

    Raises:
        UsageError: it holds something else.
    """
    recover(out)
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / NAME).is_file())):
        raise UsageError(f"{out} exists and holds no Space; choose another --out")


def _newest(state: RepoState) -> str:
    versions = published_versions(state.tags)
    return f"v{versions[-1]}" if versions else state.head


def _license(remote: Remote, revision: str, there: dict[str, RemoteFile]) -> str:
    stated = None
    if README in there:
        try:
            stated = metadata_in(remote.read(README, revision), README).get("license")
        except EmollmsError:
            stated = None
    if not isinstance(stated, str):
        raise UsageError(f"{remote.repo} states no licence; give that of the Space with --license ID")
    return stated


def _tasks(remote: Remote, revision: str, there: dict[str, RemoteFile]) -> list[str]:
    """What the model was tuned for, where it says so."""
    named = []
    if RUN in there:
        try:
            named = list(json.loads(remote.read(RUN, revision))["rows"])
        except (ValueError, KeyError, TypeError):
            named = []
    known = [name for name in TASKS if name in named]
    return known or [task.name for task in training_tasks()]


def _write(manifest: SpaceManifest, folder: Path, packages: Sequence[str]) -> None:
    card = render_space_card(str(manifest.model), str(manifest.revision), manifest.title, manifest.license)
    (folder / README).write_text(card, encoding="utf-8")
    (folder / REQUIREMENTS).write_text("".join(f"{package}\n" for package in packages), encoding="utf-8")
    (folder / APP).write_bytes((files("emollms.cards") / "space" / APP).read_bytes())
    for path, source in _carried():
        target = folder / "emollms" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
    sign(manifest, folder)


def sign(manifest: SpaceManifest, folder: Path) -> None:
    """Write the manifest of a Space whose other files are written, with the hashes of these."""
    written = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    whole = manifest.model_copy(update={"files": [entry(folder, path) for path in written]})
    write_json(folder / NAME, whole.model_dump(exclude_defaults=False))


def _carried() -> Iterator[tuple[str, Traversable]]:
    """The files of the package that go along, with their paths below `emollms/`."""
    package, builders = files("emollms"), files("emollms.builders")
    for name in CARRIED:
        yield from _below(package / name, name)
    yield "builders/__init__.py", builders / "__init__.py"
    yield from _below(builders / "instructions" / "en", "builders/instructions/en")


def _below(place: Traversable, path: str) -> Iterator[tuple[str, Traversable]]:
    if place.is_file():
        yield path, place
        return
    for inner in place.iterdir():
        if inner.name != "__pycache__":
            yield from _below(inner, f"{path}/{inner.name}")
