"""`emollms annotate`: scores, labels and confidences on any text."""

import json
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from emollms.cli import annotator_options as given
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
    "emollms annotate posts.csv --model OWNER/CLASSIFIER --map labels.yaml --out posts.annotated.csv",
    "emollms annotate posts.csv --model OWNER/CLASSIFIER --engine onnx --dtype int8 --out posts.annotated.csv",
    "emollms annotate posts.csv --model OWNER/MODEL --task valence --wordings all --out posts.wordings.csv",
    "emollms annotate posts.csv --model OWNER/MODEL --plan",
    "emollms annotate posts.csv --model OWNER/MODEL --push OWNER/posts   # --yes does it",
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
    model: given.Models = None,
    endpoint: given.Endpoint = None,
    baseline: given.Baselines = None,
    task: given.Tasks = None,
    labels: given.Labels = None,
    multi: given.Multi = False,
    score: given.Scores = None,
    range: given.Range = (0.0, 1.0),
    wordings: given.Wordings = None,
    text_column: Annotated[str, typer.Option(metavar="NAME", help="The column of the texts.")] = "text",
    target_column: Annotated[
        str | None, typer.Option(metavar="NAME", help="The column of what TDT asks about.")
    ] = None,
    scale: given.OutputScale = "unit",
    min_confidence: given.MinConfidence = None,
    calibration: given.CalibrationFile = None,
    map: given.Map = None,
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
    push: Annotated[
        str | None, typer.Option(metavar="OWNER/NAME", help="Publish the table as a data set; with --yes.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="With --push: do it; without this, the plan is shown.")] = False,
    public: Annotated[bool, typer.Option("--public", help="With --push: show the repo to everybody.")] = False,
    split: Annotated[str | None, typer.Option(metavar="NAME", help="Of a data set on the Hub.")] = None,
    config: Annotated[str | None, typer.Option(metavar="NAME", help="Of a data set on the Hub.")] = None,
    store: given.Store = None,
    fresh: given.Fresh = False,
    engine: given.Engine = None,
    template: given.Template = "auto",
    dtype: given.Dtype = "auto",
    workers: given.Workers = 8,
    per_minute: given.PerMinute = None,
    price: given.Price = None,
    max_cost: given.MaxCost = None,
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
    _check_push(push, yes, public, out, format)
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
            labels=labels, multi=multi, score=score, range=range, wordings=wordings, scale=scale,
            min_confidence=min_confidence,
            calibration=calibration, map=map, engine=engine, template=template, dtype=dtype, workers=workers,
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
        place = out or scratch / f"annotated.{'parquet' if push else source.table.format or 'jsonl'}"
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
        if out:
            print_note(repr(done))
        elif not push:
            with place.open("rb") as stream:
                shutil.copyfileobj(stream, sys.stdout.buffer)
        if push:
            _push(annotator, place, push, yes, public)


def _check_push(push: str | None, yes: bool, public: bool, out: Path | None, format: str | None) -> None:
    """Make sure, before anything is asked, that what is annotated can be published."""
    if not push:
        if yes or public:
            raise UsageError("--yes and --public go with --push")
        return
    from emollms.annotation.writer import format_of
    from emollms.hub.annotations import check_target

    if format:
        raise UsageError(f"--push publishes a table, and --format {format} writes none; give one of them")
    if out and format_of(out)[0] != "parquet":
        raise UsageError(f"--push publishes Parquet, and --out {out} is none; name it .parquet, or leave it out")
    check_target(push)


def _push(annotator: "Annotator", table: Path, repo: str, yes: bool, public: bool) -> None:
    """Publish an annotated table, or show what would be published."""
    from emollms.cli.publish import shown
    from emollms.hub.annotations import publish_annotations

    record = json.loads(table.with_name(f"{table.name}.json").read_text(encoding="utf-8"))
    with show_progress("steps", "reading the table and the repo") as on_progress:
        plan = shown(
            lambda on_plan: publish_annotations(
                annotator, table, record, repo, yes=yes, public=public, on_progress=on_progress, on_plan=on_plan,
                on_step=print_note,
            ),
            yes,
            public,
        )  # fmt: skip
    if yes:
        print_note(f'load it: datasets.load_dataset("{repo}", revision="{plan.release.tag}")')


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
    from emollms.annotation.writer import format_of, table_bytes
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
