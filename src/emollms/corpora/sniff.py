"""How a raw file is written: encoding, delimiter, quotes, header, columns. For those who add a corpus."""

import codecs
import csv
import io
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from emollms.corpora.lines import UTF_8, check_encoding
from emollms.errors import UsageError

DELIMITERS = {"\t": "tab", ";": "semicolon", ",": "comma", "|": "pipe"}
JSON_LINES = (".jsonl", ".ndjson")
SUFFIXES = (".csv", ".tsv", ".tab", ".txt", *JSON_LINES)
_NUMBER = re.compile(r"\s*[+-]?(?:\d+(?:[.,]\d+)?|[.,]\d+)(?:[eE][+-]?\d+)?\s*")
_SAME = 0.98
"""The fraction of lines that must have as many cells as most have, for a sign to be the delimiter."""
_MOST = 0.8
"""The fraction of them from which on the other lines are taken for mistakes."""
KNOWN_NAMES = frozenset(
    (
        "text", "texts", "tweet", "sentence", "content", "post", "message", "comment", "body", "review",
        "utterance", "subtitle", "line", "title", "headline", "testo", "frase", "texto", "id", "ids", "index",
        "uid", "label", "labels", "emotion", "emotions", "sentiment", "valence", "arousal", "dominance", "score",
        "class", "gold", "split", "language", "lang", "anger", "fear", "joy", "sadness", "v", "a", "d",
    )
)  # fmt: skip
Rows = list[tuple[str, ...]]


@dataclass(frozen=True)
class FileForm:
    """A raw file as it was found.

    Args:
        path: its place below the folder of the corpus.
        form: a delimited table, or JSON Lines.
        encoding: its encoding.
        delimiter: what is between cells; empty for JSON Lines.
        quotes: whether double quotes enclose cells.
        header: whether its first line names the columns.
        columns: their names; `column_1` and so on without a header.
        rows: the cells of each row.
    """

    path: str
    form: Literal["table", "jsonl"]
    encoding: str
    delimiter: str
    quotes: bool
    header: bool
    columns: tuple[str, ...]
    rows: Rows

    @property
    def layout(self) -> tuple[object, ...]:
        """What files that are read alike have in common; columns may differ where a header names them."""
        return self.form, self.delimiter, self.quotes, self.header, () if self.header else len(self.columns)

    def __str__(self) -> str:
        shape = DELIMITERS.get(self.delimiter, "JSON Lines")
        head = "with header" if self.header else "without header"
        quotes = ", quoted" if self.quotes else ""
        return (
            f"{self.path}: {shape}{quotes}, {head}, {self.encoding}, {len(self.rows):,} rows: {', '.join(self.columns)}"
        )

    def cells(self, column: str) -> list[str]:
        """The cells of a column; none where the file has no such column."""
        if column not in self.columns:
            return []
        place = self.columns.index(column)
        return [row[place] for row in self.rows]


def sniff(
    root: Path, path: str, encoding: str | None = None, delimiter: str | None = None, header: bool | None = None
) -> FileForm:
    """Find out how a file is written; what is given is not looked for.

    Args:
        root: the folder of the corpus.
        path: the file below it.
        encoding: its encoding.
        delimiter: what is between its cells.
        header: whether its first line names the columns.

    Raises:
        UsageError: the encoding is none that Python knows, or not that of the file.
    """
    data = (root / path).read_bytes()
    name = check_encoding(encoding) if encoding else _encoding_of(data)
    try:
        text = data.decode("utf-8-sig" if name == UTF_8 else name)
    except UnicodeDecodeError as error:
        raise UsageError(f"{root / path}: byte {error.start + 1} is not {name}; give another --encoding") from None
    if "\0" in text:
        raise UsageError(f"{root / path} has NUL characters, so it is no text; remove it, or give another --encoding")
    text = text.replace("\r\n", "\n")
    if path.endswith(JSON_LINES):
        return _json_lines(path, name, text)
    sign, quotes = _delimiter_of(text, delimiter)
    rows = [row for row in _parse(text, sign, quotes) if row]
    width = Counter(map(len, rows)).most_common(1)[0][0] if rows else 0
    rows = [row for row in rows if len(row) == width]
    headed = header if header is not None else _has_header(rows)
    columns = rows[0] if headed and rows else tuple(f"column_{number}" for number in range(1, width + 1))
    if twice := [name for name, times in Counter(columns).items() if times > 1]:
        raise UsageError(f"{root / path}: two columns are named {twice[0]!r}; rename one, or give --no-header")
    return FileForm(path, "table", name, sign, quotes, headed, columns, rows[1:] if headed else rows)


