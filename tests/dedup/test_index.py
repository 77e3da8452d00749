"""An index of texts that outlives the run, in a folder and in a Redis that the test starts."""

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import made_up
import numpy as np
import oracle
import pyarrow.parquet as pq
import pytest
from datasketch import LeanMinHash, MinHashLSH

from emollms.dedup import standalone
from emollms.dedup.index import _compare, hashed_grams, open_index
from emollms.dedup.index_stores import to_lsh
from emollms.dedup.lsh import Banding
from emollms.dedup.minhash import signatures
from emollms.dedup.normalize import normalize
from emollms.dedup.search import Search
from emollms.dedup.shingles import Texts
from emollms.dedup.standalone import find_duplicates
from emollms.errors import EmollmsError, UsageError

Emollms = Callable[..., tuple[int, str, str]]
FIRST = made_up.sentences(120, seed=1)
SECOND = [*made_up.sentences(120, seed=2), *FIRST[:10], *(f"{text} too" for text in FIRST[10:40])]


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real Redis on the loopback interface, gone after the tests."""
    program = shutil.which("redis-server")
    if program is None:
        assert not os.environ.get("CI"), "CI needs redis-server"
        pytest.skip("there is no redis-server here")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--daemonize", "no"]
    folder = tmp_path_factory.mktemp("redis")
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        ready = any("Ready to accept connections" in line for line in process.stdout)
        assert ready, "redis-server ended before it was ready"
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.communicate()


@pytest.fixture(params=["folder", "redis"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new index of each kind."""
    if request.param == "folder":
        return str(tmp_path / "index")
    import redis

    server: str = request.getfixturevalue("redis_server")
    redis.Redis.from_url(server).flushall()
    return server


def digest(url: str) -> str:
    """What a corpus that comes now would be compared with."""
    with open_index(url, Search()) as index:
        index.compare_with(normalize([str(made_up.sentences(1, seed=99))]))
        return index.digest


def write(path: Path, texts: list[str]) -> Path:
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return path


def test_hashed_grams_give_the_exact_similarity() -> None:
    texts = made_up.sentences(60, seed=4)
    pairs = np.array([(one, other) for one in range(60) for other in range(60)], np.int64)
    hashes, ends = hashed_grams(Texts.of(texts))
    found = np.empty(len(pairs))
    _compare(hashes, ends, hashes, ends, pairs, found)
    assert found.tolist() == [oracle.jaccard(texts[one], texts[other]) for one, other in pairs]


def test_an_lsh_is_the_one_that_datasketch_makes() -> None:
    banding, keys = Banding(28, 7), [bytes([row]) for row in range(60)]
    ours = to_lsh(keys, signatures(Texts.of(FIRST[:60]), 196), banding)
    theirs = MinHashLSH(num_perm=196, params=(28, 7))
    for key, text in zip(keys, FIRST[:60], strict=True):
        theirs.insert(key, LeanMinHash(oracle.sign(text, banding)))
    for text in FIRST[:60]:
        assert sorted(ours.query(oracle.sign(text, banding))) == sorted(theirs.query(oracle.sign(text, banding)))


def test_a_second_run_finds_what_the_first_had(url: str, tmp_path: Path, emollms: Emollms) -> None:
    first, second = write(tmp_path / "first.jsonl", FIRST), write(tmp_path / "second.jsonl", SECOND)
    assert emollms("dedup", first, "--out", tmp_path / "a", "--index", url)[0] == 0
    code, _, err = emollms("dedup", second, "--out", tmp_path / "b", "--index", url)
    assert code == 0, err
    pairs = [
        pair for pair in pq.read_table(tmp_path / "b" / "duplicates.parquet").to_pylist() if pair["kind"] == "index"
    ]
    found = {(pair["id_a"], pair["id_b"].removeprefix(f"{first}:")): pair["similarity"] for pair in pairs}
    ours, theirs = normalize(SECOND).to_pylist(), normalize(FIRST).to_pylist()
    kept = {text: row for row, text in reversed(list(enumerate(theirs)))}
    expected = {
        (f"train/{a}", f"train/{b}"): score
        for (a, b), score in oracle.exact_join(ours, theirs, 0.7).items()
        if kept[theirs[b]] == b and (score == 1.0 or min(len(ours[a].split()), len(theirs[b].split())) >= 6)
    }
    certain = {pair for pair, score in expected.items() if score >= 0.85}
    assert certain <= found.keys() <= expected.keys()
    assert len(certain) > 20
    assert all(found[pair] == expected[pair] for pair in found)
    rejected = pq.read_table(tmp_path / "b" / "rejected.parquet").to_pylist()
    assert {row["reason"] for row in rejected} == {"near-duplicate of a text of the index"}
    assert {row["text"] for row in rejected} >= set(FIRST[:10])


def test_the_same_corpus_again_finds_the_same_and_adds_nothing(url: str) -> None:
    find_duplicates(FIRST, index=url)
    once = find_duplicates(SECOND, index=url)
    before = digest(url)
    again = find_duplicates(SECOND, index=url)
    assert again.decisions == once.decisions
    assert find_duplicates(FIRST, index=url).counts.kept == {"train": len(FIRST)}
    assert digest(url) == before


