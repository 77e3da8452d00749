"""Classifiers that answer every question about a text in one pass, asked like any other model.

A text is read once, whatever is asked about it: the texts of all questions decide the windows and batches in which they
are read, and what a model says of the texts of the last windows is kept for the next question.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from emollms.dataset.reader import Row
from emollms.errors import UsageError
from emollms.evaluation.predictors import Predictor, PredictorKind, place_of, shown_name, split_revision
from emollms.inference import batching, engines
from emollms.inference.classifiers import Outputs
from emollms.inference.decoding import Decode
from emollms.inference.engine import EngineInfo
from emollms.inference.heads import Text, text_of
from emollms.inference.model_names import resolve_model
from emollms.inference.predictions import Prediction
from emollms.tables.files import Warn, no_warning
from emollms.tasks import Task

if TYPE_CHECKING:
    from emollms.inference.heads_engine import Read, TorchClassifier

_KEPT = 4
"""Windows whose outputs are kept: 16,384 texts."""
_SIZED = 65_536
"""Texts whose lengths are kept."""


@dataclass
class ClassifierPredictor(Predictor):
    """A classifier on this machine.

    Args:
        model: folder, `OWNER/NAME` or `OWNER/NAME@REVISION`.
        outputs: what its outputs answer.
        dtype: the numbers' type.
        display_name: its name for people, if it is another.
        engine: `transformers` or `onnx`.
        warn: called with a line that the user should see.
    """

    kind: ClassVar[PredictorKind] = "model"
    decode: ClassVar[Decode] = Decode.expected_value
    model: str
    outputs: Outputs
    dtype: str = "auto"
    display_name: str | None = None
    engine: engines.Name = "transformers"
    warn: Warn = no_warning
    _opened: "tuple[TorchClassifier, EngineInfo] | None" = field(default=None, repr=False)
    _begun_dtype: str | None = field(default=None, repr=False)
    _windows: list[Sequence[Text]] = field(default_factory=list, repr=False)
    _window_of: dict[Text, int] = field(default_factory=dict, repr=False)
    _read: "dict[int, list[Read]]" = field(default_factory=dict, repr=False)
    """By window, what was said of its texts; the last windows alone."""
    _lengths: dict[Text, int] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        """Its name for people."""
        return self.display_name or shown_name(self.model)

    def settings(self) -> dict[str, Any]:
        """See `Predictor.settings`; a folder is known by its weights, wherever it is."""
        about = {"engine": self.engine, "template": "text", **place_of(self.model), "dtype": self.dtype}
        return about | ({"map": self.outputs.map_digest} if self.outputs.map_digest else {})

    def answerable(self, tasks: Sequence[Task], everything: bool) -> tuple[Task, ...]:
        """See `Predictor.answerable`.

        Raises:
            UsageError: it has no answer to a task that was asked for, or to any.
        """
        fitting = tuple(task for task in tasks if self.outputs.answers(task))
        missing = [task.name for task in tasks if task not in fitting]
        if missing and not (everything and fitting):
            raise UsageError(
                f"{self.name} has no answer to {', '.join(missing)}; it answers {', '.join(self.outputs.tasks)}"
            )
        return fitting

    def thresholds(self, task: Task) -> Mapping[str, float] | None:
        """See `Predictor.thresholds`."""
        return self.outputs.thresholds(task)

    def start(self, begun: Mapping[str, Any] | None = None) -> EngineInfo:
        """Load the model; `auto` is the type of the numbers with which the run began, whatever suits this machine."""
        if begun and self.dtype == "auto":
            self._begun_dtype = begun.get("dtype")
        return self._engine()[1]

    def prepare(self, asked: Sequence[tuple[Task, Sequence[Row]]]) -> None:
        """See `Predictor.prepare`: the windows are those of all texts, each in one of them."""
        texts = dict.fromkeys(text_of(task, row) for task, rows in asked for row in rows)
        # Texts alone, and texts with a target, are read in windows of their own: a tokenizer takes one or the other.
        kinds = [[text for text in texts if isinstance(text, kind)] for kind in (str, tuple)]
        self._windows = [window for own in kinds for window in batching.windows(own)]
        self._window_of = {text: number for number, window in enumerate(self._windows) for text in window}
        self._read = {}

    def predict(self, task: Task, rows: Sequence[Row], known: Collection[str]) -> Iterator[Prediction]:
        """See `Predictor.predict`; texts that are all known are not read."""
        if any(text_of(task, row) not in self._window_of for row in rows):
            self.prepare([(task, rows)])
        new: dict[int, dict[Text, list[Row]]] = {}
        for row in rows:
            if row["id"] not in known:
                text = text_of(task, row)
                new.setdefault(self._window_of[text], {}).setdefault(text, []).append(row)
        for number in sorted(new):
            for read in self._outputs(number):
                own = new[number].get(self._windows[number][read.text], ())
                for row in own:
                    yield self.outputs.prediction(task, row, read.outputs, read.seconds / len(own))

    def _outputs(self, number: int) -> "Iterator[Read]":
        """What the model says of the texts of a window, as it comes; a window is read whole, or found whole."""
        if number in self._read:
            yield from self._read[number]
            return
        found: list[Read] = []
        for read in self._engine()[0].read(self._windows[number]):
            found.append(read)
            yield read
        # Time is told once: the next question about these texts takes none.
        self._read[number] = [read._replace(seconds=0.0) for read in found]
        while len(self._read) > _KEPT:
            del self._read[next(iter(self._read))]

    def count_tokens(self, asked: Sequence[tuple[Task, Row]]) -> int:
        """See `Predictor.count_tokens`: each text counts once, up to the length at which it is cut."""
        texts = dict.fromkeys(text_of(task, row) for task, row in asked)
        return sum(min(self._length(text), self._engine()[0].max_tokens) for text in texts)

    def has_room(self, task: Task, row: Row) -> bool:
        """See `Predictor.has_room`; a target that leaves less than half of the room is cut, with its text."""
        text, most = text_of(task, row), self._engine()[0].max_tokens
        return self._length(text) <= most or (isinstance(text, tuple) and 2 * self._length(("", text[1])) > most)

    def _length(self, text: Text) -> int:
        if text not in self._lengths:
            if len(self._lengths) >= _SIZED:
                self._lengths.clear()
            self._lengths[text] = self._engine()[0].lengths([text])[0]
        return self._lengths[text]

    def close(self) -> None:
        """Let go of the model, and of what it said."""
        if self._opened:
            self._opened[0].close()
        self._opened, self._windows, self._window_of, self._read, self._lengths = None, [], {}, {}, {}

    def _engine(self) -> "tuple[TorchClassifier, EngineInfo]":
        if self._opened is None:
            model, revision = split_revision(resolve_model(self.model))
            options = {"revision": revision, "dtype": self._begun_dtype or self.dtype, "outputs": self.outputs}
            self._opened = engines.open_classifier(self.engine, model, warn=self.warn, **options)
        return self._opened
