"""Tiny random models of each family, in place of the real ones in tests and `emollms recipes check`."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
import transformers as hf
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from emollms.errors import unknown
from emollms.inference.heads import Heads
from emollms.prompts.template import prompt
from emollms.tasks import get_task

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
VOCABULARY = 700

# Qwen3 and SmolLM3 begin the answer with an empty thought where thinking is off.
_EMPTY_THOUGHT = "{% if not enable_thinking | default(true) %}<think>\n\n</think>\n\n{% endif %}"
_CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\nTHOUGHT{% endif %}"
)
_INST = (
    "{% for message in messages %}{% if message['role'] == 'user' %}"
    "{{ bos_token }}[INST] {{ message['content'] | trim }} [/INST]{% else %} {{ message['content'] }} {{ eos_token }}"
    "{% endif %}{% endfor %}"
)
_HEADERS = (
    "{{ bos_token }}{% for message in messages %}<|start_header_id|>{{ message['role'] }}<|end_header_id|>\n\n"
    "{{ message['content'] | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
_TURNS = (
    "{{ bos_token }}{% for message in messages %}<start_of_turn>"
    "{{ 'model' if message['role'] == 'assistant' else message['role'] }}\n"
    "{{ message['content'] | trim }}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
_IM = ("<|im_start|>", "<|im_end|>")


@dataclass(frozen=True)
class TokenizerSpec:
    """The tokenizer of a kind of model.

    Args:
        around: the special tokens that it adds to a text, `$A`.
        bos, pad: special tokens; None for none.
        eos: the token that ends an answer.
        more: further special tokens.
        chat: chat template; None for none.
        digits: whether each digit is a token.
        left: whether it pads on the left.
    """

    around: str = "$A"
    bos: str | None = None
    eos: str = "</s>"
    pad: str | None = None
    more: tuple[str, ...] = ()
    chat: str | None = None
    digits: bool = False
    left: bool = False

    @property
    def specials(self) -> list[str]:
        """All special tokens, in the order of their ids."""
        named = ("<pad>", "<s>", "</s>", self.bos, self.eos, self.pad, *self.more)
        return list(dict.fromkeys(token for token in named if token is not None))


TOKENIZERS = {
    "bart": TokenizerSpec("<s> $A </s>", bos="<s>", pad="<pad>"),
    "bloom": TokenizerSpec(bos="<s>", pad="<pad>", left=True),
    "deberta-v2": TokenizerSpec("[CLS] $A [SEP]", eos="[SEP]", pad="[PAD]", more=("[CLS]",)),
    "gemma3_text": TokenizerSpec(
        "<bos> $A", bos="<bos>", eos="<eos>", pad="<pad>", more=("<start_of_turn>", "<end_of_turn>"), chat=_TURNS,
        digits=True,
    ),
    "gpt2": TokenizerSpec(eos="<|endoftext|>"),
    "gpt_neox": TokenizerSpec(eos="<|endoftext|>"),
    "llama": TokenizerSpec("<s> $A", bos="<s>", digits=True),
    "llama-chat": TokenizerSpec("<s> $A", bos="<s>", chat=_INST, digits=True),
    "llama3": TokenizerSpec(
        "<|begin_of_text|> $A", bos="<|begin_of_text|>", eos="<|eot_id|>",
        more=("<|start_header_id|>", "<|end_header_id|>"), chat=_HEADERS,
    ),
    "mistral": TokenizerSpec("<s> $A", bos="<s>", digits=True),
    "modernbert": TokenizerSpec("[CLS] $A [SEP]", eos="[SEP]", pad="[PAD]", more=("[CLS]",)),
    "mt5": TokenizerSpec("$A </s>", pad="<pad>"),
    "olmo2": TokenizerSpec(eos="<|endoftext|>", pad="<|pad|>"),
    "opt": TokenizerSpec("</s> $A", bos="</s>", pad="<pad>"),
    "qwen2": TokenizerSpec(
        eos="<|im_end|>", pad="<|endoftext|>", more=_IM, chat=_CHATML.replace("THOUGHT", ""), digits=True
    ),
    "qwen3": TokenizerSpec(
        eos="<|im_end|>", pad="<|endoftext|>", more=_IM, chat=_CHATML.replace("THOUGHT", _EMPTY_THOUGHT), digits=True
    ),
    "smollm2": TokenizerSpec(
        bos="<|im_start|>", eos="<|im_end|>", pad="<|im_end|>", more=_IM, chat=_CHATML.replace("THOUGHT", ""),
        digits=True,
    ),
    "smollm3": TokenizerSpec(
        eos="<|im_end|>", pad="<|im_end|>", more=_IM, chat=_CHATML.replace("THOUGHT", _EMPTY_THOUGHT)
    ),
    "t5": TokenizerSpec("$A </s>", pad="<pad>"),
    "umt5": TokenizerSpec("$A </s>", pad="<pad>"),
    "xlm-roberta": TokenizerSpec("<s> $A </s>", bos="<s>", pad="<pad>"),
}  # fmt: skip
"""By kind: the family of a model, or a name for models whose tokenizer differs from the first in their family."""


def prompts(task_name: str = "EI-reg", texts: tuple[str, ...] = TEXTS) -> list[str]:
    """A prompt of a task for each text, with emotions and wordings in turn."""
    task = get_task(task_name)
    emotions = task.emotions or (None,)
    return [prompt(task, text, number % 5, emotions[number % len(emotions)]) for number, text in enumerate(texts)]


@cache
def tiny_tokenizer(kind: str) -> Any:
    """The tokenizer of a kind, with about 700 tokens; the same object each time.

    Raises:
        UsageError: there is no such kind.
    """
    if kind not in TOKENIZERS:
        raise unknown("tiny model", kind, TOKENIZERS)
    spec = TOKENIZERS[kind]
    bare = _trained(tuple(spec.specials), spec.digits)
    if spec.around != "$A":
        around = [(token, bare.token_to_id(token)) for token in spec.around.split() if token != "$A"]
        ends = [f"{token}:1" for token in spec.around.rpartition("$A")[2].split()]
        pair = " ".join([spec.around, "$B:1", *ends])
        template = processors.TemplateProcessing(single=spec.around, pair=pair, special_tokens=around)
        bare.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), template])
    names = {"bos_token": spec.bos, "eos_token": spec.eos, "pad_token": spec.pad}
    make: Any = PreTrainedTokenizerFast
    made = make(tokenizer_object=bare, **{name: token for name, token in names.items() if token is not None})
    made.chat_template = spec.chat
    made.padding_side = "left" if spec.left else "right"
    return made


def _trained(specials: tuple[str, ...], digits: bool) -> Tokenizer:
    bare = Tokenizer(models.BPE())
    split = [pre_tokenizers.Digits(individual_digits=True)] if digits else []
    bare.pre_tokenizer = pre_tokenizers.Sequence([*split, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    bare.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=list(specials), show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    corpus = [text for name in ("EI-reg", "V-oc", "E-c") for text in prompts(name)]
    bare.train_from_iterator([*corpus, *(f"0.{number:03}" for number in range(0, 1000, 7))], trainer)
    return bare


POSITIONS = 512
"""Positions of the models that have a limit."""
_SHAPE: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
_LLAMA: dict[str, Any] = {
    **_SHAPE,
    "intermediate_size": 64,
    "num_key_value_heads": 2,
    "max_position_embeddings": POSITIONS,
}
_T5: dict[str, Any] = {
    "d_model": 32,
    "d_kv": 8,
    "d_ff": 64,
    "num_layers": 2,
    "num_heads": 4,
    "decoder_start_token_id": 0,
}
_BART: dict[str, Any] = {
    "d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4,
    "decoder_attention_heads": 4, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "decoder_start_token_id": 2,
    "max_position_embeddings": POSITIONS,
}  # fmt: skip
_CONFIGS: Mapping[str, Callable[..., Any]] = {
    "bart": lambda **size: hf.BartConfig(**_BART, **size),
    "bloom": lambda **size: hf.BloomConfig(hidden_size=32, n_layer=2, n_head=4, **size),
    "deberta-v2": lambda **size: hf.DebertaV2Config(
        **_SHAPE, intermediate_size=64, max_position_embeddings=POSITIONS, relative_attention=True,
        pos_att_type=["p2c", "c2p"], **size
    ),
    "gemma3_text": lambda **size: hf.Gemma3TextConfig(
        **_LLAMA, head_dim=8, sliding_window=64, layer_types=["sliding_attention", "full_attention"], **size
    ),
    "gpt2": lambda **size: hf.GPT2Config(n_embd=32, n_layer=2, n_head=4, n_positions=POSITIONS, **size),
    "gpt_neox": lambda **size: hf.GPTNeoXConfig(
        **_SHAPE, intermediate_size=64, max_position_embeddings=POSITIONS, **size
    ),
    "llama": lambda **size: hf.LlamaConfig(**_LLAMA, **size),
    "mistral": lambda **size: hf.MistralConfig(**_LLAMA, sliding_window=None, **size),
    "modernbert": lambda **size: hf.ModernBertConfig(
        **_SHAPE, intermediate_size=64, max_position_embeddings=POSITIONS, local_attention=16, cls_token_id=None,
        sep_token_id=None, **size
    ),
    "mt5": lambda **size: hf.MT5Config(**_T5, **size),
    "olmo2": lambda **size: hf.Olmo2Config(**_LLAMA, **size),
    "opt": lambda **size: hf.OPTConfig(
        **_SHAPE, ffn_dim=64, word_embed_proj_dim=32, max_position_embeddings=POSITIONS, **size
    ),
    "qwen2": lambda **size: hf.Qwen2Config(**_LLAMA, **size),
    "qwen3": lambda **size: hf.Qwen3Config(**_LLAMA, head_dim=8, **size),
    "smollm3": lambda **size: hf.SmolLM3Config(**_LLAMA, no_rope_layers=[1, 0], **size),
    "t5": lambda **size: hf.T5Config(**_T5, **size),
    "umt5": lambda **size: hf.UMT5Config(**_T5, **size),
    "xlm-roberta": lambda **size: hf.XLMRobertaConfig(
        **_SHAPE, intermediate_size=64, max_position_embeddings=POSITIONS + 2, type_vocab_size=1, **size
    ),
}  # fmt: skip
ENCODERS = ("deberta-v2", "modernbert", "xlm-roberta")
"""Kinds that write no answers; recipes train them with `objective: heads`."""
KINDS = tuple(kind for kind in TOKENIZERS if kind not in ENCODERS)
"""Kinds that write answers."""
_FAMILIES = {"llama-chat": "llama", "llama3": "llama", "smollm2": "llama"}


def family_of(kind: str) -> str:
    """The family, as a configuration's `model_type`, of a kind of tiny model.

    Raises:
        UsageError: there is no such kind.
    """
    if kind not in TOKENIZERS:
        raise unknown("tiny model", kind, TOKENIZERS)
    return _FAMILIES.get(kind, kind)


def tiny_model(kind: str, seed: int = 7) -> Any:
    """A random model of a kind in float32, with two layers of width 32 and the vocabulary of `tiny_tokenizer`."""
    family, config = family_of(kind), _config(kind)
    loader: Any = hf.AutoModelForSeq2SeqLM if config.is_encoder_decoder else hf.AutoModelForCausalLM
    torch.manual_seed(seed)
    model = (hf.AutoModelForMaskedLM if kind in ENCODERS else loader).from_config(config).eval()
    tokenizer = tiny_tokenizer(kind)
    if kind == "gemma3_text":  # as in its chat models
        turn = tokenizer.convert_tokens_to_ids("<end_of_turn>")
        model.generation_config.eos_token_id = [tokenizer.eos_token_id, turn]
    if family == "bart":
        model.generation_config.forced_bos_token_id = tokenizer.bos_token_id
    return model


def _config(kind: str) -> Any:
    tokenizer = tiny_tokenizer(kind)
    tokens = {"bos_token_id": tokenizer.bos_token_id, "pad_token_id": tokenizer.pad_token_id}
    return _CONFIGS[family_of(kind)](vocab_size=len(tokenizer), eos_token_id=tokenizer.eos_token_id, **tokens)


def tiny_classifier(kind: str, heads: Heads | None = None, seed: int = 7, **config: Any) -> tuple[Any, Any]:
    """A random classifier of a kind in float32, whose outputs differ much from text to text, and its tokenizer.

    Args:
        kind: of `KINDS` or `ENCODERS`.
        heads: its outputs; None for a classifier of someone else, whose outputs `config` names.
        seed: of the weights.
        config: further keys of its configuration.
    """
    about, tokenizer = _config(kind), copy.deepcopy(tiny_tokenizer(kind))
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    about.update({"pad_token_id": tokenizer.pad_token_id, **(heads.config() if heads else {}), **config})
    tokenizer.model_max_length, tokenizer.padding_side = POSITIONS, "right"
    torch.manual_seed(seed)
    loader: Any = hf.AutoModelForSequenceClassification
    model = loader.from_config(about).eval()
    factor = 8.0 if kind in ENCODERS else 4.0
    with torch.no_grad():  # a fresh model is almost indifferent
        for weights in model.parameters():
            weights.mul_(factor if weights.dim() > 1 else 1.0)
    return model, tokenizer


def make_tiny_classifier(kind: str, folder: Path, heads: Heads | None = None, seed: int = 7, **config: Any) -> Path:
    """Write a `tiny_classifier` and its tokenizer, as `from_pretrained` reads them; returns the folder."""
    for one in tiny_classifier(kind, heads, seed, **config):
        one.save_pretrained(folder)
    return folder


def make_tiny(kind: str, folder: Path, seed: int = 7) -> Path:
    """Write a tiny random model and its tokenizer, as `from_pretrained` reads them.

    Args:
        kind: a family, such as `llama`, `opt` or `t5`, or another name of `KINDS` or `ENCODERS`.
        folder: where they go; created if needed.
        seed: of the weights.

    Returns:
        The folder.

    Raises:
        UsageError: there is no such kind.
    """
    tiny_model(kind, seed).save_pretrained(folder)
    tiny_tokenizer(kind).save_pretrained(folder)
    return folder
