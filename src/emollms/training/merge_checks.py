"""The checks of a merged model: the tokens and logits of base and adapter, before it appears at its place."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from transformers import AutoTokenizer

from emollms.errors import EmollmsError
from emollms.inference.engine import NO_NUMBERS
from emollms.prompts.framing import model_input
from emollms.prompts.template import prompt
from emollms.tasks import get_task

BOUNDS: Mapping[str, float] = {"float32": 1e-5, "float16": 1e-2, "bfloat16": 6e-2}
"""How far a logit may be from that of base and adapter, as a fraction of the largest one. In float32 only sums are
rounded. In float16 and bfloat16 the merged weights themselves are rounded, to 11 and 8 bits: the base's were too, but
the adapter's small changes were not."""

_KEPT = 16
"""Positions at the end of a prompt whose logits are compared."""
_TEXTS = (
    ("EI-reg", "joy", "The last train is gone, and we walk home singing 🎶 at 3:45"),
    ("V-oc", None, "Ça va… not the worst Monday I ever had!!"),
    ("E-c", None, "They closed the library; 1,204 of us signed, and nobody even answered :("),
)

Answers = list[torch.Tensor]
Framing = Literal["frame", "chat", "text"]
"""How a model was asked; `text` is for classifiers, which read the text alone."""


def prompts() -> list[str]:
    """A few prompts of several tasks, with digits, emoji and accents."""
    return [prompt(get_task(task), text, number, emotion) for number, (task, emotion, text) in enumerate(_TEXTS)]


def inputs(tokenizer: Any, template: Framing) -> list[str]:
    """What a model reads of these, before its tokenizer adds what it adds."""
    if template == "text":
        return [text for _, _, text in _TEXTS]
    return [model_input(tokenizer, text, template) for text in prompts()]


@torch.no_grad()
def answers(model: Any, tokenizer: Any, template: Framing) -> Answers:
    """The logits at the end of each prompt; for an encoder-decoder, those at the beginning of an answer.

    Those of a classifier are all its outputs.

    Raises:
        EmollmsError: the tokenizer has tokens that the model lacks, or a logit is not finite.
    """
    found, length = [], int(model.get_input_embeddings().weight.shape[0])
    for text in inputs(tokenizer, template):
        ids = tokenizer(text).input_ids
        if max(ids) >= length:
            raise EmollmsError(
                f"the tokenizer gives token {max(ids)}, and the model knows {length}; give the base that the adapter "
                "was made for with --base"
            )
        given: dict[str, Any] = {"input_ids": torch.tensor([ids])}
        if template != "text":
            given["use_cache"] = False
            if model.config.is_encoder_decoder:
                start = model.config.decoder_start_token_id
                given["decoder_input_ids"] = torch.tensor([[start, *tokenizer("0.514").input_ids]])
        logits = model(**given).logits[0]
        found.append((logits if template == "text" else logits[-_KEPT:]).float().clone())
        if not torch.isfinite(found[-1]).all():
            raise EmollmsError(f"{NO_NUMBERS} (NaN or infinite logits); tune it again")
    return found


def check_same(wanted: Answers, found: Answers, dtype: str) -> float:
    """The largest difference of the logits of two models, as a fraction of the largest logit.

    Args:
        wanted: of base and adapter.
        found: of the merged model.
        dtype: type of the merged model's weights.

    Raises:
        EmollmsError: it is above the bound, or not finite.
    """
    largest = max(float(one.abs().max()) for one in wanted)
    differences = [float((one - other).abs().max()) for one, other in zip(wanted, found, strict=True)]
    share = max(differences) / max(largest, 1.0)
    if not share <= BOUNDS[dtype]:  # and not `share > …`, which is false for NaN
        raise EmollmsError(
            f"the merged model is not that of the run: its logits differ by {share:.2g} of the largest, and {dtype} "
            f"allows {BOUNDS[dtype]:.0e}; nothing was written"
        )
    return share


def check_tokenizer(folder: Path, tokenizer: Any, template: Framing) -> Any:
    """Read the tokenizer that was written, and check that it is the one of the training.

    Raises:
        EmollmsError: it is not, or lacks the chat template of the training.
    """
    written = AutoTokenizer.from_pretrained(folder)
    if template == "chat" and not written.chat_template:
        raise EmollmsError("the run was trained with a chat template, and its tokenizer has none; nothing was written")
    for one, other in zip(inputs(tokenizer, template), inputs(written, template), strict=True):
        if tokenizer(one).input_ids != written(other).input_ids:
            raise EmollmsError(
                f"the tokenizer reads {one[-60:]!r} differently once it is loaded again; nothing was written"
            )
    return written
