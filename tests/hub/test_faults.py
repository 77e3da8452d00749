"""What a push survives; after each fault there is either the old state or the new one, and the command says which."""

import shutil
from pathlib import Path

import pytest

from hub.client import TestHub
from hub.test_publish import published, push, tree

BUSY = [
    (429, {"Retry-After": "3"}, 3.0),
    (503, {"Retry-After": "5"}, 5.0),
    (500, {}, 1.0),
    (504, {}, 1.0),
]
CALLS = {
    "look": "GET /api/datasets/{repo}$",
    "create": "POST /api/repos/create",
    "card": "POST /api/validate-yaml",
    "refs": "GET /api/datasets/{repo}/refs",
    "preupload": "POST /api/datasets/{repo}/preupload",
    "commit": "POST /api/datasets/{repo}/commit",
    "verify": "GET /api/datasets/{repo}/tree",
    "tag": "POST /api/datasets/{repo}/tag",
    "load back": "GET /_lfs/",
    "download": "HEAD /datasets/{repo}/resolve",
    "public": "PUT /api/datasets/{repo}/settings",
}
UPLOADS = {"lfs": ("POST .*/lfs/objects/batch", "PUT /_lfs/"), "xet": ("GET .*/xet-write-token", "POST /v1/xorbs/")}

# `emollms publish`, and the seconds that it would have waited.
WAITING = """
import sys
from emollms.cli import main
try:
    main()
finally:
    print(waits)
"""


def new_state(hub: TestHub, folder: Path, private: bool = True) -> None:
    """The repo holds the version, whole, once, tagged."""
    state = hub.state()
    assert published(hub) == tree(folder)
    assert [commit["title"] for commit in state["history"]] == ["aeb 1.0.0", "initial commit"]
    assert state["tags"] == {"v1.0.0": state["head"]}
    assert state["private"] is private


@pytest.mark.parametrize("call", CALLS)
def test_a_busy_hub_is_waited_for(call: str, hub: TestHub, small: Path) -> None:
    """Each call meets a 429, a 503, a 500, a 504, and then a dropped connection, one after the other."""
    match = CALLS[call].format(repo=hub.repo)
    for status, headers, _ in BUSY:
        hub.fault(match, status=status, headers=headers)
    hub.fault(match, drop_request=0)
    done = hub.run(WAITING, "publish", "dataset", small, "--repo", hub.repo, "--yes", "--public")
    new_state(hub, small, private=False)
    waits = eval(done.out.splitlines()[-1])
    asked = sum(seconds for *_, seconds in BUSY)
    # files are downloaded, and fail, several at a time
    assert waits if call in ("download", "load back") else sum(waits) >= asked


@pytest.mark.parametrize("call", ["look", "create", "card", "preupload", "commit", "tag", "public", "upload"])
def test_a_conflict_is_waited_for(call: str, hub: TestHub, small: Path) -> None:
    """What may be another job of the Hub's: 409, and 412 though nobody has committed."""
    match = CALLS[call].format(repo=hub.repo) if call in CALLS else UPLOADS["xet" if hub.xet else "lfs"][0]
    hub.fault(match, status=409)
    hub.fault(match, status=412)
    hub.fault(match, status=409, headers={"Retry-After": "7"})
    done = hub.run(WAITING, "publish", "dataset", small, "--repo", hub.repo, "--yes", "--public")
    new_state(hub, small, private=False)
    assert (call == "upload" and hub.xet) or sum(eval(done.out.splitlines()[-1])) >= 1 + 2 + 7


def test_a_hub_that_is_busy_with_another_repo_is_asked_again_after_a_while(hub: TestHub, small: Path) -> None:
    """The client itself would ask again at once, as often as it takes."""
    body = '{"error": "Cannot create repo: another conflicting operation is in progress"}'
    hub.fault("POST /api/repos/create", status=409, body=body, times=3)
    done = hub.run(WAITING, "publish", "dataset", small, "--repo", hub.repo, "--yes")
    new_state(hub, small)
    assert eval(done.out.splitlines()[-1]) == [1, 2, 4]


