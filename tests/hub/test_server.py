"""The Hub on the loopback does what the real client expects of a Hub: every test with uploads by LFS and by Xet."""

import hashlib
import json
import random

import pytest

from hub.client import TestHub

CREATE = """
import json, sys
from pathlib import Path
from huggingface_hub import HfApi, CommitOperationAdd, CommitOperationDelete, hf_hub_download, snapshot_download
from huggingface_hub.errors import *
api, repo = HfApi(), sys.argv[1]
def status(call, *args, **options):
    try:
        call(*args, **options)
    except HfHubHTTPError as error:
        return [type(error).__name__, error.response.status_code]
api.create_repo(repo, repo_type="dataset", private=True, exist_ok=True)
"""


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_folder_goes_up_and_comes_down(hub: TestHub) -> None:
    data = hub.folder / "data"
    (data / "sub").mkdir(parents=True)
    noise = random.Random(0)
    contents = {
        "README.md": b"# Hello\n",
        "sub/plain.json": b"{}",
        "sub/noise.bin": noise.randbytes(3_000_000),
        "sub/words.parquet": b"the same words again and again, " * 40_000,
        "numbers.npy": b"".join(number.to_bytes(4, "little") for number in range(50_000)),
    }
    for path, content in contents.items():
        (data / path).write_bytes(content)
    script = f"""{CREATE}
api.upload_folder(repo_id=repo, repo_type="dataset", folder_path="data")
folder = snapshot_download(repo, repo_type="dataset", cache_dir="cache")
api.create_tag(repo, tag="v1", repo_type="dataset")
one = hf_hub_download(repo, "sub/noise.bin", repo_type="dataset", revision="v1", cache_dir="other")
print(json.dumps([folder, one, api.verify_repo_checksums(repo, repo_type="dataset", cache_dir="cache").checked_count]))
"""
    folder, one, checked = hub.run(script, hub.repo).json()
    assert checked == len(contents) + 1
    state = hub.state()
    assert {path: file["sha256"] for path, file in state["files"].items() if path != ".gitattributes"} == {
        path: sha256(content) for path, content in contents.items()
    }
    lfs = {path for path, file in state["files"].items() if file["lfs"]}
    assert lfs == {"sub/noise.bin", "sub/words.parquet", "numbers.npy"}
    for path, content in contents.items():
        assert (hub.folder / folder / path).read_bytes() == content
    assert (hub.folder / one).read_bytes() == contents["sub/noise.bin"]
    paths = {request["path"] for request in hub.log()}
    assert any("xet-write-token" in path for path in paths) == hub.xet
    assert any("info/lfs" in path for path in paths) != hub.xet


def test_the_same_folder_again_sends_nothing(hub: TestHub) -> None:
    (hub.folder / "data").mkdir()
    (hub.folder / "data" / "a.parquet").write_bytes(random.Random(1).randbytes(200_000))
    script = f'{CREATE}\napi.upload_folder(repo_id=repo, repo_type="dataset", folder_path="data")'
    hub.run(script, hub.repo)
    sent = len(hub.log())
    hub.run(script, hub.repo)
    assert not [request for request in hub.log()[sent:] if request["bytes"] > 10_000]
    assert len(hub.state()["history"]) == 2


def test_large_files_go_in_parts(hub: TestHub) -> None:
    content = random.Random(2).randbytes(1_000_001)
    (hub.folder / "a.bin").write_bytes(content)
    before = hub.settings(part_size=300_000)
    script = (
        CREATE + 'api.upload_file(path_or_fileobj="a.bin", path_in_repo="a.bin", repo_id=repo, repo_type="dataset")'
    )
    hub.run(script, hub.repo)
    hub.settings(**before)
    assert hub.state()["files"]["a.bin"]["sha256"] == sha256(content)
    assert len([request for request in hub.log() if request["method"] == "PUT"]) == (0 if hub.xet else 4)


def test_commits_know_their_parent(hub: TestHub) -> None:
    script = f"""{CREATE}
head = api.repo_info(repo, repo_type="dataset").sha
def commit(parent, **files):
    operations = [CommitOperationAdd(name, text.encode()) for name, text in files.items()]
    return api.create_commit(repo, operations, commit_message="c", repo_type="dataset", parent_commit=parent)
first = commit(head, a="1", b="2").oid
stale = status(commit, head, a="3")
api.create_commit(repo, [CommitOperationDelete("b")], commit_message="d", repo_type="dataset", parent_commit=first)
gone = status(api.create_commit, repo, [CommitOperationDelete("b")], commit_message="e", repo_type="dataset")
listed = [commit.commit_id for commit in api.list_repo_commits(repo, repo_type="dataset")]
print(json.dumps([first, stale, gone, listed]))
"""
    first, stale, gone, listed = hub.run(script, hub.repo).json()
    assert stale == ["HfHubHTTPError", 412]
    assert gone == ["RemoteEntryNotFoundError", 404]
    history = hub.state()["history"]
    assert listed == [commit["oid"] for commit in history]
    assert history[1]["oid"] == first
    assert [set(commit["files"]) - {".gitattributes"} for commit in history] == [{"a"}, {"a", "b"}, set()]


