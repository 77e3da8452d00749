"""A model that answers the rows of a run."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emollms.dataset.reader import Row
from emollms.errors import UsageError
from emollms.evaluation.predictors import Kind
from emollms.inference import batching, engines
from emollms.inference.decoding import Decode, decode
from emollms.inference.engine import Engine, EngineInfo
from emollms.inference.http_client import base_url
from emollms.inference.model_names import resolve_model
from emollms.inference.predictions import Prediction
from emollms.prompts.framing import Template
from emollms.storage import weights_hash
from emollms.tasks import Task


@dataclass
class ModelSource:
    """A model, here or behind a server.

    Args:
        model: folder, `OWNER/NAME`, `OWNER/NAME@REVISION`, the packaged model (see `model_names.resolve_model`), or the
            name that the server knows it by; empty where the server serves only one.
        mode: how its answers are decoded.
        engine: which engine; None for `endpoint` where there is a server, else `transformers`.
        url: address of the server.
        template: how prompts are framed; `chat` uses the chat interface of a server.
        dtype: the numbers' type; not for a server.
        seed: decides what is sampled.
        shown: its name for people, if it is another.
        workers: the most requests to a server at a time.
        per_minute: the most requests to a server a minute; None for no limit.
        needs_probabilities: whether a server without log-probabilities is an error; else its answers are greedy.
        warn: called with a line that the user should see.
    """

    model: str
    mode: Decode = Decode.expected_value
    engine: engines.Name | None = None
    url: str | None = None
    template: Template = "auto"
    dtype: str = "auto"
    seed: int = 0
    shown: str | None = None
    workers: int = 8
    per_minute: float | None = None
    needs_probabilities: bool = False
    warn: Callable[[str], None] = lambda text: None
    _opened: Engine | None = field(default=None, repr=False)
    _begun_dtype: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.url is not None:
            self.url = base_url(self.url)
        if self.workers < 1 or (self.per_minute is not None and self.per_minute <= 0):
            asked = f"--workers {self.workers}, --per-minute {self.per_minute}"
            raise UsageError(f"{asked} lets no request through; give 1 or more, and a rate above 0")
        self.engine = self.engine or ("endpoint" if self.url else "transformers")

    @property
    def kind(self) -> Kind:
        """What it is."""
        return "endpoint" if self.engine == "endpoint" else "model"

    @property
    def name(self) -> str:
        """Its name for people."""
        if self.shown or not self.model:
            return self.shown or self._engine().describe().model
        is_folder = self.kind == "model" and Path(self.model).is_dir()
        return Path(self.model).resolve().name if is_folder else self.model

    def settings(self) -> dict[str, Any]:
        """See `Source.settings`; the weights stand for a folder, wherever it is."""
        about: dict[str, Any] = {"engine": self.engine, "template": self.template}
        if self.kind == "endpoint":
            return about | {"model": self.model or self.name, "endpoint": self.url}
        folder = Path(resolve_model(self.model))
        known = {"weights": weights_hash(folder)} if folder.is_dir() else {"model": self.model}
        return about | known | {"dtype": self.dtype}

    def about(self, tasks: Sequence[Task], everything: bool) -> tuple[Task, ...]:
        """All of them."""
        return tuple(tasks)

    def start(self, begun: Mapping[str, Any] | None = None) -> EngineInfo:
        """Load the model; `auto` is the type of the numbers with which the run began, whatever suits this machine."""
        if begun and self.dtype == "auto":
            self._begun_dtype = begun.get("dtype")
        return self._engine().describe()

    def answer(self, task: Task, rows: Sequence[Row], known: Collection[str]) -> Iterator[Prediction]:
        """See `Source.answer`; rows with the same instruction go through together."""
        # All rows, answered or not, decide the windows, and all rows of a window its batches.
        for window in batching.windows(sorted(rows, key=lambda row: str(row["prompt"]))):
            if not all(row["id"] in known for row in window):
                yield from decode(self._engine(), task, window, self.mode, seed=self.seed, known=known)

    def close(self) -> None:
        """Let go of the model."""
        if self._opened:
            self._opened.close()
            self._opened = None

    def _engine(self) -> Engine:
        if self._opened is None:
            name = self.engine or "transformers"
            if name == "endpoint":
                self._opened = self._open_endpoint()
            else:
                model, revision = split_revision(resolve_model(self.model))
                options = {"revision": revision, "dtype": self._begun_dtype or self.dtype, "template": self.template}
                self._opened = engines.open_engine(name, model, **options)
        return self._opened

    def _open_endpoint(self) -> Engine:
        from emollms.inference.endpoint import Api, EndpointEngine, destination
        from emollms.inference.http_client import ClientOptions

        url = str(self.url)
        api: Api | None = "chat" if self.template == "chat" else None
        self.warn(destination(url))
        options = ClientOptions(per_minute=self.per_minute)
        engine = EndpointEngine(url, self.model or None, api, workers=self.workers, options=options, warn=self.warn)
        if self.mode == Decode.expected_value and not self.needs_probabilities and not engine.gives_log_probabilities():
            self.warn(f"{url} gives no log-probabilities; its answers are decoded greedily, without confidences")
            self.mode = Decode.greedy
        return engine


def split_revision(model: str) -> tuple[str, str | None]:
    """Folder, or repository and revision, from `OWNER/NAME@REVISION`."""
    if Path(model).is_dir():
        return model, None
    name, _, revision = model.partition("@")
    return name, revision or None
