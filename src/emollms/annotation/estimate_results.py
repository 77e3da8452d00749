"""What estimates say: figures, a table, and a line in words for each."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import pandas as pd

from emollms.annotation.estimands import EstimateInterval
from emollms.annotation.rectify import LEVEL

Population = Literal["table", "larger"]


@dataclass(frozen=True)
class OneEstimate:
    """One estimate, beside what it would be otherwise.

    Args:
        question: what is estimated: the name of the question, or the formula.
        statistic: `mean`, `fraction of joy`, `quantile .5`, `correlation with length`, or `coefficient of group`.
        group: the group of `--by`, `b − a` for a difference; empty for all rows.
        rectified: the estimate, with its interval.
        people: from people's labels alone.
        naive: from the model's answers as if they were the truth.
        labels: rows with people's labels that it uses.
        rows: rows that it is about.
        saved: fraction of the labels that people alone would need for an interval of this width, and that are spared.
        power: of the predictions: 0 where they are ignored.
        level: of the intervals.
    """

    question: str
    statistic: str
    group: str
    rectified: EstimateInterval
    people: EstimateInterval
    naive: EstimateInterval
    labels: int
    rows: int
    saved: float
    power: float
    level: float = LEVEL

    @property
    def is_contrast(self) -> bool:
        """Whether 0 means that there is nothing: a difference, a correlation, a coefficient."""
        return " − " in self.group or self.statistic.startswith(("correlation", "coefficient"))

    @property
    def name(self) -> str:
        """What is estimated, as a heading."""
        kind, _, rest = self.statistic.partition(" ")
        shown = {
            "correlation": f"correlation of {self.question} {rest}",
            "coefficient": f"{self.statistic} in {self.question}",
            "fraction": f"fraction {rest} ({self.question})",
        }.get(kind, f"{self.statistic} of {self.question}")
        return f"{shown}, {self.group}" if self.group else shown

    @property
    def words(self) -> str:
        """The estimate in one line."""
        one = self.rectified
        shown = f"{one.value:.3f} ({100 * self.level:g} % interval {one.low:.3f} to {one.high:.3f})"
        begin = f"{self.name[0].upper()}{self.name[1:]}: {shown}, {self._verdict()}"
        spared = ""
        if self.saved > 0.05:
            spared = f" Labels by people alone would have to be {1 / (1 - self.saved):.1f} times as many."
        return f"{begin}; {self._of_naive()}.{spared}"

    def _verdict(self) -> str:
        if not self.is_contrast:
            return f"from {self.labels:,} labels by people and the model's answers to {self.rows:,} texts"
        if _sign(self.rectified) == 0:
            shown = (
                "difference" if " − " in self.group else "correlation" if "correlation" in self.statistic else "effect"
            )
            return f"so that no {shown} is shown"
        return f"{'above' if _sign(self.rectified) > 0 else 'below'} 0 beyond chance"

    def _of_naive(self) -> str:
        naive, is_off = self.naive.value, not self.rectified.low <= self.naive.value <= self.rectified.high
        if self.is_contrast and _sign(self.naive) != _sign(self.rectified):
            wrongly = {
                0: "would show nothing",
                1: "would be above 0 beyond chance",
                -1: "would be below 0 beyond chance",
            }
            return f"by the model's answers alone it {wrongly[_sign(self.naive)]} ({naive:.3f})"
        if is_off:
            return (
                f"the model's answers alone give {naive:.3f}, too {'high' if naive > self.rectified.value else 'low'}"
            )
        return f"the model's answers alone give {naive:.3f}, which agrees"


def _sign(one: EstimateInterval) -> int:
    return (one.low > 0) - (one.high < 0)


@dataclass(frozen=True)
class Estimates:
    """What `estimate` found.

    Args:
        estimates: the estimates.
        annotated: the name of the annotated table.
        gold: the name of the gold table.
        labels: rows that people labelled.
        rows: rows of the table.
        drawn: how rows were drawn for labelling: `evenly`, or `with known probabilities`.
        population: what the estimates are about: these rows, or a larger population that they are a sample of.
        notes: what a reader must know.
        models: who annotated, as the record beside the table says.
    """

    estimates: tuple[OneEstimate, ...]
    annotated: str
    gold: str
    labels: int
    rows: int
    drawn: str
    population: Population
    notes: tuple[str, ...] = ()
    models: tuple[str, ...] = field(default=(), repr=False)

    def __getitem__(self, place: int) -> OneEstimate:
        return self.estimates[place]

    def __len__(self) -> int:
        return len(self.estimates)

    def __iter__(self) -> Iterator[OneEstimate]:
        return iter(self.estimates)

    def to_pandas(self) -> pd.DataFrame:
        """A row for each estimate."""
        rows: list[dict[str, Any]] = []
        for one in self.estimates:
            row: dict[str, Any] = {"question": one.question, "statistic": one.statistic, "group": one.group}
            for name, interval in (("", one.rectified), ("people_", one.people), ("naive_", one.naive)):
                row |= {f"{name}{part}": value for part, value in asdict(interval).items()}
            rows.append(row | {"labels": one.labels, "rows": one.rows, "saved": one.saved, "power": one.power})
        return pd.DataFrame(rows).rename(
            columns={"value": "estimate", "people_value": "people", "naive_value": "naive"}
        )

    def __repr__(self) -> str:
        head = ["", "estimate", "people alone", "naive", "labels", "saved"]
        cells = [
            [one.name, *map(_shown, (one.rectified, one.people, one.naive)), f"{one.labels:,}", f"{one.saved:.0%}"]
            for one in self.estimates
        ]
        widths = [max(len(row[at]) for row in [head, *cells]) for at in range(len(head))]
        lines = (
            "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in [head, *cells]
        )
        return "\n".join([*lines, "", *(one.words for one in self.estimates)])


def _shown(one: EstimateInterval) -> str:
    return f"{one.value:.3f} ({one.low:.3f} to {one.high:.3f})"
