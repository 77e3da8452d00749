"""A built data set, or the id-only form of one, as a release."""

from collections.abc import Sequence
from pathlib import Path

from emollms.dataset.manifest import NAME, README, read_manifest
from emollms.dataset.manifest_entries import CountEntry, FileEntry
from emollms.errors import EmollmsError, UsageError
from emollms.hub.card_checks import check_dataset_card, read_metadata, rows_by_config
from emollms.hub.ids import IDS_SCHEMA, is_id_only, read_ids_manifest, read_original
from emollms.hub.release import LocalFile, Release, checked_files, refuse_others
from emollms.hub.rights import refuse_bound_rows, refuse_ids, refuse_texts
from emollms.hub.sensitive import check_sensitive

ENDINGS = (".parquet", ".json", ".md", ".yaml")
"""Kinds of files that a data set is made of."""


def dataset_release(folder: Path, version: str | None = None) -> Release:
    """The release of a data set that may be published.

    Args:
        folder: a dataset repo, or its id-only form.
        version: the version that it must be.

    Raises:
        UsageError: it is no data set, another version, or there are unexpected files.
        EmollmsError: it may not be redistributed, is damaged or incomplete, or holds secrets.
    """
    if is_id_only(folder):
        ids = read_ids_manifest(folder)
        read_original(folder)
        release = _release(folder, f"{ids.data_set} (ids)", ids.version, version, ids.files, ids.counts)
        refuse_ids(ids.sources, release.files, IDS_SCHEMA)
    else:
        manifest = read_manifest(folder)
        refuse_texts(manifest.sources, {})  # before the files, which take a while
        if manifest.redistribution != "text":
            raise EmollmsError(f"the manifest states redistribution: {manifest.redistribution}; build it again")
        release = _release(folder, manifest.data_set, manifest.version, version, manifest.files, manifest.counts)
        refuse_texts(manifest.sources, release.files)
    refuse_bound_rows(release.files)
    return release


def _release(
    folder: Path, name: str, found: str, version: str | None, entries: Sequence[FileEntry], counts: Sequence[CountEntry]
) -> Release:
    if version not in (None, found):
        raise UsageError(f"{folder} is version {found}, not {version}")
    files = checked_files(folder, entries, NAME, README)
    refuse_others(folder, files)
    if others := [path for path in files if not path.endswith(ENDINGS)]:
        raise EmollmsError(f"a data set is made of {', '.join(ENDINGS)} files; refused: {', '.join(others)}")
    check_dataset_card((folder / README).read_text(encoding="utf-8"), str(folder / README), counts)
    return Release("dataset", name, found, files, load_dataset_back, notes=check_sensitive(files))


def load_dataset_back(folder: Path, cache: Path) -> None:
    """Load every config of a data set, and count its rows.

    Args:
        folder: what was downloaded.
        cache: an empty folder.

    Raises:
        EmollmsError: it does not load, or has other rows than its README says.
    """
    from datasets import disable_progress_bars, load_dataset
    from datasets.exceptions import DatasetsError

    disable_progress_bars()
    for config, expected in rows_by_config(read_metadata(folder / README)).items():
        try:
            loaded = load_dataset(str(folder), config, cache_dir=str(cache))
        except (DatasetsError, ValueError, OSError) as error:
            raise EmollmsError(f"config {config} does not load: {' '.join(str(error).split())}") from error
        rows = {split: table.num_rows for split, table in loaded.items()}
        if rows != expected:
            raise EmollmsError(f"config {config} has rows {rows}, not {expected}")


def local_release_files(folder: Path) -> tuple[str, dict[str, LocalFile]]:
    """Version and files of a data set here, whether or not it may be published.

    Raises:
        UsageError, EmollmsError: it is none, or is damaged.
    """
    manifest = read_ids_manifest(folder) if is_id_only(folder) else read_manifest(folder)
    return manifest.version, checked_files(folder, manifest.files, NAME, README)
