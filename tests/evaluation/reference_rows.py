"""The answers of the two released models, as `score` takes them."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emollms.prompts.answers import Parse, ParsedAnswer, parse_answer
from emollms.tasks import MultiLabelTask, OrdinalTask, Task, get_task

CHAT_13B, BLOOM = "Emollama-chat-13b", "Emobloom-7b"
FILES = {"EmoBank": "Emobank"} | dict.fromkeys(("V-A", "V-M", "V-NYT", "V-T"), "V-A_V-M_V-NYT_V-T")
SCALES = {"EmoBank": (1.0, 5.0)} | dict.fromkeys(("V-A", "V-M", "V-NYT", "V-T"), (-4.0, 4.0))


@dataclass(frozen=True)
class Answers:
    """A model's answers to a task, with prompts, probabilities of classes, and the words as the file has them."""

    task: Task
    gold_labels: Sequence[Any]
    parsed: Sequence[ParsedAnswer]
    emotions: Sequence[str | None]
    probabilities: Sequence[Sequence[float] | None]
    texts: Sequence[str]
    prompts: Sequence[str]

    @property
    def rows(self) -> tuple[Task, Sequence[Any], Sequence[ParsedAnswer], Sequence[str | None]]:
        return self.task, self.gold_labels, self.parsed, self.emotions


def answers(reference_dir: Path, model: str, name: str, parse: Parse = "strict") -> Answers:
    task = get_task(name)
    path = reference_dir / "outputs" / model / f"{FILES.get(name, name)}.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    if name.startswith("V-") and name in SCALES:
        rows = rows[("V-A", "V-M", "V-NYT", "V-T").index(name) * 1000 :][:1000]
    emotions = [emotion(name, number, row["input"]) for number, row in enumerate(rows)]
    scale = SCALES.get(name, (0.0, 1.0))
    texts = [said(row["prediction"]) for row in rows]
    parsed = [parse_answer(task, text, about, scale, parse) for text, about in zip(texts, emotions, strict=True)]
    gold_labels = [gold(task, row["gold"]) for row in rows]
    prompts = [row["input"] for row in rows]
    return Answers(task, gold_labels, parsed, emotions, [row["probs"] for row in rows], texts, prompts)


def said(prediction: str | list[str]) -> str:
    """The files of multi-label tasks hold lists of labels that were matched by their first letters."""
    return prediction if isinstance(prediction, str) else ", ".join(prediction)


def emotion(name: str, number: int, prompt: str) -> str | None:
    if name == "EmoBank":
        return ("valence", "arousal", "dominance")[number // 1000]
    named = re.search(r" Emotion E: (\w+)\. Intensity", prompt)
    return named[1] if named else None


def gold(task: Task, text: str) -> Any:
    if isinstance(task, MultiLabelTask):
        return [label for label in text.rstrip(".").split(", ") if label in task.labels]
    return int(text.split(":")[0]) if isinstance(task, OrdinalTask) else float(text)
