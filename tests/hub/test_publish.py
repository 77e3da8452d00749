"""`emollms publish` against the Hub on the loopback: what it holds afterwards, and what its clients then see."""

import hashlib
import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from emollms.dataset.manifest import read_manifest
from emollms.errors import UsageError
from emollms.hub.publish import publish
from hub.client import TestHub
from hub.test_checks import sign


def tree(folder: Path) -> dict[str, str]:
    """Every file below a folder with its hash, but what the Hub itself puts there."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".gitattributes" and ".cache" not in path.parts
    }


def published(hub: TestHub, repo: str | None = None) -> dict[str, str]:
    """The files at the head of the repo."""
    files = hub.state(repo)["files"]
    return {path: file["sha256"] for path, file in files.items() if path != ".gitattributes"}


def push(hub: TestHub, folder: Path, *options: str, **how: object) -> str:
    """Publish; what was printed on standard error."""
    return hub.emollms("publish", "dataset", folder, "--repo", hub.repo, "--yes", *options, **how).err


def changes(hub: TestHub, start: int = 0) -> list[str]:
    """The requests that can change something, since request number `start`."""
    sent = [f"{r['method']} {r['path']}" for r in hub.log()[start:] if r["method"] not in ("GET", "HEAD")]
    return [request for request in sent if request != "POST /api/validate-yaml"]  # which stores nothing


def test_the_whole_way(hub: TestHub, aeb: Path) -> None:
    plan = hub.emollms("publish", "dataset", aeb, "--repo", hub.repo, "--version", "1.0.0")
    assert hub.state() is None
    assert f"add\tREADME.md\t{(aeb / 'README.md').stat().st_size}\n" in plan.out
    assert len(plan.out.splitlines()) == 1 + len(tree(aeb))
    assert "will be created, private" in plan.err
    assert plan.err.endswith("nothing was changed; add --yes to do it\n")
    push(hub, aeb)
    state = hub.state()
    assert state["private"] is True
    assert published(hub) == tree(aeb)
    assert [commit["title"] for commit in state["history"]] == ["aeb 1.0.0", "initial commit"]
    assert state["tags"] == {"v1.0.0": state["head"]}

    script = """
