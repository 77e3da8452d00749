"""Answers of an evaluation: published without a text, and scored again by a stranger to the last digit."""

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emollms.builders.sample import Sample
from emollms.dataset.reader import Dataset
from emollms.dataset.schema import row_hash
from emollms.errors import EmollmsError
from emollms.evaluation.answer_set_writer import GAP, QUOTE, SHORTEST, without_quotes, write_answer_set
from emollms.evaluation.answer_sets import AnswerSet
from emollms.evaluation.evaluate import evaluate
from emollms.evaluation.scores import Scores
from hub.client import TestHub
from hub.test_publish import changes

RESTRICT = """
import sys
from emollms.builders.sample import Sample
Sample.meta = Sample.meta.model_copy(update={"redistribution": sys.argv.pop(1)})
from emollms.cli import main
main()
"""
LOAD = """
import json, sys
from datasets import get_dataset_config_names, load_dataset
for name in get_dataset_config_names(sys.argv[1]):
    rows = load_dataset(sys.argv[1], name, split="test")
    print(json.dumps([name, rows.column_names, len(rows)]))
"""
Answer = Callable[[dict[str, object]], str]


def said_of(data: Path, out: Path, say: Answer, **options: object) -> Scores:
    """An evaluation of answers that a function gives to the rows of a data set."""
    opened = Dataset(data)
    rows = [(task.name, row) for task in opened.tasks("test") for row in opened.rows(task.name, "test")]
    shares = {"V-reg": None, "SST": None, "SST5": {"0": 0.125, "3": 0.875}, "E-c": {"joy": 0.7, "love": 0.2}}
    lines = [
        json.dumps({"id": row["id"], "answer": say({"task": name, **row}), "seconds": 0.1234}
                   | ({"probabilities": shares[name]} if shares.get(name) and options.get("decode") else {}))
        for name, row in rows
    ]  # fmt: skip
    file = out.with_suffix(".jsonl")
    file.write_text("\n".join(lines), encoding="utf-8")
    return evaluate(data, out, predictions=file, **{"name": "a model", **options})


def gold_or_chatter(row: dict[str, object]) -> str:
    """Right answers, wrong ones and talk, by turns of the id."""
    turn = sum(map(ord, str(row["id"]))) % 4
    return ["I cannot tell.", "0.25", f"{row['score'] if row['score'] is not None else 'joy'}", "2: no\nbecause"][turn]


SETTINGS = [
    {},
    {"parse": "lenient", "policy": "worst"},
    {"limit": 5, "seed": 3},
    {"scale": "native", "task": "V-reg"},
    {"decode": "expected_value"},
]


@pytest.mark.parametrize("how", SETTINGS, ids=str)
def test_a_stranger_gets_the_scores_to_the_last_digit(how: dict[str, object], aeb: Path, tmp_path: Path) -> None:
    before = said_of(aeb, tmp_path / "run", gold_or_chatter, **how)
    (tmp_path / "set").mkdir()
    write_answer_set(tmp_path / "run", Dataset(aeb), (), tmp_path / "set")
    again = evaluate(aeb, tmp_path / "again", predictions=tmp_path / "set")
    assert again.tasks == before.tasks
    assert again.name == "a model"


def test_what_is_chosen_goes_before_what_was_published(aeb: Path, tmp_path: Path) -> None:
    said_of(aeb, tmp_path / "run", gold_or_chatter, parse="lenient")
    strict = said_of(aeb, tmp_path / "strict", gold_or_chatter)
    (tmp_path / "set").mkdir()
    write_answer_set(tmp_path / "run", Dataset(aeb), (), tmp_path / "set")
    again = evaluate(aeb, tmp_path / "again", predictions=tmp_path / "set", parse="strict", task="V-reg")
    assert again.tasks == {"V-reg": strict.tasks["V-reg"]}


def publish(hub: TestHub, run: Path, *options: object, redistribution: str = "text", **how: object):
    return hub.run(RESTRICT, redistribution, "publish", "answers", run, "--repo", hub.repo, *options, **how)


