"""`emollms corpora check`: what a reviewer of a corpus would look at, as a report to paste into a pull request."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from emollms.corpora.base import Corpus, Example, Selection
from emollms.corpora.fetch import state_of
from emollms.corpora.ratings import CLIPPED
from emollms.corpora.reader import RawSource
from emollms.corpora.registry import corpora, get_corpus, is_here
from emollms.corpora.registry import folder as corpus_folder
from emollms.dataset.corpus_files import CorpusHome, checksum, derive, marks_of
from emollms.dataset.specs import DATA_SETS
from emollms.dataset.validation import CorpusTables, check_tables, statistics_json, statistics_of
from emollms.errors import EmollmsError, UsageError
from emollms.expectations.suites import validation_of
from emollms.pii.mask import count_sensitive
from emollms.progress import OnProgress, silent
from emollms.tasks import MultiLabelTask, OrdinalTask, RegressionTask, get_task
from emollms.templates import cell, code

Status = Literal["passed", "noted", "failed"]
SIGNS: dict[Status, str] = {"passed": "✓", "noted": "·", "failed": "✗"}
NAMED = ("unknown", "other")
"""Licences that say nothing by their name."""
_LICENSE = re.compile(
    r"cc0-1\.0|cc-by(-nc)?(-nd|-sa)?-[1-4]\.[05]|mit|apache-2\.0|bsd-[23]-clause|odc-by|odbl|pddl|(a|l)?gpl-[23]\.0|isc|"
    r"unlicense|cdla-(permissive|sharing)-[12]\.0|other|unknown"
)
_SHOWN = 120
"""Characters of a text that the report shows."""


@dataclass(frozen=True)
class CorpusCheck:
    """One thing that was looked at.

    Args:
        name: what.
        status: how it came out; `noted` is for a person to judge.
        found: what was found, in Markdown, a line each.
    """

    name: str
    status: Status
    found: tuple[str, ...]


@dataclass(frozen=True)
class CorpusReport:
    """What was found in a corpus.

    Args:
        name: the corpus.
        title: its name for people.
        checks: what was looked at.
    """

    name: str
    title: str
    checks: tuple[CorpusCheck, ...]

    @property
    def success(self) -> bool:
        """Whether nothing failed."""
        return all(check.status != "failed" for check in self.checks)

    def markdown(self) -> str:
        """The report."""
        failed = [check.name for check in self.checks if check.status == "failed"]
        state = f"failed: {', '.join(failed)}" if failed else "all passed"
        lines = [
            f"## {cell(self.title)} (`{self.name}`): {state}",
            "",
            "| | looked at | found |",
            "| --- | --- | --- |",
        ]
        lines += [f"| {SIGNS[one.status]} | {one.name} | {'<br>'.join(one.found)} |" for one in self.checks]
        return "\n".join([*lines, "", "✓ passed, ✗ failed, · for a person to judge", ""])


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
    return CorpusReport(name, corpus.meta.title, tuple(_Checker(corpus, where, on_progress).run()))


def _folder(corpus: type[Corpus], from_: str | Path | None) -> Path:
    if from_ is None:
        return corpus_folder(corpus)
    given = Path(from_)
    if not given.is_dir():
        raise UsageError(f"{given} is no folder; --from takes the folder of the raw files")
    return given / corpus.meta.name if (given / corpus.meta.name).is_dir() else given


class _Checker:
    """The checks of one corpus.

    Args:
        corpus: the corpus.
        where: the folder of its files.
        on_progress: is told what is looked at.
    """

    def __init__(self, corpus: type[Corpus], where: Path, on_progress: OnProgress) -> None:
        self.corpus, self.meta, self.where, self.on_progress = corpus, corpus.meta, where, on_progress
        self.source = RawSource(self.meta, where)

    def run(self) -> Iterator[CorpusCheck]:
        yield self.metadata()
        yield self.license()
        yield (hashes := self.hashes())
        if hashes.status == "failed":
            return
        try:
            self.on_progress(f"reading {self.meta.name}", 0, None)
            _ = self.examples
        except EmollmsError as error:
            yield CorpusCheck("rows", "failed", (cell(error),))
            return
        for step in (
            self.rows, self.row_samples, self.labels, self.raters, self.suite, self.determinism,
            self.duplicates_inside, self.duplicates_outside, self.sensitive, self.gain,
        ):  # fmt: skip
            self.on_progress(f"checking {step.__name__.replace('_', ' ')}", 0, None)
            yield from step()

    @cached_property
    def examples(self) -> list[Example]:
        """All examples."""
        return list(self.corpus("release").examples(self.source, Selection(self.meta.tasks, self.meta.splits)))

    @cached_property
    def texts(self) -> dict[str, Example]:
        """An example of each text, by id."""
        return {example.source_id: example for example in reversed(self.examples)}

    @cached_property
    def normal(self) -> Any:
        """The texts in the form in which they are compared."""
        from emollms.dedup.normalize import normalize

        return normalize(pa.array([example.text for example in self.texts.values()], pa.string()))

    def metadata(self) -> CorpusCheck:
        """What the metadata says, and what is still to be filled in."""
        meta, wrong = self.meta, []
        if not re.match(r"https?://\S+\.\S+", meta.homepage):
            wrong.append(f"homepage {code(meta.homepage)} is no address")
        if not re.match(r"@\w+\{", meta.citation.strip()):
            wrong.append("citation is no BibTeX entry")
        if not any(file.address for file in meta.files) and not (meta.by_hand or meta.bundled):
            how = "no file has an address: fill in the column `address`, or say in `by_hand` how to get them"
            return CorpusCheck("metadata", "failed" if wrong else "noted", (*wrong, how))
        found = wrong or [f"{len(meta.languages)} languages, {', '.join(meta.tasks)}, {', '.join(meta.splits)}"]
        return CorpusCheck("metadata", "failed" if wrong else "passed", tuple(found))

    def license(self) -> CorpusCheck:
        """Whether the licence is one that the Hub knows, and what may be passed on follows from it."""
        meta = self.meta
        told = f"{code(meta.license)}, may be passed on: {meta.redistribution}"
        if not _LICENSE.fullmatch(meta.license):
            return CorpusCheck("licence", "failed", (told, "no SPDX identifier as the Hub writes them; else `other`"))
        if meta.license in NAMED and not meta.terms:
            return CorpusCheck("licence", "failed", (told, "say in `terms` what the distributor asks of users"))
        if meta.license in NAMED and meta.redistribution == "text":
            return CorpusCheck("licence", "failed", (told, "texts are passed on only where a licence allows it"))
        return CorpusCheck("licence", "passed", (told,))

    def hashes(self) -> CorpusCheck:
        """Whether each file is the pinned one."""
        states = [(file.path, state_of(file, self.where)) for file in self.meta.files]
        wrong = tuple(f"{code(path)}: {state}" for path, state in states if state != "ok")
        ok = f"{len(states)} files are the pinned ones, {sum(file.bytes for file in self.meta.files):,} bytes"
        return CorpusCheck("hashes", "failed" if wrong else "passed", wrong[:5] or (ok,))

    def rows(self) -> Iterator[CorpusCheck]:
        """Rows of the files, and examples by task, split and language; each that is declared must have some."""
        meta = self.meta
        lines = self.corpus().read_lines(RawSource(meta, self.where), Selection(meta.tasks, meta.splits))
        read = Counter(path for path, _ in lines)
        pinned = {file.path: file.rows for file in meta.files}
        wrong = [
            f"{code(path)}: {rows:,} rows, pinned {pinned[path]}" for path, rows in read.items() if rows != pinned[path]
        ]
        for kind in ("task", "split", "language"):
            has = {getattr(example, kind) for example in self.examples}
            wrong += [f"{kind} {one}: no row" for one in getattr(meta, f"{kind}s") if one not in has]
        splits = Counter(example.split for example in self.texts.values())
        shown = ", ".join(f"{splits[split]:,} {split}" for split in meta.splits)
        told = f"{sum(read.values()):,} rows, {len(self.texts):,} texts ({shown})"
        left = Counter(row.reason for row in self.source.left_out)
        notes = [f"left out: {count:,}, {cell(reason)}" for reason, count in left.items()]
        yield CorpusCheck("row counts", "failed" if wrong else "passed", (told, *notes, *wrong[:5]))

    def row_samples(self) -> Iterator[CorpusCheck]:
        """The first, the middle and the last row; as checksums where texts may not be passed on."""
        shown = [self.examples[at] for at in (0, len(self.examples) // 2, -1)]
        yield CorpusCheck("first, middle, last row", "passed", tuple(map(self._row, shown)))

    def _row(self, example: Example) -> str:
        about = f"{code(example.source_id)} ({example.split}, {example.language})"
        if self.meta.redistribution != "text":
            return f"{about}: checksum {checksum(example)}"
        gold = f"{example.emotion}: {example.gold}" if example.emotion else example.gold
        text = example.text if len(example.text) <= _SHOWN else f"{example.text[:_SHOWN]}…"
        return f"{about}: {cell(text)} → {cell(gold)}"

    def labels(self) -> Iterator[CorpusCheck]:
        """The gold labels of each task and emotion beside its scale."""
        groups: dict[tuple[str, str | None], list[Example]] = {}
        for example in self.examples:
            groups.setdefault((example.task, example.emotion), []).append(example)
        found, unused = [], []
        for (task_name, emotion), examples in groups.items():
            about = f"{task_name}{f', {emotion}' if emotion else ''}"
            told, missing = _scale(task_name, examples)
            found.append(f"{about}: {told}")
            unused += [f"{about}: never {one}" for one in missing if not self._left_out(task_name, one)]
        if clipped := self.source.defects[CLIPPED]:
            found.append(f"{clipped:,} values outside their range by a hair, clipped")
        yield CorpusCheck("labels and scale", "noted" if unused else "passed", (*found, *unused))

    def _left_out(self, task: str, label: str) -> bool:
        meta = self.meta
        return all(label in meta.left_out(task, split, code) for split in meta.splits for code in meta.languages)

    def raters(self) -> Iterator[CorpusCheck]:
        """How many people rated a text, and how far apart they are."""
        rated = [example for example in self.examples if example.raters]
        if rated:
            people = Counter(example.raters for example in rated)
            shown = ", ".join(f"{count:,} by {raters}" for raters, count in sorted(people.items())[:8])
            spread = [example.spread for example in rated if example.spread is not None]
            mean = f"mean spread {sum(spread) / len(spread):.3f} on 0..1" if spread else "no spread"
            yield CorpusCheck("raters", "passed", (f"{shown}; {mean}; votes kept: {any(e.votes for e in rated)}",))

    def suite(self) -> Iterator[CorpusCheck]:
        """Whether the corpus is what its suite and statistics say."""
        name = self.meta.name
        again = f"`emollms corpora check {name} --update`"
        committed = validation_of(self.corpus) / "statistics" / f"{name}.json"
        tables = CorpusTables(self.corpus, folder=self.where)
        try:
            report = check_tables(name, tables)
        except UsageError as error:
            yield CorpusCheck("suite", "failed", (f"{cell(error)}; write it with {again}",))
            return
        found = [f"{report.count('passed')} expectations passed", *(cell(check) for check in report.failures[:5])]
        known = [check for check in report.checks if check.status == "known"]
        found += [f"known: {check.name}, {check.failed:,} rows: {cell(check.note)}" for check in known]
        same = committed.is_file() and committed.read_text(encoding="utf-8") == statistics_json(statistics_of(tables))
        if not same:
            found.append(f"statistics differ from {committed.name}; write them with {again}")
        yield CorpusCheck("suite and statistics", "passed" if report.success and same else "failed", tuple(found))

    def determinism(self) -> Iterator[CorpusCheck]:
        """Whether a second reading gives the same rows in the same order."""
        again = self.corpus("release").examples(
            RawSource(self.meta, self.where), Selection(self.meta.tasks, self.meta.splits)
        )
        first, second = (hashlib.sha256(repr(one).encode()).hexdigest() for one in (self.examples, list(again)))
        rows = marks_of(self.examples)
        told = f"read twice: {rows.rows:,} examples, SHA-256 {first[:12]}"
        if first == second:
            yield CorpusCheck("determinism", "passed", (told,))
        else:
            yield CorpusCheck(
                "determinism", "failed", (told, f"and then {second[:12]}: does `rows` draw, or sort a set?")
            )

    def duplicates_inside(self) -> Iterator[CorpusCheck]:
        """Near-duplicates in the corpus; those in two splits are dropped by builds, and drawn splits have none."""
        from emollms.dataset.screening import index_search
        from emollms.dedup.pairs import find_pairs

        examples = list(self.texts.values())
        found = find_pairs(self.normal, search=index_search())
        pairs = [
            *zip(found.equal.left, found.equal.right, strict=True),
            *zip(found.near.left, found.near.right, strict=True),
        ]
        apart = [(a, b) for a, b in pairs if examples[a].split != examples[b].split]
        told = f"{len(found.equal):,} equal and {len(found.near):,} near pairs, of which {len(apart):,} in two splits"
        if apart and self.meta.drawn is not None:
            again = f"draw them again with `emollms corpora check {self.meta.name} --update`"
            yield CorpusCheck("duplicates inside", "failed", (told, again))
        elif pairs:
            yield CorpusCheck(
                "duplicates inside", "noted", (f"{told}; a build flags them, and drops those of training",)
            )
        else:
            yield CorpusCheck("duplicates inside", "passed", (told,))

    @cached_property
    def _others(self) -> dict[str, list[Example]]:
        """The texts of the other corpora that are here."""
        found = {}
        for name, corpus in corpora().items():
            if name != self.meta.name and is_here(corpus):
                self.on_progress(f"reading {name}", 0, None)
                source = RawSource(corpus.meta, corpus_folder(corpus), quarantine=True)
                examples = corpus("release").examples(source, Selection(corpus.meta.tasks, corpus.meta.splits))
                found[name] = list({(e.split, e.source_id): e for e in examples}.values())
        return found

    @cached_property
    def _near(self) -> dict[str, dict[int, list[Example]]]:
        """By corpus, the rows of this one that are near texts there, with these."""
        from emollms.dataset.screening import index_search
        from emollms.dedup.normalize import normalize
        from emollms.dedup.reference import ReferenceIndex

        search, near = replace(index_search(), sha1=False), {}
        for name, examples in self._others.items():
            index = ReferenceIndex(normalize(pa.array([e.text for e in examples], pa.string())), search=search)
            matches = index.matches(self.normal)
            rows: dict[int, list[Example]] = {}
            for row, reference in zip(matches.row.tolist(), matches.reference.tolist(), strict=True):
                rows.setdefault(row, []).append(examples[reference])
            near[name] = rows
        return near

    def duplicates_outside(self) -> Iterator[CorpusCheck]:
        """Texts that are near one of another corpus, and of the AEB."""
        found = []
        for name, rows in self._near.items():
            tested = sum(any(e.split == "test" for e in others) for others in rows.values())
            if rows:
                in_aeb = " of the AEB" if name in DATA_SETS["aeb"].corpora else ""
                found.append(f"{name}: {len(rows):,} texts, {tested:,} of them near a test text{in_aeb}")
        absent = [name for name, corpus in corpora().items() if name not in self._others and name != self.meta.name]
        told = f"compared with {', '.join(self._others) or 'none'}"
        lacking = [f"not here, so not compared: {', '.join(absent)}"] if absent else []
        yield CorpusCheck(
            "duplicates in other corpora and the AEB",
            "noted" if found or absent else "passed",
            (told, *found, *lacking),
        )

    def sensitive(self) -> Iterator[CorpusCheck]:
        """User names, addresses, numbers, links and secrets."""
        counts = count_sensitive(pa.array([example.text for example in self.texts.values()], pa.string()))
        found = [f"{kind}: {count.texts:,} texts" for kind, count in counts.items() if count.texts]
        secrets = [kind for kind, count in counts.items() if count.texts and kind == "secret"]
        hint = ["`--mask` puts placeholders in their place"] if found else ["nothing found"]
        yield CorpusCheck("sensitive text", "failed" if secrets else "noted" if found else "passed", (*found, *hint))

    def gain(self) -> Iterator[CorpusCheck]:
        """What training data would gain: texts that are neither tested anywhere nor there already."""
        plus, trained, tested = DATA_SETS["aaid-plus"].corpora, set(), set()
        for name, rows in self._near.items():
            for row, others in rows.items():
                if any(one.split == "test" for one in others):
                    tested.add(row)
                elif name in plus:
                    trained.add(row)
        examples = list(self.texts.values())
        own = [row for row, example in enumerate(examples) if example.split in DATA_SETS["aaid-plus"].splits]
        new = [row for row in own if row not in tested | trained]
        told = f"{len(own):,} texts to train and validate with: {len(new):,} new"
        why = [f"{len(tested & set(own)):,} near a test text", f"{len((trained - tested) & set(own)):,} there already"]
        languages = Counter(examples[row].language for row in new)
        shown = ", ".join(f"{code} {count:,}" for code, count in languages.most_common(12))
        tasks = [name for name in self.meta.tasks if name not in DATA_SETS["aaid-plus"].tasks]
        asks = [f"questions that AAID+ does not ask: {', '.join(tasks)}"] if tasks else []
        yield CorpusCheck(
            "what AAID would gain",
            "passed" if new else "noted",
            (f"{told}, {', '.join(why)}", f"by language: {shown}", *asks),
        )


def _scale(task_name: str, examples: Sequence[Example]) -> tuple[str, list[str]]:
    """What gold labels are found, beside the task's scale, and those of it that never come."""
    task = get_task(task_name)
    values = [example.value for example in examples]
    if isinstance(task, RegressionTask):
        scores = [float(value) for value in values if isinstance(value, float | int)]
        mean = sum(scores) / len(scores)
        scale = f"scale {task.low:g} to {task.high:g}"
        return f"{min(scores):.2f} to {max(scores):.2f}, mean {mean:.2f} ({scale})", []
    if isinstance(task, OrdinalTask):
        classes = Counter(str(value) for value in values)
        return ", ".join(f"{n}: {classes[str(n)]:,}" for n in task.classes), [
            str(n) for n in task.classes if not classes[str(n)]
        ]
    assert isinstance(task, MultiLabelTask)
    labels = Counter(label for value in values if isinstance(value, tuple) for label in value)
    none = sum(value == () for value in values)
    shown = [f"{label} {labels[label]:,}" for label in task.labels if labels[label]]
    return ", ".join([*shown, f"none {none:,}"]), [label for label in task.labels if not labels[label]]