import json, sys
from datasets import get_dataset_config_names, load_dataset
from huggingface_hub import snapshot_download
repo = sys.argv[1]
rows = {split: table["id"][:] for split, table in load_dataset(repo, revision="v1.0.0").items()}
labels = load_dataset(repo, "TDT", split="test", revision="v1.0.0").features["label"].names
streamed = next(iter(load_dataset(repo, "V-reg", split="test", revision="v1.0.0", streaming=True)))
names = get_dataset_config_names(repo, revision="v1.0.0")
print(json.dumps([rows, labels, streamed, names, snapshot_download(repo, repo_type="dataset", revision="v1.0.0")]))
"""
    rows, labels, streamed, names, snapshot = hub.run(script, hub.repo).json()
    counts = read_manifest(aeb).counts
    tables = {count.task: pq.read_table(aeb / "data" / count.task) for count in counts}
    assert set(rows["test"]) == {name for table in tables.values() for name in table["id"].to_pylist()}
    assert labels == ["-1: negative", "0: neutral", "1: positive"]
    assert streamed == tables["V-reg"].to_pylist()[0]
    assert set(names) == {"default", *tables}
    assert tree(Path(snapshot)) == tree(aeb)


def test_the_command_line_client_sees_it(hub: TestHub, small: Path) -> None:
    push(hub, small)
    hub.command("hf", "download", hub.repo, "--type", "dataset", "--revision", "v1.0.0", "--local-dir", "down")
    assert tree(hub.folder / "down") == tree(small)


def test_the_same_again_does_nothing(hub: TestHub, small: Path) -> None:
    push(hub, small)
    before, sent = hub.state(), len(hub.log())
    said = push(hub, small)
    assert hub.state() == before
    assert changes(hub, sent) == []
    assert "was published already, unchanged: aeb v1.0.0" in said
    assert f"{hub.repo} is private, at commit {before['head']}" in said


def test_a_new_version_sends_what_changed(hub: TestHub, versions: dict[str, Path]) -> None:
    push(hub, versions["1.0.0"])
    sent = len(hub.log())
    plan = hub.emollms("publish", "dataset", versions["1.1.0"], "--repo", hub.repo).out
    assert "add\tdata/SST/test-00000.parquet" in plan
    assert "change\tREADME.md" in plan
    assert "V-reg" not in plan
    push(hub, versions["1.1.0"])
    state = hub.state()
    assert published(hub) == tree(versions["1.1.0"])
    assert len(state["history"]) == 3
    assert state["tags"] == {"v1.0.0": state["history"][1]["oid"], "v1.1.0": state["head"]}
    uploads = [r for r in hub.log()[sent:] if "/_lfs/" in r["path"] and r["method"] == "PUT"]
    assert len(uploads) == (0 if hub.xet else sum(p.endswith(".parquet") for p in plan.split()))
    push(hub, versions["1.0.0"])  # it is published already, and does not come back over the newer one
    assert hub.state() == state


def test_a_version_never_changes(hub: TestHub, small: Path) -> None:
    push(hub, small)
    before = hub.state()
    other = shutil.copytree(small, hub.folder / "other")
    statistics, manifest = other / "statistics.json", other / "manifest.json"
    old = hashlib.sha256(statistics.read_bytes()).hexdigest()
    size = statistics.stat().st_size
    statistics.write_bytes(statistics.read_bytes() + b"\n")
    new = hashlib.sha256(statistics.read_bytes()).hexdigest()
    text = manifest.read_text().replace(old, new).replace(f'"bytes": {size}\n', f'"bytes": {size + 1}\n')
    manifest.write_text(text)
    said = push(hub, other, code=1)
    assert f"error: {hub.repo} has v1.0.0 with other content (manifest.json, statistics.json)" in said
    assert hub.state() == before


def test_files_of_others_stay_unless_told(hub: TestHub, small: Path) -> None:
    push(hub, small)
    hub.push({"notes/mine.md": "x"})
    plan = hub.emollms("publish", "dataset", small, "--repo", hub.repo)
    assert plan.out == "what\tfile\tbytes\n"
    hub.run("import sys; from huggingface_hub import HfApi\n"
            "HfApi().delete_tag(sys.argv[1], tag='v1.0.0', repo_type='dataset')", hub.repo)  # fmt: skip
    plan = hub.emollms("publish", "dataset", small, "--repo", hub.repo)
    assert "leave\tnotes/mine.md\t\n" in plan.out
    push(hub, small)
    state = hub.state()
    assert "notes/mine.md" in state["files"]
    assert state["tags"] == {"v1.0.0": state["head"]}


def test_what_other_people_wrote_into_the_card_stays(hub: TestHub, versions: dict[str, Path]) -> None:
    """Through a new version; the manifest lists no README, and stays as it was built."""
    push(hub, versions["1.0.0"])
    theirs = "\n## From our users\n\nIt made my day.\n"
    card = (versions["1.0.0"] / "README.md").read_text()
    hub.push({"README.md": card + theirs})
    assert "was published already, unchanged" in push(hub, versions["1.0.0"])
    push(hub, versions["1.1.0"])
    hub.command("hf", "download", hub.repo, "--type", "dataset", "--revision", "v1.1.0", "--local-dir", "down")
    merged = (hub.folder / "down" / "README.md").read_text()
    assert merged.count("It made my day.") == 1
    assert merged != card + theirs
    differing = {path for path, sha in tree(hub.folder / "down").items() if tree(versions["1.1.0"]).get(path) != sha}
    assert differing == {"README.md"}
    listed = {file.path for file in read_manifest(hub.folder / "down").files}
    assert listed == set(tree(hub.folder / "down")) - {"README.md", "manifest.json"}
    assert "is the same as version 1.1.0 here" in hub.emollms("status", hub.repo, "--data", versions["1.1.0"]).err
    before = hub.state()
    assert "was published already, unchanged" in push(hub, versions["1.1.0"])
    assert hub.state() == before


def test_files_that_would_be_loaded_go_or_stop_it(hub: TestHub, versions: dict[str, Path]) -> None:
    push(hub, versions["1.0.0"])
    hub.push({"data/V-reg/test-00001.parquet": "x", "repo.py": "y", "notes.md": "z"})
    before = hub.state()
    said = push(hub, versions["1.1.0"], code=1)
    assert "would be loaded together with these (data/V-reg/test-00001.parquet, repo.py)" in said
    assert hub.state() == before
    said = push(hub, versions["1.1.0"], "--delete")
    assert "deleted 3" in said
    assert published(hub) == tree(versions["1.1.0"])


def test_the_head_must_be_the_expected_one(hub: TestHub, versions: dict[str, Path]) -> None:
    push(hub, versions["1.0.0"])
    before = hub.state()
    said = push(hub, versions["1.1.0"], "--expect-head", before["history"][1]["oid"], code=1)
    assert f"error: {hub.repo} is {before['head']}, not at {before['history'][1]['oid']}; nothing was changed" in said
    assert hub.state() == before
    push(hub, versions["1.1.0"], "--expect-head", before["head"][:10])
    assert published(hub) == tree(versions["1.1.0"])


def test_public_and_gated_are_steps_of_their_own(hub: TestHub, small: Path) -> None:
    push(hub, small, "--gated", "manual")
    assert (hub.state()["private"], hub.state()["gated"]) == (True, "manual")
    said = push(hub, small, "--gated", "auto", "--public")
    assert said.index("access has to be asked for: auto") < said.index("\nmade public")
    assert (hub.state()["private"], hub.state()["gated"]) == (False, "auto")
    sent = len(hub.log())
    push(hub, small, "--gated", "auto", "--public")
    assert changes(hub, sent) == []


def test_nothing_goes_public_by_mistake(hub: TestHub, small: Path) -> None:
    hub.run(
        "import sys; from huggingface_hub import HfApi; HfApi().create_repo(sys.argv[1], repo_type='dataset')", hub.repo
    )
    said = push(hub, small, code=1)
    assert "is public and nothing was published to it yet; make it private, or give --public" in said
    assert published(hub) == {}
    push(hub, small, "--public")
    assert published(hub) == tree(small)


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("hf_readonly", "the Hub answered 403 (Forbidden: pass a token with write access); the token must have write"),
        ("hf_someone", "the Hub answered 403 (You don't have the rights to create a repo under the namespace me)"),
        ("", "not logged in; log in with `hf auth login`, or set HF_TOKEN"),
        ("hf_bad", "the Hub answered 401 (Invalid credentials in Authorization header); log in with `hf auth login`"),
    ],
)
def test_tokens_that_may_not(token: str, said: str, hub: TestHub, small: Path) -> None:
    error = push(hub, small, token=token, code=1).splitlines()[-1]
    assert error.startswith(f"error: {hub.repo}: {said}")
    assert hub.state() is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--repo", "aeb"), "'aeb' is no repo; its name looks like OWNER/NAME"),
        (("--repo", "me/a b"), "'me/a b' is no repo: "),
        ((), "--repo is missing"),
        (("--repo", "me/aeb", "--out", "x"), "--out goes with --ids-only"),
        (("--repo", "me/aeb", "--version", "2.0.0"), "is version 1.0.0, not 2.0.0"),
    ],
)
def test_wrong_calls(arguments: tuple[str, ...], said: str, hub: TestHub, small: Path) -> None:
    done = hub.emollms("publish", "dataset", small, *arguments, code=2)
    assert done.err.startswith("error: ")
    assert said in done.err
    assert len(done.err.splitlines()) == 1
    assert hub.log() == []


def test_metadata_that_the_hub_refuses(hub: TestHub, small: Path) -> None:
    """The Hub is asked about the card before anything is sent."""
    other = shutil.copytree(small, hub.folder / "other")
    readme = (other / "README.md").read_text()
    (other / "README.md").write_text(readme.replace("\nlicense: mit\n", "\nlicense: wtfpl\n"))
    sign(other)
    error = push(hub, other, code=1).splitlines()[-1]
    assert error == "error: the Hub knows no licence 'wtfpl'"
    assert hub.state() is None


def test_many_files_are_one_commit(hub: TestHub) -> None:
    """More files than the client asks about at a time, some by LFS, some not."""
    script = """
