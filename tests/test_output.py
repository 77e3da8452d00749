"""Tables and fields on terminals of any width: aligned, and no word broken."""

import os
import random

import pytest

from emollms.cli import output


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch):
    """Gives what is printed on a terminal of some width."""

    def show(capsys: pytest.CaptureFixture[str], width: int, call, *words: object) -> list[str]:
        monkeypatch.setattr("sys.stdout.isatty", lambda: True)
        monkeypatch.setattr(output.shutil, "get_terminal_size", lambda: os.terminal_size((width, 24)))
        call(*words)
        return capsys.readouterr().out.splitlines()

    return show


PATH = "/srv/data/corpora/semeval2018_task1/English/2018-Valence-reg-En-train.txt"
ROWS = [("semeval2018_task1", 64040, "EI-reg EI-oc V-reg V-oc E-c", PATH), ("tdt", 6940, "TDT", "not here")]


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 140])
def test_no_word_of_a_table_is_broken(width: int, terminal, capsys: pytest.CaptureFixture[str]) -> None:
    lines = terminal(capsys, width, output.print_table, ("name", "rows", "tasks", "where"), ROWS)
    shown = " ".join(lines).split()
    for row in ROWS:
        for cell in row:
            assert all(word in shown for word in (f"{cell:,}" if isinstance(cell, int) else cell).split())
    longest = max(map(len, (PATH, "  where: ")))
    assert max(map(len, lines)) <= max(width, longest + len("  where: "))


def test_what_does_not_fit_stands_below(terminal, capsys: pytest.CaptureFixture[str]) -> None:
    lines = terminal(capsys, 80, output.print_table, ("name", "rows", "tasks", "where"), ROWS)
    assert lines == [
        "name                 rows  tasks",
        "──────────────────────────────────────────────────────",
        "semeval2018_task1  64,040  EI-reg EI-oc V-reg V-oc E-c",
        f"  where: {PATH}",
        "tdt                 6,940  TDT",
        "  where: not here",
    ]


def test_any_table_fits_when_its_words_do(terminal, capsys: pytest.CaptureFixture[str]) -> None:
    generator = random.Random(0)
    for _ in range(200):
        count = generator.randint(1, 8)
        cells = [[" ".join("x" * generator.randint(1, 9) for _ in range(generator.randint(0, 8))) for _ in range(count)]
                 for _ in range(3)]  # fmt: skip
        lines = terminal(capsys, 80, output.print_table, [f"column{place}" for place in range(count)], cells)
        assert max(map(len, lines)) <= 80
        printed = " ".join(lines)
        assert printed.count("x") == sum(cell.count("x") for row in cells for cell in row)


def test_elsewhere_nothing_is_cut_or_wrapped(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_table(("name", "where"), [("a", PATH * 5)])
    output.print_fields({"about": f"{PATH} {PATH}\nsecond line"})
    assert capsys.readouterr().out == f"name\twhere\na\t{PATH * 5}\nabout\t{PATH} {PATH}\n\tsecond line\n"


def test_fields_wrap_between_words(terminal, capsys: pytest.CaptureFixture[str]) -> None:
    fields = {"description": "word " * 30, "citation": "@misc{x,\n  title = {y}\n}"}
    lines = terminal(capsys, 40, output.print_fields, fields)
    assert max(map(len, lines)) <= 40
    assert lines[-3:] == ["citation     @misc{x,", "               title = {y}", "             }"]
