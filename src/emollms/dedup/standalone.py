"""Near-duplicates in any data set: `emollms dedup` and `emollms overlap`."""

from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from emollms.dedup.normalize import has_text, normalize
from emollms.dedup.reference import ReferenceIndex
from emollms.dedup.schema import Policy, Screening
from emollms.dedup.screen import screen
from emollms.dedup.search import Search
from emollms.dedup.tables import REPORT, InputTables, as_texts, read_data_set
from emollms.locations import check_free
from emollms.progress import OnProgress, silent
from emollms.storage import commit, draft, write_json
from emollms.tables.files import Dialect, Warn, no_warning

Rows = npt.NDArray[np.int64]
ROW_GROUP = 10_000
CLUSTER, FROM_SPLIT = "cluster", "from_split"
WHY = {"reason": pa.string(), "duplicate_of": pa.string(), "similarity": pa.float64()}
PREFIX = "emollms_"


@dataclass(frozen=True)
class Deduplicated:
    """What `deduplicate` did.

    Args:
        rows: rows read, by split.
        kept: rows kept, by split.
        reasons: rows dropped, by reason.
        clusters: clusters of near-duplicates inside splits.
        pairs: pairs, by kind.
        renamed: columns that were written under another name, since the data has a column of its own that is called
            so; by their usual name.
        built: whether the data is of `emollms build`, see `quality.tables.InputTables`.
    """

    rows: dict[str, int]
    kept: dict[str, int]
    reasons: dict[str, int]
    clusters: int
    pairs: dict[str, int]
    renamed: dict[str, str]
    built: bool


def deduplicate(
    name: str, out: Path, against: str | None = None, policy: Policy = "flag", search: Search | None = None,
    column: str = "text", dialect: Dialect | None = None, warn: Warn = no_warning, on_progress: OnProgress = silent,
) -> Deduplicated:  # fmt: skip
    """Screen a data set and write what stays.

    `out` gets `data/<split>-00000.parquet` (the rows that stay, with the column `cluster`), `rejected.parquet` (the
    others, with why, what they duplicate and the similarity), `duplicates.parquet` (the pairs) and `report.json`. The
    columns of the data itself are written as they are; where one has a name of ours, ours gets another.

    Args:
        name: the data set, see `quality.tables.read_data_set`.
        out: a new folder; it appears when everything is written.
        against: a data set whose texts must not stand in training or validation.
        policy: `drop` leaves one row of each cluster inside the training split.
        search: threshold and limits.
        column: the column of texts, in both; in what `emollms build` made it is `text`.
        dialect: how text files are written, where their suffix does not say it.
        warn: is told what was read, and may be meant otherwise.
        on_progress: called with what is done.

    Raises:
        UsageError: a data set cannot be read, or `out` is there already.
        SourceError: a row of a file is broken; the message tells file and line.
    """
    check_free(out)
    on_progress(f"reading {name}", 0, None)
    data = read_data_set(name, dialect, warn)
    if against:
        on_progress(f"reading {against}", 0, None)
    benchmark = as_texts(read_data_set(against, dialect, warn), column) if against else None
    texts, unit = _units(data, as_texts(data, column))
    on_progress(f"comparing {texts.num_rows:,} texts", 0, None)
    found = screen(texts, benchmark, policy, search)
    on_progress("writing", 0, None)
    with draft(out) as folder:
        done = _write(folder, data, found, unit)
        commit(folder, out)
    return done


def _units(data: InputTables, texts: pa.Table) -> tuple[pa.Table, Rows]:
    """One row for all wordings of a text, and for each row of the data set the number of its own.

    Wordings of one text are no duplicates of each other.
    """
    if not data.built or not all("wording" in table.column_names for table in data.splits.values()):
        return texts, np.arange(texts.num_rows)
    stems = pc.replace_substring_regex(texts["id"], r"/\d+$", "").combine_chunks()
    encoded = stems.dictionary_encode()
    unit = encoded.indices.to_numpy()
    first = np.unique(unit, return_index=True)[1]
    return texts.set_column(0, "id", stems).take(pa.array(first)), unit


