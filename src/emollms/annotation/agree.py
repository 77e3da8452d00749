"""`emollms.agree`: how well what a model said of texts agrees with what people said of some of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from emollms.annotation.agreement import Agreement, GroupBias, QuestionAgreement, RaterAgreement, WordingAgreement
from emollms.annotation.annotated_tables import AnsweredQuestion, Floats, TableLike, text_of
from emollms.annotation.gold_tables import RATERS, GoldAndAnnotated, GoldQuestion, Integers, read_gold
from emollms.annotation.open import listed
from emollms.errors import UsageError, unknown
from emollms.evaluation import metrics
from emollms.evaluation.agreement import (
    Level,
    Measure,
    MeasuredValue,
    alpha,
    bias_of,
    consensus,
    main_measure,
    measures_of,
    take,
)
from emollms.evaluation.alternative_annotator import (
    EPSILONS,
    FEW_TEXTS,
    FEWEST_TEXTS,
    Alignment,
    alternative_annotator_test,
)
from emollms.evaluation.ceiling import ceiling_of_ratings, human_ceiling, noise_of_mean
from emollms.evaluation.metrics import Flags
from emollms.evaluation.scoring import RESAMPLES
from emollms.tables.files import Dialect, Warn, no_warning
from emollms.tasks import OrdinalTask

LENGTH = "length"
FEWEST_BOTH = 3
_MOST_GROUPS = 30
_QUARTERS = 4
_ALIGNMENTS: dict[Level, Alignment] = {"interval": "rmse", "ordinal": "accuracy", "nominal": "accuracy", "set": "masi"}


def agree(
    annotated: TableLike,
    gold: TableLike,
    *,
    id: str | None = None,
    of: str | Sequence[str] | None = None,
    gold_column: str | Sequence[str] | None = None,
    rater: str | None = None,
    probability: str | None = None,
    weight: str | None = None,
    by: str | Sequence[str] | None = None,
    text_column: str = "text",
    spread: tuple[str, str] | None = None,
    epsilon: float = EPSILONS["crowd"],
    html: str | Path | None = None,
    delimiter: str | None = None,
    encoding: str = "utf-8",
    no_quotes: bool = False,
    warn: Warn = no_warning,
) -> Agreement:
    """Compare what a model said with what people said, each figure with a 95 % interval.

    Args:
        annotated: what `emollms annotate` wrote, or another table with ids and predictions.
        gold: a table with ids and people's labels, of one rater or several; see `gold_tables.read_gold`.
        id: the column of ids; None for `id`, or the one that both have.
        of: the questions, or columns of predictions; None for all that gold has labels of.
        gold_column: the column of gold with the labels, or one for each rater.
        rater: the column of gold that names who labelled a row; None for `annotator`, `rater` and the like.
        probability: the column of the probabilities with which rows were drawn for labelling.
        weight: the column of sampling weights instead.
        by: columns, of either table, whose groups of texts the bias is told of.
        text_column: the column of the texts, for the bias by length.
        spread: two columns of gold: the standard deviation of the raters of each text, divided by their number, and
            that number. With one question; its gold is then their mean.
        epsilon: of the alternative annotator test, 0..1: how much worse than a rater the model may be, for what it
            saves. The paper advises .2 for experts, .15 for trained annotators, .1 for crowds.
        html: a file to write a page to.
        delimiter: what separates the cells of text files.
        encoding: of text files.
        no_quotes: double quotes are plain characters in CSV and TSV.
        warn: is told what was taken for what.

    Raises:
        UsageError: a column is missing, ids do not meet, or fewer than three texts have both.
        SourceError: a row of a file is broken.
    """
    if not 0 <= epsilon <= 1:
        raise UsageError(f"--epsilon {epsilon:g} is no difference of two fractions; give a number from 0 to 1")
    data = read_gold(
        annotated, gold, id=id, of=listed(of), gold_column=listed(gold_column), rater=rater, probability=probability,
        weight=weight, dialect=Dialect(delimiter, encoding, not no_quotes), warn=warn,
    )  # fmt: skip
    if spread and len(data.questions) > 1:
        raise UsageError("--spread is of one question; name it with --of")
    has_raters = rater is not None or any(name in data.gold_frame for name in RATERS)
    groups = {name: _groups(data, name) for name in listed(by)}
    if (lengths := _lengths(data, text_column)) is not None:
        groups[LENGTH] = lengths
    else:
        warn(f"no column {text_column!r}, so there is no bias by length; name the texts with --text-column")
    found = {
        name: _agreement(data, one, groups, spread, epsilon, has_raters or len(one.columns) > 1)
        for name, one in data.questions.items()
    }
    shown = str(gold) if isinstance(gold, str | Path) else "the gold table"
    models = [str(one.get("model") or one.get("name") or "") for one in data.annotated.record.get("predictors", [])]
    result = Agreement(
        data.annotated.name, shown, data.rows, found, data.weights is not None, RESAMPLES, list(filter(None, models))
    )
    if html is not None:
        from emollms.annotation.agree_page import write_page

        write_page(result, Path(html))
    return result


@dataclass(frozen=True)
class _Compared:
    """Gold and predictions of the texts that have both."""

    level: Level
    options: tuple[str, ...]
    rows: Flags
    gold: Floats
    predicted: Floats
    ratings: Floats
    weights: Floats | None

    def on(self, rows: Flags) -> "_Compared":
        weights = None if self.weights is None else self.weights[rows]
        return _Compared(
            self.level, self.options, rows, self.gold[rows], self.predicted[rows], self.ratings[rows], weights
        )


def level_of(asked: AnsweredQuestion) -> Level:
    """What a question measures."""
    if asked.kind == "score":
        return "interval"
    if asked.kind == "labels":
        return "set"
    return "ordinal" if isinstance(asked.task, OrdinalTask) else "nominal"


def _agreement(
    data: GoldAndAnnotated,
    one: GoldQuestion,
    groups: dict[str, list[tuple[str, Flags]]],
    spread: tuple[str, str] | None,
    epsilon: float,
    has_raters: bool,
) -> QuestionAgreement:
    level = level_of(one.asked)
    together = consensus(level, one.ratings)
    said = one.asked.predicted[data.labelled]
    both = ~_missing(together) & ~_missing(said)
    if both.sum() < FEWEST_BOTH:
        raise UsageError(
            f"{one.asked.name}: {int(both.sum())} texts have both an answer of the model and gold; "
            f"agreement needs {FEWEST_BOTH} or more"
        )
    every = _Compared(level, one.asked.options, both, together, said, one.ratings, data.weights)
    compared = every.on(both)
    rated = ~_missing(compared.ratings)
    several = int(rated.sum(axis=1).max()) > 1
    raters = one.columns if len(one.columns) == compared.ratings.shape[1] > 1 else data.raters
    named = several and has_raters
    wordings = data.annotated.wordings.get(one.asked.name, ())
    return QuestionAgreement(
        name=one.asked.name,
        level=level,
        n=int(both.sum()),
        raters=int(rated.sum(axis=1).max()),
        unit="0 to 1" if one.asked.task and level == "interval" else "classes" if level == "ordinal" else "as given",
        measures=take(measures_of(level, compared.gold, compared.predicted, compared.options), compared.weights),
        bias=_biases(every, {"": [("", both)]} | groups),
        people=_people(compared) if several else (),
        ceiling=_ceiling(data, one, compared, spread),
        each_rater=_each_rater(compared, rated, raters) if named else (),
        alternative=alternative_annotator_test(
            compared.predicted, compared.ratings, rated, raters, _ALIGNMENTS[level], epsilon=epsilon
        )
        if named
        else None,
        wordings=_wordings(wordings, data.labelled, every) if wordings else (),
        cautions=_cautions(together, said, int(both.sum()), several and not has_raters),
        gold=compared.gold,
        predicted=compared.predicted,
    )


def _missing(values: Floats) -> Flags:
    """Where there is no value; of label sets, no set."""
    return np.isnan(values).any(axis=-1) if values.ndim and values.ndim != 1 and _is_sets(values) else np.isnan(values)


def _cautions(together: Floats, said: Floats, n: int, unnamed: bool) -> list[str]:
    found = []
    if n < FEW_TEXTS:
        found.append(f"{n} texts are few: bootstrap intervals of fewer than {FEW_TEXTS} are too narrow")
    if silent := int(_missing(said).sum()):
        found.append(f"{silent} texts with gold have no answer of the model and are left out")
    if undecided := int(_missing(together).sum()):
        found.append(f"{undecided} texts have no gold, or no answer that most raters give, and are left out")
    if unnamed:
        found.append("nothing names the raters, so that they cannot be told apart; name their column with --rater")
    return found
