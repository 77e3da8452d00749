"""From a prompt to what one model reads: the one place where training and inference put the frame around it."""

from typing import Any, Literal, get_args

from emollms.errors import UsageError, unknown
from emollms.prompts.template import frame

Template = Literal["auto", "frame", "chat"]


def resolve_template(tokenizer: Any, template: Template = "auto") -> Literal["frame", "chat"]:
    """Which of the two ways a model is asked in.

    Args:
        tokenizer: a tokenizer of transformers, or None where nobody has one; then nothing but the frame is left.
        template: `frame` (`Human: … Assistant:`), `chat` (the tokenizer's own chat template), or `auto`: the chat
            template where there is one.

    Raises:
        UsageError: there is no such way, or no chat template.
    """
    if template not in get_args(Template):
        raise unknown("template", template, get_args(Template))
    has_chat = bool(getattr(tokenizer, "chat_template", None))
    if template == "chat" and not has_chat:
        raise UsageError("the model's tokenizer has no chat template; use --template frame")
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
    first = tokenizer.bos_token
    adds_it = first is not None and tokenizer("").input_ids[:1] == [tokenizer.bos_token_id]
    return text.removeprefix(first) if adds_it else text
