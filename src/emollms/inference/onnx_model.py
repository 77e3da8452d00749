"""Classifiers in ONNX Runtime: exported by torch once, in float32 or int8, and kept in the cache.

int8 is W8A8: each token's activations have a scale of their own (Dettmers et al., 2022), each output of a layer one for
its weights, and inputs that are larger than the others are made smaller in favor of their weights, which changes
nothing but the rounding (SmoothQuant, Xiao et al., 2023). ONNX Runtime's `quantize_dynamic` takes one scale for a whole
batch; the first token of a decoder is hundreds of times larger than the others (Sun et al., 2024), which then round to
nothing.
"""

import hashlib
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from emollms.errors import EmollmsError
from emollms.locations import cache_root
from emollms.optional import require
from emollms.storage import commit, draft

FILE = "model.onnx"
_FORMAT = 1
"""Number of this way to export; exports of another are left alone."""
_WEIGHT_MAX = 63
"""Weights have 7 bits: on AVX2 without VNNI two products of 8 bits overflow the 16 bits in which they are added."""
_ACTIVATION_MAX, _ZERO = 127, 128
"""Activations are unsigned, with 128 as zero: ONNX Runtime has no fast product of two signed matrices on x86."""
TOLERANCE = {"float32": 1e-4, "int8": 0.25}
"""How far logits of an export may be from those of torch, in standard deviations of all; int8 in the mean."""


class OnnxModel:
    """An exported classifier, called as a model of transformers is.

    Args:
        path: the export.
        config: the configuration of the model.
        dtype: `float32` or `int8`.

    Raises:
        UsageError: ONNX Runtime is not installed.
        EmollmsError: the export is damaged.
    """

    device = torch.device("cpu")

    def __init__(self, path: Path, config: Any, dtype: str) -> None:
        runtime = require("onnxruntime", "onnx", "--engine onnx")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # as in `engines._let_threads_sleep`
        try:
            self.session = runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the runtime raises anything
            raise EmollmsError(f"{path.parent} is damaged; remove it, and it is made again") from error
        self.config, self.dtype = config, dtype

    def eval(self) -> "OnnxModel":
        """Itself; it is never trained."""
        return self

    def __call__(self, **given: torch.Tensor) -> SimpleNamespace:
        """Its `logits` for tensors of shape (texts, tokens)."""
        (logits,) = self.session.run(None, {name: one.numpy() for name, one in given.items()})
        return SimpleNamespace(logits=torch.from_numpy(logits))


def export_folder(revision: str, dtype: str) -> Path:
    """Where the export of a model is kept.

    Args:
        revision: what identifies its weights: a commit, or a hash of them.
        dtype: `float32` or `int8`.
    """
    digest = hashlib.sha256(f"{revision} {dtype} {_FORMAT}".encode()).hexdigest()
    return cache_root() / "onnx" / digest[:32]


def export(model: Any, samples: Sequence[dict[str, torch.Tensor]], folder: Path, dtype: str) -> None:
    """Export a classifier, and compare it with the model; the folder appears whole or not at all.

    Args:
        model: a classifier of transformers in float32 on the CPU; its layers are replaced for int8.
        samples: batches of several texts, the first with padding; int8 learns from them how large activations are.
        folder: where it goes, in a folder that exists.
        dtype: `float32` or `int8`.

    Raises:
        EmollmsError: it cannot be exported, or computes something else than the model.
    """
    with draft(folder) as made, torch.inference_mode():
        expected = [model(**given).logits for given in samples]
        if dtype == "int8":
            _quantize(model, samples)
        try:
            with _quiet():
                _program(model, samples[0]).save(made / FILE, external_data=True)
        except Exception as error:  # the exporter raises anything
            reason = " ".join(str(error).split())[:400]
            raise EmollmsError(f"torch cannot export this model ({reason}); leave --engine onnx out") from error
        _check(OnnxModel(made / FILE, model.config, dtype), samples, expected)
        commit(made, folder)


def _program(model: Any, sample: dict[str, torch.Tensor]) -> Any:
    free = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    return torch.onnx.export(
        _Logits(model).eval(), tuple(sample.values()), dynamo=True, dynamic_shapes=tuple(free for _ in sample),
        input_names=list(sample), output_names=["logits"], optimize=False, verbose=False,
    )  # fmt: skip


