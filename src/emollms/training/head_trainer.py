"""The trainer of one-pass classifiers: transformers' own, with a loss for every kind of output that skips missing gold.

The loss of a text is the sum over its questions: the squared error of a score, times `objective_weight`; the mean
binary cross entropy of a question's classes (at least this one, or not); that of its labels, summed and divided by the
square root of their number; each times the weight of the task. A step is the mean over its texts.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from math import sqrt
from typing import Any, cast

import numpy as np
import torch
from torch.nn import functional
from torch.utils.data import Sampler
from transformers import Trainer

from emollms.inference.heads import Heads
from emollms.inference.heads_engine import padded
from emollms.tasks import MultiLabelTask, RegressionTask, get_task
from emollms.training.arguments import TuningArguments
from emollms.training.frozen_layers import Features, FrozenLayers
from emollms.training.head_rows import COLUMNS_OF_A_TEXT
from emollms.training.trainer import FiniteCheckMixin, Scorer


class HeadsLoss:
    """The loss of the outputs.

    Args:
        heads: the outputs.
        tuning: with `objective_weight` and `task_weights`.
    """

    def __init__(self, heads: Heads, tuning: TuningArguments) -> None:
        weights, is_score = [], []
        for question in heads.record.questions:
            task = get_task(question.task)
            columns = heads.columns(task, question.emotion)
            count, score = columns.stop - columns.start, isinstance(task, RegressionTask)
            weight = tuning.task_weights.get(task.name, 1.0) * (tuning.objective_weight if score else 1.0)
            # Labels err each by itself: the gradient of their mean would be smaller by the root of their number.
            weights += [weight / (sqrt(count) if isinstance(task, MultiLabelTask) else count)] * count
            is_score += [score] * count
        self.weights, self.is_score = torch.tensor(weights), torch.tensor(is_score)

    def __call__(
        self, logits: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor | None = None
    ) -> torch.Tensor:
        """The mean over texts.

        Args:
            logits: of shape (texts, outputs).
            targets: likewise, on 0..1; NaN where there is none.
            weights: of the targets, likewise; None for 1.
        """
        logits, known = logits.float(), ~targets.isnan()
        wanted = targets.nan_to_num()
        squared = (torch.sigmoid(logits) - wanted).square()
        entropy = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
        losses = torch.where(self.is_score.to(logits.device), squared, entropy)
        counted = known if weights is None else known * weights
        return (losses * counted * self.weights.to(logits.device)).sum() / len(logits)


class HeadsCollator:
    """Makes batches of texts: their tokens, targets, and kept features.

    Args:
        tokenizer: pads.
    """

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """A batch."""
        given: dict[str, Any] = padded(self.tokenizer, [row["input_ids"] for row in rows])
        given["labels"] = torch.from_numpy(np.stack([row["targets"] for row in rows]))
        given["text"] = torch.tensor([row["text"] for row in rows])
        if "weights" in rows[0]:
            given["weights"] = torch.from_numpy(np.stack([row["weights"] for row in rows]))
        return given


class HeadsTrainer(FiniteCheckMixin, Trainer):
    """Trains classifiers.

    Args:
        loss: of a batch.
        sampler: the order of the training texts.
        scorer: scores the model on validation rows; None to evaluate the loss alone.
        head_learning_rate: of the outputs; None for that of the backbone.
        frozen: the frozen layers; None where there are none.
        features: theirs, for each training text.
        options: of transformers' trainer.
    """

    def __init__(
        self,
        *,
        loss: HeadsLoss,
        sampler: Sampler[int],
        scorer: Scorer | None,
        head_learning_rate: float | None,
        frozen: FrozenLayers | None,
        features: Features | None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.loss, self.sampler, self.scorer = loss, sampler, scorer
        self._head_learning_rate = head_learning_rate
        self._frozen, self._features = frozen, features
        self.model_accepts_loss_kwargs = False  # steps of several batches are means of their means, all of one size

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        return self.sampler

    def _set_signature_columns_if_needed(self) -> None:
        self._signature_columns: Any = list(COLUMNS_OF_A_TEXT)

    def create_optimizer(self, model: Any = None) -> Any:
        """The optimizer of the recipe, with a learning rate of its own for what stands above the backbone."""
        if self.optimizer is None and self._head_learning_rate is not None:
            kind, options = self.get_optimizer_cls_and_kwargs(self.args, cast(Any, self.model))
            self.optimizer = kind(self._groups(self._head_learning_rate), **options)
        return super().create_optimizer(model)

    def _groups(self, head_rate: float) -> list[dict[str, Any]]:
        """The trained weights: backbone and outputs, each with and without weight decay."""
        model: Any = self.model
        below = {id(one) for one in _backbone(model).parameters()}
        decaying = set(self.get_decay_parameter_names(model))
        groups: dict[tuple[bool, bool], list[Any]] = {}
        for name, weights in model.named_parameters():
            if weights.requires_grad:
                groups.setdefault((id(weights) in below, name in decaying), []).append(weights)
        return [
            {"params": own, "weight_decay": self.args.weight_decay if decays else 0.0}
            | ({} if is_below else {"lr": head_rate})
            for (is_below, decays), own in groups.items()
        ]

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The loss of a batch of `HeadsCollator`."""
        inputs = dict(inputs)
        targets, texts, weights = inputs.pop("labels"), inputs.pop("text"), inputs.pop("weights", None)
        passing: Any = nullcontext()
        if self._frozen is not None and self._features is not None and model.training:
            own = [self._features[text] for text in texts.tolist()]
            states = torch.nn.utils.rnn.pad_sequence(own, batch_first=True)
            passing = self._frozen.passing(states.to(targets.device))
        with passing:
            outputs = model(**inputs)
        loss = self.loss(outputs.logits, targets, weights)
        return (loss, outputs) if return_outputs else loss

    def prediction_step(
        self, model: Any, inputs: Any, prediction_loss_only: bool, ignore_keys: list[str] | None = None
    ) -> tuple[torch.Tensor, None, None]:
        """The loss of a batch of validation texts: the scorer reads them for itself."""
        with torch.no_grad(), self.compute_loss_context_manager():
            loss = self.compute_loss(model, self._prepare_inputs(inputs))
        return loss.detach(), None, None

    def evaluation_loop(self, *arguments: Any, **options: Any) -> Any:
        """The loss on the validation texts, and with a scorer their scores, the mean of which is `eval_metric`."""
        output = super().evaluation_loop(*arguments, **options)
        metrics = cast(dict[str, float], output.metrics)
        self.check_loss(metrics["eval_loss"])
        if self.scorer is not None:
            with self.compute_loss_context_manager():
                metrics.update({f"eval_{name}": value for name, value in self.scorer(self).items()})
        return output


def _backbone(model: Any) -> Any:
    """What stands below the outputs; in a model with an adapter, too, which calls itself the base."""
    bare = model.get_base_model() if hasattr(model, "peft_config") else model
    return bare.base_model
