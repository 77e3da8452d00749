"""The page of an agreement with people."""

from collections.abc import Iterator
from math import isnan

import numpy as np

from emollms.annotation.agreement import Agreement, QuestionAgreement, mean_of, number, shown, signed, spread, verdict
from emollms.annotation.study_page import Study, StudySection, StudyTable
from emollms.charts import ChartLine, intervals, scatter
from emollms.evaluation.agreement import Level, MeasuredValue
from emollms.evaluation.alternative_annotator import LEVEL, PASSES, RaterOutcome

POINTS = 1_000
"""The most texts that a picture shows."""
_BOUNDED = ("mae",)
_GOLD: dict[Level, str] = {
    "interval": "the mean of the raters",
    "ordinal": "the lower median of the raters",
    "nominal": "the class that most raters chose, texts without one left out",
    "set": "the labels that at least half of the raters gave",
}
_ALPHA: dict[Level, str] = {
    "interval": "interval", "ordinal": "ordinal", "nominal": "nominal", "set": "MASI (Passonneau, 2006)",
}  # fmt: skip
_MEASURES: dict[Level, str] = {
    "interval": "Pearson's r, Lin's (1989) concordance correlation, mean absolute error",
    "ordinal": "Cohen's (1968) quadratic weighted κ, Pearson's r, mean absolute error, F1 by class",
    "nominal": "accuracy, F1 by class",
    "set": "F1 by label, its macro and micro means, the mean Jaccard index",
}
_ALIGNED = {"rmse": "RMSE", "accuracy": "accuracy", "masi": "the MASI similarity"}
_CITED = {
    "Artstein and Poesio": "Artstein, R., and Poesio, M. (2008). Inter-coder agreement for computational linguistics. "
    "Computational Linguistics, 34(4), 555–596.",
    "Calderon": "Calderon, N., Reichart, R., and Dror, R. (2025). The alternative annotator test for LLM-as-a-judge: "
    "How to statistically justify replacing human annotators with LLMs. ACL 2025, 16051–16081. arXiv 2501.10970.",
    "Benjamini": "Benjamini, Y., and Yekutieli, D. (2001). The control of the false discovery rate in multiple testing "
    "under dependency. Annals of Statistics, 29(4), 1165–1188.",
    "Cohen": "Cohen, J. (1968). Weighted kappa: Nominal scale agreement with provision for scaled disagreement or "
    "partial credit. Psychological Bulletin, 70(4), 213–220.",
    "Efron": "Efron, B., and Tibshirani, R. J. (1993). An introduction to the bootstrap. Chapman & Hall.",
    "Krippendorff": "Krippendorff, K. (2018). Content analysis: An introduction to its methodology (4th ed.). Sage.",
    "Lin's": "Lin, L. I.-K. (1989). A concordance correlation coefficient to evaluate reproducibility. Biometrics, "
    "45(1), 255–268.",
    "Passonneau": "Passonneau, R. (2006). Measuring agreement on set-valued items (MASI) for semantic and pragmatic "
    "annotation. LREC 2006.",
    "Spearman": "Spearman, C. (1904). The proof and measurement of association between two things. American Journal of "
    "Psychology, 15(1), 72–101.",
}
"""The works that the words of a page may cite, by a word that is in the citation."""


def study_of(found: Agreement) -> Study:
    """What the page of an agreement says."""
    questions = list(found.questions.values())
    methods = [_methods(found), *(line for one in questions for line in _methods_of(one))]
    assumptions = list(_assumptions(found))
    said = " ".join([*methods, *assumptions])
    return Study(
        title=f"Agreement with people: {', '.join(found.questions)}",
        findings=[_finding(one) for one in questions],
        facts={
            "annotations": f"{found.annotated}, {found.rows:,} rows",
            "gold": found.gold,
            **({"model": ", ".join(found.models)} if found.models else {}),
            **{one.name: f"n = {one.n:,}, {_raters(one)}" for one in questions},
        },
        sections=[section for one in questions for section in _sections(one)],
        assumptions=assumptions,
        methods=methods,
        references=[work for cited, work in _CITED.items() if cited in said],
    )


def _raters(one: QuestionAgreement) -> str:
    return "one rater a text" if one.raters == 1 else f"up to {one.raters} raters a text"


def _finding(one: QuestionAgreement) -> str:
    text = f"{one.name}: {one.main.title} {shown(one.main)} on {one.n:,} texts"
    if one.ceiling and one.main.name == "pearson":
        text += f", where the raters' noise allows {number(one.ceiling.value)} at most"
    if not one.bias[0].part:
        text += f"; bias {signed(one.bias[0].bias)}"
    return text + "."


