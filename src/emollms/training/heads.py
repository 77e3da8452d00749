"""One-pass classifiers: a backbone with an output for every question, tuned on texts instead of prompts.

A text is read once, whatever is asked about it: AAID's 233,460 rows of training are 6,888 different tweets. What is
trained is a plain `AutoModelForSequenceClassification`; see `emollms.inference.heads` for its outputs. A decoder is
read out at its last token, so its tokenizer adds a cue after the text (`Feelings:`), which such models continue with
what they took from it.
"""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate.utils import broadcast_object_list
from torch.utils.data import Sampler
from transformers import PrinterCallback, set_seed

from emollms.dataset.reader import Dataset, Row
from emollms.evaluation.thresholds import fit_thresholds
from emollms.inference.decoding import likely_labels
from emollms.inference.heads import FILE, KEY, Heads, text_of
from emollms.inference.heads_engine import TorchClassifier, max_tokens, read_out_before_padding
from emollms.inference.predictions import Prediction
from emollms.inference.weights import above_backbone
from emollms.progress import OnProgress, Warn, silent
from emollms.prompts.answers import answer
from emollms.storage import write_json
from emollms.tasks import MultiLabelTask, Task, get_task
from emollms.training.arguments import TuningArguments
from emollms.training.classifier_tokenizers import add_cue, spell_out
from emollms.training.frozen_layers import FrozenLayers, layers_of
from emollms.training.head_rows import Gold, HeadRows, encode_all, head_rows
from emollms.training.head_trainer import HeadsCollator, HeadsLoss, HeadsTrainer
from emollms.training.model import LoadedModel, load_model, use_liger
from emollms.training.prepared import Prepared, sampler_for
from emollms.training.recipe_args import ParsedRecipe
from emollms.training.schedule import Schedule
from emollms.training.soft_targets import SoftTargets, held_out_rows, tasks_of
from emollms.training.trainer import complete_arguments
from emollms.training.validation_metric import bare_model, shared_scores, task_score

LONGEST = 512
"""The most tokens of a text where a recipe does not say."""


def prepare_heads(
    parsed: ParsedRecipe,
    data: Dataset | None,
    warn: Warn,
    drawn: HeadRows | None = None,
    order: Callable[[Any], Sampler[int]] | None = None,
    soft: SoftTargets | None = None,
    on_progress: OnProgress = silent,
) -> Prepared:
    """Load the backbone, read the texts, and make the trainer; see `emollms.training.prepare.prepare`.

    Raises:
        UsageError: recipe, model and data do not fit together.
    """
    training, tuning = parsed.training, parsed.tuning
    heads = Heads.of(tasks_of(data, tuning, soft))
    set_seed(training.seed)  # the outputs are drawn at random
    loaded = load_model(parsed, heads)
    longest = _fit_tokenizer(loaded, tuning, training.max_length)
    start = time.monotonic()
    with training.main_process_first(local=True, desc="reading the data"):
        rows = drawn or head_rows(
            data, loaded.tokenizer, heads, tuning, max_length=longest, seed=training.seed, soft=soft
        )
    rows = replace(rows, epochs=Schedule(training, len(rows.draws[0])).epochs)
    frozen = _freeze(parsed, loaded)
    if frozen and (missing := sorted(set(np.concatenate(rows.draws).tolist()) - rows.features.keys())):
        warn(f"computing {frozen.count} frozen layers for {len(missing):,} texts, once")
        precision = partial(_autocast, parsed)
        rows.features.update(frozen.compute(loaded.tokenizer, rows.ids, missing, precision, on_progress))
    draw_seconds = time.monotonic() - start
    for name, count in rows.counts.items():
        if count.shared and drawn is None:
            warn(f"{name}: {count.shared:,} of {count.shared + count.train:,} training texts are left out (also in "
                 "validation)")  # fmt: skip
    validation = held_out_rows(data, soft, tuning, training.seed)
    evaluates = training.eval_strategy != "no" and bool(validation)
    complete_arguments(parsed, evaluates=evaluates)
    use_liger(training, training.device)
    validate = partial(_validation_set, loaded, heads, longest)
    texts, scorer = validate(validation) if evaluates else (None, None)
    trainer = HeadsTrainer(
        model=_adapted(parsed, loaded.model),
        args=training,
        loss=HeadsLoss(heads, tuning),
        sampler=order(rows) if order else sampler_for(parsed, rows),
        scorer=scorer,
        head_learning_rate=tuning.head_learning_rate,
        frozen=frozen,
        features=rows.features,
        data_collator=HeadsCollator(loaded.tokenizer),
        train_dataset=rows,
        eval_dataset=texts,
        processing_class=loaded.tokenizer,
    )
    trainer.remove_callback(PrinterCallback)
    every = held_out_rows(data, soft, replace(tuning, selection_rows=sys.maxsize), training.seed)
    return Prepared(
        loaded, "text", rows, validation, trainer, draw_seconds, validate,
        finish=partial(_choose_thresholds, trainer, loaded.tokenizer, heads, every),
        write_companions=partial(_write_companions, loaded),
    )  # fmt: skip