@pytest.mark.parametrize("which", [0, 1])
def test_an_upload_is_tried_again(which: int, hub: TestHub, small: Path) -> None:
    match = UPLOADS["xet" if hub.xet else "lfs"][which]
    hub.fault(match, status=503)
    hub.fault(match, drop_request=10)
    push(hub, small)
    new_state(hub, small)


@pytest.mark.parametrize("which", [0, 1])
def test_an_upload_that_never_works_leaves_the_repo_as_it_was(which: int, hub: TestHub, small: Path) -> None:
    hub.fault(UPLOADS["xet" if hub.xet else "lfs"][which], status=403, times=-1)
    error = push(hub, small, code=1).splitlines()[-1]
    assert error.startswith("error: ")
    assert "(the repo is private and holds nothing of this version (commit " in error
    assert published(hub) == {}


def test_a_hub_that_stays_busy_is_given_up(hub: TestHub, small: Path) -> None:
    hub.fault("POST .*/commit/", status=503, times=-1)
    error = push(hub, small, code=1).splitlines()[-1]
    assert "the Hub answered 503 (Service Unavailable); tried 6 times (the repo is private and holds nothing" in error
    assert published(hub) == {}
    assert hub.state()["tags"] == {}


def test_a_hub_that_asks_for_an_hour_is_not_waited_for(hub: TestHub, small: Path) -> None:
    hub.fault("POST /api/repos/create", status=429, headers={"Retry-After": "3600"})
    error = push(hub, small, code=1)
    assert "the Hub is busy and asks to wait 3,600 seconds; run it again after that (nothing was changed)" in error
    assert hub.state() is None


@pytest.mark.parametrize("call", ["preupload", "commit", "verify", "download"])
def test_no_call_waits_for_an_hour(call: str, hub: TestHub, small: Path) -> None:
    """Neither do those that the client repeats by itself, and without a limit."""
    hub.fault(CALLS[call].format(repo=hub.repo), status=429, headers={"Retry-After": "3600"}, times=-1)
    done = hub.run(WAITING, "publish", "dataset", small, "--repo", hub.repo, "--yes", code=1)
    assert max([0, *eval(done.out.splitlines()[-1])]) < 60
    assert "asks to wait 3,600 seconds; run it again after that (" in done.err.splitlines()[-1]


PAGE = {"status": 200, "headers": {"Content-Type": "text/html"}, "body": "<html><body>Sign in to this network</body>"}
AFTER = {
    "look": "(nothing was changed)",
    "create": "(nothing was changed)",
    "refs": "(the repo is private and holds nothing of this version (commit ",
    "card": "(the repo is private and holds nothing of this version (commit ",
    "preupload": "(the repo is private and holds nothing of this version (commit ",
    "commit": "(the repo is private and holds nothing of this version (commit ",
    "verify": "(the repo is private and holds nothing of this version (commit ",
    "tag": " holds this version, and is not tagged: run the command again)",
    "load back": " holds this version, and is not tagged: run the command again)",
    "download": " holds this version, and is not tagged: run the command again)",
    "public": "(v1.0.0 is published, at commit {head}; it is private: run the command again)",
}


@pytest.mark.parametrize(
    ("call", "kind"),
    [*((call, "page") for call in AFTER), *((call, "nothing") for call in ("create", "commit")), ("commit", "JSON")],
)
def test_a_captive_portal_is_one_line_with_the_state_of_the_repo(
    call: str, kind: str, hub: TestHub, small: Path
) -> None:
    """A web page with status 200 in place of the Hub's answer, as networks have that want one to sign in."""
    page = PAGE if kind == "page" else {"status": 200, "body": "" if kind == "nothing" else '{"hello": []}'}
    hub.fault(CALLS[call].format(repo=hub.repo), **page)
    done = hub.emollms("publish", "dataset", small, "--repo", hub.repo, "--yes", "--public", code=1)
    error = done.err.splitlines()[-1]
    assert error.startswith("error: ")
    state = hub.state()
    assert call in ("look", "card") or AFTER[call].format(head=state and state["head"]) in error
    assert "Traceback" not in done.err
    push(hub, small, "--public")
    new_state(hub, small, private=False)


