"""`emollms publish model` against the Hub on the loopback: what it holds, and what its clients then see."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
import torch
from inference.tiny_classifiers import heads_of, save_heads
from safetensors.torch import load_file, save_file

from emollms.hub.model import ModelOptions, local_model, model_releases
from emollms.training.tiny import make_tiny, tiny_classifier
from hub.client import TestHub
from hub.made_up_model import TEACHER
from hub.test_publish import changes, tree
from hub.tiny_release import LOGITS, adapter_run, change, merged, record


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A merged model in several shards."""
    return merged(tmp_path_factory.mktemp("merged") / "model")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with other weights."""
    return merged(tmp_path_factory.mktemp("other") / "model", seed=8)


def push(hub: TestHub, folder: Path, *options: object, license: str = "apache-2.0", **how: object) -> str:
    """Publish; what was printed on standard error."""
    more = ("--license", license) if license else ()
    return hub.emollms(
        "publish", "model", folder, "--repo", hub.repo, "--yes", *more, *options, models=True, **how
    ).err  # fmt: skip


def test_a_classifier_goes_out_with_what_its_outputs_answer(hub: TestHub, tmp_path: Path) -> None:
    folder = save_heads(tmp_path / "heads", "xlm-roberta")
    tuned, _ = tiny_classifier("xlm-roberta", heads_of())
    about = {"architecture": "encoder", "family": "xlm-roberta"}
    record(tuned, template="text", objective="heads", model=about).write(folder)
    push(hub, folder)
    assert files_of(hub) == released(folder)
    script = """
