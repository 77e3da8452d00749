"""Where an index of texts is kept: a folder of Parquet, or Redis by datasketch's own storage.

Entries are written under a new key first, which no reader knows; the list of corpora, the head, is then replaced in one
step. A run that is killed in between leaves entries that are never read; the next run that adds a corpus removes them.
"""

import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from emollms.dedup.lsh import Banding
from emollms.dedup.minhash import SEED, Signatures
from emollms.errors import EmollmsError, UsageError
from emollms.optional import require
from emollms.storage import LOCK, locked, write_whole

if TYPE_CHECKING:
    from datasketch import MinHashLSH

Key = bytes
"""Names an entry in the LSH: eight bytes of its corpus, four of its row."""

ENTRIES = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("text", pa.binary()),
        pa.field("signature", pa.binary()),
        pa.field("grams", pa.large_list(pa.uint64())),
    ]
)
"""A text: its id, its hash, its MinHash (null under the least tokens), and the ascending hashes of its 4-grams."""

SCHEME = "affine32"
"""The permutations of datasketch 2.0 that our signatures are made with."""

_ROWS = 20_000  # entries of one value in Redis, some 30 MB; a value has 512 MB at most
_CHANGED = "another run changed the index {} meanwhile; run this one again"


class Store(Protocol):
    """What an index needs of the place where it is kept."""

    def head(self) -> bytes | None:
        """The list of corpora; None for a new index."""

    def read(self, key: str, rows: int) -> pa.Table | None:
        """The entries of a corpus; None where they are damaged."""

    def load(self, keys: Sequence[Key], signed: Signatures) -> None:
        """Make sure that the LSH has these entries."""

    def buckets(self, band: int, names: Sequence[bytes]) -> Sequence[Iterable[Key]]:
        """The entries in each of these buckets of a band; some may be of no corpus that the head names."""

    def write(self, key: str, entries: pa.Table, keys: Sequence[Key], signed: Signatures) -> None:
        """Write the entries of a corpus, to be read once the head names it."""

    def switch(self, old: bytes | None, new: bytes) -> None:
        """Replace the head, if it still is the old one."""

    def discard(self, key: str, rows: int) -> None:
        """Remove the entries of a corpus that the head does not name."""


def open_store(url: str, banding: Banding, seed: int) -> Store:
    """The store of an index, for signatures with this banding and seed.

    Raises:
        UsageError: the URL is none, or the folder holds something else.
    """
    if "://" not in url:
        return FolderStore(Path(url).expanduser(), banding, seed)
    return RedisStore(url, banding, seed)


def to_lsh(
    keys: Sequence[Key], signed: Signatures, banding: Banding, storage: dict[str, Any] | None = None, seed: int = SEED
) -> "MinHashLSH":
    """A `datasketch.MinHashLSH` with these entries, in memory or added to what a storage of datasketch holds.

    Args:
        keys: one a row, no two equal.
        signed: signatures, uint32 of shape (keys, banding.permutations).
        banding: bands and rows of the LSH.
        storage: datasketch's `storage_config`, such as {"type": "redis", "basename": b"...", "redis": {...}}.
        seed: of the signatures.
    """
    from datasketch import LeanMinHash, MinHashLSH  # takes scipy along, half a second, and most runs have no index

    # Keys are bytes and never pickled: unpickling what anyone can write to a Redis would run it.
    index = MinHashLSH(
        num_perm=banding.permutations, params=(banding.bands, banding.rows), storage_config=storage, prepickle=False
    )
    if len(keys):  # a session that inserts nothing would still open a connection a band
        with index.insertion_session() as session:
            for key, row in zip(keys, signed, strict=True):
                minhash = LeanMinHash(seed=seed, hashvalues=row, scheme=SCHEME)
                session.insert(key, minhash, check_duplication=False)
    return index


