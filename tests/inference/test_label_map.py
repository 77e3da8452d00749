"""Maps from the labels of other people's classifiers to questions."""

from pathlib import Path

import numpy as np
import pytest

from emollms.errors import UsageError
from emollms.inference.label_map import LabelMap, read_label_map
from emollms.tasks import get_task

STARS = {number: f"{number + 1} star{'s' * (number > 0)}" for number in range(5)}
FEELINGS = dict(enumerate(("joy", "anger", "annoyance", "no", "sadness")))


def read(tmp_path: Path, text: str, names: dict[int, str] = FEELINGS) -> LabelMap:
    path = tmp_path / "labels.yaml"
    path.write_text(text, encoding="utf-8")
    return read_label_map(path, names)


def told(mapped: LabelMap, task: str, outputs: list[float], **row: object) -> tuple[str, object]:
    found = mapped.prediction(get_task(task), {"id": "1", "emotion": None, **row}, np.array(outputs, np.float32))
    return found.answer, found.probabilities


def test_classes_are_those_of_a_softmax(tmp_path):
    lines = "\n".join(f"    {number}: {label}" for number, label in STARS.items())
    mapped = read(tmp_path, f"activation: softmax\nquestions:\n  SST5:\n{lines}\n", STARS)
    answer, shares = told(mapped, "SST5", [0.1, 0.2, 0.4, 0.25, 0.05])
    assert answer == "2: neutral"
    assert shares == pytest.approx({"0": 0.1, "1": 0.2, "2": 0.4, "3": 0.25, "4": 0.05})


def test_classes_that_are_left_out_are_never_told_and_the_others_share_what_there_is(tmp_path):
    mapped = read(tmp_path, "activation: softmax\nquestions: {TDT: {-1: [anger, annoyance], 1: joy}}")
    answer, shares = told(mapped, "TDT", [0.2, 0.15, 0.15, 0.45, 0.05])
    assert answer == "-1: negative"
    assert shares == pytest.approx({"-1": 0.6, "0": 0.0, "1": 0.4})


def test_labels_of_a_sigmoid_count_by_themselves(tmp_path):
    mapped = read(tmp_path, "activation: sigmoid\nquestions: {E-c: {joy: joy, anger: [anger, annoyance]}}")
    answer, shares = told(mapped, "E-c", [0.5, 0.4, 0.7, 0.9, 0.9])
    assert answer == "anger, joy"
    assert shares["anger"] == pytest.approx(0.7)
    assert {name for name, share in shares.items() if share} == {"anger", "joy"}
    assert len(shares) == 11
    _, asked = told(mapped, "E-c", [0.5, 0.4, 0.7, 0.9, 0.9], unannotated=("joy", "trust"))
    assert len(asked) == 9
    assert "joy" not in asked


def test_labels_of_a_softmax_add_up(tmp_path):
    mapped = read(tmp_path, "activation: softmax\nquestions: {E-c: {joy: joy, anger: [anger, annoyance]}}")
    assert told(mapped, "E-c", [0.3, 0.3, 0.3, 0.05, 0.05])[0] == "anger"


def test_a_score_is_the_expected_value_of_labels(tmp_path):
    mapped = read(tmp_path, "activation: softmax\nquestions: {V-reg: {expected: {sadness: 0, no: 0.5, joy: 1}}}")
    assert told(mapped, "V-reg", [0.4, 0.15, 0.05, 0.2, 0.2]) == ("0.625", None)  # (0.4 + 0.1) / 0.8


@pytest.mark.parametrize(("output", "expected"), [(1.0, "0.000"), (4.0, "0.750"), (7.5, "1.000"), (-2.0, "0.000")])
def test_an_output_is_a_score_on_its_range(output: float, expected: str, tmp_path):
    of = "{output: joy, range: [1, 5]}"
    mapped = read(tmp_path, f"activation: none\nquestions: {{EmoBank/valence: {of}, EmoBank/arousal: {of},"
                            f" EmoBank/dominance: {of}}}")  # fmt: skip
    assert told(mapped, "EmoBank", [output, 0, 0, 0, 0], emotion="arousal")[0] == expected
    assert mapped.tasks == ("EmoBank",)
    assert mapped.answers(get_task("EmoBank"))
    assert not mapped.answers(get_task("V-reg"))


