"""A run ends where its loss, its gradient or its weights are no longer finite, before anything is made of them."""

import math
from pathlib import Path
from typing import Any, cast

import torch

from emollms.inference.weights import first_not_finite
from emollms.training.callbacks import any_process
from emollms.training.checkpoints import newest_checkpoint
from emollms.training.launch import DivergedError

MOST_SKIPPED = 40
"""Consecutive steps that float16's loss scaler may skip: it begins at 2^16 and halves with each."""


class FiniteCheckMixin:
    """For a `Trainer`: checks each step before its optimizer, and the weights before they are saved.

    The first bad value ends the run: the weights after it are lost, and a mean over steps would hide it.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._losses_finite: torch.Tensor | None = None
        self._newest_batch: Any = None
        self._skipped = 0

    def training_step(self, model: Any, inputs: Any, *rest: Any, **options: Any) -> torch.Tensor:
        """A batch, forward and backward; remembers whether the loss was finite."""
        loss: torch.Tensor = cast(Any, super()).training_step(model, inputs, *rest, **options)
        # Kept on the device: reading it here would make the CPU wait for every batch.
        finite = torch.isfinite(loss)
        self._losses_finite = finite if self._losses_finite is None else self._losses_finite & finite
        self._newest_batch = inputs
        return loss

    def _get_grad_norm(self, model: Any, *rest: Any, **options: Any) -> Any:
        """The norm of the gradient: the trainer's one hook after the last backward pass and before the optimizer."""
        norm = cast(Any, super())._get_grad_norm(model, *rest, **options)
        losses, self._losses_finite = self._losses_finite, None
        self._check_step(losses is None or bool(losses), float(norm))
        return norm

    def check_loss(self, loss: float) -> None:
        """Check that a validation loss is finite.

        Raises:
            DivergedError: it is not.
        """
        if not math.isfinite(loss):
            self._stop(f"the validation loss is {loss}", int(self._trainer.state.global_step))

    def check_weights(self) -> None:
        """Check that the weights, and the loss of the newest batch with them, are finite: large weights overflow later.

        Every process must call it, since the weights may be sharded over all of them.

        Raises:
            DivergedError: they are not.
        """
        trainer, step = self._trainer, int(self._trainer.state.global_step)
        bad = first_not_finite(trainer.model)
        if any_process(bad is not None, trainer.args.device):
            self._stop(f"weights are NaN or infinite{f' ({bad})' if bad else ''}", step)
        if self._newest_batch is None:
            return
        trainer.model_wrapped.eval()
        loss = trainer.prediction_step(trainer.model_wrapped, self._newest_batch, True)[0]
        trainer.model_wrapped.train()
        if any_process(not bool(torch.isfinite(loss)), trainer.args.device):
            self._stop("the loss after the step is not finite", step)

    def _save_checkpoint(self, *arguments: Any, **options: Any) -> None:
        """Write a checkpoint, if a run can be resumed from it."""
        self.check_weights()
        cast(Any, super())._save_checkpoint(*arguments, **options)

    def _check_step(self, losses_finite: bool, norm: float) -> None:
        trainer = self._trainer
        step = int(trainer.state.global_step) + 1
        if any_process(not losses_finite, trainer.args.device):
            self._stop("the training loss is not finite", step)
        bad = any_process(not math.isfinite(norm), trainer.args.device)
        # In float16 an overflowing gradient is normal: the scaler lowers its scale, and the optimizer skips the step.
        self._skipped = self._skipped + 1 if bad else 0
        if bad and (not trainer.args.fp16 or self._skipped > MOST_SKIPPED):
            self._stop(f"the norm of the gradient is {norm}", step)

    def _stop(self, what: str, step: int) -> None:
        args = self._trainer.args
        is_half = args.fp16 or self._trainer.model.dtype == torch.float16
        precision = ", or float32 or bfloat16 instead of float16" if is_half else ""
        newest = newest_checkpoint(Path(str(args.output_dir)))
        kept = (
            f"{newest.name} is sound, and --resume continues from it; other settings need another --out"
            if newest
            else "there is no checkpoint yet, so other settings can use the same --out"
        )
        raise DivergedError(
            f"step {step}: {what}, so the run ends without a model; try a lower learning_rate (it is "
            f"{args.learning_rate:g}), more warmup_steps, or a smaller max_grad_norm{precision} ({kept})"
        )

    @property
    def _trainer(self) -> Any:
        """The trainer that this class is mixed into."""
        return self
