"""Opens an engine on this machine by name; heavy libraries are imported when it is opened."""

import os
import sys
from typing import TYPE_CHECKING, Any, Literal, get_args

from emollms.errors import unknown
from emollms.hardware import limit_threads
from emollms.inference.engine import Engine, EngineInfo
from emollms.optional import check_installed, needing

if TYPE_CHECKING:
    from emollms.inference.heads_engine import TorchClassifier

Name = Literal["transformers", "vllm", "onnx", "endpoint"]
ONNX = ("onnx", "onnxruntime", "onnxscript")
"""What the engine `onnx` needs besides torch."""


def open_engine(name: Name, model: str, **options: Any) -> Engine:
    """An engine that is ready.

    Args:
        name: which engine.
        model: folder or repository.
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
    return load(model, **options)


def open_classifier(name: Name, model: str, **options: Any) -> "tuple[TorchClassifier, EngineInfo]":
    """A classifier that is ready, and what the manifest of a run says about it.

    Args:
        name: `transformers` or `onnx`.
        model: folder or repository.
        options: further arguments of `loading.load_classifier` and `loading.load_onnx_classifier`.

    Raises:
        UsageError: there is no such model, or a library is missing.
    """
    if name == "onnx":
        check_installed(ONNX, "onnx", "--engine onnx")
    _let_threads_sleep()
    with needing("annotate"):
        from emollms.inference.loading import load_classifier, load_onnx_classifier
    return (load_onnx_classifier if name == "onnx" else load_classifier)(model, **options)


def _let_threads_sleep() -> None:
    """Let threads of torch sleep while they wait: on a busy 2-core machine that made inference 12 times as fast.

    OpenMP reads this when torch is imported, so it does nothing after that.
    """
    if "torch" not in sys.modules:
        limit_threads()
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