import sys
from transformers import pipeline
ask = pipeline("text-classification", model=sys.argv[1], top_k=None)
print(*sorted(one["label"] for one in ask(["meh"])[0]), sep=";")
"""
    assert hub.run(script, hub.repo, models=True).out == ";".join(sorted(heads_of().outputs)) + "\n"
    refused = hub.emollms("publish", "model", folder, "--repo", hub.repo, "--gguf", "f32", models=True, code=2).err
    assert "is a classifier, for which GGUF has no form" in refused


def state(hub: TestHub) -> dict[str, object] | None:
    return hub.state(kind="models")


def files_of(hub: TestHub) -> dict[str, str]:
    """The files at the head, but for the card."""
    there = state(hub)["files"]
    return {path: file["sha256"] for path, file in there.items() if path not in (".gitattributes", "README.md")}


def released(folder: Path) -> dict[str, str]:
    """The files of a model as they go out: the record without the folders of this machine."""
    return {path: file.sha256 for path, file in local_model(folder).files.items()}


@pytest.mark.parametrize("options", [(), ("--yes",)])
def test_a_licence_that_the_hub_does_not_know(options: tuple[str, ...], hub: TestHub, model: Path) -> None:
    """It is asked for before weights are hashed, and nothing is changed."""
    arguments = ("publish", "model", model, "--repo", hub.repo, "--license", "mitt", *options)
    assert hub.emollms(*arguments, models=True, code=2).err.splitlines() == [
        "error: the Hub knows no licence 'mitt' (did you mean mit?); the Hub's list of licences is at "
        "https://huggingface.co/docs/hub/repositories-licenses"
    ]
    assert hub.state(kind="models") is None


def test_the_whole_way(hub: TestHub, model: Path) -> None:
    plan = hub.emollms("publish", "model", model, "--repo", hub.repo, "--license", "apache-2.0")
    assert state(hub) is None
    assert "add\tmodel-00001-of-" in plan.out
    assert f"{hub.repo} does not exist: it will be created, private" in plan.err
    assert plan.err.endswith("nothing was changed; add --yes to do it\n")
    said = push(hub, model)
    assert " back from an empty cache\ntagged v1.0.0\n" in said
    assert f"try it: emollms evaluate --model {hub.repo}@v1.0.0" in said
    now = state(hub)
    assert now["private"] is True
    assert files_of(hub) == released(model)
    assert sum(path.endswith(".safetensors") for path in now["files"]) > 2
    assert [commit["title"] for commit in now["history"]] == ["emo-tiny 1.0.0", "initial commit"]
    assert now["tags"] == {"v1.0.0": now["head"]}
    here = hub.run(LOGITS, model, models=True).json()
    assert hub.run(LOGITS, hub.repo, "v1.0.0", models=True).json() == here
    hub.command("hf", "download", hub.repo, "--revision", "v1.0.0", "--local-dir", "down")
    assert {path: sha for path, sha in tree(hub.folder / "down").items() if path != "README.md"} == released(model)


def test_the_same_again_does_nothing(hub: TestHub, model: Path) -> None:
    push(hub, model)
    before, sent = state(hub), len(hub.log())
    said = push(hub, model)
    assert state(hub) == before
    assert changes(hub, sent) == []
    assert "was published already, unchanged: emo-tiny v1.0.0" in said


def test_scores_are_those_of_the_model_here(hub: TestHub, model: Path, aeb: Path) -> None:
    """And go into its card, where only scores of these weights are taken."""

    def scores(name: str, target: object) -> dict[str, object]:
        options = ("--task", "V-oc,E-c,SST", "--limit", "3")
        hub.emollms("evaluate", "--model", target, "--data", aeb, "--out", name, *options, models=True)
        return json.loads((hub.folder / name / "scores.json").read_text())

    here = scores("here", model)
    push(hub, model, "--scores", "here")
    there = scores("there", f"{hub.repo}@v1.0.0")
    assert there["tasks"] == here["tasks"]
    assert set(there["tasks"]) == {"V-oc", "E-c", "SST"}
    head = state(hub)["head"]
    push(hub, model, "--scores", "there")
    assert state(hub)["tags"]["v1.0.0"] == head
    spoilt = json.loads((hub.folder / "here" / "scores.json").read_text())
    spoilt["run"]["settings"]["source"]["weights"] = "sha256:0"
    (hub.folder / "here" / "scores.json").write_text(json.dumps(spoilt))
    said = push(hub, model, "--scores", "here", code=2)
    assert f"error: here holds scores of other weights than those in {model}; evaluate these" in said
    spoilt["run"]["settings"]["source"] = {"ensemble": [{"weights": "sha256:0"}, {"baseline": "vader"}]}
    (hub.folder / "here" / "scores.json").write_text(json.dumps(spoilt))
    said = push(hub, model, "--scores", "here", code=2)
    assert "error: here holds scores of an ensemble" in said


def test_versions(hub: TestHub, model: Path, other: Path) -> None:
    """A card alone raises the last number, weights the one before; what is published keeps its version."""
    push(hub, model)
    assert "published emo-tiny v1.0.1" in push(hub, model, "--data-repo", "me/aaid")
    assert "published emo-tiny v1.1.0" in push(hub, other)
    before = state(hub)
    assert set(before["tags"]) == {"v1.0.0", "v1.0.1", "v1.1.0"}
    assert "was published already, unchanged: emo-tiny v1.0.0" in push(hub, model)
    assert "was published already, unchanged: emo-tiny v1.0.1" in push(hub, model, "--data-repo", "me/aaid")
    said = push(hub, model, "--version", "1.1.0", code=1)
    assert f"error: {hub.repo} has v1.1.0 with other content (model-00001-of-0000" in said
    assert state(hub) == before
    assert "published emo-tiny v2.0.0" in push(hub, model, "--version", "2.0.0")


def test_shards_of_another_model_do_not_stay(hub: TestHub, model: Path, tmp_path: Path) -> None:
    push(hub, model)
    whole = merged(tmp_path / "whole", shard="1GB")
    before = state(hub)
    said = push(hub, whole, code=1)
    assert "would be loaded together with these (model-00001-of-0000" in said
    assert state(hub) == before
    push(hub, whole, "--delete")
    assert files_of(hub) == released(whole)


def test_what_other_people_wrote_stays(hub: TestHub, model: Path, other: Path) -> None:
    push(hub, model)
    theirs = "\n## From our users\n\nIt made my day.\n"
    card = hub.run(
        "import sys; from huggingface_hub import hf_hub_download\n"
        "print(open(hf_hub_download(sys.argv[1], 'README.md')).read(), end='')", hub.repo
    ).out  # fmt: skip
    hub.push({"README.md": card + theirs}, kind="models")
    push(hub, other)
    now = state(hub)
    assert set(now["tags"]) == {"v1.0.0", "v1.1.0"}
    merged_card = hub.run(
        "import sys; from huggingface_hub import hf_hub_download\n"
        "print(open(hf_hub_download(sys.argv[1], 'README.md', revision='v1.1.0')).read(), end='')", hub.repo
    ).out  # fmt: skip
    assert merged_card.count("It made my day.") == 1
    assert "v1.1.0" in merged_card
    assert "was published already, unchanged: emo-tiny v1.1.0" in push(hub, other)
    assert hub.emollms("status", hub.repo, "--model", other).code == 0


def test_a_license_follows_from_the_parts_or_is_asked_for(hub: TestHub, tmp_path: Path) -> None:
    base = f"{hub.repo}-base"
    hub.run("import sys; from huggingface_hub import HfApi; HfApi().create_repo(sys.argv[1], private=True)", base)
    tuned = merged(tmp_path / "tuned", model={"repository": base})
    said = push(hub, tuned, license="", code=2)
    assert f"give the model's licence with --license ID; it cannot be derived, because the licence of {base} is" in said
    hub.push({"README.md": "---\nlicense: apache-2.0\n---\n"}, kind="models", repo=base)
    push(hub, tuned, license="")
    card = "import sys; from huggingface_hub import HfApi; print(HfApi().model_info(sys.argv[1]).card_data.license)"
    assert hub.run(card, hub.repo).out == "apache-2.0\n"
    record = json.loads((tuned / "run.json").read_text())
    change(tuned / "run.json", teacher=TEACHER)
    said = push(hub, tuned, license="", code=2)
    assert "because what may be learnt from EmoLLaMA + VADER is unknown: base model" in said
    record["data"]["sources"].append({"corpus": "emobank", "license": "cc-by-sa-4.0", "redistribution": "text"})
    change(tuned / "run.json", **record)
    said = push(hub, tuned, license="", code=2)
    assert f"because of the data emobank (cc-by-sa-4.0): base model {base} (apache-2.0); data sample (mit)" in said


def test_an_adapter_finds_its_base(hub: TestHub, tmp_path: Path, aeb: Path) -> None:
    base, repo = make_tiny("llama", tmp_path / "base"), f"{hub.repo}-base"
    upload = "import sys; from huggingface_hub import HfApi; api = HfApi(); api.create_repo(sys.argv[1])\n"
    hub.run(upload + "api.upload_folder(repo_id=sys.argv[1], folder_path=sys.argv[2])", repo, base)
    run = adapter_run(tmp_path / "run", base, repo)
    said = push(hub, run)
    assert " back from an empty cache\ntagged v1.0.0\n" in said
    here = hub.run(LOGITS, run / "model", models=True).json()
    tagged = LOGITS.replace("model = ", "adapter, revision = {'revision': revision}, None\nmodel = ", 1)
    tagged = tagged.replace("revision=revision).eval()", "adapter_kwargs=adapter).eval()")
    assert hub.run(tagged, hub.repo, "v1.0.0", models=True).json() == here
    assert hub.run(LOGITS, base, models=True).json() != here
    target = f"{hub.repo}@v1.0.0"
    options = ("--data", aeb, "--out", "scores", "--task", "SST", "--limit", "2")
    hub.emollms("evaluate", "--model", target, *options, models=True)
    assert (hub.folder / "scores" / "scores.json").is_file()


def test_status(hub: TestHub, model: Path, other: Path) -> None:
    said = hub.emollms("status", hub.repo, "--model", model, code=1).err
    assert said == f"error: there is no model {hub.repo} on the Hub that this account may see\n"
    push(hub, model)
    said = hub.emollms("status", hub.repo, "--model", model).err
    assert said == f"{hub.repo} at v1.0.0 (commit {state(hub)['head']}) is the same as the model in {model}\n"
    done = hub.emollms("status", hub.repo, "--model", other, code=1)
    assert "differs\tmodel-00001-of-" in done.out
    assert "differs from the model in" in done.err
    assert "give one of --data, --model and --space" in hub.emollms("status", hub.repo, code=2).err


def test_a_pickle_stops_it_before_anything_is_sent(hub: TestHub, model: Path, tmp_path: Path) -> None:
    spoilt = shutil.copytree(model, tmp_path / "spoilt")
    (spoilt / "pytorch_model.bin").write_bytes(b"1")
    said = push(hub, spoilt, code=1)
    assert "holds a pickle, which runs code when it is loaded: pytorch_model.bin; save the weights as safeten" in said
    assert hub.log() == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "--repo is missing"),
        (("--repo", "model"), "'model' is no repo; its name looks like OWNER/NAME"),
        (("--repo", "me/model", "--converter", "x.py"), "--converter goes with --gguf"),
        (("--repo", "me/model", "--scores", "nowhere"), "there is no folder nowhere"),
        (("--repo", "me/model", "--scores", "/"), "/ holds no scores.json; make it with `emollms evaluate"),
        (("--repo", "me/model", "--version", "one"), "'one' is no version; versions look like 1.0.0"),
    ],
)
def test_wrong_calls(options: tuple[str, ...], said: str, hub: TestHub, model: Path) -> None:
    done = hub.emollms("publish", "model", model, "--license", "mit", *options, code=2, models=True)
    assert said in done.err
    assert len(done.err.splitlines()) == 1
    assert hub.log() == []


class TestFaults:
    def new_state(self, hub: TestHub, folder: Path) -> None:
        """The repo holds the version, whole, once, tagged."""
        now = state(hub)
        assert files_of(hub) == released(folder)
        assert [commit["title"] for commit in now["history"]] == ["emo-tiny 1.0.0", "initial commit"]
        assert now["tags"] == {"v1.0.0": now["head"]}

    @pytest.mark.slow  # tests/hub/test_faults.py kills with a data set
    def test_a_kill_at_any_request_and_a_second_run(self, hub: TestHub, model: Path) -> None:
        from hub.test_faults import KILLED

        first, number, code = hub.repo, 0, -9
        while code == -9:
            hub.repo = f"{first}-{number}"
            arguments = (number, "publish", "model", model, "--repo", hub.repo, "--yes", "--license", "apache-2.0")
            code = hub.run(KILLED, *arguments, code=None, models=True).code
            now = state(hub)
            assert now is None or files_of(hub) in ({}, released(model))
            assert now is None or now["private"]
            assert now is None or now["tags"] in ({}, {"v1.0.0": now["head"]})
            if code == -9:
                push(hub, model)
            self.new_state(hub, model)
            number += 1
        shards = sum(path.endswith(".safetensors") for path in released(model))
        assert number - 1 == 7 + (
            0 if hub.xet else 1 + 2 * shards
        )  # licence, card; create, two preuploads, commit, tag; LFS

    def test_uploads_that_break_are_made_again(self, hub: TestHub, model: Path) -> None:
        upload = "POST /v1/xorbs/" if hub.xet else "PUT /_lfs/"
        hub.fault(upload, status=503)
        hub.fault(upload, drop_request=1000)
        hub.fault(f"POST /api/models/{hub.repo}/commit", status=429, headers={"Retry-After": "3"})
        hub.fault(f"POST /api/models/{hub.repo}/commit", drop_answer=-1)
        hub.fault("GET /_lfs/", drop_answer=2000)
        push(hub, model)
        self.new_state(hub, model)

    def test_a_shard_that_cannot_be_sent_leaves_nothing(self, hub: TestHub, model: Path) -> None:
        """One shard is there already; the others are refused."""
        skip = {} if hub.xet else {"skip": 1}
        hub.fault("POST /v1/xorbs/" if hub.xet else "PUT /_lfs/", status=403, times=-1, **skip)
        error = push(hub, model, code=1).splitlines()[-1]
        assert "(the repo is private and holds nothing of this version (commit " in error
        assert published_nothing(hub)

    def test_somebody_else_is_faster(self, hub: TestHub, model: Path, other: Path) -> None:
        push(hub, model)
        before = state(hub)
        hub.fault("POST .*/commit/", push={"repo": f"models/{hub.repo}", "files": {"notes.md": "theirs"}})
        error = push(hub, other, code=1).splitlines()[-1]
        now = state(hub)
        assert f"error: someone else has committed since {before['head']}; run the command again" in error
        assert now["tags"] == before["tags"]
        assert set(now["files"]) - set(before["files"]) == {"notes.md"}
        error = push(hub, other, "--expect-head", before["head"], code=1)
        assert f"error: {hub.repo} is {now['head']}, not at {before['head']}; nothing was changed" in error
        push(hub, other)
        assert files_of(hub) == {**released(other), "notes.md": now["files"]["notes.md"]["sha256"]}


def test_a_model_of_no_numbers_never_leaves(hub: TestHub, model: Path, tmp_path: Path) -> None:
    """It is tried before anything is sent: a version cannot be taken back."""
    spoilt = shutil.copytree(model, tmp_path / "spoilt")
    shard = sorted(spoilt.glob("model-*.safetensors"))[0]
    save_file({name: torch.full_like(one, float("nan")) for name, one in load_file(shard).items()}, shard)
    said = push(hub, spoilt, code=1)
    assert "error: " in said
    assert said.endswith("(nothing was changed)\n")
    assert state(hub) is None
    assert changes(hub) == []
    push(hub, model)
    before = state(hub)
    assert push(hub, spoilt, code=1).endswith("(nothing was changed)\n")
    assert state(hub) == before


def test_a_model_that_does_not_load_back_is_not_tagged(hub: TestHub, model: Path) -> None:
    script = """
