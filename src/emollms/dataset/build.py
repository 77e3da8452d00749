"""A build: raw corpora in, a finished dataset repo out, under the rules of versions."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, get_args

from emollms.corpora.base import Profile
from emollms.dataset.manifest import NAME as MANIFEST
from emollms.dataset.manifest import Manifest, parse_version, read_manifest
from emollms.dataset.pipeline import Pipeline
from emollms.dataset.screening import index_search
from emollms.dataset.settings_checks import check_settings
from emollms.dataset.specs import Settings, as_names, get_data_set
from emollms.errors import EmollmsError, UsageError, unknown
from emollms.expectations.report import GateFailed
from emollms.locations import check_folder
from emollms.progress import OnProgress, show_progress, silent
from emollms.prompts.instructions import ENGLISH
from emollms.storage import commit, draft, keep_failed, recover

if TYPE_CHECKING:
    import pandas as pd

    from emollms.dedup.index import DuplicateIndex


@dataclass(frozen=True)
class Build:
    """What a build did.

    Args:
        folder: the folder of the data set.
        manifest: its manifest.
        changed: False if the same version with the same content was there already.
        seconds: wall time by part: reading, screening, wording, writing, describing, validating.
    """

    folder: Path
    manifest: Manifest
    changed: bool
    seconds: dict[str, float]

    def to_pandas(self) -> "pd.DataFrame":
        """A row for each task and split: the texts that are kept, and the rows that are made of them."""
        import pandas as pd

        counts = self.manifest.counts
        rows = [(count.task, count.split, count.read - sum(count.dropped.values()), count.rows) for count in counts]
        return pd.DataFrame(rows, columns=["task", "split", "texts", "rows"])

    def __repr__(self) -> str:
        """The data set and its folder, the table of `to_pandas`, and what was left out."""
        made = self.manifest
        state = f"{made.data_set} {made.version} ({made.settings['profile']}) in {self.folder}"
        left_out = [f"left out: {one}" for one in made.left_out()]
        return "\n".join([state, self.to_pandas().to_string(index=False), *left_out])


def build(
    data_set: str,
    out: str | Path,
    *,
    profile: Profile = "release",
    corpora: str | Sequence[str] = (),
    tasks: str | Sequence[str] = (),
    languages: str | Sequence[str] = (),
    instructions: str = ENGLISH,
    from_: str | Path | None = None,
    version: str = "1.0.0",
    quarantine: bool = False,
    mask: bool = False,
    index: str | None = None,
    progress: bool | OnProgress = False,
) -> Build:
    """Build a data set from raw corpora, ready for `load_dataset`; the command is `emollms build`.

    Args:
        data_set: `aaid` or `aaid-plus`, which train models, or `aeb` or `aeb-multilingual`, which evaluate them.
        out: the folder of the data set; it appears when everything is written.
        profile: `release` repairs; `paper` gives the published texts and gold labels.
        corpora: names of corpora, as a list or with commas; by default those of the data set.
        tasks: names of tasks; by default those of the data set, and all of other corpora.
        languages: codes of languages, or `all`; by default English, of `aeb-multilingual` all.
        instructions: the language of the instructions, such as `es`; or `native` for that of each text, where there are
            wordings in it, and English elsewhere.
        from_: the folder of the corpora, in place of `EMOLLMS_CORPORA`.
        version: the semantic version; a version never changes.
        quarantine: leave broken source rows out and count them, instead of stopping.
        mask: put placeholders in place of user names, links, addresses and secrets.
        index: a folder, or `redis://HOST:PORT/DB`, of texts of earlier builds: they are dropped, and those of this
            build added.
        progress: whether to show progress on stderr, or a function to call with it.

    Raises:
        UsageError: a name is unknown, options do not go together, a corpus is missing, or `out` holds something else.
        SourceError: a raw file is not what its corpus says.
        EmollmsError: `out` holds this version with other content.
        GateFailed: the data does not pass its suite of expectations; the draft is kept as `<out>.failed`.
    """
    root, out = Path(from_) if from_ is not None else None, Path(out)
    check_folder(root)
    if profile not in get_args(Profile):
        raise unknown("profile", profile, get_args(Profile))
    settings = Settings(
        data_set=get_data_set(data_set),
        profile=profile,
        corpora=as_names(corpora),
        tasks=as_names(tasks),
        languages=as_names(languages),
        instructions=instructions,
        quarantine=quarantine,
        mask=mask,
    )
    with show_progress("texts", "reading the corpora", progress) as on_progress:
        return build_repo(settings, out, version, root, on_progress=on_progress, index=index)


def build_repo(
    settings: Settings,
    out: Path,
    version: str = "1.0.0",
    root: Path | None = None,
    validate: bool = True,
    on_progress: OnProgress = silent,
    index: str | None = None,
) -> Build:
    """Build a dataset repo as its settings say; `build` makes them from names.

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
    check_settings(settings)
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
        return Build(out, before, False, pipeline.seconds)
    return Build(out, manifest, True, pipeline.seconds)


def _open_index(url: str | None, settings: Settings) -> "AbstractContextManager[DuplicateIndex | None]":
    if url is None:
        return nullcontext()
    if settings.profile == "paper":
        raise UsageError("the profile paper is not screened for duplicates, so it takes no --index")
    from emollms.dedup.index import open_index  # compiles kernels: only where there is an index

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
