"""An index of texts that outlives the run: what appears in any corpus that was added to it earlier.

datasketch's `MinHashLSH`, in Redis or in memory, proposes candidates; every one is verified by its exact Jaccard
similarity, as everywhere. For that the index keeps the 64-bit hashes of each text's 4-grams, and no text.
"""

import hashlib
import json
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from emollms.dedup.equal import token_counts
from emollms.dedup.index_stores import ENTRIES, Key, Store, open_store
from emollms.dedup.jaccard import Similarities
from emollms.dedup.minhash import Signatures, signatures
from emollms.dedup.normalize import FORM, has_text, normalize
from emollms.dedup.reference import Matches
from emollms.dedup.schema import TEXT_SCHEMA
from emollms.dedup.search import Search
from emollms.dedup.shingles import Bytes, Offsets, Positions, Scratch, Texts, Words, kernel, pack_grams
from emollms.errors import EmollmsError, UsageError

_FORMAT = 1
_AT_ONCE = 1_000  # texts looked up in one exchange with Redis


@dataclass(frozen=True)
class IndexedCorpus:
    """A corpus in an index.

    Args:
        name: how it was named when it was added.
        key: names its entries in the store.
        texts: how many different texts it added.
        source: hash of all its texts, by which it is known when it comes again.
        content: hash of its entries.
    """

    name: str
    key: str
    texts: int
    source: str
    content: str


