"""A model as whoever gets it sees it: it loads, reads a sentence, and is the same in another form."""

from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer, GgufConfig

from emollms.errors import EmollmsError
from emollms.inference.loading import in_a_line, load_tokenizer, open_model
from emollms.inference.weights import check_reads


def load_and_read(folder: Path) -> None:
    """Load a model with its tokenizer, and let it read a sentence; code that comes with a model is never run.

    Raises:
        EmollmsError: it does not load, its weights do not fill it exactly, or it gives no numbers.
    """
    try:
        tokenizer = load_tokenizer(str(folder))
        model = open_model(str(folder), None, "auto")
    except EmollmsError:
        raise
    except Exception as error:  # readers of damaged or unknown files raise anything
        raise EmollmsError(f"the model does not load: {in_a_line(error)}") from error
    check_reads(model, tokenizer, str(folder))


SAMPLES = (
    "It is a sunny day.",
    "Nobody came to the party, and the cake",
    "The score is",
    "Human: \nHow angry is this?\n\nAssistant:\n",
)
"""What both models read."""
LEAST_SAME = 0.8
"""Share of tokens at which both must agree about the next one: numbers of few bits tip a close race between two."""


def compare_gguf(folder: Path, file: Path) -> None:
    """Load a model, and the GGUF that was made of it, and let both read a few words.

    Raises:
        EmollmsError: it does not load, cuts texts otherwise, or goes on otherwise.
    """
    config = AutoConfig.from_pretrained(folder)
    kind = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    ids = _tokens(folder, {})
    expected = _next_tokens(kind, folder, {}, ids)
    there = {"gguf_file": file.name}
    try:
        tokens = _tokens(file.parent, there)
        found = _next_tokens(kind, file.parent, there | {"quantization_config": GgufConfig(dequantize=True)}, ids)
    except Exception as error:  # readers of a damaged or unknown file raise anything
        raise EmollmsError(f"{file.name} does not load again: {' '.join(str(error).split())}") from error
    if tokens != ids:
        raise EmollmsError(f"{file.name} cuts texts into other tokens than the model; leave --gguf out")
    same = sum(one == other for one, other in zip(expected, found, strict=True))
    if same < LEAST_SAME * len(expected):
        raise EmollmsError(
            f"{file.name} goes on otherwise than the model after {len(expected) - same} of {len(expected)} tokens"
        )


def _tokens(folder: Path, options: dict[str, Any]) -> list[list[int]]:
    tokenizer = AutoTokenizer.from_pretrained(folder, **options)
    return [tokenizer(text).input_ids for text in SAMPLES]


def _next_tokens(kind: Any, folder: Path, options: dict[str, Any], ids: list[list[int]]) -> list[int]:
    """The likeliest token after each token of each text."""
    model = kind.from_pretrained(folder, dtype=torch.float32, **options).eval()
    found: list[int] = []
    for one in ids:
        read = {"input_ids": torch.tensor([one])}
        if model.config.is_encoder_decoder:
            read["decoder_input_ids"] = read["input_ids"]
        with torch.inference_mode():
            found += model(**read).logits[0].argmax(-1).tolist()
    return found
