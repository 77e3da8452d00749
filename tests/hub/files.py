"""Endpoints that read files: listings and downloads."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote

from hub.store import Commit, File, HubError
from hub.web import Answer, Request, readable, route

if TYPE_CHECKING:
    from hub.server import Hub


@route("GET", "/api/{kind}/{repo}/tree/{revision}")
@route("GET", "/api/{kind}/{repo}/tree/{revision}/{path}")
def tree(hub: "Hub", request: Request, kind: str, repo: str, revision: str, path: str = "") -> Answer:
    """A page of the files below a folder; `Link` says where the next one is."""
    commit = readable(hub, request, kind, repo).resolve(revision)
    found = list(_below(commit, path.rstrip("/"), request.asks("recursive")))
    if not found and path:
        raise HubError(404, f"{path} does not exist on {revision}", "EntryNotFound")
    start = int(request.query.get("cursor", ["0"])[0])
    end = start + hub.page_size
    headers = {}
    if end < len(found):
        query = "&".join(f"{name}={value}" for name, (value, *_) in request.query.items() if name != "cursor")
        headers["Link"] = f'<{request.base}{quote(request.path, safe="/%")}?{query}&cursor={end}>; rel="next"'
    return Answer(found[start:end], headers=headers)


def _below(commit: Commit, folder: str, recursive: bool) -> Iterator[dict[str, object]]:
    prefix = f"{folder}/" if folder else ""
    folders = set()
    for path, file in commit.files.items():
        if not path.startswith(prefix):
            continue
        *parents, _ = path[len(prefix) :].split("/")
        for depth in range(1, len(parents) + 1):
            name = prefix + "/".join(parents[:depth])
            if name not in folders and (recursive or depth == 1):
                folders.add(name)
                yield _folder_entry(name, commit)
        if recursive or not parents:
            yield _entry(path, file, commit)


def _folder_entry(path: str, commit: Commit) -> dict[str, object]:
    return {"type": "directory", "path": path, "oid": commit.oid, "size": 0}


def _entry(path: str, file: File, commit: Commit) -> dict[str, object]:
    entry: dict[str, object] = {"type": "file", "path": path, "oid": file.oid, "size": file.size}
    entry["lastCommit"] = {"id": commit.oid, "title": commit.title, "date": commit.date}
    if file.lfs:
        entry["lfs"] = {"oid": file.sha256, "size": file.size, "pointerSize": 130}
    return entry


@route("POST", "/api/{kind}/{repo}/paths-info/{revision}")
def paths_info(hub: "Hub", request: Request, kind: str, repo: str, revision: str) -> Answer:
    commit = readable(hub, request, kind, repo).resolve(revision)
    if request.headers.get("content-type", "").startswith("application/json"):
        paths = list(request.json()["paths"])
    else:
        paths = parse_qs(request.body.decode()).get("paths", [])
    found = []
    for path in paths:
        if path in commit.files:
            found.append(_entry(path, commit.files[path], commit))
        elif any(name.startswith(f"{path}/") for name in commit.files):
            found.append(_folder_entry(path, commit))
    return Answer(found)


@route("GET", "/{prefix}{repo}/resolve/{revision}/{path}")
def resolve(hub: "Hub", request: Request, repo: str, revision: str, path: str, prefix: str = "models") -> Answer:
    """The content of a regular file; for an LFS file, where the content is: on another origin, as on the real Hub."""
    found = readable(hub, request, prefix, repo)
    if found.gated and not (request.user and request.user.owns(repo)):
        raise HubError(403, f"Access to {repo} is restricted", "GatedRepo")
    commit = found.resolve(revision)
    if path not in commit.files:
        raise HubError(404, "Entry not found", "EntryNotFound")
    file = commit.files[path]
    headers = {"X-Repo-Commit": commit.oid, "ETag": f'"{file.known_as}"', "Accept-Ranges": "bytes"}
    if not file.lfs:
        return ranged(request, hub.store.blobs[file.sha256], headers)
    headers |= {"X-Linked-Etag": f'"{file.sha256}"', "X-Linked-Size": str(file.size)}
    return Answer(b"", 302, headers | {"Location": f"{hub.storage}/_lfs/{file.sha256}?signature={hub.secret}"})


@route("GET", "/_lfs/{sha256}")
def content(hub: "Hub", request: Request, sha256: str) -> Answer:
    """The content of an LFS file; whoever has the signed address may read it."""
    if request.query.get("signature") != [hub.secret]:
        raise HubError(403, "the address is not signed")
    return ranged(request, hub.store.blobs[sha256], {"ETag": f'"{sha256}"', "Accept-Ranges": "bytes"})


def ranged(request: Request, content: bytes, headers: dict[str, str]) -> Answer:
    """Content, or the part of it that is asked for."""
    asked = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("range", ""))
    if not asked:
        return Answer(content, headers=headers)
    first, last = asked.groups()
    start = int(first) if first else max(len(content) - int(last), 0)
    end = min(int(last), len(content) - 1) if first and last else len(content) - 1
    if start >= len(content):
        return Answer(b"", 416, {"Content-Range": f"bytes */{len(content)}"})
    return Answer(content[start : end + 1], 206, headers | {"Content-Range": f"bytes {start}-{end}/{len(content)}"})
