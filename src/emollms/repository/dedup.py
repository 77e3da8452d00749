"""Near-duplicates in any data set: `emollms dedup` and `emollms overlap`."""

import json
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from emollms.locations import check_free
from emollms.progress import OnProgress, silent
from emollms.quality.duplicates.contamination import ReferenceIndex
from emollms.quality.duplicates.normalise import normalise
from emollms.quality.duplicates.pairs import Search
from emollms.quality.duplicates.screen import screen
from emollms.quality.duplicates.screening import Policy, Screening
from emollms.quality.tables import as_texts, load_splits
from emollms.repository.draft import draft, move_in

Rows = npt.NDArray[np.int64]
ROW_GROUP = 10_000
WHY = {"reason": pa.string(), "duplicate_of": pa.string(), "similarity": pa.float64()}


@dataclass(frozen=True)
class Deduplicated:
    """What `deduplicate` did.

    Args:
        rows: rows read, by split.
        kept: rows kept, by split.
        reasons: rows dropped, by reason.
        clusters: clusters of near-duplicates inside splits.
        pairs: pairs, by kind.
    """

    rows: dict[str, int]
    kept: dict[str, int]
    reasons: dict[str, int]
    clusters: int
    pairs: dict[str, int]


def deduplicate(
    name: str, out: Path, against: str | None = None, policy: Policy = "flag", search: Search | None = None,
    column: str = "text", on_progress: OnProgress = silent,
) -> Deduplicated:  # fmt: skip
    """Screen a data set and write what stays.

    `out` gets `data/<split>-00000.parquet` (the rows that stay, with the column `cluster`), `rejected.parquet` (the
    others, with why, what they duplicate and the similarity), `duplicates.parquet` (the pairs) and `report.json`.

    Args:
        name: the data set, see `quality.tables.load_splits`.
        out: a new folder; it appears when everything is written.
        against: a data set whose texts must not stand in training or validation.
        policy: `drop` leaves one row of each cluster inside the training split.
        search: threshold and limits.
        column: the column of texts, in both.
        on_progress: called with what is done.

    Raises:
        UsageError: a data set cannot be read, or `out` is there already.
    """
    check_free(out)
    on_progress(f"reading {name}", 0, None)
    splits = load_splits(name)
    if against:
        on_progress(f"reading {against}", 0, None)
    benchmark = as_texts(load_splits(against), column, against) if against else None
    texts, unit = _units(splits, as_texts(splits, column, name))
    on_progress(f"comparing {texts.num_rows:,} texts", 0, None)
    found = screen(texts, benchmark, policy, search)
    on_progress("writing", 0, None)
    with draft(out) as folder:
        done = _write(folder, splits, found, unit)
        move_in(folder, out)
    return done


def _units(splits: dict[str, pa.Table], texts: pa.Table) -> tuple[pa.Table, Rows]:
    """One row for all wordings of a text, and for each row of the data set the number of its own.

    Wordings of one text are no duplicates of each other.
    """
    if not all("wording" in table.column_names for table in splits.values()):
        return texts, np.arange(texts.num_rows)
    stems = pc.replace_substring_regex(texts["id"], r"/\d+$", "").combine_chunks()
    encoded = stems.dictionary_encode()
    unit = encoded.indices.to_numpy()
    first = np.unique(unit, return_index=True)[1]
    return texts.set_column(0, "id", stems).take(pa.array(first)), unit


def _write(folder: Path, splits: dict[str, pa.Table], found: Screening, unit: Rows) -> Deduplicated:
    kept, at = found.kept()[unit], 0
    counts, rejected = {}, []
    for split, table in splits.items():
        rows = slice(at, at + table.num_rows)
        at = rows.stop
        flagged, stays = _with_findings(table, found, unit[rows]), pa.array(kept[rows])
        staying = flagged.drop(list(WHY)).filter(stays)
        counts[split] = staying.num_rows
        _write_table(staying, folder / "data" / f"{split}-00000.parquet")
        left = flagged.filter(pc.invert(stays))
        rejected.append(left.append_column("from_split", pa.repeat(split, left.num_rows)))
    _write_table(pa.concat_tables(rejected, promote_options="default"), folder / "rejected.parquet")
    _write_table(found.pairs, folder / "duplicates.parquet")
    done = Deduplicated(
        rows={split: table.num_rows for split, table in splits.items()},
        kept=counts,
        reasons=dict(Counter(found.reason[number] for number in unit[~kept])),
        clusters=len({name for name in found.cluster if name}),
        pairs=dict(Counter(found.pairs["kind"].to_pylist())),
    )
    (folder / "report.json").write_text(json.dumps(asdict(done), indent=2) + "\n", encoding="utf-8")
    return done


def _with_findings(table: pa.Table, found: Screening, unit: Rows) -> pa.Table:
    """A table with the cluster of each row, and why it goes; columns of these names give way."""
    names = {"cluster": pa.string(), **WHY}
    table = table.drop([name for name in names if name in table.column_names])
    for name, type_ in names.items():
        values = getattr(found, name)
        table = table.append_column(name, pa.array([values[number] for number in unit], type_))
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


def overlap(name: str, other: str, search: Search | None = None, column: str = "text") -> list[Overlap]:
    """Hold the texts of one data set against those of another, split by split.

    Raises:
        UsageError: a data set cannot be read.
    """
    left, right = load_splits(name), load_splits(other)
    search = replace(search or Search(), sha1=False)
    found = []
    for other_split, theirs in right.items():
        index = ReferenceIndex(normalise(as_texts({other_split: theirs}, column, other)["text"]), search=search)
        for split, ours in left.items():
            texts = pc.unique(normalise(as_texts({split: ours}, column, name)["text"]))
            matches = index.matches(texts)
            equal = set(matches.row[matches.equal].tolist())
            near = set(matches.row.tolist()) - equal
            hit = len(np.unique(matches.reference))
            found.append(Overlap(split, other_split, len(texts), len(equal), len(near), hit))
    return found
