import hashlib
import struct
from pathlib import Path

import numpy as np
import oracle
import pyarrow as pa
import pytest
import raw_corpora
from datasketch.hashfunc import sha1_hash32
from hypothesis import given
from hypothesis import strategies as st

from emollms.dedup import shingles
from emollms.dedup.lsh import Banding
from emollms.dedup.minhash import permutations, sha1_head, signatures
from emollms.dedup.normalize import normalize
from emollms.dedup.shingles import Texts
from emollms.errors import UsageError

BANDING = Banding(28, 7)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@given(st.binary(max_size=55))
def test_sha1_of_any_short_message(message: bytes) -> None:
    data = np.frombuffer(b"x" + message, np.uint8)
    assert sha1_head(data, 1, len(data), np.empty(80, np.uint32)) == sha1_hash32(message)


def test_sha1_of_the_standard_example() -> None:
    data = np.frombuffer(b"abc", np.uint8)
    assert struct.pack("<I", sha1_head(data, 0, 3, np.empty(80, np.uint32))) == hashlib.sha1(b"abc").digest()[:4]


@pytest.mark.parametrize("seed", [1, 7])
def test_permutations_are_those_of_datasketch(seed: int) -> None:
    assert np.array_equal(np.stack(permutations(196, seed)), oracle.sign("", BANDING, seed).permutations)


@given(st.lists(TEXT, max_size=6), st.integers(1, 5))
def test_signatures_are_those_of_datasketch(texts: list[str], seed: int) -> None:
    expected = [oracle.sign(text, BANDING, seed).hashvalues for text in texts]
    assert signatures(Texts.of(texts), 196, seed).tolist() == [row.tolist() for row in expected]


def test_signatures_on_the_real_corpora(corpora_dir: Path) -> None:
    texts = raw_corpora.brighter(corpora_dir)[::40] + raw_corpora.goemotions(corpora_dir, "test")[::4]
    for column in (texts, normalize(texts).to_pylist()):
        ours = signatures(Texts.of(column), 196, threads=2)
        for text, row in zip(column, ours, strict=True):
            assert np.array_equal(oracle.sign(text, BANDING).hashvalues, row), text


def test_more_grams_than_the_memo_holds() -> None:
    texts = [
        "".join(chr(0x4E00 + (start + step) % 20_000) for step in range(2_000)) for start in range(0, 300_000, 2_000)
    ]
    texts += ["".join(reversed(text)) for text in texts]
    ours = signatures(Texts.of(texts), 14)
    assert np.array_equal(ours[-1], oracle.sign(texts[-1], Banding(2, 7)).hashvalues)
    assert np.array_equal(ours[3], oracle.sign(texts[3], Banding(2, 7)).hashvalues)


def test_threads_change_nothing() -> None:
    texts = Texts.of([f"text number {number} of many" for number in range(5_000)])
    assert np.array_equal(signatures(texts, 20, threads=1), signatures(texts, 20, threads=2))


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()])
def test_any_arrow_string_column_is_a_column_of_texts(kind: pa.DataType) -> None:
    column = pa.chunked_array([pa.array(["", "ab", None], kind), pa.array(["cdé"], kind).slice(0)])
    texts = Texts.of(column)
    read = [texts.data[a:b].tobytes().decode() for a, b in zip(texts.offsets, texts.offsets[1:], strict=False)]
    assert (len(texts), texts.longest, read) == (4, 4, ["", "ab", "", "cdé"])


def test_a_column_of_numbers_is_refused() -> None:
    with pytest.raises(UsageError, match="a column of strings is needed to compare texts, got one of type int64"):
        Texts.of(pa.array([1, 2]))


def test_a_text_beyond_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shingles, "MAX_BYTES", 10)
    with pytest.raises(UsageError, match="row 1 has 11 bytes of text; at most 10 can be compared"):
        Texts.of(["short", "elevenbytes"])


@given(TEXT)
def test_packed_grams_are_the_grams(text: str) -> None:
    texts = Texts.of([text])
    room = shingles.Scratch(texts.longest)
    count = shingles.pack_grams(texts.data, 0, int(texts.offsets[1]), room.first, room.rest, room.begins)
    words = set(zip(room.first[:count].tolist(), room.rest[:count].tolist(), strict=True))
    assert len(words) == len(oracle.grams(text))
    assert count == (max(len(text) - 3, 1) if text else 0)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("one", 1),
        ("one two", 2),
        ("今日は雨です", 3),
        ("ok 今日は雨", 3),
        ("สวัสดี", 3),
        ("आज मैं खुश", 3),
        ("오늘 비", 2),
    ],
)
def test_tokens(text: str, tokens: int) -> None:
    texts = Texts.of([text])
    out = np.empty(1, np.int32)
    shingles.count_tokens(texts.data, texts.offsets, out)
    assert out[0] == tokens
