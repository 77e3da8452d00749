"""The model that comes with the package: what is in it, that it annotates where none is named, and its scores."""

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

import emollms
from emollms.dataset.specs import DATA_SETS
from emollms.inference.classifiers import heads_of
from emollms.inference.model_names import (
    PACKAGED_MODEL,
    SHIPPED_MODEL,
    cache_folder,
    fetch_packaged,
    is_shipped,
    resolve_model,
    shipped_folder,
)
from emollms.training.manifest import read_run
from emollms.training.recipe import load_recipe

MOST_BYTES = 8_000_000


def test_it_is_small_names_its_base_and_the_recipe_that_made_it() -> None:
    folder = shipped_folder()
    assert sum(path.stat().st_size for path in folder.iterdir()) <= MOST_BYTES
    assert json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"] == PACKAGED_MODEL
    run, recipe = read_run(folder), load_recipe("emosmol")
    assert run.recipe.sha256 == recipe.sha256, "train it again when its recipe changes"
    heads = heads_of(SHIPPED_MODEL)
    assert heads is not None
    assert set(heads.tasks) == set(DATA_SETS["aaid"].tasks)
    assert set(heads.record.thresholds) == {"E-c"}


def test_a_folder_of_its_name_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert is_shipped(SHIPPED_MODEL)
    assert resolve_model(SHIPPED_MODEL) == str(shipped_folder())
    (tmp_path / SHIPPED_MODEL).mkdir()
    assert resolve_model(SHIPPED_MODEL) == SHIPPED_MODEL


def test_it_annotates_where_no_model_is_named(tmp_path: Path) -> None:
    warned: list[str] = []
    annotator = emollms.Annotator.from_pretrained(store=tmp_path / "answers.sqlite", warn=warned.append)
    happy, angry = annotator(["I can't stop smiling, what a lovely evening!", "how dare they, I am absolutely furious"])
    assert any("no --model is named, so emosmol annotates" in line for line in warned)
    assert happy.valence > 0.7
    assert "joy" in happy.emotions
    assert angry.valence < 0.35
    assert angry.anger > 0.6
    assert "anger" in angry.emotions
    assert happy["valence"].low <= happy.valence <= happy["valence"].high, "it comes with a calibration"
    assert 0 <= happy["emotions"].confidence <= 1


def test_its_card_prints_what_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    base = fetch_packaged(cache_folder())
    monkeypatch.setenv("EMOLLMS_CACHE", str(tmp_path / "cache"))  # without answers of another model of this name
    cache_folder().parent.mkdir()
    cache_folder().symlink_to(base)
    card = (shipped_folder() / "README.md").read_text(encoding="utf-8")
    code, shown = re.search(r"```python\n(.*?)```\n\n```text\n(.*?)```", card, re.DOTALL).groups()
    names: dict[str, object] = {}
    exec(compile(code, "<card>", "exec"), names)
    assert capsys.readouterr().out == shown
    valence = names["affect"]["valence"]
    assert f"here\n{valence.low:.3f} and {valence.high:.3f}, are its interval" in card


@pytest.mark.corpora
def test_its_scores_hold(real_repo: Callable[..., Path], tmp_path: Path) -> None:
    """As its card has them for all rows; of 120 rows r is within .05 of that, and F1 within .08."""
    found = emollms.evaluate(
        model=SHIPPED_MODEL, data=real_repo("aeb"), out=tmp_path / "scores", task=["V-reg", "E-c"], limit=120
    )
    card = (shipped_folder() / "README.md").read_text(encoding="utf-8")
    digest = hashlib.sha256((shipped_folder() / "adapter_model.safetensors").read_bytes()).hexdigest()
    assert digest in card, "score it again when it is trained again"
    told = {name: float(score) for name, score in re.findall(r"^\| ([\w-]+) \|[^|]+\| (0\.\d+) ", card, re.MULTILINE)}
    assert found.tasks["V-reg"].value == pytest.approx(told["V-reg"], abs=0.05)
    assert found.tasks["E-c"].metrics["macro_f1"].value == pytest.approx(told["E-c"], abs=0.08)
