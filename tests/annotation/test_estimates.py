"""Estimates from annotations: by hand, on made-up rows, from files, and wrong calls."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import emollms
from emollms.annotation.correlations import _fisher, correlation
from emollms.annotation.estimands import LabelledOutcome, ThreeWays, difference, fraction, mean
from emollms.annotation.quantiles import quantile
from emollms.annotation.rectify import rectify
from emollms.annotation.regression import Regressors, fitted_to, rectified_coefficient, regression

CALL = Callable[..., tuple[int, str, str]]


def test_by_hand() -> None:
    """Four rows, two labels: the regression estimator of survey sampling."""
    predicted, gold = np.array([0.0, 1.0, 2.0, 3.0]), np.array([0.5, 2.5])
    outcome = LabelledOutcome(predicted, gold, np.array([0, 2]))
    found, alone = rectify(outcome.design, gold, predicted, (1.5, 1.0, 1.5))
    assert alone.value == 1.5
    # Covariance of labels and predictions 1, variance of all predictions 5/3.
    assert found.lam == pytest.approx(0.6)
    assert found.value == pytest.approx(1.5 + 0.6 * 0.5)
    # Residuals .5 and 1.3, whose variance is .32; half of the rows are known.
    assert found.labelled == pytest.approx(0.32 / 2 * 0.5)


def test_weights_undo_an_uneven_draw() -> None:
    """Hájek's estimator by hand: rows of weight 1 and 3."""
    predicted, gold = np.zeros(8), np.array([1.0, 0.0, 0.0])
    found = mean(LabelledOutcome(predicted, gold, np.array([0, 1, 2]), np.array([1.0, 3.0, 4.0])))
    assert found.rectified.value == pytest.approx(1 / 8)
    assert found.people == found.rectified


@pytest.mark.parametrize("statistic", [mean, fraction])
def test_all_labels_leave_no_doubt(statistic: Callable[[LabelledOutcome], ThreeWays]) -> None:
    gold = np.repeat([0.0, 1.0], 20)
    found = statistic(LabelledOutcome(np.linspace(0, 1, 40), gold, np.arange(40)))
    assert (found.rectified.low, found.rectified.high) == pytest.approx((0.5, 0.5))
    assert found.people == found.rectified


def test_the_influences_of_rows_on_a_correlation_are_what_leaving_each_out_changes() -> None:
    """Rows of several weights: one of weight 2 is left out as two rows are."""
    random = np.random.default_rng(4)
    x, y, counts = random.normal(size=12), random.normal(size=12), np.repeat([1.0, 2.0, 0.5], 4)
    found, influences = _fisher(x, y, counts)
    assert found == pytest.approx(np.arctanh(np.cov(x, y, aweights=counts)[0, 1] / np.sqrt(np.prod(
        [np.cov(one, aweights=counts) for one in (x, y)]))))  # fmt: skip
    for row in range(12):
        rest = np.delete(np.arange(12), row)
        covariance = np.cov(x[rest], y[rest], aweights=counts[rest])
        without = np.arctanh(covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]))
        assert influences[row] == pytest.approx((found - without) * counts[rest].sum() / counts[row])


def test_a_constant_has_no_correlation() -> None:
    """Even where it is one row that makes the labels vary at all."""
    gold, other, own = np.zeros(40), np.linspace(0, 1, 40), np.arange(40)
    for value in (0.0, 1.0):
        gold[7] = value
        outcome = LabelledOutcome(np.tile(gold, 10), gold, own)
        found = correlation(outcome, LabelledOutcome(np.tile(other, 10), other, own))
        assert found.rectified.low < 0.1
        assert np.isfinite([found.rectified.width, found.people.width]).all()


@pytest.mark.parametrize(("seed", "is_rectified"), [(5, True), (58, False)])
def test_a_rectified_logistic_loss_may_have_no_minimum(seed: int, is_rectified: bool) -> None:
    """With the power 1, where the search for the best power begins, or with the best one: people's labels alone."""
    random, rows, own = np.random.default_rng(seed), 600, np.arange(40)
    mood = random.normal(0, 0.2, rows)
    x = np.column_stack([np.ones(rows), mood + random.normal(0, 0.07, rows)])
    gold = (mood + random.normal(0, 0.05, rows) > 0) * 1.0
    outcome = LabelledOutcome((mood + random.normal(0, 0.07, rows) > 0) * 1.0, gold[own], own)
    terms = Regressors(("one", "x"), x, x[own])
    fit = fitted_to(outcome, terms, logistic=True)
    assert (fit.solve(fit, 1.0) is None) == is_rectified
    assert (rectified_coefficient(fit, 1) is not None) == is_rectified
    found = regression(outcome, terms, logistic=True)["x"]
    assert np.isfinite(found.rectified.width)
    assert found.rectified == found.people or is_rectified


