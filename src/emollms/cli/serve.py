"""`emollms serve`: annotation over HTTP."""

import logging
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from emollms.cli.output import examples, print_note

app = typer.Typer()

_EXAMPLES = examples(
    "emollms serve --model OWNER/MODEL",
    "emollms serve --baseline vader --port 9000",
    "emollms serve --model OWNER/MODEL --task valence,joy,emotions --max-wait-ms 20 --max-batch 256",
    'curl -s localhost:8000/annotate --json \'{"texts": ["I cannot stop smiling"]}\'',
)


@app.command(epilog=_EXAMPLES)
def serve(
    model: Annotated[
        list[str] | None,
        typer.Option(metavar="PATH|REPO[@REV]", help="Given more than once for an ensemble."),
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option(metavar="URL", help="An OpenAI-compatible server; its key comes from OPENAI_API_KEY.")
    ] = None,
    baseline: Annotated[
        list[str] | None, typer.Option(metavar="vader|textblob", help="A lexicon; alone, or in the ensemble.")
    ] = None,
    task: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,…",
            help="valence, anger, fear, joy, sadness, arousal, dominance, emotions, sentiment, or a task of the "
            "benchmark; by default what the model was tuned on.",
        ),
    ] = None,
    labels: Annotated[
        str | None, typer.Option(metavar="A,B,…", help="Your own labels, one of which is chosen.")
    ] = None,
    multi: Annotated[bool, typer.Option("--multi", help="With --labels: any number of them.")] = False,
    score: Annotated[list[str] | None, typer.Option(metavar="WHAT", help="Something of your own to score.")] = None,
    range: Annotated[tuple[float, float], typer.Option(metavar="LOW HIGH", help="With --score: its scale.")] = (
        0.0,
        1.0,
    ),
    scale: Annotated[Literal["unit", "native"], typer.Option(help="Scores on 0..1, or as the task has them.")] = "unit",
    min_confidence: Annotated[
        float | None, typer.Option(metavar="P", help="Withhold answers that are less sure, 0 to 1.")
    ] = None,
    calibration: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Of `emollms calibrate`; by default that of the model.")
    ] = None,
    store: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where answers are kept, without texts; a file in the cache.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Ask everything anew, and keep nothing.")] = False,
    engine: Annotated[
        Literal["transformers", "vllm", "endpoint"] | None,
        typer.Option(help="What runs a model; by default what fits."),
    ] = None,
    template: Annotated[Literal["auto", "frame", "chat"], typer.Option(help="How prompts are framed.")] = "auto",
    dtype: Annotated[str, typer.Option(metavar="NAME", help="auto, float32, bfloat16 or float16.")] = "auto",
    workers: Annotated[int, typer.Option(metavar="N", help="The most requests to an endpoint at a time.")] = 8,
    per_minute: Annotated[
        float | None, typer.Option(metavar="N", help="The most requests to an endpoint a minute.")
    ] = None,
    price: Annotated[
        tuple[float, float] | None,
        typer.Option(metavar="IN OUT", help="What an endpoint asks for a million tokens read, and written."),
    ] = None,
    max_cost: Annotated[
        float | None, typer.Option(metavar="SUM", help="With --price: answer 502 before more is spent.")
    ] = None,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Where to listen; by default this machine alone can connect.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="N", help="0 for one that is free.", min=0, max=65535)] = 8000,
    max_wait_ms: Annotated[
        float, typer.Option(metavar="MS", help="How long a request waits for others, to be annotated together.")
    ] = 5.0,
    max_batch: Annotated[int, typer.Option(metavar="N", help="The most texts that are annotated together.")] = 64,
    max_body: Annotated[int, typer.Option(metavar="BYTES", help="Of a request; a larger one is a 413.")] = 1 << 20,
    queue: Annotated[int, typer.Option(metavar="N", help="The most texts that wait; more are a 429.")] = 4096,
    timeout: Annotated[float, typer.Option(metavar="S", help="A request without an answer by then is a 504.")] = 60.0,
) -> None:
    """Serve an annotator over HTTP: POST /annotate, and a page to try it at /.

    SIGTERM refuses new requests, finishes what is queued, and ends with exit code 0. Texts are not logged.
    """
    from emollms.annotation.annotator import Annotator
    from emollms.annotation.batcher import ServerOptions
    from emollms.annotation.open import open_annotator
    from emollms.optional import check_installed

    check_installed(["fastapi", "prometheus_client", "uvicorn"], "serve", "emollms serve")
    options = ServerOptions(max_wait_ms / 1000, max_batch, max_body, queue, timeout)
    annotator = open_annotator(
        Annotator, model, endpoint=endpoint, baseline=baseline, task=task,
        labels=labels, multi=multi, score=score, range=range, scale=scale, min_confidence=min_confidence,
        calibration=calibration, engine=engine, template=template, dtype=dtype, workers=workers,
        per_minute=per_minute, price=price, max_cost=max_cost, store=store, fresh=fresh, warn=print_note,
    )  # fmt: skip
    from emollms.annotation.server_run import listen, run_server

    with listen(host, port) as socket:
        logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(message)s", level=logging.INFO)
        for library in ("uvicorn", "httpx", "httpx2", "huggingface_hub", "transformers"):
            logging.getLogger(library).setLevel(logging.WARNING)
        run_server(annotator, options, socket, print_note)
