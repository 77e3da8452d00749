"""Prepacked layers against those that they replace."""

import pytest
import torch
from inference.tiny_models import FAMILIES, TEXTS, tokenizer
from torch import nn

from emollms.inference.loading import load
from emollms.inference.prepacking import PrepackedLinear, prepack
from emollms.training.tiny import make_tiny, tiny_model

_PROBE = nn.Sequential(nn.Linear(2, 2))
prepack(_PROBE)
only_here = pytest.mark.skipif(not isinstance(_PROBE[0], PrepackedLinear), reason="torch has no oneDNN for this CPU")


@pytest.mark.parametrize("family", FAMILIES)
@torch.inference_mode()
def test_a_model_gives_the_logits_that_it_gave(family: str):
    model = tiny_model(family).eval()
    ids = tokenizer(family)(TEXTS[0], return_tensors="pt").input_ids
    given = {"input_ids": ids, **({"decoder_input_ids": ids[:, :3]} if model.config.is_encoder_decoder else {})}
    before = model(**given).logits
    prepack(model)
    torch.testing.assert_close(model(**given).logits, before, atol=1e-5, rtol=1e-5)


@only_here
def test_only_plain_layers_in_float32_are_prepacked():
    class Other(nn.Linear):
        pass

    model = nn.Sequential(nn.Linear(5, 3, bias=False), Other(3, 3), nn.Linear(3, 2, dtype=torch.bfloat16))
    inner = nn.Sequential(nn.Sequential(nn.Linear(2, 4)), model)
    prepack(inner)
    assert [type(layer) for layer in model] == [PrepackedLinear, Other, nn.Linear]
    assert isinstance(inner[0][0], PrepackedLinear)
    assert sum(one.numel() for one in inner.parameters()) == 5 * 3 + (3 * 3 + 3) + (3 * 2 + 2) + (2 * 4 + 4)


@only_here
def test_a_loaded_model_is_prepacked_in_float32_alone(tmp_path):
    folder = make_tiny("llama", tmp_path / "tiny")
    kinds = {
        dtype: {type(one) for one in load(str(folder), device="cpu", dtype=dtype).model.modules()}
        for dtype in ("float32", "bfloat16")
    }
    assert PrepackedLinear in kinds["float32"]
    assert nn.Linear not in kinds["float32"]
    assert PrepackedLinear not in kinds["bfloat16"]
