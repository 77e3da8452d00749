"""Models of the transformers library from a folder or repository, and checks that a written one loads again."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer, GgufConfig
from transformers.utils.hub import cached_file
from transformers.utils.peft_utils import find_adapter_config_file

from emollms.errors import EmollmsError, UsageError, shorten
from emollms.hardware import Precision, default_device, inference_precision
from emollms.inference.classifiers import Outputs, classifier_outputs, heads_of
from emollms.inference.engine import EngineInfo, versions_of
from emollms.inference.heads import Heads
from emollms.inference.heads_engine import TorchClassifier, read_out_before_padding
from emollms.inference.model_names import base_in, check_dtype, check_model, resolve_model
from emollms.inference.onnx_model import FILE, OnnxModel, export, export_folder
from emollms.inference.prepacking import prepack
from emollms.inference.transformers_engine import TransformersEngine, describe_model
from emollms.inference.weights import check_reads, load_adapter, load_whole
from emollms.prompts.framing import Template
from emollms.storage import locked, weights_hash


def load(
    model: str,
    *,
    revision: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    template: Template = "auto",
    batch_tokens: int | None = None,
) -> TransformersEngine:
    """Load a model and its tokenizer; code that comes with a model is never run.

    Args:
        model: folder or repository, also of a PEFT adapter; or the packaged model, see `model_names.resolve_model`.
        revision: branch, tag or commit of a repository.
        device: `auto` for the first accelerator, or a name as torch knows it.
        dtype: `float32`, `bfloat16`, `float16`; or `auto` for what suits the device, see
            `emollms.hardware.inference_precision`.
        template: see `emollms.prompts.framing.resolve_template`.
        batch_tokens: see `TransformersEngine`.

    Raises:
        UsageError: there is no such model, device or number type.
        EmollmsError: its weights do not fill it exactly, or it gives no numbers.
    """
    name, loaded, tokenizer, precision = _load(model, revision, device, dtype)
    prepack(loaded)
    engine = TransformersEngine(
        loaded, tokenizer, name, revision, template, batch_tokens, dtype_reason=precision.reason
    )
    check_reads(loaded, tokenizer, name)
    return engine


def load_classifier(
    model: str,
    *,
    revision: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    outputs: Outputs | None = None,
    batch_tokens: int | None = None,
) -> tuple[TorchClassifier, EngineInfo]:
    """Load a sequence classifier and its tokenizer, and describe it.

    Args:
        model: folder or repository, also of an adapter.
        revision: see `load`; so are the two arguments below.
        device: where it runs.
        dtype: the numbers' type.
        outputs: what its outputs answer, of `classifiers.classifier_outputs`; None to find out.
        batch_tokens: see `TorchClassifier`.

    Raises:
        UsageError: there is no such model, device or number type, or it is no classifier.
        EmollmsError: its weights do not fill it exactly, or it gives no numbers.
    """
    said = outputs or _outputs(model, revision)
    heads = said if isinstance(said, Heads) else None
    name, loaded, tokenizer, precision = _load(model, revision, device, dtype, heads)
    prepack(loaded)
    read_out_before_padding(loaded, tokenizer)
    check_reads(loaded, tokenizer, name)
    classifier = TorchClassifier(loaded, tokenizer, batch_tokens, said.activation)
    attention = getattr(loaded.config, "_attn_implementation", None)
    settings = _settings(classifier, said) | {"attention": attention, "dtype_reason": precision.reason}
    return classifier, describe_model(loaded, name, revision, "text", settings)


def load_onnx_classifier(
    model: str,
    *,
    revision: str | None = None,
    dtype: str = "auto",
    outputs: Outputs | None = None,
    batch_tokens: int | None = None,
) -> tuple[TorchClassifier, EngineInfo]:
    """The same as `load_classifier`, in ONNX Runtime on the CPU; the first time torch exports the model.

    Args:
        model: folder or repository.
        revision: see `load`.
        dtype: `float32`, which is `auto`, or `int8`.
        outputs: see `load_classifier`.
        batch_tokens: see `TorchClassifier`.

    Raises:
        UsageError: there is no such model or number type, a package is missing, it is an adapter, or no classifier.
        EmollmsError: the model is damaged, or its export differs from it.
    """
    check_dtype(dtype, "onnx")
    precision, said = "int8" if dtype == "int8" else "float32", outputs or _outputs(model, revision)
    name = resolve_model(model)
    check_model(name, revision)
    if base_of(name, revision)[0] != name:
        raise UsageError(f"--engine onnx needs a whole model, and {model} is an adapter; see emollms merge")
    config = AutoConfig.from_pretrained(name, revision=revision)
    known = weights_hash(Path(name)) if Path(name).is_dir() else f"{name}@{getattr(config, '_commit_hash', revision)}"
    folder = export_folder(known, precision)
    _export_once(folder, name, revision, precision, said)
    loaded, tokenizer = OnnxModel(folder / FILE, config, precision), load_tokenizer(name, revision)
    read_out_before_padding(loaded, tokenizer)
    classifier = TorchClassifier(loaded, tokenizer, batch_tokens, said.activation)
    about = describe_model(loaded, name, revision, "text", _settings(classifier, said))
    versions = versions_of(("emollms", "onnxruntime", "torch", "transformers", "tokenizers"))
    return classifier, replace(about, engine="onnx", versions=versions)


def _export_once(folder: Path, name: str, revision: str | None, precision: str, said: Outputs) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    # A second process that needs it at the same time waits, and takes what the first one made.
    with locked(folder.with_name(f".{folder.name}.lock")):
        if (folder / FILE).is_file():
            return
        heads = said if isinstance(said, Heads) else None
        _, loaded, tokenizer, _ = _load(name, revision, "cpu", "float32", heads)  # prepacked layers have no export
        read_out_before_padding(loaded, tokenizer)
        check_reads(loaded, tokenizer, name)
        exact = TorchClassifier(loaded, tokenizer, None, said.activation)
        ids = exact.encode(SAMPLES)
        export(exact.model, [exact.inputs(ids), exact.inputs(ids[:2])], folder, precision)


def _outputs(model: str, revision: str | None) -> Outputs:
    said = classifier_outputs(model if revision is None else f"{model}@{revision}")
    if said is None:
        raise UsageError(f"{model} is no classifier: it writes its answers")
    return said


def _settings(classifier: TorchClassifier, said: Outputs) -> dict[str, object]:
    about: dict[str, object] = {"batch_tokens": classifier.batch_tokens, "threads": torch.get_num_threads()}
    return about | ({"map": said.map_digest} if said.map_digest else {})


def _load(
    model: str, revision: str | None, device: str, dtype: str, heads: Heads | None = None
) -> tuple[str, Any, Any, Precision]:
    """The name of a model, the model on its device, its tokenizer, and what its numbers are."""
    place = _device(device)
    precision = _precision(dtype, place)
    name = resolve_model(model)
    check_model(name, revision)
    try:
        tokenizer = load_tokenizer(name, revision)
        loaded = open_model(name, revision, getattr(torch, precision.name), heads)
    except EmollmsError:
        raise
    except Exception as error:  # readers of damaged or unknown files raise anything
        raise UsageError(f"cannot load {name!r}: {in_a_line(error)}") from error
    return name, loaded.to(place), tokenizer, precision


def open_model(model: str, revision: str | None, dtype: Any, heads: Heads | None = None) -> Any:
    """A model; an adapter comes with the model it was made for, whose revision is not the adapter's.

    Args:
        model: folder or repository.
        revision: of it.
        dtype: of its numbers.
        heads: outputs that an adapter brings; None for a whole model, or an adapter of one that writes answers.

    Raises:
        UsageError: an adapter names no base model, or one that is not there, or PEFT is missing.
        EmollmsError: see `weights.load_whole` and `weights.load_adapter`.
        Exception: as transformers and PEFT raise it.
    """
    name, base_revision = base_of(model, revision)
    if name == model:
        return load_whole(name, base_revision, dtype=dtype)
    loaded = load_whole(name, base_revision, dtype=dtype, heads=heads)
    adapted = load_adapter(loaded, model, revision)
    # Merged, a layer takes one product in place of three, and is as near to float32 as before. Weights of 4 or 8 bits
    # would round the sum away.
    if hasattr(adapted, "merge_and_unload") and not getattr(loaded, "is_quantized", False):
        return adapted.merge_and_unload()
    return adapted.get_base_model()


def load_tokenizer(model: str, revision: str | None = None) -> Any:
    """The tokenizer of a model; for an adapter that has none, that of its base.

    Raises:
        Exception: as transformers raises it.
    """
    there = {"revision": revision, "_raise_exceptions_for_missing_entries": False}
    if not any(cached_file(model, name, **there) for name in ("tokenizer_config.json", "tokenizer.json")):
        model, revision = base_of(model, revision)
    return AutoTokenizer.from_pretrained(model, revision=revision)


def base_of(model: str, revision: str | None = None) -> tuple[str, str | None]:
    """The model whose weights there are: for an adapter the one it was made for, with the revision that it names.

    Raises:
        UsageError: an adapter names none, or a folder that is not there.
    """
    adapter = find_adapter_config_file(model, revision=revision)
    if adapter is None or (Path(model) / "config.json").is_file():
        return model, revision
    name, base_revision = base_in(Path(adapter))
    return resolve_model(name), base_revision


def load_and_read(folder: Path) -> None:
    """Load a model with its tokenizer, and let it read a sentence; code that comes with a model is never run.

    Raises:
        EmollmsError: it does not load, its weights do not fill it exactly, or it gives no numbers.
    """
    try:
        tokenizer = load_tokenizer(str(folder))
        model = open_model(str(folder), None, "auto", heads_of(str(folder)))
    except EmollmsError:
        raise
    except Exception as error:  # readers of damaged or unknown files raise anything
        raise EmollmsError(f"the model does not load: {in_a_line(error)}") from error
    check_reads(model, tokenizer, str(folder))


SAMPLES = (
    "It is a sunny day.",
    "Nobody came to the party, and the cake",
    "The score is",
    "Human: \nHow angry is this?\n\nAssistant:\n",
)
"""Texts that both models read."""
MIN_AGREEMENT = 0.8
"""Fraction of tokens after which both must agree about the next one: rounding to few bits tips a close race."""


def compare_gguf(folder: Path, file: Path) -> None:
    """Load a model, and the GGUF that was made of it, and let both read a few words.

    Raises:
        EmollmsError: it does not load, tokenizes texts differently, or predicts other tokens.
    """
    config = AutoConfig.from_pretrained(folder)
    kind = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    ids = _tokens(folder, {})
    expected = _next_tokens(kind, folder, {}, ids)
    there = {"gguf_file": file.name}
    try:
        tokens = _tokens(file.parent, there)
        found = _next_tokens(kind, file.parent, there | {"quantization_config": GgufConfig(dequantize=True)}, ids)
    except Exception as error:  # readers of a damaged or unknown file raise anything
        raise EmollmsError(f"{file.name} does not load again: {' '.join(str(error).split())}") from error
    if tokens != ids:
        raise EmollmsError(f"{file.name} tokenizes texts differently from the model; leave --gguf out")
    same = sum(one == other for one, other in zip(expected, found, strict=True))
    if same < MIN_AGREEMENT * len(expected):
        raise EmollmsError(
            f"{file.name} predicts other tokens than the model after {len(expected) - same} of {len(expected)} tokens"
        )


def _tokens(folder: Path, options: dict[str, Any]) -> list[list[int]]:
    tokenizer = AutoTokenizer.from_pretrained(folder, **options)
    return [tokenizer(text).input_ids for text in SAMPLES]


def _next_tokens(kind: Any, folder: Path, options: dict[str, Any], ids: list[list[int]]) -> list[int]:
    """The likeliest token after each token of each text."""
    model = kind.from_pretrained(folder, dtype=torch.float32, **options).eval()
    found: list[int] = []
    for one in ids:
        read = {"input_ids": torch.tensor([one])}
        if model.config.is_encoder_decoder:
            read["decoder_input_ids"] = read["input_ids"]
        with torch.inference_mode():
            found += model(**read).logits[0].argmax(-1).tolist()
    return found


def in_a_line(error: Exception) -> str:
    """What an error of a library says, in one line of readable length."""
    said = " ".join(str(error).split())
    return shorten(said if isinstance(error, OSError | ValueError) else f"{type(error).__name__}: {said}", 400)


def _device(name: str) -> torch.device:
    if name == "auto":
        return default_device()
    try:
        return torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"unknown device {name!r}; name one as torch does: cpu, cuda, cuda:1, mps") from error


def _precision(name: str, device: torch.device) -> Precision:
    if name == "auto":
        return inference_precision(device)
    check_dtype(name)
    return Precision(name, "asked for")
