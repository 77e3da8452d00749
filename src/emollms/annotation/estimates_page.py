"""The page of estimates: one HTML file with method, assumptions, figures, and a paragraph for a paper."""

from collections.abc import Sequence

from emollms import __version__
from emollms.annotation.estimands import WIDEST
from emollms.annotation.estimate_results import Estimates, OneEstimate
from emollms.annotation.study_page import Study, StudySection, StudyTable
from emollms.charts import draw, pointed_at

WIDTH, ROW = 430, 46
WAYS = {"rectified": "estimate", "people": "people alone", "naive": "naive"}
COLOURS = {"rectified": "var(--main)", "people": "var(--second)", "naive": "var(--third)"}
_MEANINGS = {
    "rectified": "estimate",
    "people": "people's labels alone",
    "naive": "naive: the model's answers as if they were the truth",
}
SOURCES = {
    "ppi": (
        "Angelopoulos, A. N., Duchi, J. C., and Zrnic, T. (2023). PPI++: Efficient prediction-powered inference.",
        "https://arxiv.org/abs/2311.01453",
    ),
    "survey": ("Cochran, W. G. (1977). Sampling Techniques, third edition, chapter 7. Wiley.", None),
    "dsl": (
        "Egami, N., Hinck, M., Stewart, B. M., and Wei, H. (2023). Using imperfect surrogates for downstream "
        "inference: Design-based supervised learning for social science applications of large language models. "
        "NeurIPS.",
        "https://arxiv.org/abs/2306.04746",
    ),
    "active": (
        "Zrnic, T., and Candès, E. J. (2024). Active statistical inference. ICML.",
        "https://arxiv.org/abs/2403.03208",
    ),
    "wilson": (
        "Wilson, E. B. (1927). Probable inference, the law of succession, and statistical inference. Journal of the "
        "American Statistical Association 22, 209-212.",
        None,
    ),
    "ptd": (
        "Kluger, D. M., Lu, K., Zrnic, T., Wang, S., and Bates, S. (2025). Prediction-powered inference with imputed "
        "covariates and nonuniform sampling.",
        "https://arxiv.org/abs/2501.18577",
    ),
    "jackknife": (
        "Efron, B., and Stein, C. (1981). The jackknife estimate of variance. The Annals of Statistics 9, 586-596.",
        None,
    ),
}  # fmt: skip
"""What is cited."""


def study_of(found: Estimates) -> Study:
    """What the page of estimates says."""
    level = f"{100 * found[0].level:g} %"
    return Study(
        title=f"Estimates from {found.annotated}",
        findings=[one.words for one in found],
        facts={
            "annotations": f"{found.annotated}, {found.rows:,} texts",
            "model": " and ".join(found.models) or "a model",
            "gold": f"{found.gold}, {found.labels:,} texts, drawn {found.drawn}",
        },
        sections=[
            StudySection(
                f"With {level} intervals",
                figures={title: _chart(some, title) for title, some in _panels(found)},
                notes=found.notes,
                legend={COLOURS[name]: meaning for name, meaning in _MEANINGS.items()},
            ),
            StudySection("Figures", _OF_FIGURES, tables=[StudyTable(f"With {level} intervals", _HEAD, _rows(found))]),
            StudySection("Method", _METHOD),
        ],
        assumptions=[_TRUTH, _ASSUMED[found.drawn], _ASSUMED[found.population], _UNSEEN, _LIMIT],
        methods=[methods(found)],
        references=[" ".join(filter(None, SOURCES[name])) for name in sources(found)],
    )


def _rows(found: Estimates) -> list[list[str]]:
    rows = []
    for one in found:
        ways = (one.rectified, one.people, one.naive)
        shown = [f"{each.value:.3f} ({each.low:.3f} to {each.high:.3f})" for each in ways]
        counts = [f"{one.labels:,}", f"{one.rows:,}", f"{100 * one.saved:.0f} %", f"{one.power:.2f}"]
        rows.append([one.name, *shown, *counts])
    return rows


_HEAD = ("", "estimate", "people alone", "naive", "labels", "texts", "labels saved", "power")
_OF_FIGURES = (
    "Labels saved: how many fewer labels than by people alone give an interval of this width. Power: how much the "
    "model's answers count; 0 where they are ignored."
)
_METHOD = (
    "An average of a model's answers is as wrong as the model is on these texts, however many there are, and its usual "
    "interval says only how many there are. Here the answers to all texts are corrected by how far they are from "
    "people's labels where there are any. The correction removes the bias; the answers narrow the interval. How much "
    "they count is chosen such that the variance is least: answers that do not help are ignored, and the interval is "
    "then that of people's labels alone."
)
_TRUTH = "People's labels are what is meant by the truth. Where several people labelled a text, their mean is."
_UNSEEN = "The model did not learn from these labels."
_LIMIT = (
    "The intervals rest on the central limit theorem: at least 30 labels, and more where an outcome is rare or skewed. "
    "Each interval is for itself; several of them together hold less often."
)
_ASSUMED = {
    "evenly": "The labelled texts were drawn at random, each with the same probability. If they were chosen otherwise, "
    "such as the newest or the easiest, the intervals do not hold; give the probabilities (--probability) if they are "
    "known.",
    "with known probabilities": "The labelled texts were drawn with the probabilities that the table has. No text had "
    "the probability 0, and every text that was drawn was labelled, or left out by chance.",
    "table": "The estimates are about the texts of the table. That they may not stand for others is no part of the "
    "intervals (--population larger).",
    "larger": "The texts are a random sample of a larger population, which the estimates are about.",
}


