"""`emollms distill`: a one-pass classifier from what a teacher says of texts."""

from pathlib import Path
from typing import Annotated

import typer

from emollms.cli import annotator_options as given
from emollms.cli import complete
from emollms.cli.base import TableCommand
from emollms.cli.output import examples, print_note
from emollms.cli.table_options import Delimiter, Encoding, NoQuotes
from emollms.cli.train import Minutes, Resume, Settings, print_run

app = typer.Typer()

_EXAMPLES = examples(
    "emollms distill --recipe emosmol-135m-heads --teacher OWNER/MODEL --texts a.csv --data out/aaid --out out/small",
    "emollms distill --recipe emosmol-135m-heads --teacher out/mean --texts a.csv --data out/aaid --alpha .5 --out s",
    "emollms distill --recipe emosmol-135m-heads --baseline vader --task valence --texts posts.jsonl --out out/valence",
    "emollms annotate a.csv --model OWNER/MODEL --task E-c --plan   # what the teacher will take",
)


@app.command(epilog=_EXAMPLES, cls=TableCommand)
def distill(
    recipe: Annotated[
        str,
        typer.Option(
            metavar="RECIPE",
            help="Name of a recipe with `objective: heads`, or a YAML file.",
            autocompletion=complete.recipe,
        ),
    ],
    texts: Annotated[str, typer.Option(metavar="FILE|REPO[@REV]|-", help="A table of texts, here or on the Hub.")],
    out: Annotated[Path, typer.Option(metavar="RUN", help="The folder of the run.")],
    data: Annotated[
        str | None, typer.Option(metavar="DIR|REPO[@REV]", help="A data set whose gold is mixed in, and validates.")
    ] = None,
    teacher: given.Models = None,
    endpoint: given.Endpoint = None,
    baseline: given.Baselines = None,
    task: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,…",
            help="What the teacher is asked; by default the tasks of recipe and data.",
            autocompletion=complete.questions,
        ),
    ] = None,
    weight: Annotated[
        float, typer.Option(metavar="W", help="What a text of the teacher counts in the loss, against one with gold.")
    ] = 1.0,
    alpha: Annotated[
        float, typer.Option(metavar="A", help="The part of the teacher in targets that have gold too, 0 to 1.")
    ] = 0.0,
    text_column: Annotated[str, typer.Option(metavar="NAME", help="The column of the texts.")] = "text",
    min_confidence: Annotated[
        float | None, typer.Option(metavar="P", help="Leave out answers that are less sure, 0 to 1.")
    ] = None,
    calibration: given.CalibrationFile = None,
    map: given.Map = None,
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
    set: Settings = None,
    minutes: Minutes = None,
    resume: Resume = False,
    delimiter: Delimiter = None,
    encoding: Encoding = "utf-8",
    no_quotes: NoQuotes = False,
) -> None:
    """Train a small one-pass classifier on what a teacher says of texts, mixed with gold.

    The teacher is any annotator: models, an endpoint, lexicons, or several of them. Its distributions are the targets.
    The same command resumes a run that was killed or stopped, while the teacher answers or later. The exit code is 75
    for a run that was asked to stop (SIGTERM, Ctrl-C) in training and saved a checkpoint.
    """
    import emollms

    run = emollms.distill(
        recipe, texts=texts, out=out, data=data, teacher=teacher, endpoint=endpoint, baseline=baseline, task=task,
        weight=weight, alpha=alpha, text_column=text_column, min_confidence=min_confidence, calibration=calibration,
        map=map, split=split, config=config, store=store, fresh=fresh, engine=engine, template=template, dtype=dtype,
        workers=workers, per_minute=per_minute, price=price, max_cost=max_cost, set=set or (), minutes=minutes,
        resume=resume, delimiter=delimiter, encoding=encoding, no_quotes=no_quotes, progress=True, warn=print_note,
    )  # fmt: skip
    print_run(run)
