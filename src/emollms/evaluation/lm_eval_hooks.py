"""What the tasks that `emollms export lm-eval` writes call: our prompts, our reading of answers, our metrics."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from emollms.evaluation.scoring import gold_of, score
from emollms.inference.engine import first_line
from emollms.prompts.answers import read_answer
from emollms.prompts.template import frame
from emollms.tasks import get_task

INVALID_RATE = "invalid_rate"
Doc = Mapping[str, Any]


def framed(doc: Doc) -> str:
    """What a model without a chat template reads."""
    return frame(doc["prompt"])


def plain(doc: Doc) -> str:
    """The prompt alone, for `lm_eval --apply_chat_template`."""
    return str(doc["prompt"])


def rows_in(language: str) -> Callable[[Any], Any]:
    """What keeps the rows in one language of a `datasets.Dataset`."""

    def process_docs(rows: Any) -> Any:
        return rows.filter(lambda row: row["language"] == language)

    return process_docs


def results_of(names: Sequence[str]) -> Callable[[Doc, Sequence[str]], dict[str, Any]]:
    """What hands a row and its answer on to the metrics of these names."""

    def process_results(doc: Doc, results: Sequence[str]) -> dict[str, Any]:
        return dict.fromkeys(names, (dict(doc), first_line(results[0])))

    return process_results


def metric(name: str) -> Callable[[Sequence[tuple[Doc, str]]], float]:
    """What computes a metric from rows and answers, as `emollms evaluate` does, by the official rule for invalid ones.

    Args:
        name: name of a metric of `schemes`, or `invalid_rate`.
    """

    def aggregate(items: Sequence[tuple[Doc, str]]) -> float:
        docs = [doc for doc, _ in items]
        task = get_task(docs[0]["task"])
        found = score(
            task,
            [gold_of(task, doc) for doc in docs],
            [read_answer(task, said, doc["emotion"]) for doc, said in items],
            [doc["emotion"] for doc in docs],
            language=docs[0]["language"],
            resamples=1,
        )
        return found.invalid_rate if name == INVALID_RATE else found.metrics[name].value

    return aggregate
