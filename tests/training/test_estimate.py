"""Estimates against measured runs, and against the arithmetic of training."""

import pytest
from transformers import (
    BartConfig,
    BloomConfig,
    Gemma3TextConfig,
    LlamaConfig,
    ModernBertConfig,
    MT5Config,
    OPTConfig,
    Qwen3Config,
    SmolLM3Config,
    T5Config,
    XLMRobertaConfig,
)

from emollms.training.estimate import H100, TWO_CORES, Estimate, estimate
from emollms.training.recipe import find_recipes, load_recipe

V_REG = ("tasks=[V-reg]", "task_weights={}", "template=auto")
ALL = ("task_weights={}", "template=auto")
LORA = ("use_peft=true", "lora_target_modules=all-linear", "dtype=bfloat16")


def of(name: str, *changes: str) -> Estimate:
    return estimate(load_recipe(name, changes))


# Peaks of whole runs, then of short ones of `emollms train`, on two cores; the last two on an H200.
@pytest.mark.parametrize(
    ("changes", "measured"),
    [
        ((*V_REG, "per_device_train_batch_size=8"), 5.6e9),
        ((*ALL, "per_device_train_batch_size=16"), 11.8e9),
        ((*V_REG, *LORA, "per_device_train_batch_size=8"), 4.5e9),
        ((*V_REG, "per_device_train_batch_size=1"), 3.57e9),
        ((*ALL, "per_device_train_batch_size=16", "gradient_checkpointing=true"), 4.5e9),
        ((*ALL, "per_device_train_batch_size=32", "attn_implementation=sdpa"), 10.6e9),
        (("task_weights={}", "per_device_train_batch_size=32", "attn_implementation=sdpa"), 9.9e9),
    ],
)
def test_memory_is_near_what_was_measured(changes: tuple[str, ...], measured: float):
    assert of("emosmol-135m", *changes).memory == pytest.approx(measured, rel=0.25)


# Tokens a second of whole runs: five tasks in an hour, V-reg in six minutes.
@pytest.mark.parametrize(
    ("changes", "rate"), [(("num_train_epochs=0.29",), 247), (("tasks=V-reg", "num_train_epochs=0.29"), 306)]
)
def test_time_is_near_what_was_measured(changes: tuple[str, ...], rate: float):
    found = of("emosmol-135m", *changes)
    assert found.tokens / found.seconds(TWO_CORES) == pytest.approx(rate, rel=0.2)


def test_an_adapter_takes_less_time_as_was_measured():
    full, adapter = of("emosmol-135m", "num_train_epochs=1"), of("emosmol-135m", "num_train_epochs=1", *LORA)
    assert full.seconds(TWO_CORES) / adapter.seconds(TWO_CORES) == pytest.approx(386 / 338, rel=0.1)


def test_a_small_model_takes_as_long_as_its_kernels_take_to_start():
    found = of("emosmol-135m", "num_train_epochs=1", "per_device_train_batch_size=8")
    assert found.seconds(H100) == pytest.approx(found.layers * H100.launch)
    large = of("emobloom-7b", "per_device_train_batch_size=64")
    assert large.seconds(H100) == pytest.approx(large.operations / H100.rate / 2)