def test_a_portal_that_stays_is_told_as_well(hub: TestHub, small: Path) -> None:
    hub.fault(f"POST /api/datasets/{hub.repo}/commit", **PAGE, times=-1)
    hub.fault(f"GET /api/datasets/{hub.repo}$", skip=2, **PAGE, times=-1)
    error = push(hub, small, code=1).splitlines()[-1]
    assert "the answer is not the Hub's: a sign-in page or a proxy of this network may have answered" in error
    assert f"({hub.repo} cannot be read now; `emollms status` shows later what is in it)" in error


@pytest.mark.parametrize("call", ["create", "commit", "tag", "public"])
def test_a_lost_answer_does_no_harm(call: str, hub: TestHub, small: Path) -> None:
    """The Hub does what it is asked for, and the answer never comes; then the same with a gateway's 504."""
    hub.fault(CALLS[call].format(repo=hub.repo), drop_answer=-1)
    push(hub, small, "--public")
    new_state(hub, small, private=False)


def test_a_commit_that_somebody_else_beats_is_not_made(hub: TestHub, versions: dict[str, Path]) -> None:
    push(hub, versions["1.0.0"])
    before = hub.state()
    hub.fault("POST .*/commit/", push={"repo": f"datasets/{hub.repo}", "files": {"notes.md": "theirs"}})
    error = push(hub, versions["1.1.0"], code=1).splitlines()[-1]
    now = hub.state()
    assert f"error: someone else has committed since {before['head']}; run the command again" in error
    assert f"(the repo is at commit {now['head']} by someone else, and nothing of this version is in it)" in error
    assert now["tags"] == before["tags"]
    assert set(now["files"]) - set(before["files"]) == {"notes.md"}
    push(hub, versions["1.1.0"])
    assert {path: sha for path, sha in published(hub).items() if path != "notes.md"} == tree(versions["1.1.0"])


def test_somebody_else_commits_after_an_answer_was_lost(hub: TestHub, small: Path) -> None:
    """The commit is there, and one of somebody else on top that leaves its files alone."""
    hub.fault("POST .*/commit/", drop_answer=-1)
    hub.fault(f"GET /api/datasets/{hub.repo}$", skip=2, push={"repo": f"datasets/{hub.repo}", "files": {"n.md": "x"}})
    push(hub, small)
    state = hub.state()
    assert [commit["author"] for commit in state["history"]] == ["someone", "me", "me"]
    assert set(published(hub)) == {*tree(small), "n.md"}
    assert state["tags"] == {"v1.0.0": state["history"][1]["oid"]}


def test_somebody_else_takes_the_tag(hub: TestHub, small: Path) -> None:
    script = """
import sys
from huggingface_hub import HfApi
from emollms.cli import main
from emollms.hub.repo import Remote
tag = Remote.tag
def beaten(self, name, commit, message):
    first = self.api.list_repo_commits(self.repo, repo_type="dataset")[-1].commit_id
    HfApi().create_tag(self.repo, tag=name, revision=first, repo_type="dataset")
    tag(self, name, commit, message)
Remote.tag = beaten
main()
"""
    error = hub.run(script, "publish", "dataset", small, "--repo", hub.repo, "--yes", code=1).err.splitlines()[-1]
    state = hub.state()
    assert "error: someone else tagged other content as v1.0.0" in error
    first = state["history"][-1]["oid"]
    assert (
        f"(commit {state['head']} holds this version, and v1.0.0 is a tag of other content, at commit {first})" in error
    )
    assert "with other content" in push(hub, small, code=1)


def test_what_the_hub_stores_is_verified(hub: TestHub, small: Path) -> None:
    """A commit that holds something else is never tagged."""
    hub.fault(f"GET /api/datasets/{hub.repo}/tree/", skip=1, push={"repo": f"datasets/{hub.repo}", "files": {}})
    script = """
import sys
from emollms.cli import main
from emollms.hub.repo import Remote
commit = Remote.commit
def wrong(self, additions, deleted, parent, title):
    return commit(self, [one for one in additions if one.path_in_repo != "statistics.json"], deleted, parent, title)
Remote.commit = wrong
main()
"""
    error = hub.run(script, "publish", "dataset", small, "--repo", hub.repo, "--yes", code=1).err.splitlines()[-1]
    assert "has other content than this machine: statistics.json" in error
    assert hub.state()["tags"] == {}
    push(hub, small)
    assert set(hub.state()["tags"]) == {"v1.0.0"}
    assert published(hub) == tree(small)


