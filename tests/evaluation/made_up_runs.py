"""Evaluations of made-up answers, to the made-up corpus `sample`."""

import random
from collections.abc import Mapping
from pathlib import Path

from emollms.dataset.reader import TEST, Dataset, Row
from emollms.evaluation.predictors import FilePredictor
from emollms.evaluation.run import EvaluationOptions, run_benchmark
from emollms.evaluation.scoring import gold_label
from emollms.inference.decoding import Decode
from emollms.inference.predictions import Prediction, PredictionFile
from emollms.prompts.answers import answer
from emollms.tasks import MultiLabelTask, OrdinalTask, Task


def evaluate_made_up(
    aeb: Path,
    out: Path,
    name: str,
    skill: float,
    said: Mapping[str, str] | None = None,
    mode: Decode = Decode.expected_value,
    limit: int | None = None,
) -> Path:
    """Evaluate answers that are right with probability `skill`, and give the folder.

    Args:
        aeb: the data set.
        out: where the folder is made.
        name: what the model is called.
        skill: 0..1.
        said: answers of some rows, by id.
        mode: whether probabilities are scored.
        limit: the most rows of a task.
    """
    data, generator = Dataset(aeb), random.Random(f"{skill}")
    tasks = data.tasks(TEST)
    rows = {task.name: data.rows(task.name, TEST) for task in tasks}
    folder = out / f"run-{len(list(out.glob('run-*')))}"
    path = out / f"{folder.name}.jsonl"
    with PredictionFile(path) as file:
        for task in tasks:
            file.add([predict(task, row, skill, generator, said or {}) for row in rows[task.name]])
    known = {row["id"]: task for task, own in rows.items() for row in own}
    options = EvaluationOptions(decode=mode, limit=limit)
    run_benchmark(FilePredictor(path, known, name), data, folder, options, command=("emollms", "evaluate", name))
    return folder


def predict(task: Task, row: Row, skill: float, generator: random.Random, said: Mapping[str, str]) -> Prediction:
    """An answer, with probabilities of classes."""
    value, shares = gold_label(task, row), None
    lucky = generator.random() < skill
    if isinstance(task, MultiLabelTask):
        value = value if lucky else generator.sample(task.labels, 2)
    elif isinstance(task, OrdinalTask):
        value = int(float(str(value))) if lucky else generator.choice(list(task.classes))
        shares = {str(number): 0.7 if number == value else 0.3 / (len(task.classes) - 1) for number in task.classes}
    else:
        value = value if lucky else generator.random()
    if row["id"] in said:
        return Prediction(row["id"], said[row["id"]])
    return Prediction(row["id"], answer(task, value, row["emotion"]), shares, 0.01)


def row_of(data: Dataset, task: str, place: int = 0) -> Row:
    """A row of a task."""
    return data.rows(task, TEST)[place]
