"""The two trainers: TRL's for decoders, transformers' for encoder-decoders, with one loss and one order of rows.

The loss is the mean cross entropy of the answers' tokens. TRL sends every position, or on some devices every answer
position, through kernels of its own; here the model itself is asked for the logits of the last places alone, which
every decoder of transformers can do (`logits_to_keep`), on every device and whatever wraps it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import torch
from peft import get_peft_model
from torch.nn import functional
from torch.utils.data import Sampler
from transformers import IntervalStrategy, Seq2SeqTrainer, set_seed
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from emollms.optional import check_installed
from emollms.training.collate import Batch
from emollms.training.expected_value_loss import NumberTable, squared_error
from emollms.training.finite import FiniteSteps
from emollms.training.recipe_args import Parsed
from emollms.training.refused import check_trackers
from emollms.training.tokenize import IGNORED

_PACKAGES = {"azure_ml": "azureml", "flyte": "flytekit"}
"""Packages of trackers that have another name."""

Look = Callable[[Any], Mapping[str, float]]
"""Scores of the model on validation rows, `metric` among them."""


class AnswerLoss(FiniteSteps):
    """What both trainers do in another way than the libraries' own.

    Args:
        sampler: the order of the training rows.
        table: the nodes of number trees.
        error_weight: weight of a row's squared error against the cross entropy of one token; 0 leaves it out.
        look: scores the model on validation rows; None where the loss alone is looked at.
    """

    loss_is_scaled_for_ga = True

    def __init__(
        self, *, sampler: Sampler[int], table: NumberTable, error_weight: float, look: Look | None, **options: Any
    ) -> None:
        super().__init__(**options)
        self.sampler, self.look, self._error_weight = sampler, look, error_weight
        self._table = table.to(cast(Any, self).args.device)
        self.model_accepts_loss_kwargs = True  # so that the answers' tokens of all processes and sub-steps are counted

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        return self.sampler

    def _set_signature_columns_if_needed(self) -> None:
        self._signature_columns = ["input_ids", "labels", "nodes", "gold"]

    def _issue_warnings_after_load(self, load_result: Any) -> None:
        """Weights that are another one's are stored once: that the second name is missing is no news."""
        tied = getattr(cast(Any, self).model, "all_tied_weights_keys", {})
        load_result.missing_keys[:] = [key for key in load_result.missing_keys if key not in tied]
        cast(Any, super())._issue_warnings_after_load(load_result)

    def compute_loss(
        self, model: Any, inputs: Batch, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The loss of a batch; see `emollms.training.collate` for its tensors."""
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
        if num_items_in_batch is None:
            loss = total / (labels != IGNORED).sum().clamp(min=1)
        else:
            loss = total / num_items_in_batch
            if trainer.args.average_tokens_across_devices:  # counted over all processes, which average gradients
                loss = loss * trainer.accelerator.num_processes
        return (loss, outputs) if return_outputs else loss

    def prediction_step(
        self, model: Any, inputs: Batch, prediction_loss_only: bool, ignore_keys: list[str] | None = None, **_: Any
    ) -> tuple[torch.Tensor, None, None]:
        """The loss of a batch of validation rows; never logits, which nobody needs."""
        trainer = cast(Any, self)
        with torch.no_grad(), trainer.compute_loss_context_manager():
            loss = self.compute_loss(model, trainer._prepare_inputs(inputs))
        return loss.detach(), None, None

    def evaluation_loop(self, *arguments: Any, **options: Any) -> Any:
        """The loss on the validation rows, and with `look` their scores, the mean of which is `eval_metric`."""
        trainer = cast(Any, self)
        output = cast(Any, super()).evaluation_loop(*arguments, **options)
        self.check_loss(output.metrics["eval_loss"])
        if self.look is not None:
            with trainer.compute_loss_context_manager():
                output.metrics.update({f"eval_{name}": value for name, value in self.look(trainer).items()})
        return output


def _logits(model: Any, inputs: Batch, width: int) -> tuple[Any, torch.Tensor, int]:
    """The outputs, the logits of the answers' tokens, and how many places of the labels stand before these."""
    if "decoder_input_ids" in inputs:
        outputs = model(**inputs, use_cache=False)
        return outputs, outputs.logits, 0
    outputs = model(**inputs, use_cache=False, logits_to_keep=width)
    return outputs, outputs.logits[:, -width:-1], 1


class CausalTrainer(AnswerLoss, SFTTrainer):  # type: ignore[misc]
    """For decoders."""


class Seq2SeqTuner(AnswerLoss, Seq2SeqTrainer):  # type: ignore[misc]
    """For encoder-decoders."""


def make_trainer(
    parsed: Parsed,
    *,
    model: Any,
    tokenizer: Any,
    collator: Any,
    rows: Any,
    validation: Any,
    sampler: Sampler[int],
    table: NumberTable,
    look: Look | None,
) -> Any:
    """The trainer for a model, with an adapter where the recipe says so.

    Args:
        parsed: the recipe; its training arguments are completed.
        model: the base model.
        tokenizer: its tokenizer.
        collator: see `emollms.training.collate`.
        rows: the tokens of the training rows.
        validation: the tokens of the validation rows; None if nothing is looked at.
        sampler: see `AnswerLoss`.
        table: likewise.
        look: likewise.
    """
    training, tuning = parsed.training, parsed.tuning
    _check_trackers(list(training.report_to or ()))
    _complete(parsed, evaluates=validation is not None)
    options: dict[str, Any] = {
        "args": training,
        "data_collator": collator,
        "train_dataset": rows,
        "eval_dataset": validation,
        "processing_class": tokenizer,
        "sampler": sampler,
        "table": table,
        "error_weight": tuning.objective_weight if tuning.objective == "expected_value" else 0.0,
        "look": look,
    }
    if not model.config.is_encoder_decoder:
        trainer = CausalTrainer(model=model, peft_config=parsed.peft, **options)
        if parsed.method == "qlora" and not training.bf16:
            _in_single_precision(trainer.model)
        return trainer
    if parsed.peft is not None:
        set_seed(training.seed)  # adapters begin at random
        model = get_peft_model(model, parsed.peft)
    return Seq2SeqTuner(model=model, **options)


def _in_single_precision(model: Any) -> None:
    """TRL puts adapters of a quantised model into bfloat16, which is slow here, and float16's loss scaling refuses."""
    for weights in model.parameters():
        if weights.requires_grad:
            weights.data = weights.data.float()


def _check_trackers(names: Sequence[str]) -> None:
    """Make sure that what a recipe reports to is installed (trackio, wandb, tensorboard), and uploads no checkpoints.

    Raises:
        UsageError: it is not, or does; the message tells what to do.
    """
    for name in names:
        if name not in ("none", "all"):
            check_installed([_PACKAGES.get(name, name)], None, f"report_to {name}")
    check_trackers(names)


def _complete(parsed: Parsed, evaluates: bool) -> None:
    """What training arguments must be for a run to be what this package promises."""
    training = parsed.training
    training.save_total_limit = None  # `MarkComplete` removes checkpoints
    training.logging_nan_inf_filter = False  # it would count NaN as the mean of the losses before
    training.restore_callback_states_from_checkpoint = True
    training.remove_unused_columns = True
    training.disable_tqdm = True  # `Progress` has a bar of its own
    training.load_best_model_at_end = evaluates
    training.metric_for_best_model = parsed.tuning.selection if evaluates else None
    training.greater_is_better = parsed.tuning.selection == "metric"
    if not evaluates:
        training.eval_strategy = IntervalStrategy.NO
    if isinstance(training, SFTConfig):
        training.dataset_kwargs = {"skip_prepare_dataset": True}
