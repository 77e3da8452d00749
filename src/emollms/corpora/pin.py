"""The table of pinned files of a corpus, made from a folder: for those who add one."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from emollms.corpora.base import Corpus, Selection
from emollms.corpora.fetch import sha256_of
from emollms.corpora.file_table import COLUMNS, Row, as_csv, read_table, table_of
from emollms.corpora.metadata import CorpusMetadata
from emollms.corpora.reader import RawSource
from emollms.errors import UsageError


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


def pin(
    corpus: str,
    root: Path,
    package: str = "emollms.builders",
    out: Path | None = None,
    builder: type[Corpus] | None = None,
) -> Pinned:
    """Hash every file of a corpus, and keep what the table before says of rows, split, language and so on.

    Args:
        corpus: name of the corpus; it need not exist yet.
        root: the folder of the corpora, which holds the folder of this one: what `build --from` takes. Hidden and
            half-fetched files are passed over.
        package: where the table before is, `files/<corpus>.csv` in it, unless `out` is there.
        out: the file of the table, which is the one before, too; the caller writes it.
        builder: its builder, to count the rows of each file; None to keep what the table says.

    Raises:
        UsageError: the name is no name of a corpus, there are no files, or the table before is damaged.
        SourceError: the builder cannot read the files.
    """
    if not re.fullmatch("[a-z][a-z0-9_]*", corpus):
        raise UsageError(f"{corpus!r} cannot name a corpus; take small letters, digits and _")
    before, columns = _before(corpus, package, out)
    folder = _folder(corpus, root)
    found = {path: folder / path for path in _paths(folder)}
    if not found:
        raise UsageError(f"{folder} holds no files; put those of {corpus} there")
    order = [path for path in before if path in found] + [path for path in found if path not in before]
    rows = [_row(path, found[path], before.get(path, {})) for path in order]
    if builder:
        rows = _with_counts(rows, builder, folder)
    hashes = {row["path"]: row["sha256"] for row in rows}
    return Pinned(
        table=as_csv(rows, columns),
        new=tuple(path for path in order if path not in before),
        changed=tuple(path for path in order if path in before and before[path]["sha256"] != hashes[path]),
        gone=tuple(path for path in before if path not in found),
    )


def _folder(corpus: str, root: Path) -> Path:
    """The corpus's folder below `root`; a `root` that is the corpus's own folder is a mistake that is easily made."""
    folder = root / corpus
    if folder.is_dir():
        return folder
    if not root.is_dir():
        raise UsageError(f"{root} is no folder; --from takes the folder that holds {corpus}/, as for `emollms build`")
    if root.resolve().name == corpus:
        raise UsageError(f"{folder} is missing; --from takes the folder that holds {corpus}/: {root.resolve().parent}")
    raise UsageError(f"{folder} is missing; put the files of {corpus} there, where `emollms build --from {root}` looks")


def _before(corpus: str, package: str, out: Path | None) -> tuple[dict[str, Row], Sequence[str]]:
    """The rows of the table before by path, and its columns; the usual ones where there is none."""
    table = out if out is not None and out.exists() else table_of(corpus, package)
    if out is not None and out.is_dir():
        raise UsageError(f"{out} is a folder; --out takes the file of the table, files/{corpus}.csv")
    data = table.read_bytes() if table.is_file() else b""
    rows = {row["path"]: row for _, row in read_table(data, str(table))} if data.strip() else {}
    first: Row = next(iter(rows.values()), {})
    return rows, [*first, *(column for column in COLUMNS if column not in first)]


def _paths(folder: Path) -> list[str]:
    paths = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    wanted = [path for path in paths if not any(part.startswith(".") for part in path.parts)]
    return sorted(path.as_posix() for path in wanted if not path.name.endswith(".part"))


def _row(path: str, file: Path, before: Row) -> Row:
    return {**before, "path": path, "sha256": sha256_of(file), "bytes": str(file.stat().st_size)}


def _with_counts(rows: list[Row], builder: type[Corpus], folder: Path) -> list[Row]:
    """The rows with the number of records that the builder reads from each file; files without keep what they had."""
    files = {file.path: file for file in builder.meta.files}
    if lacking := [row["path"] for row in rows if row["path"] not in files]:
        raise UsageError(f"the builder does not know {lacking[0]} yet; pin without --count-rows first, and fill it in")
    hashes = {row["path"]: {"sha256": row["sha256"], "bytes": int(row["bytes"]), "rows": None} for row in rows}
    pinned = tuple(files[path].model_copy(update=about) for path, about in hashes.items())
    meta: CorpusMetadata = builder.meta.model_copy(update={"files": pinned})
    counting = type(builder.__name__, (builder,), {"meta": meta, "__module__": builder.__module__})
    everything = Selection(meta.tasks, meta.splits)
    counts = Counter(path for path, _ in counting().read_lines(RawSource(meta, folder), everything))
    return [{**row, **({"rows": str(counts[row["path"]])} if counts[row["path"]] else {})} for row in rows]
