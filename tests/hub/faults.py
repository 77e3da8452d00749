"""Faults to order."""

import re
import threading
from dataclasses import dataclass, field


@dataclass
class Fault:
    """What goes wrong with the next requests of a kind.

    Args:
        match: pattern of `METHOD /path`, searched for.
        times: how often; -1 for always.
        skip: how many requests of the kind are served as usual before.
        status: answer this, and do not handle the request.
        headers: headers of that answer, such as `Retry-After`.
        body: body of that answer, such as the page of a captive portal.
        drop_request: close the connection after so many bytes of the request, and do not handle it.
        drop_answer: handle the request, and close the connection after so many bytes of the answer's body; -1 sends
            no answer at all.
        delay: seconds to wait before the request is handled.
        push: what somebody else commits before the request is handled:
            `{"repo": "datasets/a/b", "files": {path: text}}`.
        edit: files of this machine that somebody changes before the request is handled: their new texts, by path.
    """

    match: str
    times: int = 1
    skip: int = 0
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    drop_request: int | None = None
    drop_answer: int | None = None
    delay: float = 0.0
    push: dict[str, object] | None = None
    edit: dict[str, str] = field(default_factory=dict)


class Faults:
    """The faults that are ordered; the first that fits is taken."""

    def __init__(self) -> None:
        self.ordered: list[Fault] = []
        self._lock = threading.Lock()

    def take(self, method: str, path: str) -> Fault | None:
        with self._lock:
            for fault in self.ordered:
                if fault.times == 0 or not re.search(fault.match, f"{method} {path}"):
                    continue
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                return fault
        return None
