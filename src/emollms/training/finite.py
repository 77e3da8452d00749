"""A run ends where its loss, its gradient or its weights are no longer finite, before anything is made of them."""

import math
from pathlib import Path
from typing import Any, cast

import torch

from emollms.errors import EmollmsError
from emollms.inference.weights import first_not_finite
from emollms.training.checkpoints import newest_checkpoint
from emollms.training.stop import any_process

MOST_SKIPPED = 40
"""Steps in a row that the scaler of float16 may skip: it begins at 2^16 and halves with each."""


class DivergedError(EmollmsError):
    """The loss, gradient or weights of a run stopped being finite. All its processes raise it at the same step."""


class FiniteSteps:
    """A trainer that checks each step before its optimiser, and the weights before they are written anywhere.

    The first bad value ends the run: the weights after it are lost, and a mean over steps would hide it.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._losses_finite: torch.Tensor | None = None
        self._newest_batch: Any = None
        self._skipped = 0

    def training_step(self, model: Any, inputs: Any, *rest: Any, **options: Any) -> torch.Tensor:
        """A batch, forward and backward; keeps whether the loss was finite."""
        loss: torch.Tensor = cast(Any, super()).training_step(model, inputs, *rest, **options)
        finite = torch.isfinite(loss)
        self._losses_finite = finite if self._losses_finite is None else self._losses_finite & finite
        self._newest_batch = inputs
        return loss

    def _get_grad_norm(self, model: Any, *rest: Any, **options: Any) -> Any:
        """The norm of the gradient, once all batches of a step went through and before its optimiser."""
        norm = cast(Any, super())._get_grad_norm(model, *rest, **options)
        losses, self._losses_finite = self._losses_finite, None
        self._check_step(losses is None or bool(losses), float(norm))
        return norm

    def check_loss(self, loss: float) -> None:
        """Make sure that a loss on validation rows is finite.

        Raises:
            DivergedError: it is not.
        """
        if not math.isfinite(loss):
            self._stop(f"the validation loss is {loss}", int(self._trainer.state.global_step))

    def check_weights(self) -> None:
        """Make sure that the weights are finite, and still give a finite loss: that of the newest batch.

        Every process must call it, since the weights may be spread over all of them.

        Raises:
            DivergedError: they are not, or do not.
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
            self._stop("the loss after the step is no number", step)

    def _save_checkpoint(self, *arguments: Any, **options: Any) -> None:
        """Write a checkpoint, if it is one that a run can be resumed from."""
        self.check_weights()
        cast(Any, super())._save_checkpoint(*arguments, **options)

    def _check_step(self, losses_finite: bool, norm: float) -> None:
        trainer = self._trainer
        step = int(trainer.state.global_step) + 1
        if any_process(not losses_finite, trainer.args.device):
            self._stop("the training loss is no number", step)
        bad = any_process(not math.isfinite(norm), trainer.args.device)
        # with float16 a gradient that overflows is met by a smaller scale, and the optimiser skips the step
        self._skipped = self._skipped + 1 if bad else 0
        if bad and (not trainer.args.fp16 or self._skipped > MOST_SKIPPED):
            self._stop(f"the norm of the gradient is {norm}", step)

    def _stop(self, what: str, step: int) -> None:
        args = self._trainer.args
        is_half = args.fp16 or self._trainer.model.dtype == torch.float16
        numbers = ", or float32 or bfloat16 in place of float16" if is_half else ""
        newest = newest_checkpoint(Path(str(args.output_dir)))
        kept = (
            f"{newest.name} was sound, and --resume goes on from it; other settings need another --out"
            if newest
            else "there was no checkpoint yet, so that other settings can have the same --out"
        )
        raise DivergedError(
            f"step {step}: {what}, so the run ends here without a model; try a lower learning_rate (it is "
            f"{args.learning_rate:g}), more warmup_steps, or a smaller max_grad_norm{numbers} ({kept})"
        )

    @property
    def _trainer(self) -> Any:
        """The trainer that this class is mixed into."""
        return self
