"""A model that answers the rows of a run."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from emollms.errors import UsageError
from emollms.evaluation.data import Row
from emollms.evaluation.sources import Kind
from emollms.inference import engines
from emollms.inference.decoding import Mode, decode
from emollms.inference.engine import Engine, EngineInfo
from emollms.inference.hashing import weights_hash
from emollms.inference.predictions import Prediction
from emollms.inference.smollm2 import resolve
from emollms.prompts.framing import Template
from emollms.tasks import Task

CHUNK = 512
"""Rows that go to an engine together. A chunk that was cut short is asked again as a whole, so that each row has the
same neighbours, and gets the same answer to the last digit, whether its run was killed or not."""


@dataclass
class ModelSource:
    """A model, here or behind a server.

    Args:
        model: folder, `OWNER/NAME`, `OWNER/NAME@REVISION`, the packaged model (see `smollm2.resolve`), or the name that
            the server knows it by.
        mode: how its answers are decoded.
        engine: which engine; None for `endpoint` where there is a server, else `transformers`.
        url: address of the server.
        template: how prompts are framed; `chat` uses the chat interface of a server.
        dtype: the numbers' type; not for a server.
        seed: decides what is sampled.
        shown: its name for people, if it is another.
        workers: the most requests to a server at a time.
        per_minute: the most requests to a server a minute; None for no limit.
    """

    model: str
    mode: Mode = "expectation"
    engine: engines.Name | None = None
    url: str | None = None
    template: Template = "auto"
    dtype: str = "auto"
    seed: int = 0
    shown: str | None = None
    workers: int = 8
    per_minute: float | None = None
    _opened: Engine | None = field(default=None, repr=False)
    _begun_dtype: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.url is not None and urlsplit(self.url).username is not None:
            raise UsageError("the address of a server takes no user and password; put the key into OPENAI_API_KEY")
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
        if self.shown:
            return self.shown
        is_folder = self.kind == "model" and Path(self.model).is_dir()
        return Path(self.model).resolve().name if is_folder else self.model

    def settings(self) -> dict[str, Any]:
        """See `Source.settings`; the weights stand for a folder, wherever it is."""
        about: dict[str, Any] = {"engine": self.engine, "template": self.template}
        if self.kind == "endpoint":
            return about | {"model": self.model, "endpoint": self.url}
        folder = Path(resolve(self.model))
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
        rows = sorted(rows, key=lambda row: str(row["prompt"]))
        for first in range(0, len(rows), CHUNK):
            chunk = rows[first : first + CHUNK]
            missing = {row["id"] for row in chunk} - set(known)
            if self.kind == "endpoint":  # a server answers each request by itself, and may want money for it
                chunk = [row for row in chunk if row["id"] in missing]
            if missing:
                found = decode(self._engine(), task, chunk, self.mode, seed=self.seed)
                yield from (prediction for prediction in found if prediction.id in missing)

    def close(self) -> None:
        """Let go of the model."""
        if self._opened:
            self._opened.close()
            self._opened = None

    def _engine(self) -> Engine:
        if self._opened is None:
            name = self.engine or "transformers"
            if name == "endpoint":
                self._opened = engines.open_engine(name, self.model, url=self.url, **self._manners())
            else:
                _hide_bars()
                model, revision = split_revision(resolve(self.model))
                options = {"revision": revision, "dtype": self._begun_dtype or self.dtype, "template": self.template}
                self._opened = engines.open_engine(name, model, url=self.url, **options)
        return self._opened

    def _manners(self) -> dict[str, Any]:
        """How a server is asked."""
        from emollms.inference.http import Patience

        api = "chat" if self.template == "chat" else "completions"
        return {"api": api, "workers": self.workers, "patience": Patience(per_minute=self.per_minute)}


def split_revision(model: str) -> tuple[str, str | None]:
    """Folder, or repository and revision, from `OWNER/NAME@REVISION`."""
    if Path(model).is_dir():
        return model, None
    name, _, revision = model.partition("@")
    return name, revision or None


def _hide_bars() -> None:
    """Keep bars of transformers away: a run has one of its own."""
    try:
        from transformers.utils import logging
    except ModuleNotFoundError:
        return  # the engine tells what is missing
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
