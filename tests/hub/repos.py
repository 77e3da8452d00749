"""Endpoints of repos: create, look at, set up, tag, branch, delete."""

from typing import TYPE_CHECKING

import yaml

from hub.leaderboards import results_of
from hub.store import Commit, HubError, Repo, metadata_of
from hub.web import ORGANIZATION, Answer, Request, readable, route, writable

if TYPE_CHECKING:
    from hub.server import Hub

LICENSES = (
    "mit",
    "apache-2.0",
    "cc-by-4.0",
    "cc-by-sa-4.0",
    "cc-by-nc-4.0",
    "cc-by-nc-sa-4.0",
    "cc0-1.0",
    "other",
    "unknown",
)

SDKS = ("gradio", "docker", "static")


@route("GET", "/api/whoami-v2")
def whoami(hub: "Hub", request: Request) -> Answer:
    if request.user is None:
        raise HubError(401, "Invalid username or password.")
    token = {"displayName": "test", "role": request.user.role}
    body = {"type": "user", "name": request.user.name, "orgs": [{"name": ORGANIZATION, "type": "org"}]}
    return Answer({**body, "auth": {"type": "access_token", "accessToken": token}})


@route("POST", "/api/repos/create")
def create(hub: "Hub", request: Request) -> Answer:
    wanted = request.json()
    if request.user is None or request.user.role != "write":
        raise HubError(403, "Forbidden: pass a token with write access")
    name = f"{wanted.get('organization') or request.user.name}/{wanted['name']}"
    if not request.user.owns(name):
        raise HubError(403, f"You don't have the rights to create a repo under the namespace {name.split('/')[0]}")
    kind = f"{wanted.get('type') or 'model'}s"
    url = f"{request.base}/{'' if kind == 'models' else f'{kind}/'}{name}"
    if (kind, name) in hub.store.repos:
        raise HubError(409, f"You already created this {kind[:-1]} repo", url=url)
    if kind == "spaces" and wanted.get("sdk") not in SDKS:
        raise HubError(400, f'"sdk" must be one of [{", ".join(SDKS)}]')
    hub.store.create(kind, name, wanted.get("visibility") == "private", request.user.name)
    return Answer({"url": url, "name": name, "id": name})


@route("DELETE", "/api/repos/delete")
def delete(hub: "Hub", request: Request) -> Answer:
    wanted = request.json()
    name = f"{wanted.get('organization') or (request.user.name if request.user else '')}/{wanted['name']}"
    repo = writable(hub, request, f"{wanted.get('type') or 'model'}s", name)
    del hub.store.repos[repo.kind, repo.name]
    return Answer({})


@route("POST", "/api/validate-yaml")
def validate_yaml(hub: "Hub", request: Request) -> Answer:
    try:
        found = metadata_of(str(request.json()["content"]))
    except yaml.YAMLError as error:
        return _invalid(f"The YAML is invalid: {error}")
    if found is None:
        return Answer({"errors": [], "warnings": [{"message": "empty or missing yaml metadata in repo card"}]})
    if not isinstance(found, dict):
        return _invalid("The YAML metadata is no mapping")
    licenses = found.get("license", "mit")
    for license in licenses if isinstance(licenses, list) else [licenses]:
        if license not in LICENSES:
            return _invalid(f'"license" must be one of [{", ".join(LICENSES)}]')
    return Answer({"errors": [], "warnings": []})


def _invalid(message: str) -> Answer:
    return Answer({"errors": [{"message": message}], "warnings": []}, 400)


