"""Requests that come close together are annotated together, by the one thread that owns the annotator."""

import logging
import math
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from emollms.annotation.annotator import Annotator
from emollms.annotation.answers import Affect
from emollms.annotation.asking import Item
from emollms.errors import EmollmsError, UsageError

State = Literal["loading", "ready", "stopping", "failed"]
log = logging.getLogger("emollms.server")


@dataclass(frozen=True)
class ServerOptions:
    """The limits of a server.

    Args:
        max_wait: seconds that a request waits for others to come, so that they are annotated together.
        max_batch: the most texts that are annotated together.
        max_body: the most bytes of a request.
        queue: the most texts that wait, and the most of one request.
        timeout: seconds until a request that has no answer fails.

    Raises:
        UsageError: a limit that nothing can keep.
    """

    max_wait: float = 0.005
    max_batch: int = 64
    max_body: int = 1 << 20
    queue: int = 4096
    timeout: float = 60.0

    def __post_init__(self) -> None:
        if not 0 <= self.max_wait < math.inf:
            raise UsageError(f"--max-wait-ms {self.max_wait * 1000:g} is no time to wait; give 0 or more")
        for name in ("max_batch", "max_body", "queue"):
            if getattr(self, name) < 1:
                option = name.replace("_", "-")
                raise UsageError(f"--{option} {getattr(self, name)} lets no request through; give 1 or more")
        if not 0 < self.timeout < math.inf:
            raise UsageError(f"--timeout {self.timeout:g} lets no request through; give a number of seconds above 0")


class QueueFullError(Exception):
    """There is no room for more texts.

    Args:
        retry_after: whole seconds until there should be.
    """

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"the queue is full; try again in {retry_after} s")
        self.retry_after = retry_after


class NotServingError(Exception):
    """The model is not loaded yet, or the server stops."""


@dataclass(eq=False)
class QueuedRequest:
    """The texts of one request.

    Args:
        items: the texts.
        since: when it came, of `time.monotonic`.
        future: of its answers; one that is cancelled is not annotated any further.
    """

    items: Sequence[Item]
    since: float
    future: "Future[list[Affect]]" = field(default_factory=Future)
    taken: int = 0
    answers: list[Affect] = field(default_factory=list)

    @property
    def left(self) -> int:
        """How many of its texts wait."""
        return len(self.items) - self.taken

    def take(self, room: int) -> Sequence[Item]:
        """The next texts, at most `room`."""
        some = self.items[self.taken : self.taken + room]
        self.taken += len(some)
        return some

    def add(self, answers: Sequence[Affect]) -> None:
        """Take the answers to texts that were taken; the last ones end it."""
        self.answers += answers
        if len(self.answers) == len(self.items):
            with suppress(InvalidStateError):  # the client is gone, or its time was up
                self.future.set_result(self.answers)

    def fail(self, error: Exception) -> None:
        """End it without answers."""
        with suppress(InvalidStateError):
            self.future.set_exception(error)