def _sections(one: QuestionAgreement) -> Iterator[StudySection]:
    whole = [each for each in one.measures if not each.part]
    figures = {}
    if drawn := [each for each in [*whole, *one.people] if each.name not in _BOUNDED and not isnan(each.value)]:
        marks = {"human ceiling of r": one.ceiling.value} if one.ceiling else {}
        figures["Measures with 95 % intervals" + (", and the human ceiling of r" if marks else "")] = intervals(
            [_line(each.title, each) for each in drawn], f"{one.name}: measures of agreement", marks=marks
        )
    if one.level == "interval":
        some = np.random.default_rng(0).permutation(one.n)[:POINTS]
        points = list(zip(one.gold[some].tolist(), one.predicted[some].tolist(), strict=True))
        drawn_of = f"{len(points):,} of {one.n:,} texts" if len(points) < one.n else f"{one.n:,} texts"
        figures[f"People and model, {drawn_of}"] = scatter(
            points, f"{one.name}: what people and the model say", x="people", y="model"
        )
    if parts := [each for each in one.measures if each.part]:
        figures["F1, with 95 % intervals"] = intervals(
            [_line(each.part, each) for each in parts if not isnan(each.value)], f"{one.name}: F1 by label or class"
        )
    rows = [*whole, *one.people, *([one.ceiling] if one.ceiling else [])]
    tables = [StudyTable("Measures", _HEAD, [_row(each.title, each) for each in rows])]
    if parts:
        tables.append(StudyTable("F1 by label or class", _HEAD, [_row(each.part, each) for each in parts]))
    yield StudySection(one.name, _about(one), figures, tables, list(one.cautions))
    yield _bias(one)
    if one.each_rater or one.alternative:
        yield _rater_section(one)
    if one.wordings:
        yield _wording_section(one)


def _about(one: QuestionAgreement) -> str:
    gold = "what the rater said" if one.raters == 1 else _GOLD[one.level]
    return f"Gold is {gold}. n = {one.n:,} texts" + (f", scores are {one.unit}." if one.unit else ".")


_HEAD = ("", "value", "95 % interval", "n")


def _row(title: str, one: MeasuredValue) -> list[str]:
    ends = "" if isnan(one.low) else f"{number(one.low)} to {number(one.high)}"
    return [title, number(one.value), ends, f"{one.n:,}"]


def _line(title: str, one: MeasuredValue, colour: str = "var(--main)") -> ChartLine:
    return ChartLine(title, one.value, one.low, one.high, colour)


def _bias(one: QuestionAgreement) -> StudySection:
    titles = [", ".join(filter(None, (f"{each.by} {each.group}".strip(), each.part))) or "all" for each in one.bias]
    rows = [
        [title, number(each.people), number(each.model), signed(each.bias).split(" ")[0], *_row("", each.bias)[2:]]
        for title, each in zip(titles, one.bias, strict=True)
    ]
    drawn = [
        _line(title, each.bias)
        for title, each in zip(titles, one.bias, strict=True)
        if not (each.part and each.by) and not isnan(each.bias.value)
    ]
    picture = intervals(drawn, f"{one.name}: model less people", marks={"no bias": 0.0}, axis="model less people")
    counted = "" if one.level in ("interval", "ordinal") else " Of labels and classes: the fraction of texts with each."
    return StudySection(
        f"{one.name}: bias",
        f"Mean of the model less mean of people, over all texts, by group and by length.{counted}",
        {"Model less people, with 95 % intervals": picture},
        [StudyTable("Bias", ("texts", "people", "model", "difference", "95 % interval", "n"), rows)],
    )


def _rater_section(one: QuestionAgreement) -> StudySection:
    figures, tables = {}, []
    if one.each_rater:
        title = one.each_rater[0].value.title
        both = [
            line
            for each in one.each_rater
            for line in (
                _line(f"{each.rater}", each.value, "var(--second)"),
                _line(f"{each.rater}: the model instead", each.model),
            )
            if not isnan(line.value)
        ]
        figures[f"{title} with what the other raters say together"] = intervals(
            both, f"{one.name}: each rater, and the model, with the other raters"
        )
        tables.append(
            StudyTable(
                f"{title} with what the other raters say together",
                ("rater", "rater", "95 % interval", "model", "95 % interval", "n"),
                [[each.rater, *_row("", each.value)[1:3], *_row("", each.model)[1:]] for each in one.each_rater],
            )
        )
    notes = []
    if found := one.alternative:
        notes = [*found.cautions]
        if found.left_out:
            notes.append(f"raters of too few texts, left out of the test: {', '.join(found.left_out)}")
        head = ("rater left out", "n", "model as near", "rater as near", "test", "p", "adjusted p", "model wins")
        tables.append(StudyTable("Alternative annotator test", head, [_outcome(each) for each in found.raters]))
    about = verdict(one.alternative) + "." if one.alternative else ""
    return StudySection(f"{one.name}: raters", about[:1].upper() + about[1:], figures, tables, notes)