import json, sys
from pathlib import Path
from emollms.hub.plan import PushOptions, make_plan
from emollms.hub.push import push
from emollms.hub.release import Release, local_files
from emollms.hub.repo import Remote
folder = Path("many")
folder.mkdir()
for number in range(300):
    (folder / f"{number}.{'bin' if number % 50 == 0 else 'txt'}").write_text(str(number))
files = local_files(folder, [path.name for path in folder.iterdir()])
release = Release("model", "many", "1.0.0", files, load=lambda folder, cache: None)
remote = Remote(sys.argv[1], "model")
print(json.dumps(push(make_plan(release, remote, PushOptions()), remote, PushOptions()).steps))
"""
    before = hub.settings(page_size=100)
    hub.run(script, hub.repo)
    hub.settings(**before)
    state = hub.state(kind="models")
    assert len(state["history"]) == 2
    assert len(state["files"]) == 301
    assert sum(file["lfs"] for file in state["files"].values()) == 6


def test_status(hub: TestHub, versions: dict[str, Path]) -> None:
    first, second = versions.values()
    said = hub.emollms("status", hub.repo, "--data", first, code=1).err
    assert said == f"error: there is no dataset {hub.repo} on the Hub that this account may see\n"
    push(hub, first)
    said = hub.emollms("status", hub.repo, "--data", first)
    assert said.err.startswith(f"{hub.repo} at v1.0.0 (commit {hub.state()['head']}) is the same as version 1.0.0 here")
    hub.push({"notes.md": "z"})
    hub.emollms("status", hub.repo, "--data", first)
    said = hub.emollms("status", hub.repo, "--data", second, code=1)
    assert "only here\tdata/SST/test-00000.parquet\n" in said.out
    assert "leave\tnotes.md\n" in said.out
    assert "v1.1.0 is not published" in said.err


def test_status_of_a_portal_is_one_line(hub: TestHub, small: Path) -> None:
    hub.fault(f"GET /api/datasets/{hub.repo}$", status=200, headers={"Content-Type": "text/html"}, body="<html>")
    said = hub.emollms("status", hub.repo, "--data", small, code=1).err
    assert said.startswith(
        "error: the answer is not the Hub's: a sign-in page or a proxy of this network may have answered"
    )
    assert said.count("\n") == 1


def test_plans_come_as_data(hub: TestHub, small: Path) -> None:
    """What the command prints is there for other programs, too."""
    script = """