def test_the_whole_way(hub: TestHub, small: Path, tmp_path: Path) -> None:
    before = said_of(small, tmp_path / "run", gold_or_chatter)
    plan = publish(hub, tmp_path / "run")
    assert hub.state() is None
    assert [line.split("\t")[1] for line in plan.out.splitlines()[1:]] == [
        "README.md", "data/V-reg/test-00000.parquet", "scores.json",
    ]  # fmt: skip
    said = publish(hub, tmp_path / "run", "--yes").err
    assert f"score them again: emollms evaluate --predictions {hub.repo}@v1.0.0" in said
    assert hub.state()["tags"] == {"v1.0.0": hub.state()["head"]}
    columns = ["id", "answer", "seconds", "sha256"]
    assert json.loads(hub.run(LOAD, hub.repo).out) == ["V-reg", columns, before.tasks["V-reg"].n]
    for revision, out in (("", "again"), ("@v1.0.0", "tagged")):
        hub.emollms("evaluate", "--predictions", f"{hub.repo}{revision}", "--data", small, "--out", out)
        assert Scores.read(hub.folder / out / "scores.json").tasks == before.tasks
    sent = len(hub.log())
    assert "was published already, unchanged" in publish(hub, tmp_path / "run", "--yes").err
    assert changes(hub, sent) == []
    nobody = hub.emollms("evaluate", "--predictions", f"{hub.repo}-no", "--data", small, "--out", "no", code=1).err
    assert "cannot be had" in nobody
    assert len(nobody.splitlines()) == 1


def test_no_text_of_a_restricted_corpus_gets_out(hub: TestHub, small: Path, tmp_path: Path) -> None:
    def echo(row: dict[str, object]) -> str:
        return f"The tweet “{row['text']}” scores 0.5" if row["score"] > 0.5 else f"0.25 ({str(row['text']).upper()})"

    before = said_of(small, tmp_path / "run", echo)
    publish(hub, tmp_path / "run", "--yes", redistribution="ids")
    hub.command("hf", "download", hub.repo, "--repo-type", "dataset", "--local-dir", "down")
    table = pq.read_table(hub.folder / "down" / "data" / "V-reg" / "test-00000.parquet")
    texts = {row["id"]: row["text"] for row in Dataset(small).rows("V-reg", "test")}
    for row in table.to_pylist():
        assert texts[row["id"]].casefold() not in row["answer"].casefold()
    everything = "".join(path.read_text() for path in (hub.folder / "down").iterdir() if path.is_file())
    assert not [text for text in texts.values() if text in everything]
    assert "an\nellipsis stands for them" in (hub.folder / "down" / "README.md").read_text()
    hub.emollms("evaluate", "--predictions", hub.repo, "--data", small, "--out", "again")
    assert Scores.read(hub.folder / "again" / "scores.json").tasks == before.tasks

    refused = publish(hub, tmp_path / "run", "--yes", redistribution="none", code=1).err
    assert "nothing of sample may be redistributed, not even its ids" in refused


def test_hashes_are_those_of_the_rows(small: Path, versions: dict[str, Path], tmp_path: Path) -> None:
    said_of(small, tmp_path / "run", gold_or_chatter)
    (tmp_path / "set").mkdir()
    write_answer_set(tmp_path / "run", Dataset(small), (), tmp_path / "set")
    found = AnswerSet.read(tmp_path / "set")
    rows = Dataset(small).table("V-reg", "test").to_pylist()
    assert found.hashes == {row["id"]: row_hash(row) for row in rows}
    found.check_rows(Dataset(versions["1.1.0"]))  # the same rows, and more

    path = tmp_path / "set" / "data" / "V-reg" / "test-00000.parquet"
    table = pq.read_table(path)
    wrong = pa.array(["0" * 64, *table["sha256"].to_pylist()[1:]])
    pq.write_table(table.set_column(table.schema.get_field_index("sha256"), "sha256", wrong), path)
    with pytest.raises(EmollmsError, match=f"1 of {len(rows)} answers are to rows that .* lacks, or has otherwise"):
        evaluate(small, tmp_path / "again", predictions=tmp_path / "set")


