"""The table of pinned files of a corpus, made from a folder: for those who add one."""

import csv
import io
import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from emollms.corpora.fetch import sha256_of
from emollms.corpora.metadata import SourceFile
from emollms.errors import UsageError

COLUMNS = tuple(SourceFile.model_fields)


@dataclass(frozen=True)
class Pinned:
    """A table of pinned files, and how it differs from the one before.

    Args:
        table: the table, as CSV.
        new: paths that the table before did not have.
        changed: paths whose SHA-256 is another one; what the other columns say of them may be out of date.
        gone: paths that only the table before had.
    """

    table: str
    new: tuple[str, ...]
    changed: tuple[str, ...]
    gone: tuple[str, ...]


def pin(corpus: str, folder: Path, package: str = "emollms.builders") -> Pinned:
    """Hash every file below `folder`, and keep what the table before says of rows, split, language and so on.

    Args:
        corpus: name of the corpus; it need not exist yet.
        folder: the corpus's folder. Hidden and half-fetched files are passed over.
        package: where the table before is: `files/<corpus>.csv` in it.

    Raises:
        UsageError: the name is no name of a corpus, or there are no files.
    """
    if not re.fullmatch("[a-z][a-z0-9_]*", corpus):
        raise UsageError(f"{corpus!r} cannot name a corpus; take small letters, digits and _")
    before = _table(corpus, package)
    found = {path: folder / path for path in _paths(folder)}
    if not found:
        raise UsageError(f"{folder} holds no files; --from takes the folder of the corpus")
    order = [path for path in before if path in found] + [path for path in found if path not in before]
    rows = [_row(path, found[path], before.get(path, {})) for path in order]
    hashes = {row["path"]: row["sha256"] for row in rows}
    return Pinned(
        table=_as_csv(rows),
        new=tuple(path for path in order if path not in before),
        changed=tuple(path for path in order if path in before and before[path]["sha256"] != hashes[path]),
        gone=tuple(path for path in before if path not in found),
    )


def _table(corpus: str, package: str) -> dict[str, dict[str, str]]:
    table = files(package) / "files" / f"{corpus}.csv"
    if not table.is_file():
        return {}
    return {row["path"]: row for row in csv.DictReader(table.read_text(encoding="utf-8").splitlines())}


def _paths(folder: Path) -> list[str]:
    paths = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    wanted = [path for path in paths if not any(part.startswith(".") for part in path.parts)]
    return sorted(path.as_posix() for path in wanted if not path.name.endswith((".part", ".part.etag")))


def _row(path: str, file: Path, before: dict[str, str]) -> dict[str, str]:
    return {**before, "path": path, "sha256": sha256_of(file), "bytes": str(file.stat().st_size)}


def _as_csv(rows: list[dict[str, str]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