def _outcome(one: RaterOutcome) -> list[str]:
    wins = "yes" if one.model_wins else "no"
    near = (number(one.model_advantage), number(one.rater_advantage))
    return [one.rater, f"{one.n:,}", *near, one.test, f"{one.p:.4f}", f"{one.p_adjusted:.4f}", wins]


def _wording_section(one: QuestionAgreement) -> StudySection:
    title = one.wordings[0].value.title
    lines = [_line(f"wording {each.number}", each.value) for each in one.wordings if not isnan(each.value.value)]
    means = [ChartLine(f"wording {each.number}", each.mean, float("nan"), float("nan")) for each in one.wordings]
    about = (
        f"{title} of {len(one.wordings)} wordings: {spread([each.value.value for each in one.wordings])}. "
        f"Mean answer over all rows: {spread([each.mean for each in one.wordings])}."
    )
    rows = [[*_row(f"wording {each.number}", each.value), number(each.mean)] for each in one.wordings]
    figures = {"Mean answer": intervals(means, f"{one.name}: mean answer by wording")}
    if lines:
        figures = {title: intervals(lines, f"{one.name}: {title} by wording")} | figures
    return StudySection(
        f"{one.name}: wordings", about, figures, [StudyTable("Wordings", (*_HEAD, "mean answer"), rows)]
    )


def _methods(found: Agreement) -> str:
    weights = (
        " Texts were weighted by the inverse of the probability with which they were drawn." if found.weighted else ""
    )
    model = f" by {', '.join(found.models)}" if found.models else " by the model"
    return (
        f"We compared the annotations{model} with labels by people on the texts that had both. 95 % intervals are "
        f"percentile bootstrap intervals over texts with {found.resamples:,} resamples (Efron and Tibshirani, "
        f"1993).{weights}"
    )


def _methods_of(one: QuestionAgreement) -> Iterator[str]:
    gold = "" if one.raters == 1 else f" Gold is {_GOLD[one.level]} (up to {one.raters} a text)."
    yield (
        f"{one.name} (n = {one.n:,}): we report {_MEASURES[one.level]}, and Krippendorff's (2018) α with the "
        f"{_ALPHA[one.level]} distance.{gold} {one.main.title} was {shown(one.main)}."
    )
    if one.people:
        raters, with_model = one.people
        yield (
            f"Agreement among the raters was α = {shown(raters)}, and {shown(with_model)} with the model as a further "
            "rater (Artstein and Poesio, 2008)."
        )
    if one.ceiling:
        yield (
            f"The raters' noise limits the r that any prediction can reach to {shown(one.ceiling)}, the square root of "
            "the reliability of their means (Spearman, 1904)."
        )
    if found := one.alternative:
        tests = " and ".join(sorted({each.test for each in found.raters}))
        yield (
            "Whether the model may stand in for a rater was tested by the alternative annotator test (Calderon et al., "
            f"2025) with ε = {found.epsilon:g}, alignment by {_ALIGNED[found.alignment]} and one-sided tests ({tests}) "
            f"at a false discovery rate of {found.level:g} (Benjamini and Yekutieli, "
            f"2001): ω = {number(found.winning_rate)}, ρ = {number(found.advantage)}, {len(found.raters)} raters."
        )
    if one.wordings:
        values = [each.value.value for each in one.wordings]
        yield (
            f"The question was asked in {len(one.wordings)} wordings; {one.main.title} was {spread(values)}, "
            f"{number(mean_of(values))} on average."
        )


def _assumptions(found: Agreement) -> Iterator[str]:
    drawn = "with the probabilities that are given" if found.weighted else "evenly"
    yield f"The texts with gold were drawn {drawn} from those that the conclusion is about, and are independent."
    yield "No text with gold was used to tune, calibrate or choose the model."
    questions = list(found.questions.values())
    if any(one.raters > 1 for one in questions):
        yield "Raters judged the texts independently of each other and of the model's answers."
    if any(one.ceiling for one in questions):
        yield "For the ceiling: raters of a text differ by noise that is independent of its true score."
    if any(one.alternative for one in questions):
        yield (
            f"For the alternative annotator test: raters are the kind of people that ε was chosen for; differences on "
            f"the texts of a rater are independent; means of 30 texts or more are near normal. The model passes from "
            f"ω = {number(PASSES)} on, at a false discovery rate of {LEVEL:g}."
        )
