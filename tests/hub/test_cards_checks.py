"""Cards that must not go out."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from huggingface_hub import DatasetCard, DatasetCardData, ModelCard, ModelCardData

from emollms.errors import EmollmsError
from emollms.hub.card_checks import check_card, check_model_card, explain_refusal, metadata_in
from emollms.hub.card_merge import merge_card, split_card
from emollms.hub.dataset import dataset_release
from emollms.hub.model_card import render_model_card
from emollms.hub.space import render_space_card
from hub.client import TestHub
from hub.made_up_model import CARD, made_up_run, made_up_scores
from hub.test_checks import copy as copy  # a fixture
from hub.test_checks import sign
from hub.test_publish import push

Metadata = dict[str, object]


def edited(card: str, edit: Callable[[Metadata], object]) -> str:
    """A card with other metadata."""
    lines, text = split_card(card)
    metadata = yaml.safe_load(lines)
    edit(metadata)
    return f"---\n{yaml.safe_dump(metadata, sort_keys=False)}---\n{text}"


def put(**values: object) -> Callable[[Metadata], object]:
    return lambda metadata: metadata.update(values)


DATA_SETS = {
    "a size that is not the data's": (
        put(size_categories=["1M<n<10M"]), r"size_categories: \['1M<n<10M'\], the data has n<1K",
    ),
    "two configs by default": (
        lambda m: m["configs"][1].update(default=True), r"configs: 2 are marked `default: true` \(default, V-reg\)",
    ),
    "no config by default": (lambda m: m["configs"][0].pop("default"), "configs: 0 are marked `default: true`"),
    "a config that dataset_info does not know": (
        lambda m: m["configs"].append({"config_name": "SST", "data_files": []}), "configs and dataset_info differ: SST",
    ),
    "rows that are not there": (
        lambda m: m["dataset_info"][1]["splits"][0].update(num_examples=7),
        r"dataset_info of V-reg says \{'test': 7\}, the data has \{'test': \d+\}",
    ),
    "no dataset_info": (lambda m: m.pop("dataset_info"), "the metadata lacks dataset_info"),
    "dataset_info of another form": (put(dataset_info={"splits": None}), "configs and dataset_info differ"),
}  # fmt: skip


@pytest.mark.parametrize(("edit", "message"), DATA_SETS.values(), ids=DATA_SETS)
def test_data_sets(edit: Callable[[Metadata], object], message: str, copy: Path) -> None:
    readme = copy / "README.md"
    readme.write_text(edited(readme.read_text(), edit))
    sign(copy)
    with pytest.raises(EmollmsError, match=message) as caught:
        dataset_release(copy)
    assert "\n" not in str(caught.value)
    assert str(readme) in str(caught.value)


def test_every_reason_is_told_at_once() -> None:
    card = edited(model_card(), put(license="", language=[])) + "[More Information Needed]"
    with pytest.raises(EmollmsError, match=r"README.md: says .*; the metadata lacks license, language"):
        check_card(card, "README.md", "model")


def model_card() -> str:
    return render_model_card(made_up_run(), [made_up_scores()], **CARD)


def metric(metadata: Metadata) -> dict[str, object]:
    return metadata["model-index"][0]["results"][0]["metrics"][0]


MODELS = {
    "a better score": (
        lambda m: metric(m).update(value=0.7252), "model-index says 0.7252 for pearson of EI-reg, measured: 0.7151",
    ),
    "a score in percent": (lambda m: metric(m).update(value=71.51), "model-index says 71.51 for pearson of EI-reg"),
    "a score as text": (lambda m: metric(m).update(value="0.7151 ± 0.02"), "model-index says 0.7151 ± 0.02"),
    "a score of a task that was not measured": (
        lambda m: m["model-index"][0]["results"][0]["dataset"].update(config="SST"),
        "for pearson of SST, measured: none",
    ),
    "a task too few": (lambda m: m["model-index"][0]["results"].pop(), "model-index lacks scores of E-c"),
    "no scores at all": (lambda m: m.pop("model-index"), "model-index lacks scores of EI-reg, V-oc, E-c"),
    "a model-index of another form": (
        put(**{"model-index": [{"name": "emo"}]}), "Invalid `model_index` .*: .*KeyError.*; make the card again",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("edit", "message"), MODELS.values(), ids=MODELS)
def test_models(edit: Callable[[Metadata], object], message: str) -> None:
    with pytest.raises(EmollmsError, match=message):
        check_model_card(edited(model_card(), edit), "README.md", [made_up_scores()])


def test_a_score_with_four_decimals_is_the_measured_one() -> None:
    """.715123456 stands as .7151; half a unit of the last place further is another score."""
    check_model_card(model_card(), "README.md", [made_up_scores()])
    with pytest.raises(EmollmsError, match=r"says 0\.7152"):
        check_model_card(
            edited(model_card(), lambda m: metric(m).update(value=0.7152)), "README.md", [made_up_scores()]
        )


def test_spaces() -> None:
    card = render_space_card("me/emo", "v1.0.0", "Emo", "mit")
    with pytest.raises(EmollmsError, match="the metadata lacks app_file"):
        check_card(edited(card, put(app_file="")), "README.md", "space")


class TestGaps:
    """The Hub's own templates, which nobody filled in."""

    def test_a_model(self) -> None:
        data = ModelCardData(license="mit", language="en", library_name="transformers", pipeline_tag="text-generation")
        card = str(ModelCard.from_template(data, model_id="emo"))
        with pytest.raises(
            EmollmsError, match=r"README.md: says 'More Information Needed' in line \d+; fill the gap; "
        ) as e:
            check_card(card, "README.md", "model")
        line = int(re.search(r"in line (\d+)", str(e.value))[1])
        assert "[More Information Needed]" in card.split("\n")[line - 1]
        assert "says '[optional]' in line" in str(e.value)
        assert "says '<!-- Provide a quick summary -->' in line" in str(e.value)

    def test_a_data_set(self) -> None:
        card = str(DatasetCard.from_template(DatasetCardData(license="mit")))
        with pytest.raises(EmollmsError, match=r"says 'Card for Dataset Name' in line") as caught:
            check_card(card, "README.md", "dataset")
        assert "says 'More Information Needed' in line" in str(caught.value)

    def test_what_is_left_of_one_in_a_page_that_ours_goes_into(self) -> None:
        merged = merge_card("# Emo\n\n## Training data\n\n[More Information Needed]\n", model_card())
        with pytest.raises(EmollmsError, match="says 'More Information Needed' in line"):
            check_model_card(merged, "README.md", [made_up_scores()])

    def test_one_that_is_on_the_hub(self, hub: TestHub, small: Path) -> None:
        """What other people wrote stays, so its gaps would go out with ours: nothing is changed."""
        script = """
import sys
from huggingface_hub import HfApi
api, repo = HfApi(), {"repo_id": sys.argv[1], "repo_type": "dataset"}
api.create_repo(**repo, private=True, exist_ok=True)
api.upload_file(path_or_fileobj=sys.argv[2].encode(), path_in_repo="README.md", **repo)
"""
        hub.run(script, hub.repo, "# Theirs\n\n## Uses\n\n[More Information Needed]\n")
        before = hub.state()
        done = hub.emollms("publish", "dataset", small, "--repo", hub.repo, "--yes", code=1)
        assert f"README.md of {hub.repo} with ours in it: says 'More Information Needed' in line" in done.err
        assert hub.state() == before
        hub.run(script, hub.repo, "---\ncontact: me\n---\n# Theirs\n\n## Uses\n\nTeaching.\n")
        push(hub, small)
        assert hub.state()["tags"].keys() == {"v1.0.0"}
        page = hub.run(
            "import sys; from huggingface_hub import hf_hub_download as get; "
            "print(open(get(sys.argv[1], 'README.md', repo_type='dataset', revision='v1.0.0')).read())",
            hub.repo,
        ).out
        assert page.startswith("---\ncontact: me\npretty_name: Affect Evaluation Benchmark (AEB)\n")
        assert page.rstrip().endswith("<!-- /emollms: citation -->\n\n# Theirs\n\n## Uses\n\nTeaching.")


