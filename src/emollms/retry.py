"""Calls that are made again after failures that may pass: one policy for every server."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

BUSY = frozenset((408, 425, 429, 500, 502, 503, 504, 529))
"""HTTP statuses of servers that may answer the same request later."""

Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How often a call is made again, and after what waits.

    Args:
        retries: calls after the first.
        first_wait: seconds before the second call; each further wait is twice as long.
        longest_wait: the longest wait, in seconds.
    """

    retries: int = 6
    first_wait: float = 1.0
    longest_wait: float = 60.0

    def call(
        self,
        function: Callable[[], Result],
        may_pass: Callable[[BaseException], bool],
        asked: Callable[[BaseException], float | None] = lambda error: None,
        sleep: Callable[[float], None] | None = None,
    ) -> Result:
        """Call `function`, and again while it fails for a reason that may pass.

        Args:
            function: what to call; calling it twice must do no harm.
            may_pass: whether the same call may succeed after this error.
            asked: seconds that the server asks to wait; None where it asks for nothing.
            sleep: waits for a number of seconds; `time.sleep` by default.

        Raises:
            Exception: what the last call raised.
        """

        def wait(state: RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            seconds = asked(error) if error else None
            own: float = min(self.longest_wait, self.first_wait * 2.0 ** (state.attempt_number - 1))
            return own if seconds is None else seconds

        stop = stop_after_attempt(self.retries + 1)
        call = Retrying(
            stop=stop, wait=wait, retry=retry_if_exception(may_pass), sleep=sleep or time.sleep, reraise=True
        )
        return call(function)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that `Retry-After` asks to wait, from now; None where it is missing or cannot be read.

    It is a number of seconds or a date (RFC 9110, 10.2.3).
    """
    value = headers.get("Retry-After", "").strip()
    try:
        return max(0.0, float(value) if value.isdecimal() else parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None
