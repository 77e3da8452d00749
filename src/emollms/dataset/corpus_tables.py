"""The tables in a folder of raw files: those that are read alike, and why there are none."""

import re
from pathlib import Path, PurePath

from emollms.corpora.roles import Columns, find_text
from emollms.corpora.sniff import JSON_LINES, SUFFIXES, FileForm, sniff, uneven_line
from emollms.dataset.corpus_answers import Answers
from emollms.errors import UsageError

_ABOUT = re.compile(r"(?i)(read|licen[cs]e|copying|citation|about|change|history|notes?|terms)")
_UNREADABLE = {
    **dict.fromkeys((".zip", ".gz", ".tgz", ".tar", ".bz2", ".xz", ".7z", ".rar"), "unpack {} first"),
    **dict.fromkeys((".xlsx", ".xls", ".ods"), "save the sheet of {} as CSV"),
    **dict.fromkeys((".json", ".parquet", ".xml", ".sqlite", ".pkl"), "convert {} to CSV or JSON Lines"),
}
"""What to do about files of other formats, by the end of their names."""


def find_tables(folder: Path, answers: Answers) -> tuple[list[FileForm], list[str]]:
    """The files that are tables, read alike, and the names of the others.

    Args:
        folder: the folder of the raw files.
        answers: encoding, delimiter and header, where they are given.

    Raises:
        UsageError: there are none.
    """
    paths = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    paths = [path for path in paths if not any(part.startswith(".") for part in path.split("/"))]
    wanted = [path for path in paths if path.lower().endswith(SUFFIXES) and not _ABOUT.match(path.rpartition("/")[2])]
    options = (answers.encoding, answers.delimiter, answers.header)
    found = (sniff(folder, path, *options) for path in wanted)
    forms = [form for form in found if form.rows and len(form.columns) > 1]
    if not forms:
        raise UsageError(_why_none(folder, paths, wanted))
    forms = _with_one_header(folder, forms, options)
    layouts: dict[tuple[object, ...], list[FileForm]] = {}
    for form in forms:
        layouts.setdefault(form.layout, []).append(form)
    chosen = max(layouts.values(), key=lambda files: sum(len(file.rows) for file in files))
    text = find_text(Columns(chosen))
    chosen = [file for file in chosen if text in file.columns]
    return chosen, [path for path in paths if path not in {file.path for file in chosen}]


def _with_one_header(folder: Path, forms: list[FileForm], options: tuple[object, ...]) -> list[FileForm]:
    """Files of one width agree on whether there is a header: a short one may have rows that look like one."""
    headed = sum(form.header for form in forms)
    if options[2] is not None or headed in (0, len(forms)):
        return forms
    majority = headed * 2 > len(forms)
    encoding, delimiter = options[:2]
    assert encoding is None or isinstance(encoding, str)
    assert delimiter is None or isinstance(delimiter, str)
    return [sniff(folder, form.path, encoding, delimiter, majority) for form in forms]


def _why_none(folder: Path, paths: list[str], wanted: list[str]) -> str:
    """Why there is no table in a folder, and what to do, in one line."""
    has = ", ".join(paths[:8]) or "nothing"
    problem = f"{folder} has no table of two columns or more in CSV, TSV or JSON Lines (it has {has})"
    for path in wanted:
        if not (folder / path).stat().st_size:
            return f"{problem}; {path} is empty"
        if path.endswith(JSON_LINES):
            continue
        if uneven := uneven_line(folder, path):
            return f"{problem}; {uneven}: enclose cells that hold one in double quotes, or mend the row"
        if (form := sniff(folder, path)).header and not form.rows:
            return f"{problem}; {path} has a header, {', '.join(form.columns)}, and no row below it"
    for path in paths:
        if remedy := _UNREADABLE.get(PurePath(path).suffix.lower()):
            return f"{problem}; {remedy.format(path)}"
    return f"{problem}; convert the files, or write the builder by hand (docs/corpora.md)"
