"""Checks of the rows of a corpus: number, labels, raters, suite, a second reading, sensitive text."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence

import pyarrow as pa

from emollms.corpora.base import Example, Selection
from emollms.corpora.ratings import CLIPPED
from emollms.corpora.reader import RawSource
from emollms.dataset.corpus_files import checksum, marks_of
from emollms.dataset.corpus_reading import CorpusReading
from emollms.dataset.corpus_report import CorpusCheck
from emollms.dataset.validation import CorpusTables, check_tables, statistics_json, statistics_of
from emollms.errors import UsageError
from emollms.expectations.suites import validation_of
from emollms.pii.mask import count_sensitive
from emollms.tasks import MultiLabelTask, OrdinalTask, RegressionTask, get_task
from emollms.templates import cell, code

_SHOWN = 120
"""Characters of a text that the report shows."""


def rows(reading: CorpusReading) -> Iterator[CorpusCheck]:
    """Rows of the files, and examples by task, split and language; each that is declared must have some."""
    meta = reading.meta
    lines = reading.corpus().read_lines(RawSource(meta, reading.where), Selection(meta.tasks, meta.splits))
    read = Counter(path for path, _ in lines)
    pinned = {file.path: file.rows for file in meta.files}
    wrong = [
        f"{code(path)}: {rows:,} rows, pinned {pinned[path]}" for path, rows in read.items() if rows != pinned[path]
    ]
    for kind in ("task", "split", "language"):
        has = {getattr(example, kind) for example in reading.examples}
        wrong += [f"{kind} {one}: no row" for one in getattr(meta, f"{kind}s") if one not in has]
    splits = Counter(example.split for example in reading.texts.values())
    shown = ", ".join(f"{splits[split]:,} {split}" for split in meta.splits)
    told = f"{sum(read.values()):,} rows, {len(reading.texts):,} texts ({shown})"
    left = Counter(row.reason for row in reading.source.left_out)
    notes = [f"left out: {count:,}, {cell(reason)}" for reason, count in left.items()]
    yield CorpusCheck("row counts", "failed" if wrong else "passed", (told, *notes, *wrong[:5]))


def row_samples(reading: CorpusReading) -> Iterator[CorpusCheck]:
    """The first, the middle and the last row; as checksums where texts may not be passed on."""
    shown = [reading.examples[at] for at in (0, len(reading.examples) // 2, -1)]
    yield CorpusCheck("first, middle, last row", "passed", tuple(_row(reading, one) for one in shown))


def _row(reading: CorpusReading, example: Example) -> str:
    about = f"{code(example.source_id)} ({example.split}, {example.language})"
    if reading.meta.redistribution != "text":
        return f"{about}: checksum {checksum(example)}"
    gold = f"{example.emotion}: {example.gold}" if example.emotion else example.gold
    text = example.text if len(example.text) <= _SHOWN else f"{example.text[:_SHOWN]}…"
    return f"{about}: {cell(text)} → {cell(gold)}"


def labels(reading: CorpusReading) -> Iterator[CorpusCheck]:
    """The gold labels of each task and emotion beside its scale."""
    groups: dict[tuple[str, str | None], list[Example]] = {}
    for example in reading.examples:
        groups.setdefault((example.task, example.emotion), []).append(example)
    found, unused = [], []
    for (task_name, emotion), examples in groups.items():
        about = f"{task_name}{f', {emotion}' if emotion else ''}"
        told, missing = _scale(task_name, examples)
        found.append(f"{about}: {told}")
        unused += [f"{about}: never {one}" for one in missing if not _left_out(reading, task_name, one)]
    if clipped := reading.source.defects[CLIPPED]:
        found.append(f"{clipped:,} values outside their range by a hair, clipped")
    yield CorpusCheck("labels and scale", "noted" if unused else "passed", (*found, *unused))


def _left_out(reading: CorpusReading, task: str, label: str) -> bool:
    meta = reading.meta
    return all(label in meta.left_out(task, split, code) for split in meta.splits for code in meta.languages)


def raters(reading: CorpusReading) -> Iterator[CorpusCheck]:
    """How many people rated a text, and how far apart they are."""
    rated = [example for example in reading.examples if example.raters]
    if rated:
        people = Counter(example.raters for example in rated)
        shown = ", ".join(f"{count:,} by {raters}" for raters, count in sorted(people.items())[:8])
        spread = [example.spread for example in rated if example.spread is not None]
        mean = f"mean spread {sum(spread) / len(spread):.3f} on 0..1" if spread else "no spread"
        yield CorpusCheck("raters", "passed", (f"{shown}; {mean}; votes kept: {any(e.votes for e in rated)}",))


def suite(reading: CorpusReading) -> Iterator[CorpusCheck]:
    """Whether the corpus is what its suite and statistics say."""
    name = reading.meta.name
    again = f"`emollms corpora check {name} --update`"
    committed = validation_of(reading.corpus) / "statistics" / f"{name}.json"
    tables = CorpusTables(reading.corpus, folder=reading.where)
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


def determinism(reading: CorpusReading) -> Iterator[CorpusCheck]:
    """Whether a second reading gives the same rows in the same order."""
    again = reading.corpus("release").examples(
        RawSource(reading.meta, reading.where), Selection(reading.meta.tasks, reading.meta.splits)
    )
    first, second = (hashlib.sha256(repr(one).encode()).hexdigest() for one in (reading.examples, list(again)))
    rows = marks_of(reading.examples)
    told = f"read twice: {rows.rows:,} examples, SHA-256 {first[:12]}"
    if first == second:
        yield CorpusCheck("determinism", "passed", (told,))
    else:
        yield CorpusCheck("determinism", "failed", (told, f"and then {second[:12]}: does `rows` draw, or sort a set?"))


def sensitive(reading: CorpusReading) -> Iterator[CorpusCheck]:
    """User names, addresses, numbers, links and secrets."""
    counts = count_sensitive(pa.array([example.text for example in reading.texts.values()], pa.string()))
    found = [f"{kind}: {count.texts:,} texts" for kind, count in counts.items() if count.texts]
    secrets = [kind for kind, count in counts.items() if count.texts and kind == "secret"]
    hint = ["`--mask` puts placeholders in their place"] if found else ["nothing found"]
    yield CorpusCheck("sensitive text", "failed" if secrets else "noted" if found else "passed", (*found, *hint))


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
