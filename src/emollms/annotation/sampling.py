"""Which rows people should label next, drawn with known probabilities: `emollms sample`.

Uncertain rows are drawn more often (active inference, Zrnic and Candès, arXiv 2403.03208; Gligorić et al., arXiv
2408.15204), and count less in the estimate for it, so that this stays without bias.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa

from emollms.annotation.annotated_tables import (
    AnnotatedTable,
    AnsweredQuestion,
    Floats,
    TableLike,
    read_annotated,
    text_of,
)
from emollms.annotation.gold_tables import PROBABILITY, Integers, read_gold
from emollms.annotation.labeling import TEXT, label_studio_config
from emollms.annotation.questions import Question
from emollms.annotation.writer import format_of, table_bytes
from emollms.dataset.specs import as_names
from emollms.errors import UsageError, unknown
from emollms.prompts.template import PromptParts
from emollms.storage import write_json, write_whole
from emollms.tables.files import Dialect, Warn, no_warning

EVEN = 0.5
"""The fraction of the probability that all rows share evenly, so that a wrong uncertainty costs little."""
BUDGETS = (50, 100, 200, 400, 800)
Format = Literal["label-studio"]


@dataclass(frozen=True)
class ExpectedWidth:
    """How wide a 95 % interval of a mean is expected to be.

    Args:
        labels: labels by people.
        people: by these alone.
        even: with predictions, rows drawn evenly.
        sample: with predictions, rows drawn as here.
    """

    labels: int
    people: float
    even: float
    sample: float


@dataclass(frozen=True)
class DrawnRows:
    """Rows to label.

    Args:
        table: their ids, texts, columns to fill in, and the probability of each; rows that have labels are there, too.
        question: what was uncertain.
        drawn: rows that were drawn.
        rows: rows of the annotated table.
        widths: of a mean, by the number of labels; empty where neither labels nor intervals say how wrong answers are.
    """

    table: pd.DataFrame = field(repr=False)
    question: str
    drawn: int
    rows: int
    widths: tuple[ExpectedWidth, ...] = ()

    def to_pandas(self) -> pd.DataFrame:
        """The table."""
        return self.table

    def __repr__(self) -> str:
        lines = [f"{self.drawn:,} of {self.rows:,} rows, drawn by how uncertain {self.question} is"]
        if self.widths:
            lines += ["width of the 95 % interval of the mean that so many labels are expected to give:"]
            lines += [f"{'labels':>8}  {'people alone':>12}  {'drawn evenly':>12}  {'drawn so':>12}"]
            lines += [f"{w.labels:>8,}  {w.people:>12.3f}  {w.even:>12.3f}  {w.sample:>12.3f}" for w in self.widths]
        else:
            lines += ["how wide an interval will be cannot be said without labels (--gold) or calibrated intervals"]
        return "\n".join(lines)


def sample(
    annotated: TableLike,
    budget: int,
    *,
    out: str | Path | None = None,
    of: str | Sequence[str] = (),
    by: str | None = None,
    gold: TableLike | None = None,
    id: str | None = None,
    gold_column: str | Sequence[str] = (),
    text_column: str = "text",
    format: Format | None = None,
    seed: int = 0,
    delimiter: str | None = None,
    encoding: str = "utf-8",
    no_quotes: bool = False,
    warn: Warn = no_warning,
) -> DrawnRows:
    """Draw rows for people to label, the uncertain ones more often, each with a probability that `estimate` reads.

    The parameters are the options of `emollms sample`.

    Args:
        annotated: what `annotate` wrote, or another table with answers and ids.
        budget: rows to draw.
        out: the table to fill in: .csv, .tsv, .jsonl or .parquet; with `format` the tasks of Label Studio, in JSON.
        of: questions to label; empty for all.
        by: a column of groups, each of which gets as many labels as the others.
        gold: labels that are there already. They stay as they are, are not drawn again, and say how wrong answers are.
        id: as for `estimate`.
        gold_column: as for `estimate`.
        text_column: the column of the texts, which goes into the table where there is one.
        format: `label-studio` for tasks in place of a table.
        seed: of the draw; the same seed draws the same rows.
        delimiter: as for `estimate`.
        encoding: as for `estimate`.
        no_quotes: as for `estimate`.
        warn: called with a line that the user should see.

    Raises:
        UsageError: the call is wrong, or the budget is more than there are rows.
        SourceError: a row of a file is broken.
    """
    dialect = Dialect(delimiter, encoding, not no_quotes)
    if format is not None and (out is None or Path(out).suffix != ".json"):
        raise UsageError(f"--format {format} writes JSON; name a file that ends in .json with --out")
    if format is None and out is not None:
        format_of(Path(out))
    table = read_annotated(annotated, dialect)
    asked = [table.question(name) for name in as_names(of) or table.questions]
    if not asked:
        raise UsageError(f"{table.name} has no column NAME_confidence; name what is to be labelled with --of")
    column = _id_column(table, id)
    done: Integers = np.empty(0, np.int64)
    labels: dict[str, tuple[Integers, Floats]] = {}
    kept = pd.DataFrame()
    if gold is not None:
        read = read_gold(
            annotated, gold, id=id, of=[one.name for one in asked], gold_column=as_names(gold_column), dialect=dialect,
            warn=warn,
        )  # fmt: skip
        done, kept = np.asarray(read.labelled), read.gold_frame
        labels = {name: (read.labelled, one.gold) for name, one in read.questions.items()}
    free = np.setdiff1d(np.arange(len(table.frame)), done)
    if not 1 <= budget <= len(free):
        raise UsageError(f"--budget {budget:,}: there are {len(free):,} rows without labels; give 1 to {len(free):,}")
    errors = _expected_errors(asked, labels)
    groups = _groups(table, by, free)
    by_group = [_chances(errors[rows], share) for rows, share in _shares(groups, budget)]
    random = np.random.default_rng(seed)
    drawn = [_draw(chances, random) for chances in by_group]
    rows = np.concatenate([group[own] for group, own in zip(groups, drawn, strict=True)])
    probabilities = np.concatenate([chances[own] for chances, own in zip(by_group, drawn, strict=True)])
    result = _to_fill_in(table, asked, column, text_column, by, rows, probabilities)
    if len(kept):
        # Labels that are there already are there for certain.
        old = _to_fill_in(table, asked, column, text_column, by, done, np.ones(len(done)))
        for name in labels:
            names = [*as_names(gold_column), f"{name}_gold", f"gold_{name}", name]
            old[name] = next((kept[one].to_numpy() for one in names if one in kept), None)
        result = pd.concat([old, result], ignore_index=True)
    widths = _widths(asked[0], labels.get(asked[0].name), errors, free, budget) if len(asked) == 1 or labels else ()
    found = DrawnRows(result, " and ".join(one.name for one in asked), len(rows), len(table.frame), widths)
    if out is not None:
        _write(found, Path(out), asked, format)
    return found


def _id_column(table: AnnotatedTable, id: str | None) -> str:
    column = id or "id"
    if column not in table.frame:
        raise UsageError(f"{table.name} has no column {column!r}; name the one of the ids with --id")
    values = [text_of(value) for value in table.frame[column]]
    if None in values or len(set(values)) < len(values):
        raise UsageError(f"{table.name}: {column} does not tell rows apart; give every row an id of its own")
    return column


def _expected_errors(asked: Sequence[AnsweredQuestion], labels: dict[str, tuple[Integers, Floats]]) -> Floats:
    """How far each answer is expected to be from people's label, relative to the others; the mean over questions."""
    found = []
    for one in asked:
        spread = _spread(one)
        if one.name in labels and np.ptp(spread) > 0:
            spread = _scaled(spread, one, *labels[one.name])
        found.append(spread / spread.mean())
    return np.asarray(np.mean(found, axis=0))