def test_nothing_says_where_it_was_made(small: Path, tmp_path: Path) -> None:
    said_of(small, tmp_path / "run", gold_or_chatter, command=("emollms", "evaluate", "--out", "/home/jane/x"))
    (tmp_path / "set").mkdir()
    write_answer_set(tmp_path / "run", Dataset(small), (), tmp_path / "set")
    text = (tmp_path / "set" / "scores.json").read_text()
    assert "/home/jane" not in text
    assert str(tmp_path) not in text
    assert str(small) not in text


def test_wrong_calls_are_one_line(hub: TestHub, small: Path, versions: dict[str, Path], tmp_path: Path) -> None:
    assert "is no finished evaluation: scores.json is missing" in publish(hub, small, code=2).err
    said_of(small, tmp_path / "run", gold_or_chatter)
    said = publish(hub, tmp_path / "run", "--data", versions["1.1.0"], code=2).err
    assert "has content hash" in said
    scores = json.loads((tmp_path / "run" / "scores.json").read_text())
    scores["tasks"]["V-reg"]["value"] += 0.1
    (tmp_path / "run" / "scores.json").write_text(json.dumps(scores))
    said = publish(hub, tmp_path / "run", code=1).err
    assert "the scores of V-reg in" in said
    assert "are not those of its answers" in said
    hub.run("import sys; from huggingface_hub import HfApi; HfApi().create_repo(sys.argv[1], repo_type='dataset')",
            f"{hub.repo}-empty")  # fmt: skip
    said = hub.emollms("evaluate", "--predictions", f"{hub.repo}-empty", "--data", small, "--out", "no", code=2).err
    assert "holds no answers that `emollms publish answers` published" in said


WORDS = st.text("ab cd", max_size=60)


@given(WORDS, WORDS, WORDS)
def test_a_quotation_is_cut_and_nothing_else(before: str, text: str, after: str) -> None:
    cut = without_quotes(f"{before}{text}{after}", text)
    longest = max((size for size in range(len(text) + 1) if any(
        text[start : start + size] in cut for start in range(len(text) - size + 1))), default=0)  # fmt: skip
    assert longest < max(SHORTEST, min(QUOTE, len(text)))
    if GAP not in cut:
        assert cut == f"{before}{text}{after}"


def test_quotations_in_other_letters() -> None:
    text = "I can't stop smiling, what a lovely evening!"
    assert without_quotes(f"0.9: {text.upper()}", text) == f"0.9: {GAP}"
    assert without_quotes("very positive emotional state can be inferred", text) == (
        "very positive emotional state can be inferred"
    )
    assert Sample.meta.redistribution == "text"


def test_a_leaderboard_is_a_static_space(hub: TestHub, small: Path, tmp_path: Path) -> None:
    said_of(small, tmp_path / "run", gold_or_chatter)
    publish(hub, tmp_path / "run", "--yes")
    done = hub.emollms("leaderboard-page", hub.repo, "--data", small, "--out", "page")
    assert done.out.splitlines()[1].split("\t") == ["a model", "1.00", "1.00 to 1.00", "1"]
    commit = hub.state()["head"]
    assert f"/datasets/{hub.repo}/tree/{commit[:12]}" in (hub.folder / "page" / "index.html").read_text()
    space = f"{hub.repo}-board"
    said = hub.emollms("publish", "space", "page", "--repo", space, "--yes").err
    assert f"note: {hub.repo} is private: nobody else can score its answers again" in said
    assert set(hub.state(space, "spaces")["tags"]) == {"v1.0.0"}
    assert "is the same as" in hub.emollms("status", space, "--space", "page").err
    card = "import sys; from huggingface_hub import HfApi; print(HfApi().space_info(sys.argv[1]).card_data.sdk)"
    assert hub.run(card, space).out == "static\n"
    told = hub.emollms("leaderboard-page", small, "--data", small, "--out", "no", code=2).err
    assert "holds no answers that `emollms publish answers` published" in told
