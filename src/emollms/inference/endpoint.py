"""Any server that speaks OpenAI's protocol: completions, with log-probabilities where it gives them, and chat."""

import time
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any, Literal, TypeVar

from emollms.errors import UsageError
from emollms.inference import texttree
from emollms.inference.engine import EngineError, EngineInfo, Result, Sampling, first_line, versions_of
from emollms.inference.http import Client, Patience, RefusedError
from emollms.prompts.template import frame

Api = Literal["chat", "completions"]
Found = TypeVar("Found")

FEW = 32
"""Up to so many candidates are sent whole, each in a request; for more, the likeliest next tokens are asked for."""
AHEAD = 4
"""For each worker, how many rows are under way or wait for one that comes before them."""


class EndpointEngine:
    """A model behind a server.

    Args:
        url: the address up to and with its `/v1`.
        model: the name that the server knows it by.
        api: `chat`, where the server frames prompts, or `completions`, where this library does.
        workers: the most requests at a time.
        top: the most next tokens that the server tells with their log-probabilities.
        key_variable: the environment variable with the API key.
        patience: retries, waits, timeouts and rate limit.
        sleep: what waits.
    """

    def __init__(
        self,
        url: str,
        model: str,
        api: Api = "completions",
        *,
        workers: int = 8,
        top: int = 20,
        key_variable: str = "OPENAI_API_KEY",
        patience: Patience | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise UsageError(f"{url!r} is no address of a server; give one such as http://localhost:8000/v1")
        self.url, self.model, self.api, self.workers, self.top = url.rstrip("/"), model, api, workers, top
        self.client = Client(patience or Patience(), key_variable, sleep)

    def generate(self, prompts: Sequence[str], sampling: Sampling, skip: Container[int] = ()) -> Iterator[Result[str]]:
        """See `Engine.generate`; a server forms its own batches, so that what is skipped is not sent."""
        rows = (row for row in range(len(prompts)) if row not in skip)
        yield from self._each(rows, lambda row: self._answer(prompts[row], sampling))

    def score(
        self,
        prompts: Sequence[str],
        continuations: Sequence[Sequence[str]],
        tolerance: float = 0.0,
        skip: Container[int] = (),
    ) -> Iterator[Result[list[float]]]:
        """See `Engine.score`; of more than `FEW` candidates, those among the server's likeliest tokens are found."""
        if self.api == "chat":
            raise EngineError(
                "chat servers give no log-probabilities of given answers; use --decode greedy, or the completions API"
            )

        def scores(row: int) -> list[float]:
            text = frame(prompts[row])
            if len(continuations[row]) <= FEW:
                return [self._echoed(text, candidate) for candidate in continuations[row]]
            return texttree.score(continuations[row], lambda begun: self._likeliest(text + begun), tolerance)

        yield from self._each((row for row in range(len(prompts)) if row not in skip), scores)

    def describe(self) -> EngineInfo:
        """See `Engine.describe`; which weights a server holds, nobody can know."""
        return EngineInfo(
            engine="endpoint",
            model=self.model,
            revision=None,
            dtype=None,
            device=self.url,
            template="chat" if self.api == "chat" else "frame",
            settings={"api": self.api, "workers": self.workers, "top": self.top},
            versions=versions_of(("emollms", "requests")),
        )

    def close(self) -> None:
        """Close the connections."""
        self.client.close()

    def _each(self, rows: Iterable[int], find: Callable[[int], Found]) -> Iterator[Result[Found]]:
        """What `find` finds for each row, some rows at a time, in the order of `rows`; the first error ends it."""

        def timed(row: int) -> Result[Found]:
            start = time.perf_counter()
            return Result(row, find(row), time.perf_counter() - start)

        left = iter(rows)
        pool = ThreadPoolExecutor(self.workers, "emollms-endpoint")
        try:
            # In order, so that a file of answers is the same each time; up to so many wait for a slow one before them.
            waiting: deque[Future[Result[Found]]] = deque(
                pool.submit(timed, row) for row in islice(left, AHEAD * self.workers)
            )
            while waiting:
                found = waiting.popleft().result()
                waiting.extend(pool.submit(timed, row) for row in islice(left, 1))
                yield found
        finally:
            pool.shutdown(cancel_futures=True)

    def _answer(self, prompt: str, sampling: Sampling) -> str:
        body: dict[str, object] = {
            "model": self.model, "max_tokens": sampling.max_new_tokens, "temperature": sampling.temperature,
            "seed": sampling.seed,
        }  # fmt: skip
        body |= {"top_p": sampling.top_p} if sampling.top_p != 1 else {}
        body |= {"top_k": sampling.top_k} if sampling.top_k else {}
        body |= {"repetition_penalty": sampling.repetition_penalty} if sampling.repetition_penalty != 1 else {}
        if self.api == "chat":
            choice = self._choice("chat/completions", body | {"messages": [{"role": "user", "content": prompt}]})
            said = choice.get("message", {}).get("content")
        else:
            said = self._choice("completions", body | {"prompt": frame(prompt)}).get("text")
        return first_line(said or "")

    def _choice(self, verb: str, body: dict[str, object]) -> dict[str, Any]:
        answer = self.client.post(f"{self.url}/{verb}", body)
        try:
            choice = answer["choices"][0]
        except (KeyError, IndexError, TypeError) as error:
            raise EngineError(f"{self.url}/{verb} answers without choices: {str(answer)[:200]!r}") from error
        return dict(choice)

    def _echoed(self, text: str, candidate: str) -> float:
        """The log-probability of `candidate` after `text`, from a server that repeats both with their tokens."""
        body = {"model": self.model, "prompt": text + candidate, "max_tokens": 1, "temperature": 0.0}
        found = self._logprobs(body | {"echo": True, "logprobs": 1})
        offsets, scores = found.get("text_offset") or [], found.get("token_logprobs") or []
        if not offsets or offsets[0] > 0 or len(offsets) != len(scores):
            raise self._no_scores("it does not repeat the prompt with its tokens")
        end = len(text) + len(candidate)
        ends = [*offsets[1:], end + 1]
        return float(
            sum(
                score or 0.0
                for start, stop, score in zip(offsets, ends, scores, strict=True)
                if stop > len(text) and start < end
            )
        )

    def _likeliest(self, text: str) -> Mapping[str, float]:
        body = {"model": self.model, "prompt": text, "max_tokens": 1, "temperature": 0.0, "logprobs": self.top}
        try:
            found = self._logprobs(body)
        except RefusedError as refusal:
            if refusal.status not in (400, 422) or self.top <= 5:
                raise
            self.top = 5  # what OpenAI's own completions allow
            return self._likeliest(text)
        top = found.get("top_logprobs") or []
        if not top or not top[0]:
            raise self._no_scores("it names no likely tokens")
        return {str(token): float(score) for token, score in top[0].items()}

    def _logprobs(self, body: dict[str, object]) -> dict[str, Any]:
        found = self._choice("completions", body).get("logprobs")
        if not isinstance(found, dict):
            raise self._no_scores("its answer has none")
        return found

    def _no_scores(self, why: str) -> EngineError:
        return EngineError(f"{self.url} gives no log-probabilities ({why}); use --decode greedy")
