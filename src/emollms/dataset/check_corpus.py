"""`emollms corpora check`: what a reviewer of a corpus would look at, as a report to paste into a pull request."""

from collections.abc import Iterator
from pathlib import Path

from emollms.corpora.base import Corpus
from emollms.corpora.registry import corpora, get_corpus
from emollms.corpora.registry import folder as corpus_folder
from emollms.dataset import declaration_checks, duplicate_checks, row_checks
from emollms.dataset.corpus_files import CorpusHome, derive
from emollms.dataset.corpus_reading import CorpusReading
from emollms.dataset.corpus_report import CorpusCheck, CorpusReport
from emollms.errors import EmollmsError, UsageError
from emollms.progress import OnProgress, silent
from emollms.templates import cell


def check_corpus(
    name: str, from_: str | Path | None = None, update: bool = False, on_progress: OnProgress = silent
) -> CorpusReport:
    """Check a corpus: all that a program can see of what a reviewer asks.

    Args:
        name: the corpus.
        from_: the folder of its raw files, or the folder that has them in a folder of its name; None for where the
            corpora are on this machine. The others are always taken from there.
        update: write suite, statistics, test and drawn splits anew first, as the corpus is read now.
        on_progress: is told what is looked at.

    Raises:
        UsageError: there is no such corpus, or its files are missing.
    """
    corpus = get_corpus(name)
    where = _folder(corpus, from_)
    if update:
        on_progress("writing suite, statistics and test", 0, None)
        derive(corpus, where, CorpusHome.of_corpus(corpus))
        corpora.cache_clear()
        corpus = get_corpus(name)
    return CorpusReport(name, corpus.meta.title, tuple(_checks(CorpusReading(corpus, where, on_progress))))


def _folder(corpus: type[Corpus], from_: str | Path | None) -> Path:
    if from_ is None:
        return corpus_folder(corpus)
    given = Path(from_)
    if not given.is_dir():
        raise UsageError(f"{given} is no folder; --from takes the folder of the raw files")
    return given / corpus.meta.name if (given / corpus.meta.name).is_dir() else given


def _checks(reading: CorpusReading) -> Iterator[CorpusCheck]:
    yield declaration_checks.metadata(reading)
    yield declaration_checks.license(reading)
    yield (hashes := declaration_checks.hashes(reading))
    if hashes.status == "failed":
        return
    try:
        reading.on_progress(f"reading {reading.meta.name}", 0, None)
        _ = reading.examples
    except EmollmsError as error:
        yield CorpusCheck("rows", "failed", (cell(error),))
        return
    for step in (
        row_checks.rows, row_checks.row_samples, row_checks.labels, row_checks.raters, row_checks.suite,
        row_checks.determinism, duplicate_checks.duplicates_inside, duplicate_checks.duplicates_outside,
        row_checks.sensitive, duplicate_checks.gain,
    ):  # fmt: skip
        reading.on_progress(f"checking {step.__name__.replace('_', ' ')}", 0, None)
        yield from step(reading)
