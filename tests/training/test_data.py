from collections import Counter
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from tiny_corpus import settings, write_corpus

from emollms.corpora import registry
from emollms.dataset.build import build_repo
from emollms.dataset.reader import Dataset
from emollms.errors import UsageError
from emollms.inference.encoding import PromptEncoder
from emollms.training.arguments import TuningArguments
from emollms.training.data import training_rows, validation_rows, validation_tokens
from emollms.training.tiny import tiny_model, tiny_tokenizer

WORDINGS = 10


@pytest.fixture(scope="module")
def encoder():
    return PromptEncoder(tiny_tokenizer("smollm2"), tiny_model("smollm2"))


def drawn(aaid, encoder, *, epochs=3, max_length=None, seed=0, **tuning):
    return training_rows(
        aaid, encoder, TuningArguments(family="llama", **tuning), epochs=lambda rows: epochs, max_length=max_length,
        seed=seed,
    )  # fmt: skip


def texts(rows, encoder, epoch):
    """The rows of an epoch, as they are read and answered."""
    return [encoder.tokenizer.decode(rows.tokens[int(row)]["input_ids"]) for row in rows.draws[epoch]]


def test_an_epoch_asks_about_each_example_once_in_a_wording_drawn_anew(aaid, encoder):
    rows = drawn(aaid, encoder, tasks=["V-reg"])
    examples = aaid.table("V-reg", "train", ["source_id"])["source_id"].unique()
    assert [len(draw) for draw in rows.draws] == [len(examples)] * 3
    asked = [Counter(text.partition("Tweet: ")[2] for text in texts(rows, encoder, epoch)) for epoch in range(3)]
    assert asked[0] == asked[1] == asked[2]
    wordings = [{text.partition(" Tweet: ")[0] for text in texts(rows, encoder, epoch)} for epoch in range(3)]
    assert all(len(some) > WORDINGS / 2 for some in wordings)
    assert rows.draws[0].tolist() != rows.draws[1].tolist()


def test_all_takes_every_row(aaid, encoder):
    rows = drawn(aaid, encoder, tasks=["V-reg"], wordings="all", epochs=2)
    assert [len(draw) for draw in rows.draws] == [aaid.table("V-reg", "train", ["id"]).num_rows] * 2
    assert len(set(texts(rows, encoder, 0))) == len(rows.draws[0])


def test_weights_repeat_and_leave_out(aaid, encoder):
    plain = drawn(aaid, encoder, tasks=["V-reg", "E-c"], epochs=1)
    weighted = drawn(aaid, encoder, tasks=["V-reg", "E-c"], task_weights={"V-reg": 2.5, "E-c": 0.5}, epochs=1)
    cue = "This tweet contains emotions:"
    labels = [sum(cue in text for text in texts(rows, encoder, 0)) for rows in (plain, weighted)]
    scores = [len(rows.draws[0]) - count for rows, count in zip((plain, weighted), labels, strict=True)]
    assert weighted.counts["V-reg"].train == scores[0]
    assert scores[1] == round(2.5 * scores[0])
    assert labels[1] == round(0.5 * labels[0])


def test_the_seed_decides_and_a_smaller_sample_has_one_size(aaid, encoder):
    first, again, other = (drawn(aaid, encoder, train_limit=5, seed=seed) for seed in (0, 0, 1))
    assert all(np.array_equal(one, two) for one, two in zip(first.draws, again.draws, strict=True))
    assert first.tokens[:]["input_ids"] == again.tokens[:]["input_ids"]
    assert first.tokens[:]["input_ids"] != other.tokens[:]["input_ids"]
    assert [count.train for count in first.counts.values()] == [5] * 5


