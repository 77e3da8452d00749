"""One-pass classifiers, merged: the adapter's outputs, their names, and the tokenizer with its cue and its rules."""

import json
from pathlib import Path

import pytest
import torch
from inference.tiny_classifiers import ENCODERS, THRESHOLDS, heads_of
from peft import LoraConfig, get_peft_model
from training.finished_run import record, shake
from transformers import AutoTokenizer, pipeline

from emollms.cli import main
from emollms.errors import EmollmsError, UsageError
from emollms.evaluation.model_predictor import model_predictor
from emollms.inference.heads import FILE
from emollms.inference.heads_engine import read_out_before_padding
from emollms.inference.loading import load_and_read
from emollms.inference.weights import above_backbone, load_whole
from emollms.storage import weights_hash, write_json
from emollms.tasks import get_task
from emollms.training.classifier_tokenizers import add_cue, spell_out
from emollms.training.merge import write_merged
from emollms.training.tiny import make_tiny

TARGETS = {"llama": ["q_proj", "v_proj"], "smollm2": ["q_proj"], "modernbert": ["Wqkv"], "xlm-roberta": ["query"],
           "deberta-v2": ["query_proj"]}  # fmt: skip
TEXT = "best day of my life!! 🎉 #NoRegrets"


def finished(folder: Path, kind: str, lora: bool) -> Path:
    """A run of a classifier, with an adapter or with all weights, as `emollms train` leaves it."""
    base, run, heads = make_tiny(kind, folder / f"base-{kind}"), folder / "run", heads_of()
    model, tokenizer = load_whole(str(base), heads=heads), AutoTokenizer.from_pretrained(base)
    if kind not in ENCODERS:
        add_cue(tokenizer, "\nFeelings:")
    spell_out(tokenizer, ["emoji", "hashtags", "line_breaks"])
    read_out_before_padding(model, tokenizer)
    tokenizer.model_max_length = 100
    if lora:
        about = {"r": 4, "target_modules": TARGETS[kind], "modules_to_save": above_backbone(model)}
        options = LoraConfig(task_type="SEQ_CLS", lora_dropout=0.1, **about)
        model = get_peft_model(model, options)
    shake(model)
    model.save_pretrained(run / "model")
    tokenizer.save_pretrained(run / "model")
    if lora:
        write_json(run / "model" / FILE, heads.config())
    about = {"name": str(base), "revision": weights_hash(base), "family": model.config.model_type}
    record(model=about, template="text", objective="heads", method="lora" if lora else "full").write(run)
    return run


def said(folder: Path) -> dict[str, float]:
    predictor = model_predictor(str(folder), dtype="float32")
    row = {"id": "1", "text": TEXT, "emotion": None}
    (found,) = predictor.predict(get_task("E-c"), [row], ())
    return found.probabilities


@pytest.mark.parametrize("lora", [False, True], ids=["all weights", "adapter"])
@pytest.mark.parametrize("kind", TARGETS)
def test_a_merged_classifier_says_what_the_run_said(kind: str, lora: bool, tmp_path):
    run = finished(tmp_path, kind, lora)
    done = write_merged([run], tmp_path / "merged")
    assert done.difference <= 1e-5
    assert said(tmp_path / "merged") == pytest.approx(said(run / "model"), abs=1e-5)
    config = json.loads((tmp_path / "merged" / "config.json").read_text())
    assert config["emollms"]["thresholds"] == THRESHOLDS
    assert list(config["id2label"].values()) == list(heads_of().outputs)
    before, after = (AutoTokenizer.from_pretrained(one) for one in (run / "model", tmp_path / "merged"))
    assert before(TEXT).input_ids == after(TEXT).input_ids
    assert after.model_max_length == 100
    if kind not in ENCODERS:
        assert after.decode(after(TEXT).input_ids).endswith("\nFeelings:")
    ask = pipeline("text-classification", model=str(tmp_path / "merged"), top_k=None)
    shares = {one["label"]: one["score"] for one in ask([TEXT, "meh"])[0]}
    assert {name: shares[f"E-c/{name}"] for name in said(run / "model")} == pytest.approx(said(run / "model"), abs=1e-5)
    load_and_read(tmp_path / "merged")
    load_and_read(run / "model")
    assert write_merged([run], tmp_path / "merged").already


def test_an_adapter_is_not_left_out(tmp_path):
    run = finished(tmp_path, "llama", lora=True)
    write_merged([run], tmp_path / "merged")
    merged = said(tmp_path / "merged")
    (run / "model" / "adapter_model.safetensors").unlink()
    model = load_whole(str(tmp_path / "base-llama"), heads=heads_of())
    torch.manual_seed(3)
    shaken = get_peft_model(model, LoraConfig(task_type="SEQ_CLS", r=4, target_modules=["q_proj", "v_proj"]))
    shaken.save_pretrained(run / "model")
    assert said(run / "model") != pytest.approx(merged, abs=0.01)


def test_an_adapter_that_lacks_a_layer_above_the_backbone(tmp_path):
    run = finished(tmp_path, "deberta-v2", lora=True)
    settings = json.loads((run / "model" / "adapter_config.json").read_text())
    settings["modules_to_save"] = ["classifier", "score"]  # as PEFT has it by itself
    (run / "model" / "adapter_config.json").write_text(json.dumps(settings))
    with pytest.raises(EmollmsError, match="1 tensor is missing, such as pooler"):
        write_merged([run], tmp_path / "merged")


def test_an_adapter_without_what_its_outputs_answer(tmp_path, capsys, monkeypatch):
    run = finished(tmp_path, "llama", lora=True)
    (run / "model" / FILE).unlink()
    with pytest.raises(UsageError, match=r"lacks heads\.json, which says what its outputs answer"):
        write_merged([run], tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_the_command_merges_a_classifier(tmp_path, capsys, monkeypatch):
    run = finished(tmp_path, "smollm2", lora=True)
    monkeypatch.setattr("sys.argv", ["emollms", "merge", str(run), "--out", str(tmp_path / "merged")])
    with pytest.raises(SystemExit) as done:
        main()
    assert done.value.code == 0
    assert (tmp_path / "merged" / "run.json").is_file()
