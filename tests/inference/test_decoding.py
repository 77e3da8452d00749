import itertools
import math
from collections.abc import Container, Iterator, Sequence

import pytest
from inference.tiny_models import TEXTS, model, tokenizer
from pydantic import TypeAdapter

from emollms.errors import UsageError
from emollms.inference.decoding import (
    SCORES,
    Decode,
    decode,
    expected_class,
    label_continuations,
    label_probabilities,
    likely_labels,
    softmax,
)
from emollms.inference.engine import EngineResult, Sampling
from emollms.inference.transformers_engine import TransformersEngine
from emollms.prompts.answers import parse_answer
from emollms.prompts.template import prompt
from emollms.tasks import TASKS, MultiLabelTask, OrdinalTask, get_task


def engine(family: str) -> TransformersEngine:
    return TransformersEngine(model(family), tokenizer(family), family)


def rows_of(name: str, count: int = 6) -> list[dict[str, str | None]]:
    task = get_task(name)
    emotions = task.emotions or (None,)
    asked = [emotions[number % len(emotions)] for number in range(count)]
    return [
        {"id": f"{name}/{number}", "prompt": prompt(task, text, 0, emotion), "emotion": emotion, "language": "en"}
        for number, (text, emotion) in enumerate(zip(TEXTS, asked, strict=False))
    ]


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("family", ["qwen2", "t5"])
def test_an_expected_value_can_always_be_parsed(name: str, family: str):
    task, rows = get_task(name), rows_of(name, 2)
    found = {one.id: one for one in decode(engine(family), task, rows)}
    for row in rows:
        one = found[str(row["id"])]
        reading = parse_answer(task, one.answer, row["emotion"])
        assert reading.reason is None
        assert one.probabilities
        assert all(0 <= share <= 1 for share in one.probabilities.values())
        if not isinstance(task, MultiLabelTask):
            assert sum(one.probabilities.values()) == pytest.approx(1)
        if isinstance(task, OrdinalTask):
            assert list(one.probabilities) == [str(number) for number in task.classes]
            assert one.probabilities[str(reading.value)] == max(one.probabilities.values())
            assert min(task.classes) <= expected_class(one.probabilities) <= max(task.classes)


@pytest.mark.parametrize("family", ["llama", "gpt2", "bloom", "bart"])
def test_an_expected_score_is_that_over_all_1001_answers(family: str):
    one, rows = engine(family), rows_of("V-reg", 3)
    brute = {}
    for row in rows:  # each answer by itself, in a row of its own
        scores = sorted(one.score([row["prompt"]] * 1001, [[said] for said in SCORES]))
        brute[row["id"]] = softmax([result.value[0] for result in scores])
    for found in decode(one, get_task("V-reg"), rows, tolerance=0.0):
        shares = brute[found.id]
        assert float(found.answer) == pytest.approx(sum(n / 1000 * share for n, share in enumerate(shares)), abs=6e-4)
        for tenth in range(11):
            expected = sum(shares[100 * tenth : 100 * tenth + 100])
            assert found.probabilities[f"{tenth / 10:.1f}"] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("family", ["qwen2", "llama"])
@pytest.mark.parametrize(("tolerance", "error"), [(0.05, 0.15), (0.005, 0.015), (0.00005, 0.0015)])
def test_a_smaller_tolerance_is_a_smaller_error(family: str, tolerance: float, error: float):
    one, rows, task = engine(family), rows_of("V-reg"), get_task("V-reg")
    exact = {found.id: float(found.answer) for found in decode(one, task, rows, tolerance=0.0)}
    for found in decode(one, task, rows, tolerance=tolerance):
        assert float(found.answer) == pytest.approx(exact[found.id], abs=error)


def test_classes_have_the_probabilities_of_their_answers():
    one, task, rows = engine("llama"), get_task("EI-oc"), rows_of("EI-oc")
    for found in decode(one, task, rows):
        row = next(row for row in rows if row["id"] == found.id)
        said = [task.class_label(number, row["emotion"]) for number in task.classes]
        alone = [next(one.score([row["prompt"]], [[text]])).value[0] for text in said]
        assert list(found.probabilities.values()) == pytest.approx(softmax(alone), abs=1e-4)
        assert found.answer == said[alone.index(max(alone))]


