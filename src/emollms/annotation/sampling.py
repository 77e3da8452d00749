"""Which rows people should label next, drawn with known probabilities: `emollms sample`.

Uncertain rows are drawn more often (active inference, Zrnic and Candès, arXiv 2403.03208; Gligorić et al., arXiv
2408.15204), and count less in the estimate for it, so that this stays without bias.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa

from emollms.annotation.annotated_tables import AnnotatedTable, read_annotated
from emollms.annotation.answered_questions import AnsweredQuestion
from emollms.annotation.drawing import draw, labels_of_groups, sampling_probabilities
from emollms.annotation.expected_widths import ExpectedWidth, expected_widths
from emollms.annotation.gold_tables import PROBABILITY, read_gold
from emollms.annotation.labeling import TEXT, label_studio_config
from emollms.annotation.questions import Question
from emollms.annotation.row_ids import own_id_column
from emollms.annotation.table_frames import TableLike, text_of
from emollms.annotation.uncertainty import expected_errors
from emollms.annotation.writer import format_of, table_bytes
from emollms.dataset.specs import as_names
from emollms.errors import UsageError, unknown
from emollms.evaluation.metrics import Floats, Integers
from emollms.prompts.template import PromptParts
from emollms.storage import write_json, write_whole
from emollms.tables.files import Dialect, Warn, no_warning

Format = Literal["label-studio"]


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
    column = own_id_column(table, id)
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
    errors = expected_errors(asked, labels)
    groups = _groups(table, by, free)
    by_group = [sampling_probabilities(errors[rows], share) for rows, share in labels_of_groups(groups, budget)]
    random = np.random.default_rng(seed)
    drawn = [draw(chances, random) for chances in by_group]
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
    widths: tuple[ExpectedWidth, ...] = ()
    if len(asked) == 1 or labels:
        widths = expected_widths(asked[0], labels.get(asked[0].name), errors, free, budget)
    found = DrawnRows(result, " and ".join(one.name for one in asked), len(rows), len(table.frame), widths)
    if out is not None:
        _write(found, Path(out), asked, format)
    return found


def _groups(table: AnnotatedTable, by: str | None, free: Integers) -> list[Integers]:
    if by is None:
        return [free]
    if by not in table.frame:
        raise unknown(f"column of {table.name}", by, map(str, table.frame.columns))
    names = np.array([text_of(value) or "" for value in table.frame[by]], dtype=object)[free]
    return [free[names == name] for name in sorted(set(names))]


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
