"""Annotations for people to correct, in Label Studio and Argilla, and their corrections back as gold labels.

Formats: tasks and predictions of Label Studio (labelstud.io/guide/predictions), its labeling configuration
(labelstud.io/tags) and its JSON export (labelstud.io/guide/export); records of Argilla 2
(docs.argilla.io/latest/how_to_guides/record).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal
from xml.etree import ElementTree

import pyarrow as pa

from emollms.annotation.answers import Scale
from emollms.annotation.columns import answer_fields
from emollms.annotation.questions import Question
from emollms.errors import Place, SourceError, UsageError
from emollms.storage import write_json, write_whole
from emollms.tasks import OrdinalTask, RegressionTask

LabelingFormat = Literal["label-studio", "argilla"]
TEXT = "text"


def write_for_labeling(
    table: pa.Table,
    questions: Sequence[Question],
    out: Path,
    format: LabelingFormat,
    text_column: str,
    agent: str,
    scale: Scale = "unit",
) -> Path:
    """Write annotated rows for people to correct, the least certain first.

    Args:
        table: what `annotate_file` wrote, flat.
        questions: what was asked.
        out: the file: JSON for Label Studio, JSON Lines for Argilla.
        format: whose.
        text_column: the column of the texts.
        agent: who made the predictions.
        scale: what scores are on.

    Returns:
        The file that configures the project, beside `out`: the labeling configuration of Label Studio in XML, or the
        settings of an Argilla dataset in JSON.

    Raises:
        UsageError: another column of the input is called `text`.
    """
    if text_column != TEXT and TEXT in table.column_names:
        raise UsageError(f"the input has a column {TEXT!r} beside the texts in {text_column!r}; rename one of them")
    own = {name + suffix for question in questions for name in [question.name] for suffix in answer_fields(question)}
    rows = sorted(enumerate(table.to_pylist()), key=lambda pair: (_certainty(pair[1], questions), pair[0]))
    if format == "label-studio":
        tasks = [_task(row, own, questions, text_column, agent) for _, row in rows]
        write_json(out, tasks)
        return _written(out.with_suffix(".xml"), label_studio_config(questions, scale))
    records = (_record(number, row, own, questions, text_column, agent) for number, row in rows)
    write_whole(out, "".join(f"{json.dumps(one, ensure_ascii=False)}\n" for one in records))
    settings = out.with_suffix(".settings.json")
    write_json(settings, argilla_settings(questions, scale))
    return settings


def _written(path: Path, content: str) -> Path:
    write_whole(path, content)
    return path


def _certainty(row: Mapping[str, Any], questions: Sequence[Question]) -> float:
    """The lowest confidence of a row; a row without any comes first, since nothing is known of it."""
    confidences = [row[f"{one.name}_confidence"] for one in questions]
    return min((-1.0 if one is None else float(one)) for one in confidences)


def label_studio_config(questions: Sequence[Question], scale: Scale = "unit") -> str:
    """The labeling configuration that asks people what the model was asked."""
    view = ElementTree.Element("View")
    ElementTree.SubElement(view, "Text", name=TEXT, value=f"${TEXT}")
    for one in questions:
        ElementTree.SubElement(view, "Header", value=f"{one.name}: {one.task.about}")
        if isinstance(one.task, RegressionTask):
            low, high = _range(one.task, scale)
            ElementTree.SubElement(
                view, "Number", name=one.name, toName=TEXT, min=f"{low:g}", max=f"{high:g}", step="any"
            )
            continue
        several = "single" if one.kind == "class" else "multiple"
        choices = ElementTree.SubElement(view, "Choices", name=one.name, toName=TEXT, choice=several)
        for value in _choices(one):
            ElementTree.SubElement(choices, "Choice", value=value)
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding="unicode") + "\n"


def argilla_settings(questions: Sequence[Question], scale: Scale = "unit") -> dict[str, Any]:
    """The fields and questions of an Argilla dataset, as keyword arguments of its classes, by their names."""
    asked: list[dict[str, Any]] = []
    for one in questions:
        about = {"name": _argilla_name(one), "title": f"{one.name}: {one.task.about}", "required": False}
        if one.kind == "score":  # Argilla asks for no numbers: people type them
            asked.append({"type": "TextQuestion", **about})
        else:
            kind = "LabelQuestion" if one.kind == "class" else "MultiLabelQuestion"
            asked.append({"type": kind, **about, "labels": _choices(one)})
    return {"fields": [{"type": "TextField", "name": TEXT}], "questions": asked}


def _argilla_name(question: Question) -> str:
    return question.name.lower()


def _range(task: RegressionTask, scale: Scale) -> tuple[float, float]:
    return (task.low, task.high) if scale == "native" else (0.0, 1.0)


def _choices(question: Question) -> list[str]:
    if isinstance(question.task, OrdinalTask):
        return [question.task.class_name(number, question.emotion) for number in question.task.classes]
    return list(question.options)


def _said(row: Mapping[str, Any], question: Question) -> Any:
    """What the model says, as people choose it; None where it says nothing."""
    return row[f"{question.name}_label" if question.kind == "class" else question.name]


def _task(
    row: Mapping[str, Any], own: set[str], questions: Sequence[Question], text_column: str, agent: str
) -> dict[str, Any]:
    result: list[dict[str, Any]] = []
    for one in questions:
        said = _said(row, one)
        if said is None:
            continue
        kind = "number" if one.kind == "score" else "choices"
        value = {"number": said} if kind == "number" else {"choices": said if isinstance(said, list) else [said]}
        result.append({"from_name": one.name, "to_name": TEXT, "type": kind, "value": value})
    prediction: dict[str, Any] = {"model_version": agent, "result": result}
    certainty = _certainty(row, questions)
    if certainty >= 0:
        prediction["score"] = certainty
    return {"data": _data(row, own, text_column), "predictions": [prediction]}


def _record(
    number: int, row: Mapping[str, Any], own: set[str], questions: Sequence[Question], text_column: str, agent: str
) -> dict[str, Any]:
    suggestions: list[dict[str, Any]] = []
    for one in questions:
        said, confidence = _said(row, one), row[f"{one.name}_confidence"]
        if said is None or said == []:
            continue
        about = {"question_name": _argilla_name(one), "value": str(said) if one.kind == "score" else said}
        # A list of labels takes a score a label, which one confidence for all of them is not.
        score = {"score": confidence} if confidence is not None and one.kind != "labels" else {}
        suggestions.append({**about, "agent": agent, **score})
    data = _data(row, own, text_column)
    text = str(data.pop(TEXT) or "")
    return {"id": str(number), "fields": {TEXT: text}, "metadata": data, "suggestions": suggestions}


def _data(row: Mapping[str, Any], own: set[str], text_column: str) -> dict[str, Any]:
    kept = {name: value for name, value in row.items() if name not in own and name not in ("abstained", "note")}
    return {TEXT: kept.pop(text_column), **json.loads(json.dumps(kept, default=str))}


def corrections(path: Path) -> pa.Table:
    """What people made of annotations, as a table of gold labels: a row an annotation.

    Args:
        path: a JSON export of Label Studio.

    Returns:
        The columns of the input; for each question what the person said, and in `NAME_changed` whether that differs
        from the prediction; `annotator` and `task_id` tell who said it of which task. Tasks without an annotation, and
        annotations that were cancelled, are left out.

    Raises:
        UsageError: there is no such file, or nothing was annotated.
        SourceError: it is no such export.
    """
    if not path.is_file():
        raise UsageError(f"there is no file {path}")
    try:
        tasks = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SourceError(Place(str(path)), f"no JSON ({error})", None, "export the project as JSON") from None
    if not isinstance(tasks, list) or not all(
        isinstance(one, dict) and isinstance(one.get("data"), dict) for one in tasks
    ):
        raise SourceError(
            Place(str(path)), "no export of Label Studio", None, "export it as JSON, not as JSON-MIN or CSV"
        )
    rows = [row for number, task in enumerate(tasks) for row in _corrected(number, task, path)]
    if not rows:
        raise UsageError(f"{path} has no annotation by a person; nothing was corrected yet")
    names = dict.fromkeys(name for row in rows for name in row)
    return pa.table({name: _column([row.get(name) for row in rows]) for name in names})


def _corrected(number: int, task: Mapping[str, Any], path: Path) -> Iterator[dict[str, Any]]:
    predictions = [one for one in task.get("predictions") or [] if isinstance(one, dict)]
    predicted = _values(predictions[0].get("result")) if predictions else {}
    for annotation in task.get("annotations") or []:
        if annotation.get("was_cancelled"):
            continue
        said = _values(annotation.get("result"))
        who = annotation.get("completed_by")
        row = {**task["data"], "task_id": task.get("id", number)}
        row["annotator"] = str(who.get("email") or who.get("id")) if isinstance(who, dict) else str(who or "")
        for name in dict.fromkeys([*said, *predicted]):
            row[name] = said.get(name)
            row[f"{name}_changed"] = said.get(name) != predicted.get(name)
        yield row


def _values(result: Any) -> dict[str, Any]:
    """The value of each control in a result: a number, or the choices."""
    found: dict[str, Any] = {}
    for one in result or []:
        value = one.get("value") or {}
        if "number" in value:
            found[str(one["from_name"])] = float(value["number"])
        elif "choices" in value:
            found[str(one["from_name"])] = [str(choice) for choice in value["choices"]]
    return found


def _column(values: list[Any]) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([None if value is None else json.dumps(value, ensure_ascii=False) for value in values])
