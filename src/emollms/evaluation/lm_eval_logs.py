"""Sample logs of lm-evaluation-harness (`lm_eval --log_samples`), of the tasks that `emollms export lm-eval` writes.

A line is a sample: `doc`, the row of the data set; `resps`, what the model said to each request, with all its repeats;
`filtered_resps`, what the filters of the task made of that (`EvaluationTracker.save_results_samples`, lm-eval 0.4).
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from emollms.errors import SourceError
from emollms.evaluation.answer_rows import Answered, BenchmarkRows
from emollms.inference.engine import first_line
from emollms.inference.predictions import Prediction
from emollms.tables.files import TableFile, Warn
from emollms.tables.read import TableRow

LOGS = "samples_*.jsonl"


def is_log(values: Mapping[str, Any]) -> bool:
    """Whether a row is a sample of a log."""
    return "doc" in values and ("resps" in values or "filtered_resps" in values)


def logged(file: TableFile, table: Iterable[TableRow], rows: BenchmarkRows, warn: Warn) -> Iterator[Answered]:
    """The answers of a log; as the harness scores them, by their first line.

    Raises:
        SourceError: a sample without a row of ours, or without a generated answer.
    """
    for row in table:
        place, doc = file.place(row.line), row.values.get("doc")
        row_id = doc.get("id") if isinstance(doc, dict) else None
        if not isinstance(row_id, str):
            remedy = "log tasks that `emollms export lm-eval` wrote"
            raise SourceError(place, "a sample whose doc has no id", None, remedy)
        said = _generated(row.values.get("filtered_resps"))
        said = _generated(row.values.get("resps")) if said is None else said
        if said is None:
            remedy = "log a task of output_type generate_until"
            raise SourceError(place, "a sample without a generated answer", None, remedy)
        yield Answered(row_id, Prediction(row_id, first_line(said)), place)


def _generated(value: object) -> str | None:
    """The text in lists of one; None where there are several, as the log-probabilities of choices are."""
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value if isinstance(value, str) else None