def _write(folder: Path, data: InputTables, found: Screening, unit: Rows) -> Deduplicated:
    kept, at = found.kept()[unit], 0
    names = _free_names(data)
    counts, rejected = {}, []
    for split, table in data.splits.items():
        rows = slice(at, at + table.num_rows)
        at = rows.stop
        flagged, stays = _with_findings(table, found, unit[rows], names), pa.array(kept[rows])
        staying = flagged.drop([names[name] for name in WHY]).filter(stays)
        counts[split] = staying.num_rows
        _write_table(staying, folder / "data" / f"{split}-00000.parquet")
        left = flagged.filter(pc.invert(stays))
        rejected.append(left.append_column(names[FROM_SPLIT], pa.repeat(split, left.num_rows)))
    _write_table(pa.concat_tables(rejected, promote_options="default"), folder / "rejected.parquet")
    _write_table(found.pairs, folder / "duplicates.parquet")
    done = Deduplicated(
        rows={split: table.num_rows for split, table in data.splits.items()},
        kept=counts,
        reasons=dict(Counter(found.reason[number] for number in unit[~kept])),
        clusters=len({name for name in found.cluster if name}),
        pairs=dict(Counter(found.pairs["kind"].to_pylist())),
        renamed={name: free for name, free in names.items() if name != free},
        built=data.built,
    )
    write_json(folder / REPORT, asdict(done))
    return done


def _free_names(data: InputTables) -> dict[str, str]:
    """What our columns are called, by their usual names; a column of the data keeps its name."""
    taken = {name for table in data.splits.values() for name in table.column_names}
    names = {}
    for name in (CLUSTER, *WHY, FROM_SPLIT):
        free, number = name, 1
        while free in taken and not (data.built and free == CLUSTER):
            free, number = f"{PREFIX}{name}" if number == 1 else f"{PREFIX}{name}_{number}", number + 1
        names[name] = free
    return names


def _with_findings(table: pa.Table, found: Screening, unit: Rows, names: dict[str, str]) -> pa.Table:
    """A table with the cluster of each row, and why it goes; the cluster that `emollms build` wrote gives way."""
    if names[CLUSTER] in table.column_names:
        table = table.drop_columns([names[CLUSTER]])
    for name, type_ in {CLUSTER: pa.string(), **WHY}.items():
        values = getattr(found, name)
        table = table.append_column(names[name], pa.array([values[number] for number in unit], type_))
    return table


def _write_table(table: pa.Table, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, compression="zstd", row_group_size=ROW_GROUP, use_content_defined_chunking=True)


@dataclass(frozen=True)
class Overlap:
    """How many different texts of one split of a data set stand in a split of another.

    Args:
        split: the split of the first.
        other: the split of the other.
        texts: different normalised texts of the first.
        equal: those whose normalised text stands in the other.
        near: those that only have a near-duplicate there.
        hit: different texts of the other that are found, equal or nearly.
    """

    split: str
    other: str
    texts: int
    equal: int
    near: int
    hit: int


def overlap(
    name: str, other: str, search: Search | None = None, column: str = "text", dialect: Dialect | None = None,
    warn: Warn = no_warning,
) -> list[Overlap]:  # fmt: skip
    """Compare the texts of one data set with those of another, split by split; rows without a text are left out.

    Args:
        name: the one, see `quality.tables.read_data_set`.
        other: the other.
        search: threshold and limits.
        column: the column of texts, in both; in what `emollms build` made it is `text`.
        dialect: how text files are written, where their suffix does not say it.
        warn: is told how many rows have no text, and what was read, and may be meant otherwise.

    Raises:
        UsageError: a data set cannot be read.
        SourceError: a row of a file is broken; the message tells file and line.
    """
    left = _normal_texts(read_data_set(name, dialect, warn), column, warn)
    right = _normal_texts(read_data_set(other, dialect, warn), column, warn)
    search = replace(search or Search(), sha1=False)
    found = []
    for other_split, theirs in right.items():
        index = ReferenceIndex(theirs, search=search)
        for split, ours in left.items():
            matches = index.matches(ours)
            equal = set(matches.row[matches.equal].tolist())
            near = set(matches.row.tolist()) - equal
            hit = len(np.unique(matches.reference))
            found.append(Overlap(split, other_split, len(ours), len(equal), len(near), hit))
    return found


def _normal_texts(data: InputTables, column: str, warn: Warn) -> dict[str, pa.Array]:
    """The different normalised texts of each split."""
    texts = {}
    for split in data.splits:
        normal = normalize(data.texts(split, column))
        there = has_text(normal)
        texts[split] = pc.unique(normal.filter(there))
        if missing := len(normal) - (pc.sum(there).as_py() or 0):
            warn(f"{data.name}, split {split}: {missing:,} of {len(normal):,} rows have no text")
    return texts
