"""Answers that were given once, kept for every later run: SQLite, keyed by model, question and text."""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from emollms.errors import EmollmsError
from emollms.inference.predictions import Prediction
from emollms.locations import cache_root
from emollms.tables.read import in_batches

_AT_ONCE = 500  # variables of one statement: SQLite allows 999 in old versions


def default_store() -> Path:
    """`answers.sqlite` in the cache of this package, see `locations.cache_root`."""
    return cache_root() / "answers.sqlite"


def answer_key(model: str, question: str, text: str, target: str | None = None) -> str:
    """The key of an answer.

    Args:
        model: what the answer depends on of the model, as one string.
        question: `Question.identity`.
        text: the text, or the part of a long one.
        target: what the question is about, where it is about something in the text.
    """
    parts = json.dumps([model, question, text, target], ensure_ascii=True)
    return hashlib.sha256(parts.encode()).hexdigest()[:40]


class AnswerStore:
    """Answers by key; several processes may use one file. Use it in a `with` statement, or close it.

    Args:
        path: the file; None for a temporary one, which goes when it is closed.

    Raises:
        EmollmsError: the file is no store, or cannot be opened.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        with self._explained():
            if path:
                path.parent.mkdir(parents=True, exist_ok=True)
            # A request of a server may ask from any thread; it holds a lock of its own.
            # "" is a temporary file: in memory, answers would grow with the input.
            self._base = sqlite3.connect(path or "", timeout=60, check_same_thread=False)
            self._base.execute("PRAGMA journal_mode=WAL")
            self._base.execute("PRAGMA synchronous=NORMAL")  # a power cut may lose the last answers, a kill does not
            self._base.execute(
                "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, answer TEXT NOT NULL) WITHOUT ROWID"
            )

    def get(self, keys: Sequence[str]) -> dict[str, Prediction]:
        """The answers that are there, by key."""
        found: dict[str, Prediction] = {}
        with self._explained():
            for some in in_batches(keys, _AT_ONCE):
                marks = ",".join("?" * len(some))
                for key, answer in self._base.execute(f"SELECT key, answer FROM answers WHERE key IN ({marks})", some):
                    found[key] = _loaded(key, answer)
        return found

    def add(self, predictions: Iterable[Prediction]) -> dict[str, Prediction]:
        """Keep answers, whose ids are their keys; they are on the disk when this returns. Gives them as `get` would."""
        rows = [(one.id, _dumped(one)) for one in predictions]
        with self._explained(), self._base:
            self._base.executemany("INSERT OR REPLACE INTO answers VALUES (?, ?)", rows)
        return {key: _loaded(key, answer) for key, answer in rows}

    def clear(self) -> None:
        """Forget all answers."""
        with self._explained(), self._base:
            self._base.execute("DELETE FROM answers")

    def close(self) -> None:
        """Close the file."""
        self._base.close()

    def __enter__(self) -> "AnswerStore":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            remedy = "make room, or see --store"
            raise EmollmsError(f"the store of answers {self.path} cannot be used: {error}; {remedy}") from None
        except sqlite3.DatabaseError as error:
            raise EmollmsError(f"{self.path} is no store of answers ({error}); remove it, or see --store") from None


def _dumped(prediction: Prediction) -> str:
    shares = prediction.probabilities
    rounded = None if shares is None else {name: round(value, 6) for name, value in shares.items()}
    return json.dumps([prediction.answer, rounded])


def _loaded(key: str, answer: str) -> Prediction:
    said, shares = json.loads(answer)
    probabilities: Mapping[str, float] | None = shares
    return Prediction(key, said, probabilities)
