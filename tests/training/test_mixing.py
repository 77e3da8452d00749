"""How often each task is drawn from a data set with a mixing limit."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from training.test_data import drawn

from emollms.dataset.build import build_repo
from emollms.dataset.reader import Dataset
from emollms.dataset.specs import DATA_SETS, Settings
from emollms.inference.encoding import PromptEncoder
from emollms.training.recipe import load_recipe
from emollms.training.run import run_training
from emollms.training.tiny import tiny_model, tiny_tokenizer

LIMIT = 50


@pytest.fixture(scope="module")
def plus(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """AAID+ from the sample corpus, whose tasks have 60 to 121 training texts."""
    out = tmp_path_factory.mktemp("plus") / "aaid-plus"
    data_set = replace(DATA_SETS["aaid-plus"], mixing_limit=LIMIT)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("EMOLLMS_CORPORA", raising=False)  # it would read the tests of every corpus that is here
        build_repo(Settings(data_set, corpora=("sample",)), out, validate=False)
    return Dataset(out)


@pytest.fixture(scope="module")
def encoder() -> PromptEncoder:
    return PromptEncoder(tiny_tokenizer("smollm2"), tiny_model("smollm2"))


def sizes(data: Dataset, encoder: PromptEncoder, task: str, **tuning: object) -> list[int]:
    return [len(own) for own in drawn(data, encoder, tasks=[task], **tuning).draws]


def test_a_task_is_drawn_as_often_as_the_limit_allows(plus, encoder):
    assert sizes(plus, encoder, "EI-reg") == sizes(plus, encoder, "V-reg") == [LIMIT] * 3
    assert sizes(plus, encoder, "EI-reg", train_limit=LIMIT - 10) == [LIMIT - 10] * 3  # a smaller task is drawn whole


def test_each_epoch_draws_other_texts(plus, encoder):
    rows = drawn(plus, encoder, tasks=["EI-reg"], epochs=2)
    told = [
        {encoder.tokenizer.decode(rows.tokens[int(row)]["input_ids"]).rpartition("Tweet: ")[2] for row in own}
        for own in rows.draws
    ]
    assert len(told[0] - told[1]) > LIMIT / 4
    assert len(told[0] & told[1]) > 0


def test_weights_of_a_recipe_take_precedence(plus, encoder):
    texts = plus.table("V-reg", "train", ["source_id"])["source_id"].unique()
    assert sizes(plus, encoder, "V-reg", task_weights={"V-reg": 2.0, "E-c": 0.5}) == [2 * len(texts)] * 3
    assert sizes(plus, encoder, "EI-reg", task_weights={"V-reg": 2.0}) == [LIMIT] * 3


def test_epochs_are_of_one_length_where_some_drawn_rows_are_too_long(plus, encoder):
    limit = int(np.quantile(drawn(plus, encoder, tasks=["EI-reg"], task_weights={"EI-reg": 1.0}).lengths, 0.9))
    rows = drawn(plus, encoder, tasks=["EI-reg"], max_length=limit, epochs=6)
    assert len({len(own) for own in rows.draws}) == 1
    assert 0 < len(rows.draws[0]) <= LIMIT
    assert max(rows.lengths[own].max() for own in rows.draws) <= limit
    assert rows.counts["EI-reg"].cut_off > 0


def test_a_run_on_it(plus, write_recipe, tmp_path: Path):
    path = write_recipe(max_steps=-1, num_train_epochs=1, train_limit=None, per_device_train_batch_size=10)
    run = run_training(load_recipe(str(path)), plus, tmp_path / "run").manifest
    assert run.steps == 5 * LIMIT / 10
    assert run.data.data_set == "aaid-plus"
