"""The endpoint engine against a real server: `transformers serve` on loopback."""

import copy
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from inference.tiny_models import CHATML, model, prompts, tokenizer

from emollms.inference.endpoint import EndpointEngine
from emollms.inference.engine import EngineError, Sampling
from emollms.inference.transformers_engine import TransformersEngine

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytest.importorskip("openai")
SHORT = Sampling(max_new_tokens=6)


def chatty() -> Any:
    coder = copy.deepcopy(tokenizer("llama"))
    coder.chat_template = CHATML
    return coder


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    folder = tmp_path_factory.mktemp("served") / "tiny"
    model("llama").save_pretrained(folder)
    chatty().save_pretrained(folder)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [Path(sys.executable).parent / "transformers", "serve", folder, "--device", "cpu", "--port", str(port)]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with subprocess.Popen([*command, "--host", "127.0.0.1"], env=environment, stderr=subprocess.PIPE) as running:
        for line in running.stderr:
            if b"Uvicorn running" in line:
                break
        yield f"http://127.0.0.1:{port}/v1", str(folder)
        running.terminate()
        running.stderr.read()


@pytest.mark.parametrize("api", ["completions", "chat"])
def test_answers_are_those_of_the_model(served: tuple[str, str], api: str):
    template = "frame" if api == "completions" else "chat"
    local = TransformersEngine(model("llama"), chatty(), "llama", template=template)
    expected = [one.value for one in sorted(local.generate(prompts(), SHORT))]
    one = EndpointEngine(*served, api=api, workers=3)
    assert [found.value for found in sorted(one.generate(prompts(), SHORT))] == expected
    one.close()


def test_it_gives_no_log_probabilities(served: tuple[str, str]):
    with pytest.raises(EngineError, match=r"gives no log-probabilities \(its answer has none\); use --decode greedy"):
        list(EndpointEngine(*served, workers=1).score(prompts()[:1], [["joy", "fear"]]))
