import os
import signal
import subprocess
import sys

import pytest

from emollms.errors import EmollmsError, SourceError
from emollms.inference.predictions import Prediction, PredictionFile, read_predictions

SOME = [
    Prediction("a/1", "0.534", {"0.5": 1.0}, 0.25),
    Prediction("a/2", "😡, “joy”\nand more", None, 0.5),
    Prediction("a/3", ""),
]


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "new" / "predictions.jsonl"
    with PredictionFile(path) as file:
        file.add(SOME[:2])
        assert list(read_predictions(path)) == ["a/1", "a/2"]  # at once, for a kill may come
        file.add(SOME[2:])
    assert list(read_predictions(path).values()) == SOME
    assert path.read_bytes().count(b"\n") == 3


@pytest.mark.parametrize("cut", [1, 2, 20, 34])
def test_a_torn_last_line_is_cut_off_with_a_note_where_a_run_goes_on_and_refused_elsewhere(tmp_path, cut):
    path, notes = tmp_path / "predictions.jsonl", []
    with PredictionFile(path) as file:
        file.add(SOME)
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    expected = SOME if cut == 1 else SOME[:2]  # without its line break alone, a line is whole
    if cut > 1:
        with pytest.raises(SourceError, match=r"predictions\.jsonl:3: no JSON"):
            read_predictions(path)
    else:
        assert list(read_predictions(path).values()) == expected
    with PredictionFile(path, notes.append) as file:
        assert list(file.known.values()) == expected
        file.add(SOME[len(expected) :])
    assert path.read_bytes() == whole
    assert [("the last line was torn" in note) for note in notes] == [True] * (cut > 1)


def test_a_killed_writer_goes_on(tmp_path):
    path = tmp_path / "predictions.jsonl"
    script = (
        "import sys; from pathlib import Path; from emollms.inference.predictions import *\n"
        "with PredictionFile(Path(sys.argv[1])) as file:\n"
        "    for number in range(10 ** 9):\n"
        "        file.add([Prediction(str(number), 'x' * 5000)])\n"
        "        print(number, flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE) as running:
        for _ in range(50):
            said = running.stdout.readline()
        os.kill(running.pid, signal.SIGKILL)
    with PredictionFile(path) as file:
        assert len(file.known) > int(said)
        file.add([Prediction("new", "0.5")])
    assert "new" in read_predictions(path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("0.5", "no id and answer: '0.5'"),
        ('{"id": "b"}', "no id and answer"),
        ('{"id": 3, "answer": "1"}', "no id and answer"),
        ('{"id": "b", "answer": 0.5}', "give both as strings"),
        ('{"id": "b", "answer": "1", "probabilities": {"1": NaN}}', "NaN is no number"),
        ('{"id": "b", "answer": "1", "probabilities": {"1": 1.5}}', "no probabilities"),
        ('{"id": "b", "answer": "1", "probabilities": [0.5]}', "give an object of numbers on 0..1"),
        ('{"id": "b", "answer": "1", "seconds": "fast"}', "no number of seconds"),
        ('{"id": "b", "answer": "1", "seconds": Infinity}', "Infinity is no number"),
        ('{"id": "a/1", "answer": "1"}', "an id that is there already: 'a/1'"),
        ('{"id": "b", ', "each line is one JSON object"),
    ],
)
def test_errors_tell_file_and_line(tmp_path, line, message):
    path = tmp_path / "predictions.jsonl"
    path.write_text(f"{SOME[0].to_json()}\n\n{line}\n{SOME[2].to_json()}\n")
    with pytest.raises(SourceError, match=r"predictions\.jsonl:3: ") as raised:
        read_predictions(path)
    assert message in str(raised.value)
    before = path.read_bytes()
    with pytest.raises(SourceError), PredictionFile(path):
        pass
    assert path.read_bytes() == before


def test_a_second_prediction_for_an_id_is_refused(tmp_path):
    path = tmp_path / "predictions.jsonl"
    with PredictionFile(path) as file:
        with pytest.raises(EmollmsError, match="has a prediction for 'a/1' already"):
            file.add([SOME[0], SOME[1], SOME[0]])
        assert list(read_predictions(path)) == ["a/1", "a/2"]
    with pytest.raises(EmollmsError, match="not open"):
        file.add(SOME[2:])


def test_foreign_files_need_id_and_answer_alone(tmp_path):
    path = tmp_path / "theirs.jsonl"
    path.write_text('{"id": "x", "answer": "0.5", "model": "theirs"}')
    assert read_predictions(path) == {"x": Prediction("x", "0.5")}
