"""What is derived from a corpus as it is read: its suite, its statistics, its test, the splits that were drawn."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from emollms.corpora.base import Corpus, Example, Selection, package_of
from emollms.corpora.metadata import Split
from emollms.corpora.reader import RawSource
from emollms.corpora.registry import BUILDERS, folder, get_corpus
from emollms.dataset.validation import CorpusTables, check_tables, statistics_json, statistics_of
from emollms.errors import UsageError
from emollms.expectations.report import GateReport
from emollms.expectations.suites import load_suite
from emollms.storage import write_whole
from emollms.templates import render

DISTRIBUTED = {
    "no-row-twice": "The distribution has these texts under several ids, with equal gold labels.",
    "no-training-text-in-test": "The distribution has these texts in several splits, under other ids.",
}
"""Expectations that a corpus may fail as it is distributed: a build flags or drops such texts."""
SHARES, MEANS = 0.02, 0.02
"""How far shares of labels, means and deviations may be from those of the pinned corpus."""


@dataclass(frozen=True)
class CorpusHome:
    """Where the files of a corpus are, besides its module.

    Args:
        builders: the folder of its module.
        validation: the folder of suites and statistics.
        tests: the folder of its test.
        shown: what paths are shown relative to.
    """

    builders: Path
    validation: Path
    tests: Path
    shown: Path

    @classmethod
    def of_package(cls, package: Path) -> "CorpusHome":
        """The places in a package of one's own: tests are beside it, or beside `src/`."""
        root = package.parent.parent if package.parent.name == "src" else package.parent
        return cls(package, package / "validation", root / "tests", root)

    @classmethod
    def of_checkout(cls) -> "CorpusHome":
        """The places in the checkout of this project that is installed.

        Raises:
            UsageError: what is installed is no checkout.
        """
        from importlib.resources import files

        builders = Path(str(files(BUILDERS))).resolve()
        root = builders.parent
        if not (root / "tests" / "builders").is_dir():
            raise UsageError(
                "emollms is installed without its repository: clone it and install it with `pip install -e .`, or "
                "give --package DIR, the folder of a package of your own"
            )
        return cls(builders, root / "validation", root / "tests" / "builders", root)

    @classmethod
    def of_corpus(cls, corpus: type[Corpus]) -> "CorpusHome":
        """The places of a corpus that is known."""
        from importlib.resources import files

        package = package_of(corpus)
        return cls.of_checkout() if package == BUILDERS else cls.of_package(Path(str(files(package))))

    def suite(self, name: str) -> Path:
        """The file of the suite of a corpus."""
        return self.validation / "corpora" / f"{name}.yaml"

    def statistics(self, name: str) -> Path:
        """The file of the statistics of a corpus."""
        return self.validation / "statistics" / f"{name}.json"

    def splits(self, name: str) -> Path:
        """The file of the texts of a corpus that go with their near-duplicates."""
        return self.builders / "data" / name / "splits.csv"

    def test(self, name: str) -> Path:
        """The file of the test of a corpus."""
        return self.tests / f"test_corpus_{name}.py"

    def show(self, path: Path) -> str:
        """A path as people see it."""
        return path.relative_to(self.shown).as_posix() if path.is_relative_to(self.shown) else str(path)


class RowMarks(NamedTuple):
    """How many examples a corpus has, and what the first, the middle and the last one are, as checksums."""

    rows: int
    first_middle_last: tuple[str, ...]


def row_marks(name: str, root: Path | None = None) -> RowMarks:
    """The marks of a corpus as it is read in the profile `release`; its test compares them.

    Args:
        name: the corpus.
        root: the folder of the corpora; None for where they are on this machine.
    """
    corpus = get_corpus(name)
    return marks_of(list(read_examples(corpus, folder(corpus, root))))


def read_examples(corpus: type[Corpus], where: Path) -> Iterator[Example]:
    """All examples of a corpus whose files are in a folder."""
    meta = corpus.meta
    return corpus("release").examples(RawSource(meta, where), Selection(meta.tasks, meta.splits))


