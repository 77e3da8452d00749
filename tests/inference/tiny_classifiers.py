"""Tiny random classifiers: one-pass ones of ours, and such as others publish."""

from pathlib import Path
from typing import Any

from emollms.inference.heads import Heads
from emollms.tasks import get_task
from emollms.training.classifier_tokenizers import add_cue
from emollms.training.tiny import tiny_classifier

ENCODERS = ("deberta-v2", "modernbert", "xlm-roberta")
KINDS = ("gemma3_text", "llama", "qwen3", "smollm2", *ENCODERS)
TASKS = ("EI-reg", "EI-oc", "V-reg", "V-oc", "E-c", "TDT")
THRESHOLDS = {"E-c": {"anger": 0.37, "joy": 0.56, "sadness": 0.44, "trust": 0.61}}


def heads_of(tasks: tuple[str, ...] = TASKS) -> Heads:
    return Heads.of([get_task(name) for name in tasks]).with_thresholds(THRESHOLDS if "E-c" in tasks else {})


def made(kind: str = "smollm2", tasks: tuple[str, ...] = TASKS, longest: int = 64) -> tuple[Any, Any]:
    """A one-pass classifier, and its tokenizer, which adds a cue where the classifier is a decoder."""
    model, tokenizer = tiny_classifier(kind, heads_of(tasks))
    if kind not in ENCODERS:
        add_cue(tokenizer, "\nFeelings:")
    tokenizer.model_max_length = longest
    return model, tokenizer


def save_heads(folder: Path, kind: str = "smollm2", tasks: tuple[str, ...] = TASKS, longest: int = 64) -> Path:
    for one in made(kind, tasks, longest):
        one.save_pretrained(folder)
    return folder
