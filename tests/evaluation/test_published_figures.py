"""Every score of METRICS.md that the two released models' answers give, to three decimals.

METRICS.md was made with a looser reader than `parse_answer`. It differs in 10 of BLOOM's 13,269 answers to these tasks,
all listed in `LOOSE`; with them its figures come out, and without them those of `STRICT`, at most .017 away (V-reg,
gold ≥ .5). The lenient rule reads the same in EI-reg, V-reg and E-c. Two figures
of METRICS.md are cut where rounding goes up: `ROUNDED_UP`.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from evaluation.reference_rows import BLOOM, CHAT_13B, SCALES, Answers, answers

from emollms.evaluation.scales import choose_scale
from emollms.evaluation.scoring import ScoredTask, score
from emollms.prompts.answers import ParsedAnswer

pytestmark = pytest.mark.corpora
EMOTIONS = ("anger", "fear", "joy", "sadness")

FIGURES: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "EI-reg": {
        "pearson": (0.832, 0.789),
        "pearson/anger": (0.829, 0.804),
        "pearson/fear": (0.837, 0.798),
        "pearson/joy": (0.844, 0.786),
        "pearson/sadness": (0.820, 0.770),
        "pearson_upper_half": (0.680, 0.599),
    },
    "EI-oc": {
        "pearson": (0.764, 0.733),
        "pearson/anger": (0.756, 0.725),
        "pearson/fear": (0.765, 0.718),
        "pearson/joy": (0.779, 0.745),
        "pearson/sadness": (0.756, 0.744),
        "pearson_nonzero": (0.579, 0.556),
        "kappa": (0.737, 0.706),
        "kappa_nonzero": (0.535, 0.515),
    },
    "V-reg": {"pearson": (0.887, 0.857), "pearson_upper_half": (0.746, 0.730)},
    "V-oc": {
        "pearson": (0.857, 0.813),
        "pearson_nonzero": (0.903, 0.851),
        "kappa": (0.857, 0.809),
        "kappa_nonzero": (0.902, 0.843),
    },
    "E-c": {
        "jaccard_weighted": (0.535, 0.530),
        "jaccard": (0.577, 0.569),
        "micro_f1": (0.695, 0.684),
        "macro_f1": (0.548, 0.553),
    },
}
LOOSE = {
    "EI-reg": {
        2047: 0.0,  # 0.distribution(joy).mean 0.4
        2865: 0.0,  # 0.游戏中的大反派是 0.271
        3641: 0.0,  # 0. sevendipoor
        3649: 0.0,  # 0.antecedent: … 0.688
    },
    "EI-oc": {309: 1},  # about anger: `1: low amount of fear can be inferred`
    "V-reg": {3: 0.0, 641: 0.0},  # 0. Maaanchewing 0.4233, and 0.五
    "V-oc": {735: -1},  # -1: slightly … -2: moderately …
    "E-c": {1183: ("disgust", "fear"), 2927: ("joy", "sadness")},  # with `neutralornoemotion`
}
ROUNDED_UP = {
    ("EI-oc", "kappa_nonzero"): 0.516,  # .51550, there .515
    ("E-c", "jaccard_weighted"): 0.531,  # .53052, there .530
}
"""BLOOM's figures that METRICS.md has one lower in the third decimal."""
STRICT = {
    "EI-reg": {
        "pearson": 0.791,
        "pearson/anger": 0.804,
        "pearson/fear": 0.798,
        "pearson/joy": 0.788,
        "pearson/sadness": 0.774,
        "pearson_upper_half": 0.601,
    },
    "V-reg": {"pearson": 0.865, "pearson_upper_half": 0.747},
    "V-oc": {"pearson_nonzero": 0.850, "kappa_nonzero": 0.842},
}
"""BLOOM's figures with `parse_answer`, where they differ from METRICS.md."""


def figure(result: ScoredTask, name: str) -> float:
    metric, _, part = name.partition("/")
    found = result.metrics[metric].parts[part] if part else result.metrics[metric]
    return round(found.value, 3)


def rounded_up(task: str) -> dict[str, float]:
    return {name: value for (own, name), value in ROUNDED_UP.items() if own == task}


def read_loosely(read: Answers) -> Answers:
    loose = LOOSE[read.task.name]
    assert all(read.parsed[row].value is None for row in loose)
    return replace(
        read,
        parsed=[ParsedAnswer(loose[row], None) if row in loose else answer for row, answer in enumerate(read.parsed)],
    )