def _check(exported: OnnxModel, samples: Sequence[dict[str, torch.Tensor]], expected: Sequence[torch.Tensor]) -> None:
    """Compare an export with the model, batch by batch.

    Raises:
        EmollmsError: they differ by more than `TOLERANCE`.
    """
    gaps = torch.cat([(exported(**given).logits - one).abs() for given, one in zip(samples, expected, strict=True)])
    gap = float((gaps.mean() if exported.dtype == "int8" else gaps.max()) / torch.cat(list(expected)).std())
    if not gap <= TOLERANCE[exported.dtype]:
        raise EmollmsError(
            f"the export in {exported.dtype} differs from the model by {gap:.2g} standard deviations of its outputs; "
            "leave --engine onnx out"
        )


class _Logits(torch.nn.Module):
    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor | None = None
    ) -> Any:
        types = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        return self.model(input_ids=input_ids, attention_mask=attention_mask, **types).logits


class _RowInt8(torch.nn.Module):
    """A linear layer in integers, which exists in exports alone."""

    weight: torch.Tensor
    scale: torch.Tensor
    smoothing: torch.Tensor
    one: torch.Tensor
    zero: torch.Tensor

    def __init__(self, layer: torch.nn.Linear, largest: torch.Tensor) -> None:
        super().__init__()
        weight = layer.weight.detach()
        smoothing = (weight.abs().amax(0).clamp(min=1e-5) / largest.clamp(min=1e-5)).sqrt()
        weight = weight / smoothing
        scale = weight.abs().amax(1).clamp(min=1e-12) / _WEIGHT_MAX
        self.register_buffer("weight", (weight / scale[:, None]).round().to(torch.int8).T.contiguous())
        self.register_buffer("scale", scale)
        self.register_buffer("smoothing", smoothing)
        self.register_buffer("one", torch.tensor(1.0))
        self.register_buffer("zero", torch.tensor(_ZERO, dtype=torch.uint8))
        self.bias = layer.bias

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        rows = given.reshape(-1, given.shape[-1]) * self.smoothing
        scale = rows.abs().amax(-1).clamp(min=1e-12) / _ACTIVATION_MAX
        zeros = self.zero.expand(rows.shape[0])
        whole = torch.onnx.ops.symbolic(
            "QuantizeLinear", (rows, scale, zeros), {"axis": 0}, dtype=torch.uint8, shape=rows.shape
        )
        # The scale of a token comes after the product: the operator takes one for all.
        found = torch.onnx.ops.symbolic(
            "com.microsoft::MatMulIntegerToFloat",
            (whole, self.weight, self.one, self.scale, self.zero),
            dtype=torch.float32, shape=(rows.shape[0], self.weight.shape[1]), version=1,
        )  # fmt: skip
        found = (found * scale[:, None]).reshape(*given.shape[:-1], self.weight.shape[1])
        return found if self.bias is None else found + self.bias


def _quantize(model: Any, samples: Sequence[dict[str, torch.Tensor]]) -> None:
    """Replace the linear layers of a model."""
    layers = {(parent, name): layer for parent in model.modules() for name, layer in parent.named_children()}
    linear = {place: layer for place, layer in layers.items() if type(layer) is torch.nn.Linear}
    largest = _largest_inputs(model, samples, list(linear.values()))
    for (parent, name), layer in linear.items():
        setattr(parent, name, _RowInt8(layer, largest[layer]))


def _largest_inputs(
    model: Any, samples: Sequence[dict[str, torch.Tensor]], layers: Sequence[torch.nn.Linear]
) -> dict[torch.nn.Module, torch.Tensor]:
    """The largest absolute value of each input of layers."""
    found: dict[torch.nn.Module, torch.Tensor] = {}

    def keep(layer: torch.nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        own = given[0].abs().reshape(-1, given[0].shape[-1]).amax(0)
        found[layer] = torch.maximum(found[layer], own) if layer in found else own

    hooks = [layer.register_forward_pre_hook(keep) for layer in layers]
    for sample in samples:
        model(**sample)
    for hook in hooks:
        hook.remove()
    return found


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter reports its steps, and warns of packages that nothing here uses."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
