"""What an annotation will take, before it is begun: told from a probe of some rows."""

import hashlib
import time
from dataclasses import dataclass, replace

from emollms.annotation.annotator import WINDOW, Annotator, Item
from emollms.annotation.tables import Source
from emollms.hardware import peak_memory
from emollms.progress import OnProgress, silent

PROBE = 50
"""Texts that are asked about; ten more come before them and are not counted, since the first ones take longer."""
_WARM_UP = 10


@dataclass(frozen=True)
class AnnotationPlan:
    """What a run will take.

    Args:
        rows: of the input.
        texts: different texts in it.
        questions: answers that are needed: one to each question about each text and each part of a long one.
        known: those that the store has already, by their share in the probe.
        tokens: that the model reads: the texts, and for each question the prompt around them.
        seconds: from the first row to the last, models loaded.
        memory: peak of this process, and of its accelerator, in bytes.
        cost: in the currency of the price; None without one.
    """

    rows: int
    texts: int
    questions: int
    known: int
    tokens: int
    seconds: float
    memory: int
    cost: float | None

    def __repr__(self) -> str:
        hours = f"{self.seconds / 3600:.1f} hours" if self.seconds >= 3600 else f"{self.seconds / 60:.1f} minutes"
        lines = [
            f"{self.rows:,} rows with {self.texts:,} different texts",
            f"{self.questions:,} answers, of which {self.known:,} are known",
            f"{self.tokens:,} tokens in prompts",
            f"{hours}, {self.memory / 1e9:.1f} GB of memory",
        ]
        return "\n".join([*lines, *([f"cost {self.cost:,.2f}"] if self.cost is not None else [])])


def plan_annotation(
    annotator: Annotator, source: Source, *, probe: int = PROBE, on_progress: OnProgress = silent
) -> AnnotationPlan:
    """Ask about a few rows, and tell from them what all will take.

    The answers are kept, so that a run after it does not ask again.

    Args:
        annotator: who will answer.
        source: the input; it is read once to the end.
        probe: how many different texts are asked about.
        on_progress: is told how far it is.
    """
    rows = 0
    digests: set[int] = set()
    sample: dict[int, Item] = {}
    for some in source.windows(WINDOW):
        for text, target in zip(some.texts, some.targets, strict=True):
            rows += 1
            if text and text.strip():
                digest = _digest(text, target)
                digests.add(digest)
                sample[digest] = Item(text, target)
        # The lowest digests are a random sample, whatever the order of the rows.
        sample = dict(sorted(sample.items(), key=lambda one: one[0])[: probe + _WARM_UP])
        on_progress("read", rows, None)
    items = list(sample.values())
    warm_up = items[: max(0, len(items) - probe)]
    probed = items[len(warm_up) :]
    if warm_up:
        annotator.annotate(warm_up)
    before, spent, begin = replace(annotator.counts), annotator.cost, time.monotonic()
    if probed:
        annotator.annotate(probed)
    seconds, counts = time.monotonic() - begin, annotator.counts
    needed, asked = counts.questions - before.questions, counts.asked - before.asked
    factor = len(digests) / max(1, len(probed))
    new = factor if asked else 0.0
    cost = annotator.cost
    return AnnotationPlan(
        rows=rows,
        texts=len(digests),
        questions=round(needed * factor),
        known=round((needed - asked) * factor),
        tokens=round(annotator.count_tokens(probed) * factor),
        seconds=seconds * new,
        memory=peak_memory(),
        cost=None if cost is None or spent is None else (cost - spent) * new,
    )


def _digest(text: str, target: str | None) -> int:
    parts = f"{text}\0{target or ''}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(parts, digest_size=8).digest(), "big")