def _encoding_of(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if b"\0" in data:  # without a mark, one of the two bytes of most characters still is 0
        return "utf-16-le" if data[1::2].count(0) > data[::2].count(0) else "utf-16-be"
    for name in (UTF_8, "cp1252"):
        try:
            data.decode(name)
        except UnicodeDecodeError:
            continue
        return name
    return "latin-1"


def _json_lines(path: str, encoding: str, text: str) -> FileForm:
    try:
        objects = [json.loads(line, parse_int=str, parse_float=str) for line in text.split("\n") if line.strip()]
    except json.JSONDecodeError as error:
        raise UsageError(f"{path} is no JSON Lines ({error.msg}); convert it to CSV") from None
    if not all(isinstance(one, dict) for one in objects):
        raise UsageError(f"{path}: a line is no JSON object; convert it to CSV")
    cells = [json_cells(one) for one in objects]
    columns = tuple(dict.fromkeys(key for one in cells for key in one))
    rows = [tuple(one.get(key, "") for key in columns) for one in cells]
    return FileForm(path, "jsonl", encoding, "", False, True, columns, rows)


def json_cells(found: Mapping[str, object]) -> dict[str, str]:
    """An object of JSON as the cells of a row; what an object inside has is named by both, `scores.joy`."""
    cells: dict[str, str] = {}
    for key, value in found.items():
        if isinstance(value, dict):
            cells |= {f"{key}.{name}": cell for name, cell in json_cells(value).items()}
        else:
            cells[key] = json_cell(value)
    return cells


def json_cell(value: object) -> str:
    """A value of JSON as the text of a cell: lists joined by commas, null as nothing."""
    if isinstance(value, list):
        return ", ".join(map(json_cell, value))
    return "" if value is None else str(value)


def _delimiter_of(text: str, given: str | None) -> tuple[str, bool]:
    """The delimiter that cuts most lines into as many cells, and whether quotes enclose cells."""
    found = []
    for sign in [given] if given else DELIMITERS:
        quotes = _is_quoted(text, sign)
        widths = Counter(len(row) for row in _parse(text, sign, quotes) if row)
        if widths:
            width, count = widths.most_common(1)[0]
            share = count / widths.total()
            found.append((width > 1 and share >= _SAME, width if share >= _SAME else 0, share, sign, quotes))
    _, _, _, sign, quotes = max(found, default=(False, 0, 0.0, given or "\t", False))
    return sign, quotes


def uneven_line(root: Path, path: str) -> str | None:
    """The row with other cells than most rows have that keeps a file from being a table; None where there is none."""
    data = (root / path).read_bytes()
    text = data.decode(_encoding_of(data), errors="replace").replace("\r\n", "\n")
    for sign, name in DELIMITERS.items():
        widths = [len(row) for row in _parse(text, sign, _is_quoted(text, sign)) if row]
        width, count = Counter(widths).most_common(1)[0] if widths else (0, 0)
        if width > 1 and _MOST * len(widths) <= count < len(widths):
            row = next(number for number, one in enumerate(widths, 1) if one != width)
            return f"row {row} of {path} has {widths[row - 1]} cells where most have {width}, cut at each {name}"
    return None


def _is_quoted(text: str, sign: str) -> bool:
    """Whether double quotes enclose cells: each one that begins a cell must also end one."""
    start = re.compile(rf'(?:^|{re.escape(sign)})"', re.MULTILINE)
    if not start.search(text):
        return sign != "\t"  # nothing is quoted here; CSV may be
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=sign, strict=True))
    except csv.Error:
        return False
    widths = Counter(map(len, filter(None, rows)))
    return widths.most_common(1)[0][1] >= _SAME * widths.total()


def _parse(text: str, sign: str, quotes: bool) -> Rows:
    if not quotes:
        return [tuple(line.split(sign)) if line else () for line in text.split("\n")]
    return [tuple(row) for row in csv.reader(io.StringIO(text, newline=""), delimiter=sign)]


def is_number(cell: str) -> bool:
    """Whether a cell is a number, with a decimal point or a decimal comma."""
    return bool(_NUMBER.fullmatch(cell))


def _has_header(rows: Rows) -> bool:
    """Whether the first row names columns: no number is in it, and it is unlike the rows below, or has usual names."""
    if not rows:
        return False
    first, rest = rows[0], rows[1:200]
    # pandas leaves the name of the column of row numbers empty
    if any(not _is_name(cell) for place, cell in enumerate(first) if place or cell):
        return False
    known = {re.sub(r"[\W_\d]+", "", cell.lower()) for cell in first} & KNOWN_NAMES
    if len(known) > (0 if rest else 1):  # a lone line is a header by two names
        return True
    return len(set(first)) == len(first) and any(
        _mostly_numbers([row[place] for row in rest]) for place in range(len(first))
    )


def _is_name(cell: str) -> bool:
    """Whether a cell can name a column: some letters, and neither a sentence nor numbers."""
    return any(sign.isalpha() for sign in cell) and len(cell) <= 60 and len(cell.split()) <= 4


def _mostly_numbers(cells: Sequence[str]) -> bool:
    given = [cell for cell in cells if cell.strip()]
    return bool(given) and sum(map(is_number, given)) >= 0.9 * len(given)
