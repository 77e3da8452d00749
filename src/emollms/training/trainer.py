"""The two trainers: TRL's for decoders, transformers' for encoder-decoders, with one loss and one order of rows.

A run ends where its loss, its gradient or its weights are no longer finite, before anything is made of them.

The loss is the mean cross entropy of the answers' tokens. TRL computes it at every position, or on some devices with
kernels of its own; here the model is asked for the logits of the last positions alone (`logits_to_keep`), which every
decoder supports, on every device: logits of the prompt would be most of the memory of a small model.
"""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import torch
from peft import get_peft_model
from torch.nn import functional
from torch.utils.data import Sampler
from transformers import IntervalStrategy, Seq2SeqTrainer, set_seed
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from emollms.inference.weights import first_not_finite
from emollms.training.callbacks import any_process
from emollms.training.checkpoints import newest_checkpoint
from emollms.training.expected_value_loss import NumberTable, squared_error
from emollms.training.launch import DivergedError
from emollms.training.recipe_args import ParsedRecipe
from emollms.training.refused import check_trackers
from emollms.training.tokenize import IGNORED, Batch

Scorer = Callable[[Any], Mapping[str, float]]
"""Takes a trainer and gives the scores of its model on validation rows, `metric` among them."""
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
        self.check_weights()  # a run must be able to resume from each checkpoint
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
        kept = "there is no checkpoint yet, so other settings can use the same --out"
        if newest:
            kept = f"{newest.name} is sound, and --resume continues from it; other settings need another --out"
        raise DivergedError(
            f"step {step}: {what}, so the run ends without a model; try a lower learning_rate (it is "
            f"{args.learning_rate:g}), more warmup_steps, or a smaller max_grad_norm{precision} ({kept})"
        )

    @property
    def _trainer(self) -> Any:
        """The trainer that this class is mixed into."""
        return self


