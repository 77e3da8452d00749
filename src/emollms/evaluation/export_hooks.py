"""What the tasks that `emollms export` writes call: our prompts, our parsing of answers, our metrics."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow.parquet as pq

from emollms.evaluation.scoring import gold_label, score, unannotated_of
from emollms.inference.engine import first_line
from emollms.prompts.answers import parse_answer
from emollms.prompts.template import frame
from emollms.tasks import get_task

INVALID_RATE = "invalid_rate"
COLUMNS = ("id", "prompt", "completion", "task", "emotion", "score", "labels", "language", "corpus")
"""What is read of a row: what is asked, and what its answer is held against."""
Doc = Mapping[str, Any]
Unannotated = Mapping[str, Mapping[str, Sequence[str]]]


def framed(doc: Doc) -> str:
    """What a model without a chat template reads."""
    return frame(doc["prompt"])


def plain(doc: Doc) -> str:
    """The prompt alone, for a chat template that the harness applies."""
    return str(doc["prompt"])


ASKS: Mapping[str, Callable[[Doc], str]] = {"frame": framed, "chat": plain}
"""What a model reads, by template."""


def rows_in(language: str, unannotated: Unannotated | None = None) -> Callable[[Any], Any]:
    """What keeps the rows in one language of a `datasets.Dataset`, for lm-evaluation-harness.

    Args:
        language: its code.
        unannotated: corpus and task to the labels that were not annotated there; rows name them, and no metric counts
            them.
    """

    def process_docs(rows: Any) -> Any:
        own = rows.filter(lambda row: row["language"] == language)
        return own.map(lambda row: _left_out(row, unannotated)) if unannotated else own

    return process_docs


def _left_out(row: Doc, unannotated: Unannotated) -> dict[str, list[str]]:
    return {"unannotated": list(unannotated.get(row["corpus"], {}).get(row["task"], ()))}


def samples_of(
    template: str, language: str, unannotated: Unannotated
) -> Callable[[Sequence[str]], Iterator[dict[str, Any]]]:
    """What gives the samples in parquet files, for Inspect: `id`, `input`, `target`, and the row as `metadata`.

    Args:
        template: `frame` or `chat`.
        language: code of the language of the rows.
        unannotated: as for `rows_in`.
    """

    def samples(files: Sequence[str]) -> Iterator[dict[str, Any]]:
        for path in files:
            for row in pq.read_table(path, columns=list(COLUMNS)).to_pylist():
                if row["language"] == language:
                    doc = row | _left_out(row, unannotated)
                    yield {"id": row["id"], "input": ASKS[template](row), "target": row["completion"], "metadata": doc}

    return samples


def results_of(names: Sequence[str]) -> Callable[[Doc, Sequence[str]], dict[str, Any]]:
    """What hands a row and its answer on to the metrics of these names."""

    def process_results(doc: Doc, results: Sequence[str]) -> dict[str, Any]:
        return dict.fromkeys(names, (dict(doc), first_line(results[0])))

    return process_results


def read(doc: Doc, said: str) -> tuple[str, bool, str]:
    """An answer as it is scored, whether it is valid, and what it says, or why it says nothing."""
    answer = first_line(said)
    parsed = parse_answer(get_task(doc["task"]), answer, doc["emotion"])
    is_valid = parsed.value is not None
    return answer, is_valid, f"read as {parsed.value}" if is_valid else f"invalid: {parsed.reason}"


def metric(name: str) -> Callable[[Sequence[tuple[Doc, str]]], float]:
    """What computes a metric from rows and answers, as `emollms evaluate` does, by the official rule for invalid ones.

    Args:
        name: name of a metric of `task_metrics`, or `invalid_rate`.
    """

    def aggregate(items: Sequence[tuple[Doc, str]]) -> float:
        if not items:  # Inspect asks for the score of no rows, too
            return math.nan
        docs = [doc for doc, _ in items]
        task = get_task(docs[0]["task"])
        found = score(
            task,
            [gold_label(task, doc) for doc in docs],
            [parse_answer(task, said, doc["emotion"]) for doc, said in items],
            [doc["emotion"] for doc in docs],
            unannotated=unannotated_of(docs),
            resamples=1,
        )
        return found.invalid_rate if name == INVALID_RATE else found.metrics[name].value

    return aggregate
