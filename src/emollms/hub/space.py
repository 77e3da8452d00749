"""A demo of a published model, as a Space: what `emollms space` wrote, as a release.

The Space carries the part of this package that asks a model, so that it gives the answers of `emollms evaluate`, and
needs no release of the package on an index.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from emollms.dataset.manifest import FileEntry
from emollms.errors import EmollmsError, UsageError
from emollms.hub.checks import check_sensitive, checked_files, refuse_others
from emollms.hub.release import LocalFile, Release
from emollms.hub.repo import Remote
from emollms.hub.rights import refuse_bound_rows
from emollms.storage import Strict

NAME, APP, REQUIREMENTS = "space.json", "app.py", "requirements.txt"
ENDINGS = (".py", ".yaml", ".json", ".md", ".txt", ".typed")
"""Kinds of files that a Space is made of."""


class SpaceManifest(Strict):
    """What a Space is.

    Args:
        format: number of this form.
        model: repository of the model that it asks.
        revision: tag or commit of the model.
        title: its name for people.
        license: of the Space.
        tasks: what can be asked.
        files: all its files but this one.
        made_with: version of this package.
    """

    format: Literal[1] = 1
    model: str
    revision: str
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
        UsageError: there is none, or there are files that nobody expects.
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
    model = Remote(space.manifest.model, "model")
    state = model.state()
    if state is None:
        raise UsageError(f"there is no model {model.repo} on the Hub that this account may see; publish it first")
    model.files(space.manifest.revision)
    notes = check_sensitive(space.files)
    refuse_bound_rows(space.files)
    if state.private:
        notes = (*notes, f"{model.repo} is private: the Space needs the secret HF_TOKEN in its settings to read it")
    return lambda version: Release("space", space.manifest.title, version, space.files, load_space_back, notes)


def load_space_back(folder: Path, cache: Path) -> None:
    """Read what a Space starts from: its settings, and its code as Python.

    Args:
        folder: what was downloaded.
        cache: an empty folder.

    Raises:
        EmollmsError: it cannot be read.
    """
    for entry in _read(folder).files:
        if entry.path.endswith(".py"):
            try:
                compile((folder / entry.path).read_bytes(), entry.path, "exec")
            except SyntaxError as error:
                raise EmollmsError(f"{entry.path} is no Python: {error.msg}; make the Space again") from None
