"""A file annotated: window by window, resumed after a kill, and whole when it appears."""

import csv
import gzip
import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from emollms.annotation.annotator import WINDOW, Annotator
from emollms.annotation.asking import Item, Journal
from emollms.annotation.columns import affect_table, column_names, renamed
from emollms.annotation.sources import Format, Rows, Source
from emollms.annotation.writer import Writer, format_of, write_parts
from emollms.errors import UsageError
from emollms.progress import OnProgress, silent
from emollms.storage import LOCK, locked, write_json, write_whole
from emollms.tables.files import Warn, no_warning

SETTINGS = "settings.json"


@dataclass(frozen=True)
class AnnotationRun:
    """What a run did.

    Args:
        out: the file that was written.
        rows: its rows.
        questions: answers that were needed; equal questions about equal texts count once a window.
        asked: those that were asked of a model in this call; the others were known.
        seconds: how long this call took.
    """

    out: Path
    rows: int
    questions: int
    asked: int
    seconds: float

    def __repr__(self) -> str:
        known = f", {self.questions - self.asked:,} of them known" if self.asked < self.questions else ""
        return f"{self.out}: {self.rows:,} rows, {self.questions:,} answers{known}, {self.seconds:.1f} s"


def annotate_file(
    annotator: Annotator,
    source: Source,
    out: Path,
    *,
    digest: str,
    nested: bool = False,
    probabilities: bool = False,
    window: int = WINDOW,
    on_progress: OnProgress = silent,
    warn: Warn = no_warning,
) -> AnnotationRun:
    """Annotate the rows of `source` and write them, with their answers, to `out`, whole or not at all.

    Until then, what is done is kept in a folder beside `out`, and the same call resumes it: with the same bytes in the
    end as without the interruption. A call with other settings, or another input, begins anew.

    Args:
        annotator: who answers.
        source: the input.
        out: the file; its ending is its format. One that an earlier call wrote for the same columns is replaced.
        digest: a hash of the input.
        nested: whether the columns of a question are one struct; for Parquet.
        probabilities: whether classes have a column for the probability of each, as labels do.
        window: rows that are asked about together.
        on_progress: is told how far it is.
        warn: is told what a user should know.

    Raises:
        UsageError: `out` has an unknown ending, holds something else, or another run is writing it.
        SourceError: a row of the input is broken; nothing was asked.
        EmollmsError: a model failed; its answers until then are kept.
    """
    begin = time.monotonic()
    format, gzipped = format_of(out)
    if nested and format != "parquet":
        raise UsageError(f"--nested is for Parquet; --out {out} has flat columns")
    own = column_names(annotator.questions, nested, probabilities)
    rows = source.check(lambda count: on_progress("checked", count, None))
    new_names = renamed(own, source.columns)
    for name, new in new_names.items():
        warn(f"the input has a column {name!r}, which stays as it is; ours is {new!r}")
    names = [new_names.get(name, name) for name in own]
    check_replaceable(out, format, gzipped, [*source.columns, *names])
    folder = _work_folder(out)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / LOCK, f"another run is writing {out}; wait for it, or choose another --out"):
        settings = {"input": digest, "window": window, "columns": names, "rows": rows, **annotator.describe()}
        _begin(folder, settings)
        writer = Writer(format, source, names)
        header = writer.header()
        parts, done = [], 0
        on_progress("rows", 0, rows)
        for number, some in enumerate(source.windows(window)):
            part = folder / f"part-{number:06d}"
            if not part.is_file():
                items = _items(some)
                asked = folder / f"asked-{number:06d}.json"

                def on_answers(answered: int, of: int, before: int = done, size: int = len(items)) -> None:
                    on_progress("rows", before + size * answered // max(1, of), rows)

                found = annotator.annotate(items, Journal(asked), on_answers)
                table = affect_table(annotator.questions, found, nested, probabilities)
                write_whole(part, writer.part(some, table))
                asked.unlink(missing_ok=True)
            parts.append(part)
            done += len(some.texts)
            on_progress("rows", done, rows)
        whole = folder / "whole"
        write_parts(parts, header, format, whole, gzipped)
        write_json(_record(out), settings)
        whole.replace(out)
        shutil.rmtree(folder, ignore_errors=True)
    counts = annotator.counts
    return AnnotationRun(out, rows, counts.questions, counts.asked, time.monotonic() - begin)


def is_annotated(out: Path, digest: str) -> bool:
    """Whether `annotate_file` wrote all of `out`, from the input with this digest."""
    if _work_folder(out).exists() or not out.is_file():
        return False
    try:
        return bool(annotation_record(out)["input"] == digest)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def annotation_record(out: Path) -> dict[str, Any]:
    """The record that `annotate_file` wrote beside `out`: the input, and `Annotator.describe`."""
    found: dict[str, Any] = json.loads(_record(out).read_text(encoding="utf-8"))
    return found


def _record(out: Path) -> Path:
    return out.with_name(f"{out.name}.json")


def _work_folder(out: Path) -> Path:
    return out.with_name(f".{out.name}.annotating")


def check_replaceable(out: Path, format: Format, gzipped: bool, columns: Sequence[str]) -> None:
    """Make sure that nothing is lost when `out` is written: it is not there, or is what an earlier call wrote.

    Raises:
        UsageError: it is a folder, or a file with other columns.
    """
    if out.is_dir():
        raise UsageError(f"--out {out} is a folder; name a file in it")
    if out.exists() and sorted(_columns_in(out, format, gzipped)) != sorted(columns):
        raise UsageError(f"--out {out} is there, and has other columns than would be written; choose another name")


def _columns_in(out: Path, format: Format, gzipped: bool) -> list[str]:
    try:
        if format == "parquet":
            return list(pq.read_schema(out).names)
        with (
            gzip.open(out, "rt", encoding="utf-8-sig", errors="replace")
            if gzipped
            else out.open(encoding="utf-8-sig", errors="replace", newline="") as stream
        ):
            if format == "jsonl":
                return list(json.loads(stream.readline()))
            return next(csv.reader(stream, delimiter="\t" if format == "tsv" else ","), [])
    except (OSError, ValueError, TypeError, csv.Error, pa.ArrowInvalid):
        return []


def _items(rows: Rows) -> list[Item]:
    return [Item(*one) for one in zip(rows.texts, rows.targets, rows.notes, strict=True)]


def _begin(folder: Path, settings: dict[str, Any]) -> None:
    """Keep what an interrupted run with the same settings did, and remove what one with others did."""
    path = folder / SETTINGS
    try:
        before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    except ValueError:
        before = None
    if before == json.loads(json.dumps(settings)):
        return
    for left in folder.iterdir():
        if left.name != LOCK:
            left.unlink()
    write_json(path, settings)
