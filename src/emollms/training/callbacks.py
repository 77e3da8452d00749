"""The callbacks of a run: progress, a stop on request, what was used, and the order in which they are called."""

import os
import signal
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from pydantic import BaseModel
from transformers import EarlyStoppingCallback, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR, IntervalStrategy, SaveStrategy

from emollms.hardware import peak_memory
from emollms.progress import OnProgress, Warn
from emollms.training.checkpoints import SealCallback
from emollms.training.launch import STOP_FILE, Interrupted
from emollms.training.recipe_args import ParsedRecipe
from emollms.training.sampler import SetEpochCallback

USAGE = "usage.json"
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def callbacks_for(
    parsed: ParsedRecipe,
    trainer: Any,
    usage: "UsageCallback",
    stop: "StopCallback",
    on_progress: OnProgress,
    warn: Warn,
) -> list[TrainerCallback]:
    """The callbacks of a run; arguments as those of `ReportCallback`."""
    patience = parsed.tuning.early_stopping_patience
    early = [EarlyStoppingCallback(patience)] if patience and trainer.args.load_best_model_at_end else []
    return [
        SetEpochCallback(trainer.sampler),
        *early,
        ReportCallback(on_progress, warn),
        stop,
        usage,
        SealCallback(parsed.keep),  # last: it lists the files that the others write into a checkpoint
    ]


class ReportCallback(TrainerCallback):
    """Reports the steps with the newest loss, and each evaluation.

    Args:
        on_progress: is called with a line, the steps done and the steps in all.
        warn: is called with each evaluation of the validation rows, as a line.
    """

    def __init__(self, on_progress: OnProgress, warn: Warn) -> None:
        self.on_progress, self.warn = on_progress, warn
        self._shown = "training"

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: Any = None, **_: Any
    ) -> None:
        """Keep the newest loss or score for the progress line."""
        for name, shown in (("loss", "loss"), ("eval_metric", "score"), ("eval_loss", "validation loss")):
            if logs and name in logs:
                self._shown = f"{shown} {float(logs[name]):.3f}"
                break

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, metrics: Any = None, **_: Any
    ) -> None:
        """Report the validation loss and scores."""
        if metrics and state.is_world_process_zero:
            scores = [f"{name.removeprefix('eval_task_')} {value:.3f}" for name, value in metrics.items()
                      if name.startswith("eval_task_")]  # fmt: skip
            found = ", ".join([f"loss {metrics['eval_loss']:.3f}", *scores])
            self.warn(f"step {state.global_step:,} of {state.max_steps:,}, validation: {found}")

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Report the step."""
        if state.is_world_process_zero:
            self.on_progress(self._shown, state.global_step, state.max_steps)


class StopCallback(TrainerCallback):
    """Saves a checkpoint and stops at the end of the step in which SIGTERM, or the first Ctrl-C, arrives.

    With several processes one request is enough: all stop at the same step. A second Ctrl-C stops at once, without a
    checkpoint; a second SIGTERM is ignored, because launchers forward the signals that they receive themselves. The
    file that `emollms.training.launch` names counts as a request too, since launchers kill their processes half a
    minute after a signal. Where validation is due at the step, it comes first, so that the checkpoint is the one that
    an undisturbed run would have written.
    """

    def __init__(self) -> None:
        self._requested_by: signal.Signals | None = None
        self._before: dict[signal.Signals, Any] = {}
        self._stopped_at: int | None = None

    def request_stop(self, by: signal.Signals = signal.SIGTERM) -> None:
        """Request a stop at the end of the step."""
        self._requested_by = self._requested_by or by

    def raise_if_stopped(self) -> None:
        """Raise if the run was stopped; call it after `Trainer.train`, before the model is written.

        Raises:
            Interrupted: the run was stopped before its end.
        """
        if self._stopped_at is None:
            return
        by = self._requested_by
        name = by.name if by else "a signal" if _stop_file_exists() else "a signal to another process"
        raise Interrupted(f"stopped by {name} after step {self._stopped_at}, which is saved; the same command resumes")

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Handle the signals, where this is the main thread: Python allows it in no other."""
        if threading.current_thread() is threading.main_thread():
            self._before = {one: signal.signal(one, self._handle) for one in _SIGNALS}

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Stop, unless this is the last step anyway."""
        requested = self._requested_by is not None or _stop_file_exists()
        if state.global_step >= state.max_steps or not any_process(requested, args.device):
            return
        self._stopped_at = state.global_step
        control.should_training_stop = True
        control.should_save = not _belongs_to_epoch_end(args, state)

    def on_epoch_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Undo what the trainer schedules here: it ends the epoch at a stop, even in the middle of one."""
        if self._stopped_at is None:
            return
        if _belongs_to_epoch_end(args, state):
            control.should_save = True
        elif not _is_epoch_end(state):
            control.should_log = control.should_evaluate = control.should_save = False

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Restore the signal handlers."""
        self.restore()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        one = signal.Signals(number)
        if one is signal.SIGINT and self._requested_by is signal.SIGINT:
            self.restore()
            raise KeyboardInterrupt
        self.request_stop(one)

    def restore(self) -> None:
        """Restore the signal handlers; also for a run that fails."""
        for one, handler in self._before.items():
            signal.signal(one, handler)
        self._before = {}


def _stop_file_exists() -> bool:
    named = os.environ.get(STOP_FILE)
    return bool(named) and Path(str(named)).exists()


def _is_epoch_end(state: TrainerState) -> bool:
    return state.epoch is not None and float(state.epoch).is_integer()


def _belongs_to_epoch_end(args: TrainingArguments, state: TrainerState) -> bool:
    """Whether the checkpoint of this step must hold the evaluation at the end of the epoch."""
    by_epoch = args.eval_strategy == IntervalStrategy.EPOCH or args.save_strategy == SaveStrategy.EPOCH
    return by_epoch and _is_epoch_end(state)


def any_process(flag: bool, device: torch.device) -> bool:
    """Whether a flag is set in any of the processes that train together; a collective call, which each must make."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return flag
    seen = torch.tensor([int(flag)], device=device)
    torch.distributed.all_reduce(seen, op=torch.distributed.ReduceOp.MAX)
    return bool(seen.item())


