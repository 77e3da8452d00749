"""A build: raw corpora in, a finished dataset repo out, under the rules of versions."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree

from emollms.dataset.manifest import NAME as MANIFEST
from emollms.dataset.manifest import Manifest, parse_version, read_manifest
from emollms.dataset.pipeline import Pipeline
from emollms.dataset.screening import index_search
from emollms.dataset.specs import Settings
from emollms.dedup.index import DuplicateIndex, open_index
from emollms.errors import EmollmsError, UsageError
from emollms.expectations.report import GateFailed
from emollms.progress import OnProgress, silent
from emollms.storage import commit, draft, keep_failed, recover


@dataclass
class Build:
    """What a build did.

    Args:
        manifest: the manifest of the repo in its place.
        changed: False if the same version with the same content was there already.
        seconds: wall time by part: reading, screening, wording, writing, describing, validating.
    """

    manifest: Manifest
    changed: bool
    seconds: dict[str, float]


def build(
    settings: Settings,
    out: Path,
    version: str = "1.0.0",
    root: Path | None = None,
    validate: bool = True,
    on_progress: OnProgress = silent,
    index: str | None = None,
) -> Build:
    """Build a data set.

    Args:
        settings: what to build.
        out: the folder of the dataset repo; it appears when everything is written.
        version: the semantic version.
        root: the folder of the corpora; None for where they are on this machine.
        validate: check the data against its suite before the manifest is written; only benchmarks of other parts
            leave that out.
        on_progress: called with what is done, and with the texts that are read, and then written.
        index: a folder, or `redis://HOST:PORT/DB`: texts of earlier runs, which must not be in training or validation.
            The texts of this data set are added to it when it is in its place.

    Raises:
        UsageError: settings or names are wrong, a corpus is missing, or `out` holds something else.
        SourceError: a raw file is not what its corpus says.
        EmollmsError: `out` holds this version with other content.
        GateFailed: the data fails its suite; the draft is kept as `<out>.failed`.
    """
    settings.check()
    recover(out)
    before = _replaceable(out, settings, version)
    with _open_index(index, settings) as earlier, draft(out) as folder:
        pipeline = Pipeline(settings, folder, root, validate, on_progress, earlier)
        try:
            manifest = pipeline.run(version, before)
        except GateFailed as failure:
            raise GateFailed(failure.report, keep_failed(folder, out)) from None
        if before and before.version == version:
            _refuse_other_content(before, manifest, out)
            rmtree(folder)
        else:
            commit(folder, out)
        if earlier is not None:  # last: a build that fails or is killed before leaves the index as it was
            earlier.commit()
    if before and before.version == version:
        return Build(before, False, pipeline.seconds)
    return Build(manifest, True, pipeline.seconds)


def _open_index(url: str | None, settings: Settings) -> AbstractContextManager[DuplicateIndex | None]:
    if url is None:
        return nullcontext()
    if settings.profile == "paper":
        raise UsageError("the profile paper is not screened for duplicates, so it takes no --index")
    return open_index(url, index_search())


def _replaceable(out: Path, settings: Settings, version: str) -> Manifest | None:
    """The manifest of the data set in `out`, if there is one, when this version may replace it."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        parse_version(version)
        return None
    if not (out / MANIFEST).is_file():
        raise UsageError(f"{out} is there and holds no data set of ours; choose another --out")
    before = read_manifest(out)
    if before.data_set != settings.data_set.name:
        raise UsageError(f"{out} holds {before.data_set}, not {settings.data_set.name}; choose another --out")
    if parse_version(version) < parse_version(before.version):
        raise UsageError(f"{out} holds version {before.version}; {version} is older")
    return before


def _refuse_other_content(before: Manifest, now: Manifest, out: Path) -> None:
    if before.content_hash != now.content_hash:
        raise EmollmsError(
            f"{out} holds version {before.version} with other content, and a version never changes; "
            f"give the new content a --version of its own (`emollms diff` tells which step it asks for)"
        )