class FolderStore:
    """An index in a folder: `index.json` and a Parquet file a corpus; the LSH is built in memory."""

    def __init__(self, folder: Path, banding: Banding, seed: int) -> None:
        self._folder, self._head = folder, folder / "index.json"
        self._banding, self._seed = banding, seed
        if folder.is_dir() and not self._head.is_file():
            others = [path.name for path in folder.iterdir() if not path.match("part-*") and path.name != LOCK]
            if others:
                raise UsageError(f"{folder} is no index of texts; name a new folder with --index")
        elif folder.exists() and not folder.is_dir():
            raise UsageError(f"{folder} is a file; --index takes a folder or redis://HOST:PORT/DB")

    def __str__(self) -> str:
        return str(self._folder)

    def head(self) -> bytes | None:
        """The list of corpora; None for a new index."""
        return self._head.read_bytes() if self._head.is_file() else None

    def read(self, key: str, rows: int) -> pa.Table | None:
        """The entries of a corpus; None where they are damaged."""
        try:
            return pq.read_table(self._part(key), schema=ENTRIES)
        except (pa.ArrowException, OSError):
            return None

    def load(self, keys: Sequence[Key], signed: Signatures) -> None:
        """Build the LSH of these entries."""
        self._lsh = to_lsh(keys, signed, self._banding, seed=self._seed)

    def buckets(self, band: int, names: Sequence[bytes]) -> Sequence[Iterable[Key]]:
        """The entries in each of these buckets of a band."""
        found: Sequence[Iterable[Key]] = self._lsh.hashtables[band].getmany(*names)
        return found

    def write(self, key: str, entries: pa.Table, keys: Sequence[Key], signed: Signatures) -> None:
        """Write the entries of a corpus, to be read once the head names it."""
        write_whole(self._part(key), _as_parquet(entries))

    def switch(self, old: bytes | None, new: bytes) -> None:
        """Replace the head, if it still is the old one, and remove what killed runs left."""
        with locked(self._folder / LOCK):
            if self.head() != old:
                raise EmollmsError(_CHANGED.format(self))
            write_whole(self._head, new)
            for path in self._folder.glob("part-*"):
                if path.stem.removeprefix("part-").encode() not in new:
                    path.unlink()

    def discard(self, key: str, rows: int) -> None:
        """Remove the entries of a corpus that the head does not name, and the folder if nothing else is in it."""
        self._part(key).unlink(missing_ok=True)
        if self._folder.is_dir() and not any(self._folder.iterdir()):
            self._folder.rmdir()

    def _part(self, key: str) -> Path:
        return self._folder / f"part-{key}.parquet"


