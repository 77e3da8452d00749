"""Annotation over HTTP: the application of `emollms serve`, and a page to try it."""

import asyncio
import base64
import hashlib
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from jinja2 import Environment, StrictUndefined
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from emollms import __version__
from emollms.annotation.annotator import Annotator
from emollms.annotation.asking import Item
from emollms.annotation.batcher import Batcher, NotServingError, QueueFullError, ServerOptions
from emollms.annotation.server_edge import GONE, Edge, Measures
from emollms.annotation.server_schema import (
    AnnotateRequest,
    AnnotateResponse,
    Health,
    Problem,
    QuestionsResponse,
    TargetedText,
    described,
    readable,
    told,
)
from emollms.errors import EmollmsError


def create_app(annotator: Annotator, options: ServerOptions | None = None) -> FastAPI:
    """The application that serves an annotator.

    It loads the models when it starts and closes the annotator when it stops; the caller leaves the annotator alone.
    `app.state.batcher` holds the queue, and `app.state.drain()` refuses what is new and finishes what is queued.

    Args:
        annotator: who answers; nothing of it needs to be loaded.
        options: the limits.
    """
    limits = options or ServerOptions()
    measures = Measures(annotator)
    batcher = Batcher(annotator, limits, measures.batch)
    measures.watch(batcher)
    reading: set[asyncio.Timeout] = set()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        batcher.start()
        yield
        batcher.stop()
        await asyncio.to_thread(batcher.join)

    app = FastAPI(
        title="emollms", version=__version__, summary="Scores, labels and confidences on texts.", lifespan=lifespan,
        docs_url=None, redoc_url=None,  # their pages load scripts from elsewhere
        responses={status: {"model": Problem, "description": text} for status, text in _PROBLEMS.items()},
    )  # fmt: skip

    def drain() -> None:
        batcher.stop()
        for one in reading:  # half a request must not hold up the end
            one.reschedule(0)

    app.state.batcher, app.state.drain = batcher, drain
    app.add_middleware(Edge, limits=limits, batcher=batcher, measures=measures, reading=reading)
    app.add_exception_handler(RequestValidationError, _invalid)
    _add_routes(app, batcher, measures)
    return app


_PROBLEMS = {
    400: "The body is no JSON",
    408: "The body did not arrive in time",
    413: "The body is too large",
}
_OF_ANNOTATE: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": text}
    for status, text in {
        422: "The request has another form",
        429: "The queue is full; `Retry-After` tells when to try again",
        500: "An error of the server",
        502: "The model, or the endpoint behind it, fails",
        503: "The model is not loaded yet, or the server stops",
        504: "There was no answer in time",
    }.items()
}


def _add_routes(app: FastAPI, batcher: Batcher, measures: "Measures") -> None:
    annotator, limits = batcher.annotator, batcher.options
    page, headers = _page()

    @app.post("/annotate", responses=_OF_ANNOTATE)
    async def annotate(body: AnnotateRequest, request: Request) -> AnnotateResponse:
        """Annotate texts: an answer to each question about each text, in order."""
        if len(body.texts) > limits.queue:
            raise HTTPException(413, f"{len(body.texts):,} texts are too many; send at most {limits.queue:,} at a time")
        request.state.texts = len(body.texts)
        items = [Item(one.text, one.target) if isinstance(one, TargetedText) else Item(one) for one in body.texts]
        try:
            job = batcher.submit(items)
        except NotServingError:
            raise _not_serving(batcher) from None
        except QueueFullError as error:
            raise HTTPException(429, str(error), {"Retry-After": str(error.retry_after)}) from None
        answers = asyncio.wrap_future(job.future)
        gone = asyncio.ensure_future(_disconnected(request))
        try:
            await asyncio.wait((answers, gone), timeout=limits.timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            has_left = gone.done()
            gone.cancel()
        if not answers.done():
            answers.cancel()  # and with it the texts that still wait
            if has_left:
                raise HTTPException(GONE, "the client hung up")
            raise HTTPException(504, f"there was no answer in {limits.timeout:g} s; send fewer texts, or later")
        try:
            rows = answers.result()
        except EmollmsError as error:
            raise HTTPException(502, str(error)) from None
        except Exception:  # the thread logged it
            raise HTTPException(500, "an error of the server; its log tells more") from None
        measures.texts.inc(len(rows))
        return AnnotateResponse(answers=[{name: told(one) for name, one in row.items()} for row in rows])

    @app.get("/questions")
    async def questions() -> QuestionsResponse:
        """What is asked of each text, and which answers there are."""
        fitted = annotator.calibration.tasks if annotator.calibration else {}
        asked = [described(one, annotator.scale, one.task.name in fitted) for one in annotator.questions]
        return QuestionsResponse(
            models=list(batcher.models),
            scale=annotator.scale,
            min_confidence=annotator.min_confidence,
            questions=asked,
        )

    @app.get("/health", responses={503: {"model": Health, "description": "Loading, or stopping"}})
    async def health(response: Response) -> Health:
        """Whether texts can be annotated now: 200 where they can."""
        response.status_code = 200 if batcher.state == "ready" else 503
        return Health(status=batcher.state)

    @app.get("/metrics", response_class=Response, responses={200: {"content": {CONTENT_TYPE_LATEST: {}}}})
    async def metrics() -> Response:
        """Measures of the server, for Prometheus."""
        return Response(
            generate_latest(measures.registry), media_type=None, headers={"Content-Type": CONTENT_TYPE_LATEST}
        )

    @app.get("/", response_class=HTMLResponse)
    async def index() -> Response:
        """A page to try it."""
        return HTMLResponse(page, headers=headers)


def _not_serving(batcher: Batcher) -> HTTPException:
    if batcher.state == "loading":
        return HTTPException(503, "the model is being loaded; try again in a while", {"Retry-After": "5"})
    return HTTPException(503, "the server stops", {"Retry-After": "30", "Connection": "close"})


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    """One line, without the text that was sent."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    # The names of a path are ours, but for a key that should not be there; what follows in it are kinds of elements.
    where = ".".join(str(part) for part in first["loc"][1:3])
    detail = readable(f"{where[:80]}: {first['msg']}" if where else first["msg"])
    return JSONResponse({"detail": detail}, 422)


def _page() -> tuple[str, Mapping[str, str]]:
    """The page, and headers that allow it nothing but its own script, its own style and this server."""
    source = (files("emollms.cards") / "serve.html.j2").read_text(encoding="utf-8")
    page = Environment(undefined=StrictUndefined, autoescape=True).from_string(source).render(version=__version__)
    allowed = {
        f"{kind}-src": " ".join(
            f"'sha256-{_digest(part)}'" for part in re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.S)
        )
        for kind, tag in (("script", "script"), ("style", "style"))
    }
    policy = "; ".join(
        ["default-src 'none'", *(f"{name} {value}" for name, value in allowed.items()), "connect-src 'self'",
         "img-src data:", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"]
    )  # fmt: skip
    return page, {"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer", "Cache-Control": "no-cache"}


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
