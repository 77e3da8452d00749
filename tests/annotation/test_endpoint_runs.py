"""Runs that are interrupted by a server or a disk resume; what was paid for is kept; no limit is passed."""

import json
import resource
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from forks import Forks

import emollms
from emollms.annotation.inputs import open_input
from emollms.annotation.plan import plan_annotation
from emollms.annotation.run import annotate_file
from emollms.errors import EmollmsError, UsageError
from emollms.inference import http_client
from emollms.inference.spending import Spending
from emollms.retry import RetryPolicy
from emollms.tables.files import Dialect

TEXTS = [f"text {n} {'😀' * (n % 5)}" for n in range(40)]
PRICE = (2.0, 8.0)


class Server:
    """Chats, says what each request took, and stops to answer when `left` requests have come."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.read = self.written = 0
        self.left: int | None = None
        self.lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if not self.path.endswith("/chat/completions"):
                    return self.answer(404, {})
                with outer.lock:
                    if outer.left is not None and outer.left <= 0:
                        return self.answer(503, {})
                    outer.left = None if outer.left is None else outer.left - 1
                    prompt = body["messages"][0]["content"]
                    outer.asked[prompt] += 1
                    usage = {"prompt_tokens": len(prompt.encode()) + 20, "completion_tokens": body["max_tokens"]}
                    outer.read += usage["prompt_tokens"]
                    outer.written += usage["completion_tokens"]
                said = {"message": {"role": "assistant", "content": f"0.{len(prompt) % 1000:03}"}}
                self.answer(200, {"choices": [said], "usage": usage})

            def answer(self, status: int, body: dict[str, Any]) -> None:
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"

    @property
    def cost(self) -> float:
        return (self.read * PRICE[0] + self.written * PRICE[1]) / 1e6


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    policy = RetryPolicy(retries=1, first_wait=0.0, longest_wait=0.0)
    monkeypatch.setattr(http_client, "RetryPolicy", lambda **_: policy)
    made = Server()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


def annotate(server: Server, folder: Path, warned: list[str] | None = None, **options: Any) -> emollms.Annotator:
    """Annotate `TEXTS` into `folder`, with the store there; gives the annotator, closed."""
    folder.mkdir(exist_ok=True)
    path = folder / "in.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS), encoding="utf-8")
    source = open_input(str(path), "text", None, Dialect(), folder)
    warn = [].append if warned is None else warned.append
    with emollms.Annotator.from_pretrained(
        "tiny", endpoint=server.url, template="chat", task="valence", store=folder / "store.sqlite", warn=warn,
        **options,
    ) as annotator:  # fmt: skip
        annotate_file(annotator, source.table, folder / "out.parquet", digest=source.digest, window=16)
    return annotator


def test_a_server_that_dies_and_comes_back(server: Server, tmp_path: Path) -> None:
    annotate(server, tmp_path / "whole")
    server.asked.clear()
    for left in (5, 9, 0, 11):
        server.left = left
        with pytest.raises(EmollmsError, match="503"):
            annotate(server, tmp_path / "killed")
        assert not (tmp_path / "killed" / "out.parquet").exists()
    server.left = None
    annotate(server, tmp_path / "killed")
    whole, killed = (tmp_path / name / "out.parquet" for name in ("whole", "killed"))
    assert killed.read_bytes() == whole.read_bytes()
    texts = [prompt for prompt in server.asked if any(text in prompt for text in TEXTS)]
    assert len(texts) == len(TEXTS)
    assert {server.asked[prompt] for prompt in texts} == {1}  # what was answered was not asked, nor paid, again


def test_the_cost_stops_before_the_limit_and_what_was_paid_for_is_kept(server: Server, tmp_path: Path) -> None:
    annotate(server, tmp_path / "whole", price=PRICE)
    limit = server.cost / 3
    server.asked.clear()
    server.read = server.written = 0
    with pytest.raises(EmollmsError, match="could pass --max-cost") as error:
        annotate(server, tmp_path / "out", price=PRICE, max_cost=limit)
    assert "\n" not in str(error.value)
    assert limit / 2 < server.cost <= limit
    paid = sum(server.asked.values())
    annotate(server, tmp_path / "out", price=PRICE, max_cost=limit * 9)
    assert {count for prompt, count in server.asked.items() if "text" in prompt and count > 1} == set()
    assert sum(server.asked.values()) - paid <= len(TEXTS) - paid + 2  # besides, whether the server chats is asked
    assert pq.read_table(tmp_path / "out" / "out.parquet").num_rows == len(TEXTS)


def test_a_plan_tells_what_an_endpoint_will_cost(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps({"text": f"text {n}"}) + "\n" for n in range(400)), encoding="utf-8")
    source = open_input(str(path), "text", None, Dialect(), tmp_path)
    with emollms.Annotator.from_pretrained(
        "tiny", endpoint=server.url, template="chat", task="valence", price=PRICE, store=tmp_path / "store.sqlite"
    ) as annotator:
        plan = plan_annotation(annotator, source.table)
        again = plan_annotation(annotator, source.table)
        annotate_file(annotator, source.table, tmp_path / "out.csv", digest=source.digest)
    assert (plan.rows, plan.texts, plan.questions, plan.known) == (400, 400, 400, 0)
    assert (again.questions, again.known) == (400, 60)  # what the first plan asked, and no more
    assert plan.cost == pytest.approx(server.cost, rel=0.05)
    assert again.cost == pytest.approx(plan.cost * 340 / 400, rel=0.05)
    assert sum(count for prompt, count in server.asked.items() if "text " in prompt) == 400


def test_lines_say_where_the_texts_go_and_the_rate_is_kept(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    options = http_client.ClientOptions
    monkeypatch.setattr(http_client, "ClientOptions", lambda **more: options(sleep=waits.append, **more))
    warned: list[str] = []
    annotate(server, tmp_path / "out", warned, per_minute=600)
    assert [line for line in warned if line.startswith("the texts are sent to http://127.0.0.1")]
    assert sum(wait > 0 for wait in waits) >= len(TEXTS) // 2
    assert 0.1 * len(TEXTS) > max(waits) > 0.09  # each has a turn a tenth of a second after another


@pytest.mark.parametrize("text", ["plain words", "😀" * 30, "שלום" * 30, "\ud800"])
def test_what_is_set_aside_is_never_less_than_what_is_charged(text: str) -> None:
    body = {"messages": [{"role": "user", "content": text}], "max_tokens": 8}
    spending = Spending(PRICE, limit=1.0)
    reserved = spending.reserve(body)
    charged = len(text.encode("utf-8", "replace"))  # a token a byte
    spending.settle(reserved, body, {"usage": {"prompt_tokens": charged, "completion_tokens": 8}})
    assert spending.cost is not None
    assert spending.cost <= reserved


@pytest.mark.parametrize(
    "options",
    [
        {"price": (1.0, 1.0)}, {"max_cost": 1.0}, {"per_minute": 5.0},
        {"endpoint": "http://localhost/v1", "max_cost": 1.0},
        {"endpoint": "http://localhost/v1", "price": (-1.0, 0.0)},
        {"endpoint": "http://localhost/v1", "price": (float("nan"), 0.0)},
        {"endpoint": "http://localhost/v1", "price": (1.0, 1.0), "max_cost": float("inf")},
    ],
)  # fmt: skip
def test_prices_that_mean_nothing_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"--price|--max-cost|--per-minute"):
        emollms.Annotator.from_pretrained("tiny", **options)


FULL = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)), resource.RLIM_INFINITY))
from emollms.cli import main
sys.argv[0] = "emollms"
main()
"""


@pytest.mark.parametrize("limit", [50_000, 250_000])  # the store is full, or a part of the output is
def test_a_full_disk_is_one_line_and_the_same_command_resumes(
    limit: int, annotate_forks: Forks, tmp_path: Path
) -> None:
    path = tmp_path / "in.csv"
    path.write_text("text\n" + "".join(f"good {n} {'x' * 500}\n" for n in range(1500)), encoding="utf-8")
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    assert unlimited == resource.RLIM_INFINITY

    def run(out: Path, most: int) -> subprocess.CompletedProcess[str]:
        words = ("annotate", path, "--baseline", "vader", "--task", "valence", "--out", out)
        return annotate_forks.run(FULL, most, *words, folder=tmp_path / "printed")

    full = run(tmp_path / "out.csv", limit)
    assert full.returncode == 1, full.stderr
    assert "Traceback" not in full.stderr
    assert not (tmp_path / "out.csv").exists()
    assert run(tmp_path / "out.csv", 1 << 40).returncode == 0
    assert run(tmp_path / "whole.csv", 1 << 40).returncode == 0
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert not list(tmp_path.glob(".*annotating"))
