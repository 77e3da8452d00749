"""Rows as tokens: the prompt as inference reads it, the answer as it is to be said, and the token that ends it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from emollms.inference.encoding import PromptEncoder
from emollms.prompts.framing import model_input

IGNORED = -100
"""The label of a token that is not learnt."""
_ANSWER = "0.5"


@dataclass(frozen=True)
class Encoded:
    """A row as a model is trained on it.

    Args:
        ids: what it reads: prompt and answer for a decoder, the prompt for an encoder.
        labels: what it is to say, with its end; for a decoder these are the last tokens of `ids`.
    """

    ids: list[int]
    labels: list[int]


def encode(codec: PromptEncoder, prompts: Sequence[str], answers: Sequence[str]) -> list[Encoded]:
    """The rows as tokens. What inference reads before an answer is what stands before the answer here.

    Where a tokenizer merges the end of the prompt with the answer, the answer begins where the two part: see
    `Candidates.replaced`.

    Args:
        codec: the tokenizer of the model.
        prompts: prompts as rows hold them.
        answers: the answer to each.
    """
    framed = [model_input(codec.tokenizer, prompt, codec.template) for prompt in prompts]
    before = codec.contexts(framed)
    if codec.seq2seq:
        targets = codec.tokenizer(text_target=list(answers)).input_ids
        return [Encoded(ids, list(target)) for ids, target in zip(before, targets, strict=True)]
    end = end_of_answer(codec)
    whole = codec.contexts([text + answer for text, answer in zip(framed, answers, strict=True)])
    return [_causal(ids, start, end) for ids, start in zip(whole, before, strict=True)]


def _causal(ids: list[int], before: list[int], end: int) -> Encoded:
    shared = 0
    while shared < len(before) and shared < len(ids) and before[shared] == ids[shared]:
        shared += 1
    return Encoded([*ids, end], [*ids[shared:], end])


def end_of_answer(codec: PromptEncoder) -> int:
    """The token that ends an answer of a decoder: in a chat that which ends the turn, else the tokenizer's end.

    Generation stops at it, since it is one of `codec.ends`.
    """
    if codec.template == "chat":
        after = _rendered(codec.tokenizer).rpartition(_ANSWER)[2]
        for token in codec.tokenizer(after, add_special_tokens=False).input_ids:
            if token in codec.ends:
                return int(token)
    return int(codec.tokenizer.eos_token_id)


def _rendered(tokenizer: Any) -> str:
    """A conversation with an answer in it."""
    turns = [{"role": "user", "content": "?"}, {"role": "assistant", "content": _ANSWER}]
    text: str = tokenizer.apply_chat_template(turns, tokenize=False)
    return text
