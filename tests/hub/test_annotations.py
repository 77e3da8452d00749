"""`emollms annotate --push` against the Hub on the loopback."""

import json
from pathlib import Path

import pytest

from emollms.corpora.registry import corpora
from emollms.errors import EmollmsError
from emollms.hub.rights import refuse_known_texts
from hub.client import TestHub
from hub.test_checks import KEY
from hub.test_publish import changes

TEXTS = "title,text\nfirst,What a day! I love it.\nsecond,I hate this so much.\nthird,\n"
LOAD = """
import json, sys
from datasets import load_dataset
print(json.dumps(load_dataset(sys.argv[1], split="train", revision=sys.argv[2])[:]))
"""


@pytest.fixture
def posts(hub: TestHub) -> Path:
    path = hub.folder / "posts.csv"
    path.write_text(TEXTS, encoding="utf-8")
    return path


def annotate(hub: TestHub, posts: Path, *options: str, **how: object):
    return hub.emollms("annotate", posts, "--baseline", "vader", "--fresh", "--push", hub.repo, *options, **how)


def test_a_table_is_annotated_and_published(hub: TestHub, posts: Path) -> None:
    plan = annotate(hub, posts)
    assert hub.state() is None
    assert [line.split("\t")[:2] for line in plan.out.splitlines()[1:]] == [
        ["add", "README.md"], ["add", "data/train-00000.parquet"], ["add", "annotation.json"],
    ]  # fmt: skip
    assert plan.err.endswith("nothing was changed; add --yes to do it\n")

    said = annotate(hub, posts, "--yes").err
    state = hub.state()
    assert state["private"] is True
    assert state["tags"] == {"v1.0.0": state["head"]}
    assert f'load it: datasets.load_dataset("{hub.repo}", revision="v1.0.0")' in said
    rows = hub.run(LOAD, hub.repo, "v1.0.0").json()
    assert rows["title"] == ["first", "second", "third"]
    assert rows["valence"][0] > 0.5 > rows["valence"][1]
    assert rows["note"] == [None, None, "no text"]

    sent = len(hub.log())
    assert "was published already, unchanged" in annotate(hub, posts, "--yes").err
    assert changes(hub, sent) == []
    posts.write_text(TEXTS + "fourth,Well.\n", encoding="utf-8")
    annotate(hub, posts, "--yes")
    assert set(hub.state()["tags"]) == {"v1.0.0", "v1.1.0"}


def test_the_card_says_who_answered(hub: TestHub, posts: Path) -> None:
    annotate(hub, posts, "--task", "valence", "--yes")
    down = "import sys; from huggingface_hub import hf_hub_download as get\n"
    down += "print(open(get(sys.argv[1], sys.argv[2], repo_type='dataset'), encoding='utf-8').read())"
    card = hub.run(down, hub.repo, "README.md").out
    assert "The annotations are answers of models, not of people." in card
    assert "| VADER | a lexicon |" in card
    assert "| `valence` |" in card
    record = json.loads(hub.run(down, hub.repo, "annotation.json").out)
    assert record["predictors"] == [{"baseline": "vader"}]
    assert record["input"].startswith("sha256:")
    assert record["rows"] == 3


def test_what_cannot_be_published_is_refused(hub: TestHub, posts: Path) -> None:
    said = annotate(hub, posts, "--out", "out.csv", code=2).err
    assert "--push publishes Parquet, and --out out.csv is none" in said
    said = annotate(hub, posts, "--format", "argilla", code=2).err
    assert "--push publishes a table" in said
    said = hub.emollms("annotate", posts, "--baseline", "vader", "--yes", code=2).err
    assert "--yes and --public go with --push" in said
    posts.write_text(TEXTS + f"key,{KEY}\n", encoding="utf-8")
    assert "there are secrets" in annotate(hub, posts, "--yes", code=1).err
    posts.write_text("id,text\nsst/train/1,A fine film.\n", encoding="utf-8")
    assert "the texts of sst may not be redistributed" in annotate(hub, posts, "--yes", code=1).err
    assert hub.state() is None


def test_a_raw_file_of_a_corpus_is_known_by_its_hash() -> None:
    bound = corpora()["semeval2018_task1"].meta.files[0]
    with pytest.raises(EmollmsError, match="the texts of semeval2018_task1 may not be redistributed"):
        refuse_known_texts({}, f"sha256:{bound.sha256}")
    refuse_known_texts({}, f"sha256:{'0' * 64}")
