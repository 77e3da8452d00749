"""The way back from ids: a data set built from the reader's own corpora, and checked against the published hashes."""

import dataclasses
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from emollms import __version__
from emollms.corpora.base import Corpus
from emollms.corpora.registry import folder as corpus_folder
from emollms.corpora.registry import get_corpus, is_here
from emollms.dataset.build import build_repo
from emollms.dataset.manifest import NAME, README, Manifest, entry, read_manifest
from emollms.dataset.manifest_entries import CountEntry
from emollms.dataset.specs import Settings, get_data_set
from emollms.errors import EmollmsError, UsageError
from emollms.hub.ids import IDS_SCHEMA, ORIGINAL, ids_of, read_ids_manifest, read_original
from emollms.hub.release import checked_files
from emollms.locations import check_free
from emollms.progress import OnProgress, silent
from emollms.storage import commit


@dataclass(frozen=True)
class Hydrated:
    """A data set that was built from ids.

    Args:
        manifest: its manifest.
        rows: how many rows there are, each with the published hash.
        differing: files that are not the published ones byte for byte, since another version of this package wrote
            them; none of them holds rows.
    """

    manifest: Manifest
    rows: int
    differing: tuple[str, ...]


def hydrate(ids: Path, out: Path, root: Path | None = None, on_progress: OnProgress = silent) -> Hydrated:
    """Build the data set that an id-only form was made from.

    Args:
        ids: the id-only form.
        out: the folder of the dataset repo; it appears when every row is right.
        root: the folder of the corpora; None for where they are on this machine.
        on_progress: as for `build`.

    Raises:
        UsageError: `ids` is no id-only form, a corpus is missing, or `out` is there.
        SourceError: a corpus is not the one that the data set was built from.
        EmollmsError: rows differ from the published ones.
    """
    form = read_ids_manifest(ids)
    checked_files(ids, form.files, NAME, README)
    original = read_original(ids)
    check_free(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as name:
        folder = Path(name) / "built"
        corpora = _link_corpora(original, root, Path(name) / "corpora")
        _pretend_before(original, folder)
        build_repo(_settings(original), folder, original.version, corpora, on_progress=on_progress)
        rows = sum(_check_rows(count, ids, folder) for count in original.counts if count.rows)
        differing = _check_files(original, ids, folder)
        commit(folder, out)
    return Hydrated(original, rows, differing)


def _link_corpora(original: Manifest, root: Path | None, links: Path) -> Path:
    """A folder with the corpora that the data set was built from and checked against, and no others.

    A build checks its texts against what it finds of the benchmark, and says so in its manifest and README.

    Raises:
        UsageError: corpora are missing; the message names them.
    """
    checked_against = original.screening.benchmark if original.screening else []
    names = list(dict.fromkeys([*(source.corpus for source in original.sources), *checked_against]))
    places = {name: _place(get_corpus(name), root) for name in names}
    missing = [name for name, place in places.items() if place is None]
    if missing:
        raise UsageError(
            f"{original.data_set} {original.version} was built from, or checked against, {', '.join(missing)}, which "
            f"you do not have; `emollms corpora show {missing[0]}` shows how to get it"
        )
    links.mkdir()
    for name, place in places.items():
        if place is not None:
            (links / name).symlink_to(place.resolve(), target_is_directory=True)
    return links


def _place(corpus: type[Corpus], root: Path | None) -> Path | None:
    """Where the files of a corpus are; those that come with the package need not be in `root`."""
    roots = (root, None) if corpus.meta.bundled else (root,)
    return next((corpus_folder(corpus, one) for one in roots if is_here(corpus, one)), None)


def _settings(original: Manifest) -> Settings:
    """The settings that a manifest records.

    Raises:
        EmollmsError: this version of the package has other settings.
    """
    fields = {field.name for field in dataclasses.fields(Settings)} - {"data_set"}
    chosen = {name: _frozen(value) for name, value in original.settings.items() if name in fields}
    settings = Settings(get_data_set(original.data_set), **chosen)  # type: ignore[arg-type] # checked below
    if settings.as_json() != original.settings:
        raise EmollmsError(
            f"emollms {__version__} has other settings than {original.made_with}, which made this; install that version"
        )
    return settings


def _frozen(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _pretend_before(original: Manifest, folder: Path) -> None:
    """Put the version before in place, if there was one, so that the build names it as the original does."""
    if original.supersedes:
        before = Manifest.model_validate(original.model_dump() | original.supersedes.model_dump())
        folder.mkdir()
        before.write(folder)


def _check_rows(count: CountEntry, ids: Path, folder: Path) -> int:
    """Check the rows of a task and split against the published ids and hashes; gives how many there are."""
    published = pa.Table.from_batches(_published(ids, count), IDS_SCHEMA)
    built = pa.Table.from_batches(ids_of(folder, count), IDS_SCHEMA)
    if built.equals(published):
        return int(built.num_rows)
    place = f"{count.task}/{count.split}"
    if built["id"] != published["id"]:
        raise EmollmsError(
            f"{place}: {built.num_rows:,} rows were built, with other ids than the {published.num_rows:,}"
        )
    wrong = [
        row["id"]
        for row, other in zip(built.to_pylist(), published.to_pylist(), strict=True)
        if row["sha256"] != other["sha256"]
    ]
    raise EmollmsError(f"{place}: {len(wrong):,} rows differ from the published ones, the first is {wrong[0]}")


def _published(ids: Path, count: CountEntry) -> Iterator[pa.RecordBatch]:
    for path in sorted((ids / "data" / count.task).glob(f"{count.split}-*.parquet")):
        yield from pq.read_table(path, schema=IDS_SCHEMA).to_batches()


def _check_files(original: Manifest, ids: Path, folder: Path) -> tuple[str, ...]:
    """The files that are not the published ones; none may be, if this version of the package made those."""
    differing = [file.path for file in original.files if entry(folder, folder / file.path) != file]
    if read_manifest(folder) != original:
        differing.append(NAME)
    if differing and json.loads((ids / ORIGINAL).read_text())["made_with"] == __version__:
        raise EmollmsError(f"the rows are right, but these files are not the published ones: {', '.join(differing)}")
    return tuple(differing)