def test_what_does_not_load_here_is_not_sent(hub: TestHub, small: Path) -> None:
    script = """
from emollms.cli import main
import datasets
datasets.load_dataset = lambda *args, **options: {"test": datasets.Dataset.from_dict({"a": [1]})}
main()
"""
    error = hub.run(script, "publish", "dataset", small, "--repo", hub.repo, "--yes", code=1).err.splitlines()[-1]
    assert "error: config default has rows {'test': 1}, not {'test': " in error
    assert error.endswith("(nothing was changed)")
    assert hub.state() is None


SECOND_TIME = """
import datasets
from emollms.cli import main
load, times = datasets.load_dataset, []
def loaded(folder, *args, **options):
    if "snapshots" in folder:
        {what}
    return load(folder, *args, **options)
datasets.load_dataset = loaded
main()
"""


def test_what_does_not_load_back_is_not_tagged(hub: TestHub, small: Path) -> None:
    """The commit is there, and a second run tags it when it loads."""
    script = SECOND_TIME.format(what="raise ValueError('torn')")
    error = hub.run(script, "publish", "dataset", small, "--repo", hub.repo, "--yes", code=1).err.splitlines()[-1]
    state = hub.state()
    assert error == (
        f"error: config default does not load: torn (commit {state['head']} holds this version, and is not tagged: run "
        f"the command again)"
    )
    assert (published(hub), state["tags"]) == (tree(small), {})
    push(hub, small)
    new_state(hub, small)


def test_a_full_disk_while_loading_back_says_which(hub: TestHub, small: Path) -> None:
    script = SECOND_TIME.format(what="raise OSError(28, 'No space left on device')")
    error = hub.run(script, "publish", "dataset", small, "--repo", hub.repo, "--yes", code=1).err.splitlines()[-1]
    assert error.startswith("error: the disk of /")
    assert " is full while loading it back; make room there, or point TMPDIR to another disk, and run the com" in error
    assert f"(commit {hub.state()['head']} holds this version, and is not tagged: run the command again)" in error
    script = """
import emollms.hub.repo
from emollms.cli import main
def full(*args, **options):
    raise OSError(28, "No space left on device")
emollms.hub.repo.snapshot_download = full
main()
"""
    error = hub.run(script, "publish", "dataset", small, "--repo", hub.repo, "--yes", code=1).err.splitlines()[-1]
    assert " is full while loading it back; " in error


