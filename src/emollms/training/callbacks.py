"""What takes part in a run beside the trainer, in the order in which it is called."""

from collections.abc import Callable
from typing import Any

from transformers import EarlyStoppingCallback, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from emollms.training.checkpoints import MarkComplete
from emollms.training.recipe_args import Parsed
from emollms.training.resources import MeasureUsage
from emollms.training.sampler import TellEpoch
from emollms.training.stop import StopOnSignal


def callbacks_for(
    parsed: Parsed,
    trainer: Any,
    usage: MeasureUsage,
    stop: StopOnSignal,
    tell: Callable[[str, int, int], None],
    note: Callable[[str], None],
) -> list[TrainerCallback]:
    """The callbacks of a run; arguments as those of `Progress`."""
    patience = parsed.tuning.early_stopping_patience
    early = [EarlyStoppingCallback(patience)] if patience and trainer.args.load_best_model_at_end else []
    return [
        TellEpoch(trainer.sampler),
        *early,
        Progress(tell, note),
        stop,
        usage,
        MarkComplete(parsed.keep),
    ]


class Progress(TrainerCallback):
    """Tells how far a run is, with its loss and its rate.

    Args:
        tell: is told a line, the steps that are done, and all steps.
        note: is told each look at the validation rows, in a line.
    """

    def __init__(self, tell: Callable[[str, int, int], None], note: Callable[[str], None]) -> None:
        self.tell, self.note = tell, note
        self._shown = "training"

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: Any = None, **_: Any
    ) -> None:
        """Show the newest loss and score."""
        for name, shown in (("loss", "loss"), ("eval_metric", "score"), ("eval_loss", "validation loss")):
            if logs and name in logs:
                self._shown = f"{shown} {float(logs[name]):.3f}"
                break

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, metrics: Any = None, **_: Any
    ) -> None:
        """Note the loss and the scores."""
        if metrics and state.is_world_process_zero:
            scores = [f"{name.removeprefix('eval_task_')} {value:.3f}" for name, value in metrics.items()
                      if name.startswith("eval_task_")]  # fmt: skip
            found = ", ".join([f"loss {metrics['eval_loss']:.3f}", *scores])
            self.note(f"step {state.global_step:,} of {state.max_steps:,}, validation: {found}")

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Tell."""
        if state.is_world_process_zero:
            self.tell(self._shown, state.global_step, state.max_steps)
