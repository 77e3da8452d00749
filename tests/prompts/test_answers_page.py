"""The examples of docs/answers.md."""

import re
from pathlib import Path

import pytest

from emollms.prompts.answers import Parse, parse_answer
from emollms.tasks import get_task

PAGE = Path(__file__).parents[2] / "docs" / "answers.md"
ROW = re.compile(r"\| (\S+) \| `(.*)` \| (.*) \| (.*) \|")
EXAMPLES = [
    (found[1], found[2].replace("\\|", "|").replace("\\n", "\n"), {"strict": found[3], "lenient": found[4]})
    for found in map(ROW.fullmatch, PAGE.read_text(encoding="utf-8").splitlines())
    if found
]


def test_all_rows_of_the_tables_are_examples() -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    assert len(EXAMPLES) == len(rows) - 4  # two tables, with two lines of headings each


@pytest.mark.parametrize(("task", "answer", "expected"), EXAMPLES)
def test_example(task: str, answer: str, expected: dict[Parse, str]) -> None:
    for parse, shown in expected.items():
        reading = parse_answer(get_task(task), answer, parse=parse)
        if isinstance(reading.value, tuple):
            said = ", ".join(reading.value)
        else:
            said = str(reading.value) if reading.reason is None else reading.reason.split(": ")[0]
        assert said == shown, parse
