"""Stop a run when it is asked to, at the end of a step, so that the same command goes on from there."""

import os
import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_utils import IntervalStrategy, SaveStrategy

from emollms.errors import EmollmsError
from emollms.training.launch import EXIT_CODE, STOP_FILE

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interrupted(EmollmsError):  # noqa: N818 - it is what was asked for, and no error
    """A run was asked to stop. All that it did is in its last checkpoint."""

    exit_code = EXIT_CODE


class StopOnSignal(TrainerCallback):
    """Save a checkpoint and stop at the end of the step in which SIGTERM, or the first Ctrl-C, arrives.

    With several processes it is enough that one is asked: all stop at the same step. A second Ctrl-C stops at once,
    without a checkpoint; a second SIGTERM says nothing new, because launchers pass on what they get themselves.
    Under `emollms.training.launch` the file that it names asks as well, since launchers kill their processes half a
    minute after a signal. Where validation is due at the step, it comes first, so that the checkpoint is what an
    undisturbed run would have.
    """

    def __init__(self) -> None:
        self._asked: signal.Signals | None = None
        self._before: dict[signal.Signals, Any] = {}
        self._stopped_at: int | None = None

    def ask(self, by: signal.Signals = signal.SIGTERM) -> None:
        """Ask for a stop at the end of the step."""
        self._asked = self._asked or by

    def raise_if_stopped(self) -> None:
        """Tell that the run was stopped; call it when `train` of the trainer is back, before anything is made final.

        Raises:
            Interrupted: the run was stopped before its end.
        """
        if self._stopped_at is None:
            return
        name = self._asked.name if self._asked else "a signal" if _is_file_there() else "a signal to another process"
        raise Interrupted(f"stopped by {name} after step {self._stopped_at}, which is saved; the same command goes on")

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Listen, where this is the main thread: Python lets no other one."""
        if threading.current_thread() is threading.main_thread():
            self._before = {one: signal.signal(one, self._handle) for one in _SIGNALS}

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Stop, unless the run is at its end anyway."""
        asked = self._asked is not None or _is_file_there()
        if state.global_step >= state.max_steps or not any_process(asked, args.device):
            return
        self._stopped_at = state.global_step
        control.should_training_stop = True
        control.should_save = not _belongs_to_epoch_end(args, state)

    def on_epoch_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Keep what belongs to the end of an epoch from being done in the middle of one, where the trainer stopped."""
        if self._stopped_at is None:
            return
        if _belongs_to_epoch_end(args, state):
            control.should_save = True
        elif not _is_epoch_end(state):
            control.should_log = control.should_evaluate = control.should_save = False

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Give the signals back."""
        self.restore()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        one = signal.Signals(number)
        if one is signal.SIGINT and self._asked is signal.SIGINT:
            self.restore()
            raise KeyboardInterrupt
        self.ask(one)

    def restore(self) -> None:
        """Give the signals back; also for a run that does not come to its end."""
        for one, handler in self._before.items():
            signal.signal(one, handler)
        self._before = {}


def _is_file_there() -> bool:
    named = os.environ.get(STOP_FILE)
    return bool(named) and Path(str(named)).exists()


def _is_epoch_end(state: TrainerState) -> bool:
    return state.epoch is not None and float(state.epoch).is_integer()


def _belongs_to_epoch_end(args: TrainingArguments, state: TrainerState) -> bool:
    """Whether the checkpoint of this step is to hold what is looked at when the epoch is over."""
    by_epoch = args.eval_strategy == IntervalStrategy.EPOCH or args.save_strategy == SaveStrategy.EPOCH
    return by_epoch and _is_epoch_end(state)


def any_process(flag: bool, device: torch.device) -> bool:
    """Whether it is so for any of the processes that train together; each of them must ask."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return flag
    seen = torch.tensor([int(flag)], device=device)
    torch.distributed.all_reduce(seen, op=torch.distributed.ReduceOp.MAX)
    return bool(seen.item())
