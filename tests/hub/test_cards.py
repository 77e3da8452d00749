"""Cards as they come out: against golden files, and as the Hub's own client reads their metadata.

`UPDATE_GOLDEN=1 pytest tests/hub/test_cards.py` writes the golden files anew; look at the difference.
"""

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from huggingface_hub import DatasetCard, ModelCard, SpaceCard
from tiny_corpus import settings

from emollms.dataset.build import build_repo
from emollms.dataset.card_examples import SHOWN, rejected_examples
from emollms.dataset.manifest import read_manifest
from emollms.dataset.schema import REJECTED_SCHEMA
from emollms.dataset.specs import DATA_SETS, Settings
from emollms.errors import EmollmsError, UsageError
from emollms.evaluation.scores import Scores
from emollms.hub.card_checks import check_card, check_model_card, metadata_in
from emollms.hub.card_merge import merge_card, split_card
from emollms.hub.ids import write_ids
from emollms.hub.model_card import render_model_card
from emollms.hub.model_scores import score_tables
from emollms.hub.space import render_space_card
from hub.made_up_model import CALIBRATION, CARD, HASH, TEACHER, made_up_run, made_up_scores, scores_json

GOLDEN = Path(__file__).parent / "golden"
SECTION = re.compile(r"^<!-- emollms: ([a-z]+) -->$", re.MULTILINE)
VARYING = re.compile(r"(download_size: |num_bytes: |dataset_size: |sdk_version: |gradio==)[\d.]+")
"""What depends on the versions of other packages, and on how tables are cut."""


def against_golden(name: str, card: str) -> None:
    shown = VARYING.sub(r"\g<1>…", card)
    if os.environ.get("UPDATE_GOLDEN"):
        (GOLDEN / name).write_text(shown, encoding="utf-8")
    assert shown == (GOLDEN / name).read_text(encoding="utf-8")


def model_card(**changes: Any) -> str:
    run = made_up_run(**changes.pop("run", {}))
    scores = changes.pop("scores", [made_up_scores()])
    return render_model_card(run, scores, **{**CARD, "calibration": CALIBRATION, **changes})


@pytest.fixture(scope="module")
def data_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second version of a data set of the sample corpus, with one more task."""
    out = tmp_path_factory.mktemp("golden") / "aeb"
    build_repo(settings("aeb", "sample", tasks=("V-reg", "E-c")), out, validate=False)
    build_repo(settings("aeb", "sample", tasks=("V-reg", "E-c", "EI-oc")), out, "1.1.0", validate=False)
    return out


def test_data_set(data_set: Path) -> None:
    against_golden("dataset.md", (data_set / "README.md").read_text(encoding="utf-8"))


@pytest.mark.usefixtures("sample_alone")
def test_data_set_with_a_mixing_limit(tmp_path: Path) -> None:
    """EI-reg exceeds the limit, V-oc does not; the texts are checked against the tests of the sample alone."""
    data_set = replace(DATA_SETS["aaid-plus"], mixing_limit=80)
    chosen = Settings(data_set, corpora=("sample",), tasks=("V-oc", "EI-reg"))
    build_repo(chosen, tmp_path / "plus", validate=False)
    against_golden("dataset_plus.md", (tmp_path / "plus" / "README.md").read_text(encoding="utf-8"))


def test_id_only_form(data_set: Path, tmp_path: Path) -> None:
    write_ids(data_set, tmp_path / "ids")
    against_golden("dataset_ids.md", (tmp_path / "ids" / "README.md").read_text(encoding="utf-8"))


def test_model() -> None:
    against_golden("model.md", model_card())


def test_space() -> None:
    against_golden("space.md", render_space_card("me/emo-tiny", "v1.0.0", "Emo: a demo", "apache-2.0"))


def test_into_a_readme_that_is_there() -> None:
    """Somebody's page about the model: metadata with comments, a banner, sections under headings like ours."""
    existing = (GOLDEN / "existing.md").read_text(encoding="utf-8")
    merged = merge_card(existing, model_card())
    against_golden("merged.md", merged)
    assert merge_card(merged, model_card()) == merged
    check_model_card(merged, "README.md", [made_up_scores()])


def test_a_newer_card_into_the_merged_one() -> None:
    """The next version of the model, without calibration; what other people wrote is where it was."""
    newer = model_card(version="1.1.0", calibration=None)
    merged = merge_card((GOLDEN / "merged.md").read_text(encoding="utf-8"), newer)
    against_golden("merged_again.md", merged)


def unfolded(card: str) -> str:
    """What a page shows of a card before anything is unfolded, without the metadata."""
    _, text = split_card(card)
    return re.sub(r"</summary>.*?</details>", "</summary></details>", text, flags=re.DOTALL)


