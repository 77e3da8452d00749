"""What goes wrong in a builder, as one line: the field or the source line, the value, and what is allowed."""

import traceback
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path

import pydantic
from pydantic import BaseModel, ValidationError

from emollms.errors import EmollmsError, shorten
from emollms.storage import Strict

_MEANINGS = {
    r"^[a-z][a-z0-9_]*$": "small letters, digits and _, a letter first",
    r"^[0-9a-f]{64}$": "64 hexadecimal digits, as sha256sum prints them",
    r"^[a-z]{2,3}(-[A-Za-z0-9]+)*$": "a code such as en, arq or pt-BR",
}
"""What the patterns of the metadata ask for."""
_OTHERS = ("<", str(Path(__file__).parent), str(Path(pydantic.__file__).parent))
"""How the names of files begin that are no contributor's."""


def what_was_raised(error: BaseException, file: str | None = None) -> str:
    """An exception with the line of the builder that raised it.

    Args:
        error: the exception.
        file: the builder's file, where it is known; else the line is the last one that is not of this package.
    """
    if isinstance(error, SyntaxError) and error.filename:
        return f"{type(error).__name__}: {error.msg} (line {error.lineno} of {_short(error.filename)})"
    if isinstance(error, ValidationError):
        problem = field_problems(error)
    elif isinstance(error, EmollmsError):
        problem = str(error)
    else:
        problem = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return f"{' '.join(problem.split())}{_raised_at(error, file)}"


def _raised_at(error: BaseException, file: str | None) -> str:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(_OTHERS)]
    own = [frame for frame in frames if frame.filename == file] or frames
    if not own:
        return ""
    is_function = own[-1].name.lstrip("_")[:1].islower()  # and neither <module> nor the body of a class
    function = f"in {own[-1].name}(), " if is_function else ""
    return f" ({function}line {own[-1].lineno} of {_short(own[-1].filename)})"


def _short(filename: str) -> str:
    path = Path(filename)
    return f"{path.parent.name}/{path.name}" if path.parent.name else path.name


def field_problems(error: ValidationError, model: type[BaseModel] | None = None) -> str:
    """What is wrong with the fields of a model, at most three of them.

    Args:
        error: what pydantic says.
        model: the model; None for the one that the error is about, where it is one of the metadata.
    """
    fields = _fields(model, error.title)
    problems = list(dict.fromkeys(_problems(error, fields)))
    more = f"; and {len(problems) - 3} more" if len(problems) > 3 else ""
    return "; ".join(problems[:3]) + more


def _fields(model: type[BaseModel] | None, title: str) -> list[str]:
    # An error has the name of its model alone; an import of the metadata, which imports this module, would be a circle.
    found = model or next((one for one in Strict.__subclasses__() if one.__name__ == title), None)
    return list(found.model_fields) if found else []


def _problems(error: ValidationError, fields: Sequence[str]) -> Iterator[str]:
    errors = error.errors()
    extra = {str(one["loc"][-1]) for one in errors if one["type"] == "extra_forbidden"}
    missing = [str(one["loc"][-1]) for one in errors if one["type"] == "missing"]
    meant = {name: near[0] for name in sorted(extra) if (near := get_close_matches(name, missing or fields, n=1))}
    for one in errors:
        name = _name_of(one["loc"])
        given = one["input"]
        if one["type"] == "extra_forbidden":
            hint = f"did you mean {meant[name]}?" if name in meant else f"there are {', '.join(fields)}"
            yield f"unknown field {name!r}; {hint}"
        elif one["type"] == "missing":
            if name not in meant.values():
                yield f"{name} is missing"
        elif one["type"] != "too_short" or not given:  # else its items are wrong, which is said of each
            yield _wrong_value(name, given, one)


def _name_of(location: Sequence[int | str]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")


def _wrong_value(name: str, given: object, error: object) -> str:
    assert isinstance(error, dict)
    context = error.get("ctx", {})
    shown = shorten(repr(given))
    if error["type"] == "value_error":
        told = str(context.get("error", error["msg"]))
        return told if not name or told.startswith(name) else f"{name}: {told}"
    if error["type"] == "literal_error":
        return f"{name} is {shown}; allowed: {context['expected']}"
    if error["type"] == "string_pattern_mismatch":
        return f"{name} is {shown}; allowed: {_MEANINGS.get(context['pattern'], context['pattern'])}"
    if error["type"] in ("tuple_type", "iterable_type") and isinstance(given, str):
        return f"{name} is {shown} (str); give a tuple: ({given!r},)"
    if error["type"] in ("too_short", "string_too_short"):
        return f"{name} is empty"
    return f"{name} is {shown} ({type(given).__name__}); {error['msg'][:1].lower()}{error['msg'][1:]}"
