"""What changed between two versions of a data set."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from emollms.dataset.manifest import Manifest, read_manifest
from emollms.dataset.schema import ROW_SCHEMA
from emollms.errors import EmollmsError, UsageError

Step = Literal["major", "minor", "patch", "none"]
WORDING_COLUMNS = {"prompt", "completion"}
"""Columns that may change without the texts and gold labels changing."""


@dataclass(frozen=True)
class Change:
    """Rows of one task and split that differ between two versions.

    Args:
        task: the task.
        split: the split.
        added: ids that only the new version has.
        removed: ids that only the old version has.
        changed: ids that both have, with other values.
        columns: names of the columns that differ in the changed rows.
    """

    task: str
    split: str
    added: list[str]
    removed: list[str]
    changed: list[str]
    columns: list[str]


@dataclass(frozen=True)
class Diff:
    """The difference of two versions.

    Args:
        old: manifest of the old one.
        new: manifest of the new one.
        changes: a change for each task and split that differs.
        columns_changed: whether the columns themselves differ.
    """

    old: Manifest
    new: Manifest
    changes: list[Change]
    columns_changed: bool

    @property
    def step(self) -> Step:
        """The step in the version that the change asks for.

        Major: scores are no longer comparable, since rows were removed, or texts, gold labels or columns changed.
        Minor: rows were added or worded otherwise. Patch: only the description of the data differs. None: nothing does.
        """
        touched = {column for change in self.changes for column in change.columns}
        if self.columns_changed or any(change.removed for change in self.changes) or touched - WORDING_COLUMNS:
            return "major"
        if self.changes:
            return "minor"
        same = {file.path: file.sha256 for file in self.old.files} == {f.path: f.sha256 for f in self.new.files}
        return "none" if same else "patch"


def diff(old: Path, new: Path) -> Diff:
    """Compare two dataset repos row by row, one task and split at a time.

    Raises:
        UsageError: one of them is no dataset repo, or they are different data sets.
        EmollmsError: rows are missing or damaged.
    """
    manifests = read_manifest(old), read_manifest(new)
    if manifests[0].data_set != manifests[1].data_set:
        held = zip((old, new), manifests, strict=True)
        names = " and ".join(f"{folder} holds {one.data_set}" for folder, one in held)
        raise UsageError(f"{names}; compare two versions of one data set")
    groups = sorted({(count.task, count.split) for manifest in manifests for count in manifest.counts if count.rows})
    changes = []
    columns_changed = False
    for group in groups:
        before, after = (_table(*one, *group) for one in zip((old, new), manifests, strict=True))
        columns_changed |= bool(before and after and before.schema.names != after.schema.names)
        change = _compare(*group, before or ROW_SCHEMA.empty_table(), after or ROW_SCHEMA.empty_table())
        if change.added or change.removed or change.changed:
            changes.append(change)
    return Diff(*manifests, changes, columns_changed)


def _table(folder: Path, manifest: Manifest, task: str, split: str) -> pa.Table | None:
    """The rows of a task and split, from the files that the manifest names; None where it names none."""
    files = [folder / file.path for file in manifest.files_of(task, split)]
    try:
        return ds.dataset(files, format="parquet").to_table() if files else None
    except (OSError, pa.ArrowInvalid):
        raise EmollmsError(f"{folder}: the rows of {task}, {split}, are missing or damaged; build it again") from None


def _compare(task: str, split: str, old: pa.Table, new: pa.Table) -> Change:
    in_old = pc.index_in(new["id"], old["id"])
    both_new = new.filter(in_old.is_valid())
    both_old = old.take(in_old.drop_null())
    differing = dict(_differing(both_old, both_new))
    changed = pc.is_null(both_new["id"])  # of no row yet: an id is never null
    for mask in differing.values():
        changed = pc.or_(changed, mask)
    return Change(
        task=task,
        split=split,
        added=new["id"].filter(in_old.is_null()).to_pylist(),
        removed=old["id"].filter(pc.invert(pc.is_in(old["id"], new["id"]))).to_pylist(),
        changed=both_new["id"].filter(changed).to_pylist(),
        columns=list(differing),
    )


def _differing(old: pa.Table, new: pa.Table) -> Iterator[tuple[str, pa.Array]]:
    """The columns that both tables have and that differ, with a mask of the rows."""
    for name in (name for name in new.schema.names if name in old.schema.names):
        left, right = old[name].combine_chunks(), new[name].combine_chunks()
        if pa.types.is_list(left.type):
            left, right = (pc.binary_join(pc.fill_null(column, []), "\n") for column in (left, right))
        same = pc.fill_null(pc.equal(left, right), False)
        mask = pc.invert(pc.or_(same, pc.and_(left.is_null(), right.is_null())))
        if pc.any(mask).as_py():
            yield name, mask
