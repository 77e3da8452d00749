"""The protocol of engines, generate and score, and how an engine describes itself in a run's manifest."""

import platform
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Generic, NamedTuple, Protocol, TypeVar

from emollms.errors import EmollmsError
from emollms.prompts.cleaning import without_thinking

Value = TypeVar("Value")
NO_NUMBERS = "the model gives no numbers"
"""How errors about NaN and infinite weights, logits and probabilities begin."""


class EngineError(EmollmsError):
    """A model or a server that fails, or cannot do what is called."""


class EngineResult(NamedTuple, Generic[Value]):
    """The answer to one row, or its scores.

    Args:
        row: its position among the prompts of the call.
        value: the answer, or the log-probabilities.
        seconds: how long it took; rows of one batch share its time equally.
    """

    row: int
    value: Value
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How the next token is chosen, and when to stop; an end token and a line break after some text always stop.

    Args:
        max_new_tokens: the most tokens of an answer.
        temperature: 0 for greedy decoding.
        top_k: how many of the likeliest tokens are kept; 0 keeps all.
        top_p: the fraction of probability that is kept.
        repetition_penalty: divides the logits of tokens that were seen (Keskar et al., 2019); 1 leaves them.
        seed: with the prompt, decides the random numbers of a row, whatever else is in its batch.
    """

    max_new_tokens: int = 64
    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    seed: int = 0


RELEASE = Sampling(max_new_tokens=256, temperature=0.9, top_k=30, top_p=0.6, repetition_penalty=1.2)
"""The settings of `src/inference.py` of the original release (github.com/lzw108/EmoLLMs)."""


@dataclass(frozen=True, kw_only=True)
class EngineInfo:
    """What a run's manifest says about its engine.

    Args:
        engine: the engine's name.
        model: path, repository or served name.
        revision: the commit, or `sha256:` and a hash of the weights; None where it is unknown.
        dtype: the numbers' type; None where it is unknown.
        device: where it ran.
        template: `frame` or `chat`.
        settings: further settings that answers may depend on.
        versions: the packages that took part.
    """

    engine: str
    model: str
    revision: str | None
    dtype: str | None
    device: str
    template: str
    settings: Mapping[str, object] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, object]:
        """The fields, for JSON."""
        return asdict(self)


class Engine(Protocol):
    """A model that answers prompts.

    Results come batch by batch, in an order that the prompts alone decide. `skip` never changes a batch: one with any
    prompt that is not skipped is computed whole, so that each prompt has the same neighbours, and its answer the same
    bits, in a run that was interrupted and resumed.
    """

    def generate(
        self, prompts: Sequence[str], sampling: Sampling, skip: Container[int] = ()
    ) -> Iterator[EngineResult[str]]:
        """The answer to each prompt, up to its first line break, stripped.

        Args:
            prompts: prompts as rows hold them; the engine frames them.
            sampling: how tokens are chosen.
            skip: positions of prompts whose answers are not wanted.
        """
        ...

    def score(
        self,
        prompts: Sequence[str],
        continuations: Sequence[Sequence[str]],
        tolerance: float = 0.0,
        skip: Container[int] = (),
    ) -> Iterator[EngineResult[list[float]]]:
        """The log-probability of each continuation: the sum over its tokens, of the prefix, with no end token.

        Args:
            prompts: prompts as rows hold them.
            continuations: for each prompt, its candidates.
            tolerance: how coarse the scores may be. Continuations that begin alike and are n of the N of a row need
                not be told apart where (their fraction of the probability) · n/N is no more than this: each then gets
                an equal part. 0 tells all apart.
            skip: positions of prompts whose scores are not wanted.

        Raises:
            EngineError: the engine has no log-probabilities to give.
        """
        ...

    def describe(self) -> EngineInfo:
        """What the manifest of a run says about the engine."""
        ...

    def close(self) -> None:
        """Let go of memory, threads and connections."""
        ...


def versions_of(packages: Iterable[str]) -> dict[str, str]:
    """The installed versions of `packages`, and of Python."""
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def first_line(text: str) -> str:
    """`text` after any thinking, up to its first line break after something that can be seen, stripped.

    Where there is nothing but thinking, all of it on one line: predictions show why there is no answer.
    """
    return without_thinking(text).lstrip().split("\n", 1)[0].strip() or " ".join(text.split())


def is_line(text: str) -> bool:
    """Whether `text` holds a whole first line, so that nothing that follows would change `first_line`."""
    return "\n" in without_thinking(text).lstrip()
