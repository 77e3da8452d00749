"""`emollms serve`: annotation over HTTP."""

from typing import Annotated

import typer

from emollms.cli import annotator_options as given
from emollms.cli.output import examples, print_note, show_times

app = typer.Typer()

_EXAMPLES = examples(
    "emollms serve --model OWNER/MODEL",
    "emollms serve --baseline vader --port 9000",
    "emollms serve --model OWNER/MODEL --task valence,joy,emotions --max-wait-ms 20 --max-batch 256",
    'curl -s localhost:8000/annotate --json \'{"texts": ["I cannot stop smiling"]}\'',
)


@app.command(epilog=_EXAMPLES)
def serve(
    model: given.Models = None,
    endpoint: given.Endpoint = None,
    baseline: given.Baselines = None,
    task: given.Tasks = None,
    labels: given.Labels = None,
    multi: given.Multi = False,
    score: given.Scores = None,
    range: given.Range = (0.0, 1.0),
    scale: given.OutputScale = "unit",
    min_confidence: given.MinConfidence = None,
    calibration: given.CalibrationFile = None,
    map: given.Map = None,
    store: given.Store = None,
    fresh: given.Fresh = False,
    engine: given.Engine = None,
    template: given.Template = "auto",
    dtype: given.Dtype = "auto",
    workers: given.Workers = 8,
    per_minute: given.PerMinute = None,
    price: given.Price = None,
    max_cost: given.MaxCost = None,
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
        calibration=calibration, map=map, engine=engine, template=template, dtype=dtype, workers=workers,
        per_minute=per_minute, price=price, max_cost=max_cost, store=store, fresh=fresh, warn=print_note,
    )  # fmt: skip
    from emollms.annotation.server_run import listen, run_server

    with listen(host, port) as socket:
        show_times("emollms.server")
        run_server(annotator, options, socket, print_note)
