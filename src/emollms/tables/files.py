"""Which files of tables can be read, and their lines: plain or gzip, in a stated encoding."""

import codecs
import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedIOBase, BufferedReader, StringIO, TextIOWrapper
from pathlib import Path, PurePath
from typing import BinaryIO, Literal, cast

from emollms.errors import Place, SourceError, UsageError

Format = Literal["csv", "tsv", "text", "jsonl", "json", "parquet"]
Warn = Callable[[str], None]

LONGEST = 1 << 24
"""The most bytes of a line, and characters of a cell: a file without line ends, or a quote that never closes, must not
fill the memory."""

_BLOCK = 1 << 20

_FORMATS: dict[str, Format] = {
    ".csv": "csv", ".tsv": "tsv", ".txt": "text", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json",
    ".parquet": "parquet",
}  # fmt: skip
READABLE = (
    "CSV (.csv), TSV (.tsv), JSON Lines (.jsonl), JSON (.json) and one text a line (.txt), each plain or gzip (.gz), "
    "and Parquet (.parquet)"
)
_NAMED_DELIMITERS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}
_MAGIC = {
    b"\x1f\x8b": "gzip; name it with .gz",
    b"PAR1": "Parquet; name it .parquet",
    b"PK\x03\x04": "a zip archive, such as an Excel workbook; save it as CSV",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; save it as CSV",
    b"\xff\xfe": "UTF-16; give --encoding utf-16",
    b"\xfe\xff": "UTF-16; give --encoding utf-16",
}


def no_warning(text: str) -> None:
    """Keep silent."""


@dataclass(frozen=True)
class Dialect:
    """What the suffix of a text file does not say.

    Args:
        delimiter: what separates the cells of a delimited file: one character, or `tab`, `comma`, `semicolon`, `pipe`;
            None for a comma in `.csv`, a tab in `.tsv`. With it, `.txt` is a delimited file, too.
        encoding: any text encoding that Python knows; a byte order mark is no part of the text.
        quotes: whether double quotes enclose cells, as RFC 4180 has it, or are plain characters.

    Raises:
        UsageError: a delimiter of several characters, or one that cells need, or an unknown encoding.
    """

    delimiter: str | None = None
    encoding: str = "utf-8"
    quotes: bool = True

    def __post_init__(self) -> None:
        if self.delimiter is not None:
            plain = _NAMED_DELIMITERS.get(self.delimiter, self.delimiter)
            if len(plain) != 1 or plain in '"\r\n\0' or plain.isalnum():
                raise UsageError(
                    f"--delimiter {self.delimiter!r} separates no cells; give one character, or tab, comma, semicolon "
                    "or pipe"
                )
            object.__setattr__(self, "delimiter", plain)
        try:
            "\n".encode(self.encoding)
            codec = codecs.lookup(self.encoding).name
        except (LookupError, UnicodeError, ValueError):
            raise UsageError(
                f"--encoding {self.encoding!r} is no text encoding that Python knows; such are utf-8, utf-16, latin-1 "
                "and cp1252"
            ) from None
        object.__setattr__(self, "encoding", "utf-8" if codec == "utf-8-sig" else codec)


@dataclass(frozen=True)
class TableFile:
    """A file of a table.

    Args:
        path: where it is.
        name: what errors call it.
        format: what its suffix says.
        gzipped: whether it is compressed.
        dialect: what its suffix does not say.
    """

    path: Path
    name: str
    format: Format
    gzipped: bool
    dialect: Dialect

    @property
    def delimiter(self) -> str | None:
        """What separates its cells; None where it has none."""
        if self.format == "csv":
            return self.dialect.delimiter or ","
        if self.format == "tsv":
            return self.dialect.delimiter or "\t"
        return self.dialect.delimiter if self.format == "text" else None

    def place(self, line: int = 0) -> Place:
        """A line of it, from 1, as errors name it."""
        return Place(self.name, line)


def has_table_suffix(name: str) -> bool:
    """Whether a file of this name could be read as a table."""
    return _format_of(name)[0] is not None


def _format_of(name: str) -> tuple[Format | None, bool]:
    path = PurePath(name.lower())
    gzipped = path.suffix == ".gz"
    found = _FORMATS.get(path.with_suffix("").suffix if gzipped else path.suffix)
    return (None if gzipped and found == "parquet" else found), gzipped


def table_file(path: Path, dialect: Dialect | None = None, name: str | None = None) -> TableFile:
    """A file of a table, known by its suffix.

    Args:
        path: the file.
        dialect: what the suffix does not say; None for the defaults.
        name: the name that has the suffix and appears in errors; None for the path.

    Raises:
        UsageError: it is not there, is a folder, or no table by its suffix.
    """
    name = name or str(path)
    if path.is_dir():
        raise UsageError(f"{name} is a folder; a file is needed")
    if not path.exists():
        raise UsageError(f"there is no file {name}")
    if not path.is_file():
        raise UsageError(f"{name} is no regular file; save what it gives in a file first")
    found, gzipped = _format_of(name)
    if found is None:
        raise UsageError(f"{name} is a file here, but its suffix is none that is read; read are {READABLE}")
    return TableFile(path, name, found, gzipped, dialect or Dialect())