def _fit_tokenizer(loaded: LoadedModel, tuning: TuningArguments, max_length: int | None) -> int:
    """Let a tokenizer spell out, add the cue, and pad; returns the most tokens of a text, which it keeps for users."""
    tokenizer, model = loaded.tokenizer, loaded.model
    if tuning.cue:
        add_cue(tokenizer, tuning.cue)
    spell_out(tokenizer, tuning.spell_out)  # after the cue, of whose line break nothing would be left
    read_out_before_padding(model, tokenizer)
    model.config.use_cache = False
    longest = min(max_length or LONGEST, max_tokens(model.config, tokenizer))
    tokenizer.model_max_length = longest
    tokenizer.padding_side = "right"
    return longest


def _freeze(parsed: ParsedRecipe, loaded: LoadedModel) -> FrozenLayers | None:
    tuning = parsed.tuning
    if tuning.features == "tuned" and not tuning.freeze_layers:
        return None
    model = loaded.model.to(parsed.training.device)
    if tuning.features == "frozen":
        model.base_model.requires_grad_(False)
        return FrozenLayers(model, None)
    return FrozenLayers(model, tuning.freeze_layers)


def _autocast(parsed: ParsedRecipe) -> Any:
    training = parsed.training
    dtype = torch.float16 if training.fp16 else torch.bfloat16
    return torch.autocast(training.device.type, dtype=dtype, enabled=bool(training.bf16 or training.fp16))


def _adapted(parsed: ParsedRecipe, model: Any) -> Any:
    """The model, with an adapter where the recipe says so; its outputs are trained whole."""
    if parsed.peft is None:
        return model
    from peft import get_peft_model

    set_seed(parsed.training.seed)
    peft, frozen, layers = parsed.peft, parsed.tuning.freeze_layers, layers_of(model)
    if frozen:
        targets = peft.target_modules
        if targets == "all-linear":  # PEFT chooses layers by number only where modules are named
            linear = (name for name, one in layers.named_modules() if isinstance(one, torch.nn.Linear))
            targets = sorted({name.rpartition(".")[2] for name in linear})
        peft = replace(peft, target_modules=targets, layers_to_transform=list(range(frozen, len(layers))))
    # PEFT saves the last layer alone; DeBERTa has another one between it and the backbone.
    peft = replace(peft, modules_to_save=sorted({*(peft.modules_to_save or ()), *above_backbone(model)}))
    return get_peft_model(model, peft)


def _validation_set(
    loaded: LoadedModel, heads: Heads, longest: int, chosen: Mapping[str, Sequence[Row]]
) -> tuple[Any, Any]:
    """The texts of validation rows with their gold labels, and what scores a model on them."""
    gold = Gold(heads)
    for name, rows in chosen.items():
        for row in rows:
            gold.add(get_task(name), row)
    texts = HeadRows(encode_all(loaded.tokenizer, gold.texts, longest), gold.targets())
    return texts, _scorer(loaded.tokenizer, heads, chosen)


