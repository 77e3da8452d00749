"""The code in the cards is run as it stands."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from inference.tiny_classifiers import heads_of
from inference.tiny_models import CHATML, model, tokenizer

from emollms.dataset.manifest import read_manifest
from emollms.hub.model_card import EXAMPLE, render_model_card
from emollms.inference.heads import FILE
from emollms.inference.weights import above_backbone, load_whole
from emollms.prompts.framing import model_input
from emollms.storage import write_json
from emollms.training.tiny import make_tiny
from hub.client import TestHub
from hub.made_up_model import CARD, made_up_run
from hub.test_publish import push

CODE = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
BASE, REPO = "example/tiny-base", "me/emo-tiny"


def blocks(card: str) -> list[str]:
    return CODE.findall(card)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the names of the repositories lead to folders."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("EMOLLMS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "me").mkdir()
    (tmp_path / f"{REPO}@v1.0.0").symlink_to(tmp_path / REPO)
    return tmp_path


def save(folder: Path, family: str, chat: bool = False) -> Any:
    own = tokenizer(family)
    own.chat_template = CHATML if chat else None
    model(family).save_pretrained(folder)
    own.save_pretrained(folder)
    return own


def run(card: str, capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, Any], dict[str, Any], str]:
    """The names that both blocks leave behind, and what they print."""
    spaces: list[dict[str, Any]] = []
    for code in blocks(card):
        spaces.append({})
        exec(compile(code, "<card>", "exec"), spaces[-1])
    first, second = spaces
    return first, second, capsys.readouterr().out


CASES = {
    "frame": ("llama", {"template": "frame"}),
    "chat template": ("llama", {"template": "chat"}),
    "encoder-decoder": ("t5", {"template": "frame", "model": {"architecture": "seq2seq", "family": "t5"}}),
    "labels": ("gpt2", {"rows": {"E-c": {"train": 1, "validation": 1, "cut_off": 0, "shared": 0}}}),
}


@pytest.mark.parametrize(("family", "changes"), CASES.values(), ids=CASES)
def test_a_model(family: str, changes: dict[str, Any], place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = save(place / REPO, family, chat=changes.get("template") == "chat")
    rows = changes.pop("rows", None)
    record = made_up_run(**changes)
    record = record.model_copy(update={"rows": made_up_run(rows=rows).rows if rows else record.rows})
    record.write(place / REPO)
    first, second, said = run(render_model_card(record, [], **CARD), capsys)
    asked = own(model_input(own, second["prompt"], record.template), return_tensors="pt").input_ids
    assert second["prompt"] in [question.prompt(EXAMPLE) for question in first["annotator"].questions]
    assert torch.equal(second["inputs"]["input_ids"], asked)
    assert said.startswith("Affect(")


def test_an_adapter(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The adapter is on: its answers are not those of its base model."""
    from peft import LoraConfig, get_peft_model

    own = save(place / BASE, "llama")
    adapted = get_peft_model(
        model("llama").from_pretrained(BASE), LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False)
    )
    adapted.peft_config["default"].base_model_name_or_path = BASE
    adapted.save_pretrained(place / REPO)
    own.save_pretrained(place / REPO)
    record = made_up_run(method="lora")
    record.write(place / REPO)
    _, second, said = run(render_model_card(record, [], **{**CARD, "relation": "adapter"}), capsys)
    with torch.no_grad():
        with_it = second["model"](**second["inputs"]).logits
        with second["model"].disable_adapter():
            without = second["model"](**second["inputs"]).logits
    assert not torch.allclose(with_it, without)
    assert said.startswith("Affect(")


def test_an_adapter_of_a_classifier(place: Path, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    """The pipeline of transformers gives the numbers that emollms tells."""
    from peft import LoraConfig, get_peft_model

    heads = heads_of(("EI-reg", "E-c"))
    make_tiny("deberta-v2", place / BASE)
    base = load_whole(BASE, heads=heads)
    about = {"target_modules": ["query_proj"], "modules_to_save": above_backbone(base)}
    adapted = get_peft_model(base, LoraConfig(task_type="SEQ_CLS", init_lora_weights=False, **about))
    adapted.peft_config["default"].base_model_name_or_path = BASE
    adapted.save_pretrained(place / REPO)
    tokenizer("deberta-v2").save_pretrained(place / REPO)
    write_json(place / REPO / FILE, heads.config())
    record = made_up_run(method="lora", template="text", objective="heads")
    record.write(place / REPO)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda repo, name, revision: str(place / repo / name))
    card = render_model_card(record, [], heads=heads, **{**CARD, "relation": "adapter"})
    first, second, _ = run(card, capsys)
    told = first["annotator"](EXAMPLE)
    shares = {one["label"]: one["score"] for one in second["outputs"]}
    assert list(shares) != [f"LABEL_{number}" for number in range(len(shares))]
    for emotion in ("anger", "fear", "joy", "sadness"):
        assert told[emotion].value == pytest.approx(shares[f"EI-reg/{emotion}"], abs=0.001)
    for label, share in told["emotions"].probabilities.items():
        assert share == pytest.approx(shares[f"E-c/{label}"], abs=0.001)


def test_a_data_set(hub: TestHub, aeb: Path) -> None:
    """The blocks of the card, from the Hub at the tag; polars, which knows no Hub but the real one, is left out."""
    push(hub, aeb)
    card = (aeb / "README.md").read_text(encoding="utf-8").replace("OWNER/NAME", hub.repo)
    first, second, together = blocks(card)
    second = "\n".join(line for line in second.splitlines() if "polars" not in line and "pl." not in line)
    shown = "len(everything['test']), len(one_task), len(one_version['test']), len(frame), len(table)"
    script = f"{first}\n{second}\n{together}\nprint({shown})"
    counts = {count.task: count.rows for count in read_manifest(aeb).counts}
    first_task = next(iter(counts.values()))
    *expected, joined = map(int, hub.run(script).out.splitlines()[-1].split())
    assert expected == [sum(counts.values()), *[first_task] * 3]
    assert first_task < joined < sum(counts.values())


def test_the_hf_command_of_the_card(hub: TestHub, aeb: Path) -> None:
    push(hub, aeb)
    card = (aeb / "README.md").read_text(encoding="utf-8").replace("OWNER/NAME", hub.repo)
    line = next(line for line in card.splitlines() if line.startswith("hf download"))
    hub.command(*line.split())
    assert (hub.folder / "aeb" / "README.md").read_bytes() == (aeb / "README.md").read_bytes()
    shutil.rmtree(hub.folder / "aeb")
