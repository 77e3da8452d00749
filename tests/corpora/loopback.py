"""A file server on the loopback that fails as servers of the internet do."""

import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Served:
    """A file, and how badly it is served.

    `drops`: after how many bytes each of the next answers breaks off. `statuses`: what the next answers are instead.
    `holds`: after how many bytes an answer stops until the server ends. `sends_length`: False ends the body by closing.
    """

    body: bytes
    drops: list[int] = field(default_factory=list)
    statuses: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    holds: int | None = None
    ranges: bool = True
    sends_length: bool = True


@dataclass(frozen=True)
class Request:
    path: str
    range: str | None


class Loopback:
    """Files by path, and the requests that came."""

    def __init__(self) -> None:
        self.files: dict[str, Served] = {}
        self.requests: list[Request] = []
        self.released = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/{path}"

    def serve(self, path: str, body: bytes, **how) -> Served:
        self.files[f"/{path}"] = Served(body, **how)
        return self.files[f"/{path}"]

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        loopback = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                wanted = self.headers["Range"]
                loopback.requests.append(Request(self.path, wanted))
                self.close_connection = True
                if self.path not in loopback.files:
                    self.send_error(404)
                    return
                served = loopback.files[self.path]
                if served.statuses:
                    status, headers = served.statuses.pop(0)
                    self._head(status, {**headers, "Content-Length": "0"})
                    return
                self._answer(served, wanted)

            def _answer(self, served: Served, wanted: str | None) -> None:
                total, start = len(served.body), 0
                headers = {}
                if wanted and served.ranges:
                    start = int(wanted.removeprefix("bytes=").removesuffix("-"))
                    if start >= total:
                        self._head(416, {"Content-Range": f"bytes */{total}", "Content-Length": "0"})
                        return
                    headers["Content-Range"] = f"bytes {start}-{total - 1}/{total}"
                if served.sends_length:
                    headers["Content-Length"] = str(total - start)
                self._head(206 if start else 200, headers)
                self._body(served, served.body[start:])

            def _body(self, served: Served, body: bytes) -> None:
                if served.drops:
                    body = body[: served.drops.pop(0)]
                if served.holds is not None:
                    self.wfile.write(body[: served.holds])
                    self.wfile.flush()
                    loopback.released.wait()
                    return
                self.wfile.write(body)

            def _head(self, status: int, headers: dict[str, str]) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        return Handler
