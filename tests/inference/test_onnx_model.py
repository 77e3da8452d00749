"""Classifiers in ONNX Runtime say what they say in torch."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from inference.tiny_classifiers import TASKS, save_heads
from transformers import BertConfig, BertForSequenceClassification

import emollms
from emollms.errors import EmollmsError, UsageError
from emollms.evaluation.model_predictor import model_predictor
from emollms.inference import onnx_model
from emollms.inference.heads_engine import TorchClassifier
from emollms.inference.loading import load_classifier, load_onnx_classifier
from emollms.training.tiny import make_tiny

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

TEXTS = ["I cannot stop smiling today.", "no", "Nobody came, and the cake is still here: " + "sad " * 30, "why? " * 7]

MORE = partial(pytest.param, marks=pytest.mark.slow)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def own_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMOLLMS_CACHE", str(cache))


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_heads(tmp_path_factory.mktemp("heads") / "model")


def said(classifier: TorchClassifier, texts: list[Any] = TEXTS) -> np.ndarray:
    found = {one.text: one.outputs for one in classifier.read(texts)}
    return np.array([found[number] for number in range(len(texts))])


@pytest.mark.parametrize("kind", ["smollm2", MORE("modernbert"), MORE("xlm-roberta")])
def test_float32_says_the_same_as_torch_whatever_is_in_the_batch(kind: str, tmp_path: Path) -> None:
    folder = str(save_heads(tmp_path / "model", kind))
    expected = said(load_classifier(folder, device="cpu")[0])
    together, alone = (load_onnx_classifier(folder, batch_tokens=tokens)[0] for tokens in (None, 1))
    np.testing.assert_allclose(said(together), expected, atol=1e-5)
    np.testing.assert_allclose(said(alone), expected, atol=1e-5)


def test_int8_is_near_and_does_not_depend_on_the_batch(heads: Path) -> None:
    expected = said(load_classifier(str(heads), device="cpu")[0])
    together, alone = (load_onnx_classifier(str(heads), dtype="int8", batch_tokens=tokens)[0] for tokens in (None, 1))
    assert 0 < np.abs(said(together) - expected).mean() < 0.01
    np.testing.assert_allclose(said(alone), said(together), atol=1e-2)


def test_an_outlier_in_one_token_leaves_the_others_alone() -> None:
    torch.manual_seed(0)
    layer = torch.nn.Linear(64, 32)
    model = _Layer(layer)
    rows = torch.randn(3, 5, 64)
    rows[0, 0, 7] = 1000.0
    expected = layer(rows)
    quantized = model.run_quantized(rows)
    apart = torch.ones(3, 5, dtype=torch.bool)
    apart[0, 0] = False
    gap = (quantized - expected)[apart].std() / expected[apart].std()
    assert gap < 0.2  # with one scale for all it is 1


class _Layer(torch.nn.Module):
    def __init__(self, layer: torch.nn.Linear) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        return self.layer(given)

    def run_quantized(self, rows: torch.Tensor) -> torch.Tensor:
        import onnxruntime

        onnx_model._quantize(self, [{"given": rows}])
        with onnx_model._quiet():
            program = torch.onnx.export(self, (rows,), dynamo=True, input_names=["rows"], verbose=False)
        session = onnxruntime.InferenceSession(program.model_proto.SerializeToString())
        return torch.from_numpy(session.run(None, {"rows": rows.numpy()})[0])


@pytest.mark.slow
def test_token_types_reach_the_export(tmp_path: Path) -> None:
    torch.manual_seed(0)
    size = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    model = BertForSequenceClassification(BertConfig(vocab_size=50, **size)).eval()
    for weights in model.parameters():  # a fresh model is almost indifferent
        weights.data *= 8.0 if weights.dim() > 1 else 1.0
    ids = torch.randint(1, 50, (3, 9))
    given = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "token_type_ids": (ids > 20).long()}
    expected = model(**given).logits.detach()
    onnx_model.export(model, [given], tmp_path / "export", "float32")
    loaded = onnx_model.OnnxModel(tmp_path / "export" / onnx_model.FILE, model.config, "float32")
    torch.testing.assert_close(loaded(**given).logits, expected, atol=1e-5, rtol=0)
    other = loaded(**given | {"token_type_ids": torch.zeros_like(ids)}).logits
    assert (other - expected).abs().max() > 1e-3


def test_it_is_exported_once_and_again_for_other_weights(heads: Path, tmp_path: Path, monkeypatch: Any) -> None:
    load_onnx_classifier(str(heads))
    exports: list[str] = []
    monkeypatch.setattr("emollms.inference.loading.export", lambda model, samples, folder, dtype: exports.append(dtype))
    load_onnx_classifier(str(heads))
    assert exports == []
    with pytest.raises(EmollmsError, match="is damaged; remove it"):  # what was to be exported is not there
        load_onnx_classifier(str(save_heads(tmp_path / "other", longest=50)))
    assert exports == ["float32"]


def test_an_export_that_computes_something_else_is_refused_and_not_kept(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoil(model: Any, samples: Any) -> None:
        model.score.weight.data.neg_()

    folder = save_heads(tmp_path / "model", longest=51)
    monkeypatch.setattr(onnx_model, "_quantize", spoil)
    before = {path.name for path in (cache / "onnx").glob("[!.]*")} if (cache / "onnx").exists() else set()
    with pytest.raises(EmollmsError, match=r"the export in int8 differs from the model by .* leave --engine onnx out"):
        load_onnx_classifier(str(folder), dtype="int8")
    assert {path.name for path in (cache / "onnx").glob("[!.]*")} == before


def test_annotations_are_those_of_torch(heads: Path) -> None:
    options = {"task": list(TASKS[:5]), "fresh": True}
    with (
        emollms.Annotator.from_pretrained(str(heads), **options) as torch_one,
        emollms.Annotator.from_pretrained(str(heads), engine="onnx", **options) as onnx_one,
    ):
        expected, found = torch_one(TEXTS).to_pandas(), onnx_one(TEXTS).to_pandas()
        assert found["V-reg"].tolist() == pytest.approx(expected["V-reg"].tolist(), abs=1e-3)
        assert '"engine": "onnx"' in onnx_one.identities[0]


def test_what_it_is_not_for_is_refused(heads: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--engine onnx is for classifiers, and .* writes its answers"):
        model_predictor(str(make_tiny("smollm2", tmp_path / "writer")), engine="onnx")
    with pytest.raises(UsageError, match="--engine onnx has no dtype 'bfloat16'; use auto, float32 or int8"):
        load_onnx_classifier(str(heads), dtype="bfloat16")
    with pytest.raises(UsageError, match="dtype int8 is for classifiers with --engine onnx"):
        load_classifier(str(heads), dtype="int8")


def test_a_missing_package_is_named_before_anything_is_loaded(heads: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emollms.optional.find_spec", lambda name: None if name == "onnxscript" else object())
    line = r"^--engine onnx needs onnxscript; install it with: pip install 'emollms\[onnx\]'$"
    with pytest.raises(UsageError, match=line):
        model_predictor(str(heads), engine="onnx")