def test_validation_texts_that_do_not_stay_are_trained_on(aaid, encoder):
    tuning = TuningArguments(family="llama", selection_rows=1000)
    before, after = (validation_rows(aaid, replace(tuning, validation_fraction=one), seed=0) for one in (1.0, 0.4))
    kept = {row["text"] for rows in after.values() for row in rows}
    gone = {row["text"] for rows in before.values() for row in rows} - kept
    assert kept
    assert gone
    for name, rows in before.items():  # a text is on one side in every task
        assert [row["id"] for row in after.get(name, [])] == [row["id"] for row in rows if row["text"] in kept]
    trained = texts(drawn(aaid, encoder, epochs=1, validation_fraction=0.4), encoder, 0)
    asked = {text.partition("Tweet: ")[2] for text in trained}
    plain = {text.partition("Tweet: ")[2] for text in texts(drawn(aaid, encoder, epochs=1), encoder, 0)}
    assert len(trained) == len(texts(drawn(aaid, encoder, epochs=1), encoder, 0)) + sum(
        len(rows) - len(after.get(name, [])) for name, rows in before.items()
    )
    assert any(one.startswith(text[:20]) for text in gone for one in asked - plain)
    assert not any(one.startswith(text) for text in kept for one in asked)


def test_long_rows_are_left_out_and_counted(aaid, encoder):
    rows = drawn(aaid, encoder, tasks=["V-reg"], wordings="all", epochs=1)
    limit = int(np.median(rows.lengths))
    short = drawn(aaid, encoder, tasks=["V-reg"], wordings="all", epochs=1, max_length=limit)
    count = short.counts["V-reg"]
    assert count.cut_off == (rows.lengths > limit).sum()
    assert count.train + count.cut_off == len(rows.lengths)
    assert short.lengths[short.draws[0]].max() <= limit
    with pytest.raises(UsageError, match="longer than 5 tokens; increase max_length"):
        drawn(aaid, encoder, tasks=["V-reg"], max_length=5)


def test_a_recipe_may_weigh_tasks_that_a_data_set_lacks(aaid, encoder):
    plain = drawn(aaid, encoder, tasks=["V-reg"], epochs=1)
    weighted = drawn(aaid, encoder, tasks=["V-reg"], task_weights={"SST": 2.0, "E-c": 3.0}, epochs=1)
    assert texts(weighted, encoder, 0) == texts(plain, encoder, 0)


def test_what_is_not_there_is_named(aaid, encoder):
    with pytest.raises(UsageError, match=r"V-rge.*did you mean V-reg"):
        drawn(aaid, encoder, tasks=["V-rge"])
    with pytest.raises(UsageError, match=r"task in task_weights 'V-rge'; did you mean V-reg"):
        drawn(aaid, encoder, task_weights={"V-rge": 2.0})
    with pytest.raises(UsageError, match="no rows to train on"):
        drawn(aaid, encoder, languages=["xx"])


def test_a_text_of_validation_is_no_training_text(tmp_path, encoder, monkeypatch):
    monkeypatch.setattr(registry, "_from_other_packages", registry._from_other_packages)
    same = "the tram came two minutes early and I saw it go"
    cells = {
        "train": [("1", "a plum for everyone at the table", "0.700"), ("2", f"{same.upper()} !!", "0.200")],
        "validation": [("3", same, "0.100")],
        "test": [("4", "nobody told the goldfish", "0.400")],
    }
    root = write_corpus(tmp_path / "corpora", cells)
    build_repo(settings("aaid", "tiny", profile="paper"), tmp_path / "aaid", root=root, validate=False)
    registry.corpora.cache_clear()
    rows = drawn(Dataset(tmp_path / "aaid"), encoder)
    assert (rows.counts["V-reg"].train, rows.counts["V-reg"].shared) == (1, 1)
    assert all("plum" in text for epoch in range(3) for text in texts(rows, encoder, epoch))


def test_validation_rows_are_a_sample_with_one_wording_each(aaid, encoder):
    chosen = validation_rows(aaid, TuningArguments(family="llama", selection_rows=7), seed=1)
    assert {name: len(rows) for name, rows in chosen.items()} == dict.fromkeys(chosen, 7)
    for rows in chosen.values():
        assert len({(row["source_id"], row["emotion"]) for row in rows}) == 7
    trained = drawn(aaid, encoder)
    tokens = validation_tokens(aaid, encoder, chosen, trained.trees)
    assert len(tokens) == 7 * len(chosen)
    assert tokens.data.schema.names == trained.tokens.data.schema.names
    assert isinstance(tokens.data["input_ids"].type, pa.ListType)