def sources(found: Estimates) -> list[str]:
    """What the paragraph for a paper cites, by its name in `SOURCES`."""
    statistics = {one.statistic.split()[0] for one in found}
    return [
        "ppi",
        *(["survey"] if found.population == "table" else []),
        *(["dsl", "active"] if found.drawn != "evenly" else []),
        *(["wilson"] if statistics & {"fraction", "quantile"} else []),
        *(["ptd", "jackknife"] if "correlation" in statistics else []),
    ]


def methods(found: Estimates) -> str:
    """A paragraph for the methods section of a paper."""
    statistics = {one.statistic.split()[0] for one in found}
    powers = sorted({f"{one.power:.2f}" for one in found}, key=float)
    power = powers[0] if len(powers) == 1 else f"{powers[0]} to {powers[-1]}"
    who = " and ".join(found.models) or "a language model"
    parts = [
        f"We annotated {found.rows:,} texts with {who}, and people labelled {found.labels:,} of them, "
        f"{_DRAWN[found.drawn]}.",
        "Since averages of a model's answers inherit its errors, estimates were obtained by prediction-powered "
        "inference with power tuning (PPI++; Angelopoulos, Duchi and Zrnic 2023): the model's answers to all texts are "
        "corrected by their errors on the labelled ones, and weighted such that the variance is least, so that answers "
        f"that do not help are ignored (weight {power}).",
        _ABOUT[found.population],
        f"Intervals are at {100 * found[0].level:g} %, by Student's t, with a degree of freedom less for the tuning.",
        *(text for kind, text in _EXTRA.items() if kind in statistics),
        _WIDEST if statistics & {"fraction", "quantile", "correlation"} else "",
        _WELCH if any(" − " in one.group for one in found) else "",
        f"Computed with emollms {__version__}.",
    ]
    return " ".join(filter(None, parts))


_DRAWN = {
    "evenly": "drawn at random with equal probabilities",
    "with known probabilities": "drawn with known, unequal probabilities, by whose inverse they were weighted (Egami "
    "et al. 2023; Zrnic and Candès 2024)",
}
_ABOUT = {
    "table": "Inference is to the annotated texts, with a finite-population correction (Cochran 1977).",
    "larger": "The texts are taken as a random sample of a larger population, to which inference is.",
}
_EXTRA = {
    "fraction": "Intervals of fractions are those of Wilson (1927), at the effective number of labels.",
    "quantile": "Intervals of quantiles invert a score test (Wilson 1927) of the rectified distribution function.",
    "correlation": "Correlations were rectified on Fisher's scale (Kluger et al. 2025), with jackknife "
    "variances (Efron and Stein 1981).",
    "coefficient": "Standard errors of regression coefficients are robust to heteroscedasticity (HC3).",
}
_WIDEST = (
    f"An interval that was more than {WIDEST - 1:.0%} wider than the one by people's labels alone, since the estimate "
    "lies where intervals are wide, was shortened to that."
)
_WELCH = "Differences of groups have the degrees of freedom of Welch's test."


def _panels(found: Estimates) -> list[tuple[str, list[OneEstimate]]]:
    """The estimates that share a scale, with a title."""
    kinds: dict[str, list[OneEstimate]] = {}
    for one in found:
        kind = one.statistic.split()[0]
        title = {
            "mean": "Means", "fraction": "Fractions", "quantile": "Quantiles", "correlation": "Correlations",
            "coefficient": "Coefficients",
        }[kind]  # fmt: skip
        kinds.setdefault("Differences" if " − " in one.group else title, []).append(one)
    return list(kinds.items())


def _chart(some: Sequence[OneEstimate], title: str) -> str:
    """Each estimate with its interval, above what people's labels alone and the naive average say."""
    values = [
        {"row": one.name, "way": way, "value": interval.value, "low": interval.low, "high": interval.high}
        | {"about": f"{one.name}, {way}: {interval.value:.3f} ({interval.low:.3f} to {interval.high:.3f})"}
        for one in some
        for way, interval in zip(WAYS.values(), (one.rectified, one.people, one.naive), strict=True)
    ]
    ways = list(WAYS.values())
    axis = {"labelColor": "var(--ink)", "labelFontSize": 12, "labelLimit": 260}
    shared = {
        "y": {"field": "row", "type": "nominal", "sort": [one.name for one in some], "title": None, "axis": axis},
        "yOffset": {"field": "way", "type": "nominal", "sort": ways, "scale": {"domain": ways}},
        "color": {
            "field": "way",
            "legend": None,
            "scale": {"domain": ways, "range": [COLOURS[name] for name in WAYS]},
        },
        "description": {"field": "about"},
    }
    across = {"type": "quantitative", "title": None, "scale": {"zero": False}, "axis": {"tickCount": 6}}
    layers = [
        {
            "mark": {"type": "rule", "strokeWidth": 3, "opacity": 0.55},
            "encoding": shared | {"x": across | {"field": "low"}, "x2": {"field": "high"}},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 60, "opacity": 1},
            "encoding": shared | {"x": across | {"field": "value"}},
        },
    ]
    if some[0].is_contrast:
        layers.append(
            {
                "data": {"values": [{}]},
                "mark": {"type": "rule", "color": "var(--muted)", "strokeDash": [3, 3]},
                "encoding": {"x": {"datum": 0}},
            }
        )
    edge = {
        "left": 32,
        "right": 16,
        "top": 6,
        "bottom": 6,
    }  # a reader's font may be wider than the one it measures with
    specification = {
        "width": WIDTH, "height": ROW * len(some), "padding": edge, "data": {"values": values}, "layer": layers,
    }  # fmt: skip
    return pointed_at(
        draw(specification, f"{title}, with intervals: the estimate, people alone, and the naive average")
    )