class DuplicateIndex:
    """Texts of earlier runs, and what this run adds.

    Call `compare_with` with the whole corpus first, then `matches`, then `stage` and `commit`.

    Attributes:
        digest: hash of the settings and of the entries that this run is compared with.
        table: those entries with `TEXT_SCHEMA`; all but the id is null.
    """

    def __init__(self, store: Store, search: Search) -> None:
        self._store, self._search = store, search
        self._settings: dict[str, object] = {
            "shingles": "character 4-grams",
            "threshold": search.threshold,
            "min_tokens": search.min_tokens,
            "bands": search.banding.bands,
            "rows": search.banding.rows,
            "seed": search.seed,
            "normalization": FORM,
        }
        self._head = store.head()
        self._corpora = self._read(self._head) if self._head else []
        self._staged: IndexedCorpus | None = None
        self._source, self._is_new = "", False

    def _read(self, head: bytes) -> list[IndexedCorpus]:
        try:
            found = json.loads(head)
            settings, corpora = dict(found["settings"]), [IndexedCorpus(**entry) for entry in found["corpora"]]
        except (ValueError, TypeError, KeyError):
            raise EmollmsError(f"the index {self._store} is damaged: its list of corpora cannot be read") from None
        for name, value in self._settings.items():
            if settings.get(name) != value:
                raise UsageError(
                    f"the index {self._store} was made with {name} {settings.get(name)}, not {value}; "
                    "give the same settings, or another --index"
                )
        return corpora

    def compare_with(self, normalized: Any) -> None:
        """Choose what a corpus is compared with: all corpora added before it.

        A corpus that was added already is compared with those before it, as it was then, and is not added again: a run
        that is repeated finds the same.

        Args:
            normalized: all its normalised texts.

        Raises:
            EmollmsError: the index is damaged or cannot be reached.
        """
        self._source = hashlib.sha256(b"".join(sorted(set(_text_hashes(normalized))))).hexdigest()
        sources = [corpus.source for corpus in self._corpora]
        self._is_new = self._source not in sources
        earlier = self._corpora if self._is_new else self._corpora[: sources.index(self._source)]
        self.digest = self._digest_of(earlier)
        parts = [self._part(corpus) for corpus in earlier]
        entries = pa.concat_tables([ENTRIES.empty_table(), *parts]).combine_chunks()
        names = [name for corpus in earlier for name in [corpus.name] * corpus.texts]
        ids = pc.binary_join_element_wise(pa.array(names, pa.string()), entries["id"], ":")
        columns = [
            ids if name == "id" else pa.nulls(len(ids), TEXT_SCHEMA.field(name).type) for name in TEXT_SCHEMA.names
        ]
        self.table = pa.table(columns, schema=TEXT_SCHEMA)
        self._first: dict[bytes, int] = {}
        for row, text in enumerate(entries["text"].to_pylist()):
            self._first.setdefault(text, row)
        self._texts = entries["text"].to_pylist()
        self._base = dict(
            zip(
                (bytes.fromhex(corpus.key) for corpus in earlier),
                np.cumsum([0, *(corpus.texts for corpus in earlier)]).tolist(),
                strict=False,
            )
        )
        grams = entries["grams"].combine_chunks()
        self._grams = grams.flatten().to_numpy(), grams.offsets.to_numpy() if len(grams) else np.zeros(1, np.int64)
        keyed = [
            (_key(corpus, row), signature)
            for corpus, part in zip(earlier, parts, strict=True)
            for row, signature in enumerate(part["signature"].to_pylist())
            if signature
        ]
        signed = np.array([np.frombuffer(signature, "<u4") for _, signature in keyed], np.uint32)
        self._store.load([key for key, _ in keyed], signed)

    def _part(self, corpus: IndexedCorpus) -> pa.Table:
        part = self._store.read(corpus.key, corpus.texts)
        if part is None or _content(part) != corpus.content:
            raise EmollmsError(
                f"the index {self._store} is damaged: the entries of {corpus.name} are not what was written; "
                "add the corpora to a new index"
            )
        return part

    def _digest_of(self, corpora: list[IndexedCorpus]) -> str:
        parts = json.dumps([self._settings, [corpus.content for corpus in corpora]], sort_keys=True)
        return f"sha256:{hashlib.sha256(parts.encode()).hexdigest()}"

    def matches(self, normalized: Any) -> Matches:
        """Which rows of a column of normalised texts appear, equally or nearly, in the index.

        Returns:
            Rows of the column, and of `table`; of entries with equal texts the first.
        """
        texts = Texts.of(normalized)
        hashes = _text_hashes(normalized)
        equal = [(row, self._first[text], 1.0, True) for row, text in enumerate(hashes) if text in self._first]
        rows = np.flatnonzero(token_counts(texts, self._search.threads) >= self._search.min_tokens)
        near: list[tuple[int, int, float, bool]] = []
        for start in range(0, len(rows), _AT_ONCE):
            near += self._near(texts.column(), hashes, rows[start : start + _AT_ONCE])
        found = sorted(equal + near)
        row, reference = np.array([match[:2] for match in found], np.int64).reshape(-1, 2).T
        jaccard = np.array([match[2] for match in found], np.float64)
        return Matches(row, reference, jaccard, np.array([match[3] for match in found], np.bool_))

    def _near(self, column: pa.Array, hashes: list[bytes], rows: Positions) -> list[tuple[int, int, float, bool]]:
        texts = Texts.of(column.take(pa.array(rows)))
        signed = signatures(texts, self._search.banding.permutations, self._search.seed, self._search.threads)
        candidates = {
            (at, self._first[self._texts[entry]])
            for at, entry in self._candidates(signed)
            if self._texts[entry] != hashes[rows[at]]
        }
        pairs = np.array(sorted(candidates), np.int64).reshape(-1, 2)
        jaccard = np.empty(len(pairs))
        _compare(*hashed_grams(texts), *self._grams, pairs, jaccard)
        keep = jaccard >= self._search.threshold
        return [
            (int(rows[at]), int(entry), float(score), False)
            for (at, entry), score in zip(pairs[keep], jaccard[keep], strict=True)
        ]

    def _candidates(self, signed: Signatures) -> Iterator[tuple[int, int]]:
        """Positions of texts and entries that share a band; a band at a time, which Redis answers in one exchange."""
        swapped, length = signed.byteswap(), self._search.banding.rows  # datasketch's buckets are named big-endian
        for band in range(self._search.banding.bands):
            names = [bytes(row) for row in swapped[:, band * length : (band + 1) * length]]
            for at, keys in enumerate(self._store.buckets(band, names)):
                for key in keys:
                    # Entries of later corpora, and of a run that was killed before `commit`, are not in `_base`.
                    base = self._base.get(key[:8])
                    if base is not None:
                        yield at, base + int.from_bytes(key[8:], "big")

    def stage(self, name: str, ids: Sequence[str], texts: Any) -> None:
        """Write what a corpus adds to the store, where no run sees it before `commit`.

        Args:
            name: of the corpus, for reports.
            ids: one a text.
            texts: the texts that stay; each different one is added, under its first id.

        Raises:
            EmollmsError: the store cannot be written.
        """
        if not self._is_new:
            return
        normal = normalize(texts, self._search.threads)
        entries = self._entries(ids, normal)
        corpus = IndexedCorpus(name, secrets.token_hex(8), len(entries), self._source, _content(entries))
        self._staged = corpus
        signed = [(_key(corpus, row), one) for row, one in enumerate(entries["signature"].to_pylist()) if one]
        values = np.array([np.frombuffer(one, "<u4") for _, one in signed], np.uint32)
        self._store.write(corpus.key, entries, [key for key, _ in signed], values)

    def _entries(self, ids: Sequence[str], normal: Any) -> pa.Table:
        there = np.flatnonzero(np.asarray(has_text(normal)))
        hashes = np.array(_text_hashes(normal), object)
        first = {hashes[row]: row for row in there[::-1]}
        rows = np.array(sorted(first.values()), np.int64)
        texts = Texts.of(normal.take(pa.array(rows)))
        tokens = token_counts(texts, self._search.threads)
        signed = signatures(texts, self._search.banding.permutations, self._search.seed, self._search.threads)
        long, signed = tokens >= self._search.min_tokens, signed.astype("<u4")
        grams, ends = hashed_grams(texts)
        return pa.table(
            [
                pa.array([ids[row] for row in rows], pa.string()),
                pa.array([hashes[row] for row in rows], pa.binary()),
                pa.array(
                    [bytes(row) if is_long else None for row, is_long in zip(signed, long, strict=True)], pa.binary()
                ),
                pa.LargeListArray.from_arrays(pa.array(ends), pa.array(grams)),
            ],
            schema=ENTRIES,
        )

    def commit(self) -> None:
        """Make what was staged part of the index, in one step.

        Raises:
            EmollmsError: another run changed the index meanwhile, or the store cannot be written.
        """
        if self._staged is None:
            return
        corpora = [asdict(corpus) for corpus in (*self._corpora, self._staged)]
        content = {"format": _FORMAT, "settings": self._settings, "corpora": corpora}
        self._store.switch(self._head, (json.dumps(content, ensure_ascii=False, indent=2) + "\n").encode())
        self._staged = None

    def discard(self) -> None:
        """Take out what was staged and not committed."""
        if self._staged is not None:
            self._store.discard(self._staged.key, self._staged.texts)
            self._staged = None


