"""What an annotation will take, before it is begun: told from a probe of some rows."""

import hashlib
import time
from dataclasses import dataclass
from itertools import islice

from emollms.annotation.annotator import WINDOW, Annotator
from emollms.annotation.asking import Item
from emollms.annotation.sources import Source
from emollms.hardware import peak_memory
from emollms.progress import OnProgress, silent

PROBE = 50
"""Texts that are asked about; ten more come before them and are not counted, since the first ones take longer."""
_WARM_UP = 10
_LOOKED_UP = 500
"""Texts that are looked up in the store, to estimate how many answers it has."""
_COUNTED = 1 << 17
"""Different texts that are counted one by one; of more, a random part is counted, which is right to 0.3 %."""


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
    texts = _Distinct()
    looked_up: dict[int, Item] = {}
    candidates: dict[int, Item] = {}
    for some in source.windows(WINDOW):
        for text, target in zip(some.texts, some.targets, strict=True):
            rows += 1
            if text and text.strip():
                digest = _digest(text, target)
                texts.add(digest)
                looked_up[digest] = candidates[digest] = Item(text, target)
        # The lowest digests are a random sample, whatever the order of the rows. The probe is taken from the highest:
        # what an earlier probe asked would else be taken for the share of all that is known.
        looked_up = dict(sorted(looked_up.items())[:_LOOKED_UP])
        candidates = dict(sorted(candidates.items(), reverse=True)[:_LOOKED_UP])
        on_progress("read", rows, None)
    known = sum(map(annotator.is_known, looked_up.values())) / max(1, len(looked_up))
    items = list(islice((one for one in candidates.values() if not annotator.is_known(one)), probe + _WARM_UP))
    warm_up = items[: min(_WARM_UP, len(items) // 2)]
    probed = items[len(warm_up) :]
    if warm_up:
        annotator.annotate(warm_up)
    before, spent, begin = annotator.counts.questions, annotator.cost, time.monotonic()
    if probed:
        annotator.annotate(probed)
    seconds, needed, cost = time.monotonic() - begin, annotator.counts.questions - before, annotator.cost
    sized = probed or list(looked_up.values())[:probe]
    if not probed:
        annotator.annotate(sized)
        needed = annotator.counts.questions - before
    factor = texts.count / max(1, len(sized))
    new = factor * (1 - known) if probed else 0.0
    return AnnotationPlan(
        rows=rows,
        texts=texts.count,
        questions=round(needed * factor),
        known=round(needed * factor * known),
        tokens=round(annotator.count_tokens(sized) * factor),
        seconds=seconds * new,
        memory=peak_memory(),
        cost=None if cost is None or spent is None else (cost - spent) * new,
    )


class _Distinct:
    """Counts different numbers, random ones on 0..2⁶⁴; where they are many, only those below a limit.

    That is adaptive sampling (Flajolet, "On adaptive sampling", Computing 43, 1990).
    """

    def __init__(self) -> None:
        self._kept: set[int] = set()
        self._halvings = 0

    def add(self, number: int) -> None:
        """Count a number."""
        if number >> (64 - self._halvings):
            return
        self._kept.add(number)
        if len(self._kept) > _COUNTED:
            self._halvings += 1
            self._kept = {one for one in self._kept if not one >> (64 - self._halvings)}

    @property
    def count(self) -> int:
        """How many there were."""
        return len(self._kept) << self._halvings


def _digest(text: str, target: str | None) -> int:
    parts = f"{text}\0{target or ''}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(parts, digest_size=8).digest(), "big")