class TestTheHubsOwnValidation:
    """Identifiers are the Hub's to judge; it is asked before anything is sent, and before a repo is created."""

    @pytest.mark.parametrize("options", [(), ("--yes",)])
    def test_a_card_that_the_hub_refuses(self, options: tuple[str, ...], hub: TestHub, copy: Path) -> None:
        readme = copy / "README.md"
        readme.write_text(edited(readme.read_text(), put(license="mit2")))
        sign(copy)
        said = hub.emollms("publish", "dataset", copy, "--repo", hub.repo, *options, code=1).err.splitlines()
        assert said[-1] == "error: the Hub knows no licence 'mit2' (did you mean mit?)"
        assert hub.state() is None

    def test_a_card_is_asked_about_once_before_it_is_sent(self, hub: TestHub, small: Path) -> None:
        """And once more by the client, with the commit."""
        push(hub, small)
        assert sum("validate-yaml" in call["path"] for call in hub.log()) == 2


REFUSALS = {
    '- "license" must be one of [mit, apache-2.0]': "the Hub knows no licence 'mit2' (did you mean mit?)",
    '- "license" must be one of ["mit"]\n- "language" is empty': "the Hub knows no licence 'mit2' (did you mean mit?); "
    '"language" is empty',
    '- "task_ids[1]" must be one of [a-b]': "the Hub knows no task_ids 'other'",
    '- "sdk" must be one of [gradio]': '"sdk" must be one of [gradio]',
    "- The YAML is broken": "The YAML is broken",
}


@pytest.mark.parametrize(("message", "line"), REFUSALS.items(), ids=REFUSALS.values())
def test_what_the_hub_says_is_one_short_line(message: str, line: str) -> None:
    assert explain_refusal(message, {"license": ["mit", "mit2"], "task_ids": ["a-b", "other"]}) == line


@pytest.mark.parametrize("text", ["# Hello\n", "---\n---\n# Hello\n", "---\n- a\n---\n"])
def test_what_has_no_metadata(text: str) -> None:
    with pytest.raises(EmollmsError, match=r"README\.md has no metadata; put it between two lines of ---"):
        metadata_in(text, "README.md")
