"""Whether a dataset repo, or a source corpus, is what its suite in `validation/` says.

`enforce` is what a build calls before it writes the manifest, `validate` what `emollms validate` calls.
"""

import json
from collections.abc import Collection
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from emollms.corpora.base import Corpus, Profile, Selection
from emollms.corpora.reader import RawSource
from emollms.corpora.registry import corpora, get_corpus
from emollms.corpora.registry import folder as corpus_folder
from emollms.dataset.examples import ExampleStore
from emollms.dataset.manifest import Manifest, read_manifest
from emollms.dataset.reader import local_copy
from emollms.dataset.specs import DATA_SETS, Settings
from emollms.expectations.distributions import statistics
from emollms.expectations.frames import FolderTables, Frames, chosen, texts_frame
from emollms.expectations.report import GateFailed, GateReport, Part, Subject
from emollms.expectations.runner import gate
from emollms.progress import OnProgress, show_progress, silent

if TYPE_CHECKING:
    import pandas as pd


class CorpusTables:
    """The tables of a source corpus: its texts with their gold labels, all tasks, splits and languages.

    Args:
        corpus: the corpus.
        root: the folder of the corpora; None for where they are on this machine.
        profile: the profile in which it is read.
        folder: the folder of its files, where that is no folder of its name in `root`.
    """

    def __init__(
        self,
        corpus: type[Corpus],
        root: Path | None = None,
        profile: Profile = "release",
        folder: Path | None = None,
    ) -> None:
        self.corpus, self.profile = corpus, profile
        self.folder = folder or corpus_folder(corpus, root)

    def parts(self) -> list[Part]:
        """Task and split of the texts."""
        return list(self._texts[1])

    def frames(self, table: str, parts: Collection[Part]) -> Frames:
        """See `Tables`; a corpus has texts alone."""
        return iter([("", chosen(*self._texts, parts))])

    @property
    def texts(self) -> "pd.DataFrame":
        """Every text, once for each task and emotion."""
        return self._texts[0]

    @cached_property
    def _texts(self) -> "tuple[pd.DataFrame, dict[Part, int]]":
        meta = self.corpus.meta
        examples = self.corpus(self.profile).examples(RawSource(meta, self.folder), Selection(meta.tasks, meta.splits))
        with TemporaryDirectory() as folder:
            store = ExampleStore(Path(folder) / "examples")
            for example in examples:
                store.add(meta.name, example)
            store.close()
            tables = {part: _with_ids(pa.Table.from_batches(store.batches(part)), *part) for part in store.groups()}
            lengths = {part: len(table) for part, table in tables.items()}
            return texts_frame(pa.concat_tables(list(tables.values()))), lengths


def _with_ids(texts: pa.Table, task: str, split: str) -> pa.Table:
    ids = pc.binary_join_element_wise(task, texts["source_id"], pc.fill_null(texts["emotion"], "-"), "/")
    columns = {
        "id": ids,
        "task": pa.repeat(task, len(texts)),
        "split": pa.repeat(split, len(texts)),
        "cluster": pa.nulls(len(texts), pa.string()),  # nothing is screened when a corpus is read
    }
    for name, column in columns.items():
        texts = texts.append_column(name, column)
    return texts


def corpus_statistics(corpus: type[Corpus], root: Path | None = None) -> dict[str, object]:
    """Figures on a corpus as it is read in the profile `release`; they contain no text.

    Args:
        corpus: the corpus.
        root: the folder of the corpora; None for where they are on this machine.

    Raises:
        SourceError: a raw file is missing, or not what the corpus says.
    """
    return statistics_of(CorpusTables(corpus, root))


def statistics_of(tables: CorpusTables) -> dict[str, object]:
    """As `corpus_statistics`, for tables that are at hand."""
    meta = tables.corpus.meta
    return {"corpus": meta.name, "version": meta.version, "parts": statistics(tables.texts)}


def statistics_json(figures: dict[str, object]) -> str:
    """Statistics as they are committed: one line a task, split and language, so that a change is one line."""
    parts = figures["parts"]
    assert isinstance(parts, dict)
    lines = ",\n".join(
        f"    {json.dumps(name)}: {json.dumps(part, ensure_ascii=False)}" for name, part in parts.items()
    )
    head = "".join(f"  {json.dumps(name)}: {json.dumps(figures[name])},\n" for name in ("corpus", "version"))
    return f'{{\n{head}  "parts": {{\n{lines}\n  }}\n}}\n'


def validate(
    target: str | Path,
    *,
    html: str | Path | None = None,
    against: str | Path | None = None,
    progress: bool | OnProgress = False,
) -> GateReport:
    """Check a data set, or a source corpus, against its suite of expectations; the command is `emollms validate`.

    Args:
        target: a folder that `emollms.build` wrote, a repo on the Hub (`OWNER/NAME`, `OWNER/NAME@REVISION`), or the
            name of a source corpus.
        html: a file for a page with the checks, and pictures.
        against: a benchmark, as a folder or a repo, whose texts must not be among those for training.
        progress: whether to show progress on stderr, or a function to call with it.

    Returns:
        The checks; `success` says whether all passed but those that are known to fail.

    Raises:
        UsageError: there is no such data set or corpus, or no suite for it.
        EmollmsError: a file is damaged, or the Hub cannot be reached.
    """
    name = str(target)
    is_corpus = name in corpora() and not Path(name).is_dir()
    folder, benchmark = (None if is_corpus else local_copy(name)), (local_copy(str(against)) if against else None)
    with show_progress("expectations", "reading", progress) as on_progress:
        if folder is None:
            report = check_corpus(name, on_progress=on_progress)
        else:
            report = check(folder, benchmark=benchmark, on_progress=on_progress)
    if html:
        from emollms.expectations.page import write_page

        write_page(report, Path(html))
    return report


def enforce(
    folder: Path, manifest: Manifest, benchmark: Path | None = None, on_progress: OnProgress = silent
) -> GateReport:
    """Check a data set, and refuse it where it fails; arguments as for `check`.

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
    """Check a data set against the suite that its manifest names.

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
    """Check a source corpus, as it is read, against its suite.

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
    """Check the tables of a corpus against its suite; as `check_corpus`, for tables that are at hand."""
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
        profile=manifest.profile,
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