import json, sys
from pathlib import Path
from emollms.hub.dataset import dataset_release
from emollms.hub.plan import PushOptions, make_plan
from emollms.hub.push import push
from emollms.hub.repo import Remote
release, remote, options = dataset_release(Path(sys.argv[1])), Remote(sys.argv[2]), PushOptions()
plan = make_plan(release, remote, options)
done = push(plan, remote, options)
again = make_plan(release, remote, options)
print(json.dumps([plan.state, plan.add, done.commit, done.steps, again.published, again.commits]))
"""
    state, add, commit, steps, published_before, commits = hub.run(script, small, hub.repo).json()
    assert state is None
    assert set(add) == set(tree(small))
    assert commit == hub.state()["head"]
    assert [step.split()[0] for step in steps] == ["loaded", "created", "committed", "verified", "loaded", "tagged"]
    assert (published_before, commits) == (True, False)
    assert json.loads((small / "manifest.json").read_text())["version"] == "1.0.0"


def api(hub: TestHub, call: str) -> None:
    """Somebody calls the Hub by hand."""
    hub.run(f"import sys; from huggingface_hub import HfApi; HfApi().{call}", hub.repo)


def test_an_older_version_does_not_come_back_unless_told(hub: TestHub, versions: dict[str, Path]) -> None:
    push(hub, versions["1.1.0"])
    before = hub.state()
    for yes in ((), ("--yes",)):
        said = hub.emollms("publish", "dataset", versions["1.0.0"], "--repo", hub.repo, *yes, "--delete", code=1).err
        assert said.startswith(
            f"error: {hub.repo} holds version 1.1.0, and 1.0.0 is older: `main` would go back to it; "
        )
        assert said.count("\n") == 1
    assert hub.state() == before
    push(hub, versions["1.0.0"], "--delete", "--allow-older")
    assert published(hub) == tree(versions["1.0.0"])
    assert set(hub.state()["tags"]) == {"v1.0.0", "v1.1.0"}


def test_a_newer_version_that_was_never_tagged_counts_as_well(hub: TestHub, versions: dict[str, Path]) -> None:
    push(hub, versions["1.1.0"])
    api(hub, "delete_tag(sys.argv[1], tag='v1.1.0', repo_type='dataset')")
    said = push(hub, versions["1.0.0"], "--delete", code=1)
    assert f"error: {hub.repo} holds version 1.1.0, and 1.0.0 is older" in said
    push(hub, versions["1.1.0"])
    assert hub.state()["tags"] == {"v1.1.0": hub.state()["head"]}


def test_a_branch_of_the_name_of_the_tag_is_refused_in_the_plan(hub: TestHub, small: Path) -> None:
    api(hub, "create_repo(sys.argv[1], repo_type='dataset', private=True)")
    api(hub, "create_branch(sys.argv[1], branch='v1.0.0', repo_type='dataset')")
    before = hub.state()
    said = hub.emollms("publish", "dataset", small, "--repo", hub.repo, code=1).err
    assert said == (
        f"error: {hub.repo} has a branch named v1.0.0, which would be loaded in place of the tag; delete or rename the "
        f"branch on the Hub, or choose another version\n"
    )
    assert "has a branch named v1.0.0" in push(hub, small, code=1)
    assert hub.state() == before


def test_status_and_publish_judge_foreign_files_by_one_rule(hub: TestHub, small: Path) -> None:
    """What publish leaves, status leaves; what publish refuses, status calls a difference."""
    push(hub, small)
    hub.push({"notes/mine.md": "x"})
    api(hub, "delete_tag(sys.argv[1], tag='v1.0.0', repo_type='dataset')")
    push(hub, small)
    done = hub.emollms("status", hub.repo, "--data", small)
    assert done.out == "what\tfile\nleave\tnotes/mine.md\n"
    assert "is the same as version 1.0.0 here" in done.err
    hub.push({"data/V-reg/test-00001.parquet": "x"})
    api(hub, "delete_tag(sys.argv[1], tag='v1.0.0', repo_type='dataset')")
    assert "would be loaded together with these (data/V-reg/test-00001.parquet)" in push(hub, small, code=1)
    done = hub.emollms("status", hub.repo, "--data", small, code=1)
    assert "only there\tdata/V-reg/test-00001.parquet\n" in done.out
    api(hub, "create_tag(sys.argv[1], tag='v1.0.0', repo_type='dataset')")
    assert "has v1.0.0 with other content (data/V-reg/test-00001.parquet)" in push(hub, small, code=1)
    assert hub.emollms("status", hub.repo, "--data", small, code=1).out == done.out


def test_what_is_sent_was_loaded_here_and_the_tag_comes_last(hub: TestHub, small: Path) -> None:
    said = push(hub, small)
    steps = [
        "loaded it here",
        "created ",
        "committed 8 files",
        "verified the hashes",
        "back from an empty cache",
        "tagged",
    ]
    assert sorted(steps, key=said.index) == steps
    paths = [r["path"] for r in hub.log()]
    tag = next(n for n, path in enumerate(paths) if "/tag/" in path)
    assert all("/resolve/" not in path and "/_lfs/" not in path for path in paths[tag:])
    assert sum("/resolve/" in path for path in paths[:tag]) >= len(tree(small))


def test_the_function_is_the_command(hub: TestHub, small: Path) -> None:
    """It plans, and pushes where that is wanted; the plan says in a line what goes where."""
    script = """
