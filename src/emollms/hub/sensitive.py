"""Secrets and personal data in the files of a release: in every text cell, every file, every name of a setting.

Numbers of numeric columns, and of JSON and YAML, are no words: ten digits of a size or a count are no telephone number.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping

import pyarrow as pa
import pyarrow.parquet as pq
from huggingface_hub import parse_local_safetensors_file_metadata

from emollms.errors import EmollmsError
from emollms.hub.model_files import BINARY
from emollms.hub.release import LocalFile
from emollms.pii.mask import count_sensitive
from emollms.pii.secrets import is_secret_setting

HASHES = ("sha256",)
"""Columns that hold hashes, which look like keys."""
CELLS = 65_536
_NUMBER = re.compile(r"^(\s*(?:- )*[\w./ -]+:)\s*[-+]?[\d_.,]+(?:e[-+]?\d+)?\s*$", re.IGNORECASE)
_NUMBER_CELL = re.compile(r"(?<=\|)\s*[-+]?[\d.,]+\s*(?=\|)")
_SETTING = re.compile(r"-{0,2}(?P<name>[\w.-]+)\s*[=:]\s*(?P<value>.+)", re.DOTALL)


def check_sensitive(files: Mapping[str, LocalFile]) -> tuple[str, ...]:
    """Look for secrets and personal data in every text cell and file.

    Returns:
        How much personal data there is, a line for each kind that was found.

    Raises:
        EmollmsError: there are secrets, such as tokens and keys; the message says where, and never what.
    """
    places: dict[str, Counter[str]] = {}
    for path, file in files.items():
        for column, cells in words_of(file):
            for kind, count in count_sensitive(cells).items():
                places.setdefault(kind, Counter())[f"{path}{column}"] += count.texts
        if settings := count_settings(file):
            secrets = places.setdefault("secret", Counter())
            secrets[path] = max(secrets[path], settings)
    found = [f"{place} ({number})" for place, number in places.pop("secret", Counter()).items() if number]
    if found:
        raise EmollmsError(f"there are secrets, such as tokens or keys, in {', '.join(found)}; take them out")
    return tuple(_note(kind, counts) for kind, counts in places.items() if counts.total())


def _note(kind: str, counts: Counter[str]) -> str:
    """How many texts hold what looks like something, and where most of them are."""
    first = [place for place, number in counts.most_common(3) if number]
    more = sum(number > 0 for number in counts.values()) - len(first)
    where = "; ".join(first) + (f" and {more} more" if more else "")
    return f"{counts.total():,} texts hold what looks like a {kind}: {where}"


def words_of(file: LocalFile) -> Iterator[tuple[str, pa.Array]]:
    """The texts of a file, in portions, each text once in a portion; and where in the file they are.

    Raises:
        EmollmsError: it cannot be read as text.
    """
    if file.path.endswith(".parquet"):
        yield from _cells(file)
    elif file.path.endswith(".safetensors"):
        yield "", pa.array(_about_weights(file), pa.string())
    elif not file.path.endswith(BINARY):
        try:
            text = file.read().decode("utf-8")
        except UnicodeDecodeError:
            raise EmollmsError(
                f"{file.path} is not UTF-8 text and cannot be checked for secrets; leave it out"
            ) from None
        yield "", pa.array(_lines(file.path, text), pa.string()).unique()


def count_settings(file: LocalFile) -> int:
    """How many settings of a JSON file are secrets by their names, such as `hub_token`, whatever their form."""
    if not file.path.endswith(".json"):
        return 0
    try:
        found = json.loads(file.read())
    except ValueError:
        return 0
    return sum(is_secret_setting(name, value) for name, value in _named(found))


def _cells(file: LocalFile) -> Iterator[tuple[str, pa.Array]]:
    source = pa.BufferReader(file.source) if isinstance(file.source, bytes) else file.source
    with pq.ParquetFile(source) as table:
        about = table.schema_arrow.metadata or {}
        yield ", metadata", pa.array([value.decode("utf-8", "replace") for value in about.values()], pa.string())
        for batch in table.iter_batches(CELLS):
            for name, column in zip(batch.schema.names, batch.columns, strict=True):
                flat = _flat(column)
                if name == "prompt" and "text" in batch.schema.names and pa.types.is_string(column.type):
                    flat = _beside_texts(column, batch["text"])
                if flat is not None and name not in HASHES:
                    yield f", column {name}", flat.unique()


def _flat(column: pa.Array) -> pa.Array | None:
    """The strings of a column, also of those inside lists, objects and the like; None where it holds none."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _flat(column.dictionary)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _flat(column.flatten())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return column.cast(pa.string())
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return pa.array([value.decode("utf-8", "replace") for value in column.drop_null().to_pylist()], pa.string())
    if pa.types.is_nested(kind):
        return pa.array([text for value in column.to_pylist() for text in _strings(value)], pa.string())
    return None


def _beside_texts(prompts: pa.StringArray, texts: pa.StringArray) -> pa.StringArray:
    """What prompts say beside the text of their row, which is checked in a column of its own: a few instructions."""
    rows = zip(prompts.to_pylist(), texts.to_pylist(), strict=True)
    return pa.array([prompt.replace(text, "\n") if prompt and text else prompt for prompt, text in rows], pa.string())


def _about_weights(file: LocalFile) -> list[str]:
    """What the header of a file of weights says besides the weights."""
    about = parse_local_safetensors_file_metadata(file.source).metadata if not isinstance(file.source, bytes) else {}
    return [f"{name}: {value}" for name, value in about.items()]


def _lines(path: str, text: str) -> list[str]:
    if path.endswith(".json"):
        try:
            return [line for one in _strings(json.loads(text)) for line in one.splitlines()]
        except ValueError:
            return text.splitlines()
    if path.endswith((".md", ".yaml", ".yml")):
        return [_NUMBER_CELL.sub("", _NUMBER.sub(r"\1", line)) for line in text.splitlines()]
    return text.splitlines()


def _strings(value: object, name: str = "") -> Iterator[str]:
    """The strings of a JSON value, each after its key, as written there; numbers left out."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from (str(key),) if not isinstance(inner, str) else ()
            yield from _strings(inner, str(key))
    elif isinstance(value, list | tuple):
        if value and len(value) < 100 and all(isinstance(inner, str) for inner in value):
            yield " ".join(value)  # a command, whose option and value stand side by side
        else:
            for inner in value:
                yield from _strings(inner)
    elif isinstance(value, str):
        yield f'"{name}": "{value}"' if name else value


def _named(value: object) -> Iterator[tuple[str, str]]:
    """Names and values: of objects, and of strings such as `name=value`."""
    if isinstance(value, dict):
        yield from ((str(key), inner) for key, inner in value.items() if isinstance(inner, str))
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        if isinstance(inner, str) and (found := _SETTING.fullmatch(inner)):
            yield found["name"], found["value"]
        yield from _named(inner)
