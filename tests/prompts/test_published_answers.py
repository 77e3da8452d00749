"""Every answer of two published models is read; the counts were set after every distinct form had been looked at."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from emollms.prompts.answers import (
    CONTRADICTION,
    EMPTY,
    NO_CLASS,
    NO_NUMBER,
    NOTHING_AND_LABELS,
    OFF_SCALE,
    OTHER_EMOTION,
    UNKNOWN_CLASS,
    parse_answer,
)
from emollms.prompts.numerals import CUT_OFF, TWO_NUMBERS, UNREADABLE
from emollms.tasks import get_task

VADER = "V-A_V-M_V-NYT_V-T"
NATIVE = {"Emobank": ("EmoBank", (1.0, 5.0)), VADER: ("V-A", (-4.0, 4.0))}
VALID = "valid"
INVALID = {
    "Emobloom-7b/E-c": {NOTHING_AND_LABELS: 2, EMPTY: 12},
    "Emobloom-7b/EI-oc": {OTHER_EMOTION: 1, UNKNOWN_CLASS: 1, NO_CLASS: 1},
    "Emobloom-7b/EI-reg": {CUT_OFF: 4},
    "Emobloom-7b/Emobank": {OFF_SCALE: 90, CUT_OFF: 43, CONTRADICTION: 1, TWO_NUMBERS: 1},
    "Emobloom-7b/GoEmotions": {EMPTY: 14},
    "Emobloom-7b/SST": {NO_NUMBER: 14, OFF_SCALE: 45, CUT_OFF: 2, UNREADABLE: 1},
    "Emobloom-7b/SST5": {CONTRADICTION: 32, UNKNOWN_CLASS: 1},
    "Emobloom-7b/TDT": {UNKNOWN_CLASS: 19, TWO_NUMBERS: 1},
    f"Emobloom-7b/{VADER}": {TWO_NUMBERS: 4, OFF_SCALE: 12, NO_NUMBER: 2, CUT_OFF: 4},
    "Emobloom-7b/V-oc": {UNKNOWN_CLASS: 9, TWO_NUMBERS: 1},
    "Emobloom-7b/V-reg": {CUT_OFF: 2, OFF_SCALE: 1},
    "Emollama-chat-13b/E-c": {EMPTY: 2},
    "Emollama-chat-13b/EI-oc": {},
    "Emollama-chat-13b/EI-reg": {},
    "Emollama-chat-13b/Emobank": {OFF_SCALE: 545, UNREADABLE: 50, TWO_NUMBERS: 7, CONTRADICTION: 2},
    "Emollama-chat-13b/GoEmotions": {EMPTY: 1},
    "Emollama-chat-13b/SST": {},
    "Emollama-chat-13b/SST5": {},
    "Emollama-chat-13b/TDT": {UNKNOWN_CLASS: 60},
    f"Emollama-chat-13b/{VADER}": {UNREADABLE: 8, OFF_SCALE: 1, CONTRADICTION: 1},
    "Emollama-chat-13b/V-oc": {},
    "Emollama-chat-13b/V-reg": {},
}
ROWS = {
    "E-c": 3259, "EI-oc": 4068, "EI-reg": 4068, "Emobank": 3000, "GoEmotions": 5427, "SST": 2210, "SST5": 2210,
    "TDT": 692, VADER: 4000, "V-oc": 937, "V-reg": 937,
}  # fmt: skip


def emotion_of(name: str, row: int, prompt: str) -> str | None:
    if name == "Emobank":
        return ("valence", "arousal", "dominance")[row // 1000]
    named = re.search(r" Emotion E: (\w+)\. Intensity", prompt)
    return named[1] if named else None


@pytest.mark.corpora
@pytest.mark.parametrize("file", INVALID)
def test_published_answers(reference_dir: Path, file: str):
    name = Path(file).name
    task_name, scale = NATIVE.get(name, (name, (0.0, 1.0)))
    task, kinds = get_task(task_name), Counter[str]()
    with (reference_dir / "outputs" / f"{file}.jsonl").open(encoding="utf-8") as lines:
        for number, line in enumerate(lines):
            row = json.loads(line)
            said = row["prediction"]
            said = ", ".join(said) if isinstance(said, list) else said
            reading = parse_answer(task, said, emotion_of(name, number, row["input"]), scale)
            kinds[VALID if reading.reason is None else reading.reason.split(": ")[0]] += 1
    assert kinds == {VALID: ROWS[name] - sum(INVALID[file].values()), **INVALID[file]}


@pytest.mark.corpora
def test_no_file_of_published_answers_is_left_out(reference_dir: Path):
    files = (reference_dir / "outputs").glob("*/*.jsonl")
    assert {f"{path.parent.name}/{path.stem}" for path in files} == set(INVALID)
