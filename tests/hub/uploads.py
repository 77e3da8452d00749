"""Endpoints that take files: which way they go, LFS content, and commits."""

import base64
import hashlib
import json
from math import ceil
from typing import TYPE_CHECKING

from hub.leaderboards import check_pushed
from hub.store import File, HubError, Repo, is_lfs
from hub.web import Answer, Request, route, writable

if TYPE_CHECKING:
    from hub.server import Hub


@route("POST", "/api/{kind}/{repo}/preupload/{revision}")
def preupload(hub: "Hub", request: Request, kind: str, repo: str, revision: str) -> Answer:
    """For each file whether it goes as LFS, and what the Hub has under its path."""
    commit = writable(hub, request, kind, repo).resolve(revision)
    files = []
    for file in request.json()["files"]:
        lfs = is_lfs(file["path"], file["size"], base64.b64decode(file.get("sample", "")))
        entry = {"path": file["path"], "uploadMode": "lfs" if lfs else "regular", "shouldIgnore": False}
        there = commit.files.get(file["path"])
        files.append(entry | ({"oid": there.known_as} if there else {}))
    return Answer({"commitOid": commit.oid, "files": files})


@route("POST", "/{prefix}{repo}.git/info/lfs/objects/batch")
def lfs_batch(hub: "Hub", request: Request, repo: str, prefix: str = "models") -> Answer:
    """Where each content is to be sent; nowhere, if this repo has it."""
    found = writable(hub, request, prefix, repo)
    objects = []
    for wanted in request.json()["objects"]:
        entry = {"oid": wanted["oid"], "size": wanted["size"]}
        if wanted["oid"] not in found.objects:
            verify = f"{request.base}{request.path.removesuffix('batch')}verify"
            entry["actions"] = {"upload": _upload(hub, wanted["oid"], wanted["size"]), "verify": {"href": verify}}
        objects.append(entry)
    return Answer({"transfer": "basic", "objects": objects})


def _upload(hub: "Hub", oid: str, size: int) -> dict[str, object]:
    address = f"{hub.storage}/_lfs/{oid}"
    if size <= hub.part_size:
        return {"href": f"{address}?signature={hub.secret}"}
    parts = {
        str(number + 1): f"{address}/{number + 1}?signature={hub.secret}"
        for number in range(ceil(size / hub.part_size))
    }
    return {"href": f"{address}/complete?signature={hub.secret}", "header": {"chunk_size": str(hub.part_size), **parts}}


@route("PUT", "/_lfs/{oid}")
def put_content(hub: "Hub", request: Request, oid: str) -> Answer:
    _check_signed(hub, request)
    return _keep(hub, oid, request.body)


@route("PUT", "/_lfs/{oid}/{number}")
def put_part(hub: "Hub", request: Request, oid: str, number: str) -> Answer:
    _check_signed(hub, request)
    hub.parts[oid, int(number)] = request.body
    return Answer(headers={"ETag": f'"{hashlib.md5(request.body).hexdigest()}"'})


@route("POST", "/_lfs/{oid}/complete")
def complete(hub: "Hub", request: Request, oid: str) -> Answer:
    _check_signed(hub, request)
    numbers = sorted(int(part["partNumber"]) for part in request.json()["parts"])
    missing = [number for number in numbers if (oid, number) not in hub.parts]
    if missing:
        raise HubError(400, f"parts {missing} were not sent")
    return _keep(hub, oid, b"".join(hub.parts[oid, number] for number in numbers))


def _check_signed(hub: "Hub", request: Request) -> None:
    if request.query.get("signature") != [hub.secret]:
        raise HubError(403, "the address is not signed")


def _keep(hub: "Hub", oid: str, content: bytes) -> Answer:
    if hashlib.sha256(content).hexdigest() != oid:
        raise HubError(400, "the content has another SHA-256")
    hub.store.put(content)
    return Answer(headers={"ETag": f'"{oid}"'})


@route("POST", "/{prefix}{repo}.git/info/lfs/objects/verify")
def lfs_verify(hub: "Hub", request: Request, repo: str, prefix: str = "models") -> Answer:
    found, wanted = writable(hub, request, prefix, repo), request.json()
    if len(hub.store.blobs.get(wanted["oid"], b"")) != wanted["size"]:
        raise HubError(404, f"{wanted['oid']} was not uploaded")
    found.objects.add(wanted["oid"])
    return Answer({})


@route("POST", "/api/{kind}/{repo}/commit/{revision}")
def commit(hub: "Hub", request: Request, kind: str, repo: str, revision: str) -> Answer:
    """Lines of JSON: a header, and what changes. All of it happens, or nothing."""
    found = writable(hub, request, kind, repo)
    lines = [json.loads(line) for line in request.body.splitlines() if line.strip()]
    if not lines or lines[0]["key"] != "header":
        raise HubError(400, "the first line is no header")
    header = lines[0]["value"]
    head = _branch_head(found, revision, header.get("parentCommit"))
    files = dict(found.commits[head].files)
    for line in lines[1:]:
        _apply(hub, files, line["key"], line["value"])
    check_pushed(hub, kind, files)
    made = hub.store.commit(
        found,
        revision,
        header["summary"],
        header.get("description", ""),
        request.user.name if request.user else "",
        files,
    )
    url = f"{request.base}/{'' if kind == 'models' else f'{kind}/'}{repo}/commit/{made.oid}"
    return Answer({"success": True, "commitOid": made.oid, "commitUrl": url, "hookOutput": ""})


def _branch_head(repo: Repo, branch: str, parent: str | None) -> str:
    if branch not in repo.branches:
        raise HubError(404, f"Invalid rev id: {branch}", "RevisionNotFound")
    head = repo.branches[branch]
    if parent and not head.startswith(parent):
        raise HubError(412, "A commit has happened since. Please refresh and try again.")
    return head


def _apply(hub: "Hub", files: dict[str, File], key: str, value: dict[str, str]) -> None:
    path = value["path"]
    if key == "file":
        content = base64.b64decode(value["content"]) if value["encoding"] == "base64" else value["content"].encode()
        files[path] = hub.store.file(content)
    elif key == "lfsFile":
        files[path] = hub.store.lfs_file(value["oid"])
    elif key == "deletedFile":
        if files.pop(path, None) is None:
            raise HubError(404, f"A file with this name doesn't exist: {path}", "EntryNotFound")
    elif key == "deletedFolder":
        for name in [name for name in files if name.startswith(f"{path.rstrip('/')}/")]:
            del files[name]
    else:
        raise HubError(400, f"unknown operation {key}")
