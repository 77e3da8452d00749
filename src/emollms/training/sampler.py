"""The rows of an epoch in their order, which depends on the seed and the epoch alone.

So a resumed run, whose trainer skips the batches that were done, finds the same rows in the same places; an order that
came from a global random state would depend on how often the run was interrupted.
"""

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Sampler
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_pt_utils import get_length_grouped_indices

Numbers = NDArray[np.int64]


class EpochSampler(Sampler[int]):
    """Yields the rows of one epoch after the other.

    Args:
        draws: for each epoch the numbers of its rows; all epochs have the same number of rows.
        lengths: tokens of each row.
        batch: rows of one forward pass, over all processes.
        group: whether rows of similar length share a batch. The batches come in random order, after the longest one,
            which shows at once if memory is too small. Rows of similar length are mostly of the same task; a step of
            several batches (`gradient_accumulation_steps`) mixes them.
        seed: of the order.
    """

    def __init__(self, draws: Sequence[Numbers], lengths: Numbers, batch: int, group: bool, seed: int) -> None:
        self.draws, self.lengths, self.batch, self.group, self.seed = draws, lengths, batch, group, seed
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.draws[0])

    def __iter__(self) -> Iterator[int]:
        rows = self.draws[self.epoch]
        generator = torch.Generator().manual_seed(self.seed + self.epoch)
        if not self.group:
            yield from rows[torch.randperm(len(rows), generator=generator).numpy()].tolist()
            return
        whole = len(rows) // self.batch
        # transformers sorts by length within megabatches of a quarter of all batches, at most 50; in short runs that
        # leaves batches of mixed lengths, mostly padding.
        together = min(50, max(10, whole // 4))
        lengths = self.lengths[rows].tolist()
        grouped = np.array(
            get_length_grouped_indices(lengths, self.batch, together, generator)  # type: ignore[no-untyped-call]
        )
        # Without this shuffle the longest rows of each megabatch would always come first. Batch 0 has the longest row.
        order = np.r_[0, 1 + torch.randperm(max(whole - 1, 0), generator=generator).numpy()][:whole]
        for number in order:
            yield from rows[grouped[number * self.batch : (number + 1) * self.batch]].tolist()
        yield from rows[grouped[whole * self.batch :]].tolist()

    def taken(self, steps: int, batches: int) -> list[int]:
        """The rows of the first steps.

        Args:
            steps: optimizer steps, counted from the first epoch on; the last one of an epoch may be short.
            batches: batches of a step (`gradient_accumulation_steps`).
        """
        size = batches * self.batch
        of_an_epoch = -(-len(self) // size)
        found: list[int] = []
        for self.epoch in range(-(-steps // of_an_epoch)):
            found.extend(islice(self, (steps - self.epoch * of_an_epoch) * size))
        return found


class SetEpochCallback(TrainerCallback):
    """Sets the epoch of a sampler: `set_epoch` of the trainer misses it when resuming and on several processes."""

    def __init__(self, sampler: EpochSampler) -> None:
        self.sampler = sampler

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Set the epoch; a resumed run starts in the middle of one."""
        self.sampler.epoch = int(state.epoch or 0)
