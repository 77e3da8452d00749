"""A small training run that sends itself signals; also as a script: python stopped_run.py OUT SIGNALS STEP RANK."""

import os
import signal
import sys
from pathlib import Path

import torch
from transformers import Trainer, TrainerCallback, TrainingArguments

from emollms.training.callbacks import StopCallback
from emollms.training.checkpoints import SealCallback
from emollms.training.launch import STOP_FILE, Interrupted, report_exit_code


class Send(TrainerCallback):
    """Sends signals to its own process, in the middle of a step."""

    def __init__(self, signals, step, rank):
        self.signals, self.step, self.rank = signals, step, rank

    def on_pre_optimizer_step(self, args, state, control, **_):
        if state.global_step + 1 == self.step and args.process_index == self.rank:
            for name in self.signals:
                os.kill(int(os.environ.get("SIGNAL_TO", os.getpid())), getattr(signal, name))
            while STOP_FILE in os.environ and not Path(os.environ[STOP_FILE]).exists():
                pass  # the one who was asked has not yet passed it on


class Tiny(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def forward(self, x, labels):
        return {"loss": ((self.layer(x) - labels) ** 2).mean()}


def run(out, signals, step, rank=0, by="no"):
    """Three epochs of four steps on one process; gives the steps at which it evaluated; raises `Interrupted`."""
    torch.manual_seed(0)
    settings = TrainingArguments(
        output_dir=str(out), num_train_epochs=3, save_strategy=by, eval_strategy=by, use_cpu=True, report_to=[],
        disable_tqdm=True, per_device_train_batch_size=2, logging_strategy="no",
    )  # fmt: skip
    rows = [{"x": torch.ones(1), "labels": torch.ones(1) * n} for n in range(8)]
    stop = StopCallback()
    callbacks = [Send(signals, step, rank), stop, SealCallback()]
    trainer = Trainer(Tiny(), settings, train_dataset=rows, eval_dataset=rows, callbacks=callbacks)
    trainer.train()
    stop.raise_if_stopped()
    return [entry["step"] for entry in trainer.state.log_history if "eval_loss" in entry]


if __name__ == "__main__":
    place = Path(sys.argv[1])
    try:
        run(place, sys.argv[2].split("+"), int(sys.argv[3]), int(sys.argv[4]))
    except Interrupted as error:
        (place / f"rank{os.environ['RANK']}").write_text(f"{error.exit_code} {error}")
        report_exit_code(error.exit_code)
