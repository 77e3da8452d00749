"""Offline vLLM, for GPUs."""

from collections.abc import Container, Iterator, Sequence
from time import perf_counter
from types import SimpleNamespace
from typing import Any

from emollms.hardware import Precision, default_device, inference_precision
from emollms.inference import token_trie
from emollms.inference.encoding import AnswerCandidates, PromptEncoder
from emollms.inference.engine import EngineInfo, EngineResult, Sampling, versions_of
from emollms.inference.token_trie import UNSEEN, TrieNode
from emollms.optional import require
from emollms.prompts.framing import Template

FEW = 32
"""Up to so many candidates go through whole; for more, the likeliest next tokens are asked for, step by step."""
TOP = 20
"""How many next tokens vLLM names with their log-probabilities; its default limit."""


class VllmEngine:
    """A model in vLLM; decoder-only models.

    Args:
        model: folder or repository.
        revision: branch, tag or commit.
        dtype: as vLLM knows it; `auto` for what suits the device, see `emollms.hardware.inference_precision`.
        template: see `emollms.prompts.framing.resolve_template`.
        batch_rows: how many rows are handed over at a time, and come back together.
        options: further arguments of `vllm.LLM`.

    Raises:
        UsageError: vLLM is not installed.
    """

    def __init__(
        self,
        model: str,
        revision: str | None = None,
        dtype: str = "auto",
        template: Template = "auto",
        batch_rows: int = 512,
        **options: Any,
    ) -> None:
        vllm = require("vllm", None, "--engine vllm")
        precision = inference_precision(default_device()) if dtype == "auto" else Precision(dtype, "asked for")
        self.name, self.revision, self.batch_rows = model, revision, batch_rows
        self.dtype, self.dtype_reason = precision.name, precision.reason
        self._vllm: Any = vllm
        named = {"model": model, "revision": revision, "dtype": self.dtype, "max_logprobs": TOP}
        self.llm: Any = vllm.LLM(**named, enable_prefix_caching=True, **options)
        config = self.llm.llm_engine.model_config.hf_config
        defaults = self.llm.get_default_sampling_params()
        ends = sorted(getattr(defaults, "stop_token_ids", None) or [])
        shim = SimpleNamespace(config=config, generation_config=SimpleNamespace(eos_token_id=ends))
        self.encoder = PromptEncoder(self.llm.get_tokenizer(), shim, template)

    def generate(
        self, prompts: Sequence[str], sampling: Sampling, skip: Container[int] = ()
    ) -> Iterator[EngineResult[str]]:
        """See `Engine.generate`."""
        params = self._vllm.SamplingParams(
            max_tokens=sampling.max_new_tokens, temperature=sampling.temperature, top_p=sampling.top_p,
            top_k=sampling.top_k, repetition_penalty=sampling.repetition_penalty, seed=sampling.seed,
            stop_token_ids=sorted(self.encoder.ends),
        )  # fmt: skip
        for rows in self._batches(len(prompts), skip):
            start = perf_counter()
            outputs = self._request([self.encoder.prompt(prompts[row]) for row in rows], params)
            seconds = (perf_counter() - start) / len(rows)
            for row, output in zip(rows, outputs, strict=True):
                if row not in skip:
                    yield EngineResult(row, self.encoder.text(output.outputs[0].token_ids), seconds)

    def score(
        self,
        prompts: Sequence[str],
        continuations: Sequence[Sequence[str]],
        tolerance: float = 0.0,
        skip: Container[int] = (),
    ) -> Iterator[EngineResult[list[float]]]:
        """See `Engine.score`; of more than `FEW` candidates, those among the likeliest tokens are found."""
        for rows in self._batches(len(prompts), skip):
            start = perf_counter()
            some, asked = [prompts[row] for row in rows], [continuations[row] for row in rows]
            found = [
                self.encoder.candidates(self.encoder.tail(one), tuple(c)) for one, c in zip(some, asked, strict=True)
            ]
            ids = [self._before(one, candidates) for one, candidates in zip(some, found, strict=True)]
            many = any(len(candidates) > FEW for candidates in asked)
            values = self._step_by_step(ids, found, tolerance) if many else self._whole(ids, found)
            seconds = (perf_counter() - start) / len(some)
            pairs = zip(rows, values, strict=True)
            yield from (EngineResult(row, value, seconds) for row, value in pairs if row not in skip)

    def describe(self) -> EngineInfo:
        """See `Engine.describe`."""
        return EngineInfo(
            engine="vllm",
            model=self.name,
            revision=self.revision or getattr(self.llm.llm_engine.model_config.hf_config, "_commit_hash", None),
            dtype=str(self.llm.llm_engine.model_config.dtype).removeprefix("torch."),
            device="vllm",
            template=self.encoder.template,
            settings={"batch_rows": self.batch_rows, "top": TOP, "dtype_reason": self.dtype_reason},
            versions=versions_of(("emollms", "vllm", "torch", "transformers")),
        )

    def close(self) -> None:
        """Let go of the model."""
        del self.llm

    def _batches(self, count: int, skip: Container[int]) -> Iterator[range]:
        """The rows that are handed over together; without those batches of which no row is wanted."""
        for first in range(0, count, self.batch_rows):
            rows = range(first, min(first + self.batch_rows, count))
            if not all(row in skip for row in rows):
                yield rows

    def _before(self, prompt: str, candidates: AnswerCandidates) -> list[int]:
        ids = self.encoder.prompt(prompt)
        return ids[: len(ids) - candidates.replaced]

    def _request(self, ids: Sequence[Sequence[int]], params: Any) -> Any:
        return self.llm.generate([{"prompt_token_ids": list(one)} for one in ids], params, use_tqdm=False)

    def _whole(self, ids: list[list[int]], found: list[AnswerCandidates]) -> list[list[float]]:
        """Each candidate with its prompt; vLLM gives the log-probabilities of what it read."""
        whole = [(row, path) for row, one in enumerate(found) for path in _paths(one.tree)]
        params = self._vllm.SamplingParams(max_tokens=1, temperature=0.0, prompt_logprobs=1)
        outputs = self._request([[*ids[row], *path] for row, path in whole], params)
        values = [[0.0] * one.tree.leaves for one in found]
        for (row, path), output in zip(whole, outputs, strict=True):
            read = output.prompt_logprobs[len(ids[row]) :]
            for end in _ends_at(found[row].tree, path):
                values[row][end] = sum(at[token].logprob for at, token in zip(read, path, strict=True))
        return values

    def _step_by_step(self, ids: list[list[int]], found: list[AnswerCandidates], tolerance: float) -> list[list[float]]:
        params = self._vllm.SamplingParams(max_tokens=1, temperature=0.0, logprobs=TOP)

        def expand(wanted: list[list[TrieNode]]) -> list[list[list[float]]]:
            outputs = iter(
                self._request([[*ids[row], *node.path] for row, nodes in enumerate(wanted) for node in nodes], params)
            )
            return [[_children(node, next(outputs).outputs[0].logprobs[0]) for node in nodes] for nodes in wanted]

        return token_trie.score_trie([one.tree for one in found], expand, max(tolerance, 1e-6))


def _children(node: TrieNode, likeliest: Any) -> list[float]:
    return [likeliest[token].logprob if token in likeliest else UNSEEN for token in node.children]


def _paths(node: TrieNode) -> list[tuple[int, ...]]:
    """The tokens of each candidate, once."""
    return [node.path] * bool(node.ends) + [path for child in node.children.values() for path in _paths(child)]


def _ends_at(node: TrieNode, path: Sequence[int]) -> list[int]:
    for token in path:
        node = node.children[token]
    return node.ends
