"""The columns of a data set, one schema for every config."""

import hashlib
import json

import pyarrow as pa

from emollms.corpora.base import Profile
from emollms.tasks import OrdinalTask, Task

EXAMPLE_SCHEMA = pa.schema(
    [
        pa.field("source_id", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("completion", pa.string(), nullable=False),
        pa.field("gold", pa.string(), nullable=False),
        pa.field("score", pa.float64()),
        pa.field("label", pa.int64()),
        pa.field("labels", pa.list_(pa.string()), nullable=False),
        pa.field("emotion", pa.string()),
        pa.field("target", pa.string()),
        pa.field("language", pa.string(), nullable=False),
        pa.field("corpus", pa.string(), nullable=False),
        pa.field("spread", pa.float64()),
        pa.field("raters", pa.int32()),
        pa.field("votes", pa.list_(pa.string()), nullable=False),
    ]
)
"""Examples before they are worded, one file a task and split."""

ROW_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("text", pa.string()),
        pa.field("prompt", pa.string()),
        pa.field("completion", pa.string()),
        pa.field("gold", pa.string()),
        pa.field("score", pa.float64()),
        pa.field("label", pa.int64()),
        pa.field("labels", pa.list_(pa.string())),
        pa.field("task", pa.string()),
        pa.field("emotion", pa.string()),
        pa.field("target", pa.string()),
        pa.field("perspective", pa.string()),
        pa.field("language", pa.string()),
        pa.field("corpus", pa.string()),
        pa.field("source_id", pa.string()),
        pa.field("wording", pa.int32()),
        pa.field("cluster", pa.string()),
        pa.field("overlaps", pa.list_(pa.string())),
        pa.field("spread", pa.float64()),
        pa.field("raters", pa.int32()),
        pa.field("votes", pa.list_(pa.string())),
    ]
)
"""Rows of a data set."""

PAPER_SCHEMA = pa.schema([field for field in ROW_SCHEMA if field.name not in ("spread", "raters", "votes")])
"""Rows in the profile `paper`, whose bytes stay as they were: the published data sets know nothing of raters."""


def row_schema(profile: Profile) -> pa.Schema:
    """The columns of a data set of this profile."""
    return PAPER_SCHEMA if profile == "paper" else ROW_SCHEMA


REJECTED_SCHEMA = pa.schema(
    [
        pa.field("corpus", pa.string()),
        pa.field("file", pa.string()),
        pa.field("line", pa.int64()),
        pa.field("source_id", pa.string()),
        pa.field("task", pa.string()),
        pa.field("split", pa.string()),
        pa.field("text", pa.string()),
        pa.field("reason", pa.string()),
        pa.field("duplicate_of", pa.string()),
        pa.field("similarity", pa.float64()),
    ]
)
"""Rows left out: where they stood, why, and what they duplicate."""

COLUMNS = {
    "id": "corpus/task/source id/emotion/wording number; stable between versions",
    "text": "the text",
    "prompt": "the text with an instruction, on one line; the answer is its continuation",
    "completion": "the answer: a score on 0..1 with three decimals, a class with its words, or labels",
    "gold": "the corpus's own value or class",
    "score": "the score on 0..1 (regression), the class number (ordinal), else null",
    "label": "the class as an index from 0 (ordinal), else null",
    "labels": "the labels (multi-label), else empty",
    "task": "name of the task",
    "emotion": "the emotion or dimension asked for, or null",
    "target": "what the question is about, where the text mentions it (TDT), or null",
    "perspective": "whose feeling it is where the corpus tells readers from writers: combined, reader or writer",
    "language": "code of the text's language",
    "corpus": "name of the source corpus",
    "source_id": "the text's id in that corpus",
    "wording": "number of the instruction wording, from 0",
    "cluster": "id of the first of the near-duplicates of this text in its split and task; null if it has none",
    "overlaps": "other tasks of the benchmark in which this text, or nearly this text, stands as well",
    "spread": "standard deviation of the raters' values, on 0..1 (regression, ordinal); null where it is not known",
    "raters": "how many people rated the text; null where it is not known",
    "votes": "what each of them said, as the corpus has it; empty where it is not known",
}
"""What each column of `ROW_SCHEMA` holds, for people."""

_TYPE_NAMES = {pa.string(): "string", pa.float64(): "float64", pa.int64(): "int64", pa.int32(): "int32"}


def typed_schema(task: Task, schema: pa.Schema = ROW_SCHEMA) -> pa.Schema:
    """The schema of a task's tables; it says what the classes of an ordinal task are called.

    `datasets` and the Hub's viewer read types that Arrow lacks, such as ClassLabel, from this entry of a file's
    metadata; every other column keeps its Arrow type. The values are the same integers with and without it.
    """
    if not isinstance(task, OrdinalTask):
        return schema
    names = [task.class_label(number, "E") for number in task.classes]
    types = {"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}}}}
    return schema.with_metadata({"huggingface": json.dumps(types)})


def features(schema: pa.Schema) -> list[dict[str, object]]:
    """The columns as the `dataset_info` of a README lists them.

    The form is that of `datasets.Features`; a test holds the two together.
    """
    return [{"name": field.name, **_feature(field)} for field in schema]


def _feature(field: pa.Field) -> dict[str, object]:
    if pa.types.is_list(field.type):
        return {"list": _TYPE_NAMES[field.type.value_type]}
    return {"dtype": _TYPE_NAMES[field.type]}


def row_hash(row: dict[str, object]) -> str:
    """SHA-256 of a row as JSON: keys sorted, no spaces, UTF-8."""
    text = json.dumps(row, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
