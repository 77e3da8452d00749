"""What goes over HTTP: requests and answers of `emollms serve`, of which its OpenAPI schema is made."""

import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from emollms.annotation.answers import Answer, Scale
from emollms.annotation.batcher import State
from emollms.annotation.questions import Kind, Question
from emollms.tasks import OrdinalTask, RegressionTask


def readable(value: Any) -> Any:
    """Text that can be encoded: half an emoji, which is what `slice` leaves in JavaScript, becomes a question mark."""
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(readable)]


class TargetedText(BaseModel):
    """A text, and what in it is asked about."""

    model_config = ConfigDict(extra="forbid")

    text: Text | None = None
    target: Text | None = Field(None, description="What TDT asks about, such as `the food`; other questions see it too")


class AnnotateRequest(BaseModel):
    """Texts to annotate."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"texts": ["I can't stop smiling"]}]})

    texts: list[Text | TargetedText | None] = Field(description="Null and blank texts get no values, and a note")


class AnswerModel(BaseModel):
    """The answer to one question about one text."""

    value: int | float | str | list[str] | None = Field(
        description="The score, the class, or the labels; null: see `note`"
    )
    label: str | None = Field(description="The words of the class")
    confidence: float | None = Field(description="The probability that the answer is right, 0..1")
    low: int | float | list[str] | None = Field(description="Of the interval: a score, a class, or the certain labels")
    high: int | float | list[str] | None = Field(
        description="Of the interval: a score, a class, or the possible labels"
    )
    probabilities: dict[str, float] | None = Field(description="Of each class by number, or of each label")
    abstained: bool = Field(description="Whether the confidence was too low to tell the value")
    note: str | None = Field(description="Why there is no value, or what was done to the text")


class AnnotateResponse(BaseModel):
    """The answers by text, in order, and by question."""

    answers: list[dict[str, AnswerModel]]


class OptionInfo(BaseModel):
    """A class or a label."""

    name: str = Field(description="As in `probabilities`")
    label: str


class QuestionInfo(BaseModel):
    """A question that is asked of each text."""

    name: str
    kind: Kind
    task: str
    emotion: str | None
    about: str
    low: float | None = Field(description="The lowest score or class")
    high: float | None
    poles: list[str] | None = Field(description="What the lowest and the highest score mean")
    options: list[OptionInfo]
    takes_target: bool
    calibrated: bool


class QuestionsResponse(BaseModel):
    """What is asked, and who answers."""

    models: list[str] = Field(description="Empty until they are loaded")
    scale: Scale
    min_confidence: float | None
    questions: list[QuestionInfo]


class Health(BaseModel):
    """Whether texts can be annotated now."""

    status: State


class Problem(BaseModel):
    """What went wrong, in a line."""

    detail: str


def told(answer: Answer) -> AnswerModel:
    """An answer as it goes over HTTP."""
    value, low, high = (list(one) if isinstance(one, tuple) else one for one in (answer.value, answer.low, answer.high))
    return AnswerModel.model_construct(
        value=value, label=answer.label, confidence=answer.confidence, low=low, high=high,
        probabilities=answer.probabilities, abstained=answer.abstained, note=answer.note,
    )  # fmt: skip


def described(question: Question, scale: Scale, calibrated: bool) -> QuestionInfo:
    """A question as it goes over HTTP."""
    task, emotion = question.task, question.emotion
    low = high = poles = None
    options = [OptionInfo(name=name, label=name) for name in question.options]
    if isinstance(task, RegressionTask):
        low, high = (task.low, task.high) if scale == "native" else (0.0, 1.0)
        ends = task.poles.get(emotion or "") or task.poles.get("")
        poles = [re.sub(r"\bE\b", emotion or "", end) for end in ends] if ends else None
    elif isinstance(task, OrdinalTask):
        low, high = min(task.classes), max(task.classes)
        options = [OptionInfo(name=str(one), label=task.class_name(one, emotion)) for one in task.classes]
    return QuestionInfo(
        name=question.name, kind=question.kind, task=task.name, emotion=emotion, about=task.about, low=low, high=high,
        poles=poles, options=options, takes_target=task.name == "TDT", calibrated=calibrated,
    )  # fmt: skip
