"""Whether a dataset repo, or a source corpus, is what its suite in `validation/` says.

`enforce` is what a build calls before it writes the manifest, `check` what `emollms validate` calls.
"""

from pathlib import Path

from emollms.corpora.catalogue import get_corpus
from emollms.corpora.corpus import Profile
from emollms.progress import OnProgress, silent
from emollms.quality.gate.check import gate
from emollms.quality.gate.report import GateFailed, GateReport, Subject
from emollms.quality.gate.tables import FolderTables
from emollms.repository.corpus_tables import CorpusTables
from emollms.repository.manifest import Manifest, read_manifest
from emollms.repository.specs import DATA_SETS, Settings


def enforce(
    folder: Path, manifest: Manifest, benchmark: Path | None = None, on_progress: OnProgress = silent
) -> GateReport:
    """Check a data set, and refuse it where it falls short; arguments as for `check`.

    Raises:
        GateFailed: an expectation failed, and not in the way that is known; it names the first rows.
    """
    report = check(folder, manifest, benchmark, on_progress)
    if not report.success:
        raise GateFailed(report)
    return report


def check(
    folder: Path, manifest: Manifest | None = None, benchmark: Path | None = None, on_progress: OnProgress = silent
) -> GateReport:
    """Hold a data set against the suite that its manifest names.

    Args:
        folder: the dataset repo, finished or still a draft.
        manifest: its manifest, where it is not written yet.
        benchmark: a repo of test texts that must not be among those for training.
        on_progress: called with the expectations that are checked.

    Raises:
        UsageError: there is no manifest, or no suite for such a data set.
        EmollmsError: the manifest or a file is damaged.
    """
    manifest = manifest or read_manifest(folder)
    tables = FolderTables(folder, manifest.settings.get("wordings") == "all", benchmark)
    return gate(_subject(manifest, benchmark is not None), tables, on_progress)


def check_corpus(
    name: str, root: Path | None = None, profile: Profile = "release", on_progress: OnProgress = silent
) -> GateReport:
    """Hold a source corpus, as it is read, against its suite.

    Args:
        name: the corpus.
        root: the folder of the corpora; None for where they are on this machine.
        profile: the profile in which it is read.
        on_progress: called with the expectations that are checked.

    Raises:
        UsageError: there is no such corpus, no suite for it, or its files are missing.
        SourceError: a raw file is not what the corpus says.
    """
    corpus = get_corpus(name)
    return check_tables(name, CorpusTables(corpus, root, profile), on_progress)


def check_tables(name: str, tables: CorpusTables, on_progress: OnProgress = silent) -> GateReport:
    """Hold the tables of a corpus against its suite; as `check_corpus`, for tables that are at hand."""
    meta = tables.corpus.meta
    facts = {"languages": list(meta.languages), "corpora": [meta.name]}
    subject = Subject(f"corpora/{name}", meta.title, meta.version, tables.profile, True, facts, {})
    return gate(subject, tables, on_progress)


def _subject(manifest: Manifest, has_benchmark: bool) -> Subject:
    settings = manifest.settings
    corpora = [source.corpus for source in manifest.sources]
    languages = settings.get("languages", [])
    if languages == ["all"]:
        languages = sorted({language for corpus in corpora for language in get_corpus(corpus).meta.languages})
    return Subject(
        suite=manifest.data_set,
        title=manifest.title,
        version=manifest.version,
        profile="paper" if settings.get("profile") == "paper" else "release",
        complete=_is_complete(manifest),
        facts={"languages": languages, "corpora": corpora},
        counts={
            (count.task, count.split): (count.rows, count.read - sum(count.dropped.values()))
            for count in manifest.counts
        },
        has_benchmark=has_benchmark,
        standard=_is_standard(manifest),
        left_out=tuple(map(str, manifest.left_out())),
    )


def _is_complete(manifest: Manifest) -> bool:
    """Whether a manifest is that of a build with the default corpora, tasks and languages."""
    if manifest.data_set not in DATA_SETS:
        return False
    default = Settings(DATA_SETS[manifest.data_set]).as_json()
    return all(manifest.settings.get(name) == default[name] for name in ("corpora", "tasks", "languages", "splits"))


def _is_standard(manifest: Manifest) -> bool:
    """Whether a build has only corpora, tasks and languages that are the default, all or some of them."""
    if manifest.data_set not in DATA_SETS:
        return False
    standard = DATA_SETS[manifest.data_set]
    return (
        {source.corpus for source in manifest.sources} <= set(standard.corpora)
        and {count.task for count in manifest.counts} <= set(standard.tasks)
        and manifest.settings.get("languages") == Settings(standard).as_json()["languages"]
    )
