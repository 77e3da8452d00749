"""Expectations of whole tables that great_expectations does not have: shares of values, types of columns."""

# GX is typed, and does not export what it documents, nor type its decorators and the keys of its base classes.
# mypy: disable-error-code="attr-defined"

from typing import Any

import pandas as pd

import emollms.expectations.gx  # noqa: F401

# isort: split
from great_expectations.core.metric_domain_types import MetricDomainTypes
from great_expectations.execution_engine import PandasExecutionEngine
from great_expectations.expectations.expectation import BatchExpectation, ColumnAggregateExpectation
from great_expectations.expectations.metrics.column_aggregate_metric_provider import (
    ColumnAggregateMetricProvider,
    column_aggregate_value,
)
from great_expectations.expectations.metrics.metric_provider import metric_value
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider

Result = dict[str, Any]


class ColumnValueShares(ColumnAggregateMetricProvider):
    """The share of rows that have each value; of a column of lists, the share of rows that have it among others."""

    metric_name = "column.value_shares"

    @column_aggregate_value(engine=PandasExecutionEngine)
    def _pandas(cls, column: "pd.Series[Any]", **_: object) -> dict[str, float]:  # noqa: N805 - GX calls it on the class
        counts = column.explode().value_counts()  # an empty list becomes NaN, which is not counted
        return {str(value): int(count) / len(column) for value, count in counts.items()}


class ExpectColumnValueSharesToBeBetween(ColumnAggregateExpectation):
    """Each value has a share of the rows between two bounds, and no other value is there.

    Args:
        shares: by value, its lowest and highest share, 0..1.
    """

    shares: dict[str, tuple[float, float]]
    metric_dependencies = ("column.value_shares",)
    success_keys = ("shares",)

    def _validate(
        self, metrics: Result, runtime_configuration: object = None, execution_engine: object = None
    ) -> Result:
        found: dict[str, float] = metrics["column.value_shares"]
        wrong = []
        for value, (low, high) in self.shares.items():
            if not low <= (share := found.get(value, 0.0)) <= high:
                wrong.append(f"{value} has {share:.3f}, not {low:g} to {high:g}")
        wrong += [
            f"{value} has {share:.3f} and is not expected" for value, share in found.items() if value not in self.shares
        ]
        shown = ", ".join(f"{value} {share:.3f}" for value, share in found.items())
        return {"success": not wrong, "result": {"observed_value": "; ".join(wrong) or shown, "failed": len(wrong)}}


class TableTypedColumns(TableMetricProvider):
    """The columns of a table with their types, as Arrow names them."""

    metric_name = "table.typed_columns"

    @metric_value(engine=PandasExecutionEngine)
    def _pandas(
        cls,  # noqa: N805
        execution_engine: PandasExecutionEngine,
        metric_domain_kwargs: Result,
        metric_value_kwargs: Result,
        metrics: Result,
        runtime_configuration: Result,
    ) -> dict[str, str]:
        frame, _, _ = execution_engine.get_compute_domain(metric_domain_kwargs, domain_type=MetricDomainTypes.TABLE)
        return {str(name): _type_name(dtype) for name, dtype in frame.dtypes.items()}


class ExpectTableTypedColumnsToEqual(BatchExpectation):
    """A table has these columns, in this order, with these types.

    Args:
        columns: the type of each column, as Arrow names it: `string`, `double`, `list<string>`.
    """

    columns: dict[str, str]
    metric_dependencies = ("table.typed_columns",)
    success_keys = ("columns",)

    def _validate(
        self, metrics: Result, runtime_configuration: object = None, execution_engine: object = None
    ) -> Result:
        found: dict[str, str] = metrics["table.typed_columns"]
        wrong = [f"{name} is missing" for name in self.columns if name not in found]
        wrong += [f"{name} is not expected" for name in found if name not in self.columns]
        wrong += [
            f"{name} is {found[name]}, not {kind}"
            for name, kind in self.columns.items()
            if name in found and found[name] != kind
        ]
        if not wrong and list(found) != list(self.columns):
            wrong = [f"the order is {', '.join(found)}"]
        observed = "; ".join(wrong) or f"{len(found)} columns"
        return {"success": not wrong, "result": {"observed_value": observed, "failed": len(wrong)}}


def _type_name(dtype: Any) -> str:
    """`list<element: string>[pyarrow]` without what the file format adds: `list<string>`."""
    name = str(getattr(dtype, "pyarrow_dtype", dtype))
    return name.replace("element: ", "").replace("item: ", "")
