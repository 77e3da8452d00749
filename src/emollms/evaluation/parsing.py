"""From predictions to what is scored: answers as they were parsed, or what their probabilities make of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from emollms.dataset.reader import Row
from emollms.errors import UsageError, unknown
from emollms.evaluation.calibration import TaskCalibration
from emollms.evaluation.metrics import Flags, Floats, Integers
from emollms.evaluation.reliability import calibration_error, class_reliability, reliability
from emollms.evaluation.scales import Scale, ScaleChoice, choose_scale
from emollms.evaluation.task_metrics import PEARSON, metrics_of
from emollms.evaluation.task_scores import NO_ANSWER, CalibrationScore
from emollms.evaluation.temperature import expected_value, temper
from emollms.inference.decoding import Decode, likely_labels
from emollms.inference.predictions import Prediction
from emollms.prompts.answers import Parse, ParsedAnswer, parse_answer
from emollms.tasks import MultiLabelTask, OrdinalTask, Task

ScoredBy = Literal["answer", "expected class", "likeliest class", "likeliest labels"]
"""What is scored. The expected class is better by Pearson's r, the likeliest one by accuracy."""


@dataclass(frozen=True)
class ParsedPredictions:
    """What the predictions for the rows of a task say.

    Args:
        scored_by: what is scored.
        by_parse: for each row, by the rule that answers are parsed by; scores are on 0..1.
        parse: the rule that was asked for.
        scale: the scale that scores were on; None where the task has none.
        calibration: error and bins of a reliability diagram, and what was used of a calibration; None without
            probabilities of classes or labels.
    """

    scored_by: ScoredBy
    by_parse: Mapping[Parse, list[ParsedAnswer]]
    parse: Parse
    scale: ScaleChoice | None
    calibration: CalibrationScore | None

    @property
    def parsed(self) -> list[ParsedAnswer]:
        """For each row, by the rule that was asked for."""
        return self.by_parse[self.parse]


def parse_predictions(
    task: Task,
    rows: Sequence[Row],
    predictions: Mapping[str, Prediction],
    decode: Decode = Decode.expected_value,
    fitted: TaskCalibration | None = None,
    parse: Parse = "strict",
    scale: Scale = "unit",
) -> ParsedPredictions:
    """Parse the predictions for `rows`, by both rules.

    Args:
        task: the task.
        rows: its rows.
        predictions: by id; a row without one counts as invalid, and so does an answer that cannot be parsed.
        decode: in `expected_value`, probabilities are scored where a prediction has them; else answers.
        fitted: temperature or thresholds to apply.
        parse: the rule that answers are scored by.
        scale: the scale that answers to regression tasks are on.

    Raises:
        UsageError: a prediction has probabilities of something that is no class or label of the task, or there is no
            such rule or scale.
    """
    if parse not in get_args(Parse):
        raise unknown("rule for parsing answers", parse, get_args(Parse))
    found = [predictions.get(str(row["id"])) for row in rows]
    said = [(one.answer, row["emotion"]) for row, one in zip(rows, found, strict=True) if one]
    chosen = choose_scale(task, said, scale)
    strict = [_parse(task, row, one, chosen, "strict") for row, one in zip(rows, found, strict=True)]
    lenient = [
        parsed if parsed.value is not None else _parse(task, row, one, chosen, "lenient")
        for row, one, parsed in zip(rows, found, strict, strict=True)
    ]
    by_parse: dict[Parse, list[ParsedAnswer]] = {"strict": strict, "lenient": lenient}
    names = probability_names(task, rows)
    table = (
        [ordered_probabilities(task, names, prediction) for prediction in found]
        if decode == Decode.expected_value
        else []
    )
    places = [place for place, shares in enumerate(table) if shares is not None]
    if not places:
        return ParsedPredictions("answer", by_parse, parse, chosen, None)
    shares = np.array([table[place] for place in places], dtype=np.float64)
    rule, better, calibration = _by_probability(task, names, shares, [rows[place] for place in places], fitted)
    # Labels that a model named, with a probability each, were chosen by its own thresholds.
    keeps_named = isinstance(task, MultiLabelTask) and not (fitted and fitted.thresholds)
    for parsed in by_parse.values():
        for place, answer in zip(places, better, strict=True):
            named, own = parsed[place].value, found[place]
            known = own.probabilities if own and own.probabilities else {}
            if not keeps_named or not isinstance(named, tuple) or not known.keys() >= set(named):
                parsed[place] = answer
    return ParsedPredictions(rule, by_parse, parse, chosen, calibration)


