"""Predictions as JSON Lines: written as they come, read back after a kill, and enough to compute scores from."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import BufferedRandom
from pathlib import Path
from types import TracebackType
from typing import Self

from emollms.errors import EmollmsError, Place, SourceError
from emollms.progress import Warn


@dataclass(frozen=True)
class Prediction:
    """What a model said about one row.

    Args:
        id: the row's id.
        answer: the answer as text; from `decoding.decode` in mode `expected_value`, in the canonical form.
        probabilities: of classes by number (ordinal), of labels by name (multi-label), of the tenths that scores
            begin with, `0.0` to `1.0` (regression); None where the engine gave none.
        seconds: how long it took.
    """

    id: str
    answer: str
    probabilities: Mapping[str, float] | None = None
    seconds: float = 0.0

    def to_json(self) -> str:
        """One line, without its line break."""
        shown: dict[str, object] = {"id": self.id, "answer": self.answer}
        if self.probabilities is not None:
            shown["probabilities"] = {name: round(value, 6) for name, value in self.probabilities.items()}
        return json.dumps(shown | {"seconds": round(self.seconds, 4)}, ensure_ascii=False, allow_nan=False)


def read_predictions(path: Path) -> dict[str, Prediction]:
    """The predictions of a file by id, in file order.

    Args:
        path: a file that `PredictionFile` wrote; `evaluation.prediction_files` reads those of others.

    Raises:
        SourceError: a line is no prediction, or an id is there twice; the message names file and line.
    """
    with path.open("rb") as stream:
        return _read(path, stream)[0]


def _read(path: Path, lines: Iterable[bytes], may_be_torn: bool = False) -> tuple[dict[str, Prediction], int]:
    """The predictions, and where the last whole line ends; a kill may have torn the last one."""
    found: dict[str, Prediction] = {}
    end = 0
    for number, line in enumerate(lines, 1):
        try:
            prediction = _parse(line, Place(str(path), number)) if line.strip() else None
        except SourceError:
            if may_be_torn and not line.endswith(b"\n"):
                break
            raise
        if prediction:
            if prediction.id in found:
                place = Place(str(path), number)
                raise SourceError(place, "an id that is there already", prediction.id, "keep one line of each")
            found[prediction.id] = prediction
        end += len(line)
    return found, end


def _parse(line: bytes, place: Place) -> Prediction:
    shown = line.decode("utf-8", "replace").strip()
    try:
        row = json.loads(line, parse_constant=_no_number)
    except ValueError as error:
        raise SourceError(place, f"no JSON ({error})", shown, "each line is one JSON object") from error
    if not isinstance(row, dict) or not isinstance(row.get("id"), str) or not isinstance(row.get("answer"), str):
        raise SourceError(place, "no id and answer", shown, 'give both as strings: {"id": "…", "answer": "…"}')
    seconds = row.get("seconds", 0.0)
    if not _is_number(seconds) or seconds < 0:
        raise SourceError(place, "no number of seconds", repr(seconds), "give a number from 0 up, or leave it out")
    return Prediction(row["id"], row["answer"], probabilities_of(row.get("probabilities"), place), float(seconds))


def probabilities_of(value: object, place: Place) -> dict[str, float] | None:
    """Probabilities as `Prediction` has them; None for null.

    Raises:
        SourceError: they are no object of numbers on 0..1.
    """
    if value is None:
        return None
    if not isinstance(value, dict) or not all(_is_number(one) and 0 <= one <= 1 for one in value.values()):
        raise SourceError(place, "no probabilities", repr(value), "give an object of numbers on 0..1, or leave it out")
    return {name: float(one) for name, one in value.items()}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number")


class PredictionFile:
    """A file that predictions are added to; what is there already is kept. Use it in a `with` statement.

    Args:
        path: the file; made where it is not there.
        warn: called with a line where the last line was torn and is cut off.

    Attributes:
        known: the predictions in the file, by id.
    """

    def __init__(self, path: Path, warn: Warn = lambda text: None) -> None:
        self.path, self._warn = path, warn
        self.known: dict[str, Prediction] = {}
        self._stream: BufferedRandom | None = None

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.touch()
        stream = self.path.open("r+b")
        try:
            self.known, end = _read(self.path, stream, may_be_torn=True)
            self._mend(stream, end)
        except BaseException:
            stream.close()
            raise
        self._stream = stream
        return self

    def _mend(self, stream: BufferedRandom, end: int) -> None:
        """Cut a torn line off, and end the last one."""
        if stream.seek(0, 2) > end:
            self._warn(f"{self.path}: the last line was torn, as after a kill; it was cut off")
            stream.truncate(end)
        if end:
            stream.seek(end - 1)
            if stream.read(1) != b"\n":
                stream.write(b"\n")
        stream.seek(0, 2)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stream:
            self._stream.close()
            self._stream = None

    def add(self, predictions: Iterable[Prediction]) -> None:
        """Add a batch, and hand it to the operating system before this returns.

        Raises:
            EmollmsError: an id is there already; the predictions before it are written.
        """
        if self._stream is None:
            raise EmollmsError(f"{self.path} is not open; use it in a with statement")
        try:
            for prediction in predictions:
                if prediction.id in self.known:
                    raise EmollmsError(f"{self.path} has a prediction for {prediction.id!r} already; it was not added")
                self._stream.write(f"{prediction.to_json()}\n".encode())
                self.known[prediction.id] = prediction
        finally:
            self._stream.flush()

    def __iter__(self) -> Iterator[Prediction]:
        return iter(self.known.values())