def marks_of(examples: list[Example]) -> RowMarks:
    """The marks of examples."""
    return RowMarks(len(examples), tuple(checksum(examples[at]) for at in (0, len(examples) // 2, -1)))


def checksum(example: Example) -> str:
    """A checksum of task, split, id, text, gold and emotion: 12 hexadecimal digits."""
    told = (example.task, example.split, example.source_id, example.text, example.gold, str(example.emotion))
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:12]


def derive(corpus: type[Corpus], where: Path, home: CorpusHome) -> tuple[list[Path], GateReport]:
    """Write the suite, the statistics, the test and, where splits are drawn, the texts that are moved.

    Args:
        corpus: the corpus.
        where: the folder of its raw files.
        home: where its other files go.

    Returns:
        The files written, and what the suite says of the corpus.

    Raises:
        SourceError: a raw file is not what the corpus says.
    """
    name, written = corpus.meta.name, []
    if corpus.meta.drawn is not None:
        moved = texts_to_move(corpus, where)
        if moved:
            lines = [f"{key},{split}\n" for key, split in sorted(moved.items())]
            write_whole(home.splits(name), "".join(["source_id,split\n", *lines]))
            written.append(home.splits(name))
        else:
            home.splits(name).unlink(missing_ok=True)
    tables = CorpusTables(corpus, folder=where)
    figures = statistics_of(tables)
    write_whole(home.statistics(name), statistics_json(figures))
    write_whole(home.suite(name), suite_text(figures))
    load_suite.cache_clear()
    report = check_tables(name, tables)
    if issues := _distributed_issues(report):
        write_whole(home.suite(name), suite_text(figures, issues))
        load_suite.cache_clear()
        report = check_tables(name, tables)
    marks = marks_of(list(read_examples(corpus, where)))
    test = render("corpus_test.py.j2", name=name, title=corpus.meta.title, marks=marks)
    write_whole(home.test(name), test)
    return [*written, home.suite(name), home.statistics(name), home.test(name)], report


def _distributed_issues(report: GateReport) -> dict[str, int]:
    """The expectations that the distribution itself fails, and on how many rows."""
    counts: dict[str, int] = {}
    for check in report.failures:
        if check.name in DISTRIBUTED:
            counts[check.name] = counts.get(check.name, 0) + check.failed
    return counts


def texts_to_move(corpus: type[Corpus], where: Path) -> dict[str, Split]:
    """The texts of a corpus without splits that go with their near-duplicates, so that none of these are in two splits.

    All texts of a cluster go where its smallest id is drawn to.

    Args:
        corpus: the corpus; its `meta.drawn` says how splits are drawn.
        where: the folder of its raw files.

    Returns:
        Id to split, of those that are drawn to another one.
    """
    from emollms.dataset.screening import index_search
    from emollms.dedup.normalize import normalize  # compiles kernels: only where there is something to compare
    from emollms.dedup.pairs import find_pairs

    drawn = corpus.meta.drawn
    assert drawn is not None
    texts = {example.source_id: example.text for example in read_examples(corpus, where)}
    names = list(texts)
    clusters = find_pairs(normalize(pa.array(texts.values(), pa.string())), search=index_search()).clusters()
    members: dict[int, list[str]] = {}
    for key, cluster in zip(names, clusters.tolist(), strict=True):
        members.setdefault(cluster, []).append(key)
    moved: dict[str, Split] = {}
    for keys in members.values():
        goal = drawn.split_of(f"{corpus.meta.name}/{min(keys)}")
        moved |= {key: goal for key in keys if drawn.split_of(f"{corpus.meta.name}/{key}") != goal}
    return moved


Parts = dict[tuple[str, str], list[Mapping[str, Any]]]


def suite_text(figures: Mapping[str, Any], issues: Mapping[str, int] | None = None) -> str:
    """The suite of a corpus, in YAML: sizes of splits, means, deviations and shares as its statistics have them.

    Args:
        figures: the statistics.
        issues: the expectations that are known to fail, and on how many rows.
    """
    parts: Parts = {}
    for key, part in figures["parts"].items():
        task, split, _ = key.split("/")
        parts.setdefault((task, split), []).append(part)
    scores = {key: moments for key, part in parts.items() if (moments := _moments(part))}
    known = [{"name": name, "count": count, "why": DISTRIBUTED[name]} for name, count in (issues or {}).items()]
    return render(
        "corpus_suite.yaml.j2",
        name=figures["corpus"],
        sizes={key: sum(one["texts"] for one in part) for key, part in parts.items()},
        means={key: _around(mean, MEANS) for key, (mean, _) in scores.items()},
        deviations={key: _around(deviation, MEANS) for key, (_, deviation) in scores.items()},
        classes=_all_shares(parts, "classes"),
        labels=_all_shares(parts, "labels"),
        tolerance=SHARES,
        known=known,
    )


def _moments(parts: list[Mapping[str, Any]]) -> tuple[float, float] | None:
    """Mean and deviation of the scores of several languages together; None where there are no scores."""
    if not all("score" in one for one in parts):
        return None
    texts = sum(one["texts"] for one in parts)
    mean = sum(one["score"]["mean"] * one["texts"] for one in parts) / texts
    squares = sum((_number(one["score"]["deviation"]) ** 2 + one["score"]["mean"] ** 2) * one["texts"] for one in parts)
    return mean, max(squares / texts - mean**2, 0.0) ** 0.5


def _number(value: float) -> float:
    return 0.0 if value != value else value  # the deviation of one text is NaN


def _around(value: float, tolerance: float) -> tuple[float, float]:
    return round(max(0.0, value - tolerance), 3), round(min(1.0, value + tolerance), 3)


def _all_shares(parts: Parts, of: str) -> dict[tuple[str, str], dict[str, tuple[float, float]]]:
    found = {}
    for key, part in parts.items():
        if all(of in one for one in part):
            texts = sum(one["texts"] for one in part)
            counts = {value: sum(one[of].get(value, 0) for one in part) for one in part for value in one[of]}
            found[key] = {json.dumps(v, ensure_ascii=False): _around(n / texts, SHARES) for v, n in counts.items()}
    return found
