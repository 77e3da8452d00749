"""Opens an engine on this machine by name; heavy libraries are imported when it is opened."""

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, get_args

from emollms.errors import unknown
from emollms.hardware import default_device, limit_threads, slow_bfloat16
from emollms.inference.engine import Engine, EngineInfo
from emollms.optional import check_installed, needing
from emollms.progress import Warn

if TYPE_CHECKING:
    from emollms.inference.heads_engine import TorchClassifier

Name = Literal["transformers", "vllm", "onnx", "endpoint"]
ONNX = ("onnx", "onnxruntime", "onnxscript")
"""What the engine `onnx` needs besides torch."""


def open_engine(name: Name, model: str, *, warn: Warn = lambda text: None, **options: Any) -> Engine:
    """An engine that is ready.

    Args:
        name: which engine.
        model: folder or repository.
        warn: is told that the number type is slow here.
        options: further arguments of `loading.load` or `VllmEngine`.

    Raises:
        UsageError: there is no such engine or model, or a library is missing.
    """
    if name not in (here := [name for name in get_args(Name) if name not in ("onnx", "endpoint")]):
        raise unknown("engine", name, here)
    if name == "vllm":
        from emollms.inference.vllm_engine import VllmEngine

        return VllmEngine(model, **options)
    _let_threads_sleep()
    with needing("annotate"):
        from emollms.inference.loading import load
    _tell_if_slow(options, warn)
    return load(model, **options)


def open_classifier(
    name: Name, model: str, *, warn: Warn = lambda text: None, **options: Any
) -> "tuple[TorchClassifier, EngineInfo]":
    """A classifier that is ready, and what the manifest of a run says about it.

    Args:
        name: `transformers` or `onnx`.
        model: folder or repository.
        warn: is told that the number type is slow here.
        options: further arguments of `loading.load_classifier` and `loading.load_onnx_classifier`.

    Raises:
        UsageError: there is no such model, or a library is missing.
    """
    if name == "onnx":
        check_installed(ONNX, "onnx", "--engine onnx")
    _let_threads_sleep()
    with needing("annotate"):
        from emollms.inference.loading import load_classifier, load_onnx_classifier
    _tell_if_slow(options, warn)
    return (load_onnx_classifier if name == "onnx" else load_classifier)(model, **options)


def _tell_if_slow(options: Mapping[str, Any], warn: Warn) -> None:
    if line := slow_bfloat16(options.get("dtype", "auto"), default_device()):
        warn(line)


def _let_threads_sleep() -> None:
    """Let threads of torch sleep while they wait: on a busy 2-core machine that made inference 12 times as fast.

    OpenMP reads this when torch is imported, so it does nothing after that.
    """
    if "torch" not in sys.modules:
        limit_threads()
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
