"""The versions of data sets that lie on this machine."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from emollms.dataset.manifest import NAME, read_manifest
from emollms.errors import EmollmsError, UsageError
from emollms.locations import missing

_DEPTH = 4
"""How far below a folder data sets are looked for."""


@dataclass(frozen=True)
class DatasetVersion:
    """A version of a data set in a folder.

    Args:
        name: of the data set.
        version: semantic version.
        profile: `release` or `paper`; empty where the manifest is older than profiles.
        rows: over all tasks, splits and wordings.
        redistribution: what may be passed on: `text`, `ids` or `none`.
        folder: where it is.
    """

    name: str
    version: str
    profile: str
    rows: int
    redistribution: str
    folder: Path


def find_versions(place: Path) -> list[DatasetVersion]:
    """The built data sets in a folder and the folders in it, down to the fourth level; damaged ones are left out.

    Args:
        place: the folder, of a data set or of several.

    Raises:
        UsageError: it is not there, or is a file.
    """
    if not place.is_dir():
        raise UsageError(f"{place} is a file; name a folder") if place.exists() else missing(str(place))
    found = []
    for folder in folders_with(NAME, place):
        try:
            manifest = read_manifest(folder)
        except EmollmsError:  # of another tool, or damaged: `emollms validate` says what is wrong
            continue
        found.append(
            DatasetVersion(
                manifest.data_set, manifest.version, str(manifest.settings.get("profile") or ""),
                sum(count.rows for count in manifest.counts), manifest.redistribution, folder,
            )
        )  # fmt: skip
    return found


def folders_with(name: str, place: Path, depth: int = _DEPTH) -> Iterator[Path]:
    """The folders at and below a place that hold a file of this name, in alphabetical order; hidden ones are skipped.

    Args:
        name: of the file.
        place: where to begin.
        depth: how many levels down.
    """
    if (place / name).is_file():
        yield place
    if depth:
        try:
            inside = sorted(one.name for one in os.scandir(place) if one.is_dir(follow_symlinks=False))
        except OSError:  # not ours to read
            return
        for one in inside:
            if not one.startswith("."):
                yield from folders_with(name, place / one, depth - 1)
