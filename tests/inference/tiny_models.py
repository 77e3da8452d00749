"""Random models of the families that the published models come from, with tokenizers trained here."""

from functools import cache
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    BartConfig,
    BloomConfig,
    GPT2Config,
    LlamaConfig,
    OPTConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    T5Config,
)

from emollms.prompts.template import prompt
from emollms.tasks import get_task

CHATML = (
    "{% for message in messages %}<s>{{ message['role'] }}\n{{ message['content'] }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<s>assistant\n{% endif %}"
)
TEXTS = (
    "Rain again, and the last bus is gone",
    "best day of my life!!",
    "meh",
    "So it goes, said the grocer, and closed his shop for good; nobody had come since the spring fair",
    "Who let the dogs out?",
    "I will never forgive them for this 😡",
    "a quiet evening with tea",
    "what a waste of a good umbrella",
    "The choir sang, the roof leaked",
    "cannot wait for Saturday",
)
SHAPE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
T5_SHAPE = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4}
BART_SHAPE = {
    "d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4,
    "decoder_attention_heads": 4, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "max_position_embeddings": 512,
}  # fmt: skip
CAUSAL = ("llama", "gpt2", "opt", "bloom", "qwen2")
FAMILIES = (*CAUSAL, "t5", "bart")
# What the tokenizer of the family puts around a text, which special tokens it has, and whether digits stand alone.
HABITS: dict[str, tuple[str, tuple[str, ...], bool]] = {
    "llama": ("<s> $A", ("bos", "eos"), True),
    "gpt2": ("$A", ("eos",), False),
    "opt": ("</s> $A", ("bos=eos", "eos", "pad"), False),
    "bloom": ("$A", ("bos", "eos", "pad"), False),
    "qwen2": ("$A", ("eos", "pad", "chat"), True),
    "t5": ("$A </s>", ("eos", "pad"), False),
    "bart": ("<s> $A </s>", ("bos", "eos", "pad"), False),
}


def prompts(task_name: str = "EI-reg", texts: tuple[str, ...] = TEXTS) -> list[str]:
    task = get_task(task_name)
    emotions = task.emotions or (None,)
    return [prompt(task, text, number % 5, emotions[number % len(emotions)]) for number, text in enumerate(texts)]


@cache
def tokenizer(family: str) -> Any:
    around, specials, split = HABITS[family]
    bare = Tokenizer(models.BPE())
    digits = [pre_tokenizers.Digits(individual_digits=True)] if split else []
    bare.pre_tokenizer = pre_tokenizers.Sequence([*digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    bare.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=700, special_tokens=["<pad>", "<s>", "</s>"], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    corpus = [text for name in ("EI-reg", "V-oc", "E-c") for text in prompts(name)]
    bare.train_from_iterator([*corpus, *(f"0.{number:03}" for number in range(0, 1000, 7))], trainer)
    if around != "$A":
        bare.post_processor = processors.Sequence(
            [
                processors.ByteLevel(trim_offsets=False),
                processors.TemplateProcessing(single=around, special_tokens=[("<s>", 1), ("</s>", 2)]),
            ]
        )
    names = {"eos_token": "</s>"}
    names |= {"bos_token": "<s>"} if "bos" in specials else {}
    names |= {"bos_token": "</s>"} if "bos=eos" in specials else {}
    names |= {"pad_token": "<pad>"} if "pad" in specials else {}
    made = PreTrainedTokenizerFast(tokenizer_object=bare, **names)
    made.chat_template = CHATML if "chat" in specials else None
    return made


@cache
def model(family: str, dtype: torch.dtype = torch.float32) -> Any:
    torch.manual_seed(7)
    size = {"vocab_size": len(tokenizer(family)), "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    configs = {
        "llama": lambda: LlamaConfig(**SHAPE, intermediate_size=64, num_key_value_heads=2, **size),
        "gpt2": lambda: GPT2Config(n_embd=32, n_layer=2, n_head=4, n_positions=512, **size),
        "opt": lambda: OPTConfig(**SHAPE, ffn_dim=64, word_embed_proj_dim=32, max_position_embeddings=512, **size),
        "bloom": lambda: BloomConfig(hidden_size=32, n_layer=2, n_head=4, **size),
        "qwen2": lambda: Qwen2Config(**SHAPE, intermediate_size=64, num_key_value_heads=2, **size),
        "t5": lambda: T5Config(**T5_SHAPE, decoder_start_token_id=0, **size),
        "bart": lambda: BartConfig(**BART_SHAPE, decoder_start_token_id=2, **size),
    }
    config = configs[family]()
    kind = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    made = kind.from_config(config).to(dtype).eval()
    made.generation_config.forced_bos_token_id = 1 if family == "bart" else None
    with torch.no_grad():  # a fresh model is almost indifferent; this one has opinions
        for weights in made.parameters():
            if weights.dim() > 1:
                weights.mul_(4.0)
    return made