def made_up(rows: int = 2_000, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gold, predictions that are wrong for group 1, and groups, of which gold does not depend."""
    random = np.random.default_rng(seed)
    groups = random.integers(0, 2, rows)
    gold = np.clip(random.beta(2, 3, rows), 0, 1)
    return gold, np.clip(0.8 * gold + 0.15 * groups + random.normal(0, 0.06, rows), 0, 1), groups


@pytest.mark.parametrize(
    "statistic",
    [
        "difference",
        "fraction",
        "correlation",
        "slope",
        *(pytest.param(q, marks=pytest.mark.slow) for q in ("median", "quantile")),
    ],
)
@pytest.mark.parametrize("uneven", [False, True])
def test_other_statistics_hold_the_truth(statistic: str, uneven: bool) -> None:
    """400 draws of 120 labels, with equal and with unequal probabilities: 92 to 98.5 %, three standard errors wider."""
    gold, predicted, groups = made_up()
    rows = len(gold)
    x = np.column_stack([np.ones(rows), groups, gold + np.random.default_rng(1).normal(0, 0.3, rows)])
    terms = ("one", "group", "x")
    chances = np.where(predicted > 0.5, 0.12, 0.04) if uneven else np.full(rows, 0.06)
    chances = chances * 120 / chances.sum()
    ordered = np.sort(gold)
    truth = {
        "difference": gold[groups == 1].mean() - gold[groups == 0].mean(),
        "fraction": (gold > 0.5).mean(),
        "median": ordered[rows // 2 - 1],
        "quantile": ordered[int(0.8 * rows) - 1],
        "correlation": np.corrcoef(gold, x[:, 2])[0, 1],
        "slope": np.linalg.lstsq(x, gold, rcond=None)[0][1],
    }[statistic]
    held, narrower = [], []
    for seed in range(400):
        random = np.random.default_rng(seed)
        labelled = np.flatnonzero(random.random(rows) < chances)
        weights = 1 / chances[labelled] if uneven else None
        outcome = LabelledOutcome(predicted, gold[labelled], labelled, weights)
        if statistic == "difference":
            found = difference(outcome, groups)
        elif statistic == "fraction":
            found = fraction(LabelledOutcome((predicted > 0.5) * 1.0, (gold[labelled] > 0.5) * 1.0, labelled, weights))
        elif statistic == "correlation":
            found = correlation(outcome, LabelledOutcome(x[:, 2], x[labelled, 2], labelled, weights))
        elif statistic == "slope":
            found = regression(outcome, Regressors(terms, x, x[labelled]))["group"]
        else:
            found = quantile(outcome, 0.5 if statistic == "median" else 0.8)
        held.append(found.rectified.low <= truth <= found.rectified.high)
        narrower.append(found.rectified.width / found.people.width)
        assert not found.naive.low <= truth <= found.naive.high or statistic in ("fraction", "quantile", "median")
    assert 0.92 <= np.mean(held) <= 0.985
    assert np.mean(narrower) < 0.95


def test_agreement_of_a_few_labels_is_no_certainty() -> None:
    gold = np.tile([0.0, 1.0], 20)
    found = fraction(LabelledOutcome(np.tile([0.0, 1.0], 500), gold, np.arange(40)))
    assert 0.02 < found.rectified.width < found.people.width


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `annotated.csv`, as `annotate` writes it, and `gold.csv` with 150 labels."""
    folder = tmp_path_factory.mktemp("estimates")
    gold, predicted, groups = made_up(1_200)
    words = {True: "joy", False: ""}
    frame = pd.DataFrame(
        {
            "id": [f"t{row}" for row in range(1_200)],
            "text": ["x" * (5 + row % 50) for row in range(1_200)],
            "group": np.where(groups == 1, "web", "shop"),
            "valence": predicted.round(3),
            "valence_confidence": 0.6,
            "emotions": [words[one > 0.5] for one in predicted],
            "emotions_confidence": 0.6,
        }
    )
    frame.to_csv(folder / "annotated.csv", index=False)
    rows = np.random.default_rng(5).choice(1_200, 150, replace=False)
    labels = pd.DataFrame({"id": frame["id"][rows], "valence": gold[rows].round(3)})
    labels["emotions"] = [words[one > 0.5] or "no emotion" for one in gold[rows]]
    labels.to_csv(folder / "gold.csv", index=False)
    return folder


def test_the_command_says_what_the_naive_average_gets_wrong(emollms: CALL, tables: Path) -> None:
    page = tables / "page.html"
    code, out, err = emollms(
        "estimate", tables / "annotated.csv", "--gold", tables / "gold.csv", "--of", "valence", "--by", "group",
        "--html", page, "--out", tables / "out.csv",
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert "so that no difference is shown; by the model's answers alone it would be above 0 beyond chance" in out
    table = pd.read_csv(tables / "out.csv")
    assert table["group"].tolist() == ["shop", "web", "web − shop"]
    assert table["labels"].tolist()[2] == 150
    text = page.read_text(encoding="utf-8")
    parts = ("With 95 % intervals", "Figures", "Method", "Assumptions", "For the methods section", "References")
    assert all(f"<h2>{part}</h2>" in text for part in parts)
    assert "https://arxiv.org/abs/2311.01453" in text
    assert "<svg" in text
    assert "<script" not in text


def test_each_statistic_from_files(tables: Path) -> None:
    names = tables / "annotated.csv", tables / "gold.csv"
    every = emollms.estimate(*names)
    assert [one.statistic for one in every][:2] == ["mean", "fraction of anger"]
    joy = emollms.estimate(*names, of="emotions", fraction="joy")[0]
    assert joy.rectified.low < 0.33 < joy.rectified.high
    assert joy.saved > 0.15
    median = emollms.estimate(*names, of="valence", quantile=[0.5], by="group")
    assert [one.group for one in median] == ["shop", "web"]
    related = emollms.estimate(*names, of="valence", correlation="length")[0]
    assert related.rectified.low < 0 < related.rectified.high
    terms = emollms.estimate(*names, formula="valence ~ group + length")
    assert [one.statistic for one in terms] == [
        f"coefficient of {name}" for name in ("Intercept", "group[T.web]", "length")
    ]
    assert terms[1].naive.low > 0 > terms[1].rectified.low
    odds = emollms.estimate(*names, formula="emotions ~ group", logistic=True, fraction="joy")
    assert odds[1].rectified.low < 0 < odds[1].rectified.high
    wider = emollms.estimate(*names, of="valence", population="larger")[0]
    assert wider.rectified.width > emollms.estimate(*names, of="valence")[0].rectified.width


def test_an_export_of_label_studio_is_gold(tables: Path, tmp_path: Path) -> None:
    labels = pd.read_csv(tables / "gold.csv").head(60)
    tasks = [
        {
            "id": number,
            "data": {"id": row.id, "text": "…"},
            "annotations": [
                {"result": [{"from_name": "valence", "value": {"number": row.valence}}], "completed_by": 1}
            ],
        }
        for number, row in enumerate(labels.itertuples())
    ]
    (tmp_path / "export.json").write_text(json.dumps(tasks), encoding="utf-8")
    by_export = emollms.estimate(tables / "annotated.csv", tmp_path / "export.json")
    by_table = emollms.estimate(tables / "annotated.csv", labels[["id", "valence"]])
    assert by_export[0] == by_table[0]


WRONG: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], dict[str, object], str]] = {
    "few": (lambda gold: gold.head(29), {}, "29 rows of .* have labels of valence by people, and an interval needs 30"),
    "one group": (
        lambda gold: gold[gold["id"].isin(WEB)], {"of": "valence", "by": "group"},
        "gold covers one group of group only, 'web'; label rows of 'shop' too",
    ),
    "one group, formula": (
        lambda gold: gold[gold["id"].isin(WEB)], {"formula": "valence ~ group"},
        r"all labelled rows have the same group\[T.web\]",
    ),
    "other ids": (
        lambda gold: gold.assign(id=[f"u{row}" for row in range(len(gold))]), {},
        r"no id of the gold table \(the first is 'u0'\) is in .* \(the first is 't0'\); name another column with --id",
    ),
    "no ids": (lambda gold: gold.drop(columns="id"), {}, "name the one of the ids with --id"),
    "no answer": (lambda gold: gold.assign(valence="hm"), {"of": "valence"}, "'hm' is no score"),
    "empty": (lambda gold: gold.assign(valence=None), {"of": "valence"}, "has no label of valence; every cell"),
    "quantile": (lambda gold: gold, {"quantile": 50}, "--quantile 50 is none"),
    "no column": (lambda gold: gold, {"of": "valence", "by": "grup"}, "unknown column of .*'grup'; did you mean group"),
    "formula": (lambda gold: gold, {"formula": "valence"}, "is no formula; give one such as"),
    "term": (lambda gold: gold, {"formula": "valence ~ nope"}, "cannot be computed: .*nope"),
    "of whom": (lambda gold: gold, {"of": "valenc"}, "unknown question of .*; did you mean valence"),
    "label": (lambda gold: gold, {"of": "emotions", "fraction": "joi"}, "'joi' is no label"),
    "order": (lambda gold: gold, {"of": "emotions", "quantile": 0.5}, "emotions has no order"),
    "condition": (lambda gold: gold, {"of": "valence", "fraction": "high"}, "is no condition on the score valence"),
    "weights": (lambda gold: gold.assign(w=0), {"weight": "w"}, "w of row 1 is 0; a weight is above 0"),
    "level": (lambda gold: gold, {"level": 95}, "--level 95 is no level"),
}  # fmt: skip
WEB = {f"t{row}" for row in np.flatnonzero(made_up(1_200)[2])}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_call_is_one_line(tables: Path, name: str) -> None:
    change, options, message = WRONG[name]
    gold = change(pd.read_csv(tables / "gold.csv"))
    with pytest.raises(emollms.EmollmsError, match=message) as error:
        emollms.estimate(tables / "annotated.csv", gold, **options)
    assert "\n" not in str(error.value)
