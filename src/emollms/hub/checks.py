"""What is looked at before anything leaves the machine."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from emollms.dataset.manifest import README, CountEntry, FileEntry
from emollms.errors import EmollmsError, UsageError
from emollms.hub.card_checks import PLACEHOLDER, check_dataset_card
from emollms.hub.card_merge import metadata_in, rows_by_config
from emollms.hub.release import LocalFile, local_files
from emollms.hub.words import count_settings, words_of
from emollms.pii.mask import count_sensitive

__all__ = [
    "PLACEHOLDER", "check_endings", "check_readme", "check_sensitive", "checked_files", "metadata_in", "read_metadata",
    "refuse_others", "rows_by_config",
]  # fmt: skip

ENDINGS = (".parquet", ".json", ".md")
"""Kinds of files that a data set is made of."""


def checked_files(folder: Path, entries: Sequence[FileEntry], manifest: str) -> dict[str, LocalFile]:
    """The files of a repo, when they are what its manifest says; the README, which is derived, may be any.

    Args:
        folder: the repo.
        entries: what the manifest lists.
        manifest: the path of the manifest itself.

    Raises:
        EmollmsError: a file is missing, or is not what the manifest says.
    """
    expected = {entry.path: entry.sha256 for entry in entries}
    missing = [path for path in (*expected, README) if not (folder / path).is_file()]
    if missing:
        raise EmollmsError(f"{folder} lacks {', '.join(missing)}; build it again")
    files = local_files(folder, {*expected, manifest, README})
    changed = [path for path, sha256 in expected.items() if files[path].sha256 != sha256]
    if changed:
        raise EmollmsError(f"{folder}: {', '.join(changed)} changed after the build; build it again, as a new version")
    return files


def refuse_others(folder: Path, files: Iterable[str], what: str = "the data set") -> None:
    """Refuse a folder with files that nobody expects, hidden ones and links among them.

    Raises:
        UsageError: there are some.
    """
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_symlink() or path.is_file()}
    if others := sorted(there - set(files)):
        raise UsageError(f"{folder} holds what is not of {what}: {', '.join(others)}; move it elsewhere")


def check_endings(files: Iterable[str]) -> None:
    """Refuse files of kinds that a data set does not have, such as scripts and pickles.

    Raises:
        EmollmsError: there is one.
    """
    others = [path for path in files if not path.endswith(ENDINGS)]
    if others:
        raise EmollmsError(f"a data set is made of {', '.join(ENDINGS)} files; refused: {', '.join(others)}")


def check_readme(readme: Path, counts: Sequence[CountEntry]) -> None:
    """Refuse a README that is incomplete, that the Hub would not understand, or that contradicts the data.

    Args:
        readme: the file.
        counts: rows by task and split, as the manifest has them.

    Raises:
        EmollmsError: something is missing or wrong.
    """
    check_dataset_card(readme.read_text(encoding="utf-8"), str(readme), counts)


def read_metadata(readme: Path) -> dict[str, object]:
    """The YAML metadata of a README.

    Raises:
        EmollmsError: there is none, or it is broken.
    """
    return metadata_in(readme.read_text(encoding="utf-8"), str(readme))


def check_sensitive(files: Mapping[str, LocalFile]) -> tuple[str, ...]:
    """Look for secrets and personal data in every text cell and file.

    Returns:
        How much personal data there is, a line for each kind that was found.

    Raises:
        EmollmsError: there are secrets, such as tokens and keys; the message says where, and never what.
    """
    places: dict[str, Counter[str]] = {}
    for path, file in files.items():
        for column, cells in words_of(file):
            for kind, count in count_sensitive(cells).items():
                places.setdefault(kind, Counter())[f"{path}{column}"] += count.texts
        if settings := count_settings(file):
            secrets = places.setdefault("secret", Counter())
            secrets[path] = max(secrets[path], settings)
    found = [f"{place} ({number})" for place, number in places.pop("secret", Counter()).items() if number]
    if found:
        raise EmollmsError(f"there are secrets, such as tokens or keys, in {', '.join(found)}; take them out")
    return tuple(_note(kind, counts) for kind, counts in places.items() if counts.total())


def _note(kind: str, counts: Counter[str]) -> str:
    """How many texts hold what looks like something, and where the most of them stand."""
    first = [place for place, number in counts.most_common(3) if number]
    more = sum(number > 0 for number in counts.values()) - len(first)
    where = "; ".join(first) + (f" and {more} more" if more else "")
    return f"{counts.total():,} texts hold what looks like a {kind}: {where}"