def _spread(one: AnsweredQuestion) -> Floats:
    """The standard deviation of people's labels about an answer, as the model sees it; 1 where it says nothing."""
    if one.probabilities is not None and not np.isnan(one.probabilities).all():
        shares = np.clip(np.nan_to_num(one.probabilities, nan=0.5), 0.0, 1.0)
        if one.kind == "class":
            shares = shares / np.maximum(shares.sum(axis=1, keepdims=True), 1e-9)
        return np.asarray(np.sqrt((shares * (1 - shares)).sum(axis=1)) + 1e-3)
    confidence = one.confidence
    if one.low is not None and one.high is not None and not np.isnan(one.high - one.low).all():
        width = one.high - one.low
        return np.asarray(np.where(np.isnan(width), np.nanmax(width), width) / 3.29 + 1e-3)  # a 90 % interval
    if confidence is not None and not np.isnan(confidence).all():
        sure = np.clip(np.nan_to_num(confidence, nan=0.0), 0.0, 1.0)
        return np.asarray(np.sqrt(1 - sure) + 1e-3)
    return np.ones(one.predicted.shape[0])


def _scaled(spread: Floats, one: AnsweredQuestion, labelled: Integers, gold: Floats) -> Floats:
    """The spread, where labels show that it tells how wrong answers are; and the more even, the less it does."""
    missed = _missed(one, labelled, gold)
    said = ~np.isnan(missed)
    if said.sum() < 10 or np.ptp(spread[labelled[said]]) == 0:
        return spread
    squares = spread[labelled[said]] ** 2
    slope, base = np.polyfit(squares, missed[said] ** 2, 1)
    fitted = base + slope * spread**2
    least = max(1e-6, float(np.mean(missed[said] ** 2)) / 4)
    return np.asarray(np.sqrt(np.maximum(fitted, least))) if slope > 0 else np.ones_like(spread)


def _missed(one: AnsweredQuestion, labelled: Integers, gold: Floats) -> Floats:
    own = one.predicted[labelled]
    if one.kind == "score" or (one.kind == "class" and one.task is not None):
        return np.asarray(gold - own)
    wrong = own != gold
    return np.asarray(np.sqrt(wrong.sum(axis=1)) if wrong.ndim > 1 else wrong * 1.0)