@route("GET", "/api/{kind}/{repo}")
@route("GET", "/api/{kind}/{repo}/revision/{revision}")
def info(hub: "Hub", request: Request, kind: str, repo: str, revision: str = "main") -> Answer:
    found = readable(hub, request, kind, repo)
    commit = found.resolve(revision)
    body = {
        "_id": commit.oid[:24],
        "id": found.name,
        "author": found.name.split("/")[0],
        "sha": commit.oid,
        "lastModified": commit.date,
        "createdAt": commit.date,
        "private": found.private,
        "gated": found.gated,
        "disabled": False,
        "tags": [],
        "downloads": 0,
        "likes": 0,
        "cardData": hub.store.card(commit),
        "evalResults": results_of(hub, commit) if kind == "models" else [],
        "siblings": [_sibling(path, commit, request.asks("blobs")) for path in commit.files],
    }
    wanted = request.query.get("expand")
    wanted = wanted or [name for name in body if name != "evalResults"]
    return Answer({name: value for name, value in body.items() if name in ("_id", "id", *wanted)})


def _sibling(path: str, commit: Commit, blobs: bool) -> dict[str, object]:
    file = commit.files[path]
    details: dict[str, object] = {"size": file.size, "blobId": file.oid} if blobs else {}
    if blobs and file.lfs:
        details["lfs"] = {"sha256": file.sha256, "size": file.size, "pointerSize": 130}
    return {"rfilename": path, **details}


@route("GET", "/api/{kind}/{repo}/refs")
def refs(hub: "Hub", request: Request, kind: str, repo: str) -> Answer:
    found = readable(hub, request, kind, repo)
    branches = [
        {"name": name, "ref": f"refs/heads/{name}", "targetCommit": oid} for name, oid in found.branches.items()
    ]
    tags = [{"name": name, "ref": f"refs/tags/{name}", "targetCommit": oid} for name, oid in found.tags.items()]
    return Answer({"branches": branches, "converts": [], "tags": tags})


@route("GET", "/api/{kind}/{repo}/commits/{revision}")
def commits(hub: "Hub", request: Request, kind: str, repo: str, revision: str) -> Answer:
    history = readable(hub, request, kind, repo).history(revision)
    return Answer(
        [
            {
                "id": commit.oid,
                "title": commit.title,
                "message": commit.message,
                "authors": [{"user": commit.author}],
                "date": commit.date,
            }
            for commit in history
        ]
    )


@route("PUT", "/api/{kind}/{repo}/settings")
def settings(hub: "Hub", request: Request, kind: str, repo: str) -> Answer:
    found, wanted = writable(hub, request, kind, repo), request.json()
    if "visibility" in wanted:
        found.private = wanted["visibility"] == "private"
    if "gated" in wanted:
        found.gated = wanted["gated"]
    return Answer({"private": found.private, "gated": found.gated})


@route("POST", "/api/{kind}/{repo}/tag/{revision}")
def tag(hub: "Hub", request: Request, kind: str, repo: str, revision: str) -> Answer:
    found = writable(hub, request, kind, repo)
    return _set_ref(found.tags, str(request.json()["tag"]), found, revision)


@route("POST", "/api/{kind}/{repo}/branch/{name}")
def branch(hub: "Hub", request: Request, kind: str, repo: str, name: str) -> Answer:
    found = writable(hub, request, kind, repo)
    start = request.json().get("startingPoint") if request.body else None
    return _set_ref(found.branches, name, found, str(start or "main"))


def _set_ref(refs: dict[str, str], name: str, repo: Repo, revision: str) -> Answer:
    oid = repo.resolve(revision).oid
    if name in refs:
        raise HubError(409, f"Reference {name} exists already")
    refs[name] = oid
    return Answer({})


@route("DELETE", "/api/{kind}/{repo}/tag/{name}")
@route("DELETE", "/api/{kind}/{repo}/branch/{name}")
def delete_ref(hub: "Hub", request: Request, kind: str, repo: str, name: str) -> Answer:
    found = writable(hub, request, kind, repo)
    refs = found.tags if f"/{repo}/tag/" in request.path else found.branches
    if name not in refs or name == "main":
        raise HubError(404, f"Invalid rev id: {name}", "RevisionNotFound")
    del refs[name]
    return Answer({})
