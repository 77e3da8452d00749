"""The server: reads requests, orders faults, writes answers and the log."""

import re
import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from hub import collections, files, leaderboards, repos, uploads, xet
from hub.faults import Fault, Faults
from hub.store import HubError, Store
from hub.web import USERS, Answer, Request, User, find, route

ENDPOINTS = (collections, leaderboards, repos, files, uploads, xet)


class Hub:
    """A Hub on a port of 127.0.0.1; what is stored is served as `localhost`, which is another origin."""

    def __init__(self, port: int = 0) -> None:
        self.store = Store()
        self.faults = Faults()
        self.log: list[dict[str, object]] = []
        self.xorbs: dict[str, list[bytes]] = {}
        self.parts: dict[tuple[str, int], bytes] = {}
        self.secret = secrets.token_hex(8)
        self.page_size = 1000
        self.part_size = 8 * 1024 * 1024
        self.lock = threading.RLock()
        self.server = ThreadingHTTPServer(("127.0.0.1", port), type("Handler", (_Handler,), {"hub": self}))
        self.server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        self.storage = f"http://localhost:{self.server.server_port}"

    def push(self, kind: str, name: str, contents: dict[str, str]) -> None:
        """Somebody else commits files."""
        repo = self.store.repos[kind, name]
        new = {path: self.store.file(text.encode()) for path, text in contents.items()}
        old = repo.resolve("main").files
        self.store.commit(repo, "main", "a commit of somebody else", "", "someone", {**old, **new})


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"
    timeout = 60
    wbufsize = 1 << 16  # an answer leaves in one piece: two small ones would wait for an acknowledgement in between
    disable_nagle_algorithm = True

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        fault = self.hub.faults.take(self.command, unquote(parts.path)) or Fault(match="")
        for path, text in fault.edit.items():
            Path(path).write_text(text)
        if fault.drop_request is not None:
            length = int(self.headers.get("Content-Length") or 0)
            self._log(parts.path, 0, self.rfile.read(min(fault.drop_request, length)), None)
            self._close()
            return
        body = b"".join(self._body())
        if fault.delay:
            time.sleep(fault.delay)
        user = None
        if fault.status:
            answer = Answer(fault.body.encode(), fault.status, dict(fault.headers))
        else:
            user, answer = self._handle(parts.path, parts.query, body, fault)
        self._log(parts.path, answer.status, body, user)
        if fault.drop_answer == -1:
            self._close()
            return
        self._send(answer, fault.drop_answer)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815

    def _body(self) -> Iterator[bytes]:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            yield self.rfile.read(int(self.headers.get("Content-Length") or 0))
            return
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _handle(self, path: str, query: str, body: bytes, fault: Fault) -> tuple[User | None, Answer]:
        user = None
        try:
            with self.hub.lock:
                if fault.push:
                    kind, name = str(fault.push["repo"]).split("/", 1)
                    self.hub.push(kind, name, dict(fault.push["files"]))
                endpoint, arguments = find(self.command, path)
                user = self._user(path)
                headers = {name.lower(): value for name, value in self.headers.items()}
                base = f"http://{self.headers['Host']}"
                request = Request(self.command, path, parse_qs(query), headers, body, base, user)
                return user, endpoint(self.hub, request, **arguments)
        except HubError as error:
            headers = {"X-Error-Message": error.message}
            if error.code:
                headers["X-Error-Code"] = error.code
            return user, Answer({"error": error.message, **error.body}, error.status, headers)

    def _user(self, path: str) -> User | None:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if not token or re.match(r"/(v1|v2|_lfs)/", path):
            return None
        if token not in USERS:
            raise HubError(401, "Invalid credentials in Authorization header")
        return User(*USERS[token])

    def _send(self, answer: Answer, drop: int | None) -> None:
        content = answer.content()
        self.send_response(answer.status)
        kind = "application/octet-stream" if isinstance(answer.body, bytes) else "application/json"
        for name, value in {"Content-Type": kind, **answer.headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content if drop is None else content[:drop])
        if drop is not None:
            self._close()

    def _close(self) -> None:
        self.wfile.flush()
        self.close_connection = True

    def _log(self, path: str, status: int, body: bytes, user: User | None) -> None:
        if not path.startswith("/_admin/"):
            entry = {"method": self.command, "path": unquote(path), "status": status, "bytes": len(body)}
            self.hub.log.append({**entry, "user": user.name if user else None, "at": time.monotonic()})

    def log_message(self, *args: object) -> None:
        pass


@route("GET", "/_admin/state/{kind}/{repo}")
def state(hub: Hub, request: Request, kind: str, repo: str) -> Answer:
    """All that is known of a repo; null if there is none."""
    found = hub.store.repos.get((kind, repo))
    if found is None:
        return Answer(None)
    history = [
        {
            "oid": commit.oid,
            "title": commit.title,
            "author": commit.author,
            "files": {path: file.sha256 for path, file in commit.files.items()},
        }
        for commit in found.history("main")
    ]
    files = {path: asdict(file) for path, file in found.resolve("main").files.items()}
    shared = {"private": found.private, "gated": found.gated, "head": found.branches["main"]}
    return Answer({**shared, "branches": found.branches, "tags": found.tags, "history": history, "files": files})


@route("GET", "/_admin/collections")
def collected(hub: Hub, request: Request) -> Answer:
    """All collections."""
    return Answer([asdict(one) for one in hub.store.collections.values()])


@route("POST", "/_admin/faults")
def order(hub: Hub, request: Request) -> Answer:
    hub.faults.ordered.append(Fault(**request.json()))
    return Answer({})


@route("DELETE", "/_admin/faults")
def cancel(hub: Hub, request: Request) -> Answer:
    """Take back all faults; tells which did not happen."""
    waiting = [fault.match for fault in hub.faults.ordered if fault.times > 0]
    hub.faults.ordered.clear()
    return Answer(waiting)


@route("GET", "/_admin/log")
def log(hub: Hub, request: Request) -> Answer:
    return Answer(hub.log)


@route("POST", "/_admin/push/{kind}/{repo}")
def push(hub: Hub, request: Request, kind: str, repo: str) -> Answer:
    hub.push(kind, repo, request.json())
    return Answer({})


@route("POST", "/_admin/settings")
def adjust(hub: Hub, request: Request) -> Answer:
    """Set `page_size` or `part_size`; gives what they were."""
    wanted = request.json()
    before = {name: getattr(hub, name) for name in wanted}
    for name, value in wanted.items():
        setattr(hub, name, value)
    return Answer(before)
