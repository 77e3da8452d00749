"""Ids of rows: by which column tables are joined, and whether every row has one of its own."""

import re

import numpy as np
import numpy.typing as npt
import pandas as pd

from emollms.annotation.annotated_tables import AnnotatedTable
from emollms.annotation.table_frames import text_of
from emollms.errors import UsageError, shorten
from emollms.evaluation.metrics import Integers
from emollms.tables.files import Warn


def own_id_column(table: AnnotatedTable, id: str | None) -> str:
    """The column that tells the rows of a table apart.

    Args:
        table: the table.
        id: its name; None for `id`.

    Raises:
        UsageError: there is none, or two rows have the same, or one has none.
    """
    column = id or "id"
    if column not in table.frame:
        raise UsageError(f"{table.name} has no column {column!r}; name the one of the ids with --id")
    values = [text_of(value) for value in table.frame[column]]
    if None in values or len(set(values)) < len(values):
        raise UsageError(f"{table.name}: {column} does not tell rows apart; give every row an id of its own")
    return column


def shared_id_column(table: AnnotatedTable, gold: pd.DataFrame, gold_name: str, id: str | None, warn: Warn) -> str:
    """The column by which rows of two tables meet.

    Args:
        table: the annotated table.
        gold: the gold table.
        gold_name: what errors call it.
        id: its name; None for `id`, or the one that both have.
        warn: is told which one was found.

    Raises:
        UsageError: there is none.
    """
    if id is not None:
        for frame, name in ((table.frame, table.name), (gold, gold_name)):
            if id not in frame:
                raise UsageError(f"--id {id}: {name} has no such column; it has {', '.join(map(str, frame.columns))}")
        return id
    own = {one.column for one in table.questions.values()}
    shared = [str(name) for name in table.frame.columns if name in gold and name not in own]
    if "id" in shared:
        return "id"
    unique = [name for name in shared if _is_key(table.frame[name])]
    named = [name for name in unique if re.search(r"(^|_)id$|^id_|(^|_)(key|uuid)$", name.casefold())] or unique
    if len(named) != 1:
        both = ", ".join(shared) or "none"
        raise UsageError(
            f"{table.name} and {gold_name} have no column 'id'; name the one of the ids with --id (both have: {both})"
        )
    warn(f"rows are joined by their {named[0]!r}")
    return named[0]


def _is_key(column: pd.Series) -> bool:
    values = [text_of(value) for value in column]
    return None not in values and len(set(values)) == len(values)


def places_of_ids(ids: npt.NDArray[np.object_], name: str, column: str) -> dict[str, int]:
    """The row of each id.

    Args:
        ids: of all rows, in their order.
        name: what errors call the table.
        column: where they are from.

    Raises:
        UsageError: a row has none, or two have the same.
    """
    found: dict[str, int] = {}
    for row, one in enumerate(ids):
        if one is None:
            raise UsageError(f"{name}: row {row + 1} has no {column!r}; give every row an id of its own")
        if one in found:
            raise UsageError(
                f"{name}: {column} {shorten(one)!r} is there twice, in rows {found[one] + 1} and {row + 1}"
            )
        found[one] = row
    return found


def check_met(rows: Integers, table: AnnotatedTable, gold: pd.DataFrame, gold_name: str, id: str, warn: Warn) -> int:
    """Make sure that ids of gold are in the table; tells and gives how many are not.

    Args:
        rows: the row of the table that each row of gold is of; -1 for none.
        table: the annotated table.
        gold: the gold table.
        gold_name: what errors call it.
        id: the column of ids.
        warn: is told of ids that are not in the table.

    Raises:
        UsageError: none is.
    """
    alien = [text for value in gold[id][rows < 0] if (text := text_of(value)) is not None]
    if not (rows >= 0).any():
        mine, theirs = shorten(str(table.frame[id].iloc[0]), 40), shorten(next(iter(alien), ""), 40)
        raise UsageError(
            f"no {id} of {gold_name} (the first is {theirs!r}) is in {table.name} (the first is {mine!r}); "
            "name another column with --id"
        )
    if unmatched := len(set(alien)):
        warn(f"{unmatched:,} ids of {gold_name} are not in {table.name}, such as {shorten(alien[0], 40)!r}; left out")
    return unmatched
