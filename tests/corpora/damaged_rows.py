"""Damage to single rows of the sample corpus: what a row is replaced by, and what a build says of it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from emollms.tasks import TASKS, MultiLabelTask, OrdinalTask, RegressionTask

COLUMNS = ("id", "language", "task", "emotion", "target", "gold", "text")
HEADER = "\t".join(COLUMNS).encode()
TRAINED = ("EI-reg", "EI-oc", "V-reg", "V-oc", "E-c")  # what both data sets hold
Cells = dict[str, str]


def cells(line: bytes) -> Cells:
    return dict(zip(COLUMNS, line.decode().split("\t"), strict=True))


def row(values: Cells) -> bytes:
    return "\t".join(values.values()).encode()


@dataclass(frozen=True)
class Kind:
    """A kind of damage to one row.

    Args:
        name: its name.
        change: the cells of a row to the bytes of its new line.
        problem: a part of the error.
        on: the kind of task, or the names of tasks, whose rows it fits.
        adds_line: whether the row stays, and the error is about a line after it.
    """

    name: str
    change: Callable[[Cells], bytes]
    problem: str
    on: type | tuple[str, ...] = TRAINED
    adds_line: bool = False

    def fits(self, values: Cells) -> bool:
        """Whether a row can be damaged so."""
        if values["task"] not in TRAINED:
            return False
        return values["task"] in self.on if isinstance(self.on, tuple) else isinstance(TASKS[values["task"]], self.on)


@dataclass(frozen=True)
class Replace:
    """Puts other bytes in place of one line of a file."""

    at: int
    new: bytes

    def __call__(self, path: Path) -> None:
        lines = path.read_bytes().splitlines()
        lines[self.at] = self.new
        path.write_bytes(b"\n".join(lines) + b"\n")


def put(column: str, value: str) -> Callable[[Cells], bytes]:
    return lambda values: row({**values, column: value})


def swap(one: str, other: str) -> Callable[[Cells], bytes]:
    return lambda values: row({**values, one: values[other], other: values[one]})


def text(new: bytes) -> Callable[[Cells], bytes]:
    return lambda values: row({**values, "text": ""}) + new


SCORES = {
    "nan": "outside: 'nan'",
    "inf": "outside: 'inf'",
    "-inf": "outside: '-inf'",
    "9.5": "outside: '9.5'",
    "-0.001": "outside: '-0.001'",
    "0,5": "gold is not a number: '0,5'",
    "high": "gold is not a number: 'high'",
    "": "gold is not a number: ''",
    "٠.٥": "gold is not a number: '٠.٥'",
    "0_1": "gold is not a number: '0_1'",
    " 0.5": "gold is not a number: ' 0.5'",
}
CLASSES = {"99": "'99'", "2: moderate": "'2: moderate'", "1.0": "'1.0'", "": "''", "٢": "'٢'", "nan": "'nan'"}
LABELS = {
    "Joy": "no such label: 'Joy'",
    "радость": "no such label: 'радость'",
    "jоy": "no such label: 'jоy'",  # the o is Cyrillic
    "joy,love": "no such label: 'joy,love'",
    "joy, joy": "a label stands twice: 'joy, joy'",
    "": "no such label: ''",
    "joy, ": "no such label: ''",
}
TEXTS = {
    "NUL byte": (b"a\0b", "NUL byte"),
    "escape character": (b"a\x1b[2Jb", "control character U+001B"),
    "lone carriage return": (b"a\rb", "carriage return inside the line"),
    "Latin-1": ("señal café".encode("latin-1"), "is not UTF-8"),
    "cp1256": ("فرحت اليوم".encode("cp1256"), "is not UTF-8"),
    "surrogates in UTF-8 (CESU-8)": (b"a \xed\xa0\xbd\xed\xb8\x80", "is not UTF-8"),
    "overlong UTF-8": (b"a \xc0\xaf", "is not UTF-8"),
    "character that is cut": ("a 😀".encode()[:-1], "is not UTF-8"),
    "no text": (b"", "the text is empty"),
    "spaces for text": ("  \u00a0\u3000".encode(), "the text is empty"),
    "tab in the text": (b"a\tb", "8 columns instead of 7"),
    "2 MB line": (b"x" * (2 << 20), "line is longer than 1 MiB"),
}

KINDS = [
    *(Kind(f"score {value!r}", put("gold", value), problem, RegressionTask) for value, problem in SCORES.items()),
    *(Kind(f"class {value!r}", put("gold", value), problem, OrdinalTask) for value, problem in CLASSES.items()),
    *(Kind(f"labels {value!r}", put("gold", value), problem, MultiLabelTask) for value, problem in LABELS.items()),
    *(Kind(name, text(new), problem) for name, (new, problem) in TEXTS.items()),
    Kind("unknown task", put("task", "EI-regg"), "the corpus has no such task: 'EI-regg'"),
    Kind("no task", put("task", ""), "the corpus has no such task: ''"),
    Kind("unknown language", put("language", "xx"), "the corpus has no such language: 'xx'"),
    Kind("no language", put("language", ""), "the corpus has no such language: ''"),
    Kind("unknown emotion", put("emotion", "awe"), "no emotion of this name: 'awe'", ("EI-reg", "EI-oc")),
    Kind("no emotion", put("emotion", ""), "no emotion of this name: ''", ("EI-reg", "EI-oc")),
    Kind("emotion too many", put("emotion", "joy"), "no emotion of this name: 'joy'", ("V-reg", "V-oc")),
    Kind("no id", put("id", ""), "the id is empty"),
    Kind("spaces for id", put("id", "  "), "the id is empty"),
    Kind("language and task swapped", swap("language", "task"), "the corpus has no such task: '"),
    Kind("gold and text swapped", swap("gold", "text"), "gold is not a number: ", RegressionTask),
    Kind("emotion and gold swapped", swap("emotion", "gold"), "gold is not a number: ", RegressionTask),
    Kind("cut in mid-line", lambda values: row(values)[:16], "columns instead of 7"),
    Kind("one column too few", lambda values: row(values).replace(b"\t", b" ", 1), "6 columns instead of 7"),
    Kind("one column too many", lambda values: row(values) + b"\t1", "8 columns instead of 7"),
    Kind("100,000 columns", lambda values: row(values) + b"\t" * 100_000, "100007 columns instead of 7"),
    Kind("comma for tab", lambda values: row(values).replace(b"\t", b","), "1 columns instead of 7"),
    Kind("header again", lambda values: row(values) + b"\n" + HEADER, "no such task: 'task'", TRAINED, True),
    Kind("row twice", lambda values: row(values) + b"\n" + row(values), "the id stands twice", TRAINED, True),
    Kind("garbage between", lambda values: row(values) + b"\n\xff\xfe\xfd", "is not UTF-8", TRAINED, True),
    Kind("UTF-16 row", lambda values: row(values).decode().encode("utf-16-le"), "NUL byte"),
]  # fmt: skip
