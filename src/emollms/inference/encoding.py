"""Prompts and continuations as tokens. Special tokens come from the tokenizer and the model, never from a constant."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from emollms.inference import token_trie
from emollms.inference.batching import common_prefix
from emollms.inference.engine import first_line, is_line
from emollms.prompts.framing import Template, model_input, resolve_template

_TAIL = 24
"""Characters before an answer that can decide how its first token is cut."""


@dataclass(frozen=True)
class AnswerCandidates:
    """The tokens of continuations, where an answer begins.

    Args:
        tree: their tokens, as a tree.
        replaced: tokens at the end of the prompt that the tokenizer merges with the answer, so that they belong to
            the continuations; 0 for almost every tokenizer.
        longest: the tokens of the longest.
    """

    tree: token_trie.TrieNode
    replaced: int
    longest: int


class PromptEncoder:
    """The tokenizer of one model.

    Args:
        tokenizer: a tokenizer of transformers.
        model: its model, for the special tokens that only its configuration knows.
        template: see `emollms.prompts.framing.resolve_template`.
    """

    def __init__(self, tokenizer: Any, model: Any, template: Template = "auto") -> None:
        self.tokenizer = tokenizer
        self.template = resolve_template(tokenizer, template)
        self.seq2seq = bool(model.config.is_encoder_decoder)
        self.ends = _ends(tokenizer, model)
        self.special = frozenset(tokenizer.all_special_ids)
        self.pad = next((token for token in (tokenizer.pad_token_id, *self.ends) if token is not None), 0)
        self.decoder_start = self._decoder_start(model) if self.seq2seq else ()
        self.candidates = lru_cache(maxsize=256)(self._candidates)

    def prompt(self, prompt: str) -> list[int]:
        """The tokens of a prompt in its frame; for a decoder, without the end that some tokenizers add."""
        return self._context(model_input(self.tokenizer, prompt, self.template))

    def tail(self, prompt: str) -> str:
        """The last characters that the model reads before its answer."""
        return model_input(self.tokenizer, prompt, self.template)[-_TAIL:]

    def _context(self, text: str) -> list[int]:
        return self.contexts([text])[0]

    def contexts(self, texts: Sequence[str]) -> list[list[int]]:
        """The tokens of framed texts; for a decoder, without the end that some tokenizers add."""
        found: list[list[int]] = [list(ids) for ids in self.tokenizer(list(texts)).input_ids]
        for ids, text in zip(found, texts, strict=True):
            while not self.seq2seq and len(ids) > 1 and ids[-1] in self.ends and not _ends_in_special(self, text):
                ids.pop()
        return found

    def _decoder_start(self, model: Any) -> tuple[int, ...]:
        """What a decoder starts with: the model's start token, and what answers begin with in training."""
        forced = getattr(model.generation_config, "forced_bos_token_id", None)
        target = list(self.tokenizer(text_target="a").input_ids)
        leading = [token for token in target[:1] if token in self.special]
        first = model.config.decoder_start_token_id
        start = first if first is not None else self.pad
        return (start, *([forced] if forced is not None else leading))

    def _candidates(self, tail: str, continuations: tuple[str, ...]) -> AnswerCandidates:
        if self.seq2seq:
            found = [self._target(text) for text in continuations]
            return AnswerCandidates(token_trie.build_trie(found), 0, max(map(len, found), default=0))
        # With the end of the prompt, since some tokenizers merge its last characters with the first of an answer.
        before = self._context(tail)
        whole = [self._context(tail + text) for text in continuations]
        shared = min((common_prefix(before, ids) for ids in whole), default=len(before))
        found = [ids[shared:] for ids in whole]
        return AnswerCandidates(token_trie.build_trie(found), len(before) - shared, max(map(len, found), default=0))

    def _target(self, text: str) -> list[int]:
        ids: list[int] = list(self.tokenizer(text_target=text).input_ids)
        return [token for token in ids if token not in self.special]

    def text(self, ids: Sequence[int]) -> str:
        """The answer that generated tokens spell."""
        return first_line(self.tokenizer.decode(list(ids), skip_special_tokens=True))

    def is_over(self, ids: Sequence[int]) -> bool:
        """Whether an answer has come to its end: an end token, or a line break after something that can be seen."""
        if ids[-1] in self.ends:
            return True
        if not self._breaks_line(ids[-1]):
            return False
        return is_line(self.tokenizer.decode(list(ids), skip_special_tokens=True))

    @cache  # noqa: B019 - as many as there are tokens, and the encoder lives as long as the model
    def _breaks_line(self, token: int) -> bool:
        return "\n" in self.tokenizer.decode([token])


def _ends(tokenizer: Any, model: Any) -> frozenset[int]:
    """All tokens that end an answer: chat models have several."""
    named = getattr(model.generation_config, "eos_token_id", None)
    named = named if isinstance(named, list) else [named]
    return frozenset(token for token in (*named, model.config.eos_token_id, tokenizer.eos_token_id) if _is_token(token))


def _is_token(token: object) -> bool:
    return isinstance(token, int)


def _ends_in_special(encoder: PromptEncoder, text: str) -> bool:
    """Whether the text itself, and not the tokenizer, ends in an end token."""
    end = encoder.tokenizer.eos_token
    return bool(end) and text.endswith(end)
