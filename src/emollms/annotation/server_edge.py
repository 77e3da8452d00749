"""What holds for every request to `emollms serve`: an id, limits, a line in the log, and measures for Prometheus."""

import asyncio
import logging
import re
import time
import traceback
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from fastapi import HTTPException
from fastapi.responses import JSONResponse
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from starlette.types import Message, Receive, Scope, Send

from emollms.annotation.annotator import Annotator, Counts
from emollms.annotation.batcher import Batcher, ServerOptions

log = logging.getLogger("emollms.server")
PATHS = ("/", "/annotate", "/questions", "/health", "/metrics", "/openapi.json")
GONE = 499
"""What is logged and counted where a client hung up; nothing is sent."""
_REQUEST_ID = re.compile(r"[\w.:-]{1,128}", re.ASCII)
_TO_THE_END = 1.0
"""Seconds that a body has to arrive when the server stops."""


class Measures:
    """What `/metrics` tells."""

    def __init__(self, annotator: Annotator) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter("emollms_requests", "Requests.", ("path", "status"), registry=self.registry)
        self.seconds = Histogram("emollms_request_seconds", "Seconds of a request.", ("path",), registry=self.registry)
        self.texts = Counter("emollms_texts", "Texts that were annotated.", registry=self.registry)
        sizes = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
        self._sizes = Histogram("emollms_batch_texts", "Texts of a batch.", buckets=sizes, registry=self.registry)
        self._batches = Histogram("emollms_batch_seconds", "Seconds of a batch.", registry=self.registry)
        needed = "Answers that were needed, equal ones of a batch once."
        self._needed = Counter("emollms_answers_needed", needed, registry=self.registry)
        asked = "Answers that a model was asked for; the store had the rest."
        self._asked = Counter("emollms_answers_asked", asked, registry=self.registry)
        self._counts, self._seen = annotator.counts, Counts()

    def watch(self, batcher: Batcher) -> None:
        """Tell how long the queue is, and whether the server is ready."""
        waiting = Gauge("emollms_queue_texts", "Texts that wait.", registry=self.registry)
        waiting.set_function(lambda: batcher.waiting)
        ready = Gauge("emollms_ready", "Whether texts can be annotated.", registry=self.registry)
        ready.set_function(lambda: batcher.state == "ready")

    def batch(self, texts: int, seconds: float) -> None:
        """A batch was annotated."""
        self._sizes.observe(texts)
        self._batches.observe(seconds)
        self._needed.inc(self._counts.questions - self._seen.questions)
        self._asked.inc(self._counts.asked - self._seen.asked)
        self._seen = replace(self._counts)


class Edge:
    """What holds for every request: an id, a body of limited size that arrives in time, a line in the log, measures."""

    def __init__(
        self, app: Any, limits: ServerOptions, batcher: Batcher, measures: Measures, reading: "set[asyncio.Timeout]"
    ) -> None:
        self.app, self.limits, self.batcher, self.measures, self.reading = app, limits, batcher, measures, reading

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), GONE
        request_id = _request_id(scope["headers"])

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), (b"x-request-id", request_id.encode())]
            if status != GONE:
                await send(message)

        try:
            body = await self._body(scope, receive)
            if isinstance(body, HTTPException):
                answer = JSONResponse({"detail": body.detail}, body.status_code, {"Connection": "close"})
                await answer(scope, receive, send_marked)
            elif body is not None:
                await self.app(scope, _replayed(body, receive), send_marked)
        except Exception as error:  # a message may quote a text, so that the log has the type and the place
            where = "".join(traceback.format_tb(error.__traceback__))
            log.error("%s in request %s\n%s", type(error).__name__, request_id, where)
            if status == GONE:
                answer = JSONResponse({"detail": "an error of the server; its log tells more"}, 500)
                with suppress(Exception):
                    await answer(scope, receive, send_marked)
        finally:
            seconds = time.perf_counter() - started
            path = scope["path"] if scope["path"] in PATHS else "other"
            self.measures.requests.labels(path, str(status)).inc()
            self.measures.seconds.labels(path).observe(seconds)
            texts = scope.get("state", {}).get("texts")
            told = "" if texts is None else f" {texts} texts"
            log.info("%s %s %d%s %.1f ms %s", scope["method"], path, status, told, seconds * 1000, request_id)

    async def _body(self, scope: Scope, receive: Receive) -> bytes | HTTPException | None:
        """The body; what is wrong with it; or None where the client hung up."""
        too_large = HTTPException(413, f"the body is too large; send at most {self.limits.max_body:,} bytes")
        announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        # Up to so much is read and left aside: a client that is still sending would see a reset, and not the answer.
        patience = 16 * self.limits.max_body
        if int(announced) > patience:
            return too_large
        parts: list[bytes] = []
        size, more = 0, True
        deadline = asyncio.timeout(_TO_THE_END if self.batcher.state == "stopping" else self.limits.timeout)
        try:
            async with deadline:
                self.reading.add(deadline)
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    more = message.get("more_body", False)
                    size += len(message.get("body", b""))
                    if size > patience:
                        break
                    if size <= self.limits.max_body:
                        parts.append(message.get("body", b""))
        except TimeoutError:
            if self.batcher.state == "stopping":
                return HTTPException(503, "the server stops")
            return HTTPException(408, f"the body did not arrive in {self.limits.timeout:g} s")
        finally:
            self.reading.discard(deadline)
        return too_large if size > self.limits.max_body else b"".join(parts)


def _replayed(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _request_id(headers: Sequence[tuple[bytes, bytes]]) -> str:
    """The client's, where it is one that a log can hold; else a new one."""
    given = next((value.decode("latin-1") for name, value in headers if name == b"x-request-id"), "")
    return given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