@contextmanager
def open_index(url: str, search: Search) -> Iterator[DuplicateIndex]:
    """An index; what is staged and not committed in the block is taken out when it ends.

    Args:
        url: a folder, or `redis://HOST:PORT/DB` (`rediss://` with TLS).
        search: threshold, least tokens, permutations and seed, which must be those of the index.

    Raises:
        UsageError: the URL is none, the index has other settings, or the client of Redis is not installed.
        EmollmsError: the index is damaged, or cannot be reached.
    """
    index = DuplicateIndex(open_store(url, search.banding, search.seed), search)
    try:
        yield index
    except BaseException:
        with suppress(EmollmsError):  # a store that is gone must not hide why the run ended
            index.discard()
        raise


def _key(corpus: IndexedCorpus, row: int) -> Key:
    return bytes.fromhex(corpus.key) + row.to_bytes(4, "big")


def _text_hashes(normalized: Any) -> list[bytes]:
    """128 bits of each normalised text: 10^9 texts share one by chance with probability 10^-21."""
    return [hashlib.blake2b(text.encode(), digest_size=16).digest() for text in pa.array(normalized).to_pylist()]


def _content(entries: pa.Table) -> str:
    """A hash of what a table of entries holds, whatever wrote it."""
    total = hashlib.sha256("\0".join(entries["id"].to_pylist()).encode())
    for name in ("text", "signature"):
        total.update(b"".join(value or b"-" for value in entries[name].to_pylist()))
    grams = entries["grams"].combine_chunks()
    total.update(np.asarray(pc.list_value_length(grams), "<i8").tobytes())
    total.update(np.asarray(grams.flatten(), "<u8").tobytes())
    return total.hexdigest()


def hashed_grams(texts: Texts) -> tuple[Words, Offsets]:
    """The set of 64-bit hashes of each text's 4-grams, ascending: set i is `hashes[offsets[i]:offsets[i + 1]]`.

    Two of a million different 4-grams share a hash with probability 3e-8, so a similarity of these sets is exact.
    """
    out, offsets = np.empty(int(texts.offsets[-1] - texts.offsets[0]) + 1, np.uint64), np.zeros_like(texts.offsets)
    room = Scratch(texts.longest)
    _hash_grams(texts.data, texts.offsets, room.first, room.rest, room.begins, out, offsets)
    return out[: offsets[-1]], offsets


@kernel
def _hash_grams(
    data: Bytes, starts: Offsets, first: Words, rest: Words, begins: Positions, out: Words, offsets: Offsets
) -> None:
    end = 0
    for row in range(len(starts) - 1):
        grams = pack_grams(data, starts[row], starts[row + 1], first, rest, begins)
        for g in range(grams):  # the 64-bit finaliser of MurmurHash3, which maps no two words to one
            mixed = np.uint64(first[g] ^ (rest[g] * np.uint64(0xC2B2AE3D27D4EB4F)))
            mixed = np.uint64((mixed ^ (mixed >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD))
            mixed = np.uint64((mixed ^ (mixed >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53))
            first[g] = mixed ^ (mixed >> np.uint64(33))
        first[:grams].sort()
        for g in range(grams):
            if g == 0 or first[g] != first[g - 1]:
                out[end] = first[g]
                end += 1
        offsets[row + 1] = end


@kernel
def _compare(
    ours: Words, our_ends: Offsets, theirs: Words, their_ends: Offsets, pairs: Positions, out: Similarities
) -> None:
    """The Jaccard similarity of set `pairs[i, 0]` of ours and `pairs[i, 1]` of theirs, by merging the sorted sets."""
    for i in range(len(pairs)):
        a, a_end = our_ends[pairs[i, 0]], our_ends[pairs[i, 0] + 1]
        b, b_end = their_ends[pairs[i, 1]], their_ends[pairs[i, 1] + 1]
        union = a_end - a + b_end - b
        shared = 0
        while a < a_end and b < b_end:
            if ours[a] == theirs[b]:
                shared += 1
                a += 1
                b += 1
            elif ours[a] < theirs[b]:
                a += 1
            else:
                b += 1
        out[i] = shared / (union - shared)
