"""Endpoints of collections."""

import re
from itertools import count
from typing import TYPE_CHECKING

from hub.store import Collection, HubError
from hub.web import Answer, Request, route

if TYPE_CHECKING:
    from hub.server import Hub

SHOWN = 4
"""Items of a collection that a listing shows."""
_NUMBERS = count(1)


@route("GET", "/api/collections")
def listed(hub: "Hub", request: Request) -> Answer:
    """The collections of an owner; each with its first items only."""
    owner = request.query.get("owner", [""])[0]
    found = [one for one in hub.store.collections.values() if not owner or one.owner == owner]
    return Answer([_shown(one, SHOWN) for one in found if _visible(one, request)])


@route("POST", "/api/collections")
def create(hub: "Hub", request: Request) -> Answer:
    wanted = request.json()
    owner, title = str(wanted["namespace"]), str(wanted["title"])
    if len(title) > 60 or len(str(wanted.get("description", ""))) > 150:
        raise HubError(400, "title or description is too long")
    _check_owner(request, owner)
    words = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
    made = Collection(
        f"{owner}/{words}-{next(_NUMBERS):024x}",
        title,
        owner,
        bool(wanted["private"]),
        str(wanted.get("description", "")),
    )
    hub.store.collections[made.slug] = made
    return Answer(_shown(made))


@route("GET", "/api/collections/{owner}/{name}")
def one(hub: "Hub", request: Request, owner: str, name: str) -> Answer:
    return Answer(_shown(_find(hub, request, owner, name)))


@route("PATCH", "/api/collections/{owner}/{name}")
def change(hub: "Hub", request: Request, owner: str, name: str) -> Answer:
    found = _find(hub, request, owner, name)
    _check_owner(request, owner)
    wanted = request.json()
    found.title = str(wanted.get("title", found.title))
    found.description = str(wanted.get("description", found.description))
    found.private = bool(wanted.get("private", found.private))
    return Answer({"success": True, "data": _shown(found)})


@route("POST", "/api/collections/{owner}/{name}/items")
def add(hub: "Hub", request: Request, owner: str, name: str) -> Answer:
    found = _find(hub, request, owner, name)
    _check_owner(request, owner)
    item = request.json()["item"]
    if (f"{item['type']}s", item["id"]) not in hub.store.repos:
        raise HubError(404, f"there is no {item['type']} {item['id']}")
    if item in found.items:
        raise HubError(409, "this item is in the collection already")
    found.items.append({"id": item["id"], "type": item["type"]})
    return Answer(_shown(found))


def _find(hub: "Hub", request: Request, owner: str, name: str) -> Collection:
    found = hub.store.collections.get(f"{owner}/{name}")
    if found is None or not _visible(found, request):
        raise HubError(404, "Collection not found")
    return found


def _visible(found: Collection, request: Request) -> bool:
    return not found.private or bool(request.user and request.user.owns(f"{found.owner}/"))


def _check_owner(request: Request, owner: str) -> None:
    if request.user is None or request.user.role != "write" or not request.user.owns(f"{owner}/"):
        raise HubError(403, f"You don't have the rights to change collections of {owner}")


def _shown(found: Collection, most: int | None = None) -> dict[str, object]:
    items = [{"_id": f"{number:024x}", "position": number, **item} for number, item in enumerate(found.items)]
    return {
        "slug": found.slug,
        "title": found.title,
        "owner": {"name": found.owner},
        "items": items[:most],
        "lastUpdated": "2026-01-01T00:00:00.000Z",
        "private": found.private,
        "theme": "blue",
        "upvotes": 0,
        "description": found.description,
        **({"position": 0} if most is None else {}),
    }
