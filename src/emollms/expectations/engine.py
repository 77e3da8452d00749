"""great_expectations on frames: quiet, in memory, without a project folder and without the network."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from emollms.errors import EmollmsError
from emollms.expectations.report import EXAMPLES, Row

if TYPE_CHECKING:
    import pandas as pd


IN_ID = ("id", "task", "emotion", "split", "corpus")
"""Columns that need not be shown beside an id, which tells them or their like."""
OWN = ("emollms.expectations.expectations", "emollms.expectations.expectations_tables")


@dataclass(frozen=True)
class ExpectationCall:
    """An expectation with its arguments."""

    type: str
    kwargs: Mapping[str, object]


@dataclass(frozen=True)
class ExpectationOutcome:
    """How an expectation came out on a frame; the fields are those of `Check`."""

    success: bool
    checked: int
    failed: int
    rows: tuple[Row, ...]
    observed: str


def ask(frame: "pd.DataFrame", questions: Sequence[ExpectationCall]) -> list[ExpectationOutcome]:
    """Check a frame against expectations.

    Args:
        frame: the rows; where it has a column `id`, rows that fail are told by it.
        questions: the expectations.

    Raises:
        EmollmsError: one of them is unknown, has wrong arguments, or could not be worked out.
    """
    context = _context()
    from great_expectations.core.batch import Batch
    from great_expectations.execution_engine import PandasExecutionEngine  # type: ignore[attr-defined]
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
    from great_expectations.validator.validator import Validator

    with _quiet():
        batch = Batch(data=frame)  # type: ignore[arg-type] # it takes frames, and says it takes their class
        engine = PandasExecutionEngine()
        validator = Validator(execution_engine=engine, data_context=context, batches=[batch])
        wanted = [  # each with its number: GX puts the results of those that raise first
            ExpectationConfiguration(type=question.type, kwargs=dict(question.kwargs), meta={"at": number})
            for number, question in enumerate(questions)
        ]
        results: list[Any] = validator.graph_validate(configurations=wanted, runtime_configuration=_runtime(frame))
    engine.batch_manager.batch_data_cache.clear()  # it is part of a cycle that would keep the frame
    engine.batch_manager.reset_batch_cache()
    found = {result.expectation_config.meta["at"]: result for result in results}
    return [_answer(question, found[number]) for number, question in enumerate(questions)]


@cache
def _context() -> Any:
    """GX, set up once a process, with the expectations of this package."""
    from emollms.expectations.gx import great_expectations

    context: Any = great_expectations.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    context.enable_analytics(False)
    for module in OWN:
        import_module(module)
    return context


@contextmanager
def _quiet() -> Iterator[None]:
    """GX says on its loggers what it also returns."""
    logger = logging.getLogger("great_expectations")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def _runtime(frame: "pd.DataFrame") -> dict[str, object]:
    index = {"unexpected_index_column_names": ["id"]} if "id" in frame.columns else {}
    # COMPLETE would list every row that fails, with its index, for each expectation.
    form = {"result_format": "SUMMARY", "partial_unexpected_count": EXAMPLES, **index}
    return {"result_format": form, "catch_exceptions": True}


def _answer(question: ExpectationCall, result: Any) -> ExpectationOutcome:
    if message := _exception(result.exception_info):
        raise EmollmsError(f"{question.type} could not be worked out: {' '.join(message.split())}")
    found = result.result
    checked, failed = found.get("element_count", 0), found.get("unexpected_count")
    if failed is None:  # it is about columns or the table, not about rows
        failed = found.get("failed", int(not result.success))
    return ExpectationOutcome(
        bool(result.success), checked, failed, _rows(found), _shown(found.get("observed_value", ""))
    )


def _exception(info: Any) -> str:
    """The message of an exception; GX files it by metric, or not."""
    if not isinstance(info, Mapping):
        return ""
    if "raised_exception" in info:
        return str(info.get("exception_message") or "unknown error") if info["raised_exception"] else ""
    return next((message for each in info.values() if (message := _exception(each))), "")


def _rows(found: Mapping[str, Any]) -> tuple[Row, ...]:
    rows = found.get("partial_unexpected_index_list") or []
    return tuple(_row(row) for row in rows[:EXAMPLES] if isinstance(row, Mapping))


def _row(row: Mapping[str, Any]) -> Row:
    values = {name: value for name, value in row.items() if name not in IN_ID} or {"id": row["id"]}
    if len(values) == 1:
        return Row(str(row["id"]), _shown(next(iter(values.values()))))
    return Row(str(row["id"]), ", ".join(f"{name} {_shown(value)}" for name, value in values.items()))


def _shown(value: object) -> str:
    import pandas as pd

    if isinstance(value, (tuple, list)):
        return ", ".join(map(str, value))
    if pd.isna(value):  # type: ignore[call-overload]
        return "none"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
