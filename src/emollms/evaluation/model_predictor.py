"""Models that write their answers, here or behind a server, and what opens a model of either kind."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emollms.dataset.reader import Row
from emollms.errors import UsageError
from emollms.evaluation.classifier_predictor import ClassifierPredictor
from emollms.evaluation.predictors import Predictor, PredictorKind, place_of, shown_name, split_revision
from emollms.inference import batching, engines
from emollms.inference.classifiers import classifier_outputs
from emollms.inference.companions import tuned_on
from emollms.inference.decoding import Decode, answer_limit
from emollms.inference.decoding import decode as decode_rows
from emollms.inference.engine import Engine, EngineInfo
from emollms.inference.http_client import base_url
from emollms.inference.model_names import check_dtype, resolve_model
from emollms.inference.predictions import Prediction
from emollms.inference.spending import Spending
from emollms.optional import check_installed
from emollms.prompts.framing import Template
from emollms.tables.files import Warn, no_warning
from emollms.tasks import Task


@dataclass
class ModelPredictor(Predictor):
    """A model, here or behind a server.

    Args:
        model: folder, `OWNER/NAME`, `OWNER/NAME@REVISION`, the packaged model (see `model_names.resolve_model`), or the
            name that the server knows it by; empty where the server serves only one.
        decode: how its answers are decoded.
        engine: which engine; None for `endpoint` where there is a server, else `transformers`.
        url: address of the server.
        template: how prompts are framed; `chat` uses the chat interface of a server.
        dtype: the numbers' type; not for a server.
        seed: decides what is sampled.
        display_name: its name for people, if it is another.
        workers: the most requests to a server at a time.
        per_minute: the most requests to a server a minute; None for no limit.
        warn: called with a line that the user should see.
        spending: counts what a server takes, and keeps to a limit.
    """

    model: str
    decode: Decode = Decode.expected_value
    engine: engines.Name | None = None
    url: str | None = None
    template: Template = "auto"
    dtype: str = "auto"
    seed: int = 0
    display_name: str | None = None
    workers: int = 8
    per_minute: float | None = None
    warn: Warn = no_warning
    spending: Spending = field(default_factory=Spending)
    _opened: Engine | None = field(default=None, repr=False)
    _begun_dtype: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.url is not None:
            self.url = base_url(self.url)
        check_pace(self.workers, self.per_minute)
        self.engine = self.engine or ("endpoint" if self.url else "transformers")

    @property
    def kind(self) -> PredictorKind:  # type: ignore[override]
        """`endpoint` for a server, else `model`."""
        return "endpoint" if self.engine == "endpoint" else "model"

    @property
    def name(self) -> str:
        """Its name for people."""
        if self.display_name or not self.model:
            return self.display_name or self._engine().describe().model
        return shown_name(self.model) if self.kind == "model" else self.model

    def settings(self) -> dict[str, Any]:
        """See `Predictor.settings`; a folder is known by its weights, wherever it is."""
        about: dict[str, Any] = {"engine": self.engine, "template": self.template}
        if self.kind == "endpoint":
            return about | {"model": self.model or self.name, "endpoint": self.url}
        return about | place_of(self.model) | {"dtype": self.dtype}

    def start(self, begun: Mapping[str, Any] | None = None) -> EngineInfo:
        """Load the model; `auto` is the type of the numbers with which the run began, whatever suits this machine."""
        if begun and self.dtype == "auto":
            self._begun_dtype = begun.get("dtype")
        return self._engine().describe()

    def predict(self, task: Task, rows: Sequence[Row], known: Collection[str]) -> Iterator[Prediction]:
        """See `Predictor.predict`; rows with the same instruction go through together."""
        # All rows, answered or not, decide the windows, and all rows of a window its batches.
        for window in batching.windows(sorted(rows, key=lambda row: str(row["prompt"]))):
            if not all(row["id"] in known for row in window):
                yield from decode_rows(self._engine(), task, window, self.decode, seed=self.seed, known=known)

    def count_tokens(self, asked: Sequence[tuple[Task, Row]]) -> int:
        """See `Predictor.count_tokens`: those of all prompts; for a server a guess, of four characters each."""
        encoder = getattr(self._engine(), "encoder", None)
        prompts = (str(row["prompt"]) for _, row in asked)
        return sum(len(prompt) // 4 if encoder is None else len(encoder.prompt(prompt)) for prompt in prompts)

    def has_room(self, task: Task, row: Row) -> bool:
        """See `Predictor.has_room`: whether there is room for the prompt and its answer; a server is not asked."""
        fits = getattr(self._engine(), "fits", None)
        return fits is None or bool(fits(row["prompt"], answer_limit(task)))

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
                self._opened = engines.open_engine(name, model, warn=self.warn, **options)
        return self._opened

    def _open_endpoint(self) -> Engine:
        from emollms.inference.endpoint import Api, EndpointEngine, destination
        from emollms.inference.http_client import ClientOptions

        url = str(self.url)
        api: Api | None = "chat" if self.template == "chat" else None
        self.warn(destination(url))
        options = ClientOptions(per_minute=self.per_minute, spending=self.spending)
        engine = EndpointEngine(url, self.model or None, api, workers=self.workers, options=options, warn=self.warn)
        if self.decode == Decode.expected_value and not engine.gives_log_probabilities():
            self.warn(f"{url} gives no log-probabilities; its answers are decoded greedily, without confidences")
            self.decode = Decode.greedy
        return engine


def check_pace(workers: int, per_minute: float | None) -> None:
    """Make sure that requests can go through.

    Raises:
        UsageError: none can.
    """
    if workers < 1 or (per_minute is not None and per_minute <= 0):
        asked = f"--workers {workers}, --per-minute {per_minute}"
        raise UsageError(f"{asked} lets no request through; give 1 or more, and a rate above 0")


def model_predictor(
    model: str,
    *,
    map: str | Path | None = None,
    decode: Decode = Decode.expected_value,
    engine: engines.Name | None = None,
    template: Template = "auto",
    dtype: str = "auto",
    seed: int = 0,
    display_name: str | None = None,
    warn: Warn = no_warning,
) -> ModelPredictor | ClassifierPredictor:
    """A model on this machine: one that writes its answers, or a classifier; its `config.json` alone decides.

    Args:
        model: folder, `OWNER/NAME`, `OWNER/NAME@REVISION`, or the packaged model.
        map: which labels of a classifier answer what; see `emollms.inference.label_map`.
        decode: see `ModelPredictor`; so are the arguments below.
        engine: what runs it; `onnx` is for classifiers, and `vllm` for models that write their answers.
        template: of its prompts.
        dtype: the numbers' type.
        seed: of its samples.
        display_name: its name for people.
        warn: is told what the user should see.

    Raises:
        UsageError: a classifier does not say what its outputs answer, an option is not for this model, or a package is
            missing.
    """
    outputs = classifier_outputs(model, Path(map) if map is not None else None)
    if outputs is None and engine == "onnx":
        raise UsageError(f"--engine onnx is for classifiers, and {model} writes its answers; leave it out")
    if outputs is None:
        return ModelPredictor(model, decode, engine, None, template, dtype, seed, display_name, warn=warn)
    refused = {
        f"--decode {decode}": decode != Decode.expected_value,
        f"--engine {engine}": engine not in (None, "transformers", "onnx"),
        f"--template {template}": template != "auto",
    }
    if given := next((option for option, is_given in refused.items() if is_given), None):
        raise UsageError(f"{model} is a classifier: it reads texts and gives probabilities; leave {given} out")
    check_dtype(dtype, engine)
    if engine == "onnx":
        check_installed(engines.ONNX, "onnx", "--engine onnx")
    return ClassifierPredictor(model, outputs, dtype, display_name, engine or "transformers", warn)


def tasks_of(predictor: Predictor) -> tuple[str, ...] | None:
    """The names of the tasks that a model was tuned on; None for what was never tuned for affect, or is no model."""
    if isinstance(predictor, ClassifierPredictor):
        return predictor.outputs.tasks
    if isinstance(predictor, ModelPredictor) and predictor.kind == "model":
        return tuned_on(predictor.model)
    return None
