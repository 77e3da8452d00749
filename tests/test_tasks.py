import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emollms.errors import UsageError
from emollms.tasks import (
    TASKS,
    MultiLabelTask,
    OrdinalTask,
    RegressionTask,
    benchmark_tasks,
    get_task,
    training_tasks,
)

BENCHMARK = (
    "EI-reg", "EI-oc", "V-reg", "V-oc", "E-c", "EmoBank", "GoEmotions", "SST", "SST5", "TDT", "V-A", "V-M", "V-NYT",
    "V-T",
)  # fmt: skip
REGRESSION = [task for task in TASKS.values() if isinstance(task, RegressionTask)]


def test_the_benchmark_has_fourteen_tasks_eight_of_them_regression():
    tasks = benchmark_tasks()
    assert tuple(task.name for task in tasks) == BENCHMARK
    assert sum(isinstance(task, RegressionTask) for task in tasks) == 8
    assert sum(isinstance(task, OrdinalTask | MultiLabelTask) for task in tasks) == 6


def test_five_tasks_train_a_model():
    assert [task.name for task in training_tasks()] == ["EI-reg", "EI-oc", "V-reg", "V-oc", "E-c"]
    assert {task.noun for task in training_tasks()} == {"Tweet"}
    assert {task.noun for task in TASKS.values() if not task.training} == {"Text"}


@pytest.mark.parametrize("task", REGRESSION, ids=lambda task: task.name)
@settings(deadline=None)  # machines are shared
@given(share=st.floats(0, 1))
def test_native_and_unit_scale_are_inverse(task: RegressionTask, share: float):
    native = task.from_unit(share)
    assert task.low <= native <= task.high
    assert task.to_unit(native) == pytest.approx(share, abs=1e-12)
    assert (task.to_unit(task.low), task.to_unit(task.high)) == (0, 1)
    assert (task.from_unit(0), task.from_unit(1)) == (task.low, task.high)


def test_native_ranges():
    ranges = {task.name: (task.low, task.high) for task in REGRESSION}
    known = {
        **dict.fromkeys(("EI-reg", "V-reg", "SST"), (0, 1)),
        **dict.fromkeys(("EmoBank", "EmoBank-reader", "EmoBank-writer"), (1, 5)),
        **dict.fromkeys(("V-A", "V-M", "V-NYT", "V-T"), (-4, 4)),
    }
    assert ranges.items() >= known.items()


@pytest.mark.parametrize("task", REGRESSION, ids=lambda task: task.name)
def test_each_end_of_a_scale_has_a_meaning_for_every_emotion(task: RegressionTask):
    assert set(task.poles) == set(task.emotions or ("",))
    assert all(low != high for low, high in task.poles.values())


def test_class_labels_are_those_of_the_corpora():
    assert get_task("EI-oc").class_label(2, "anger") == "2: moderate amount of anger can be inferred"  # type: ignore[attr-defined]
    assert get_task("V-oc").class_label(-3) == "-3: very negative emotional state can be inferred"  # type: ignore[attr-defined]
    assert [get_task("TDT").class_label(number) for number in (-1, 0, 1)] == [  # type: ignore[attr-defined]
        "-1: negative",
        "0: neutral",
        "1: positive",
    ]


@pytest.mark.parametrize("task", [t for t in TASKS.values() if isinstance(t, OrdinalTask)], ids=lambda task: task.name)
def test_classes_ascend_without_gaps(task: OrdinalTask):
    numbers = list(task.classes)
    assert numbers == list(range(numbers[0], numbers[-1] + 1))


def test_labels_that_were_not_annotated_are_not_asked_for():
    task = get_task("BRIGHTER-E-c")
    assert isinstance(task, MultiLabelTask)
    assert task.labels_asked({"unannotated": ["disgust"]}) == ("anger", "fear", "joy", "sadness", "surprise")
    assert task.labels_asked({"language": "de"}) == task.labels_asked({"unannotated": None}) == task.labels


def test_an_unknown_task_suggests_the_near_names():
    with pytest.raises(UsageError, match=r"unknown task 'EI-regg'; did you mean EI-reg"):
        get_task("EI-regg")


def test_an_emotion_must_be_one_of_the_task():
    with pytest.raises(UsageError, match=r"unknown emotion of task EI-reg 'joyy'; did you mean joy\?"):
        get_task("EI-reg").check_emotion("joyy")
    with pytest.raises(
        UsageError, match=r"EI-oc asks for one emotion at a time; name one of anger, fear, joy, sadness"
    ):
        get_task("EI-oc").check_emotion(None)
    with pytest.raises(UsageError, match=r"V-reg asks for no single emotion, but 'joy' was given"):
        get_task("V-reg").check_emotion("joy")
    get_task("V-reg").check_emotion(None)


def test_tasks_import_nothing_heavy():
    heavy = {
        "torch",
        "transformers",
        "datasets",
        "pyarrow",
        "numpy",
        "pandas",
        "great_expectations",
        "pydantic",
        "yaml",
    }
    program = f"import sys, emollms.tasks; print(*sorted({heavy!r} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == ""
