"""The vLLM engine against a stand-in for the package, around a tiny model."""

import sys
from types import ModuleType, SimpleNamespace

import pytest
import torch
from inference.tiny_models import TEXTS, model, prompts, tokenizer

import emollms
from emollms.errors import UsageError
from emollms.inference.decoding import decode
from emollms.inference.engine import Sampling
from emollms.inference.engines import open_engine
from emollms.inference.transformers_engine import TransformersEngine
from emollms.prompts.template import prompt
from emollms.tasks import get_task
from emollms.training.tiny import make_tiny

SHORT = Sampling(max_new_tokens=6)


class SamplingParams:
    def __init__(self, **given) -> None:
        known = {
            "max_tokens", "temperature", "top_p", "top_k", "repetition_penalty", "seed", "stop_token_ids", "logprobs",
            "prompt_logprobs",
        }  # fmt: skip
        assert set(given) <= known
        self.given = given


class LLM:
    def __init__(self, model: str, **options) -> None:
        assert options["max_logprobs"] == 20
        assert options["dtype"] == "float32"  # what `auto` is on a CPU
        self.config = SimpleNamespace(hf_config=_net().config, dtype=torch.float32)
        self.llm_engine = SimpleNamespace(model_config=self.config)

    def get_tokenizer(self):
        return tokenizer("qwen2")

    def get_default_sampling_params(self):
        return SamplingParams()

    def generate(self, asked, params, use_tqdm):
        return [self._one(one["prompt_token_ids"], params.given) for one in asked]

    def _one(self, ids, given):
        with torch.no_grad():
            scores = torch.log_softmax(_net()(input_ids=torch.tensor([ids])).logits[0], -1)
        made = _net().generate(torch.tensor([ids]), max_new_tokens=given["max_tokens"], do_sample=False, pad_token_id=0)
        top = scores[-1].topk(given.get("logprobs") or 1)
        named = dict(zip(top.indices.tolist(), map(_logprob, top.values.tolist()), strict=True))
        read = [None, *({ids[n]: _logprob(scores[n - 1, ids[n]].item())} for n in range(1, len(ids)))]
        output = SimpleNamespace(token_ids=made[0][len(ids) :].tolist(), logprobs=[named])
        return SimpleNamespace(outputs=[output], prompt_logprobs=read if given.get("prompt_logprobs") else None)


def _logprob(value: float) -> SimpleNamespace:
    return SimpleNamespace(logprob=value)


def _net():
    return model("qwen2")


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("vllm")
    module.LLM, module.SamplingParams = LLM, SamplingParams
    monkeypatch.setitem(sys.modules, "vllm", module)


@pytest.fixture(scope="module")
def local() -> TransformersEngine:
    return TransformersEngine(_net(), tokenizer("qwen2"), "qwen2")


@pytest.mark.usefixtures("stand_in")
def test_answers_and_scores_are_those_of_the_model(local):
    one = open_engine("vllm", "tiny", batch_rows=4)
    assert [found.value for found in one.generate(prompts(), SHORT)] == [
        found.value for found in sorted(local.generate(prompts(), SHORT))
    ]
    some = [["0: no anger can be inferred", "1: low amount", "joy", "joy"]] * len(prompts())
    for found, expected in zip(one.score(prompts(), some), sorted(local.score(prompts(), some)), strict=True):
        assert found.row == expected.row
        assert found.value == pytest.approx(expected.value, abs=1e-4)
    info = one.describe()
    assert (info.engine, info.dtype, info.template) == ("vllm", "float32", "chat")
    assert "must not depend on how rows are batched" in str(info.settings["dtype_reason"])
    one.close()


@pytest.mark.usefixtures("stand_in")
def test_a_batch_with_a_wanted_row_is_handed_over_whole_and_no_other(monkeypatch: pytest.MonkeyPatch):
    one, sizes, ask = open_engine("vllm", "tiny", batch_rows=3), [], LLM.generate

    def spy(self, asked, params, use_tqdm):
        sizes.append(len(asked))
        return ask(self, asked, params, use_tqdm)

    monkeypatch.setattr(LLM, "generate", spy)
    whole = list(one.generate(prompts()[:7], SHORT))
    assert sizes == [3, 3, 1]
    some = list(one.generate(prompts()[:7], SHORT, skip={0, 1, 2, 4, 6}))
    assert sizes == [3, 3, 1, 3]
    assert [(found.row, found.value) for found in some] == [(found.row, found.value) for found in (whole[3], whole[5])]
    asked = [["joy", "fear"]] * 7
    scored = list(one.score(prompts()[:7], asked))
    assert [(found.row, found.value) for found in one.score(prompts()[:7], asked, skip=range(6))] == [
        (scored[6].row, scored[6].value)
    ]


@pytest.mark.usefixtures("stand_in")
def test_expected_scores_are_those_among_the_likeliest_tokens(local):
    task = get_task("V-reg")
    rows = [{"id": text, "prompt": prompt(task, text)} for text in TEXTS[:2]]
    for found in decode(open_engine("vllm", "tiny"), task, rows):
        assert sum(found.probabilities.values()) == pytest.approx(1)


@pytest.mark.usefixtures("stand_in")
def test_it_annotates(local, tmp_path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("EMOLLMS_CACHE", str(tmp_path))
    make_tiny("qwen2", tmp_path / "tiny")  # a folder with a model in it: the stand-in brings its own
    annotator = emollms.Annotator.from_pretrained(str(tmp_path / "tiny"), engine="vllm", task="valence,sentiment")
    answers = annotator(TEXTS[:3])
    for row, text in zip(answers, TEXTS[:3], strict=True):
        asked = {"id": "1", "prompt": annotator.questions[1].prompt(text)}
        (expected,) = decode(local, get_task("SST5"), [asked])
        assert row["sentiment"].probabilities == pytest.approx(expected.probabilities, abs=0.001)
        assert 0 <= row.valence <= 1
    assert annotator.describe()["predictors"][0]["engine"] == "vllm"


def test_without_vllm_the_message_tells_how_to_get_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(UsageError, match="pip install vllm"):
        open_engine("vllm", "tiny")


def test_engines_are_known_by_name():
    with pytest.raises(UsageError, match="unknown engine 'vlm'; did you mean vllm"):
        open_engine("vlm", "tiny")
