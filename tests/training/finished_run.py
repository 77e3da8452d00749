"""Finished runs, made without training: the record, and a model that differs from its base."""

import json
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

from emollms.storage import weights_hash
from emollms.training.manifest import Evaluation, LossPoint, RunManifest
from emollms.training.tiny import make_tiny

TASKS = ("EI-reg", "V-reg", "E-c")


def record(**changed) -> RunManifest:
    """The record of a run of 100 steps, with what differs."""
    hardware = {
        "device": "Abacus", "accelerators": 0, "accelerator_memory": 0, "cpu": "Abacus", "cores": 2, "memory": 2**34,
        "processes": 1, "precision": "float32", "attention": "sdpa", "kernels": [],
    }  # fmt: skip
    model = {
        "name": "base", "repository": None, "revision": None, "family": "llama", "architecture": "causal",
        "parameters": 100, "trainable": 10,
    }  # fmt: skip
    data = {
        "target": "out/aaid", "data_set": "aaid", "title": "AAID", "version": "1.0.0", "profile": "release",
        "content_hash": "0" * 64, "sources": [],
    }  # fmt: skip
    fields = {
        "name": "tiny", "command": ["emollms", "train", "tiny"], "data": data, "hardware": hardware, "method": "lora",
        "recipe": {"name": "tiny", "sha256": "0" * 64, "values": {}, "overrides": []}, "template": "frame",
        "objective": "cross_entropy", "seed": 1, "versions": {}, "rows": {}, "started": "2026-01-01T00:00:00+00:00",
        "seconds": 60.0, "resumed": 0, "steps": 100, "epochs": 1.0, "tokens": 1000, "answer_tokens": 100,
        "energy_joules": None, "peak_memory": 2**30, "selection": "metric", "best_step": 80,
        "losses": [], "evaluations": [], "made_with": "0",
    }  # fmt: skip
    fields |= changed
    fields["model"] = model | changed.get("model", {})
    return RunManifest.model_validate(fields)


def curves(steps: int, every: int, tasks: tuple[str, ...] = TASKS, evaluations: int = 8) -> dict[str, list[object]]:
    """Losses and scores as they come out: steep, then flat, with noise."""
    torch.manual_seed(3)
    losses = [
        LossPoint(
            step=step, epoch=step / steps, loss=0.4 + 2.2 * 0.97 ** (100 * step / steps) + noise, learning_rate=1e-4
        )
        for step, noise in zip(range(every, steps + 1, every), (torch.randn(10_000) * 0.12).tolist(), strict=False)
    ]
    points = []
    for number in range(1, evaluations + 1):
        part = number / evaluations
        scores = {name: 0.85 * part**0.4 - 0.11 * place - 0.06 * (part > 0.85) for place, name in enumerate(tasks)}
        metric = sum(scores.values()) / len(scores) if scores else None
        loss = 0.45 + 1.6 * 0.97 ** (100 * part) + 0.05 * (part > 0.85)
        points.append(Evaluation(step=int(steps * part), epoch=part, loss=loss, metric=metric, tasks=scores))
    return {"losses": losses, "evaluations": points}


def finished(folder: Path, kind: str, *, template="frame", resized=0, tied=False, dtype="float32", **lora) -> Path:
    """A run's folder, with a random adapter for a tiny base; `lora` goes to LoraConfig, and none is a full run."""
    base = folder / f"base-{kind}"
    make_tiny(kind, base)
    if tied:
        config = json.loads((base / "config.json").read_text())
        (base / "config.json").write_text(json.dumps(config | {"tie_word_embeddings": True}))
    run, (model, tokenizer) = folder / "run", load(base, getattr(torch, dtype))
    if resized:
        tokenizer.add_tokens([f"<mood{number}>" for number in range(resized)])
        model.resize_token_embeddings(len(tokenizer))
    seq2seq = bool(model.config.is_encoder_decoder)
    if lora:
        task = "SEQ_2_SEQ_LM" if seq2seq else "CAUSAL_LM"
        model = get_peft_model(model, LoraConfig(task_type=task, lora_dropout=0.1, **lora))
    shake(model)
    model.save_pretrained(run / "model")
    tokenizer.save_pretrained(run / "model")
    bare = model.get_base_model() if lora else model
    bare.generation_config.max_new_tokens = 17
    bare.generation_config.save_pretrained(run / "model")
    about = {
        "name": str(base), "revision": weights_hash(base), "family": bare.config.model_type,
        "architecture": "seq2seq" if seq2seq else "causal",
    }  # fmt: skip
    record(model=about, template=template, method="lora" if lora else "full").write(run)
    return run


def load(folder, dtype=torch.float32):
    """A model and its tokenizer."""
    config = json.loads((folder / "config.json").read_text())
    kind = AutoModelForSeq2SeqLM if config.get("is_encoder_decoder") else AutoModelForCausalLM
    return kind.from_pretrained(folder, dtype=dtype).eval(), AutoTokenizer.from_pretrained(folder)


def shake(model):
    """What training does to the weights that it may change."""
    torch.manual_seed(11)
    with torch.no_grad():
        for weights in model.parameters():
            if weights.requires_grad and weights.dim() > 1:
                weights.add_(torch.randn(weights.shape).to(weights.dtype) * 0.2)
