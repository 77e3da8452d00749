"""The id-only form of a data set: what may be redistributed where its texts may not.

It has the tables of the data set with the ids, tasks, splits and wording numbers of their rows, and a hash of each
row; and the manifest of the data set, so that it can be rebuilt from the corpora (`hydrate`).
"""

import json
from collections.abc import Iterator
from pathlib import Path
from shutil import copyfile
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from emollms.dataset.card import card_values
from emollms.dataset.card_metadata import Tables, sizes, tables_of
from emollms.dataset.eval_yaml import NAME as EVAL_YAML
from emollms.dataset.manifest import NAME, README, ListedFiles, Manifest, entry, read_manifest
from emollms.dataset.manifest_entries import CountEntry, SourceEntry
from emollms.dataset.schema import features, row_hash
from emollms.dataset.specs import get_data_set
from emollms.dataset.writer import LanguageTables, TableWriter, language_of, open_table
from emollms.errors import EmollmsError, UsageError
from emollms.hub.card_checks import read_metadata
from emollms.storage import Strict, commit, draft, recover, write_json
from emollms.templates import render_card

ORIGINAL = "original.json"
"""The manifest of the data set, byte for byte."""

IDS_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("task", pa.string()),
        pa.field("split", pa.string()),
        pa.field("wording", pa.int32()),
        pa.field("sha256", pa.string()),
    ]
)
IDS_COLUMNS = {
    "id": "the row's id: corpus/task/source id/emotion/wording number",
    "task": "name of the task",
    "split": "its split",
    "wording": "number of the instruction wording, from 0",
    "sha256": "SHA-256 of the row as JSON: keys sorted, no spaces, UTF-8",
}


class IdsManifest(Strict):
    """What an id-only form is.

    Args:
        form: `ids`; the manifest of a data set has no such field.
        data_set: name of the data set.
        title: its name for people.
        version: its version.
        content_hash: its content hash.
        sources: its corpora.
        counts: its rows by task and split.
        files: all files of the form but this one and the README, which is derived.
    """

    form: Literal["ids"] = "ids"
    data_set: str
    title: str
    version: str
    content_hash: str
    sources: list[SourceEntry]
    counts: list[CountEntry]
    files: ListedFiles


def is_id_only(folder: Path) -> bool:
    """Whether a folder holds the id-only form of a data set."""
    return (folder / NAME).is_file() and (folder / ORIGINAL).is_file()


def read_ids_manifest(folder: Path) -> IdsManifest:
    """The manifest of an id-only form.

    Raises:
        UsageError: there is none.
        EmollmsError: it is damaged.
    """
    if not is_id_only(folder):
        raise UsageError(f"{folder} holds no id-only data set; make one with `emollms publish dataset DIR --ids-only`")
    try:
        return IdsManifest.model_validate_json((folder / NAME).read_bytes())
    except ValidationError as error:
        raise EmollmsError(f"{folder / NAME} is damaged ({str(error).splitlines()[0]})") from None


def read_original(folder: Path) -> Manifest:
    """The manifest of the data set that an id-only form was made from.

    Raises:
        EmollmsError: it is damaged.
    """
    try:
        return Manifest.model_validate_json((folder / ORIGINAL).read_bytes())
    except ValidationError as error:
        raise EmollmsError(f"{folder / ORIGINAL} is damaged ({str(error).splitlines()[0]})") from None


def write_ids(folder: Path, out: Path) -> IdsManifest:
    """Write the id-only form of a data set; it appears when everything is written.

    Args:
        folder: the dataset repo.
        out: the folder of the form; an id-only form that is there is replaced.

    Raises:
        UsageError: `folder` holds no data set, or `out` something else.
    """
    manifest = read_manifest(folder)
    recover(out)
    if out.exists() and any(out.iterdir()) and not is_id_only(out):
        raise UsageError(f"{out} exists and holds no id-only data set; choose another folder")
    with draft(out) as unfinished:
        written = _write(folder, manifest, unfinished)
        commit(unfinished, out)
    return written


def _write(folder: Path, manifest: Manifest, out: Path) -> IdsManifest:
    tables: dict[tuple[str, str], TableWriter | LanguageTables] = {}
    by_language = get_data_set(manifest.data_set).by_language
    for count in (count for count in manifest.counts if count.rows):
        with open_table(out / "data" / count.task / count.split, by_language, IDS_SCHEMA) as table:
            for path in _files_of(folder, count):
                own = table.table(language_of(path) or "") if isinstance(table, LanguageTables) else table
                for batch in _ids_in(path, count.split):
                    own.write(batch)
        tables[count.task, count.split] = table
    copyfile(folder / NAME, out / ORIGINAL)
    (out / README).write_text(_readme(folder, manifest, tables), encoding="utf-8")
    paths = [path for table in tables.values() for path in table.files] + [out / ORIGINAL]
    if (folder / EVAL_YAML).is_file():  # a benchmark of which only ids may leave has a leaderboard all the same
        paths.append(Path(copyfile(folder / EVAL_YAML, out / EVAL_YAML)))
    ids = IdsManifest(
        data_set=manifest.data_set,
        title=manifest.title,
        version=manifest.version,
        content_hash=manifest.content_hash,
        sources=manifest.sources,
        counts=manifest.counts,
        files=[entry(out, path) for path in paths],
    )
    write_json(out / NAME, ids.model_dump())
    return ids


def ids_of(folder: Path, count: CountEntry) -> Iterator[pa.RecordBatch]:
    """Ids and hashes of the rows of a task and split of a data set, in their order."""
    for path in _files_of(folder, count):
        yield from _ids_in(path, count.split)


def _files_of(folder: Path, count: CountEntry) -> list[Path]:
    return sorted((folder / "data" / count.task).glob(f"{count.split}-*.parquet"))


def _ids_in(path: Path, split: str) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(path) as table:
        for batch in table.iter_batches():
            columns = {"id": batch["id"], "task": batch["task"], "wording": batch["wording"]}
            columns["split"] = pa.repeat(split, batch.num_rows)
            columns["sha256"] = pa.array([row_hash(row) for row in batch.to_pylist()], pa.string())
            yield pa.record_batch([columns[name] for name in IDS_SCHEMA.names], schema=IDS_SCHEMA)


def _readme(folder: Path, manifest: Manifest, tables: Tables) -> str:
    """The card of the form: the metadata of the data set, with the form's own columns and sizes."""
    metadata = read_metadata(folder / README)
    metadata["pretty_name"] = f"{metadata['pretty_name']}: ids"
    infos = metadata["dataset_info"]
    assert isinstance(infos, list)
    for info in infos:
        info |= sizes(tables_of(info["config_name"], tables))
        if "features" in info:
            info["features"] = features(IDS_SCHEMA)
    statistics = json.loads((folder / "statistics.json").read_text(encoding="utf-8"))
    values = card_values(manifest, statistics) | {"hashes_in": ORIGINAL}
    first = next(iter(tables.values()))
    row = next(pq.ParquetFile(first.files[0]).iter_batches(1)).to_pylist() if first.rows else [{}]
    return render_card("dataset_ids.md.j2", metadata, **values, columns=IDS_COLUMNS, row=json.dumps(row[0], indent=2))