class Usage(BaseModel):
    """What a run has used so far, over all its resumptions.

    Args:
        started: UTC, ISO 8601, of the first start.
        seconds: of training.
        joules: energy that the GPUs took; None where they do not count it.
        peak_memory: bytes.
        resumed: how often the run was resumed.
    """

    started: str
    seconds: float = 0.0
    joules: float | None = None
    peak_memory: int = 0
    resumed: int = 0


class UsageCallback(TrainerCallback):
    """Adds up time, energy and memory, and writes them into each checkpoint.

    Args:
        before: what was used up to the checkpoint from which the run resumes.
    """

    def __init__(self, before: Usage) -> None:
        self.before = before
        self._begun = time.monotonic()
        self._joules = gpu_joules()

    def so_far(self) -> Usage:
        """All that was used."""
        now, known = gpu_joules(), self.before.joules
        if now is not None and self._joules is not None:
            known = now - self._joules + (known or 0.0)
        return self.before.model_copy(
            update={
                "seconds": self.before.seconds + time.monotonic() - self._begun,
                "joules": known,
                "peak_memory": max(self.before.peak_memory, peak_memory()),
            }
        )

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Write it into the checkpoint."""
        if args.should_save:
            folder = Path(str(args.output_dir)) / f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}"
            (folder / USAGE).write_text(self.so_far().model_dump_json(indent=2), encoding="utf-8")


def gpu_joules() -> float | None:
    """Joules that the GPUs of this process took since their driver was loaded, by NVML's own counter.

    None where nothing is counted: without an NVIDIA GPU from Volta on, or without the package `nvidia-ml-py`.
    """
    if not torch.cuda.is_available():
        return None
    try:
        import pynvml

        pynvml.nvmlInit()
        # One GPU a process where there are several processes, else all that this one sees.
        several = int(os.environ.get("LOCAL_WORLD_SIZE", "1")) > 1
        mine = [torch.cuda.current_device()] if several else range(torch.cuda.device_count())
        # by UUID: torch's numbers follow CUDA_VISIBLE_DEVICES, NVML's do not
        handles = [
            pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{torch.cuda.get_device_properties(one).uuid}") for one in mine
        ]
        return float(sum(map(pynvml.nvmlDeviceGetTotalEnergyConsumption, handles))) / 1e3
    except (ImportError, pynvml.NVMLError):
        return None


def read_usage(checkpoint: Path) -> Usage:
    """What had been used when a checkpoint was written."""
    return Usage.model_validate_json((checkpoint / USAGE).read_text(encoding="utf-8"))
