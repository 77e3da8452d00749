"""What must hold before a merged model is put in its place."""

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
"""How far a logit may be from that of base and adapter, as a share of the largest one. In float32 it is rounding; in
the others the merged weights themselves are rounded, to 11 and to 8 bits, which the base's were before the merge."""

_KEPT = 16
"""Places at the end of a prompt whose logits are compared."""
_TEXTS = (
    ("EI-reg", "joy", "The last train is gone, and we walk home singing 🎶 at 3:45"),
    ("V-oc", None, "Ça va… not the worst Monday I ever had!!"),
    ("E-c", None, "They closed the library; 1,204 of us signed, and nobody even answered :("),
)

Answers = list[torch.Tensor]
Framing = Literal["frame", "chat"]


def prompts() -> list[str]:
    """A few prompts of several tasks, with digits, emoji and accents."""
    return [prompt(get_task(task), text, number, emotion) for number, (task, emotion, text) in enumerate(_TEXTS)]


@torch.no_grad()
def answers(model: Any, tokenizer: Any, template: Framing) -> Answers:
    """The logits at the end of each prompt; of an encoder-decoder those of the first places of an answer.

    Raises:
        EmollmsError: the tokenizer has tokens that the model does not know, or a logit is no number.
    """
    found, length = [], int(model.get_input_embeddings().weight.shape[0])
    for text in prompts():
        ids = tokenizer(model_input(tokenizer, text, template)).input_ids
        if max(ids) >= length:
            raise EmollmsError(
                f"the tokenizer gives token {max(ids)}, and the model knows {length}; name the base with --base that "
                "the adapter was made for"
            )
        inputs = {"input_ids": torch.tensor([ids])}
        if model.config.is_encoder_decoder:
            start = model.config.decoder_start_token_id
            inputs["decoder_input_ids"] = torch.tensor([[start, *tokenizer("0.514").input_ids]])
        found.append(model(**inputs, use_cache=False).logits[0, -_KEPT:].float().clone())
        if not torch.isfinite(found[-1]).all():
            raise EmollmsError(f"{NO_NUMBERS} (NaN or infinite logits); tune it again")
    return found


def check_same(wanted: Answers, found: Answers, dtype: str) -> float:
    """The largest difference of two models, as a share of the largest logit.

    Args:
        wanted: of base and adapter.
        found: of the merged model.
        dtype: type of the merged model's numbers.

    Raises:
        EmollmsError: it is above the bound, or no number.
    """
    largest = max(float(one.abs().max()) for one in wanted)
    differences = [float((one - other).abs().max()) for one, other in zip(wanted, found, strict=True)]
    share = max(differences) / max(largest, 1.0)
    if not share <= BOUNDS[dtype]:
        raise EmollmsError(
            f"the merged model is not the model of the run: logits differ by {share:.2g} of the largest, and {dtype} "
            f"allows {BOUNDS[dtype]:.0e}; nothing was kept"
        )
    return share


def check_tokenizer(folder: Path, tokenizer: Any, template: Framing) -> Any:
    """Read the tokenizer that was written, and make sure that it is the one that was trained with.

    Raises:
        EmollmsError: it is not, or lacks the chat template that the run was made with.
    """
    written = AutoTokenizer.from_pretrained(folder)
    if template == "chat" and not written.chat_template:
        raise EmollmsError("the run was made with a chat template, and the tokenizer has none; nothing was kept")
    for text in prompts():
        before, after = (one(model_input(one, text, template)).input_ids for one in (tokenizer, written))
        if before != after:
            raise EmollmsError(f"the tokenizer reads {text[-60:]!r} in another way when it is loaded again")
    return written
