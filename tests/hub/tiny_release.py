"""Tiny models as `emollms merge` and `emollms train` leave them, with the records of runs that never were."""

import json
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model

from emollms.training.tiny import tiny_model, tiny_tokenizer
from hub.made_up_model import made_up_run

SOURCES = [{"corpus": "sample", "license": "mit", "redistribution": "text"}]
LOGITS = """
import json, sys
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
name, revision = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None
model = AutoModelForCausalLM.from_pretrained(name, revision=revision).eval()
tokenizer = AutoTokenizer.from_pretrained(name, revision=revision)
with torch.inference_mode():
    print(json.dumps(model(**tokenizer("Nobody came.", return_tensors="pt")).logits.tolist()))
"""
"""Prints the logits of a model, here or on the Hub."""


def record(tuned: Any, *, template: str = "frame", **changes: Any) -> Any:
    """The record of a run that gave this model, from data that ask for nothing."""
    about = {"parameters": tuned.num_parameters(), "trainable": tuned.num_parameters(), "family": "llama"}
    about |= {
        "name": "example/tiny-base",
        "repository": "example/tiny-base",
        "revision": None,
        **changes.pop("model", {}),
    }
    return made_up_run(model=about, data={"sources": SOURCES}, template=template, **changes)


def merged(folder: Path, *, kind: str = "llama", seed: int = 7, shard: str = "60KB", **changes: Any) -> Path:
    """A merged model of several shards; `changes` are those of its record."""
    model, tokenizer = tiny_model(kind, seed), tiny_tokenizer(kind)
    with torch.no_grad():  # a fresh model is almost indifferent
        for weights in model.parameters():
            weights.mul_(4.0 if weights.dim() > 1 else 1.0)
    model.save_pretrained(folder, max_shard_size=shard)
    tokenizer.save_pretrained(folder)
    model.generation_config.save_pretrained(folder)
    record(model, template="chat" if tokenizer.chat_template else "frame", **changes).write(folder)
    return folder


def adapter_run(folder: Path, base: Path, repository: str | None) -> Path:
    """A run that tuned an adapter of a base model, which is published as `repository`."""
    model, tokenizer = tiny_model("llama"), tiny_tokenizer("llama")
    tuned = get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM"))
    torch.manual_seed(5)
    for name, weights in tuned.named_parameters():
        if "lora_B" in name:
            weights.data.normal_()
    place = folder / "model"
    tuned.peft_config["default"].base_model_name_or_path = str(base)
    tuned.save_pretrained(place)
    tokenizer.save_pretrained(place)
    model.generation_config.save_pretrained(place)
    trainable = tuned.get_nb_trainable_parameters()[0]
    about = {"name": str(base), "repository": repository, "trainable": trainable}
    run = record(model, model=about, method="lora")
    for where in (folder, place):
        run.write(where)
    return folder


def change(path: Path, **values: Any) -> None:
    """Change a JSON file; None takes a key out."""
    found = json.loads(path.read_text()) | values
    path.write_text(json.dumps({name: value for name, value in found.items() if value is not None}))