@pytest.mark.parametrize("task", FIGURES)
@pytest.mark.parametrize("model", [CHAT_13B, BLOOM])
def test_figures_of_metrics_md(reference_dir: Path, model: str, task: str) -> None:
    read = answers(reference_dir, model, task)
    result = score(*(read if model == CHAT_13B else read_loosely(read)).rows, resamples=1)
    expected = {name: values[model == BLOOM] for name, values in FIGURES[task].items()}
    if model == BLOOM:
        expected |= rounded_up(task)
    assert {name: figure(result, name) for name in expected} == expected


@pytest.mark.parametrize("task", FIGURES)
def test_figures_with_the_strict_reader(reference_dir: Path, task: str) -> None:
    result = score(*answers(reference_dir, BLOOM, task).rows, resamples=1)
    expected = {name: values[1] for name, values in FIGURES[task].items()} | rounded_up(task)
    expected |= STRICT.get(task, {})
    assert {name: figure(result, name) for name in expected} == expected


LENIENT = {
    "SST5": {"accuracy": (0.255, 0.409), "macro_f1": (0.212, 0.362)},
    "TDT": {"accuracy": (0.611, 0.488), "macro_f1": (0.609, 0.497)},
    "SST": {"pearson": (0.809, 0.812)},
    "V-oc": {"pearson": (0.857, 0.822), "kappa": (0.857, 0.819)},
    "V-A": {"pearson": (0.703, 0.776)},
    "V-M": {"pearson": (0.596, 0.817)},
    "V-NYT": {"pearson": (0.514, 0.559)},
    "V-T": {"pearson": (0.827, 0.790)},
    "EmoBank": {"pearson": (0.202, 0.261)},
    "GoEmotions": {"jaccard_weighted": (0.320, 0.339), "macro_f1": (0.338, 0.367)},
}
"""Measured here with the lenient rule, on native scales. The paper has .409 for BLOOM on SST5, and .822 on V-oc."""


@pytest.mark.parametrize("task", LENIENT)
@pytest.mark.parametrize("model", [CHAT_13B, BLOOM])
def test_figures_with_the_lenient_rule(reference_dir: Path, model: str, task: str) -> None:
    read = answers(reference_dir, model, task, "lenient")
    result = score(*read.rows, scale=SCALES.get(task, (0.0, 1.0)), resamples=1)
    expected = {name: values[model == BLOOM] for name, values in LENIENT[task].items()}
    assert {name: figure(result, name) for name in expected} == expected


@pytest.mark.parametrize("task", ["EI-reg", "EI-oc", "V-reg", "E-c"])
@pytest.mark.parametrize("model", [CHAT_13B, BLOOM])
def test_the_lenient_rule_gives_the_figures_of_metrics_md(reference_dir: Path, model: str, task: str) -> None:
    result = score(*answers(reference_dir, model, task, "lenient").rows, resamples=1)
    # Of EI-oc, it reads `5: high amount of joy can be inferred` and `high`, which are invalid in METRICS.md.
    within = 0.0035 if task == "EI-oc" else 0.0011
    for name, values in FIGURES[task].items():
        assert figure(result, name) == pytest.approx(values[model == BLOOM], abs=within), name


@pytest.mark.parametrize("task", SCALES)
@pytest.mark.parametrize("model", [CHAT_13B, BLOOM])
def test_native_answers_look_native(reference_dir: Path, model: str, task: str) -> None:
    read = answers(reference_dir, model, task)
    found = choose_scale(read.task, list(zip(read.texts, read.emotions, strict=True)))
    assert found is not None
    assert (found.name, (found.low, found.high)) == ("native", SCALES[task])


def test_all_metrics_of_a_task_are_averaged_over_emotions(reference_dir: Path) -> None:
    result = score(*answers(reference_dir, CHAT_13B, "EI-oc").rows, resamples=1)
    for metric in result.metrics.values():
        assert tuple(metric.parts) == EMOTIONS
        assert metric.value == pytest.approx(sum(part.value for part in metric.parts.values()) / 4)


def test_the_other_tasks(reference_dir: Path) -> None:
    """Measured here, and held: METRICS.md has no figures of these."""
    expected = {"SST": (0.809, 0.815), "SST5": (0.255, 0.403), "TDT": (0.555, 0.474), "GoEmotions": (0.320, 0.339)}
    for task, values in expected.items():
        for model, value in zip((CHAT_13B, BLOOM), values, strict=True):
            result = score(*answers(reference_dir, model, task).rows, resamples=1)
            assert figure(result, result.main) == value, (task, model)