SHAPES = {
    "emosmol-135m": LlamaConfig(
        vocab_size=49152, hidden_size=576, num_hidden_layers=30, intermediate_size=1536, num_attention_heads=9,
        num_key_value_heads=3, tie_word_embeddings=True,
    ),
    "smollm2-360m": LlamaConfig(
        vocab_size=49152, hidden_size=960, num_hidden_layers=32, intermediate_size=2560, num_attention_heads=15,
        num_key_value_heads=5, tie_word_embeddings=True,
    ),
    "smollm2-1.7b-lora": LlamaConfig(
        vocab_size=49152, hidden_size=2048, num_hidden_layers=24, intermediate_size=8192, num_attention_heads=32,
        tie_word_embeddings=True,
    ),
    "smollm3-3b-lora": SmolLM3Config(
        vocab_size=128256, hidden_size=2048, num_hidden_layers=36, intermediate_size=11008, num_attention_heads=16,
        num_key_value_heads=4, tie_word_embeddings=True,
    ),
    "qwen3-0.6b": Qwen3Config(
        vocab_size=151936, hidden_size=1024, num_hidden_layers=28, intermediate_size=3072, num_attention_heads=16,
        num_key_value_heads=8, head_dim=128, tie_word_embeddings=True,
    ),
    "qwen3-4b-lora": Qwen3Config(
        vocab_size=151936, hidden_size=2560, num_hidden_layers=36, intermediate_size=9728, num_attention_heads=32,
        num_key_value_heads=8, head_dim=128, tie_word_embeddings=True,
    ),
    "qwen3-8b-qlora": Qwen3Config(
        vocab_size=151936, hidden_size=4096, num_hidden_layers=36, intermediate_size=12288, num_attention_heads=32,
        num_key_value_heads=8, head_dim=128, tie_word_embeddings=False,
    ),
    "qwen3-14b-qlora": Qwen3Config(
        vocab_size=151936, hidden_size=5120, num_hidden_layers=40, intermediate_size=17408, num_attention_heads=40,
        num_key_value_heads=8, head_dim=128, tie_word_embeddings=False,
    ),
    "llama-3.2-1b": LlamaConfig(
        vocab_size=128256, hidden_size=2048, num_hidden_layers=16, intermediate_size=8192, num_attention_heads=32,
        num_key_value_heads=8, tie_word_embeddings=True,
    ),
    "llama-3.2-3b-lora": LlamaConfig(
        vocab_size=128256, hidden_size=3072, num_hidden_layers=28, intermediate_size=8192, num_attention_heads=24,
        num_key_value_heads=8, head_dim=128, tie_word_embeddings=True,
    ),
    "llama-3.1-8b-fsdp": LlamaConfig(
        vocab_size=128256, hidden_size=4096, num_hidden_layers=32, intermediate_size=14336, num_attention_heads=32,
        num_key_value_heads=8,
    ),
    "gemma-3-270m": Gemma3TextConfig(
        vocab_size=262144, hidden_size=640, num_hidden_layers=18, intermediate_size=2048, num_attention_heads=4,
        num_key_value_heads=1, head_dim=256,
    ),
    "gemma-3-1b-lora": Gemma3TextConfig(
        vocab_size=262144, hidden_size=1152, num_hidden_layers=26, intermediate_size=6912, num_attention_heads=4,
        num_key_value_heads=1, head_dim=256,
    ),
    "mt5-base": MT5Config(
        vocab_size=250112, d_model=768, d_kv=64, d_ff=2048, num_layers=12, num_heads=12, tie_word_embeddings=False
    ),
    "emollama-7b": LlamaConfig(),
    "emollama-chat-13b": LlamaConfig(
        hidden_size=5120, num_hidden_layers=40, intermediate_size=13824, num_attention_heads=40
    ),
    "emoopt-13b": OPTConfig(
        hidden_size=5120, num_hidden_layers=40, ffn_dim=20480, num_attention_heads=40, word_embed_proj_dim=5120
    ),
    "emobloom-7b": BloomConfig(vocab_size=250880, hidden_size=4096, n_layer=30, n_head=32),
    "emot5-large": T5Config(d_model=1024, d_kv=64, d_ff=4096, num_layers=24, num_heads=16),
    "emobart-large": BartConfig(),
    "modernbert-base-heads": ModernBertConfig(),
    "modernbert-large-heads": ModernBertConfig(
        hidden_size=1024, num_hidden_layers=28, intermediate_size=2624, num_attention_heads=16
    ),
    "xlm-roberta-large-heads": XLMRobertaConfig(
        vocab_size=250002, hidden_size=1024, num_hidden_layers=24, intermediate_size=4096, num_attention_heads=16,
        max_position_embeddings=514, type_vocab_size=1,
    ),
}  # fmt: skip
"""The published shapes of the base models."""
SAME_BASE = {
    "emollama-chat-7b": "emollama-7b", "llama-3.1-8b-qlora": "llama-3.1-8b-fsdp", "emosmol": "emosmol-135m",
    "emosmol-135m-heads": "emosmol-135m", "qwen3-0.6b-heads": "qwen3-0.6b",
}  # fmt: skip


@pytest.mark.parametrize("name", find_recipes())
def test_parameters_and_shape_are_those_of_the_base_model(name: str):
    config, values = SHAPES[SAME_BASE.get(name, name)], load_recipe(name).values
    own_head = config.vocab_size * config.hidden_size if config.model_type == "mt5" else 0  # its checkpoint has one
    assert values["parameters"] == pytest.approx(_parameters(config) + own_head, rel=0.003)
    layers = config.num_hidden_layers * (2 if config.is_encoder_decoder else 1)
    assert values["shape"] == {"layers": layers, "width": config.hidden_size, "vocabulary": config.vocab_size}
    assert values["family"] == config.model_type


