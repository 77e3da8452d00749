"""What may leave: of each corpus the stricter of what a manifest says and what the registry of corpora says.

A manifest is a file that anybody can edit, so it is not asked alone. Which corpora a release holds is read from its
sources, from the hashes of the raw files that these list, and from every row: its id, its column `corpus`, and, of
pairs, both ids. A corpus that the registry does not know cannot be judged, and nothing of it leaves.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from emollms.corpora.metadata import Redistribution
from emollms.corpora.registry import corpora
from emollms.dataset.manifest_entries import SourceEntry
from emollms.errors import EmollmsError
from emollms.hub.release import LocalFile

ORDER: tuple[Redistribution, ...] = ("none", "ids", "text")
"""From the strictest on."""
BATCH = 65_536  # rows
TEXTS = ("text", "prompt", "text_a", "text_b")
"""Columns of tables, and keys of objects, that hold texts of a corpus."""
SIDES = (
    ("corpus", ("text", "prompt")),
    ("id", ("text", "prompt")),
    ("id_a", ("text_a",)),
    ("id_b", ("text_b",)),
    ("duplicate_of", ()),
)
"""Columns whose values are, or begin with, a corpus; and those that hold texts of it."""
OWN = ("corpus", "id")
"""Those of the rows of a data set itself."""
HEX = re.compile("[0-9a-f]{64}")
_FENCED = re.compile(r"^`{3,}[a-z]*\n(.*?)^`{3,}\s*$", re.MULTILINE | re.DOTALL)


def allowed(corpus: str) -> Redistribution:
    """What the registry lets one redistribute of a corpus; nothing of one that it does not know."""
    return corpora()[corpus].meta.redistribution if corpus in corpora() else "none"


def refuse_texts(sources: Sequence[SourceEntry], files: Mapping[str, LocalFile]) -> None:
    """Refuse a data set with texts that may not be redistributed, ids of which not even those may, or unlisted corpora.

    Args:
        sources: the corpora that its manifest lists.
        files: its files.

    Raises:
        EmollmsError: it is refused; the message names the corpora.
    """
    held = _held(sources, files)
    if bound := [name for name in held["text"] if _allowed_by_both(sources, name) != "text"]:
        raise EmollmsError(
            f"the texts of {', '.join(bound)} may not be redistributed; publish ids and hashes instead, with --ids-only"
        )
    _refuse_ids(sources, held["ids"])
    if unlisted := [name for name in held["rows"] if name not in {source.corpus for source in sources}]:
        raise EmollmsError(f"there are rows of {', '.join(unlisted)}, which the manifest does not list; build it again")


def refuse_ids(sources: Sequence[SourceEntry], files: Mapping[str, LocalFile], schema: pa.Schema) -> None:
    """Refuse the id-only form of a data set of which not even ids may be redistributed, or that holds more than ids.

    Args:
        sources: the corpora that its manifest lists.
        files: its files.
        schema: the columns of its tables.

    Raises:
        EmollmsError: it is refused; the message says why.
    """
    for path, batch in _batches(files):
        if batch.schema.names != schema.names:
            others = sorted(set(batch.schema.names) ^ set(schema.names)) or batch.schema.names
            raise EmollmsError(f"{path} is no table of ids (columns: {', '.join(others)}); make the form again")
        if any(not HEX.fullmatch(value or "") for value in batch["sha256"].to_pylist()):
            raise EmollmsError(f"{path} holds something else than hashes in its column sha256; make the form again")
    refuse_bound_ids(sources, files)


def refuse_bound_ids(sources: Sequence[SourceEntry], files: Mapping[str, LocalFile]) -> None:
    """Refuse tables with ids of corpora of which not even those may be redistributed; arguments as for `refuse_ids`.

    Raises:
        EmollmsError: there are some; the message names the corpora.
    """
    held = _held(sources, files)
    _refuse_ids(sources, [*held["text"], *held["ids"]])


def bound_corpora(sources: Sequence[SourceEntry]) -> frozenset[str]:
    """The corpora of a data set whose texts may not be redistributed, by its manifest or by the registry."""
    return frozenset(one.corpus for one in sources if _allowed_by_both(sources, one.corpus) != "text")


def _refuse_ids(sources: Sequence[SourceEntry], names: Iterable[str]) -> None:
    if bound := sorted(name for name in names if _allowed_by_both(sources, name) == "none"):
        raise EmollmsError(f"nothing of {', '.join(bound)} may be redistributed, not even its ids")


def refuse_bound_rows(files: Mapping[str, LocalFile]) -> None:
    """Refuse rows with texts that may not be redistributed in text files: JSON, JSON Lines, and examples of cards.

    Raises:
        EmollmsError: there are some; the message says where.
    """
    for path, file in files.items():
        if path.endswith((".json", ".jsonl", ".md", ".txt", ".yaml")):
            for found in _objects(file.read().decode("utf-8", errors="replace")):
                corpus = _corpus_of(found)
                if corpus and allowed(corpus) != "text" and any(found.get(name) for name in TEXTS):
                    raise EmollmsError(f"{path} holds texts of {corpus}, which may not be redistributed; take them out")


def refuse_known_texts(files: Mapping[str, LocalFile], digest: str) -> None:
    """Refuse a table of a user with texts of a known corpus that may not be redistributed.

    A column `corpus` or `id` of a user's own table may hold anything: names that the registry does not know pass.

    Args:
        files: the table and what goes with it.
        digest: `sha256:` and the hash of the file that the texts were read from, which may be one of a corpus.

    Raises:
        EmollmsError: it is refused; the message names the corpora.
    """
    held = {name for name, one in corpora().items() for file in one.meta.files if digest == f"sha256:{file.sha256}"}
    for _, batch in _batches(files):
        for name in OWN:
            if name in batch.schema.names and pa.types.is_string(batch.schema.field(name).type):
                held |= _corpora_in(batch[name])
    if bound := sorted(name for name in held if name in corpora() and allowed(name) != "text"):
        raise EmollmsError(f"the texts of {', '.join(bound)} may not be redistributed; publish without them")


def _held(sources: Sequence[SourceEntry], files: Mapping[str, LocalFile]) -> dict[str, list[str]]:
    """The corpora of which a data set holds texts, ids alone, and rows of its own, each in alphabetical order.

    Raises:
        EmollmsError: one of them is unknown here.
    """
    texts = {source.corpus for source in sources} | set(_owners(sources))
    ids: set[str] = set()
    rows: set[str] = set()
    for _, batch in _batches(files):
        for name, column in SIDES:
            if name in batch.schema.names:
                shown = _shown(batch, [one for one in column if one in batch.schema.names])
                texts |= _corpora_in(batch[name].filter(shown))
                ids |= _corpora_in(batch[name].filter(pc.invert(shown)))
                rows |= _corpora_in(batch[name]) if name in OWN else set()
    if unknown := sorted((texts | ids) - set(corpora())):
        raise EmollmsError(
            f"unknown corpora: {', '.join(map(repr, unknown))}; whether they may be redistributed is unknown: install "
            f"the package that brings them, or build the data set again"
        )
    return {"text": sorted(texts), "ids": sorted(ids - texts), "rows": sorted(rows)}


def _owners(sources: Sequence[SourceEntry]) -> Iterator[str]:
    """The corpora whose raw files a manifest lists, whatever it calls them."""
    by_hash = {file.sha256: name for name, corpus in corpora().items() for file in corpus.meta.files}
    for source in sources:
        yield from {by_hash[file.sha256] for file in source.files if file.sha256 in by_hash}


def _shown(batch: pa.RecordBatch, columns: Sequence[str]) -> pa.BooleanArray:
    """Which rows have a text in one of these columns."""
    shown = pa.repeat(False, batch.num_rows)
    for column in columns:
        shown = pc.or_(shown, pc.is_valid(batch[column]))
    return shown


def _corpora_in(ids: pa.StringArray) -> set[str]:
    """The part of ids before the first slash."""
    first = pc.list_element(pc.split_pattern(ids.drop_null(), "/", max_splits=1), 0)
    return set(pc.unique(first).to_pylist())


def _batches(files: Mapping[str, LocalFile]) -> Iterator[tuple[str, pa.RecordBatch]]:
    for path, file in files.items():
        if path.endswith(".parquet"):
            source = pa.BufferReader(file.source) if isinstance(file.source, bytes) else file.source
            with pq.ParquetFile(source) as table:
                for batch in table.iter_batches(BATCH):
                    yield path, batch


def _allowed_by_both(sources: Sequence[SourceEntry], corpus: str) -> Redistribution:
    said = [source.redistribution for source in sources if source.corpus == corpus]
    return min([*said, allowed(corpus)], key=ORDER.index)


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """Every JSON object in a text: the text as a whole, its lines, and its blocks of code, with what is inside."""
    try:
        yield from _inside(json.loads(text))
    except ValueError:
        for piece in (*text.splitlines(), *_FENCED.findall(text)):
            if piece.lstrip()[:1] in ("{", "["):
                with suppress(ValueError):
                    yield from _inside(json.loads(piece))


def _inside(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _inside(inner)


def _corpus_of(row: Mapping[str, Any]) -> str | None:
    """The corpus that a row is of, by its columns; None if they do not say."""
    if isinstance(corpus := row.get("corpus"), str):
        return corpus
    found = [
        value.split("/")[0]
        for name in ("id", "id_a", "id_b")
        if isinstance(value := row.get(name), str) and value.count("/") > 2
    ]
    return found[0] if found else None
