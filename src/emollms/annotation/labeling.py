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
from emollms.annotation.columns import column_names, renamed
from emollms.annotation.frames import readable
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
    # By their places: ours have other names where the input has columns of these.
    names = column_names(questions)
    data = [_data(row, text_column) for row in table.select(range(table.num_columns - len(names))).to_pylist()]
    if text_column != TEXT and TEXT in table.column_names[: -len(names)]:
        raise UsageError(f"the input has a column {TEXT!r} beside the texts in {text_column!r}; rename one of them")
    answers = table.select(range(table.num_columns - len(names), table.num_columns)).rename_columns(names).to_pylist()
    order = sorted(range(len(answers)), key=lambda number: _certainty(answers[number], questions))
    if format == "label-studio":
        write_json(out, [_task(data[number], answers[number], questions, agent) for number in order])
        return _written(out.with_suffix(".xml"), label_studio_config(questions, scale))
    records = (_record(number, data[number], answers[number], questions, agent) for number in order)
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
    return min((float(one) for one in confidences if one is not None), default=-1.0)


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


def _task(data: dict[str, Any], row: Mapping[str, Any], questions: Sequence[Question], agent: str) -> dict[str, Any]:
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
    return {"data": data, "predictions": [prediction]}


def _record(
    number: int, data: dict[str, Any], row: Mapping[str, Any], questions: Sequence[Question], agent: str
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
    metadata = {name: value for name, value in data.items() if name != TEXT}
    return {"id": str(number), "fields": {TEXT: data[TEXT]}, "metadata": metadata, "suggestions": suggestions}


def _data(row: dict[str, Any], text_column: str) -> dict[str, Any]:
    text = row.pop(text_column)
    return {TEXT: "" if text is None else str(text), **json.loads(json.dumps(row, default=str))}


def corrections(path: Path) -> pa.Table:
    """What people made of annotations, as a table of gold labels: a row an annotation.

    Args:
        path: a JSON export of Label Studio.

    Returns:
        The columns of the input; for each question what the person said, and in `NAME_changed` whether that differs
        from the prediction, null where there was none; `annotator` and `task_id` tell who said it of which task. Where
        the input has columns of these names, ours have a prefix. Tasks without an annotation, and annotations that
        were cancelled, are left out.

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
    data: list[dict[str, Any]] = []
    said: list[dict[str, Any]] = []
    for number, task in enumerate(tasks):
        try:
            found = list(_corrected(number, task))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            problem = f"task {task.get('id', number)} is none of Label Studio ({type(error).__name__}: {error})"
            raise SourceError(Place(str(path)), problem, None, "export it again, as JSON") from None
        said += found
        data += [task["data"]] * len(found)
    if not said:
        raise UsageError(f"{path} has no annotation by a person; nothing was corrected yet")
    columns = list(dict.fromkeys(name for row in data for name in row))
    own = list(dict.fromkeys(name for row in said for name in row))
    new = renamed(own, columns)
    return pa.table(
        {name: _column([row.get(name) for row in data]) for name in columns}
        | {new.get(name, name): _column([row.get(name) for row in said]) for name in own}
    )


def _corrected(number: int, task: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What each person said of one task."""
    predictions = [one for one in task.get("predictions") or [] if isinstance(one, dict)]  # some exports have their ids
    for annotation in task.get("annotations") or []:
        if annotation.get("was_cancelled"):
            continue
        shown = annotation.get("prediction") or (predictions[0] if predictions else {})
        said, predicted = _values(annotation.get("result")), _values(shown.get("result"))
        who = annotation.get("completed_by")
        row: dict[str, Any] = {"task_id": task.get("id", number)}
        row["annotator"] = str(who.get("email") or who.get("id")) if isinstance(who, dict) else str(who or "")
        for name in dict.fromkeys([*said, *predicted]):
            row[name] = said.get(name)
            row[f"{name}_changed"] = _order_free(said.get(name)) != _order_free(predicted.get(name)) if shown else None
        yield row


def _order_free(value: Any) -> Any:
    return sorted(value) if isinstance(value, list) else value


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
    except (pa.ArrowException, UnicodeError, OverflowError):
        texts = (value if value is None or isinstance(value, str) else json.dumps(value) for value in values)
        return pa.array([None if text is None else readable(text) for text in texts], pa.string())