class Walker:
    """A model whose answers are walks through the labels with made-up steps."""

    def __init__(self, task: MultiLabelTask) -> None:
        self.task = task
        self.labels = task.labels

    def first(self, label: str | None) -> float:
        return (1 + hash_of(label or "none") % 9) / (sum(1 + hash_of(one) % 9 for one in (*self.labels, "none")))

    def step(self, label: str, after: str) -> float:
        later = self.labels[self.labels.index(label) + 1 :]
        return (1 + hash_of(label + after) % 7) / (10 * len(later))

    def score(
        self,
        prompts: Sequence[str],
        continuations: Sequence[Sequence[str]],
        tolerance: float = 0.0,
        skip: Container[int] = (),
    ) -> Iterator[EngineResult[list[float]]]:
        for row, some in enumerate(continuations):
            yield EngineResult(row, [math.log(0.5 * self.begins(text)) for text in some], 0.1)

    def begins(self, text: str) -> float:
        if text == self.task.nothing:
            return self.first(None)
        said = text.split(", ")
        return self.first(said[0]) * math.prod(map(self.step, said, said[1:]))

    def generate(
        self, prompts: Sequence[str], sampling: Sampling, skip: Container[int] = ()
    ) -> Iterator[EngineResult[str]]:
        yield from (EngineResult(row, f"{sampling.max_new_tokens}", 0.1) for row in range(len(prompts)))


def hash_of(text: str) -> int:
    return sum(place * ord(character) for place, character in enumerate(text, 1))


@pytest.mark.parametrize("name", ["E-c", "GoEmotions", "BRIGHTER-E-c"])
def test_label_probabilities_are_the_sums_over_all_answers(name: str):
    task = get_task(name)
    walker = Walker(task)
    expected = dict.fromkeys(task.labels, 0.0)
    for size in range(1, len(task.labels) + 1):
        for said in itertools.combinations(task.labels, size):
            later = task.labels[task.labels.index(said[-1]) + 1 :]
            ends = walker.begins(", ".join(said)) * (1 - sum(walker.step(said[-1], after) for after in later))
            for label in said:
                expected[label] += ends
    total = sum(map(walker.first, task.labels)) + (walker.first(None) if task.nothing else 0)
    scores = next(walker.score([""], [label_continuations(task, task.labels)])).value
    found = label_probabilities(task, task.labels, scores)
    assert found == pytest.approx({label: share / total for label, share in expected.items()})


def test_only_annotated_labels_are_asked_for():
    task = get_task("BRIGHTER-E-c")
    row = rows_of("BRIGHTER-E-c", 1)[0]
    (found,) = decode(engine("llama"), task, [row | {"unannotated": ("disgust",)}])
    assert "disgust" not in found.probabilities
    assert len(found.probabilities) == 5


def test_labels_are_the_best_set_by_thresholds_or_those_from_one_half_on():
    task, shares = get_task("E-c"), dict.fromkeys(get_task("E-c").labels, 0.1) | {"joy": 0.6, "love": 0.5}
    assert likely_labels(task, shares) == ["joy", "love"]
    assert likely_labels(task, shares, {"joy": 0.9, "fear": 0.05}) == ["fear", "love"]
    assert likely_labels(task, dict.fromkeys(task.labels, 0.1)) == []
    beside_joy = dict.fromkeys(task.labels, 0.0) | {"joy": 1.0, "love": 0.45}
    assert likely_labels(task, beside_joy, {"love": 0.5}) == ["joy"]
    assert likely_labels(task, beside_joy | {"joy": 0.0}, {"love": 0.4}) == ["love"]
    needed = get_task("GoEmotions")
    assert likely_labels(needed, dict.fromkeys(needed.labels, 0.1) | {"fear": 0.2}) == ["fear"]


def test_other_modes_give_what_the_engine_says():
    task, rows = get_task("V-reg"), rows_of("V-reg")
    greedy = list(decode(engine("llama"), task, rows, "greedy"))
    assert {one.id for one in greedy} == {row["id"] for row in rows}
    assert all(one.probabilities is None for one in greedy)
    samples = [sorted((one.id, one.answer) for one in decode(Walker(task_of()), task, rows, "sample"))]
    assert samples[0][0] == ("V-reg/0", "256")  # the limit of the original release
    with pytest.raises(UsageError, match="unknown decoding mode 'beam'"):
        next(decode(engine("llama"), task, rows, "beam"))
    assert list(decode(engine("llama"), task, [])) == []


def task_of() -> MultiLabelTask:
    task = get_task("E-c")
    assert isinstance(task, MultiLabelTask)
    return task


def test_the_name_that_earlier_versions_wrote_is_read():
    assert Decode("expectation") is Decode.expected_value
    assert TypeAdapter(Decode).validate_json('"expectation"') is Decode.expected_value
    assert "expectation" not in list(Decode)