class AnswerLossMixin(FiniteCheckMixin):
    """The loss, the order of rows and the evaluation, where both trainers depart from the libraries.

    Args:
        sampler: the order of the training rows.
        table: the nodes of number trees.
        error_weight: weight of a row's squared error against the cross entropy of one token; 0 leaves it out.
        scorer: scores the model on validation rows; None to evaluate the loss alone.
    """

    loss_is_scaled_for_ga = True  # `compute_loss` divides by the tokens of the whole step: TRL must not do so again

    def __init__(
        self, *, sampler: Sampler[int], table: NumberTable, error_weight: float, scorer: Scorer | None, **options: Any
    ) -> None:
        super().__init__(**options)
        self.sampler, self.scorer, self._error_weight = sampler, scorer, error_weight
        self._table = table.to(cast(Any, self).args.device)
        # Makes the trainer count the labels of a whole step and pass them to `compute_loss` (`num_items_in_batch`).
        self.model_accepts_loss_kwargs = True

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        return self.sampler

    def _set_signature_columns_if_needed(self) -> None:
        self._signature_columns = ["input_ids", "labels", "nodes", "gold"]

    def _issue_warnings_after_load(self, load_result: Any) -> None:
        """Do not warn of tied weights: they are stored once, so their second name is always missing."""
        tied = getattr(cast(Any, self).model, "all_tied_weights_keys", {})
        load_result.missing_keys[:] = [key for key in load_result.missing_keys if key not in tied]
        cast(Any, super())._issue_warnings_after_load(load_result)

    def compute_loss(
        self, model: Any, inputs: Batch, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The loss of a batch; see `emollms.training.tokenize` for its tensors."""
        trainer = cast(Any, self)
        inputs = dict(inputs)
        labels, nodes, gold = (inputs.pop(name) for name in ("labels", "nodes", "gold"))
        outputs, logits, shift = _logits(model, inputs, labels.shape[1])
        labels, nodes = labels[:, shift:], nodes[:, shift:]
        total = functional.cross_entropy(
            logits.flatten(0, 1).float(), labels.flatten(), ignore_index=IGNORED, reduction="sum"
        )
        if self._error_weight:
            total = total + self._error_weight * squared_error(logits, labels, nodes, gold, self._table)
        # A step is the mean over all its answer tokens, however they are cut into batches and processes. A mean of the
        # batches' means would weigh a token by how short the other answers of its batch happen to be.
        if num_items_in_batch is None:  # in validation there is no step
            loss = total / (labels != IGNORED).sum().clamp(min=1)
        else:
            loss = total / num_items_in_batch
            if trainer.args.average_tokens_across_devices:
                # The count is over all processes, and DDP divides their gradients by the number of processes again.
                loss = loss * trainer.accelerator.num_processes
        return (loss, outputs) if return_outputs else loss

    def prediction_step(
        self, model: Any, inputs: Batch, prediction_loss_only: bool, ignore_keys: list[str] | None = None, **_: Any
    ) -> tuple[torch.Tensor, None, None]:
        """The loss of a batch of validation rows, without logits: the scorer decodes for itself."""
        trainer = cast(Any, self)
        with torch.no_grad(), trainer.compute_loss_context_manager():
            loss = self.compute_loss(model, trainer._prepare_inputs(inputs))
        return loss.detach(), None, None

    def evaluation_loop(self, *arguments: Any, **options: Any) -> Any:
        """The loss on the validation rows, and with a scorer their scores, the mean of which is `eval_metric`."""
        trainer = cast(Any, self)
        output = cast(Any, super()).evaluation_loop(*arguments, **options)
        self.check_loss(output.metrics["eval_loss"])
        if self.scorer is not None:
            with trainer.compute_loss_context_manager():
                output.metrics.update({f"eval_{name}": value for name, value in self.scorer(trainer).items()})
        return output


def _logits(model: Any, inputs: Batch, width: int) -> tuple[Any, torch.Tensor, int]:
    """The outputs, the logits that predict the answers' tokens, and how many labels come before these."""
    if "decoder_input_ids" in inputs:
        outputs = model(**inputs, use_cache=False)
        return outputs, outputs.logits, 0
    # A decoder's logits predict the next token: the last position predicts nothing, and the first label, which the
    # collator ignores, has no logits of its own.
    outputs = model(**inputs, use_cache=False, logits_to_keep=width)
    return outputs, outputs.logits[:, -width:-1], 1


class CausalTrainer(AnswerLossMixin, SFTTrainer):  # type: ignore[misc]
    """Trains decoders."""


class EncoderDecoderTrainer(AnswerLossMixin, Seq2SeqTrainer):  # type: ignore[misc]
    """Trains encoder-decoders."""


def make_trainer(
    parsed: ParsedRecipe,
    *,
    model: Any,
    tokenizer: Any,
    collator: Any,
    rows: Any,
    validation: Any,
    sampler: Sampler[int],
    table: NumberTable,
    scorer: Scorer | None,
) -> Any:
    """The trainer for a model, with an adapter where the recipe says so.

    Args:
        parsed: the recipe; its training arguments are completed.
        model: the base model.
        tokenizer: its tokenizer.
        collator: see `emollms.training.tokenize`.
        rows: the tokens of the training rows.
        validation: the tokens of the validation rows; None without evaluations.
        sampler: see `AnswerLossMixin`.
        table: likewise.
        scorer: likewise.

    Raises:
        UsageError: a tracker would upload the run.
    """
    training, tuning = parsed.training, parsed.tuning
    complete_arguments(parsed, evaluates=validation is not None)
    options: dict[str, Any] = {
        "args": training,
        "data_collator": collator,
        "train_dataset": rows,
        "eval_dataset": validation,
        "processing_class": tokenizer,
        "sampler": sampler,
        "table": table,
        "error_weight": tuning.objective_weight if tuning.objective == "expected_value" else 0.0,
        "scorer": scorer,
    }
    if not model.config.is_encoder_decoder:
        trainer = CausalTrainer(model=model, peft_config=parsed.peft, **options)
        if parsed.method == "qlora" and not training.bf16:
            _in_single_precision(trainer.model)
        return trainer
    if parsed.peft is not None:
        set_seed(training.seed)  # adapters are initialized at random, here before any trainer has set the seed
        model = get_peft_model(model, parsed.peft)
    return EncoderDecoderTrainer(model=model, **options)


def _in_single_precision(model: Any) -> None:
    """Undo TRL's cast of a quantised model's adapter to bfloat16: it is slow here, and float16's scaler refuses it."""
    for weights in model.parameters():
        if weights.requires_grad:
            weights.data = weights.data.float()


def complete_arguments(parsed: ParsedRecipe, evaluates: bool) -> None:
    """Set the training arguments on which the promises of this package rest.

    Args:
        parsed: the recipe.
        evaluates: whether there are validation rows to evaluate.

    Raises:
        UsageError: a tracker would upload the run.
    """
    training = parsed.training
    check_trackers(list(training.report_to or ()))
    training.save_total_limit = None  # `SealCallback` removes checkpoints, and only behind a sealed one
    training.logging_nan_inf_filter = False  # it would log a NaN as the mean of earlier losses
    training.restore_callback_states_from_checkpoint = True
    training.remove_unused_columns = True
    training.disable_tqdm = True  # the command has a progress bar of its own
    training.load_best_model_at_end = evaluates
    training.metric_for_best_model = parsed.tuning.selection if evaluates else None
    training.greater_is_better = parsed.tuning.selection == "metric"
    if not evaluates:
        training.eval_strategy = IntervalStrategy.NO
    if isinstance(training, SFTConfig):
        training.dataset_kwargs = {"skip_prepare_dataset": True}
