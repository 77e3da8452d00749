"""What an endpoint takes: requests, tokens and money; and the limit that is never passed."""

import threading
from dataclasses import dataclass, field
from typing import Any

from emollms.inference.engine import EngineError

_FRAME = 64
"""Tokens that a server's chat template may add to a prompt."""


@dataclass
class Spending:
    """Counts what requests take, and refuses one that might pass the limit; threads may share it.

    Args:
        price: of a million tokens read, and of a million written, in any currency; None where nobody told.
        limit: the most that may be spent.

    Attributes:
        requests: how many were answered.
        read: tokens of prompts, as the server counts them, or estimated where it does not.
        written: tokens of answers, likewise.
    """

    price: tuple[float, float] | None = None
    limit: float | None = None
    requests: int = 0
    read: int = 0
    written: int = 0
    _reserved: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def cost(self) -> float | None:
        """What was spent; None without a price."""
        return None if self.price is None else self._cost(self.read, self.written)

    def reserve(self, body: Any) -> float:
        """Set aside what a request may cost.

        Raises:
            EngineError: with what is spent and set aside, it could pass the limit.
        """
        if self.limit is None or self.price is None:
            return 0.0
        # No token of a byte-level tokenizer has less than one byte: more than this is never charged.
        most = self._cost(len(_prompt(body).encode("utf-8", "replace")) + _FRAME, float(body.get("max_tokens") or 0))
        with self._lock:
            spent = self._cost(self.read, self.written)
            if spent + self._reserved + most > self.limit:
                raise EngineError(
                    f"the next request could pass --max-cost {self.limit:g}: {spent:.4f} is spent; answers until now "
                    "are kept, and the same command with a higher limit resumes"
                )
            self._reserved += most
        return most

    def settle(self, reserved: float, body: Any, answer: Any) -> None:
        """Count a request that was answered; `answer` is None for one that failed."""
        usage = answer.get("usage") if isinstance(answer, dict) else None
        usage = usage if isinstance(usage, dict) else {}
        with self._lock:
            self._reserved -= reserved
            if answer is not None:
                self.requests += 1
                self.read += int(usage.get("prompt_tokens") or len(_prompt(body)) / 4)
                self.written += int(usage.get("completion_tokens") or body.get("max_tokens") or 0)

    def _cost(self, read: float, written: float) -> float:
        price = self.price or (0.0, 0.0)
        return (read * price[0] + written * price[1]) / 1e6


def _prompt(body: Any) -> str:
    messages = body.get("messages") or ()
    return str(body.get("prompt") or "") + "".join(str(one.get("content") or "") for one in messages)
