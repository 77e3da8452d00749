"""Which words of a file are looked at for secrets and personal data, and that numbers are none."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import save_file

from emollms.errors import EmollmsError
from emollms.hub.release import local_file, made_file
from emollms.hub.sensitive import check_sensitive

KEY = "hf" + "_AbCdEfGhIjKlMnOpQrStUvWxYz01234567"
NUMBER = 2025550142
"""A size or a count; as a text it would be a telephone number."""


def notes(path: str, content: str) -> tuple[str, ...]:
    return check_sensitive({path: made_file(path, content.encode())})


def refuse(path: str, content: str) -> None:
    with pytest.raises(
        EmollmsError, match=rf"there are secrets, such as tokens or keys, in {path} \([0-9]+\); take them"
    ):
        notes(path, content)


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("scores.json", json.dumps({"n": NUMBER, "list": [NUMBER, {"bytes": NUMBER}], "of": -1.5e9})),
        ("scores.json", json.dumps({"n": NUMBER}, indent=2)),
        (
            "README.md",
            f"---\ndownload_size: {NUMBER}\nsplits:\n- num_bytes: {NUMBER}\n---\n\n| a | {NUMBER} | {NUMBER} |\n",
        ),
        ("settings.yaml", f"tokens: {NUMBER}\nmore:\n  - bytes: {NUMBER}\n"),
    ],
)
def test_numbers_are_no_telephone_numbers(path: str, content: str) -> None:
    assert notes(path, content) == ()


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("scores.json", json.dumps({"call": f"me {NUMBER}, please"})),
        ("scores.json", json.dumps({f"{NUMBER}": 1})),
        ("README.md", f"Call {NUMBER}.\n"),
        ("README.md", f"| call {NUMBER} |\n"),
        ("notes.txt", f"{NUMBER}"),
    ],
)
def test_numbers_in_words_are(path: str, content: str) -> None:
    assert notes(path, content) == (f"1 texts hold what looks like a phone: {path}",)


def test_numeric_columns_hold_no_telephone_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    columns = {"score": [float(NUMBER)], "label": [NUMBER], "overlaps": [[NUMBER]], "text": [f"call {NUMBER}"]}
    pq.write_table(pa.table(columns), path)
    assert check_sensitive({"a.parquet": local_file(path, "a.parquet")}) == (
        "1 texts hold what looks like a phone: a.parquet, column text",
    )


@pytest.mark.parametrize(
    "column",
    [
        pa.array([KEY], pa.large_string()),
        pa.array([[KEY]]),
        pa.array([[KEY]], pa.large_list(pa.string())),
        pa.array([KEY]).dictionary_encode(),
        pa.array([KEY.encode()]),
        pa.array([{"a": [{"b": KEY}]}]),
        pa.array([[("a", KEY)]], pa.map_(pa.string(), pa.string())),
    ],
    ids=["large", "list", "large list", "dictionary", "binary", "struct", "map"],
)
def test_every_kind_of_column_of_texts_is_looked_at(column: pa.Array, tmp_path: Path) -> None:
    pq.write_table(pa.table({"note": column}), tmp_path / "a.parquet")
    with pytest.raises(EmollmsError, match=r"in a.parquet, column note \(1\)"):
        check_sensitive({"a.parquet": local_file(tmp_path / "a.parquet", "a.parquet")})


def test_what_tables_and_weights_say_of_themselves_is_looked_at(tmp_path: Path) -> None:
    pq.write_table(pa.table({"n": [1]}).replace_schema_metadata({"token": KEY}), tmp_path / "a.parquet")
    with pytest.raises(EmollmsError, match=r"in a.parquet, metadata \(1\)"):
        check_sensitive({"a.parquet": local_file(tmp_path / "a.parquet", "a.parquet")})
    save_file({"w": np.zeros(2)}, tmp_path / "a.safetensors", {"token": KEY})
    with pytest.raises(EmollmsError, match=r"in a.safetensors \(1\)"):
        check_sensitive({"a.safetensors": local_file(tmp_path / "a.safetensors", "a.safetensors")})
    save_file({"w": np.zeros(2)}, tmp_path / "b.safetensors")
    assert check_sensitive({"b.safetensors": local_file(tmp_path / "b.safetensors", "b.safetensors")}) == ()


@pytest.mark.parametrize(
    "found",
    [
        {"recipe": {"values": {"hub_token": "abc"}}},
        {"recipe": {"overrides": ["learning_rate=1", "hub_token=abc"]}},
        {"command": ["emollms", "train", "--hub-token", "abcd1234efgh"]},
        {"command": ["emollms", "train", "--set", "wandb_api_key=abc"]},
        {"a": [{"password": "blue"}]},
        {"note": f"my key is {KEY}"},
        {KEY: 1},
        {"key": "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIB\n-----END RSA " + "PRIVATE KEY-----"},
    ],
)
def test_secrets_in_json(found: object) -> None:
    refuse("run.json", json.dumps(found))
    refuse("run.json", json.dumps(found, indent=2))


@pytest.mark.parametrize(
    "found",
    [
        {
            "pad_token": "<pad>",
            "eos_token": "</s>",
            "additional_special_tokens": ["<a>"],
            "tokenizer_class": "T5Tokenizer",
        },
        {"hub_token": None, "push_to_hub": False, "hub_token_env": 1},
        {"hub_token": "", "password": "${PASSWORD}", "api_key": "<YOUR API KEY>"},
        {"content_hash": "ab12" * 16, "revision": "1f0c" * 10, "sha256": "cd34" * 16},
    ],
)
def test_what_is_no_secret_in_json(found: object) -> None:
    assert notes("run.json", json.dumps(found)) == ()


def test_broken_json_is_looked_at_as_text() -> None:
    refuse("run.json", '{"token": "' + KEY)


@pytest.mark.parametrize("line", [f"token: {KEY}", "password: hunter2pass", "api_key=abcd1234efgh"])
@pytest.mark.parametrize("path", ["README.md", "settings.yaml", "notes.txt", "app.py"])
def test_secrets_in_words(path: str, line: str) -> None:
    refuse(path, f"# A\n\n{line}\n")
