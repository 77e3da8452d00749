"""From a prompt to what one model reads: the one place where training and inference put the frame around it."""

from collections.abc import Mapping
from typing import Any, Literal, get_args

from emollms.errors import UsageError, unknown
from emollms.prompts.template import frame

Template = Literal["auto", "frame", "chat"]

TEMPLATES: Mapping[Template, str] = {
    "auto": "the model's chat template where it has one, else the frame; the frame for the models of the paper",
    "frame": "`Human: … Assistant:`, as the models of the paper were tuned",
    "chat": "the chat template of the model's tokenizer",
}
"""How a prompt is framed for a model."""
PUBLISHED = frozenset(
    f"lzw1008/{name}"
    for name in (
        "emollama-7b", "emollama-chat-7b", "emollama-chat-13b", "emoopt-13b", "emobloom-7b", "emot5-large",
        "emobart-large",
    )
)  # fmt: skip
"""The seven models of the paper on the Hub, in lower case. They were tuned in the frame, chat models too, and their
tokenizers do not say so (github.com/lzw108/EmoLLMs)."""


def resolve_template(tokenizer: Any, template: Template = "auto") -> Literal["frame", "chat"]:
    """Which of the two ways a model is asked in.

    Args:
        tokenizer: a tokenizer of transformers, or None where there is none; then only the frame is left.
        template: `frame` (`Human: … Assistant:`), `chat` (the tokenizer's own chat template), or `auto`: the chat
            template where there is one, but the frame for the models of the paper.

    Raises:
        UsageError: there is no such way, or no chat template.
    """
    if template not in get_args(Template):
        raise unknown("template", template, get_args(Template))
    has_chat = bool(getattr(tokenizer, "chat_template", None))
    if template == "chat" and not has_chat:
        raise UsageError("the model's tokenizer has no chat template; use --template frame")
    if template == "auto" and str(getattr(tokenizer, "name_or_path", "")).lower() in PUBLISHED:
        return "frame"
    return "chat" if has_chat and template != "frame" else "frame"


def model_input(tokenizer: Any, prompt: str, template: Template = "auto") -> str:
    """The text that a model reads before its answer; the answer follows at once.

    Special tokens that the tokenizer adds by itself are left out, so that `tokenizer(model_input(…))` has each of
    them once, at training and at inference.

    Args:
        tokenizer: a tokenizer of transformers, or None.
        prompt: the prompt of a row, as `emollms.prompts.template.prompt` makes it.
        template: see `resolve_template`.
    """
    if resolve_template(tokenizer, template) == "frame":
        return frame(prompt)
    message = [{"role": "user", "content": prompt}]
    text: str = tokenizer.apply_chat_template(
        message, tokenize=False, add_generation_prompt=True, enable_thinking=False
    )
    return text.removeprefix(tokenizer.bos_token) if _begins_by_itself(tokenizer) else text


def framing_chat_template(tokenizer: Any) -> str:
    """A chat template that puts the frame around what a user says.

    A model that was trained in the frame and carries this template is prompted correctly through the chat API.

    Args:
        tokenizer: a tokenizer of transformers.
    """
    before, after = (repr(part) for part in frame("|").split("|"))
    first = "{{ bos_token }}" if _begins_by_itself(tokenizer) else ""
    return (
        f"{first}{{% for message in messages %}}{{% if message['role'] == 'assistant' %}}"
        f"{{{{ message['content'] + eos_token }}}}"
        f"{{% else %}}{{{{ {before} + message['content'] + {after} }}}}{{% endif %}}{{% endfor %}}"
    )


def _begins_by_itself(tokenizer: Any) -> bool:
    """Whether a tokenizer puts its first token before a text by itself."""
    return tokenizer.bos_token is not None and tokenizer("").input_ids[:1] == [tokenizer.bos_token_id]
