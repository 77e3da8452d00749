"""What answers the rows of a benchmark: a model, here or behind a server, a baseline, or a file of answers."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from emollms.dataset.reader import Row
from emollms.errors import EmollmsError, UsageError
from emollms.evaluation.answer_rows import BenchmarkRows
from emollms.evaluation.baselines import baseline
from emollms.evaluation.prediction_files import prediction_files, read_answers
from emollms.inference import batching, engines
from emollms.inference.decoding import Decode, answer_limit
from emollms.inference.decoding import decode as decode_rows
from emollms.inference.engine import Engine, EngineInfo
from emollms.inference.http_client import base_url
from emollms.inference.model_names import resolve_model
from emollms.inference.predictions import Prediction
from emollms.inference.spending import Spending
from emollms.prompts.answers import answer
from emollms.prompts.framing import Template
from emollms.storage import weights_hash
from emollms.tables.files import Dialect, Warn, no_warning
from emollms.tasks import Task

PredictorKind = Literal["model", "endpoint", "predictions", "baseline"]
BASELINE_NAMES = {
    "vader": "VADER",
    "vader-threshold": "VADER (threshold)",
    "textblob": "TextBlob",
    "mean": "mean score",
    "majority": "majority class",
}


class Predictor(ABC):
    """Answers the rows of tasks. What needs no loading inherits `start` and `close`, which do nothing."""

    kind: ClassVar[PredictorKind]

    @property
    @abstractmethod
    def name(self) -> str:
        """Its name for people."""

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """What identifies it, known before it is loaded: a run is resumed only by a predictor with equal settings."""

    def answerable(self, tasks: Sequence[Task], everything: bool) -> tuple[Task, ...]:
        """Those of `tasks` that it can answer.

        Args:
            tasks: the tasks.
            everything: whether they are all tasks of the data set, of which it may leave some out; tasks that were
                asked for by name are answered, or an error.
        """
        return tuple(tasks)

    def start(self, begun: Mapping[str, Any] | None = None) -> EngineInfo | None:
        """Load what it needs, and describe its engine, where it has one.

        Args:
            begun: the description of the engine that a resumed run began with; what `auto` stood for then stays.
        """
        return None

    def prepare(self, asked: Sequence[tuple[Task, Sequence[Row]]]) -> None:
        """Be told of all that will be asked, known or not, before the first `predict`: it may decide batches."""
        return None

    @abstractmethod
    def predict(self, task: Task, rows: Sequence[Row], known: Collection[str]) -> Iterator[Prediction]:
        """The predictions of `rows` whose ids are not `known`, as they come."""

    def thresholds(self, task: Task) -> Mapping[str, float] | None:
        """From which probability on it names a label of `task`, by label; None where that is .5 for all."""
        return None

    def count_tokens(self, asked: Sequence[tuple[Task, Row]]) -> int:
        """The tokens that it reads to answer rows, each of a task."""
        return 0

    def has_room(self, task: Task, row: Row) -> bool:
        """Whether it can read the text of a row of `task` as a whole, and answer."""
        return True

    def close(self) -> None:
        """Release what `start` loaded."""
        return None


@dataclass(frozen=True)
class BaselinePredictor(Predictor):
    """A lexicon, or constants.

    Args:
        baseline: one of `baselines.BASELINES`.
        training: name of a task to its training rows, for constants; empty where there are none.
        display_name: its name for people, if it is another.
    """

    kind: ClassVar[PredictorKind] = "baseline"
    baseline: str
    training: Callable[[str], Sequence[Row]] = lambda task: ()
    display_name: str | None = None

    @property
    def name(self) -> str:
        """Its name for people."""
        return self.display_name or BASELINE_NAMES.get(self.baseline, self.baseline)

    def settings(self) -> dict[str, Any]:
        """See `Predictor.settings`."""
        return {"baseline": self.baseline}

    def answerable(self, tasks: Sequence[Task], everything: bool) -> tuple[Task, ...]:
        """See `Predictor.answerable`.

        Raises:
            UsageError: it has no answer to a task that was asked for, or to any.
        """
        fitting = tuple(task for task in tasks if not everything or self._fits(task))
        for task in fitting or tasks[:1]:
            baseline(self.baseline, task)
        return fitting

    def _fits(self, task: Task) -> bool:
        try:
            baseline(self.baseline, task)
        except UsageError:
            return False
        return True

    def predict(self, task: Task, rows: Sequence[Row], known: Collection[str]) -> Iterator[Prediction]:
        """See `Predictor.predict`."""
        for language in dict.fromkeys(row["language"] for row in rows):  # the constants of each are its own
            training = [row for row in self.training(task.name) if row["language"] == language]
            own = [row for row in rows if row["language"] == language]
            values = baseline(self.baseline, task, training).predict(own)
            for row, value in zip(own, values, strict=True):
                if row["id"] not in known:
                    yield Prediction(str(row["id"]), answer(task, value, row["emotion"]))


@dataclass
class FilePredictor(Predictor):
    """Answers in a file, or a folder of files; see `prediction_files`.

    Args:
        path: the file or folder.
        known: the id of every row of the data set's test split, to the name of its task, in order.
        display_name: its name for people, if it is another.
        rows: the rows, where more is known of them; answers without ids, and submissions to SemEval-2018, need it.
        dialect: how a text file is written, where its suffix does not say it.
        warn: called with a line about what was left out of the file.
    """

    kind: ClassVar[PredictorKind] = "predictions"
    path: Path
    known: Mapping[str, str]
    display_name: str | None = None
    rows: BenchmarkRows | None = None
    dialect: Dialect | None = None
    warn: Warn = no_warning

    def __post_init__(self) -> None:
        rows = self.rows or BenchmarkRows.of_ids(self.known)
        self._predictions = read_answers(self.path, rows, self.dialect, self.warn)

    @property
    def name(self) -> str:
        """Its name for people: that of the file, or of the folder of a run or of logs."""
        stem = self.path.name.split(".")[0] if self.path.is_file() else self.path.resolve().name
        is_part = self.path.is_file() and (stem == "predictions" or stem.startswith("samples_"))
        return self.display_name or (self.path.resolve().parent.name if is_part else stem)

    def settings(self) -> dict[str, Any]:
        """See `Predictor.settings`."""
        digests = [hashlib.sha256(file.path.read_bytes()).hexdigest() for file in prediction_files(self.path)]
        whole = digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
        return {"predictions": f"sha256:{whole}"}

    def answerable(self, tasks: Sequence[Task], everything: bool) -> tuple[Task, ...]:
        """Those with at least one answer; all that were asked for one by one."""
        answered = {self.known[row_id] for row_id in self._predictions}
        fitting = tuple(task for task in tasks if not everything or task.name in answered)
        if len(fitting) < len(tasks):
            names = ", ".join(task.name for task in fitting)
            self.warn(f"{self.path} answers {len(fitting)} of {len(tasks)} tasks, {names}; the others are left out")
        return fitting

    def predict(self, task: Task, rows: Sequence[Row], known: Collection[str]) -> Iterator[Prediction]:
        """See `Predictor.predict`; rows without an answer stay without one."""
        ids = [str(row["id"]) for row in rows if row["id"] not in known]
        return (self._predictions[row_id] for row_id in ids if row_id in self._predictions)


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
                self._opened = engines.open_engine(name, model, **options)
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


def identity(predictor: Predictor) -> str:
    """What the answers of a predictor depend on, as JSON: weights and not their place, the template, the dtype."""
    info = predictor.start()
    if info is None:
        return json.dumps(predictor.settings(), sort_keys=True)
    about = asdict(info)
    kept: dict[str, Any] = {name: about[name] for name in ("engine", "dtype", "template")}
    is_hash = str(info.revision).startswith("sha256:")
    kept |= {"revision": info.revision} if is_hash else {"model": info.model, "revision": info.revision}
    kept |= {"endpoint": info.device} if info.engine == "endpoint" else {}
    kept |= {"map": info.settings["map"]} if "map" in info.settings else {}
    return json.dumps(kept | {"decode": str(getattr(predictor, "decode", ""))}, sort_keys=True)


def can_answer(predictor: Predictor, task: Task) -> bool:
    """Whether a predictor has answers to a task."""
    try:
        return bool(predictor.answerable([task], everything=True))
    except EmollmsError:
        return False


def check_pace(workers: int, per_minute: float | None) -> None:
    """Make sure that requests can go through.

    Raises:
        UsageError: none can.
    """
    if workers < 1 or (per_minute is not None and per_minute <= 0):
        asked = f"--workers {workers}, --per-minute {per_minute}"
        raise UsageError(f"{asked} lets no request through; give 1 or more, and a rate above 0")


def shown_name(model: str) -> str:
    """The name of a model for people: of a folder its last part."""
    return Path(model).resolve().name if Path(model).is_dir() else model


def place_of(model: str) -> dict[str, str]:
    """What identifies a model before it is loaded: a folder by its weights, wherever it is, a repository by name."""
    folder = Path(resolve_model(model))
    return {"weights": weights_hash(folder)} if folder.is_dir() else {"model": model}


def split_revision(model: str) -> tuple[str, str | None]:
    """Folder, or repository and revision, from `OWNER/NAME@REVISION`."""
    if Path(model).is_dir():
        return model, None
    name, _, revision = model.partition("@")
    return name, revision or None
