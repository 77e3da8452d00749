"""Requests and answers, and the table that says who answers what."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote

from hub.store import HubError, Repo

if TYPE_CHECKING:
    from hub.server import Hub

USERS = {"hf_write": ("me", "write"), "hf_readonly": ("me", "read"), "hf_someone": ("someone", "write")}
"""Tokens: whose they are, and what they may do. Any other token is bad."""
ORGANIZATION = "lab"
"""An organization of which both are members."""


@dataclass(frozen=True)
class User:
    name: str
    role: str

    def owns(self, repo: str) -> bool:
        return repo.split("/")[0] in (self.name, ORGANIZATION)


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes
    base: str
    user: User | None

    def json(self) -> dict[str, object]:
        try:
            return json.loads(self.body)
        except ValueError:
            raise HubError(400, "the body is no JSON") from None

    def asks(self, name: str) -> bool:
        return self.query.get(name, [""])[0].lower() in ("1", "true")


@dataclass
class Answer:
    body: object = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


Endpoint = Callable[..., Answer]
_ROUTES: list[tuple[str, re.Pattern[str], Endpoint]] = []
_PARTS = {
    "{kind}": r"(?P<kind>models|datasets|spaces)",
    "{prefix}": r"(?:(?P<prefix>datasets|spaces)/)?",
    "{repo}": r"(?P<repo>[^/]+/[^/]+?)",
    "{path}": r"(?P<path>.+)",
}


def route(method: str, template: str) -> Callable[[Endpoint], Endpoint]:
    """Register the function that answers `METHOD /template`; other `{names}` are one part of a path each."""
    pattern = template
    for name, part in _PARTS.items():
        pattern = pattern.replace(name, part)
    pattern = re.sub(r"(?<!\?P)\{(\w+)\}", r"(?P<\1>[^/]+)", pattern)

    def register(endpoint: Endpoint) -> Endpoint:
        _ROUTES.append((method, re.compile(pattern), endpoint))
        return endpoint

    return register


def find(method: str, path: str) -> tuple[Endpoint, dict[str, str]]:
    """Who answers a request, and the named parts of its path."""
    for wanted, pattern, endpoint in _ROUTES:
        match = pattern.fullmatch(path)
        if match and (wanted == method or (wanted == "GET" and method == "HEAD")):
            return endpoint, {name: unquote(part) for name, part in match.groupdict().items() if part is not None}
    raise HubError(404, f"Sorry, there is no {method} {path}")


def readable(hub: "Hub", request: Request, kind: str, name: str) -> Repo:
    """A repo that the user may see."""
    repo = hub.store.repos.get((kind, name))
    if repo is None or (repo.private and not (request.user and request.user.owns(name))):
        raise HubError(404 if request.user else 401, "Repository not found", "RepoNotFound")
    return repo


def writable(hub: "Hub", request: Request, kind: str, name: str) -> Repo:
    """A repo that the user may change."""
    repo = readable(hub, request, kind, name)
    if request.user is None or request.user.role != "write" or not request.user.owns(name):
        raise HubError(403, "Forbidden: you don't have the rights to write to this repo")
    return repo
