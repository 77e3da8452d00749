"""JSON and JSON Lines as values with the line where each begins."""

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from emollms.errors import SourceError, UsageError
from emollms.tables.files import TableFile, lines

Values = Iterator[tuple[int, Any]]
_SPACE = re.compile(r"[ \t\r\n]*")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class _BrokenValueError(ValueError):
    """A value that is no JSON, or JSON that readers understand in different ways."""


def json_values(file: TableFile) -> tuple[bool, Values]:
    """The values of a JSON file, whether they are the items of one list, and the line where each begins.

    A `.json` file holds a list of values, or values one after another; then it is read as JSON Lines.

    Raises:
        UsageError: the file is empty.
        SourceError: it is no JSON; the message tells the line.
    """
    if file.format == "jsonl":
        return False, _line_values(file)
    text = "".join(lines(file))
    begin = _skip(text, 0)
    if begin == len(text):
        raise UsageError(f"{file.name} is empty")
    return text[begin] == "[", _items(file, text, begin)


def _line_values(file: TableFile) -> Values:
    for number, line in enumerate(lines(file), 1):
        if not line.strip():
            continue
        try:
            yield number, _checked(_DECODER.decode(line), line)
        except (ValueError, RecursionError) as error:
            torn = number == 1 and not line.rstrip().endswith("}")
            hint = "; for one value over several lines use the suffix .json" if torn else ""
            remedy = f"each line is one JSON value{hint}"
            raise SourceError(file.place(number), f"no JSON ({_reason(error)})", line.strip(), remedy) from None


def _items(file: TableFile, text: str, at: int) -> Values:
    """The items of a list, or values one after another, decoded one by one so that each has a line."""
    listed, line, counted = text[at] == "[", 1, 0
    at, closed = _skip(text, at + 1) if listed else at, False
    first = True
    while at < len(text) and not closed:
        if listed and first and text[at] == "]":
            at, closed = at + 1, True
            break
        line, counted = line + text.count("\n", counted, at), at
        try:
            value, end = _DECODER.raw_decode(text, at)
            yield line, _checked(value, text[at:end])
            at, closed = _next(text, _skip(text, end), listed)
        except (ValueError, RecursionError) as error:
            _fail(file, text, at, error)
        first = False
    if listed and not closed:
        _fail(file, text, len(text), _BrokenValueError("the list does not end"))
    if (at := _skip(text, at)) < len(text):
        _fail(file, text, at, _BrokenValueError("something follows the list"))


def _next(text: str, at: int, listed: bool) -> tuple[int, bool]:
    """Where the next item begins after one that ends before `at`, and whether there is none."""
    if not listed:
        return at, False
    if text.startswith("]", at):
        return at + 1, True
    if not text.startswith(",", at):
        raise json.JSONDecodeError("a comma or the end of the list is missing", text, at)
    return _skip(text, at + 1), False


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    assert found
    return found.end()


def _fail(file: TableFile, text: str, at: int, error: Exception) -> NoReturn:
    at = error.pos if isinstance(error, json.JSONDecodeError) else at
    line = 1 + text.count("\n", 0, at)
    shown = text[at : at + 80].split("\n")[0] or None
    raise SourceError(file.place(line), f"no JSON ({_reason(error)})", shown, "mend it, or write it again") from None


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return error.msg if isinstance(error, json.JSONDecodeError) else str(error)


def _checked(value: Any, text: str) -> Any:
    """`value`, decoded from `text`; half of a surrogate pair is no character, and nothing could be written with it."""
    if _SURROGATE.search(text):
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise _BrokenValueError("half of a surrogate pair") from None
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _BrokenValueError(f"the key {twice!r} is there twice")
    return found


def _no_number(name: str) -> float:
    raise _BrokenValueError(f"{name} is no number in JSON; write null")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_no_number)