CHANGES = {
    "a table, while it is sent": ("data/V-reg/test-00000.parquet", 0),
    "a table, before the commit": ("data/V-reg/test-00000.parquet", 1),
    "a small file, before the commit": ("statistics.json", 1),
    "the card": ("README.md", 0),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_file_that_changes_is_an_error_before_the_commit(what: str, hub: TestHub, small: Path) -> None:
    """Somebody writes to it when the Hub is asked how files are to be sent, or when their content is sent."""
    path, which = CHANGES[what]
    copy = shutil.copytree(small, hub.folder / "copy")
    calls = (f"POST /api/datasets/{hub.repo}/preupload", "POST /v1/xorbs/" if hub.xet else "POST .*/objects/verify")
    hub.fault(calls[which], edit={str(copy / path): "something else"})
    error = push(hub, copy, code=1).splitlines()[-1]
    assert error.startswith(f"error: {copy / path} changed while it was published; see that nothing writes to it, and ")
    assert "(the repo is private and holds nothing of this version (commit " in error
    assert (published(hub), hub.state()["tags"]) == ({}, {})


WRITTEN = """
import os, sys
from pathlib import Path
from emollms.cli import main
from emollms.hub.repo import Remote
path, how = Path(sys.argv.pop(1)), sys.argv.pop(1)
before, content = path.stat(), path.read_bytes()
def changed():
    if how == "gone":
        path.unlink()
    elif how == "replaced":
        (path.parent / "new").write_bytes(content + b" ")
        (path.parent / "new").rename(path)
    elif how == "cut off":
        os.truncate(path, 100)
    else:
        path.write_bytes(content[:-2] + bytes([content[-2] ^ 1]) + content[-1:])
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
{where}
main()
"""
WHERE = {
    "before the upload": """
create = Remote.create
def created(self, *options):
    create(self, *options)
    changed()
Remote.create = created""",
    "after the upload": """
from huggingface_hub import HfApi
send = HfApi.preupload_lfs_files
def sent(*args, **options):
    send(*args, **options)
    HfApi.preupload_lfs_files = send
    changed()
HfApi.preupload_lfs_files = sent""",
}


@pytest.mark.parametrize(
    ("path", "how", "where"),
    [
        *(("data/V-reg/test-00000.parquet", how, "after the upload") for how in ("gone", "replaced", "cut off")),
        *(("data/V-reg/test-00000.parquet", "same size and time", where) for where in WHERE),
        *(("statistics.json", how, "after the upload") for how in ("gone", "same size and time")),
    ],
)
def test_no_change_is_missed(path: str, how: str, where: str, hub: TestHub, small: Path) -> None:
    copy = shutil.copytree(small, hub.folder / "copy")
    script = WRITTEN.replace("{where}", WHERE[where])
    error = hub.run(script, copy / path, how, "publish", "dataset", copy, "--repo", hub.repo, "--yes", code=1).err
    assert f"error: {copy / path} changed while it was published; " in error.splitlines()[-1]
    assert (published(hub), hub.state()["tags"]) == ({}, {})


KILLED = """
import os, signal, sys
import httpx2
from emollms.cli import main
number = int(sys.argv.pop(1))
send = httpx2.Client.send
def counted(self, request, **options):
    global number
    if request.method in ("GET", "HEAD"):
        return send(self, request, **options)
    number -= 1
    answer = send(self, request, **options)
    if number < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return answer
httpx2.Client.send = counted
main()
"""


def test_a_kill_at_any_request_and_a_second_run(hub: TestHub, small: Path) -> None:
    """SIGKILL after the Hub has handled each of the requests that change something, until a push ends unkilled."""
    first, number, code = hub.repo, 0, -9
    while code == -9:
        hub.repo = f"{first}-{number}"
        arguments = (number, "publish", "dataset", small, "--repo", hub.repo, "--yes")
        code = hub.run(KILLED, *arguments, code=None).code
        state = hub.state()
        assert state is None or published(hub) in ({}, tree(small))
        assert state is None or state["private"]
        assert state is None or state["tags"] in ({}, {"v1.0.0": state["head"]})
        if code == -9:
            push(hub, small)
        new_state(hub, small)
        number += 1
    assert number - 1 == 6 + (0 if hub.xet else 1 + 2 * 3)  # by LFS: a batch, and three contents sent and verified


INTERRUPTED = KILLED.replace("import os, signal, sys", "import sys").replace(
    "os.kill(os.getpid(), signal.SIGKILL)", "number = 99; raise KeyboardInterrupt"
)


def test_ctrl_c_at_any_request_tells_the_state_of_the_repo(hub: TestHub, small: Path) -> None:
    """In a line, after each request that changes something, until a push ends uninterrupted."""
    first, said = hub.repo, []
    code = 130
    while code == 130:
        hub.repo = f"{first}-{len(said)}"
        arguments = (len(said), "publish", "dataset", small, "--repo", hub.repo, "--yes")
        done = hub.run(INTERRUPTED, *arguments, code=None)
        code, state = done.code, hub.state()
        said.append(done.err.splitlines()[-1])
        head = state["head"] if state else None
        if code == 130:
            assert "Traceback" not in done.err
            assert said[-1] in (
                "interrupted (nothing was changed)",
                f"interrupted (the repo is private and holds nothing of this version (commit {head}))",
                f"interrupted (commit {head} holds this version, and is not tagged: run the command again)",
                f"interrupted (v1.0.0 is published, at commit {head})",
            )
    new_state(hub, small)
    assert len({line.partition("commit")[0] for line in said[:-1]}) == 4