from emollms.cli import main
from transformers import AutoModelForCausalLM
load = AutoModelForCausalLM.from_pretrained
def broken(folder, *args, **options):
    model, report = load(folder, *args, **options)
    if "snapshots" in str(folder):
        model.lm_head.weight.data[:] = float("nan")
    return model, report
AutoModelForCausalLM.from_pretrained = broken
main()
"""
    arguments = ("publish", "model", model, "--repo", hub.repo, "--yes", "--license", "mit")
    error = hub.run(script, *arguments, code=1, models=True).err.splitlines()[-1]
    now = state(hub)
    assert error.startswith("error: the model gives no numbers (NaN or infinite ")
    assert error.endswith(f"(commit {now['head']} holds this version, and is not tagged: run the command again)")
    assert now["tags"] == {}
    push(hub, model, license="mit")
    assert state(hub)["tags"] == {"v1.0.0": now["head"]}


@pytest.mark.parametrize(
    "changed",
    [
        {"values": {"hub_token": "abc"}},
        {"values": {"hub_token": "hf" + "_AbCdEfGhIjKlMnOpQrStUvWxYz01234567"}},
        {"overrides": ["hub_token=abc"]},
    ],
)
def test_a_record_with_a_token_never_leaves(
    changed: dict[str, object], hub: TestHub, model: Path, tmp_path: Path
) -> None:
    spoilt = shutil.copytree(model, tmp_path / "spoilt")
    record = json.loads((spoilt / "run.json").read_text())
    for name, value in changed.items():
        record["recipe"][name] = record["recipe"][name] | value if isinstance(value, dict) else value
    change(spoilt / "run.json", **record)
    said = push(hub, spoilt, code=1)
    assert "there are secrets, such as tokens or keys, in run.json (1); take them out" in said
    assert changes(hub) == []


def test_numbers_of_a_record_are_no_telephone_numbers(model: Path, tmp_path: Path) -> None:
    counted = shutil.copytree(model, tmp_path / "counted")
    change(counted / "run.json", tokens=2025550142, answer_tokens=2025550143)
    notes = model_releases(counted, "me/model", ModelOptions(license="mit"))("1.0.0").notes
    assert not [note for note in notes if "phone" in note]


def test_an_older_version_does_not_come_back_unless_told(hub: TestHub, model: Path, other: Path) -> None:
    push(hub, other, "--version", "2.0.0")
    before = state(hub)
    said = push(hub, model, "--version", "1.0.0", code=1)
    assert f"error: {hub.repo} holds version 2.0.0, and 1.0.0 is older" in said
    assert state(hub) == before
    push(hub, model, "--version", "1.0.0", "--allow-older")
    assert set(state(hub)["tags"]) == {"v1.0.0", "v2.0.0"}


def published_nothing(hub: TestHub) -> bool:
    return published_paths(hub) == set() and state(hub)["tags"] == {}


def published_paths(hub: TestHub) -> set[str]:
    return set(state(hub)["files"]) - {".gitattributes"}


def test_large_files_do_not_go_through_memory(hub: TestHub) -> None:
    """96 MiB in parts of 1, of which no more than a third is ever in memory; hf_xet buffers by a rule of its own."""
    script = """
