"""A plan counts what a run will ask, on three kinds of models."""

from pathlib import Path
from typing import Any

import pytest

import emollms
from emollms.annotation.asking import Item
from emollms.annotation.inputs import open_input
from emollms.annotation.plan import _COUNTED, _Distinct, plan_annotation
from emollms.annotation.run import annotate_file
from emollms.tables.files import Dialect
from emollms.training.tiny import make_tiny


def texts(count: int) -> list[str]:
    """Texts of like length, each of them twice, and some that are none."""
    return [f"day number {1000 + n % (count // 2)} was good" for n in range(count)] + ["", "  "]


def opened(folder: Path, count: int) -> Any:
    path = folder / "in.txt"
    path.write_text("".join(f"{text}\n" for text in texts(count)), encoding="utf-8")
    return open_input(str(path), "text", None, Dialect(), folder)


def test_a_plan_counts_what_was_answered_and_what_was_not(tmp_path: Path) -> None:
    source = opened(tmp_path, 4000)

    def annotator() -> emollms.Annotator:
        return emollms.Annotator.from_pretrained(
            baseline="vader", task=["valence", "sentiment"], store=tmp_path / "store.sqlite"
        )

    with annotator() as one:
        plan = plan_annotation(one, source.table)
    assert (plan.rows, plan.texts, plan.questions, plan.known, plan.tokens) == (4002, 2000, 4000, 0, 0)
    assert plan.seconds > 0
    assert plan.cost is None
    with annotator() as again:
        second = plan_annotation(again, source.table)
    assert (second.questions, second.known) == (4000, 0)  # the probe of the first plan is not taken for all
    assert second.seconds > 0
    with annotator() as runner:
        annotate_file(runner, source.table, tmp_path / "out.csv", digest=source.digest)
    with annotator() as last:
        known = plan_annotation(last, source.table)
        assert last.counts.asked == 0
    assert (known.questions, known.known, known.seconds) == (4000, 4000, 0)


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_a_plan_for_no_text_at_all(content: str, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text(content, encoding="utf-8")
    source = open_input(str(tmp_path / "in.txt"), "text", None, Dialect(), tmp_path)
    with emollms.Annotator.from_pretrained(baseline="vader", fresh=True) as annotator:
        plan = plan_annotation(annotator, source.table)
    assert (plan.rows, plan.texts, plan.questions, plan.seconds) == (len(content), 0, 0, 0)


def test_many_different_texts_are_counted_in_little_memory() -> None:
    for count in (1000, _COUNTED, 10 * _COUNTED):
        distinct = _Distinct()
        for n in range(count):
            distinct.add(n * 0x9E3779B97F4A7C15 % 2**64)
        assert distinct.count == pytest.approx(count, rel=0.0 if count <= _COUNTED else 0.01)
        assert len(distinct._kept) <= _COUNTED


@pytest.mark.slow
@pytest.mark.parametrize("model", ["smollm2", "t5", "vader"])
def test_three_models_are_asked_what_was_planned(model: str, tmp_path: Path) -> None:
    named = {"baseline": model} if model == "vader" else {"model": str(make_tiny(model, tmp_path / "model"))}
    task = ["valence"] if model == "vader" else ["valence", "joy", "emotions"]
    source = opened(tmp_path, 800)
    with emollms.Annotator.from_pretrained(task=task, store=tmp_path / "plan.sqlite", **named) as planner:
        plan = plan_annotation(planner, source.table)
        whole = planner.count_tokens([Item(text) for text in dict.fromkeys(texts(800)) if text.strip()])
    with emollms.Annotator.from_pretrained(task=task, store=tmp_path / "run.sqlite", **named) as runner:
        done = annotate_file(runner, source.table, tmp_path / "out.csv", digest=source.digest)
    assert plan.questions == done.questions == done.asked == 400 * len(task)
    assert plan.tokens == pytest.approx(whole, rel=0.02)  # the digits of some numbers are other tokens
    # The machine of the tests has other work: a factor tells a plan that counts wrongly from one that is disturbed.
    assert done.seconds / 5 < plan.seconds < done.seconds * 5
