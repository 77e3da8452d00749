import pytest

from emollms.annotation.questions import default_questions, own_labels, own_score, questions
from emollms.errors import UsageError
from emollms.prompts.template import prompt
from emollms.tasks import get_task


def names(found):
    return [one.name for one in found]


def test_known_names_ask_their_tasks() -> None:
    found = questions(["valence", "anger", "arousal", "emotions"])
    assert [(one.name, one.task.name, one.emotion) for one in found] == [
        ("valence", "V-reg", None),
        ("anger", "EI-reg", "anger"),
        ("arousal", "EmoBank", "arousal"),
        ("emotions", "E-c", None),
    ]


def test_a_task_with_emotions_asks_for_each() -> None:
    assert names(questions(["EI-oc"])) == ["EI-oc_anger", "EI-oc_fear", "EI-oc_joy", "EI-oc_sadness"]
    assert names(questions(["EmoBank/dominance"])) == ["EmoBank_dominance"]


def test_the_same_question_is_asked_once() -> None:
    assert names(questions(["valence", "V-reg", "EI-reg/joy", "joy"])) == ["valence", "EI-reg_joy"]


@pytest.mark.parametrize(("name", "emotion"), [("V-reg", None), ("EI-reg", "joy"), ("E-c", None), ("SST5", None)])
def test_prompts_are_those_of_the_data_sets(name: str, emotion: str | None) -> None:
    asked = questions([f"{name}/{emotion}" if emotion else name])[0]
    assert asked.prompt("So\nhappy") == prompt(get_task(name), "So\nhappy", 0, emotion)


def test_by_default_a_model_is_asked_what_it_was_tuned_on() -> None:
    aaid = ["EI-reg", "EI-oc", "V-reg", "V-oc", "E-c"]
    assert names(default_questions(aaid)) == ["valence", "anger", "fear", "joy", "sadness", "emotions"]
    assert names(default_questions(["V-oc"])) == ["V-oc"]
    assert names(default_questions(["GoEmotions", "V-reg"])) == ["valence", "GoEmotions"]
    assert names(default_questions([])) == ["valence", "anger", "fear", "joy", "sadness", "emotions"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("valense", "did you mean valence"),
        ("EI-reg/love", "did you mean|anger"),
        ("V-reg/joy", "asks for no single emotion"),
        ("", "question"),
    ],
)
def test_unknown_names(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        questions([name])


def test_own_labels() -> None:
    one = own_labels(["frustrated", " relieved ", "neutral"])
    assert (one.name, one.kind, one.task.classes) == ("label", "class", {0: "frustrated", 1: "relieved", 2: "neutral"})
    assert "0: frustrated. 1: relieved. 2: neutral." in one.prompt("hm")
    several = own_labels(["a", "b"], multi=True)
    assert (several.name, several.kind, several.options) == ("labels", "labels", ("a", "b"))


@pytest.mark.parametrize("labels", [["one"], ["a", "A"], ["a", ""], ["a", "b;c"], ["a", "{b}"], ["none of these", "b"]])
def test_labels_that_cannot_be(labels: list[str]) -> None:
    with pytest.raises(UsageError, match="--labels"):
        own_labels(labels)


def test_own_score() -> None:
    one = own_score("contempt", 0, 100)
    assert (one.name, one.kind, one.task.from_unit(0.5)) == ("contempt", "score", 50)
    with pytest.raises(UsageError, match="--range 1 0"):
        own_score("contempt", 1, 0)
    with pytest.raises(UsageError, match="name what is to be scored"):
        own_score(" ")