class RedisStore:
    """An index in a database of Redis: the LSH where datasketch keeps it, the entries as Parquet beside it."""

    _NAME = "emollms-index"

    def __init__(self, url: str, banding: Banding, seed: int) -> None:
        self._banding, self._seed = banding, seed
        split = urlsplit(url)
        if split.scheme not in ("redis", "rediss") or not split.hostname:
            raise UsageError(f"--index {split.scheme}://… is no index; name a folder, or redis://HOST:PORT/DB")
        self._redis = require("redis", "redis", f"--index {split.scheme}://…")
        try:
            options = self._redis.connection.parse_url(url)
            self._shown = f"{split.scheme}://{split.hostname}:{split.port or 6379}/{options.get('db', 0)}"
            if not split.path.removeprefix("/").isdigit() and split.path not in ("", "/"):
                raise ValueError(f"{split.path.removeprefix('/')!r} is no number of a database")
        except ValueError as error:
            raise UsageError(f"--index: the URL is no redis://HOST:PORT/DB: {error}") from None
        if options.pop("connection_class", None) is not None:
            options["ssl"] = True
        options |= {"decode_responses": False}
        self._storage = {"type": "redis", "basename": f"{self._NAME}:lsh".encode(), "redis": options}
        self._client = self._redis.Redis(**options)

    def __str__(self) -> str:
        return self._shown  # without the password

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except (self._redis.RedisError, OSError) as error:
            reason = next(iter(str(error).splitlines()), "") or type(error).__name__
            raise EmollmsError(f"the index {self} cannot be used: {reason}") from None

    def head(self) -> bytes | None:
        """The list of corpora; None for a new index."""
        with self._asking():
            found: bytes | None = self._client.get(f"{self._NAME}:head")
            return found

    def read(self, key: str, rows: int) -> pa.Table | None:
        """The entries of a corpus; None where they are damaged."""
        with self._asking():
            found = [self._client.get(name) for name in self._parts(key, rows)]
        try:
            return pa.concat_tables([pq.read_table(io.BytesIO(part or b""), schema=ENTRIES) for part in found])
        except pa.ArrowException:
            return None

    def load(self, keys: Sequence[Key], signed: Signatures) -> None:
        """Open the LSH.

        Raises:
            EmollmsError: it lacks some of these entries.
        """
        with self._asking():
            self._lsh = to_lsh((), signed, self._banding, self._storage, self._seed)
            if self._lsh.keys.size() < len(keys):
                raise EmollmsError(f"the index {self} is damaged: some of its buckets are gone; use a new database")

    def buckets(self, band: int, names: Sequence[bytes]) -> Sequence[Iterable[Key]]:
        """The entries in each of these buckets of a band; some may be of no corpus that the head names."""
        with self._asking():
            found: Sequence[Iterable[Key]] = self._lsh.hashtables[band].getmany(*names)
            return found

    def write(self, key: str, entries: pa.Table, keys: Sequence[Key], signed: Signatures) -> None:
        """Write the entries of a corpus, to be read once the head names it."""
        with self._asking():
            self._client.hset(f"{self._NAME}:staged", key, len(entries))
            for number, name in enumerate(self._parts(key, len(entries))):
                self._client.set(name, _as_parquet(entries.slice(number * _ROWS, _ROWS)))
            to_lsh(keys, signed, self._banding, self._storage, self._seed)

    def switch(self, old: bytes | None, new: bytes) -> None:
        """Replace the head, if it still is the old one, and remove what killed runs left."""
        with self._asking(), self._client.pipeline() as pipe:
            pipe.watch(f"{self._NAME}:head")
            if pipe.get(f"{self._NAME}:head") != old:
                raise EmollmsError(_CHANGED.format(self))
            pipe.multi()
            pipe.set(f"{self._NAME}:head", new)
            try:
                pipe.execute()
            except self._redis.WatchError:
                raise EmollmsError(_CHANGED.format(self)) from None
            for key, rows in self._client.hgetall(f"{self._NAME}:staged").items():
                if key in new:
                    self._client.hdel(f"{self._NAME}:staged", key)
                else:
                    self.discard(key.decode(), int(rows))

    def discard(self, key: str, rows: int) -> None:
        """Remove the entries of a corpus that the head does not name."""
        with self._asking():
            lsh = to_lsh((), np.empty(0, np.uint32), self._banding, self._storage, self._seed)
            keys = [bytes.fromhex(key) + row.to_bytes(4, "big") for row in range(rows)]
            found = {name: buckets for name, buckets in zip(keys, lsh.keys.getmany(*keys), strict=True) if buckets}
            for band, table in enumerate(lsh.hashtables):
                for name, buckets in found.items():
                    table.remove_val(buckets[band], name, buffer=True)
                table.empty_buffer()
                names = [buckets[band] for buckets in found.values()]
                if empty := [name for name, left in zip(names, table.getmany(*names), strict=True) if not left]:
                    table.remove(*empty)
            if found:
                lsh.keys.remove(*found)
            self._client.delete(*self._parts(key, rows))
            self._client.hdel(f"{self._NAME}:staged", key)

    def _parts(self, key: str, rows: int) -> list[str]:
        return [f"{self._NAME}:part:{key}:{number}" for number in range(max(1, -(-rows // _ROWS)))]


def _as_parquet(entries: pa.Table) -> bytes:
    stream = io.BytesIO()
    pq.write_table(entries, stream, compression="zstd", row_group_size=_ROWS)
    return stream.getvalue()
