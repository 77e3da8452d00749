"""Placeholders for what is sensitive in texts and in the targets that stand in them."""

import pyarrow as pa

from emollms.quality.sensitive.find import mask, mask_column


def mask_texts(examples: pa.RecordBatch) -> pa.RecordBatch:
    """Examples with masked texts, and targets masked as they are in their texts.

    Args:
        examples: examples, with `EXAMPLE_SCHEMA`.
    """
    texts = mask_column(examples["text"])
    targets = examples["target"]
    if targets.null_count < len(targets):
        rows = zip(examples["text"].to_pylist(), texts.to_pylist(), targets.to_pylist(), strict=True)
        targets = pa.array([_target(*row) for row in rows], targets.type)
    for name, column in {"text": texts, "target": targets}.items():
        examples = examples.set_column(examples.schema.get_field_index(name), examples.schema.field(name), column)
    return examples


def _target(text: str, masked: str, target: str | None) -> str | None:
    """A target with the placeholders that it has in its text; None where the text no longer names it."""
    if target is None or target not in text:
        return target and mask(target)
    alone = " ".join(target.split())
    shown = mask(f"{text}\n{alone}").rpartition("\n")[2]  # numbers placeholders as in the text
    return shown if shown in " ".join(masked.split()) else None