def _parse(
    task: Task, row: Row, prediction: Prediction | None, scale: ScaleChoice | None, parse: Parse
) -> ParsedAnswer:
    if prediction is None:
        return ParsedAnswer(None, NO_ANSWER)
    if scale is None:
        return parse_answer(task, prediction.answer, row["emotion"], parse=parse)
    return scale.to_unit(parse_answer(task, prediction.answer, row["emotion"], (scale.low, scale.high), parse))


def probability_names(task: Task, rows: Sequence[Row]) -> tuple[str, ...]:
    """What classes and labels are called in a prediction; nothing for a score, whose tenths are only shown.

    Of labels those that any of `rows` asks for.
    """
    if isinstance(task, OrdinalTask):
        return tuple(map(str, task.classes))
    if not isinstance(task, MultiLabelTask):
        return ()
    asked = {label for row in rows for label in task.labels_asked(row)}
    return tuple(label for label in task.labels if label in asked)


def ordered_probabilities(task: Task, names: tuple[str, ...], prediction: Prediction | None) -> list[float] | None:
    """The probabilities of a prediction in the order of `names`; None where it has none.

    Raises:
        UsageError: it has one of something else.
    """
    if not names or prediction is None or prediction.probabilities is None:
        return None
    shares = [prediction.probabilities.get(name, 0.0) for name in names]
    if alien := set(prediction.probabilities) - set(names):
        raise UsageError(
            f"the prediction for {prediction.id} has a probability of {min(alien)!r}, which is nothing in task "
            f"{task.name}; it has {', '.join(names)}"
        )
    return shares if isinstance(task, MultiLabelTask) or sum(shares) > 0 else None


def _by_probability(
    task: Task, names: tuple[str, ...], shares: Floats, rows: Sequence[Row], fitted: TaskCalibration | None
) -> tuple[ScoredBy, list[ParsedAnswer], CalibrationScore]:
    if isinstance(task, MultiLabelTask):
        limits = fitted.thresholds if fitted else None
        said = [likely_labels(task, dict(zip(names, row, strict=True)), limits) for row in shares.tolist()]
        applied: dict[str, Any] = {"thresholds": limits or None}
        return (
            "likeliest labels",
            [ParsedAnswer(tuple(labels), None) for labels in said],
            _calibration(task, names, shares, rows, **applied),
        )
    assert isinstance(task, OrdinalTask)
    temperature = fitted.temperature if fitted else None
    shares = temper(shares, temperature) if temperature else shares
    rule, values = _classes(task, shares)
    applied = {"temperature": temperature}
    return rule, [ParsedAnswer(value, None) for value in values], _calibration(task, names, shares, rows, **applied)


def _classes(task: OrdinalTask, shares: Floats) -> tuple[ScoredBy, list[float]]:
    """The expected class where the published metric is a correlation, else the likeliest."""
    numbers = list(task.classes)
    if metrics_of(task).main is PEARSON:
        return "expected class", expected_value(shares, numbers).tolist()
    return "likeliest class", [numbers[place] for place in shares.argmax(axis=1).tolist()]


def _calibration(
    task: Task, names: tuple[str, ...], shares: Floats, rows: Sequence[Row], **applied: Any
) -> CalibrationScore:
    gold = gold_columns(task, names, rows)
    if isinstance(task, MultiLabelTask):
        asked = np.array([[name in task.labels_asked(row) for name in names] for row in rows], dtype=np.bool_)
        bins = reliability(shares[asked], np.asarray(gold, dtype=np.bool_)[asked])
    else:
        bins = class_reliability(shares, gold)
    return CalibrationScore(error=calibration_error(bins), bins=bins, rows=len(rows), **applied)


def gold_columns(task: Task, names: tuple[str, ...], rows: Sequence[Row]) -> NDArray[Any]:
    """The column of each row's class, or booleans of shape (rows, labels)."""
    if isinstance(task, MultiLabelTask):
        flags: Flags = np.array([[name in row["labels"] for name in names] for row in rows], dtype=np.bool_)
        return flags.reshape(len(rows), len(names))
    places: Integers = np.array([names.index(str(int(row["score"]))) for row in rows], dtype=np.int64)
    return places
