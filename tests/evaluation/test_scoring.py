"""Scores of tasks: parts, policies, intervals, and the comparison of two models."""

import json
import math
import time
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from emollms.errors import UsageError
from emollms.evaluation.comparison import compare
from emollms.evaluation.scoring import ScoredTask, gold_label, score
from emollms.evaluation.task_metrics import TASK_METRICS, metrics_of
from emollms.prompts.answers import ParsedAnswer
from emollms.tasks import TASKS, MultiLabelTask, OrdinalTask, Task, benchmark_tasks, get_task

INVALID = ParsedAnswer(None, "no number: 'perhaps'")


def parsed(*values: Any) -> list[ParsedAnswer]:
    return [INVALID if value is None else ParsedAnswer(value, None) for value in values]


def made_up(task: Task, n: int, seed: int = 0) -> list[Any]:
    generator = np.random.default_rng(seed)
    if isinstance(task, MultiLabelTask):
        return [tuple(label for label in task.labels if generator.random() < 0.3) for _ in range(n)]
    if isinstance(task, OrdinalTask):
        return [int(number) for number in generator.choice(list(task.classes), n)]
    return [float(number) for number in generator.random(n)]


def emotions(task: Task, n: int) -> list[str | None]:
    return [task.emotions[i * len(task.emotions) // n] if task.emotions else None for i in range(n)]


def scored(name: str, gold_labels: Sequence[Any], *values: Any, policy: Any = "official") -> ScoredTask:
    return score(get_task(name), gold_labels, parsed(*values), policy=policy, resamples=50)


def predicted(result: ScoredTask) -> list[Any]:
    return result.pairs.predicted.tolist()


def test_every_task_has_metrics() -> None:
    assert set(TASK_METRICS) <= set(TASKS)  # others are scored as their kind is
    assert all(metrics_of(task) for task in TASKS.values())
    mains = {task.name: TASK_METRICS[task.name].main.name for task in benchmark_tasks()}
    assert {task for task, main in mains.items() if main == "accuracy"} == {"SST5", "TDT"}
    assert {task for task, main in mains.items() if main == "jaccard_weighted"} == {"E-c", "GoEmotions"}


@pytest.mark.parametrize("task", TASKS.values(), ids=list(TASKS))
def test_right_answers_get_the_best_score(task: Task) -> None:
    gold_labels = made_up(task, 60)
    result = score(task, gold_labels, parsed(*gold_labels), emotions(task, 60), resamples=50)
    assert [round(metric.value, 9) for metric in result.metrics.values()] == [1.0] * len(result.metrics)
    assert (result.n, result.scored, result.invalid_count, result.invalid_rate) == (60, 60, 0, 0.0)


@pytest.mark.parametrize("policy", ["official", "drop", "worst"])
@pytest.mark.parametrize("task", TASKS.values(), ids=list(TASKS))
def test_never_nan_and_never_a_warning(task: Task, policy: Any) -> None:
    gold_labels = made_up(task, 8)
    cases = [parsed(*[None] * 8), parsed(*[gold_labels[0]] * 8), parsed(*gold_labels[:4], *[None] * 4)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for rows, answers in [(8, case) for case in cases] + [(1, cases[0][:1]), (1, cases[1][:1]), (0, [])]:
            about = emotions(task, 8)[:rows]
            result = score(task, gold_labels[:rows], answers, about, policy=policy, resamples=20)
            json.dumps(result.to_scores().model_dump(mode="json"), allow_nan=False)
            assert compare(result, result, resamples=20).difference == 0


def test_official_policy() -> None:
    assert predicted(scored("V-reg", [0.1, 0.9], None, 0.3)) == [0.5, 0.3]
    assert predicted(scored("V-oc", [-3, 3], None, 3)) == [0.0, 3.0]
    assert predicted(scored("E-c", [["joy"], ["fear"]], None, ("fear",)))[0] == [False] * 11
    for task in ("SST5", "TDT"):
        result = scored(task, [0, 1, 1], None, 1, 1)
        assert math.isnan(predicted(result)[0])
        assert result.metrics["accuracy"].value == pytest.approx(2 / 3)
        assert result.metrics["macro_f1"].value == pytest.approx(0.5)


def test_the_middle_of_a_native_scale() -> None:
    result = score(get_task("V-A"), [-2.0, 2.0], parsed(None, 1.0), scale=(-4.0, 4.0), resamples=5)
    assert predicted(result) == [0.0, 1.0]


@pytest.mark.parametrize(("task", "metrics"), [("V-reg", {"pearson", "pearson_upper_half"}), ("V-oc", {"pearson"})])
def test_constant_answers_have_no_correlation(task: str, metrics: set[str]) -> None:
    gold_labels = [0.1, 0.6, 0.9, 0.7] if task == "V-reg" else [-3, 0, 1, 3]
    constant = scored(task, gold_labels, *[1] * 4)
    undefined = {name for name, metric in constant.metrics.items() if metric.interval is None}
    assert metrics <= undefined
    assert all(constant.metrics[name].value == 0 for name in undefined)
    assert "kappa" not in undefined  # kappa of constant answers is 0 by its formula
    varied = scored(task, gold_labels, *gold_labels)
    assert all(metric.interval for metric in varied.metrics.values())
    assert compare(varied, constant).interval is None


def test_one_undefined_emotion_counts_as_0_in_the_mean() -> None:
    gold_labels, said = [0.1, 0.9, 0.2, 0.8], parsed(0.1, 0.9, 0.5, 0.5)
    result = score(get_task("EI-reg"), gold_labels, said, ["anger", "anger", "joy", "joy"], resamples=5)
    parts = result.metrics["pearson"].parts
    assert parts["joy"].interval is None
    assert parts["anger"].interval is not None
    assert result.value == pytest.approx(0.5)
    assert result.metrics["pearson"].interval is not None


def test_drop_leaves_rows_out() -> None:
    result = scored("V-reg", [0.1, 0.5, 0.9], 0.2, None, 0.8, policy="drop")
    assert (result.n, result.scored, result.invalid_count) == (3, 2, 1)
    assert result.value == pytest.approx(1.0)
    assert result.metrics["pearson"].n == 2


def test_worst_is_the_farthest_answer() -> None:
    assert predicted(scored("V-reg", [0.1, 0.9], None, None, policy="worst")) == [1.0, 0.0]
    assert predicted(scored("V-oc", [-3, 0, 3], None, None, None, policy="worst")) == [3.0, -3.0, -3.0]
    flags = predicted(scored("E-c", [["joy", "love"]], None, policy="worst"))[0]
    assert [label for label, flag in zip(get_task("E-c").labels, flags, strict=True) if not flag] == ["joy", "love"]


def test_policies_are_ordered() -> None:
    gold_labels = made_up(get_task("V-reg"), 200)
    answers = [INVALID if i % 10 == 0 else ParsedAnswer(value, None) for i, value in enumerate(gold_labels)]
    values = [
        score(get_task("V-reg"), gold_labels, answers, policy=p, resamples=5).value
        for p in ("drop", "official", "worst")
    ]
    assert values == sorted(values, reverse=True)
    assert values[0] == pytest.approx(1.0)


def test_invalid_answers_are_counted_by_reason() -> None:
    answers = [
        ParsedAnswer(None, "off the scale: '5'"),
        ParsedAnswer(None, "empty answer"),
        ParsedAnswer(None, "off the scale: '7'"),
    ]
    result = score(get_task("SST"), [0.1, 0.2, 0.3], answers, resamples=5)
    assert result.invalid == {"off the scale": 2, "empty answer": 1}
    assert (result.invalid_count, result.invalid_rate) == (3, 1.0)
    assert result.to_scores().model_dump(mode="json")["invalid"] == {
        "policy": "official", "rate": 1.0, "n": 3, "reasons": {"off the scale": 2, "empty answer": 1},
    }  # fmt: skip


def test_an_answer_that_is_no_finite_number_could_not_be_read() -> None:
    result = scored("SST", [0.1, 0.2, 0.3], 0.1, float("nan"), float("inf"))
    assert result.invalid == {"not a number": 2}


def test_parts() -> None:
    task = get_task("EI-reg")
    gold_labels = made_up(task, 40)
    result = score(task, gold_labels, parsed(*made_up(task, 40, 1)), emotions(task, 40))
    metric = result.metrics["pearson"]
    assert tuple(metric.parts) == task.emotions
    assert metric.value == pytest.approx(np.mean([part.value for part in metric.parts.values()]))
    assert sum(part.n for part in metric.parts.values()) == metric.n == 40
    labels = score(get_task("E-c"), [["joy"], ["fear"]], parsed(("joy",), ()), resamples=5)
    assert labels.metrics["macro_f1"].parts["joy"].value == 1.0
    assert labels.metrics["macro_f1"].parts["fear"].value == 0.0
    assert not labels.metrics["micro_f1"].parts
    assert set(scored("TDT", [-1, 1], -1, 0).metrics["macro_f1"].parts) == {"-1", "1"}


def test_only_the_emotions_that_are_there_count() -> None:
    task = get_task("EI-reg")
    gold_labels = [0.1, 0.5, 0.9]
    result = score(task, gold_labels, parsed(*gold_labels), ["joy"] * 3, resamples=5)
    assert result.value == pytest.approx(1.0)
    assert tuple(result.metrics["pearson"].parts) == ("joy",)


def test_labels_that_no_corpus_annotated_are_no_labels() -> None:
    task = get_task("BRIGHTER-E-c")
    rows = [["anger"], ["joy"], ["fear", "sadness"], ["surprise"]]
    said = parsed(*map(tuple, rows))
    assert score(task, rows, said).value == pytest.approx(5 / 6)  # macro-F1: disgust is in neither, and counts 0
    result = score(task, rows, said, unannotated=[("disgust",)] * 4)
    assert "disgust" not in result.pairs.labels
    assert result.value == pytest.approx(1.0)


@pytest.mark.parametrize("policy", ["official", "worst"])
def test_a_label_counts_in_the_rows_that_asked_for_it(policy: str) -> None:
    """Two corpora in one task: what the first says of disgust is scored, and not what it made up about the second."""
    task = get_task("BRIGHTER-E-c")
    rows = [["disgust"], ["disgust", "joy"], ["joy"], ["anger"]]
    said = parsed(("disgust",), ("disgust", "joy"), ("disgust", "joy"), None)
    left_out = [(), (), ("disgust",), ("disgust", "surprise")]
    result = score(task, rows, said, policy=policy, unannotated=left_out)
    assert result.pairs.labels == task.labels
    assert result.metrics["macro_f1"].parts["disgust"].value == 1.0
    assert result.metrics["macro_f1"].parts["joy"].value == (1.0 if policy == "official" else pytest.approx(0.8))


def test_expected_classes() -> None:
    result = scored("V-oc", [-3, 0, 1, 3], -2.6, 0.2, 0.6, 2.9)
    assert result.metrics["accuracy"].value == 1.0
    assert 0.99 < result.value < 1.0


def test_intervals_hold_the_value_and_repeat() -> None:
    task = get_task("EI-oc")
    gold_labels, answers, about = made_up(task, 400), parsed(*made_up(task, 400, 1)), emotions(task, 400)
    first, second = (score(task, gold_labels, answers, about) for _ in range(2))
    assert first.to_scores() == second.to_scores()
    assert first.to_scores() != score(task, gold_labels, answers, about, seed=1).to_scores()
    for metric in first.metrics.values():
        for figure in (metric, *metric.parts.values()):
            assert figure.interval
            assert figure.interval.low <= figure.value <= figure.interval.high


def test_a_large_task_takes_seconds() -> None:
    task = get_task("GoEmotions")
    gold_labels, answers = made_up(task, 5427), parsed(*made_up(task, 5427, 1))
    start = time.process_time()
    score(task, gold_labels, answers)
    assert time.process_time() - start < 30


def noisy(gold_labels: Sequence[float], noise: float, seed: int) -> list[ParsedAnswer]:
    generator = np.random.default_rng(seed)
    return parsed(*[float(value) for value in np.array(gold_labels) + noise * generator.normal(size=len(gold_labels))])


def test_a_model_and_itself() -> None:
    for task in TASKS.values():
        gold_labels = made_up(task, 60)
        result = score(task, gold_labels, parsed(*made_up(task, 60, 1)), emotions(task, 60), resamples=20)
        found = compare(result, result, resamples=100)
        assert (found.difference, found.interval.low, found.interval.high, found.above_noise) == (0, 0, 0, False)


def test_pairing_finds_what_single_intervals_do_not() -> None:
    task = get_task("V-reg")
    gold_labels = made_up(task, 400)
    worse = noisy(gold_labels, 0.1, 1)
    better = parsed(
        *[0.9 * answer.value + 0.1 * gold for answer, gold in zip(worse, gold_labels, strict=True)]  # type: ignore[operator]
    )
    a, b = score(task, gold_labels, better), score(task, gold_labels, worse)
    found = compare(a, b)
    assert a.metrics["pearson"].interval.low < b.metrics["pearson"].interval.high
    assert found.above_noise
    assert found.difference == pytest.approx(a.value - b.value)
    assert found.interval.low < found.difference < found.interval.high
    back = compare(b, a)
    assert (back.difference, back.interval.low) == pytest.approx((-found.difference, -found.interval.high))


def test_equally_good_models_are_within_noise() -> None:
    task = get_task("V-reg")
    gold_labels = made_up(task, 400)
    found = compare(
        score(task, gold_labels, noisy(gold_labels, 0.3, 1)),
        score(task, gold_labels, noisy(gold_labels, 0.3, 2)),
        "pearson",
    )
    assert not found.above_noise


def test_a_row_dropped_for_one_is_dropped_for_both() -> None:
    gold_labels = [0.1, 0.5, 0.9, 0.3]
    a = scored("V-reg", gold_labels, 0.1, None, 0.9, 0.3, policy="drop")
    b = scored("V-reg", gold_labels, 0.1, 0.5, 0.9, None, policy="drop")
    assert compare(a, b).n == 2


def test_what_cannot_be_compared() -> None:
    a = scored("V-reg", [0.1, 0.9], 0.1, 0.9)
    for other in (
        scored("SST", [0.1, 0.9], 0.1, 0.9),
        scored("V-reg", [0.1, 0.8], 0.1, 0.9),
        scored("V-reg", [0.1, 0.9], 0.1, 0.9, policy="drop"),
    ):
        with pytest.raises(UsageError, match="same rows in the same order, with the same policy"):
            compare(a, other)
    with pytest.raises(UsageError, match="unknown metric of task V-reg 'kapa'"):
        compare(a, a, "kapa")


def test_wrong_calls() -> None:
    task = get_task("E-c")
    with pytest.raises(UsageError, match="1 gold labels, 2 answers"):
        score(task, [["joy"]], parsed((), ()))
    with pytest.raises(UsageError, match="unknown policy for invalid answers 'wurst'; did you mean worst"):
        scored("E-c", [["joy"]], (), policy="wurst")
    with pytest.raises(UsageError, match="unknown label of task E-c 'joyful'; did you mean joy"):
        scored("E-c", [["joyful"]], ())
    with pytest.raises(UsageError, match="row 1 has no gold"):
        scored("SST", [0.1, None], 0.1, 0.2)
    with pytest.raises(UsageError, match="one emotion at a time"):
        scored("EI-reg", [0.1], 0.1)


def test_gold_of_a_row() -> None:
    row = {"labels": ["joy"], "score": 0.25}
    assert gold_label(get_task("E-c"), row) == ["joy"]
    assert gold_label(get_task("V-A"), row) == 0.25
