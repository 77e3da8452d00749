"""What the tasks that `emollms export lm-eval` writes call: our prompts, our parsing of answers, our metrics."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from emollms.evaluation.scoring import gold_label, score, unannotated_of
from emollms.inference.engine import first_line
from emollms.prompts.answers import parse_answer
from emollms.prompts.template import frame
from emollms.tasks import get_task

INVALID_RATE = "invalid_rate"
Doc = Mapping[str, Any]
Unannotated = Mapping[str, Mapping[str, Sequence[str]]]


def framed(doc: Doc) -> str:
    """What a model without a chat template reads."""
    return frame(doc["prompt"])


def plain(doc: Doc) -> str:
    """The prompt alone, for `lm_eval --apply_chat_template`."""
    return str(doc["prompt"])


def rows_in(language: str, unannotated: Unannotated | None = None) -> Callable[[Any], Any]:
    """What keeps the rows in one language of a `datasets.Dataset`.

    Args:
        language: its code.
        unannotated: corpus and task to the labels that were not annotated there; rows name them, and no metric counts
            them.
    """

    def process_docs(rows: Any) -> Any:
        own = rows.filter(lambda row: row["language"] == language)
        return own.map(left_out) if unannotated else own

    def left_out(row: Doc) -> dict[str, list[str]]:
        return {"unannotated": list((unannotated or {}).get(row["corpus"], {}).get(row["task"], ()))}

    return process_docs


def results_of(names: Sequence[str]) -> Callable[[Doc, Sequence[str]], dict[str, Any]]:
    """What hands a row and its answer on to the metrics of these names."""

    def process_results(doc: Doc, results: Sequence[str]) -> dict[str, Any]:
        return dict.fromkeys(names, (dict(doc), first_line(results[0])))

    return process_results


def metric(name: str) -> Callable[[Sequence[tuple[Doc, str]]], float]:
    """What computes a metric from rows and answers, as `emollms evaluate` does, by the official rule for invalid ones.

    Args:
        name: name of a metric of `task_metrics`, or `invalid_rate`.
    """

    def aggregate(items: Sequence[tuple[Doc, str]]) -> float:
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