def test_tags_branches_and_settings(hub: TestHub) -> None:
    script = f"""{CREATE}
kind = {{"repo_type": "dataset"}}
again = status(api.create_repo, repo, **kind)
api.create_repo(repo, exist_ok=True, **kind)
api.create_tag(repo, tag="v1", **kind)
twice = status(api.create_tag, repo, tag="v1", **kind)
api.create_tag(repo, tag="v1", exist_ok=True, **kind)
api.create_branch(repo, branch="other", **kind)
refs = api.list_repo_refs(repo, **kind)
names = [[ref.name for ref in found] for found in (refs.branches, refs.tags)]
api.delete_tag(repo, tag="v1", **kind)
unknown = status(api.repo_info, repo, revision="v1", **kind)
api.update_repo_settings(repo, gated="manual", private=False, **kind)
info = api.repo_info(repo, **kind)
api.delete_repo(repo, **kind)
print(json.dumps([again, twice, names, unknown, [info.gated, info.private], status(api.repo_info, repo, **kind)]))
"""
    again, twice, names, unknown, settings, gone = hub.run(script, hub.repo).json()
    assert again == twice == ["HfHubHTTPError", 409]
    assert names == [["main", "other"], ["v1"]]
    assert unknown == ["RevisionNotFoundError", 404]
    assert settings == ["manual", False]
    assert gone == ["RepositoryNotFoundError", 404]
    assert hub.state() is None


def test_who_may_do_what(hub: TestHub) -> None:
    script = f"""{CREATE}
def look(token):
    other = HfApi(token=token)
    files = [CommitOperationAdd("a", b"1")]
    return [
        status(other.repo_info, repo, repo_type="dataset"),
        status(other.create_commit, repo, files, commit_message="c", repo_type="dataset"),
        status(other.create_repo, repo + "2"),
        status(other.whoami) if token else None,
    ]
print(json.dumps([look(token) for token in ("hf_write", "hf_readonly", "hf_someone", "hf_bad", False)]))
"""
    write, read, someone, bad, nobody = hub.run(script, hub.repo).json()
    hidden = ["RepositoryNotFoundError", 404]
    assert write == [None, None, None, None]
    assert read == [None, ["HfHubHTTPError", 403], ["HfHubHTTPError", 403], None]
    assert someone == [hidden, hidden, ["HfHubHTTPError", 403], None]
    assert bad == [["HfHubHTTPError", 401]] * 4
    assert nobody[0] == ["RepositoryNotFoundError", 401]


def test_gated_files_are_for_those_who_asked(hub: TestHub) -> None:
    script = f"""{CREATE}
api.upload_file(path_or_fileobj=b"1", path_in_repo="a", repo_id=repo, repo_type="dataset")
api.update_repo_settings(repo, gated="auto", private=False, repo_type="dataset")
get = lambda token: status(hf_hub_download, repo, "a", repo_type="dataset", cache_dir="cache", token=token)
print(json.dumps([get("hf_someone"), get("hf_write")]))
"""
    assert hub.run(script, hub.repo).json() == [["GatedRepoError", 403], None]


def test_listings_come_in_pages(hub: TestHub) -> None:
    script = f"""{CREATE}
files = [CommitOperationAdd(f"d{{n % 3}}/f{{n}}", b"%d" % n) for n in range(25)]
api.create_commit(repo, files, commit_message="c", repo_type="dataset")
paths = [entry.path for entry in api.list_repo_tree(repo, repo_type="dataset", recursive=True)]
top = [entry.path for entry in api.list_repo_tree(repo, repo_type="dataset")]
one = [entry.path for entry in api.list_repo_tree(repo, "d1", repo_type="dataset")]
some = [entry.path for entry in api.get_paths_info(repo, ["d1/f1", "d2", "nothing"], repo_type="dataset")]
print(json.dumps([paths, top, one, some]))
"""
    before = hub.settings(page_size=10)
    paths, top, one, some = hub.run(script, hub.repo).json()
    hub.settings(**before)
    assert sorted(paths) == sorted([".gitattributes", "d0", "d1", "d2", *(f"d{n % 3}/f{n}" for n in range(25))])
    assert top == [".gitattributes", "d0", "d1", "d2"]
    assert sorted(one) == sorted(f"d1/f{n}" for n in range(25) if n % 3 == 1)
    assert some == ["d1/f1", "d2"]


def test_invalid_cards_are_refused(hub: TestHub) -> None:
    script = f"""{CREATE}
def push(readme):
    try:
        api.upload_file(path_or_fileobj=readme.encode(), path_in_repo="README.md", repo_id=repo, repo_type="dataset")
    except ValueError as error:
        return str(error)
print(json.dumps([push("---\\nlicense: mine\\n---\\n"), push("---\\nlicense: mit\\n---\\n")]))
"""
    refused, accepted = hub.run(script, hub.repo).json()
    assert '"license" must be one of' in refused
    assert accepted is None
    assert "README.md" in hub.state()["files"]


