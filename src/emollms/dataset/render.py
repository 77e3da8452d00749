"""Examples to rows, each with its prompt, whole columns at a time."""

import zlib
from collections.abc import Callable, Collection

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from emollms.dataset.schema import ROW_SCHEMA
from emollms.dataset.specs import Wordings
from emollms.prompts.instructions import ENGLISH, instruction_language, wordings
from emollms.prompts.template import LINE_BREAKS, SENTENCE_ENDS, ends_sentences, prompt_parts
from emollms.tasks import MultiLabelTask, Task

Numbers = npt.NDArray[np.int32]


def all_annotated(corpus: str, language: str) -> Collection[str]:
    """No label was left out."""
    return ()


def render_rows(
    task: Task,
    examples: pa.RecordBatch,
    mode: Wordings,
    unannotated: Callable[[str, str], Collection[str]] = all_annotated,
    name_targets: bool = True,
    instructions: str = ENGLISH,
) -> pa.RecordBatch:
    """The rows of a batch of examples.

    Args:
        task: the task of all of them.
        examples: examples, with `EXAMPLE_SCHEMA`.
        mode: `all` gives a row a wording, those of one example together; `one` gives a row an example, whose wording
            follows from a checksum of its id, so that it is the same in every build.
        unannotated: corpus and language to the labels that were not annotated there, and are not asked for.
        name_targets: whether a prompt names the target of its text; the published ones name none.
        instructions: the language of the instructions, or `native`: see `prompts.instructions.instruction_language`.
            An id names the text and the number of the wording, not its language, so that answers can be compared.

    Returns:
        Rows, with `ROW_SCHEMA`.
    """
    names = stems(task.name, examples)
    asked_in = [instruction_language(task.name, code, instructions) for code in examples["language"].to_pylist()]
    counts = np.array([len(wordings(task.name, code)) for code in asked_in], dtype=np.int32)
    if mode == "all":
        rows = np.repeat(np.arange(len(names)), counts)
        numbers = (np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)).astype(np.int32)
    else:
        rows = np.arange(len(names))
        drawn = zip(names.to_pylist(), counts.tolist(), strict=True)
        numbers = np.array([zlib.crc32(stem.encode()) % count for stem, count in drawn], dtype=np.int32)
    shown = _shown(task, examples, name_targets)
    table = examples.append_column("stem", names).append_column("shown", shown)
    table = table.append_column("asked_in", pa.array(asked_in, pa.string())).take(rows)
    columns = {name: table[name] for name in ROW_SCHEMA.names if name in table.schema.names}
    columns |= {
        "id": _join("/", table["stem"], pa.array(numbers).cast(pa.string())),
        "prompt": _prompts(task, table, numbers, unannotated),
        "task": pa.repeat(task.name, len(rows)),
        "perspective": pa.repeat(pa.scalar(task.perspective, pa.string()), len(rows)),
        "wording": pa.array(numbers),
    }
    return pa.record_batch([columns[name] for name in ROW_SCHEMA.names], schema=ROW_SCHEMA)


def stems(task_name: str, examples: pa.RecordBatch) -> pa.StringArray:
    """The ids of rows without the wording number: `corpus/task/source id/emotion`."""
    return _join("/", examples["corpus"], task_name, examples["source_id"], pc.fill_null(examples["emotion"], "-"))


def _shown(task: Task, examples: pa.RecordBatch, name_targets: bool) -> pa.StringArray:
    """The texts as they appear in their prompts: `prompts.template.shown` for a column."""
    lines = pc.replace_substring_regex(examples["text"], LINE_BREAKS, " ")
    if ends_sentences(task):
        last = pc.utf8_slice_codeunits(lines, -1, None)
        lines = _join("", lines, pc.if_else(pc.is_in(last, pa.array(SENTENCE_ENDS)), "", "."))
    if not name_targets or examples["target"].null_count == len(lines):
        return lines
    targets = pc.replace_substring_regex(examples["target"], LINE_BREAKS, " ")
    return _join("", lines, pc.fill_null(_join("", " Target: ", targets, "."), ""))


def _prompts(
    task: Task, rows: pa.RecordBatch, numbers: Numbers, unannotated: Callable[[str, str], Collection[str]]
) -> pa.StringArray:
    """The prompts of a column of texts; what surrounds a text is rendered once for each of the few combinations."""
    columns = [
        rows[name].dictionary_encode(null_encoding="encode") for name in ("emotion", "corpus", "language", "asked_in")
    ]
    shape = (*(len(column.dictionary) for column in columns), int(numbers.max()) + 1)
    codes = np.ravel_multi_index((*(column.indices.to_numpy() for column in columns), numbers), shape)
    kinds, which = np.unique(codes, return_inverse=True)
    parts = []
    for *places, number in zip(*np.unravel_index(kinds, shape), strict=True):
        emotion, corpus, language, asked_in = (
            column.dictionary[place].as_py() for column, place in zip(columns, places, strict=True)
        )
        left_out = {"unannotated": unannotated(corpus, language)}
        labels = task.labels_asked(left_out) if isinstance(task, MultiLabelTask) else None
        parts.append(prompt_parts(task, int(number), emotion, labels, asked_in))
    before = pa.array([part.before for part in parts]).take(pa.array(which))
    after = pa.array([part.after for part in parts]).take(pa.array(which))
    return _join("", before, rows["shown"], after)


def _join(separator: str, *columns: object) -> pa.StringArray:
    return pc.binary_join_element_wise(*columns, separator)