import sys
from emollms.hub.publish import publish
for options in ({}, {"yes": True}, {"yes": True}):
    print(publish("dataset", sys.argv[1], sys.argv[2], **options))
"""
    planned, pushed, again = hub.run(script, small, hub.repo).out.splitlines()
    count, head = len(tree(small)), hub.state()["head"]
    assert planned.startswith(f"Plan(dataset aeb 1.0.0 -> {hub.repo} (to be created, private), tag v1.0.0; files: add ")
    assert f"add {count}, change 0, delete 0, leave 0; " in planned
    assert planned.endswith("; nothing sent)")
    assert pushed.endswith(f"; published, commit {head})")
    assert again.endswith(f"; was published already, commit {head})")


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (
            "dataset",
            {"scores": ["a"], "license": "mit"},
            "--scores, --license: only for a model, and this is a dataset",
        ),
        ("model", {"ids_only": True}, "--ids-only: only for a dataset, and this is a model"),
        ("space", {"gated": "auto"}, "a Space cannot be gated"),
        ("dataset", {"gated": "open"}, "--gated 'open' is unknown; choose one of auto, manual"),
        ("corpus", {}, "kind 'corpus' is unknown; choose one of dataset, model, space"),
        ("model", {"converter": "a"}, "--converter goes with --gguf"),
        ("model", {"folder": "nothing"}, "there is no folder nothing"),
        ("dataset", {"repo": ""}, "--repo is missing"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_read(
    kind: str, options: dict[str, object], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        publish(kind, **{"folder": tmp_path, "repo": "me/aeb", **options})
