"""`emollms serve`, with a real server on a free port."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from typer.testing import CliRunner

from emollms.annotation.annotator import Annotator
from emollms.annotation.batcher import ServerOptions
from emollms.annotation.questions import own_labels, questions
from emollms.cli import app as command_line
from emollms.errors import EmollmsError, UsageError
from emollms.evaluation.model_predictor import ModelPredictor

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
parser = pytest.importorskip("prometheus_client.parser")

from annotation.serving import Opinions, Served, opinionated, serving, vader  # noqa: E402

from emollms.annotation.server_run import listen, run_server  # noqa: E402

TESTS = Path(__file__).parents[1]
TEXTS = ["I can't stop smiling", "what a waste of a good umbrella", "meh", "Who let the dogs out?", "best day ever!!"]


@pytest.fixture(scope="module")
def fast() -> Iterator[Served]:
    with serving(vader()) as served:
        yield served


@pytest.fixture
def opinions() -> Iterator[Opinions]:
    made = Opinions()
    yield made
    made.gate.set()


def metrics(served: Served) -> dict[str, float]:
    """The samples of `/metrics` by name and labels, as Prometheus reads them."""
    with served.client() as client:
        text = client.get("/metrics").text
    samples = [sample for family in parser.text_string_to_metric_families(text) for sample in family.samples]
    return {"".join([one.name, *(f" {value}" for value in one.labels.values())]): one.value for one in samples}


def until_waiting(served: Served, texts: int) -> None:
    while served.app.state.batcher.waiting != texts:
        pass


def raw(served: Served, sent: bytes) -> socket.socket:
    opened = socket.create_connection(("127.0.0.1", served.port))
    opened.sendall(sent)
    return opened


def post(body: bytes, length: int | None = None) -> bytes:
    head = (
        f"POST /annotate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length or len(body)}"
    )
    return f"{head}\r\n\r\n".encode() + body


def as_json(annotator: Annotator, texts: Sequence[str | None]) -> Any:
    rows = annotator(list(texts))
    return [{name: (one.value, one.label, one.note) for name, one in row.items()} for row in rows]


def told(answer: httpx2.Response) -> Any:
    assert answer.status_code == 200, answer.text
    rows = answer.json()["answers"]
    return [{name: (one["value"], one["label"], one["note"]) for name, one in row.items()} for row in rows]


# What comes back


def test_the_answers_are_those_of_the_annotator_in_order(fast: Served) -> None:
    texts = [*TEXTS, None, "", "  ", "😡 مرحبا", *TEXTS]
    assert told(fast.annotate(*texts)) == as_json(vader(), texts)
    assert told(fast.annotate()) == []


def test_half_an_emoji_is_no_error(fast: Served) -> None:
    with fast.client() as client:
        body = b'{"texts": ["great \\ud83d", {"text": "\\udc00", "target": "\\ud83d"}]}'
        answer = client.post("/annotate", content=body, headers={"Content-Type": "application/json"})
    assert told(answer)[0]["valence"][0] > 0.5


def test_a_target_reaches_the_question(opinions: Opinions) -> None:
    with serving(opinionated(opinions, "TDT")) as served, served.client() as client:
        for target in ("food", "staff"):  # another target is another question, so that it is asked again
            sent = {"texts": [{"text": "the food was cold", "target": target}]}
            assert client.post("/annotate", json=sent).status_code == 200
        assert client.get("/questions").json()["questions"][0]["takes_target"]
    assert opinions.batches == [["the food was cold"]] * 2


def test_intervals_and_labels_come_as_the_annotator_tells_them(opinions: Opinions) -> None:
    with serving(opinionated(opinions, more=[own_labels(["calm", "tense", "bored", "keen"])])) as served:
        (row,) = served.annotate("yes").json()["answers"]
        with served.client() as client:
            asked = {one["name"]: one for one in client.get("/questions").json()["questions"]}
    assert row["joy"] == {
        "value": 0.91, "label": None, "confidence": 0.83, "low": 0.8, "high": 1.0, "probabilities": {"0.9": 1.0},
        "abstained": False, "note": None,
    }  # fmt: skip
    assert row["sentiment"]["value"] == 3
    assert isinstance(row["sentiment"]["value"], int)
    assert row["label"]["value"] == "keen"
    assert row["emotions"]["value"] == ["joy", "optimism"]
    assert row["emotions"]["high"] == ["joy", "optimism", "love", "anticipation"]
    assert set(row) == set(asked)
    assert asked["joy"]["poles"] == ["least joy", "most joy"]
    assert asked["sentiment"]["options"][0] == {"name": "0", "label": "very negative"}
    assert set(row["emotions"]["probabilities"]) == {one["name"] for one in asked["emotions"]["options"]}


@pytest.mark.parametrize("sent", [{"texts": 3}, {"texts": [3]}, {}, [], {"texts": [], "text": "secret"}, None])
def test_a_request_of_another_form_is_a_line_without_what_was_sent(fast: Served, sent: object) -> None:
    with fast.client() as client:
        answer = client.post("/annotate", json=sent)
    assert answer.status_code == 422
    assert "secret" not in answer.json()["detail"]


@pytest.mark.parametrize("body", [b"{", b'{"texts": "\xff"}', b"[" * 200_000, b""])
def test_what_is_no_json_is_refused(fast: Served, body: bytes) -> None:
    with fast.client() as client:
        answer = client.post("/annotate", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    assert isinstance(answer.json()["detail"], str)


@pytest.mark.parametrize("kind", ["positive", "negative"])
def test_the_server_keeps_to_its_schema(kind: str, fast: Served) -> None:
    schemathesis = pytest.importorskip("schemathesis")
    schema = schemathesis.openapi.from_url(f"{fast.url}/openapi.json")
    mode = schemathesis.GenerationMode(kind)
    operations = [found.ok() for found in schema.get_all_operations()]
    assert {one.label for one in operations} == {
        "POST /annotate", "GET /questions", "GET /health", "GET /metrics", "GET /",
    }  # fmt: skip
    for operation in operations:
        if kind == "negative" and operation.method != "post":
            continue  # nothing in the others can be wrong

        @settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy(generation_mode=mode))
        def keeps_to_it(case: Any) -> None:
            case.call_and_validate()

        keeps_to_it()


# Together


def test_requests_that_come_together_are_annotated_together(opinions: Opinions) -> None:
    opinions.gate.clear()
    with serving(opinionated(opinions, "joy"), max_batch=8) as served, ThreadPoolExecutor(12) as pool:
        first = pool.submit(served.annotate, "first")
        opinions.asked.wait()
        others = [pool.submit(served.annotate, f"text {number}") for number in range(11)]
        until_waiting(served, 11)
        opinions.gate.set()
        assert all(one.result().status_code == 200 for one in [first, *others])
        counted = metrics(served)
    assert [len(batch) for batch in opinions.batches] == [1, 8, 3]
    assert counted["emollms_batch_texts_sum"] == counted["emollms_texts_total"] == 12
    assert counted["emollms_batch_texts_count"] == 3


def test_a_request_alone_waits_no_longer_than_it_should(opinions: Opinions) -> None:
    with serving(opinionated(opinions, "joy"), max_batch=100, max_wait=0.0) as served:
        assert served.annotate("alone").status_code == 200


def test_a_long_request_lets_short_ones_pass(opinions: Opinions) -> None:
    opinions.gate.clear()
    with serving(opinionated(opinions, "joy"), max_batch=4) as served, ThreadPoolExecutor(2) as pool:
        long = pool.submit(served.annotate, *(f"long {number}" for number in range(12)))
        opinions.asked.wait()
        short = pool.submit(served.annotate, "short")
        until_waiting(served, 9)
        opinions.gate.set()
        assert len(told(long.result())) == 12
        assert len(told(short.result())) == 1
    assert ["short" in batch for batch in opinions.batches] == [False, False, True, False]


def test_answers_do_not_depend_on_what_is_in_the_batch(tiny: Path) -> None:
    from emollms.training.tiny import TEXTS as MORE

    texts = [*TEXTS, *MORE]

    def opened() -> Annotator:
        return Annotator([ModelPredictor(str(tiny), dtype="float32")], questions(["joy", "sentiment", "emotions"]))

    with opened() as alone:
        expected = [alone(text) for text in texts]
    with serving(opened(), max_wait=0.2) as served, ThreadPoolExecutor(len(texts)) as pool:
        found = [one.json()["answers"][0] for one in pool.map(served.annotate, texts)]
        assert metrics(served)["emollms_batch_texts_count"] < len(texts)
    for row, right in zip(found, expected, strict=True):
        assert row["joy"]["value"] == pytest.approx(right["joy"].value, abs=0.001)
        for name in ("sentiment", "emotions"):
            assert row[name]["probabilities"] == pytest.approx(dict(right[name].probabilities or {}), abs=0.001)


def test_two_hundred_at_once_are_answered(fast: Served) -> None:
    texts = [f"{TEXTS[number % len(TEXTS)]} {number}" for number in range(200)]
    expected = as_json(vader(), texts)
    with ThreadPoolExecutor(200) as pool:
        assert [told(one)[0] for one in pool.map(fast.annotate, texts)] == expected


def test_nothing_is_kept_without_a_store(fast: Served) -> None:
    fast.annotate("one", "two")
    assert fast.app.state.batcher.annotator.store.path is None
    assert fast.annotate("one").status_code == 200  # the batch before it is done, and its answers are gone
    store = fast.app.state.batcher.annotator.store
    assert store._base.execute("SELECT COUNT(*) FROM answers").fetchone() == (0,)


# Limits


def test_a_body_that_is_too_large_is_refused() -> None:
    with serving(vader(), max_body=2000, queue=50) as served, served.client() as client:
        assert client.post("/annotate", json={"texts": ["x" * 1900]}).status_code == 200
        for content in (b"x" * 2001, iter([b"x" * 1500] * 3), b"x" * 1_000_000):
            answer = client.post("/annotate", content=content, headers={"Content-Type": "application/json"})
            assert answer.status_code == 413
            assert answer.json() == {"detail": "the body is too large; send at most 2,000 bytes"}
            assert answer.headers["x-request-id"]
        answer = client.post("/annotate", json={"texts": ["x"] * 51})
        assert (answer.status_code, answer.json()["detail"]) == (
            413,
            "51 texts are too many; send at most 50 at a time",
        )
        assert client.post("/annotate", json={"texts": ["x"] * 50}).status_code == 200


def test_a_full_queue_says_when_to_come_again(opinions: Opinions) -> None:
    opinions.gate.clear()
    with serving(opinionated(opinions, "joy"), queue=2) as served, ThreadPoolExecutor(2) as pool:
        first = pool.submit(served.annotate, "first")
        opinions.asked.wait()
        second = pool.submit(served.annotate, "a", "b")
        until_waiting(served, 2)
        answer = served.annotate("too many")
        assert answer.status_code == 429
        assert 1 <= int(answer.headers["Retry-After"]) <= 60
        assert metrics(served)["emollms_queue_texts"] == 2
        opinions.gate.set()
        assert [first.result().status_code, second.result().status_code] == [200, 200]
        assert served.annotate("now").status_code == 200


def test_a_request_without_an_answer_in_time_is_a_504_and_leaves_the_queue(opinions: Opinions) -> None:
    opinions.gate.clear()
    with serving(opinionated(opinions, "joy"), timeout=0.2) as served, ThreadPoolExecutor(2) as pool:
        first = pool.submit(served.annotate, "first")
        opinions.asked.wait()
        assert served.annotate("second").status_code == 504
        assert first.result().json() == {"detail": "there was no answer in 0.2 s; send fewer texts, or later"}
        until_waiting(served, 0)
        opinions.gate.set()
        served.annotate("third")
    assert all("second" not in batch for batch in opinions.batches)


def test_half_a_body_is_a_408(opinions: Opinions) -> None:
    with serving(opinionated(opinions, "joy"), timeout=0.2) as served:
        with raw(served, post(b'{"texts":', length=400)) as half:
            assert half.makefile("rb").readline() == b"HTTP/1.1 408 Request Timeout\r\n"
        assert served.annotate("whole").status_code == 200


def test_clients_that_hang_up_leave_it_serving(opinions: Opinions) -> None:
    opinions.gate.clear()
    with serving(opinionated(opinions, "joy")) as served, ThreadPoolExecutor(1) as pool:
        first = pool.submit(served.annotate, "first")
        opinions.asked.wait()
        gone = [raw(served, post(json.dumps({"texts": [f"gone {number}"]}).encode())) for number in range(5)]
        gone += [raw(served, post(b'{"texts":', length=400)) for _ in range(5)]
        gone += [raw(served, b"POST /annotate HTT"), raw(served, b"\x16\x03\x01 not HTTP\r\n\r\n")]
        until_waiting(served, 5)
        for one in gone:
            one.close()
        until_waiting(served, 0)
        opinions.gate.set()
        assert first.result().status_code == 200
        assert served.annotate("last").status_code == 200
        counted = metrics(served)
    assert opinions.batches == [["first"], ["last"]]
    assert counted["emollms_requests_total /annotate 499"] == 10


# When something fails


def test_a_model_that_fails_is_a_502_and_an_error_of_ours_fails_its_request_alone(
    opinions: Opinions, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(opinionated(opinions, "joy"), max_wait=0.5, max_batch=2) as served, ThreadPoolExecutor(2) as pool:
        opinions.failing = EmollmsError("the endpoint is gone")
        answer = served.annotate("fail")
        assert (answer.status_code, answer.json()) == (502, {"detail": "the endpoint is gone"})
        opinions.failing = RuntimeError("cannot tokenize 'a secret, fail'")
        answers = list(pool.map(served.annotate, ["a secret, fail", "fine"]))
        assert [one.status_code for one in answers] == [500, 200]
        assert served.annotate("fine again").status_code == 200
    assert "RuntimeError" in caplog.text
    assert "secret" not in caplog.text + answers[0].text


def test_it_is_loading_before_it_is_ready(opinions: Opinions) -> None:
    may_load = threading.Event()
    opinions.start = lambda begun=None: may_load.wait() and None  # type: ignore[method-assign,assignment]
    with serving(opinionated(opinions, "joy"), ready=False) as served:
        served.until("loading")
        answer = served.annotate("too early")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        with served.client() as client:
            assert client.get("/health").status_code == 503
        assert metrics(served)["emollms_ready"] == 0
        may_load.set()
        served.until("ready")
        assert served.annotate("now").status_code == 200
        assert metrics(served)["emollms_ready"] == 1


@pytest.mark.parametrize(
    ("failure", "line"),
    [
        (EmollmsError("out/x holds no model"), "out/x holds no model"),
        (ValueError("bad\nmore"), "cannot be loaded: bad$"),
    ],
)
def test_a_model_that_cannot_be_loaded_ends_the_server(failure: Exception, line: str, opinions: Opinions) -> None:
    def start(begun: object = None) -> None:
        raise failure

    opinions.start = start  # type: ignore[method-assign,assignment]
    notes: list[str] = []
    with pytest.raises(EmollmsError, match=line):
        run_server(opinionated(opinions, "joy"), ServerOptions(), listen("127.0.0.1", 0), notes.append)
    assert [note.partition("127")[0] for note in notes] == ["serving joy on http://"]  # loopback needs no warning


# Ids, the log, and measures


def test_every_answer_has_the_id_of_its_request_and_the_log_no_text(
    fast: Served, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="emollms.server")
    with fast.client() as client:
        for path in ("/", "/health", "/nothing", "/annotate"):
            answer = client.get(path, headers={"X-Request-ID": "mine-1:2.3"})
            assert answer.headers["X-Request-ID"] == "mine-1:2.3", path
        given = [
            client.get("/health", headers={"X-Request-ID": bad}) for bad in ("a b", "x" * 129, "a\tb", "é".encode())
        ]
        made = client.post("/annotate", json={"texts": ["my secret"]}).headers["X-Request-ID"]
        client.get("/my secret path")
    new = {answer.headers["X-Request-ID"] for answer in given}
    assert len(new) == 4
    assert all(len(one) == 32 for one in new)
    assert "secret" not in caplog.text
    lines = [record.getMessage() for record in caplog.records if record.getMessage().endswith(made)]
    assert len(lines) == 1
    assert lines[0].startswith("POST /annotate 200 1 texts ")


def test_metrics_count_what_was_done() -> None:
    with serving(vader()) as served:
        served.annotate("good", "bad", "good")
        with served.client() as client:
            for path in ("/nothing", "/annotate", "/else"):
                client.get(path)
        counted = metrics(served)
    assert counted["emollms_requests_total /annotate 200"] == 1
    assert counted["emollms_requests_total /annotate 405"] == 1
    assert counted["emollms_requests_total other 404"] == 2
    assert counted["emollms_texts_total"] == 3
    assert counted["emollms_answers_needed_total"] == counted["emollms_answers_asked_total"] == 4  # `good` once
    assert counted["emollms_queue_texts"] == 0
    assert counted["emollms_request_seconds_count /annotate"] == 2


# The command


def test_sigterm_finishes_what_is_queued_and_refuses_the_rest() -> None:
    script = [sys.executable, str(TESTS / "annotation" / "slow_server.py")]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    environment = os.environ | {"PYTHONPATH": str(TESTS)}
    with subprocess.Popen(script, env=environment, **pipes) as running, ThreadPoolExecutor(2) as pool:
        served = Served(f"http://127.0.0.1:{int(running.stdout.readline())}", None, None)  # type: ignore[arg-type]
        served.until("ready")
        first = pool.submit(served.annotate, "first")
        assert running.stdout.readline() == "asked\n"
        second = pool.submit(served.annotate, "second")
        while metrics(served)["emollms_queue_texts"] != 1:
            pass
        half = raw(served, post(b'{"texts":', length=400))
        running.send_signal(signal.SIGTERM)
        served.until("stopping")
        refused = served.annotate("third")
        assert (refused.status_code, refused.json()) == (503, {"detail": "the server stops"})
        running.stdin.write("\n")
        running.stdin.flush()
        assert [len(told(one.result())) for one in (first, second)] == [1, 1]
        assert running.wait() == 0
        half.close()


@pytest.mark.parametrize(("sign", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_the_command_serves_until_a_signal(sign: signal.Signals, code: int, tmp_path: Path) -> None:
    pytest.importorskip("vaderSentiment")
    call = [sys.executable, "-m", "emollms", "serve", "--baseline", "vader", "--port", "0", "--host", "0.0.0.0"]
    environment = os.environ | {"EMOLLMS_CACHE": str(tmp_path)}
    with subprocess.Popen(call, stderr=subprocess.PIPE, text=True, env=environment) as running:
        warning, address = running.stderr.readline(), running.stderr.readline()
        assert warning.startswith("warning: other machines can reach 0.0.0.0:")
        assert address.startswith("serving valence, sentiment on http://0.0.0.0:")
        port = address.partition("0.0.0.0:")[2].split()[0]
        served = Served(f"http://127.0.0.1:{port}", None, None)  # type: ignore[arg-type]
        served.until("ready")
        assert told(served.annotate("a secret")) == as_json(vader(), ["a secret"])
        running.send_signal(sign)
        log = running.stderr.read()
    assert running.returncode == code
    assert "POST /annotate 200 1 texts" in log
    assert "secret" not in log
    assert "Traceback" not in log
    assert (tmp_path / "answers.sqlite").is_file()


def test_a_second_signal_ends_it_at_once() -> None:
    script = [sys.executable, str(TESTS / "annotation" / "slow_server.py")]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    environment = os.environ | {"PYTHONPATH": str(TESTS)}
    with subprocess.Popen(script, env=environment, **pipes, text=True) as running:
        served = Served(f"http://127.0.0.1:{int(running.stdout.readline())}", None, None)  # type: ignore[arg-type]
        served.until("ready")
        with raw(served, post(b'{"texts": ["first"]}')):
            assert running.stdout.readline() == "asked\n"
            running.send_signal(signal.SIGTERM)
            served.until("stopping")
            running.send_signal(signal.SIGTERM)
            assert running.wait() == 0


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ("--max-batch 0", "--max-batch 0 lets no request through"),
        ("--queue 0", "--queue 0 lets no request through"),
        ("--max-body -1", "--max-body -1 lets no request through"),
        ("--timeout 0", "--timeout 0 lets no request through"),
        ("--timeout nan", "--timeout nan lets no request through"),
        ("--max-wait-ms -1", "--max-wait-ms -1 is no time to wait"),
        ("--host nowhere.invalid", "cannot listen on nowhere.invalid:8000"),
        ("--host 192.0.2.1", "cannot listen on 192.0.2.1:8000"),
        ("--task nope", "unknown question 'nope'"),
    ],
)
def test_a_wrong_call_is_a_line(options: str, line: str) -> None:
    done = CliRunner().invoke(command_line, ["serve", "--baseline", "vader", *options.split()])
    assert isinstance(done.exception, UsageError)
    assert line in str(done.exception)


def test_a_port_that_is_taken_is_a_line(fast: Served) -> None:
    with pytest.raises(UsageError, match=f"cannot listen on 127.0.0.1:{fast.port}: Address already in use; choose"):
        listen("127.0.0.1", fast.port)


def test_a_missing_extra_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    done = CliRunner().invoke(command_line, ["serve", "--baseline", "vader"])
    assert str(done.exception) == (
        "emollms serve needs prometheus_client; install it with: pip install 'emollms[serve]'"
    )
