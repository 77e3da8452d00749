"""Whether the Hub can be asked: found out once and in seconds, before libraries are called that try again and again."""

import os
import sys
import threading
from collections.abc import Callable

from emollms.errors import EmollmsError

PATIENCE = 4.0
"""Seconds until a Hub that says nothing counts as one that cannot be reached; `HF_HUB_ETAG_TIMEOUT` takes its place."""

_reached: set[str] = set()
"""Addresses that answered: they are asked once a process."""


def hub_problem() -> str | None:
    """Why the Hub cannot be asked, in a few words; None where it answers, whatever it says."""
    from huggingface_hub import constants

    if constants.is_offline_mode():
        return _offline_reason or "HF_HUB_OFFLINE is set, so that the Hub is not asked"
    endpoint = constants.ENDPOINT
    if endpoint in _reached:
        return None
    reason = _within(_patience() + 1.0, lambda: _ask(endpoint))
    if reason is None:
        _reached.add(endpoint)
        return None
    return f"the Hub ({endpoint}) cannot be reached: {reason}; check the network, and the proxies that are set"


def refuse_offline() -> None:
    """Make sure that the Hub may be asked, and do not ask it: for commands that would first read for a while.

    Raises:
        EmollmsError: `HF_HUB_OFFLINE` is set.
    """
    from huggingface_hub import constants

    if constants.is_offline_mode():
        require_hub()


def require_hub() -> None:
    """Make sure that the Hub answers, for commands that change what is there, or take nothing from the cache.

    Raises:
        EmollmsError: it does not.
    """
    if problem := hub_problem():
        raise EmollmsError(problem)


def use_cache_alone(problem: str) -> None:
    """Keep all libraries of this process from asking the Hub; what is in the local cache still loads.

    Args:
        problem: why, for the errors of what the cache does not have.
    """
    global _offline_reason
    from huggingface_hub import constants

    _offline_reason = problem
    constants.HF_HUB_OFFLINE = True
    os.environ["HF_HUB_OFFLINE"] = "1"  # read by libraries that are imported later, and by processes of this one
    if "datasets" in sys.modules:
        sys.modules["datasets"].config.HF_HUB_OFFLINE = True


_offline_reason: str | None = None


def _patience() -> float:
    """Seconds to wait for the Hub."""
    from huggingface_hub import constants

    return float(constants.HF_HUB_ETAG_TIMEOUT) if os.environ.get("HF_HUB_ETAG_TIMEOUT") else PATIENCE


def _ask(endpoint: str) -> str | None:
    """What is wrong with the way to the Hub; any answer of it is none."""
    import httpx2
    from huggingface_hub import get_session

    try:
        answer = get_session().head(endpoint, timeout=_patience(), follow_redirects=False)
    except httpx2.ProxyError as error:
        return f"the proxy refuses ({_words(error)})"
    except httpx2.TimeoutException:
        return f"no answer within {_patience():g} seconds"
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError, ImportError) as error:
        return _words(error)
    return "the proxy asks for a password (407)" if answer.status_code == 407 else None


def _words(error: Exception) -> str:
    """An error without its number: `Connection refused`, not `[Errno 111] Connection refused`."""
    text = " ".join(str(error).split())
    return text.split("] ", 1)[-1] if text.startswith("[Errno") else text or type(error).__name__


def _within(seconds: float, find: Callable[[], str | None]) -> str | None:
    """What `find` returns, or that it takes too long: no timeout of a client covers the look-up of a name."""
    found: list[str | None] = []
    thread = threading.Thread(target=lambda: found.append(find()), daemon=True)
    thread.start()
    thread.join(seconds)
    return found[0] if found else f"no answer within {_patience():g} seconds"
