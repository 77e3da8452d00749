"""Any server that speaks OpenAI's protocol: completions, with log-probabilities where it gives them, and chat."""

import time
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from itertools import islice
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

from emollms.errors import UsageError
from emollms.inference.engine import EngineError, EngineInfo, EngineResult, Sampling, first_line, versions_of
from emollms.inference.http_client import ClientOptions, EndpointClient, NonRetryableError
from emollms.inference.token_trie import prefix_search
from emollms.prompts.template import frame

Api = Literal["chat", "completions"]
Found = TypeVar("Found")

FEW = 32
"""Up to so many candidates are sent whole, each in a request; for more, the likeliest next tokens are asked for."""
_NO_SUCH_API = (400, 404, 405, 422, 501)
"""Statuses by which servers that only chat refuse completions."""


class NoLogProbabilitiesError(EngineError):
    """A server that does not give the log-probabilities of given answers."""


AHEAD = 4
"""For each worker, how many rows are under way or wait for one that comes before them."""


class EndpointEngine:
    """A model behind a server.

    Args:
        url: the address, with or without `/v1`.
        model: the name that the server knows it by; None where it serves only one.
        api: `chat`, where the server frames prompts, or `completions`, where this library does; None for completions
            where the server has them, else chat.
        workers: the most requests at a time.
        top: the most next tokens that the server names with their log-probabilities.
        options: key, retries, timeouts and rate limit.
        warn: called with a line that the user should see.

    Raises:
        UsageError: the address is none, or the server has several models and none is named.
        EngineError: the server cannot be reached.
    """

    def __init__(
        self,
        url: str,
        model: str | None = None,
        api: Api | None = None,
        *,
        workers: int = 8,
        top: int = 20,
        options: ClientOptions | None = None,
        warn: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.client = EndpointClient(url, options or ClientOptions())
        self.url, self.workers, self.top, self.warn = self.client.url, workers, top, warn
        self._api: Api | None = api
        self._echoes = True
        self.model = model or self._only_model()

    @property
    def api(self) -> Api:
        """`completions`, or `chat` where the server frames prompts or has nothing else."""
        if self._api is None:
            self._api = self._available_api()
        return self._api

    def gives_log_probabilities(self) -> bool:
        """Whether `score` works, found by a short request."""
        try:
            list(self.score(["The sky is"], [[" blue"]]))
        except NoLogProbabilitiesError:
            return False
        return True

    def generate(
        self, prompts: Sequence[str], sampling: Sampling, skip: Container[int] = ()
    ) -> Iterator[EngineResult[str]]:
        """See `Engine.generate`; a server forms its own batches, so that what is skipped is not sent."""
        rows = (row for row in range(len(prompts)) if row not in skip)
        yield from self._each(rows, lambda row: self._answer(prompts[row], sampling))

    def score(
        self,
        prompts: Sequence[str],
        continuations: Sequence[Sequence[str]],
        tolerance: float = 0.0,
        skip: Container[int] = (),
    ) -> Iterator[EngineResult[list[float]]]:
        """See `Engine.score`.

        Of more than `FEW` candidates, and of all where the server does not repeat prompts, those among its likeliest
        tokens are found.

        Raises:
            NoLogProbabilitiesError: the server gives none.
        """
        if self.api == "chat":
            raise NoLogProbabilitiesError(
                "chat servers give no log-probabilities of given answers; use --decode greedy, or the completions API"
            )

        def scores(row: int) -> list[float]:
            text = frame(prompts[row])
            if len(continuations[row]) <= FEW and self._echoes:
                try:
                    return [self._echoed(text, candidate) for candidate in continuations[row]]
                except NoLogProbabilitiesError:
                    self._echoes = False
            return prefix_search(continuations[row], lambda begun: self._likeliest(text + begun), tolerance)

        yield from self._each((row for row in range(len(prompts)) if row not in skip), scores)

    def describe(self) -> EngineInfo:
        """See `Engine.describe`; a server does not say which weights it has."""
        return EngineInfo(
            engine="endpoint",
            model=self.model,
            revision=None,
            dtype=None,
            device=self.url,
            template="chat" if self.api == "chat" else "frame",
            settings={"api": self.api, "workers": self.workers, "top": self.top},
            versions=versions_of(("emollms", "openai")),
        )

    def close(self) -> None:
        """Close the connections."""
        self.client.close()

    def _only_model(self) -> str:
        try:
            names = [str(one["id"]) for one in self.client.get("models")["data"]]
        except (NonRetryableError, KeyError, TypeError):
            raise UsageError(f"{self.url} does not list its models; name one with --model") from None
        if len(names) != 1:
            shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
            raise UsageError(f"{self.url} serves {shown or 'no model'}; name one with --model")
        return names[0]

    def _available_api(self) -> Api:
        body = {"model": self.model, "prompt": "The sky is", "max_tokens": 1}
        try:
            self.client.post("completions", body)
        except NonRetryableError as refusal:
            if refusal.status not in _NO_SUCH_API:
                raise
            self._chat("The sky is", {"max_tokens": 1})  # a model that is not there is refused here too
            self.warn(f"{self.url} has no completions; its chat is used, which frames prompts in its own way")
            return "chat"
        return "completions"

    def _each(self, rows: Iterable[int], find: Callable[[int], Found]) -> Iterator[EngineResult[Found]]:
        """What `find` finds for each row, some rows at a time, in the order of `rows`.

        After the first error nothing more is sent; what is under way is waited for and given, since it is paid for.
        """

        def timed(row: int) -> EngineResult[Found]:
            start = time.perf_counter()
            return EngineResult(row, find(row), time.perf_counter() - start)

        left = iter(rows)
        pool = ThreadPoolExecutor(self.workers, "emollms-endpoint")
        try:
            # In order, so that a file of answers is the same each time; up to `AHEAD` a worker wait for a slow one.
            waiting: deque[Future[EngineResult[Found]]] = deque(
                pool.submit(timed, row) for row in islice(left, AHEAD * self.workers)
            )
            failure: EngineError | None = None
            while waiting:
                try:
                    found = waiting.popleft().result()
                except CancelledError:
                    continue
                except EngineError as error:
                    failure = failure or error
                    for one in waiting:
                        one.cancel()
                    continue
                if failure is None:
                    waiting.extend(pool.submit(timed, row) for row in islice(left, 1))
                yield found
            if failure:
                raise failure
        finally:
            pool.shutdown(cancel_futures=True)

    def _answer(self, prompt: str, sampling: Sampling) -> str:
        body: dict[str, object] = {
            "max_tokens": sampling.max_new_tokens, "temperature": sampling.temperature, "seed": sampling.seed,
        }  # fmt: skip
        body |= {"top_p": sampling.top_p} if sampling.top_p != 1 else {}
        body |= {"top_k": sampling.top_k} if sampling.top_k else {}
        body |= {"repetition_penalty": sampling.repetition_penalty} if sampling.repetition_penalty != 1 else {}
        if self.api == "chat":
            return first_line(self._chat(prompt, body))
        choice = self._choice("completions", {"model": self.model, **body, "prompt": frame(prompt)})
        return first_line(str(choice.get("text") or ""))

    def _chat(self, prompt: str, body: Mapping[str, object]) -> str:
        message = {"messages": [{"role": "user", "content": prompt}]}
        said = self._choice("chat/completions", {"model": self.model, **body, **message}).get("message") or {}
        return str(said.get("content") or "")

    def _choice(self, verb: str, body: Mapping[str, object]) -> dict[str, Any]:
        answer = self.client.post(verb, body)
        try:
            return dict(answer["choices"][0])
        except (KeyError, IndexError, TypeError, ValueError):
            raise EngineError(f"{self.url}/{verb} answers without choices: {str(answer)[:200]!r}") from None

    def _echoed(self, text: str, candidate: str) -> float:
        """The log-probability of `candidate` after `text`, from a server that repeats both with their tokens."""
        body = {"model": self.model, "prompt": text + candidate, "max_tokens": 1, "temperature": 0.0}
        try:
            found = self._logprobs(body | {"echo": True, "logprobs": 1})
        except NonRetryableError as refusal:
            if refusal.status not in (400, 422):
                raise
            raise self._no_scores("it refuses to repeat the prompt") from None
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
        except NonRetryableError as refusal:
            if refusal.status not in (400, 422):
                raise
            if self.top <= 5:
                raise self._no_scores("it refuses to name likely tokens") from None
            self.top = 5  # what OpenAI's own completions allow
            return self._likeliest(text)
        top = found.get("top_logprobs") or []
        if not top or not top[0]:
            raise self._no_scores("it names no likely tokens")
        return {str(token): float(score) for token, score in top[0].items()}

    def _logprobs(self, body: Mapping[str, object]) -> dict[str, Any]:
        found = self._choice("completions", body).get("logprobs")
        if not isinstance(found, dict):
            raise self._no_scores("its answer has none")
        return found

    def _no_scores(self, why: str) -> NoLogProbabilitiesError:
        return NoLogProbabilitiesError(f"{self.url} gives no log-probabilities ({why}); use --decode greedy")


def destination(url: str) -> str:
    """A line that says where texts are sent with a server at `url`."""
    host = urlsplit(url).hostname or url
    here = host in ("localhost", "::1") or host.startswith("127.")
    return f"the texts are sent to {url}" + (", on this machine" if here else ": they leave this machine")
