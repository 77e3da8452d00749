"""Runs the application of `server` in uvicorn: where it listens, and how it ends."""

import asyncio
import ipaddress
import os
import signal
import socket
from types import FrameType

import uvicorn
from fastapi import FastAPI

from emollms.annotation.annotator import Annotator
from emollms.annotation.batcher import ServerOptions
from emollms.annotation.server import create_app
from emollms.errors import EmollmsError, UsageError
from emollms.tables.files import Warn

_FOR_RESPONSES = 5
"""Seconds that clients have to read their answers after the last one was made."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Args:
        host: an address of this machine, or a name of one.
        port: 0 for one that is free.

    Raises:
        UsageError: there is no such address here, or another program has the port.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=2048)
    except (OSError, UnicodeError) as error:
        number = error.errno if isinstance(error, OSError) else None
        reason = os.strerror(number) if number is not None and number > 0 else str(error)
        raise UsageError(f"cannot listen on {host}:{port}: {reason}; choose another --host or --port") from None


def run_server(annotator: Annotator, options: ServerOptions, listener: socket.socket, note: Warn) -> None:
    """Serve an annotator until a signal comes: SIGTERM, or Ctrl-C.

    The first refuses new requests and finishes what is queued; a second ends at once. The annotator is closed.

    Args:
        annotator: see `server.create_app`.
        options: the limits.
        listener: of `listen`.
        note: is told the address, and whether other machines reach it.

    Raises:
        EmollmsError: the model cannot be loaded.
        KeyboardInterrupt: it was Ctrl-C.
    """
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    if not ipaddress.ip_address(host).is_loopback:
        note(f"warning: other machines can reach {shown}:{port}, and nothing asks who they are; see --host")
    app = create_app(annotator, options)
    config = uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="on", timeout_graceful_shutdown=_FOR_RESPONSES
    )
    server = _Server(config, app)
    note(f"serving {', '.join(one.name for one in annotator.questions)} on http://{shown}:{port} (Ctrl-C to stop)")
    server.run([listener])
    failure = app.state.batcher.failure
    if isinstance(failure, EmollmsError):
        raise failure
    if failure is not None:
        raise EmollmsError(f"the model cannot be loaded: {str(failure).partition(chr(10))[0]}")
    if server.interrupted:
        raise KeyboardInterrupt


class _Server(uvicorn.Server):
    """Uvicorn's, which ends when what is queued was answered, and with no signal of its own."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app, self._signals, self.interrupted = app, 0, False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen."""
        self._loop = asyncio.get_running_loop()
        self._app.state.batcher.on_end = self._end
        await super().startup(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal begins the end: the sockets stay open, so that clients hear 503 until the queue is empty."""
        self._signals += 1
        self.interrupted |= sig == signal.SIGINT
        if self._signals > 1:
            self.should_exit = self.force_exit = True
        else:  # a signal comes in the middle of anything, also where the lock of the queue is held
            self._loop.call_soon_threadsafe(self._app.state.drain)

    def _end(self) -> None:
        self.should_exit = True