def _groups(table: AnnotatedTable, by: str | None, free: Integers) -> list[Integers]:
    if by is None:
        return [free]
    if by not in table.frame:
        raise unknown(f"column of {table.name}", by, map(str, table.frame.columns))
    names = np.array([text_of(value) or "" for value in table.frame[by]], dtype=object)[free]
    return [free[names == name] for name in sorted(set(names))]


def _shares(groups: Sequence[Integers], budget: int) -> list[tuple[Integers, float]]:
    """How many rows each group gets: as many as the others, and all of one that has fewer."""
    left, found = float(budget), {}
    for number, at in enumerate(sorted(range(len(groups)), key=lambda at: len(groups[at]))):
        found[at] = min(float(len(groups[at])), left / (len(groups) - number))
        left -= found[at]
    return [(group, found[at]) for at, group in enumerate(groups)]


def _chances(errors: Floats, budget: float) -> Floats:
    """The probability of each row: half shared evenly, half by the expected error; they sum to the budget."""
    wanted = EVEN / len(errors) + (1 - EVEN) * errors / errors.sum()
    sure = np.zeros(len(errors), bool)
    while True:  # what is wanted more than once is certain, and the others get its rest
        left = budget - sure.sum()
        found = np.where(sure, 1.0, wanted * max(0.0, left) / max(1e-12, wanted[~sure].sum()))
        over = (found > 1) & ~sure
        if not over.any():
            return np.asarray(np.clip(found, 1e-9, 1.0))
        sure |= over


def _draw(chances: Floats, random: np.random.Generator) -> Integers:
    """Rows drawn with exactly these probabilities, as many as they sum to (Hartley and Rao 1962).

    Along all rows in a random order, every step of 1 from a random start draws the row that it falls on.
    """
    order = random.permutation(len(chances))
    ends = np.cumsum(chances[order])
    steps = np.arange(random.random(), float(ends[-1]) - 1e-9, 1.0)
    at = np.minimum(np.searchsorted(ends, steps, side="right"), len(order) - 1)
    return np.sort(np.unique(order[at]))


def _to_fill_in(
    table: AnnotatedTable,
    asked: Sequence[AnsweredQuestion],
    column: str,
    text_column: str,
    by: str | None,
    rows: Integers,
    probabilities: Floats,
) -> pd.DataFrame:
    shown = dict.fromkeys([column, *([text_column] if text_column in table.frame else []), *([by] if by else [])])
    result = table.frame[list(shown)].iloc[rows].reset_index(drop=True)
    for one in asked:
        result[one.name] = None  # without the model's answer, which would sway people
    return result.assign(**{PROBABILITY: probabilities})


def _widths(
    one: AnsweredQuestion,
    labels: tuple[Integers, Floats] | None,
    errors: Floats,
    free: Integers,
    budget: int,
) -> tuple[ExpectedWidth, ...]:
    """The widths that some numbers of labels are expected to give, by labels or by calibrated intervals."""
    if one.kind == "labels" or (one.kind == "class" and one.task is None):
        return ()
    if labels is not None:
        own, gold = one.predicted[labels[0]], labels[1]
        said = ~np.isnan(own) & ~np.isnan(gold)
        if said.sum() < 10 or np.ptp(gold[said]) == 0:
            return ()
        slope = float(np.cov(own[said], gold[said])[0, 1] / max(1e-12, float(own[said].var(ddof=1))))
        spread, missed = float(gold[said].std(ddof=1)), float((gold - slope * own)[said].std(ddof=2))
    elif one.kind == "score" and one.low is not None and not np.isnan(_spread(one)).all() and np.ptp(_spread(one)) > 0:
        missed = float(np.sqrt(np.mean(_spread(one)[free] ** 2)))
        spread = math.hypot(float(np.nanstd(one.predicted)), missed)
    else:
        return ()
    rows, relative = len(free), errors[free] / np.sqrt(np.mean(errors[free] ** 2))
    found = []
    for labels_count in sorted({*(count for count in BUDGETS if count < rows), budget}):
        drawn = _chances(errors[free], float(labels_count))
        variance = float(np.sum((1 - drawn) / drawn * relative**2)) / rows**2
        even = (1 - labels_count / rows) / labels_count
        found.append(
            ExpectedWidth(
                labels_count,
                3.92 * spread * math.sqrt(even),
                3.92 * missed * math.sqrt(even),
                3.92 * missed * math.sqrt(variance),
            )
        )
    return tuple(found)


def _write(found: DrawnRows, out: Path, asked: Sequence[AnsweredQuestion], format: Format | None) -> None:
    if format is None:
        table = pa.Table.from_pandas(found.table, preserve_index=False)
        write_whole(out, table_bytes(table, *format_of(out)))
        return
    todo = found.table[found.table[[one.name for one in asked]].isna().all(axis=1)].drop(
        columns=[one.name for one in asked]
    )
    tasks = json.loads(todo.to_json(orient="records"))
    write_json(out, [{"data": {TEXT: task.get(TEXT, ""), **task}} for task in tasks])
    questions = [Question(one.name, one.as_task(), one.emotion, PromptParts("", "")) for one in asked]
    write_whole(out.with_suffix(".xml"), label_studio_config(questions))