class Batcher:
    """Queues requests for the thread that loads the annotator, asks it, and closes it.

    Args:
        annotator: who answers; the caller leaves it alone from `start` on.
        options: the limits.
        on_batch: is told the texts of each batch, and the seconds that it took; called in the thread.
    """

    def __init__(
        self,
        annotator: Annotator,
        options: ServerOptions,
        on_batch: Callable[[int, float], None] = lambda texts, seconds: None,
    ) -> None:
        self.annotator, self.options, self._on_batch = annotator, options, on_batch
        self.state: State = "loading"
        self.failure: Exception | None = None
        self.models: tuple[str, ...] = ()
        self.on_end: Callable[[], None] = lambda: None
        """Called in the thread when it ends, after `stop` or a failure."""
        self._jobs: deque[QueuedRequest] = deque()
        self._waiting = 0
        self._pace = 0.0  # seconds a text, lately
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="annotator", daemon=True)

    @property
    def waiting(self) -> int:
        """How many texts wait."""
        return self._waiting

    def start(self) -> None:
        """Load the models, in the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Take no more requests; the thread ends when those that wait are answered."""
        with self._changed:
            if self.state != "failed":
                self.state = "stopping"
            self._changed.notify_all()

    def join(self) -> None:
        """Wait until the thread has ended."""
        self._thread.join()

    def submit(self, items: Sequence[Item]) -> QueuedRequest:
        """Queue the texts of a request.

        Raises:
            NotServingError: the models are not loaded, or the server stops.
            QueueFullError: there is no room.
        """
        with self._changed:
            if self.state != "ready":
                raise NotServingError(self.state)
            if self._waiting + len(items) > self.options.queue:
                raise QueueFullError(min(60, math.ceil(max(1.0, self._waiting * self._pace))))
            job = QueuedRequest(items, time.monotonic())
            if items:
                self._jobs.append(job)
                self._waiting += len(items)
                self._changed.notify_all()
        if not items:
            job.add([])
        # One that was cancelled must not take up room until the thread comes to it.
        job.future.add_done_callback(lambda _: self._forget(job))
        return job

    def _forget(self, job: QueuedRequest) -> None:
        with self._changed, suppress(ValueError):
            self._jobs.remove(job)
            self._waiting -= job.left

    def _run(self) -> None:
        try:
            _ = self.annotator.identities  # loads the models
            self.models = tuple(one.name for one in self.annotator.predictors)
            with self._changed:
                if self.state == "loading":
                    self.state = "ready"
            while batch := self._next():
                self._annotate(batch)
        except Exception as error:
            with self._changed:
                self.failure, self.state = error, "failed"
                left = list(self._jobs)
            for job in left:
                job.fail(error)
        finally:
            with suppress(Exception):
                self.annotator.close()
            self.on_end()

    def _next(self) -> list[tuple[QueuedRequest, Sequence[Item]]]:
        """The next texts, by request; none where the server stops and nothing waits."""
        with self._changed:
            batch: list[tuple[QueuedRequest, Sequence[Item]]] = []
            while not batch:
                while not self._jobs:
                    if self.state == "stopping":
                        return []
                    self._changed.wait()
                while self._jobs and self._waiting < self.options.max_batch and self.state == "ready":
                    patience = self._jobs[0].since + self.options.max_wait - time.monotonic()
                    if patience <= 0:
                        break
                    self._changed.wait(patience)
                room = self.options.max_batch
                for _ in range(len(self._jobs)):
                    job = self._jobs.popleft()
                    some = job.take(room)
                    batch.append((job, some))
                    room -= len(some)
                    self._waiting -= len(some)
                    if job.left:  # behind those that came later, so that a long request does not hold up short ones
                        self._jobs.append(job)
                    if not room:
                        break
        return batch

    def _annotate(self, batch: Sequence[tuple[QueuedRequest, Sequence[Item]]]) -> None:
        items = [item for _, some in batch for item in some]
        started = time.perf_counter()
        try:
            found = self.annotator.annotate(items)
        except Exception as error:
            if len(batch) > 1 and not isinstance(error, EmollmsError):
                for part in batch:  # one request must not fail for what is in another
                    self._annotate([part])
                return
            if not isinstance(error, EmollmsError):
                where = "".join(traceback.format_tb(error.__traceback__))
                log.error("%s while annotating (its message may quote a text)\n%s", type(error).__name__, where)
            for job, _ in batch:
                job.fail(error)
            return
        finally:
            if self.annotator.store.path is None:  # else a server with --fresh would grow with each text
                self.annotator.store.clear()
        seconds = time.perf_counter() - started
        self._pace = 0.8 * self._pace + 0.2 * seconds / len(items) if self._pace else seconds / len(items)
        at = 0
        for job, some in batch:
            job.add(found[at : at + len(some)])
            at += len(some)
        self._on_batch(len(items), seconds)
