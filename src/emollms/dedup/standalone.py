"""Near-duplicates in any data set: `emollms dedup` and `emollms overlap`."""

from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from emollms.dedup.index import open_index
from emollms.dedup.normalize import has_text, normalize
from emollms.dedup.reference import ReferenceIndex
from emollms.dedup.schema import Policy, Screening
from emollms.dedup.screen import screen
from emollms.dedup.search import THRESHOLD, Engine, Search
from emollms.dedup.tables import REPORT, InputTables, as_texts, read_data_set
from emollms.locations import check_free
from emollms.progress import OnProgress, show_progress
from emollms.storage import commit, draft, write_json
from emollms.tables.files import Dialect, Warn, no_warning

Rows = npt.NDArray[np.int64]
ROW_GROUP = 10_000
CLUSTER, FROM_SPLIT = "cluster", "from_split"
WHY = {"reason": pa.string(), "duplicate_of": pa.string(), "similarity": pa.float64()}
PREFIX = "emollms_"
Data: TypeAlias = str | Path | Sequence[str] | pa.Table | pd.DataFrame
"""Texts, a table of them, or the name of data."""


@dataclass(frozen=True)
class DedupCounts:
    """What a search for duplicates found, in numbers: `report.json`.

    Args:
        rows: rows read, by split.
        kept: rows kept, by split.
        reasons: rows dropped, by reason.
        clusters: clusters of near-duplicates inside splits.
        pairs: pairs, by kind.
        renamed: columns that have another name in the output, since the data has a column of its own that is called
            so; by their usual name.
        built: whether the data is of `emollms build`, see `tables.InputTables`.
    """

    rows: dict[str, int]
    kept: dict[str, int]
    reasons: dict[str, int]
    clusters: int
    pairs: dict[str, int]
    renamed: dict[str, str]
    built: bool


@dataclass(frozen=True, repr=False)
class Deduplicated:
    """What `find_duplicates` kept, what it dropped, and why.

    Args:
        kept: the rows that stay, by split, with the column `cluster`.
        dropped: the others, with `reason`, `duplicate_of`, `similarity` (0 to 1) and `from_split`.
        pairs: the pairs, with `schema.PAIR_SCHEMA`.
        counts: all of it in numbers.
        decisions: a row for each row of the data, in its order: `split`, `text`, `kept`, `cluster`, `reason`,
            `duplicate_of`, `similarity`.
    """

    kept: dict[str, pa.Table]
    dropped: pa.Table
    pairs: pa.Table
    counts: DedupCounts
    decisions: pa.Table

    def __repr__(self) -> str:
        total, kept = sum(self.counts.rows.values()), sum(self.counts.kept.values())
        lines = [f"{total:,} texts: {kept:,} kept, {total - kept:,} dropped; {self.counts.clusters:,} clusters flagged"]
        for reason, count in self.counts.reasons.items():
            scores = self.decisions.filter(pc.equal(self.decisions["reason"], reason))["similarity"]
            low, high = pc.min_max(scores).as_py().values()
            lines.append(f"  {count:,} {reason}" + (f", similarity {low:.2f} to {high:.2f}" if low is not None else ""))
        return "\n".join(lines + [f"  {count:,} pairs {kind}" for kind, count in self.counts.pairs.items()])

    def to_pandas(self) -> pd.DataFrame:
        """`decisions` as a frame."""
        frame: pd.DataFrame = self.decisions.to_pandas()
        return frame


def find_duplicates(
    data: Data,
    out: str | Path | None = None,
    against: Data | None = None,
    threshold: float = THRESHOLD,
    policy: Policy = "flag",
    text_column: str = "text",
    memory: int | None = None,
    index: str | None = None,
    engine: Engine = "numba",
    delimiter: str | None = None,
    encoding: str = "utf-8",
    no_quotes: bool = False,
    *,
    progress: bool | OnProgress = False,
    warn: Warn = no_warning,
) -> Deduplicated:
    """Find texts that are equal or nearly so; flag them inside splits, drop them between splits and against others.

    The options are those of `emollms dedup`. `out` gets `data/<split>-00000.parquet` (the rows that stay, with the
    column `cluster`), `rejected.parquet` (the others, with why, what they duplicate and the similarity),
    `duplicates.parquet` (the pairs) and `report.json`. The columns of the data itself are written as they are; where
    one has a name of ours, ours gets another.

    Args:
        data: a list of texts, an Arrow table, a pandas frame, or the name of a file, folder or Hub repo (see
            `tables.read_data_set`). Texts and tables are one split, `train`.
        out: a new folder; it appears when everything is written. None: nothing is written.
        against: data whose texts must not be in training or validation.
        threshold: the least Jaccard similarity of the sets of character 4-grams, 0.1 to 1.
        policy: `drop` leaves one row of each cluster inside the training split; `flag` keeps them all.
        text_column: the column of texts, in both; in what `emollms build` made it is `text`.
        memory: MB of search keys past which they go to disk; None: no limit. Of the engine `numba`.
        index: a folder, or `redis://HOST:PORT/DB`: texts of earlier runs, which must not be in training or validation
            either. What is kept is added to it when everything else is done.
        engine: what finds the pairs: `numba` in this process, `dask` or `spark`.
        delimiter: what separates the cells of text files, where their suffix does not say it.
        encoding: of text files.
        no_quotes: whether double quotes are plain characters in text files.
        progress: whether to show progress on stderr, or a function to call with it.
        warn: is told what was read, and may be meant otherwise.

    Raises:
        UsageError: data cannot be read, `out` is there already, the index has other settings, an extra is missing.
        SourceError: a row of a file is broken; the message tells file and line.
        EmollmsError: the index is damaged, cannot be reached, or was changed by another run meanwhile.
    """
    search = Search(threshold, memory=memory * 2**20 if memory else None, engine=engine)
    search.check_engine()
    dialect = Dialect(delimiter, encoding, not no_quotes)
    target = None if out is None else Path(out)
    if target:
        check_free(target)
    with (
        show_progress("texts", progress=progress) as on_progress,
        open_index(index, search) if index else nullcontext() as earlier,
    ):
        tables = _tables_of(data, text_column, dialect, warn, on_progress)
        benchmark = None
        if against is not None:
            benchmark = as_texts(_tables_of(against, text_column, dialect, warn, on_progress), text_column)
        texts, unit = _units(tables, as_texts(tables, text_column))
        on_progress(f"comparing {texts.num_rows:,} texts", 0, None)
        found = screen(texts, benchmark, policy, search, earlier)
        done = _result(tables, texts, found, unit)
        if earlier is not None:
            on_progress("writing the index", 0, None)
            kept = texts.filter(pa.array(found.kept()))
            earlier.stage(tables.name, kept["id"].to_pylist(), kept["text"])
        if target:
            on_progress("writing", 0, None)
            with draft(target) as folder:
                _write(folder, done)
                commit(folder, target)
        if earlier is not None:  # last: a run that fails or is killed before leaves the index as it was
            earlier.commit()
    return done