def _scorer(tokenizer: Any, heads: Heads, chosen: Mapping[str, Sequence[Row]]) -> Callable[[Any], dict[str, float]]:
    """What scores a trainer's model on validation rows; labels by the thresholds that would be best on them."""

    def scores(trainer: Any) -> dict[str, float]:
        found = {}
        for name, predicted in _predict(trainer, tokenizer, heads, chosen).items():
            own = _with_best_labels(get_task(name), chosen[name], predicted)
            found[name] = task_score(get_task(name), chosen[name], partial(_answers, own))
        return shared_scores(found)

    return scores


def _answers(predicted: Mapping[str, Prediction], rows: Sequence[Row]) -> list[Prediction]:
    return [predicted[str(row["id"])] for row in rows]


def _predict(
    trainer: Any, tokenizer: Any, heads: Heads, chosen: Mapping[str, Sequence[Row]]
) -> dict[str, dict[str, Prediction]]:
    """Predictions by task and id; each text is read once."""
    model = bare_model(trainer)
    trained = model.training
    asked = [(get_task(name), row) for name, rows in chosen.items() for row in rows]
    texts = list(dict.fromkeys(text_of(task, row) for task, row in asked))
    classifier = TorchClassifier(model, tokenizer)
    outputs: dict[Any, Any] = {}
    for kind in (str, tuple):
        own = [text for text in texts if isinstance(text, kind)]
        outputs |= {own[read.text]: read.outputs for read in classifier.read(own)}
    model.train(trained)
    found: dict[str, dict[str, Prediction]] = {name: {} for name in chosen}
    for task, row in asked:
        found[task.name][str(row["id"])] = heads.prediction(task, row, outputs[text_of(task, row)])
    return found


def best_thresholds(task: Task, rows: Sequence[Row], predicted: Mapping[str, Prediction]) -> dict[str, float]:
    """The thresholds that `fit_thresholds` finds on rows, by label; none for a task without labels."""
    if not isinstance(task, MultiLabelTask) or not rows:
        return {}
    shares = [predicted[str(row["id"])].probabilities or {} for row in rows]
    table = np.array([[one.get(label, 0.0) for label in task.labels] for one in shares])
    gold = np.array([[label in row["labels"] for label in task.labels] for row in rows])
    known = np.array([[label in task.labels_asked(row) for label in task.labels] for row in rows])
    found = fit_thresholds(task, table, gold, known)
    return {
        label: round(float(limit), 4)
        for place, (label, limit) in enumerate(zip(task.labels, found, strict=True))
        if known[:, place].any()
    }


def _with_best_labels(task: Task, rows: Sequence[Row], predicted: Mapping[str, Prediction]) -> Mapping[str, Prediction]:
    """Predictions whose labels are those of the best thresholds."""
    if not isinstance(task, MultiLabelTask):
        return predicted
    limits = best_thresholds(task, rows, predicted)
    return {
        key: replace(one, answer=answer(task, likely_labels(task, one.probabilities or {}, limits)))
        for key, one in predicted.items()
    }


def _choose_thresholds(trainer: Any, tokenizer: Any, heads: Heads, every: Mapping[str, Sequence[Row]]) -> None:
    """Write the thresholds of labels into the configuration of the trained model, from all validation rows."""
    labelled = {name: rows for name, rows in every.items() if isinstance(get_task(name), MultiLabelTask)}
    if labelled:
        with trainer.compute_loss_context_manager():
            predicted = _predict(trainer, tokenizer, heads, labelled)
        found = {name: best_thresholds(get_task(name), rows, predicted[name]) for name, rows in labelled.items()}
        shared = [found]
        broadcast_object_list(shared)
        heads = heads.with_thresholds(shared[0])
    model: Any = bare_model(trainer)
    model.config.update(heads.config())


def _write_companions(loaded: LoadedModel, folder: Path) -> None:
    """Write the tokenizer, and beside an adapter, which has no configuration, what the outputs are."""
    loaded.tokenizer.chat_template = None  # nobody chats with a classifier
    loaded.tokenizer.save_pretrained(folder)
    if not (folder / "config.json").is_file():
        write_json(folder / FILE, {key: getattr(loaded.model.config, key) for key in ("id2label", KEY)})