def test_data_sets_load(hub: TestHub) -> None:
    script = f"""{CREATE}
from datasets import Dataset, load_dataset
Dataset.from_dict({{"text": ["one", "two"]}}).push_to_hub(repo, private=True)
loaded, streamed = (load_dataset(repo, split="train", streaming=streaming) for streaming in (False, True))
print(json.dumps([loaded["text"][:], [row["text"] for row in streamed]]))
"""
    loaded, streamed = hub.run(script, hub.repo).json()
    assert loaded == streamed == ["one", "two"]


def test_the_command_line_client(hub: TestHub) -> None:
    (hub.folder / "a.parquet").write_bytes(b"some bytes")
    assert "me" in hub.command("hf", "auth", "whoami").out
    hub.command("hf", "repos", "create", hub.repo, "--type", "dataset", "--private")
    hub.command("hf", "upload", hub.repo, "a.parquet", "data/a.parquet", "--type", "dataset")
    hub.command("hf", "download", hub.repo, "--type", "dataset", "--local-dir", "down")
    assert (hub.folder / "down" / "data" / "a.parquet").read_bytes() == b"some bytes"
    assert hub.state()["private"] is True
    hub.command("hf", "auth", "whoami", token="hf_bad", code=1)


class TestFaults:
    def test_status(self, hub: TestHub) -> None:
        hub.run(CREATE, hub.repo)
        hub.fault(f"GET /api/datasets/{hub.repo}$", status=503, times=2, skip=1)
        script = CREATE + 'print(json.dumps([status(api.repo_info, repo, repo_type="dataset") for _ in range(4)]))'
        assert hub.run(script, hub.repo).json() == [None, ["HfHubHTTPError", 503], ["HfHubHTTPError", 503], None]

    def test_retry_after_reaches_the_client(self, hub: TestHub) -> None:
        hub.fault("preupload", status=429, headers={"Retry-After": "7"})
        upload = (
            'api.upload_file(path_or_fileobj=b"1", path_in_repo="a", repo_id=repo, repo_type="dataset")\nprint(waits)'
        )
        assert hub.run(CREATE + upload, hub.repo).out.strip() == "[8.0]"

    def test_an_answer_is_lost_after_the_commit(self, hub: TestHub) -> None:
        hub.fault(f"POST /api/datasets/{hub.repo}/commit", drop_answer=-1)
        script = f"""{CREATE}
import httpx2
try:
    api.create_commit(repo, [CommitOperationAdd("a", b"1")], commit_message="c", repo_type="dataset")
except httpx2.TransportError as error:
    print("lost")
"""
        assert hub.run(script, hub.repo).out == "lost\n"
        assert "a" in hub.state()["files"]

    def test_a_dropped_request_is_not_handled(self, hub: TestHub) -> None:
        hub.fault(f"POST /api/datasets/{hub.repo}/commit", drop_request=20)
        upload = 'api.create_commit(repo, [CommitOperationAdd("a", b"1")], commit_message="c", repo_type="dataset")'
        assert "RemoteProtocolError" in hub.run(CREATE + upload, hub.repo, code=1).err
        assert len(hub.state()["history"]) == 1

    def test_a_broken_download_is_repaired(self, hub: TestHub) -> None:
        content = random.Random(3).randbytes(100_000)
        (hub.folder / "a.bin").write_bytes(content)
        hub.fault("GET /_lfs/", drop_answer=60_000)
        script = f"""{CREATE}
api.upload_file(path_or_fileobj="a.bin", path_in_repo="a.bin", repo_id=repo, repo_type="dataset")
print(json.dumps(hf_hub_download(repo, "a.bin", repo_type="dataset", cache_dir="cache")))
"""
        found = hub.run(script, hub.repo).json()
        assert (hub.folder / found).read_bytes() == content
        assert (
            len([request for request in hub.log() if request["method"] == "GET" and "/_lfs/" in request["path"]]) == 2
        )

    def test_somebody_else_is_faster(self, hub: TestHub) -> None:
        hub.run(CREATE, hub.repo)
        hub.fault("POST .*/commit", push={"repo": f"datasets/{hub.repo}", "files": {"theirs": "x"}})
        script = f"""{CREATE}
head = api.repo_info(repo, repo_type="dataset").sha
add = [CommitOperationAdd("a", b"1")]
print(json.dumps(status(api.create_commit, repo, add, commit_message="c", repo_type="dataset", parent_commit=head)))
"""
        assert hub.run(script, hub.repo).json() == ["HfHubHTTPError", 412]
        assert set(hub.state()["files"]) == {".gitattributes", "theirs"}

    def test_a_fault_that_did_not_happen_is_told(self, hub: TestHub) -> None:
        hub.fault("GET /nowhere")
        with pytest.raises(AssertionError, match="did not happen"):
            hub.close()


def test_no_account_of_the_user_gets_in(hub: TestHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_real")
    monkeypatch.setenv("HF_HUB_CACHE", "/nowhere")
    script = "import json, os; print(json.dumps({k: v for k, v in os.environ.items() if k.startswith('HF_')}))"
    found = hub.run(script).json()
    assert found["HF_TOKEN"] == "hf_write"
    assert "HF_HUB_CACHE" not in found
    assert json.dumps(found).count("127.0.0.1") == 1