def _parameters(config) -> int:
    import torch
    from transformers import AutoModel, AutoModelForCausalLM, AutoModelForSeq2SeqLM

    with torch.device("meta"):
        kind = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
        if config.model_type in ("modernbert", "xlm-roberta"):  # classifiers leave the head of their base
            kind = AutoModel
        return sum(weights.numel() for weights in kind.from_config(config).parameters())


def test_an_adapter_is_as_large_as_peft_makes_it():
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_config(SHAPES["emosmol-135m"])
    adapted = get_peft_model(model, LoraConfig(r=16, target_modules="all-linear", task_type="CAUSAL_LM"))
    assert of("emosmol-135m", *LORA).trainable == pytest.approx(adapted.get_nb_trainable_parameters()[0], rel=0.2)


def test_sharding_divides_what_it_shards():
    """Full training in bfloat16 with DeepSpeed takes 16 bytes a parameter: weights 2, gradients 2, the rest 12."""
    alone, two, three = (
        of("emobloom-7b", "processes=2", f"accelerate={name}").memory / 7.069e9 for name in ("zero1", "zero2", "zero3")
    )
    assert alone - two == pytest.approx(2 / 2)
    assert two - three == pytest.approx(2 / 2)
    eight, sixteen = (of("llama-3.1-8b-fsdp", f"processes={count}").memory for count in (8, 16))
    assert eight - sixteen == pytest.approx(16 * 8.03e9 / 16)


def test_offloading_frees_the_gpu_of_the_optimizer():
    on_gpu, offloaded = (of("emollama-chat-13b", *more).memory for more in (("accelerate=zero3",), ()))
    assert on_gpu - offloaded == pytest.approx(12 * 13.016e9 / 2)


def test_four_bits_take_a_third_of_sixteen():
    plain, quantised = (of("qwen3-8b-qlora", f"load_in_4bit={value}").memory for value in ("false", "true"))
    assert plain - quantised == pytest.approx(0.68 * 2 * 8.19e9, rel=0.05)  # embeddings stay as they are


def test_checkpointing_trades_memory_for_time():
    plain, checked = (of("emosmol-135m", f"gradient_checkpointing={value}") for value in ("false", "true"))
    assert checked.memory < 0.6 * plain.memory
    assert checked.operations == pytest.approx(plain.operations * 8 / 6)


def test_ten_wordings_take_ten_times_as_long_and_steps_have_the_last_word():
    each, every = (of("emosmol-135m", "num_train_epochs=1", f"wordings={name}") for name in ("per_epoch", "all"))
    assert every.seconds(TWO_CORES) == pytest.approx(10 * each.seconds(TWO_CORES))
    short = of("emosmol-135m", "max_steps=10", "per_device_train_batch_size=16", "template=frame")
    assert short.tokens == pytest.approx(10 * 16 * 110, rel=0.1)


def test_minutes_are_the_most_that_training_takes():
    hour, three = of("emosmol-135m"), of("emosmol-135m", "num_train_epochs=3")
    assert hour.seconds(TWO_CORES) == 3600 < three.seconds(TWO_CORES)
    assert of("emosmol-135m", "minutes=1e6").seconds(TWO_CORES) == three.seconds(TWO_CORES)
    assert hour.tokens == three.tokens
    many = of("llama-3.1-8b-fsdp", "minutes=60")
    assert many.devices == 8
    assert many.seconds(TWO_CORES, 1) == many.seconds(TWO_CORES) == 3600


@pytest.mark.parametrize(
    ("name", "changes", "bytes_of_a_weight"),
    [
        ("qwen3-4b-lora", (), 2),
        ("qwen3-4b-lora", ("precision=float32",), 4),
        ("qwen3-4b-lora", ("dtype=float32",), 4),
    ],
)
def test_weights_are_as_large_as_the_precision_makes_them(name, changes, bytes_of_a_weight):
    found, quarter = of(name, *changes), of(name, *changes, "parameters=1e9")
    assert (found.memory - quarter.memory) / (found.parameters - 1e9) == pytest.approx(bytes_of_a_weight)


@pytest.mark.parametrize("name", find_recipes())
def test_recipes_fit_the_machines_that_they_name(name: str):
    memory = of(name).memory / 2**30
    text = load_recipe(name).path.read_text(encoding="utf-8")
    room = next((size for size in (16, 24, 40, 80) if f"of {size} GB" in text), 16)
    assert memory < 0.95 * room
    assert memory > 0.25 * room
