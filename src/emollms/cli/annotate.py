"""`emollms annotate`: scores, labels and confidences on any text."""

import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from emollms.cli.output import examples, print_note
from emollms.cli.table_options import Delimiter, Encoding, NoQuotes
from emollms.errors import UsageError
from emollms.progress import show_progress

if TYPE_CHECKING:
    from emollms.annotation.annotator import Annotator
    from emollms.annotation.answers import Scale
    from emollms.annotation.inputs import Input
    from emollms.annotation.labeling import LabelingFormat

app = typer.Typer()

_EXAMPLES = examples(
    "emollms annotate reviews.csv --text-column body --model OWNER/MODEL --out reviews.parquet",
    "emollms annotate tweets.jsonl --baseline vader --out tweets.annotated.jsonl",
    "emollms annotate posts.csv --model OWNER/MODEL --task valence,anger,joy,emotions --out posts.annotated.csv",
    "emollms annotate posts.csv --model OWNER/MODEL --labels frustrated,relieved,neutral --out posts.labels.csv",
    "emollms annotate posts.csv --model OWNER/MODEL --score contempt --range 0 100 --out posts.contempt.csv",
    "emollms annotate posts.csv --model OWNER/MODEL --plan",
    "echo 'I cannot stop smiling' | emollms annotate - --model OWNER/MODEL",
)


@app.command(epilog=_EXAMPLES)
def annotate(
    texts: Annotated[
        str | None,
        typer.Argument(metavar="FILE|REPO[@REV]|-", help="A table of texts, here or on the Hub; - for stdin."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help=".csv, .tsv, .jsonl (each also .gz) or .parquet; stdout where there is none."
        ),
    ] = None,
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
    text_column: Annotated[str, typer.Option(metavar="NAME", help="The column of the texts.")] = "text",
    target_column: Annotated[
        str | None, typer.Option(metavar="NAME", help="The column of what TDT asks about.")
    ] = None,
    scale: Annotated[Literal["unit", "native"], typer.Option(help="Scores on 0..1, or as the task has them.")] = "unit",
    min_confidence: Annotated[
        float | None, typer.Option(metavar="P", help="Withhold answers that are less sure, 0 to 1.")
    ] = None,
    calibration: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Of `emollms calibrate`; by default that of the model.")
    ] = None,
    nested: Annotated[bool, typer.Option("--nested", help="In Parquet: one struct column a question.")] = False,
    format: Annotated[
        Literal["label-studio", "argilla"] | None,
        typer.Option(help="Write for people to correct, the least certain first, in place of a table."),
    ] = None,
    corrections: Annotated[
        Path | None,
        typer.Option(
            metavar="EXPORT", help="Read what people corrected in Label Studio (JSON) as a table of gold labels."
        ),
    ] = None,
    split: Annotated[str | None, typer.Option(metavar="NAME", help="Of a data set on the Hub.")] = None,
    config: Annotated[str | None, typer.Option(metavar="NAME", help="Of a data set on the Hub.")] = None,
    store: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where answers are kept for later runs; a file in the cache.")
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
        float | None, typer.Option(metavar="SUM", help="With --price: stop before more is spent; answers are kept.")
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Ask about 50 texts, tell what all will take, and write nothing.")
    ] = False,
    delimiter: Delimiter = None,
    encoding: Encoding = "utf-8",
    no_quotes: NoQuotes = False,
) -> None:
    """Annotate texts: every row comes back in its place, with scores, labels, confidences and intervals.

    A run that was stopped resumes where the same command is given again; what was answered once is not asked again.
    """
    if corrections:
        _write_corrections(corrections, texts, out)
        return
    if texts is None:
        raise UsageError("name a table of texts, or - for standard input")
    from emollms.annotation.annotator import Annotator
    from emollms.annotation.inputs import open_input
    from emollms.annotation.open import open_annotator
    from emollms.annotation.plan import plan_annotation
    from emollms.annotation.run import annotate_file
    from emollms.tables.files import Dialect

    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="emollms-")))
        source = open_input(
            texts, text_column, target_column, Dialect(delimiter, encoding, not no_quotes), scratch, split, config
        )
        annotator = open_annotator(
            Annotator, model, endpoint=endpoint, baseline=baseline, task=task,
            labels=labels, multi=multi, score=score, range=range, scale=scale, min_confidence=min_confidence,
            calibration=calibration, engine=engine, template=template, dtype=dtype, workers=workers,
            per_minute=per_minute, price=price, max_cost=max_cost, store=store, fresh=fresh, warn=print_note,
        )  # fmt: skip
        stack.enter_context(annotator)
        if plan:
            with show_progress("rows") as on_progress:
                planned = plan_annotation(annotator, source.table, on_progress=on_progress)
            print(planned)
            return
        if format:
            _annotate_for_labeling(annotator, source, out, format, text_column, scale)
            return
        place = out or scratch / f"annotated.{source.table.format or 'jsonl'}"
        with show_progress("rows") as on_progress:
            done = annotate_file(
                annotator,
                source.table,
                place,
                digest=source.digest,
                nested=nested,
                on_progress=on_progress,
                warn=print_note,
            )
        if out is None:
            with place.open("rb") as stream:
                shutil.copyfileobj(stream, sys.stdout.buffer)
        else:
            print_note(repr(done))


def _annotate_for_labeling(
    annotator: "Annotator",
    source: "Input",
    out: Path | None,
    format: "LabelingFormat",
    text_column: str,
    scale: "Scale",
) -> None:
    """Annotate into a table beside `out`, which resumes as any other, and turn that into tasks or records."""
    import pyarrow.parquet as pq

    from emollms.annotation.labeling import write_for_labeling
    from emollms.annotation.run import annotate_file

    if out is None:
        raise UsageError(f"--format {format} writes two files; name the first with --out")
    table = out.with_name(f".{out.name}.parquet")
    with show_progress("rows") as on_progress:
        annotate_file(annotator, source.table, table, digest=source.digest, on_progress=on_progress, warn=print_note)
    agent = " + ".join(predictor.name for predictor in annotator.predictors)
    beside = write_for_labeling(pq.read_table(table), annotator.questions, out, format, text_column, agent, scale)
    table.unlink()
    table.with_name(f"{table.name}.json").replace(out.with_name(f"{out.name}.json"))
    print_note(f"{out} for {format}, configured by {beside}")


def _write_corrections(export: Path, texts: str | None, out: Path | None) -> None:
    """Write what people corrected as a table."""
    from emollms.annotation.labeling import corrections
    from emollms.annotation.tables import format_of, table_bytes
    from emollms.storage import write_whole

    if texts is not None:
        raise UsageError("--corrections reads an export alone; leave out the table of texts")
    table = corrections(export)
    if out is None:
        sys.stdout.buffer.write(table_bytes(table, "csv"))
        return
    format, gzipped = format_of(out)
    write_whole(out, table_bytes(table, format, gzipped))
    print_note(f"{out}: {table.num_rows:,} annotations by people")