import os, resource, sys
from pathlib import Path
from emollms.hub.release import local_files
from emollms.hub.repo import Remote
folder = Path("large")
folder.mkdir()
for name in ("a", "b"):
    with (folder / f"{name}.safetensors").open("wb") as file:
        for _ in range(48):
            file.write(os.urandom(1 << 20))
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
remote = Remote(sys.argv[1], "model")
remote.create()
before = peak()
additions = remote.upload(list(local_files(folder, [path.name for path in folder.iterdir()]).values()))
print(peak() - before)
remote.commit(additions, [], remote.state().head, "large")
"""
    before = hub.settings(part_size=1 << 20)
    grown = int(hub.run(script, hub.repo).out)
    hub.settings(**before)
    assert files_of(hub) == tree(hub.folder / "large")
    assert hub.xet or grown < 32


ANNOTATED = """
import json, sys
import emollms
with emollms.Annotator.from_pretrained(sys.argv[1], task="valence", fresh=True) as annotator:
    found = annotator("I cannot stop smiling")["valence"]
print(json.dumps([found.value, found.confidence, found.low, found.high]))
"""


def test_the_calibration_of_the_folder_goes_with_the_model(
    hub: TestHub, model: Path, other: Path, sample_aaid: Path, tmp_path: Path
) -> None:
    """And is found in the repo; that of other weights is refused before anything is sent."""
    folder = shutil.copytree(model, tmp_path / "calibrated")
    few = ("--task", "V-reg", "--limit", "20")
    said = hub.emollms("calibrate", "--model", folder, "--data", sample_aaid, *few, models=True).err
    assert f"wrote {folder / 'calibration.json'}; use it: emollms annotate finds it with the model" in said
    push(hub, folder)
    assert files_of(hub) == released(folder) | {"calibration.json": sha256(folder / "calibration.json")}
    here = hub.run(ANNOTATED, folder, models=True).json()
    assert here[1:] != [None, None, None]
    assert hub.run(ANNOTATED, hub.repo, models=True).json() == here
    wrong = shutil.copytree(other, tmp_path / "wrong")
    shutil.copy(folder / "calibration.json", wrong)
    head = state(hub)["head"]
    assert "was fitted for other weights than those in" in push(hub, wrong, code=2)
    assert state(hub)["head"] == head


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