class TestWhatAPageShows:
    """First what it is, how to load it, one row or answer, and limits; the rest is folded."""

    def test_data_set(self, data_set: Path) -> None:
        card = (data_set / "README.md").read_text(encoding="utf-8")
        shown = unfolded(card)
        assert re.findall(r"^#+ (.*)", shown, re.MULTILINE)[1:] == ["Load it", "One row", "Limits"]
        assert SECTION.findall(card)[:4] == ["about", "load", "row", "limits"]
        assert len(shown.split()) < len(split_card(card)[1].split()) / 2
        assert "|" not in shown

    def test_ids(self, data_set: Path, tmp_path: Path) -> None:
        write_ids(data_set, tmp_path / "ids")
        shown = unfolded((tmp_path / "ids" / "README.md").read_text(encoding="utf-8"))
        assert re.findall(r"^#+ (.*)", shown, re.MULTILINE)[1:] == ["Rebuild and load it", "One row", "Limits"]

    def test_model(self) -> None:
        shown = unfolded(model_card())
        assert re.findall(r"^#+ (.*)", shown, re.MULTILINE) == ["emo-tiny", "Use it", "Limits", "Licence"]
        assert "0.715 (0.695 to 0.735), Pearson's r" in shown

    def test_what_is_unfolded_ends_where_its_section_ends(self, data_set: Path) -> None:
        """A section that is replaced takes its own fold with it, so folds never span two."""
        for card in (model_card(), (data_set / "README.md").read_text(encoding="utf-8")):
            for name in SECTION.findall(card):
                section = card.partition(f"<!-- emollms: {name} -->")[2].partition(f"<!-- /emollms: {name} -->")[0]
                folds = re.findall(r"<details>|</details>", section)
                assert folds == ["<details>", "</details>"] * (len(folds) // 2), name

    def test_the_row_is_explained(self, tmp_path: Path) -> None:
        explained = {
            "EI-reg": "`score` is that answer as a number, 0 to 1",
            "SST5": "`label` counts the classes from 0",
            "E-c": "`labels` has the labels of the answer",
        }
        for task, sentence in explained.items():
            build_repo(settings("aeb", "sample", tasks=(task,)), tmp_path / task, validate=False)
            card = (tmp_path / task / "README.md").read_text(encoding="utf-8")
            row = json.loads(re.search(r"## One row\n\n```json\n(.*?)```", card, re.DOTALL)[1])
            assert sentence in card
            (table,) = (tmp_path / task / "data" / task).glob("*.parquet")
            assert {name: row[name] for name in row} == {
                name: value
                for name, value in pq.read_table(table).to_pylist()[0].items()
                if name in SHOWN and value not in (None, [])
            }


class TestTheHubsOwnReading:
    def test_data_set(self, data_set: Path) -> None:
        card = DatasetCard.load(data_set / "README.md")
        assert card.data.license == "mit"
        assert card.data.language == ["en"]
        assert card.data.size_categories == ["n<1K"]
        assert card.data.task_ids == ["multi-class-classification", "sentiment-scoring", "multi-label-classification"]
        assert card.data.source_datasets == ["extended|other-sample"]
        infos = {info["config_name"]: info["splits"][0]["num_examples"] for info in card.data.dataset_info}
        assert [info["config_name"] for info in card.data.dataset_info if "features" in info] == ["default"]
        counts = {count.task: count.rows for count in read_manifest(data_set).counts}
        assert infos == {"default": sum(counts.values()), **counts}
        assert [config["config_name"] for config in card.data.configs if config.get("default")] == ["default"]

    def test_model(self) -> None:
        card = ModelCard(model_card(data_repo="me/aaid"))
        data = card.data
        assert (data.base_model, data.base_model_relation) == ("example/tiny-base", "finetune")
        assert (data.license, data.library_name, data.pipeline_tag) == ("apache-2.0", "transformers", "text-generation")
        assert data.datasets == ["me/aaid"]
        assert data.model_name == "emo-tiny"
        results = {(one.dataset_config, one.metric_config): one for one in data.eval_results}
        assert len(results) == 6
        first = results["EI-reg", "pearson"]
        assert (first.metric_value, first.metric_type) == (0.7151, "pearsonr")
        assert first.metric_name == "Pearson's r (95 % interval 0.695 to 0.735, 4,068 rows)"
        assert (first.dataset_name, first.dataset_type) == ("Affect Evaluation Benchmark (AEB) 1.0.0", "aeb")
        assert first.dataset_split == "test"

    def test_a_benchmark_on_the_hub_is_named_with_its_commit(self) -> None:
        scores = scores_json()
        scores["run"]["data"] |= {"repo": "me/aeb", "commit": "c0ffee" * 6 + "abcd"}
        result = ModelCard(model_card(scores=[Scores.model_validate(scores)])).data.eval_results[0]
        assert (result.dataset_type, result.dataset_revision) == ("me/aeb", "c0ffee" * 6 + "abcd")

    def test_space(self) -> None:
        card = SpaceCard(render_space_card("me/emo-tiny", "v1.0.0", "Emo: a demo", "apache-2.0"))
        assert (card.data.sdk, card.data.app_file, card.data.title) == ("gradio", "app.py", "Emo: a demo")
        assert card.data.models == ["me/emo-tiny"]


class TestModelCard:
    def test_no_folder_of_a_machine_is_told(self) -> None:
        card = model_card()
        assert "jane" not in card
        assert "emollms train emo-tiny --data aaid --out emo\n" in card
        assert "output_dir: runs\n" in card

    def test_terms_of_the_data_are_named(self) -> None:
        card = model_card()
        assert "| data | semeval2018_task1 | other | texts may not be redistributed and custom terms |" in card
        assert "| data | sample | mit |  |" in card
        assert "| base model | [example/tiny-base](https://huggingface.co/example/tiny-base) |" in card

    def test_how_it_stands_to_the_published_models(self) -> None:
        """EmoLLaMA-chat-13B has .831 in EI-reg; the interval of .53 in E-c ends at .55, below EmoT5's .559."""
        card = model_card()
        assert "| EI-reg | **0.715** (0.695 to 0.735) | 0.799 Leaderboard(1) |" in card
        assert "| 0.831 EmoLLaMA-chat-13B | below |" in card
        better = scores_json()
        better["tasks"]["E-c"]["metrics"]["jaccard_weighted"] |= {"value": 0.6, "low": 0.58, "high": 0.62}
        better["tasks"]["E-c"]["value"] = 0.6
        assert "| 0.559 EmoT5 | above |" in model_card(scores=[Scores.model_validate(better)])

    def test_a_sample_of_the_rows_is_called_one(self) -> None:
        scores = scores_json()
        scores["tasks"]["V-oc"]["sample"] = {"rows": 50, "of": 937, "seed": 0}
        assert "| 50 of 937 |" in model_card(scores=[Scores.model_validate(scores)])

    def test_several_evaluations_are_told_apart(self) -> None:
        scores = [made_up_scores(), made_up_scores(decode="greedy")]
        card = model_card(scores=scores)
        assert "Decoding: greedy." in card
        names = [result.metric_name for result in ModelCard(card).data.eval_results]
        assert any(name.endswith("rows, greedy, en)") for name in names)
        assert any(name.endswith("rows, expected_value, en)") for name in names)
        check_model_card(card, "README.md", scores)

    def test_without_scores_it_says_so(self) -> None:
        card = model_card(scores=[], calibration=None)
        assert "has not been evaluated" in card
        assert not {"scores", "published", "calibration"} & set(SECTION.findall(card))
        assert not {"model-index", "metrics"} & set(metadata_in(card, "README.md"))

    def test_an_adapter(self) -> None:
        run = {"method": "qlora", "model": {"trainable": 460_800}}
        card = model_card(run=run, relation="adapter")
        metadata = metadata_in(card, "README.md")
        assert (metadata["library_name"], metadata["base_model_relation"]) == ("peft", "adapter")
        assert "# emo-tiny\n\nAn adapter for example/tiny-base for affect in text" in card
        assert "461k of 135M parameters" in card

    def test_a_base_model_that_is_on_no_hub(self) -> None:
        run = {"model": {"name": "/home/jane/base", "repository": None, "revision": f"sha256:{HASH}"}}
        card = model_card(run=run)
        assert not {"base_model", "base_model_relation"} & set(metadata_in(card, "README.md"))
        assert "base, tuned for affect" in card
        assert "jane" not in card

    def test_data_from_the_hub_are_linked(self) -> None:
        card = model_card(run={"data": {"target": "you/aaid@v1.0.0"}})
        assert metadata_in(card, "README.md")["datasets"] == ["you/aaid"]
        assert "[Affective Analysis Instruction Data (AAID)](https://huggingface.co/datasets/you/aaid)" in card

    def test_a_teacher_is_named(self) -> None:
        rows = {"V-reg": {"train": 0, "validation": 4, "cut_off": 0, "shared": 0, "taught": 5}}
        card = model_card(run={"teacher": TEACHER, "rows": rows})
        assert (
            "| teacher | EmoLLaMA + VADER, weight 0.5, on 5 texts of `p.csv` (`ab12ab12ab12ab12`), asked V-reg" in card
        )
        assert "| V-reg | 0 | 5 | 4 | 0 | 0 |" in card
        assert "| teacher | EmoLLaMA + VADER | its own | its terms may apply to models tuned on its answers |" in card
        alone = model_card(run={"teacher": TEACHER, "rows": rows, "data": None}, scores=[])
        assert "(distilled from EmoLLaMA and VADER)" in alone
        assert "It was tuned on what its teacher said, and scored" in alone
        assert "jane" not in card + alone

    def test_terms_of_its_own(self) -> None:
        metadata = metadata_in(model_card(license="other"), "README.md")
        assert metadata["license_link"] == "https://huggingface.co/me/emo-tiny#licence"

    def test_what_is_no_repository(self) -> None:
        with pytest.raises(UsageError, match="'emo' is no repository; repositories are named OWNER/NAME"):
            model_card(repo="emo")

    def test_a_title_that_would_break_the_page_or_the_metadata(self) -> None:
        title = "Emo: “a | demo” # 1 {{ x }}"
        card = render_space_card("me/emo", "v1.0.0", title, "mit")
        assert check_card(card, "README.md", "space")["title"] == title
        assert "# Emo: “a \\| demo” # 1 {{ x }}\n" in card


def test_texts_that_may_not_be_passed_on_are_not_in_the_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from emollms.builders.sample import Sample

    monkeypatch.setattr(Sample, "meta", Sample.meta.model_copy(update={"redistribution": "ids"}))
    build_repo(settings("aaid", "sample", tasks=("V-reg", "E-c")), tmp_path / "out", validate=False)
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "The id of a row of V-reg, whose text may not be shown here" in card
    assert "| E-c, its id only | sample/E-c/" in card
    assert "> **Not for redistribution.**" in card
    texts = {row["text"] for row in pq.read_table(tmp_path / "out" / "data", columns=["text"]).to_pylist()}
    assert len(texts) > 10
    assert not [text for text in texts if text in card]


def test_examples_are_those_that_may_be_shown(tmp_path: Path) -> None:
    """Of a reason the first rows; before them such with a text that may be redistributed and names nobody."""
    texts = [
        ("semeval2018_task1", "1", "A tweet that may not be redistributed."),
        ("sample", "2", "@jane_doe look at this sunset!"),
        ("sample", "3", "What a sunset over the harbour tonight!"),
    ]
    rows = [{"corpus": corpus, "source_id": name, "text": text, "reason": "near"} for corpus, name, text in texts]
    path = tmp_path / "rejected.parquet"
    pq.write_table(pa.Table.from_pylist([*rows, {"corpus": "sample", "reason": "empty"}], REJECTED_SCHEMA), path)
    found = [(row["reason"], row["source_id"], row["text"]) for row in rejected_examples(path)]
    assert found == [("near", "3", texts[2][2]), ("near", "1", None), ("empty", None, None)]


def test_a_card_of_averaged_runs_names_them_all() -> None:
    train = ["emollms", "train", "emo-tiny", "--data", "out/aaid", "--out"]
    other = {"overrides": ["data_seed=2"], "best_step": 90, "energy_joules": None}
    others = [
        {"command": [*train, "out/second", "--set", "data_seed=2"], "seconds": 5400.0, "tokens": 2_000_000, **other},
        {
            "command": [*train, "/home/jane/runs/third"],
            "seconds": 3600.0,
            "tokens": 1_000_000,
            **other,
            "overrides": [],
        },
    ]
    run = {"averaged_with": others, "command": [*train, "out/first"], "seconds": 1800.0, "tokens": 500_000}
    card = model_card(run=run)
    assert "the weights are the mean of 3 runs" in card
    assert "`data_seed=2`; nothing changed" in card
    assert "3 h 00 min and 3.5M tokens in all" in card
    assert "emollms train emo-tiny --data out/aaid --out out/second --set data_seed=2" in card
    assert "emollms merge out/first out/second third --out MODEL" in card
    assert "mean of" not in model_card()


def test_a_card_must_have_everything() -> None:
    with pytest.raises(EmollmsError, match=r"README\.md: the metadata lacks language, library_name"):
        check_card("---\nlicense: mit\ntags: [a]\npipeline_tag: text-generation\n---\n# A\n", "README.md", "model")


def test_a_card_says_how_answers_were_read_where_that_is_unusual() -> None:
    scores = scores_json(parse="lenient")
    scores["tasks"]["V-A"] = scores["tasks"]["V-oc"] | {"scale": {"name": "native", "low": -4.0, "high": 4.0}}
    (table,) = score_tables([Scores.model_validate(scores)])
    assert "Answers are parsed leniently. Answers to V-A are parsed on the native range of the task." in table.how
    (table,) = score_tables([made_up_scores(parse="strict")])
    assert "read by" not in table.how
