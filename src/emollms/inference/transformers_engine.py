"""Models of the transformers library, decoder-only and encoder-decoder, on CPU and GPU."""

import gc
import math
import random
import time
from collections.abc import Callable, Container, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch

from emollms.errors import UsageError
from emollms.inference import token_trie
from emollms.inference.batch_ops import MAX_LOGITS, DecodingState, ModelRunner
from emollms.inference.batching import ON_GPU, Batch, Budget, fitting_tokens, plan
from emollms.inference.decoder import DecoderRunner
from emollms.inference.encoder_decoder import EncoderDecoderRunner
from emollms.inference.encoding import AnswerCandidates, PromptEncoder
from emollms.inference.engine import NO_NUMBERS, EngineError, EngineInfo, EngineResult, Sampling, versions_of
from emollms.prompts.framing import Template
from emollms.storage import weights_hash

Found = TypeVar("Found")
Ids = list[int]

_PARTS = 8
"""In about so many parts of like length the prompts of a batch are read: less padding takes less time. On a CPU answers
are scored part by part, too: some hundred tokens are enough for full speed, and what is copied of their caches stays
small. Steps of one token a row, and GPUs, need all rows of a batch together."""


class TransformersEngine:
    """An engine around a loaded model; see `loading.load` for one from a path.

    Args:
        model: a model of transformers, on its device.
        tokenizer: its tokenizer.
        name: what the manifest calls it.
        revision: what the manifest says about its version.
        template: see `emollms.prompts.framing.resolve_template`.
        batch_tokens: the most tokens that go through the model at once; None for 4,096 on CPU, and on GPU for what its
            free memory holds, see `batching.fitting_tokens`.
        prefix_caching: whether prefixes that prompts share are computed once.
        dtype_reason: why its numbers are of their type, for the manifest; None where the caller chose.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        name: str,
        revision: str | None = None,
        template: Template = "auto",
        batch_tokens: int | None = None,
        prefix_caching: bool = True,
        dtype_reason: str | None = None,
    ) -> None:
        if getattr(model, "_is_stateful", False):
            raise UsageError(f"{name} keeps a recurrent state, which this engine cannot share; use --engine endpoint")
        self.model, self.name, self.revision = model.eval(), name, revision
        self.prefix_caching = prefix_caching
        self.encoder = PromptEncoder(tokenizer, model, template)
        self.dtype_reason = dtype_reason
        self.batch_tokens = batch_tokens or fitting_tokens(model.device, model.config.get_text_config(), model.dtype)
        self._part_tokens = max(1, self.batch_tokens // _PARTS)
        with torch.inference_mode():
            self.runner: ModelRunner = (
                EncoderDecoderRunner(model, self.encoder.pad, self.encoder.decoder_start)
                if self.encoder.seq2seq
                else DecoderRunner(model, self.encoder.pad, self._part_tokens, self.batch_tokens)
            )

    def generate(
        self, prompts: Sequence[str], sampling: Sampling, skip: Container[int] = ()
    ) -> Iterator[EngineResult[str]]:
        """See `Engine.generate`."""
        ids = [self.encoder.prompt(prompt) for prompt in prompts]
        self._check(ids, sampling.max_new_tokens)

        def run(state: DecodingState, batch: Batch) -> list[str]:
            return self._answers(
                state, [prompts[row] for row in batch.rows], [ids[row] for row in batch.rows], sampling
            )

        yield from self._run(ids, run, skip, after=sampling.max_new_tokens, width=1, grows=True)

    def score(
        self,
        prompts: Sequence[str],
        continuations: Sequence[Sequence[str]],
        tolerance: float = 0.0,
        skip: Container[int] = (),
    ) -> Iterator[EngineResult[list[float]]]:
        """See `Engine.score`."""
        found = [
            self.encoder.candidates(self.encoder.tail(prompt), tuple(some))
            for prompt, some in zip(prompts, continuations, strict=True)
        ]
        ids = [self._before(self.encoder.prompt(prompt), some) for prompt, some in zip(prompts, found, strict=True)]
        # With a tolerance, how many nodes are opened is not known before; the number only sizes batches.
        width = max((_nodes(some) if tolerance == 0 else 16 for some in set(found)), default=1)
        self._check(ids, max((some.longest for some in found), default=0))

        def run(state: DecodingState, batch: Batch) -> list[list[float]]:
            return token_trie.score_trie([found[row].tree for row in batch.rows], state.expand, tolerance)

        yield from self._run(ids, run, skip, after=width, width=width)

    def describe(self) -> EngineInfo:
        """See `Engine.describe`."""
        path = Path(self.name)
        revision = self.revision or getattr(self.model.config, "_commit_hash", None)
        return EngineInfo(
            engine="transformers",
            model=self.name,
            revision=revision or (weights_hash(path) if path.is_dir() else None),
            dtype=str(self.model.dtype).removeprefix("torch."),
            device=device_name(self.model.device),
            template=self.encoder.template,
            settings={
                "batch_tokens": self.batch_tokens,
                "threads": torch.get_num_threads(),
                "attention": getattr(self.model.config, "_attn_implementation", None),
                "dtype_reason": self.dtype_reason,
            },
            versions=versions_of(("emollms", "torch", "transformers", "tokenizers", "peft")),
        )

    def close(self) -> None:
        """Let go of the model."""
        del self.runner, self.model
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _before(self, ids: Ids, candidates: AnswerCandidates) -> Ids:
        return ids[: len(ids) - candidates.replaced]

    def fits(self, prompt: str, after: int) -> bool:
        """Whether the model has room for a prompt and an answer of `after` tokens."""
        return self._needed([self.encoder.prompt(prompt)], after) <= (self._room or math.inf)

    @property
    def _room(self) -> int | None:
        """The most tokens that the model takes; None where there is no limit."""
        most: int | None = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        return most

    def _needed(self, ids: Sequence[Ids], after: int) -> int:
        return max(map(len, ids), default=0) + (0 if self.encoder.seq2seq else after)

    def _check(self, ids: Sequence[Ids], after: int) -> None:
        longest = self._needed(ids, after)
        if self._room and longest > self._room:
            raise EngineError(
                f"{self.name} takes {self._room} tokens, but a prompt with its answer needs {longest}; shorten the text"
            )

    def _run(
        self,
        ids: Sequence[Ids],
        run: Callable[[DecodingState, Batch], list[Found]],
        skip: Container[int],
        after: int,
        width: int,
        grows: bool = False,
    ) -> Iterator[EngineResult[Found]]:
        """Read the prompts in batches, and give what `run` finds for each row that is not skipped."""
        config = self.model.config.get_text_config()
        budget = Budget(
            tokens=self.batch_tokens if grows or self.model.device.type != "cpu" else self._part_tokens,
            logits=max(1, MAX_LOGITS * max(1, self.batch_tokens // ON_GPU) // config.vocab_size),
            window=None if self.encoder.seq2seq else getattr(config, "sliding_window", None),
        )
        todo = list(plan(ids, budget, after, width, self.prefix_caching and not self.encoder.seq2seq, grows))[::-1]
        while todo:
            batch, start = todo.pop(), time.perf_counter()
            # A batch with one wanted row is computed whole: other neighbours would change the last bits of its numbers.
            if all(row in skip for row in batch.rows):
                continue
            try:
                with torch.inference_mode():
                    values = run(self._read(ids, batch), batch)
            except torch.OutOfMemoryError:
                # Halves are put where the batch was, so results keep their order.
                todo += _halves(batch)
                torch.cuda.empty_cache()
                continue
            seconds = (time.perf_counter() - start) / len(batch.rows)
            found = zip(batch.rows, values, strict=True)
            yield from (EngineResult(row, value, seconds) for row, value in found if row not in skip)

    def _read(self, ids: Sequence[Ids], batch: Batch) -> DecodingState:
        cuts = list(zip(batch.rows, batch.shared, strict=True))
        return self.runner.start([ids[row][:cut] for row, cut in cuts], [ids[row][cut:] for row, cut in cuts])

    def _answers(
        self, state: DecodingState, prompts: Sequence[str], ids: Sequence[Ids], sampling: Sampling
    ) -> list[str]:
        """Generate for one batch; rows that are done leave it as soon as they are half of it."""
        answers: list[Ids] = [[] for _ in prompts]
        randoms = [row_random(sampling.seed, prompt) for prompt in prompts]
        active, done = list(range(len(prompts))), set[int]()
        for count in range(1, sampling.max_new_tokens + 1):
            seen = [[*ids[row], *answers[row]] for row in active] if sampling.repetition_penalty != 1 else []
            if state.logits.isnan().any():
                raise EngineError(f"{NO_NUMBERS} (NaN logits); tune {self.name} again")
            tokens = next_tokens(state.logits, sampling, seen, [randoms[row] for row in active])
            for row, token in zip(active, tokens, strict=True):
                if row not in done:
                    answers[row].append(token)
                    done.update([row] if self.encoder.is_over(answers[row]) else [])
            left = [place for place, row in enumerate(active) if row not in done]
            if not left or count == sampling.max_new_tokens:
                break
            state.step(tokens)
            if 2 * len(left) <= len(active):
                state.select(left)
                active = [active[place] for place in left]
        return [self.encoder.text(answer) for answer in answers]


def _nodes(candidates: AnswerCandidates) -> int:
    return sum(1 for _ in candidates.tree.inner())


def _halves(batch: Batch) -> list[Batch]:
    """Two batches for one that was too big.

    Raises:
        EngineError: it holds a single row.
    """
    middle = len(batch.rows) // 2
    if not middle:
        raise EngineError("out of memory on a single row; use a smaller model, or --dtype bfloat16")
    halves = slice(middle, None), slice(middle)
    return [Batch(batch.rows[half], batch.shared[half]) for half in halves]


def device_name(device: torch.device) -> str:
    """A device, and which."""
    return f"{device} ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else str(device)


def row_random(seed: int, prompt: str) -> random.Random:
    """The random numbers of one row: its own, so that no neighbour in a batch changes what is drawn for it."""
    return random.Random(f"{seed}\0{prompt}")


def next_tokens(
    logits: torch.Tensor, sampling: Sampling, seen: Sequence[Sequence[int]], randoms: Sequence[random.Random]
) -> list[int]:
    """The next token of each row.

    Args:
        logits: rows × vocabulary.
        sampling: how to choose.
        seen: the tokens of each row so far, its prompt included; used by the repetition penalty alone.
        randoms: the random numbers of each row; used where the temperature is not 0.
    """
    logits = logits.float()
    if sampling.repetition_penalty != 1:
        logits = _penalized(logits, seen, sampling.repetition_penalty)
    if sampling.temperature == 0:
        return [int(token) for token in logits.argmax(-1).tolist()]
    size = logits.shape[-1]
    scores, tokens = logits.topk(min(sampling.top_k or size, size))  # sorted, the likeliest first
    probabilities = torch.softmax(scores / sampling.temperature, -1)
    # The token that crosses top_p is kept, as in transformers.
    before = probabilities.cumsum(-1) - probabilities
    probabilities = probabilities.masked_fill(before >= sampling.top_p, 0.0)
    totals = probabilities.cumsum(-1)
    drawn = torch.tensor([[one.random()] for one in randoms], device=totals.device) * totals[:, -1:]
    picked = (totals <= drawn).sum(-1, keepdim=True).clamp(max=totals.shape[-1] - 1)
    return [int(token) for token in tokens.gather(-1, picked).squeeze(-1).tolist()]


def _penalized(logits: torch.Tensor, seen: Sequence[Sequence[int]], penalty: float) -> torch.Tensor:
    logits = logits.clone()
    for row, tokens in enumerate(seen):
        index = torch.tensor(sorted(set(tokens)), device=logits.device)
        scores = logits[row, index]
        logits[row, index] = torch.where(scores < 0, scores * penalty, scores / penalty)
    return logits
