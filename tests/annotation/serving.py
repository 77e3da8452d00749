"""Annotators that answer at once, and a real server on a free port."""

import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import httpx2
import uvicorn

from emollms.annotation.annotator import Annotator
from emollms.annotation.batcher import ServerOptions
from emollms.annotation.questions import Question, questions
from emollms.annotation.server import create_app
from emollms.annotation.server_run import listen
from emollms.evaluation.predictors import BaselinePredictor, Predictor
from emollms.inference.predictions import Prediction
from emollms.tasks import MultiLabelTask, OrdinalTask, RegressionTask, Task

SCORES = {"anger": 0.06, "fear": 0.12, "joy": 0.91, "sadness": 0.04, "arousal": 0.71, "dominance": 0.58, None: 0.88}
LABELS = {"joy": 0.94, "optimism": 0.71, "love": 0.46, "anticipation": 0.38, "trust": 0.21, "surprise": 0.12}


@dataclass
class Opinions(Predictor):
    """Answers everything, and the same to every text; what it was asked, and by how many texts at a time, it keeps."""

    kind = "baseline"
    failing: Exception | None = None
    gate: threading.Event = field(default_factory=threading.Event)
    asked: threading.Event = field(default_factory=threading.Event)
    batches: list[list[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.gate.set()

    @property
    def name(self) -> str:
        return "opinions"

    def settings(self) -> dict[str, Any]:
        return {"opinions": 1}

    def predict(self, task: Task, rows: Sequence[Any], known: Collection[str]) -> Iterator[Prediction]:
        self.batches.append([row["text"] for row in rows])
        self.asked.set()
        self.gate.wait()
        for row in rows:
            if self.failing and "fail" in row["text"]:
                raise self.failing
            yield said(task, row)


def said(task: Task, row: Any) -> Prediction:
    if isinstance(task, RegressionTask):
        score = SCORES[row["emotion"]]
        return Prediction(row["id"], f"{score:.3f}", {f"{score:.1f}": 1.0})
    if isinstance(task, OrdinalTask):
        shares = {str(number): 1.0 / (1 + 3 * abs(number - 3)) for number in task.classes}
        return Prediction(row["id"], "3", {name: share / sum(shares.values()) for name, share in shares.items()})
    return Prediction(row["id"], "joy", {label: LABELS.get(label, 0.03) for label in task.labels})


class Interval:
    """In place of a calibration: a tenth to either side."""

    thresholds = None

    def apply(self, task: Task, score: float | None, shares: Any, draw: float) -> tuple[Any, ...]:
        if isinstance(task, RegressionTask):
            return shares, 0.83, max(0.0, score - 0.11), min(1.0, score + 0.09)
        if isinstance(task, OrdinalTask):
            return shares, 0.64, 2, 4
        assert isinstance(task, MultiLabelTask)
        return shares, 0.58, ("joy",), ("joy", "optimism", "love", "anticipation")


class Intervals(dict):
    def get(self, name: str, default: Any = None) -> Interval:
        return Interval()

    def __contains__(self, name: object) -> bool:
        return True


def opinionated(
    predictor: Predictor | None = None, *names: str, more: Sequence[Question] = (), calibrated: bool = True
) -> Annotator:
    asked = questions(names or ("valence", "anger", "fear", "joy", "sadness", "emotions", "sentiment"))
    fitted: Any = SimpleNamespace(tasks=Intervals(), check_predictors=lambda identities: None) if calibrated else None
    return Annotator([predictor or Opinions()], [*asked, *more], calibration=fitted)


def vader() -> Annotator:
    return Annotator([BaselinePredictor("vader")], questions(["valence", "sentiment"]))


@dataclass
class Served:
    """A server that runs."""

    url: str
    app: Any
    server: uvicorn.Server

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @contextmanager
    def client(self, **options: Any) -> Iterator[httpx2.Client]:
        with httpx2.Client(base_url=self.url, trust_env=False, verify=False, timeout=60, **options) as client:
            yield client

    def until(self, status: str) -> None:
        """Ask for its health until that is `status`."""
        with self.client() as client:
            while (found := client.get("/health").json()["status"]) != status:
                assert found != "failed"

    def annotate(self, *texts: str | None) -> httpx2.Response:
        with self.client() as client:
            return client.post("/annotate", json={"texts": texts})


@contextmanager
def serving(annotator: Annotator, ready: bool = True, **limits: Any) -> Iterator[Served]:
    """A server, which ends with the `with` statement."""
    app = create_app(annotator, ServerOptions(**limits))
    listener = listen("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on", timeout_graceful_shutdown=5))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    served = Served(f"http://127.0.0.1:{listener.getsockname()[1]}", app, server)
    try:
        if ready:
            served.until("ready")
        yield served
    finally:
        server.should_exit = True
        thread.join()