def _tables_of(data: Data, column: str, dialect: Dialect, warn: Warn, on_progress: OnProgress) -> InputTables:
    """Data of any kind as tables."""
    if isinstance(data, str | Path):
        on_progress(f"reading {data}", 0, None)
        return read_data_set(str(data), dialect, warn)
    if isinstance(data, pd.DataFrame):
        data = pa.Table.from_pandas(data, preserve_index=False)
    if not isinstance(data, pa.Table):
        data = pa.table({column: pa.array(data, pa.string())})
    return InputTables("data", {"train": data})


def _units(data: InputTables, texts: pa.Table) -> tuple[pa.Table, Rows]:
    """One row for all wordings of a text, and for each row of the data set the number of its own.

    Wordings of one text are no duplicates of each other.
    """
    if not data.built or not all("wording" in table.column_names for table in data.splits.values()):
        return texts, np.arange(texts.num_rows)
    stems = pc.replace_substring_regex(texts["id"], r"/[^/]+$", "").combine_chunks()
    encoded = stems.dictionary_encode()
    unit = encoded.indices.to_numpy()
    first = np.unique(unit, return_index=True)[1]
    return texts.set_column(0, "id", stems).take(pa.array(first)), unit


def _result(data: InputTables, texts: pa.Table, found: Screening, unit: Rows) -> Deduplicated:
    stays, at = found.kept()[unit], 0
    names = _free_names(data)
    kept, dropped = {}, []
    for split, table in data.splits.items():
        rows = slice(at, at + table.num_rows)
        at = rows.stop
        flagged, mask = _with_findings(table, found, unit[rows], names), pa.array(stays[rows])
        kept[split] = flagged.drop([names[name] for name in WHY]).filter(mask)
        left = flagged.filter(pc.invert(mask))
        dropped.append(left.append_column(names[FROM_SPLIT], pa.repeat(split, left.num_rows)))
    counts = DedupCounts(
        rows={split: table.num_rows for split, table in data.splits.items()},
        kept={split: table.num_rows for split, table in kept.items()},
        reasons=dict(Counter(found.reason[number] for number in unit[~stays])),
        clusters=len({name for name in found.cluster if name}),
        pairs=dict(Counter(found.pairs["kind"].to_pylist())),
        renamed={name: free for name, free in names.items() if name != free},
        built=data.built,
    )
    decisions = _with_findings(texts.select(["split", "text"]).take(pa.array(unit)), found, unit, {})
    decisions = decisions.add_column(2, "kept", pa.array(stays))
    return Deduplicated(kept, pa.concat_tables(dropped, promote_options="default"), found.pairs, counts, decisions)


def _write(folder: Path, done: Deduplicated) -> None:
    for split, table in done.kept.items():
        _write_table(table, folder / "data" / f"{split}-00000.parquet")
    _write_table(done.dropped, folder / "rejected.parquet")
    _write_table(done.pairs, folder / "duplicates.parquet")
    write_json(folder / REPORT, asdict(done.counts))


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
    if names.get(CLUSTER, CLUSTER) in table.column_names:
        table = table.drop_columns([names.get(CLUSTER, CLUSTER)])
    for name, type_ in {CLUSTER: pa.string(), **WHY}.items():
        values = getattr(found, name)
        table = table.append_column(names.get(name, name), pa.array([values[number] for number in unit], type_))
    return table


def _write_table(table: pa.Table, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, compression="zstd", row_group_size=ROW_GROUP, use_content_defined_chunking=True)


@dataclass(frozen=True)
class Overlap:
    """How many different texts of one split of a data set appear in a split of another.

    Args:
        split: the split of the first.
        other: the split of the other.
        texts: different normalised texts of the first.
        equal: those whose normalised text is in the other.
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
        name: the one, see `tables.read_data_set`.
        other: the other.
        search: threshold and limits.
        column: the column of texts, in both; in what `emollms build` made it is `text`.
        dialect: how text files are written, where their suffix does not say it.
        warn: is told how many rows have no text, and what was read, and may be meant otherwise.

    Raises:
        UsageError: a data set cannot be read.
        SourceError: a row of a file is broken; the message tells file and line.
    """
    one, two = (read_data_set(each, dialect, warn) for each in (name, other))  # both, before any work on the first
    left, right = _normal_texts(one, column, warn), _normal_texts(two, column, warn)
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