def test_other_maps_have_other_digests(tmp_path):
    one, other = (read(tmp_path, f"activation: sigmoid\nquestions: {{E-c: {{joy: {name}}}}}") for name in ("joy", "no"))
    assert one.map_digest != other.map_digest


WRONG = {
    "activation: soft\nquestions: {E-c: {joy: joy}}": "1: unknown activation 'soft'; did you mean softmax",
    "questions:\n  E-c: {joy: joy}": ": activation is missing",
    "activation: softmax\nquestions: [E-c]": "2: write questions, such as",
    "activation: softmax\nquestion: {}": "2: unknown key 'question'; did you mean questions",
    "activation: softmax\nquestions:\n  E-d: {joy: joy}": "3: unknown task 'E-d'; did you mean E-c",
    "activation: softmax\nquestions:\n  E-c:\n    joi: joy": "4: unknown label of task E-c 'joi'; did you mean joy",
    "activation: softmax\nquestions:\n  E-c:\n    joy: jay": "4: unknown label of the model 'jay'; did you mean joy",
    "activation: softmax\nquestions:\n  E-c:\n    joy: [joy,\n      agner]": "5: unknown label of the model 'agner'",
    "activation: softmax\nquestions:\n  E-c:\n    joy: joy\n    joy: no": "5: joy is there twice",
    "activation: softmax\nquestions:\n  SST5: {9: joy}": "3: unknown class of task SST5 '9'",
    "activation: sigmoid\nquestions:\n  SST5: {0: joy}": "3: SST5 cannot be answered with activation sigmoid; it",
    "activation: none\nquestions:\n  E-c: {joy: joy}": "3: E-c cannot be answered with activation none",
    "activation: softmax\nquestions:\n  V-reg: {expected: {joy: 5}}": "3: 5 is not on 0 to 1",
    "activation: softmax\nquestions:\n  V-reg: {expected: {joy: nan}}": "3: nan is not on 0 to 1",
    "activation: softmax\nquestions:\n  V-reg: {expected: {joy: much}}": "3: 'much' is no number",
    "activation: softmax\nquestions:\n  V-reg: {joy: 1}": "3: unknown key 'joy'",
    "activation: none\nquestions:\n  V-reg: {output: joy}": "3: V-reg: say what its output is on",
    "activation: none\nquestions:\n  V-reg: {output: joy, range: [5, 1]}": "3: range: 5 is not below 1",
    "activation: none\nquestions:\n  V-reg: {output: joy, range: 5}": "3: range: give the lowest",
    "activation: softmax\nquestions:\n  V-reg: {output: joy}": "3: V-reg cannot be answered with activation softmax",
    "activation: none\nquestions:\n  EmoBank: {output: joy}": "3: task EmoBank asks for one emotion at a time",
    "activation: sigmoid\nquestions:\n  EI-reg/joy: {output: joy}": "3: task EI-reg also asks for EI-reg/anger",
    "activation: softmax\nquestions: {E-c: {joy: joy}": "malformed YAML",
    "- 1": "1: write activation and questions",
    "": ": write activation and questions",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_a_map_gets_wrong_is_told_with_its_line(text: str, tmp_path):
    with pytest.raises(UsageError) as failed:
        read(tmp_path, text)
    assert WRONG[text] in str(failed.value)
    assert str(failed.value).startswith(str(tmp_path / "labels.yaml"))
    assert "\n" not in str(failed.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match=r"none\.yaml: No such file"):
        read_label_map(tmp_path / "none.yaml", FEELINGS)
