"""Damage to whole files of the sample corpus: what becomes of the file, and what a build says of it."""

import gzip
import io
import random
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

EVERY = ("train", "validation", "test")
ALL = frozenset(range(2, 2000))  # the lines of all rows
BINARY = "NUL byte|control character|is not UTF-8"
CRLF, BOM = "CRLF line end", "byte order mark"
OTHER_ROWS = ("file has other rows than the pinned one", 1)
WHOLE = ("file left out as a whole", 1)
Lines = Sequence[bytes]
Told = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """A kind of damage to a file.

    Args:
        name: its name.
        change: does it to the file at a path.
        told: from the lines of the sound file, what a build says: fields of `damage.Case`.
        splits: the files that get it; empty for one of them.
    """

    name: str
    change: Callable[[Path], None]
    told: Callable[[Lines], Told] = field(default=lambda lines: {})
    splits: tuple[str, ...] = ()


def as_lines(change: Callable[[list[bytes]], list[bytes]], end: bytes = b"\n") -> Callable[[Path], None]:
    """Damage to the list of lines."""

    def damage(path: Path) -> None:
        path.write_bytes(b"".join(line + end for line in change(path.read_bytes().splitlines())))

    return damage


def as_bytes(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """Damage to the bytes."""
    return lambda path: path.write_bytes(change(path.read_bytes())) and None


def recoded(encoding: str) -> Callable[[Path], None]:
    return as_bytes(lambda data: data.decode().encode(encoding, "replace"))


def whole(problem: str, rejected: int | None = 1, line: int = 1) -> Callable[[Lines], Told]:
    """The file is of no use."""
    return lambda lines: {"problem": problem, "line": line, "lost": ALL, "rejected": rejected, "defect": WHOLE}


def harmless(defect: str = "", per_line: bool = False) -> Callable[[Lines], Told]:
    """Nothing is lost; the defect is counted."""
    return lambda lines: {"defect": (defect, len(lines) if per_line else 1)} if defect else {}


def fewer(lost: Callable[[Lines], set[int]], rejected: int = 0) -> Callable[[Lines], Told]:
    """The rows of some lines are not there."""

    def told(lines: Lines) -> Told:
        problem = f"{len(lines) - 1 - len(lost(lines))} rows instead of {len(lines) - 1}"
        return {"problem": problem, "lost": frozenset(lost(lines)), "rejected": rejected, "defect": OTHER_ROWS}

    return told


def foreign(encoding: str) -> Callable[[Lines], Told]:
    """The lines that are no longer UTF-8 are lost."""

    def told(lines: Lines) -> Told:
        bad = [at for at, line in enumerate(lines, 1) if not _is_utf8(line.decode().encode(encoding, "replace"))]
        return {"problem": "is not UTF-8", "line": bad[0], "lost": frozenset(bad), "rejected": len(bad)}

    return told


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def cut(share: float, column: int) -> Kind:
    """The file ends in the given column of a row."""

    def at(lines: Lines) -> int:
        return int(share * len(lines))

    def damage(lines: list[bytes]) -> list[bytes]:
        *before, last = lines[at(lines)].split(b"\t")[: column + 1]
        return [*lines[: at(lines)], b"\t".join([*before, last[: len(last) // 2]])]

    def told(lines: Lines) -> Told:
        lost = frozenset(range(at(lines) + 1, len(lines) + 1))
        if column < 6:
            problem = f"{column + 1} columns instead of 7"
            return {"problem": problem, "line": at(lines) + 1, "lost": lost, "rejected": 1, "defect": OTHER_ROWS}
        return fewer(lambda lines: set(lost) - {at(lines) + 1})(lines)  # half a text is a text

    return Kind(f"cut at {share:.0%} in column {column}", as_lines(damage), told, EVERY)


def zipped(data: bytes, name: str = "sample.tsv") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(name), data)
    return stream.getvalue()


def long_line(path: Path) -> None:
    """100 MB without a line end, at the end; written in pieces."""
    with path.open("ab") as stream:
        for _ in range(100):
            stream.write(b"x" * 1_000_000)


def long_hole(path: Path) -> None:
    """100 MB of NUL bytes at the end, which take no room on the disk."""
    with path.open("ab") as stream:
        stream.truncate(path.stat().st_size + 100_000_000)


def one_more(lines: Lines) -> Told:
    return {"problem": "longer than 1 MiB", "line": len(lines) + 1, "rejected": 1}


def extra(problem: str, lines_before: int = 0) -> Callable[[Lines], Told]:
    """Something stands behind the rows."""
    return lambda lines: {"problem": problem, "line": len(lines) + 1 + lines_before, "rejected": 1}


def stops(problem: str) -> Callable[[Lines], Told]:
    """There is nothing to read."""
    return lambda lines: {"problem": problem, "stops": True}


def in_place(make: Callable[[Path], object]) -> Callable[[Path], None]:
    """Something else in place of the file."""

    def damage(path: Path) -> None:
        path.unlink()
        make(path)

    return damage


def shuffled(lines: list[bytes]) -> list[bytes]:
    rows = lines[1:]
    random.Random(3).shuffle(rows)
    return [lines[0], *rows]


def without_column(at: int) -> Callable[[list[bytes]], list[bytes]]:
    return lambda lines: [b"\t".join(c for n, c in enumerate(line.split(b"\t")) if n != at) for line in lines]


def one_row_more(lines: Lines) -> Told:
    return {"problem": f"{len(lines)} rows instead of {len(lines) - 1}", "added": 1, "defect": OTHER_ROWS}


def doubled(lines: Lines) -> Told:
    return {"problem": "no such task: 'task'", "line": len(lines) + 1, "rejected": len(lines)}


KINDS = [
    Kind("empty file", as_bytes(lambda data: b""), whole("the file is empty", line=0), EVERY),
    Kind("only a header", as_lines(lambda lines: lines[:1]), fewer(lambda lines: set(range(2, len(lines) + 1)), 1),
         EVERY),
    Kind("only line ends", as_bytes(lambda data: b"\n" * 9), whole("the file is empty", line=0)),
    Kind("no header", as_lines(lambda lines: lines[1:]), whole("column 'id' is missing")),
    *(
        Kind(f"{name} for tab", as_bytes(lambda data, by=by: data.replace(b"\t", by)), whole("column 'id' is missing"))
        for name, by in {"comma": b",", "semicolon": b";", "bar": b"|", "spaces": b"    "}.items()
    ),
    *(
        Kind(f"column {n} missing", as_lines(without_column(n)), whole(f"column '{name}' is missing"))
        for n, name in enumerate(("id", "language", "task", "emotion", "target", "gold", "text"))
    ),
    Kind("extra column", as_lines(lambda lines: [line + b"\tx" for line in lines]), whole("columns are not id, lang")),
    Kind(
        "columns in another order",
        as_lines(lambda lines: [b"\t".join(reversed(line.split(b"\t"))) for line in lines]),
        whole("columns are not id, language"),
    ),
    Kind("header in capitals", as_lines(lambda lines: [lines[0].upper(), *lines[1:]]), whole("column 'id' is missing")),
    Kind("quoted cells", as_lines(lambda lines: [b'"' + line.replace(b"\t", b'"\t"') + b'"' for line in lines]),
         whole("column 'id' is missing")),
    *(Kind(f"{name} encoding", recoded(name), foreign(name), EVERY) for name in ("latin-1", "cp1256", "cp1252")),
    Kind("utf-16 encoding", recoded("utf-16"), whole("NUL byte", None)),
    Kind("utf-32 encoding", recoded("utf-32-be"), whole("NUL byte", None)),
    Kind("byte order mark", as_bytes(lambda data: b"\xef\xbb\xbf" + data), harmless(BOM), EVERY),
    Kind("CRLF", as_lines(lambda lines: lines, b"\r\n"), harmless(CRLF, per_line=True), EVERY),
    Kind("CRLF and byte order mark", as_bytes(lambda data: b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n")),
         harmless(BOM)),
    Kind("lone CR for line ends", as_bytes(lambda data: data.replace(b"\n", b"\r")), whole("carriage return in", 2)),
    Kind("no line end at the end", as_bytes(lambda data: data[:-1]), harmless()),
    Kind("empty lines", as_bytes(lambda data: data.replace(b"\n", b"\n\n")), harmless()),
    Kind("rows shuffled", as_lines(shuffled), harmless()),
    Kind("rows backwards", as_lines(lambda lines: [lines[0], *reversed(lines[1:])]), harmless()),
    Kind("another hash only", as_bytes(lambda data: data.replace(b".\n", b"!\n", 1)), harmless()),
    Kind("first row missing", as_lines(lambda lines: [lines[0], *lines[2:]]), fewer(lambda lines: {2})),
    Kind("last row missing", as_lines(lambda lines: lines[:-1]), fewer(lambda lines: {len(lines)})),
    Kind("row added", as_lines(lambda lines: [*lines, b"new\ten\tV-reg\t\t\t0.5\tso so"]), one_row_more, EVERY),
    *(cut(share, column) for share, column in ((0.25, 0), (0.5, 1), (0.75, 2), (0.9, 5), (0.4, 6))),
    Kind("content twice", as_bytes(lambda data: data * 2), doubled, EVERY),
    Kind("garbage behind", as_bytes(lambda data: data + b"\xde\xad\xbe\xef"), extra("is not UTF-8")),
    Kind("NUL bytes behind", as_bytes(lambda data: data + b"\0" * 512), extra("NUL byte")),
    Kind("note behind", as_bytes(lambda data: data + b"(382 rows)\n"), extra("1 columns instead of 7")),
    Kind("100 MB line behind", long_line, one_more),
    Kind("100 MB hole behind", long_hole, one_more),
    Kind("random bytes", as_bytes(lambda data: random.Random(5).randbytes(64)), whole(BINARY, None)),
    Kind("zip in place", as_bytes(zipped), whole(BINARY, None)),
    Kind("zip in a zip in place", as_bytes(lambda data: zipped(zipped(data))), whole(BINARY, None)),
    Kind("gzip in place", as_bytes(lambda data: gzip.compress(data, mtime=0)), whole(BINARY, None)),
    Kind("web page in place", as_bytes(lambda data: b"<!doctype html>\n<p>404\n"), whole("column 'id' is missing")),
    Kind("folder in place", in_place(lambda path: path.mkdir()), stops("is no file"), EVERY),
    Kind("missing", in_place(lambda path: None), stops("is missing")),
    Kind("link to nothing", in_place(lambda path: path.symlink_to("nothing")), stops("is missing")),
    Kind("file that cannot be read", in_place(lambda path: path.symlink_to("/proc/self/mem")), stops("cannot be read")),
    Kind("note before the rows", as_lines(lambda lines: [lines[0], b"# a note", *lines[1:]]),
         lambda lines: {"problem": "1 columns instead of 7", "line": 2, "rejected": 1}),
]  # fmt: skip
