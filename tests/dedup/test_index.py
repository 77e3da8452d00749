import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import made_up
import numpy as np
import oracle
import pytest
from datasketch import LeanMinHash, MinHash, MinHashLSH

from emollms.dedup.index import from_lsh, from_minhashes, to_lean, to_lsh, to_minhash
from emollms.dedup.lsh import Banding
from emollms.dedup.minhash import signatures
from emollms.dedup.shingles import Texts
from emollms.errors import UsageError

TEXTS = made_up.sentences(60, seed=2)
BANDING = Banding(28, 7)
SIGNED = signatures(Texts.of(TEXTS), BANDING.permutations)
KEYS = [f"row-{number}" for number in range(len(TEXTS))]


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[int]:
    """The port of a real Redis on the loopback interface, empty, gone after the test."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("there is no redis-server here")
    redis = pytest.importorskip("redis")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--daemonize", "no"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        ready = any("Ready to accept connections" in line for line in process.stdout)
        assert ready, "redis-server ended before it was ready"
        redis.Redis(port=port).ping()
        yield port
    finally:
        process.terminate()
        process.communicate()


def check_index(index: MinHashLSH) -> None:
    for text in TEXTS[::7]:
        theirs = MinHashLSH(num_perm=196, params=(28, 7))
        for key, other in zip(KEYS, TEXTS, strict=True):
            theirs.insert(key, oracle.sign(other, BANDING))
        query = oracle.sign(text, BANDING)
        assert sorted(index.query(query)) == sorted(theirs.query(query))
    keys, signed = from_lsh(index)
    order = [keys.index(key) for key in KEYS]
    assert np.array_equal(signed[order], SIGNED)


def test_objects_of_datasketch_and_back() -> None:
    for text, lean, full in zip(TEXTS, to_lean(SIGNED), to_minhash(SIGNED), strict=True):
        assert lean == LeanMinHash(oracle.sign(text, BANDING))
        assert full == oracle.sign(text, BANDING)
    assert np.array_equal(from_minhashes(to_lean(SIGNED)), SIGNED)
    assert np.array_equal(from_minhashes(oracle.sign(text, BANDING) for text in TEXTS), SIGNED)
    assert from_minhashes([]).shape == (0, 0)


def test_a_minhash_takes_further_grams() -> None:
    grown = to_minhash(SIGNED[:1])[0]
    expected = oracle.sign(TEXTS[0], BANDING)
    for minhash in (grown, expected):
        minhash.update(b"more")
    assert grown == expected


def test_an_index_in_memory_and_back() -> None:
    check_index(to_lsh(KEYS, SIGNED, BANDING))


def test_an_index_in_redis_outlives_the_object(redis_server: int) -> None:
    storage = {"type": "redis", "basename": b"emollms", "redis": {"host": "127.0.0.1", "port": redis_server}}
    to_lsh(KEYS, SIGNED, BANDING, storage)
    check_index(MinHashLSH(num_perm=196, params=(28, 7), storage_config=storage))


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match="a MinHash has scheme legacy and seed 1; affine32 and 1 are needed"):
        from_minhashes([MinHash(8, scheme="legacy")])
    with pytest.raises(UsageError, match="signatures of different lengths"):
        from_minhashes([MinHash(8), MinHash(9)])
    with pytest.raises(UsageError, match=r"2 keys and 196 permutations do not fit signatures of \(60, 196\)"):
        to_lsh(KEYS[:2], SIGNED, BANDING)
    with pytest.raises(UsageError, match="keeps hashes of its bands"):
        from_lsh(MinHashLSH(num_perm=196, params=(28, 7), hashfunc=lambda band: band[:4]))