@pytest.mark.parametrize("failing", ["_write", "commit"])
def test_a_run_that_fails_leaves_the_index_as_it_was(
    url: str, failing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find_duplicates(FIRST, index=url)
    before, once = digest(url), find_duplicates(SECOND[100:], index=url).decisions

    def fail(*arguments: object) -> None:
        raise OSError(28, "the disk is full")

    state = digest(url)
    with monkeypatch.context() as broken:
        broken.setattr(standalone, failing, fail)
        with pytest.raises(OSError, match="the disk is full"):
            find_duplicates(SECOND[:100], tmp_path / "out", index=url)
    assert digest(url) == state != before
    assert find_duplicates(SECOND[100:], index=url).decisions == once


def test_a_run_that_is_killed_leaves_the_index_as_it_was(url: str) -> None:
    find_duplicates(FIRST, index=url)
    before = digest(url)
    index = open_index(url, Search()).__enter__()  # never left: as after a kill
    index.compare_with(normalize(SECOND))
    index.stage("second", [str(row) for row in range(len(SECOND))], SECOND)
    assert digest(url) == before
    alike = [f"{text} indeed" for text in SECOND]
    assert find_duplicates(alike, index=url).counts.pairs.get("index", 0) > 0  # of FIRST, and none of SECOND
    assert not any("second:" in str(pair) for pair in find_duplicates(alike, index=url).pairs["id_b"].to_pylist())
    with pytest.raises(EmollmsError, match=r"another run changed the index .* meanwhile; run this one again"):
        index.commit()
    if "://" not in url:
        assert len(list(Path(url).glob("part-*"))) == 2  # that of the killed run went with the next commit
    else:
        import redis

        assert redis.Redis.from_url(url).hlen("emollms-index:staged") == 0


def test_other_settings_are_refused(url: str, tmp_path: Path, emollms: Emollms) -> None:
    find_duplicates(FIRST, index=url)
    texts = write(tmp_path / "first.jsonl", FIRST)
    code, out, err = emollms("dedup", texts, "--out", tmp_path / "out", "--index", url, "--threshold", "0.8")
    assert (code, out) == (2, "")
    assert err.endswith("was made with threshold 0.7, not 0.8; give the same settings, or another --index\n")
    assert len(err.splitlines()) == 1
    with pytest.raises(UsageError, match="was made with seed 1, not 2"), open_index(url, Search(seed=2)):
        pass


def test_wrong_urls_get_one_line(tmp_path: Path, emollms: Emollms) -> None:
    texts = write(tmp_path / "first.jsonl", FIRST)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    for url, expected, message in (
        ("postgres://host/db", 2, "--index postgres://… is no index; name a folder, or redis://HOST:PORT/DB"),
        ("redis://", 2, "is no index; name a folder"),
        ("redis://host:port/0", 2, "--index: the URL is no redis://HOST:PORT/DB"),
        ("redis://host:6379/name", 2, "'name' is no number of a database"),
        (f"redis://:secret@127.0.0.1:{port}/0", 1, f"the index redis://127.0.0.1:{port}/0 cannot be used: "),
        (str(tmp_path / "other"), 2, "is no index of texts; name a new folder with --index"),
        (str(texts), 2, "is a file; --index takes a folder or redis://HOST:PORT/DB"),
    ):
        code, out, err = emollms("dedup", texts, "--out", tmp_path / "out", "--index", url)
        assert (code, out, len(err.splitlines())) == (expected, "", 1), err
        assert message in err
        assert "secret" not in err
    assert not (tmp_path / "out").exists()


def test_a_damaged_index_is_one_line(url: str) -> None:
    find_duplicates(FIRST, index=url)
    if "://" not in url:
        (part,) = Path(url).glob("part-*")
        part.write_bytes(part.read_bytes()[:-20])
    else:
        import redis

        client = redis.Redis.from_url(url)
        (name,) = client.keys("emollms-index:part:*")
        client.delete(name)
    with pytest.raises(EmollmsError, match="is damaged: the entries of data are not what was written"):
        find_duplicates(SECOND, index=url)
    if "://" not in url:
        (Path(url) / "index.json").write_text("{}")
        with pytest.raises(EmollmsError, match="is damaged: its list of corpora cannot be read"):
            find_duplicates(SECOND, index=url)


@pytest.mark.slow
@pytest.mark.parametrize("url", ["folder", "redis"], indirect=True)
def test_a_build_uses_the_same_index(tmp_path: Path, url: str, emollms: Emollms) -> None:
    command = ("build", "aaid", "--corpora", "sample", "--tasks", "V-reg")
    assert emollms(*command, "--out", tmp_path / "plain")[0] == 0
    screening = json.loads((tmp_path / "plain" / "manifest.json").read_text())["screening"]
    assert "index" not in screening
    rows = pq.read_table(next((tmp_path / "plain" / "data").glob("*/train-*.parquet"))).to_pylist()
    seen = rows[0]["text"]
    find_duplicates([seen], index=url)
    before = digest(url)
    for out in ("one", "two"):
        code, _, err = emollms(*command, "--out", tmp_path / out, "--index", url)
        assert code == 0, err
    manifest = json.loads((tmp_path / "one" / "manifest.json").read_text())
    assert manifest["screening"]["index"] == before
    assert (tmp_path / "one" / "manifest.json").read_bytes() == (tmp_path / "two" / "manifest.json").read_bytes()
    rejected = pq.read_table(tmp_path / "one" / "rejected.parquet").to_pylist()
    assert seen in {row["text"] for row in rejected if row["reason"] == "near-duplicate of a text of the index"}
    assert digest(url) != before
    assert emollms("validate", tmp_path / "one")[0] == 0
    code, _, err = emollms("build", "aeb", "--profile", "paper", "--out", tmp_path / "p", "--index", url)
    assert (code, err) == (2, "error: the profile paper is not screened for duplicates, so it takes no --index\n")