@contextmanager
def opened(file: TableFile) -> Iterator[BufferedIOBase]:
    """The bytes of a file, decompressed.

    Raises:
        SourceError: gzip that is damaged, cut short, or none at all.
    """
    try:
        with file.path.open("rb") as raw:
            if not file.gzipped:
                yield raw
                return
            with gzip.open(raw) as stream:
                yield stream
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise SourceError(file.place(), "not whole gzip", str(error), "compress it again, or get it again") from None


def lines(file: TableFile) -> Iterator[str]:
    r"""The lines of a text file with their ends; only LF, alone or after CR, ends one.

    Raises:
        SourceError: a line that is not in the encoding, holds a NUL byte, or is too long; broken gzip.
    """
    with opened(file) as stream:
        _check_magic(file, stream)
        read = _byte_lines if _is_ascii_based(file.dialect.encoding) else _wide_lines
        yield from read(file, stream)


def _is_ascii_based(encoding: str) -> bool:
    """Whether lines can be told apart by their bytes, so that an error can name the byte."""
    return "a\n".encode(encoding) == b"a\n"


def _check_magic(file: TableFile, stream: BufferedIOBase) -> None:
    assert isinstance(stream, BufferedReader | gzip.GzipFile)
    begin = stream.peek(4)[:4]
    for magic, what in _MAGIC.items():
        utf16 = what.startswith("UTF-16")
        if begin.startswith(magic) and not (utf16 and file.dialect.encoding.startswith(("utf-16", "utf-32"))):
            raise SourceError(file.place(), f"this is {what.split('; ')[0]}", None, what.split("; ")[1])


def _byte_lines(file: TableFile, stream: BufferedIOBase) -> Iterator[str]:
    """Lines decoded a block at a time, which is several times as fast as one by one."""
    rest, number = b"", 0
    while chunk := stream.read(_BLOCK):
        chunk = rest + chunk
        cut = chunk.rfind(b"\n") + 1
        block, rest = chunk[:cut], chunk[cut:]
        yield from StringIO(_decode(file, block, number), newline="\n")
        number += block.count(b"\n")
        if len(rest) > LONGEST:
            problem = f"the line is longer than {LONGEST >> 20} MiB"
            raise SourceError(file.place(number + 1), problem, None, "break it up")
    if rest:
        yield _decode(file, rest, number)


def _decode(file: TableFile, block: bytes, before: int) -> str:
    """Whole lines as text, of a file with `before` lines before them."""
    encoding, nul = file.dialect.encoding, block.find(0)
    if nul >= 0:
        line, byte = _position(block, nul)
        problem = f"byte {byte} of the line is NUL"
        raise SourceError(file.place(before + line), problem, None, "text has none; for UTF-16 give --encoding utf-16")
    try:
        text = block.decode(encoding)
    except UnicodeDecodeError as error:
        line, byte = _position(block, error.start)
        problem = f"byte {byte} of the line, 0x{block[error.start]:02X}, is not {encoding}"
        around = block[block.rfind(b"\n", 0, error.start) + 1 :].split(b"\n", 1)[0]
        shown = around[max(0, byte - 30) : byte + 30].decode("ascii", "backslashreplace").strip()
        remedy = "name the encoding that it has, such as --encoding cp1252"
        raise SourceError(file.place(before + line), problem, shown, remedy) from None
    return text.removeprefix("\ufeff") if before == 0 and encoding == "utf-8" else text


def _position(block: bytes, at: int) -> tuple[int, int]:
    """Line and byte of the line, both from 1."""
    return block.count(b"\n", 0, at) + 1, at - block.rfind(b"\n", 0, at)


def _wide_lines(file: TableFile, stream: BufferedIOBase) -> Iterator[str]:
    """Lines of UTF-16 and the like, whose line ends are no single bytes."""
    text = TextIOWrapper(cast(BinaryIO, stream), file.dialect.encoding, newline="\n")
    number = 0
    try:
        while line := text.readline(LONGEST):
            number += 1
            if "\0" in line or len(line) == LONGEST:
                raise SourceError(file.place(number), "no line of text", line, "see to --encoding")
            yield line.removeprefix("\ufeff") if number == 1 else line
    except UnicodeError as error:
        problem = f"not {file.dialect.encoding}, here or soon after ({error})"
        raise SourceError(file.place(number + 1), problem, None, "name the encoding that it has") from None


def text_lines(file: TableFile) -> Iterator[tuple[int, str]]:
    """The texts of a file with one text a line, and their lines; an empty line is an empty text.

    Raises:
        SourceError: as `lines`, and a carriage return inside a line.
    """
    for number, line in enumerate(lines(file), 1):
        text = line.removesuffix("\n").removesuffix("\r")
        if "\r" in text:
            remedy = "end lines with LF or CR LF; give texts with several lines as JSON Lines"
            raise SourceError(file.place(number), "carriage return inside the line", text, remedy)
        yield number, text
