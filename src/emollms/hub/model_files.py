"""The files of a model: which there may be, and what must be in them."""

import json
import re
from collections.abc import Collection, Iterable
from pathlib import Path

from huggingface_hub import parse_local_safetensors_file_metadata
from huggingface_hub.errors import SafetensorsParsingError

from emollms.errors import EmollmsError
from emollms.inference.heads import FILE as HEADS
from emollms.storage import CALIBRATION

CONFIG, GENERATION, INDEX = "config.json", "generation_config.json", "model.safetensors.index.json"
ADAPTER, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
WEIGHTS = "model.safetensors"
TEMPLATE, TOKENIZER = "chat_template.jinja", "tokenizer_config.json"
VOCABULARIES = ("tokenizer.json", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model")
"""Files each of which is a whole tokenizer; the other way is `vocab.json` with `merges.txt`."""
OF_A_MODEL = {
    CONFIG, GENERATION, INDEX, ADAPTER, ADAPTER_WEIGHTS, WEIGHTS, TEMPLATE, TOKENIZER, *VOCABULARIES, "vocab.json",
    "merges.txt", "vocab.txt", "special_tokens_map.json", "added_tokens.json", HEADS,
}  # fmt: skip
PATTERNS = re.compile(
    r"model-\d{5}-of-\d{5}\.safetensors|additional_chat_templates/[\w.-]+\.jinja|(LICEN[CS]E|NOTICE|USE_POLICY)[\w.-]*"
)
LEFT_OUT = ("README.md", ".gitattributes", "run.json", "training_args.bin", CALIBRATION)
"""What is ignored: a release has its own card and record, and needs no pickle of the trainer's settings; a
calibration is published with the model, and is none of its files."""
PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".h5", ".msgpack", ".npy", ".npz")
BINARY = (".safetensors", ".gguf", ".model")
"""Kinds of files that hold no text."""
SCRIPTS = (".py", ".ipynb", ".sh", ".so", ".dll")
CODE = ("auto_map", "custom_pipelines")
"""What a configuration that brings code of its own says."""


def model_files(folder: Path) -> list[str]:
    """The paths of a model's files.

    Raises:
        EmollmsError: there are pickles, scripts, links, or files that no model has.
    """
    there = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not _is_folder(path))
    there = [path for path in there if path not in LEFT_OUT]
    _refuse(folder, "a pickle, which runs code when it is loaded", (p for p in there if p.endswith(PICKLES)))
    _refuse(folder, "code, and a model needs none of its own", (p for p in there if p.endswith(SCRIPTS)))
    others = (path for path in there if path not in OF_A_MODEL and not PATTERNS.fullmatch(path))
    _refuse(folder, "files that do not belong to a model", others)
    _refuse(folder, "a link, not a file", (path for path in there if (folder / path).is_symlink()))
    return there


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _refuse(folder: Path, what: str, paths: Iterable[str]) -> None:
    if found := list(paths):
        remedy = "save the weights as safetensors" if found[0].endswith(PICKLES) else "move it elsewhere"
        raise EmollmsError(f"{folder} holds {what}: {', '.join(found)}; {remedy}")


def read_json(path: Path) -> dict[str, object]:
    """A JSON object from a file.

    Raises:
        EmollmsError: there is none in it.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise EmollmsError(f"{path} is no JSON ({' '.join(str(error).split())}); save the model again") from None
    if not isinstance(found, dict):
        raise EmollmsError(f"{path} holds no JSON object; save the model again")
    return found


def check_code(folder: Path, files: Iterable[str]) -> None:
    """Refuse configurations that name code to be loaded with the model.

    Raises:
        EmollmsError: there is one; the message says where.
    """
    for path in files:
        if path.endswith(".json") and path not in ("tokenizer.json", "vocab.json", INDEX):
            found = read_json(folder / path)
            named = [name for name in CODE if found.get(name)]
            parent = _parent_library(found.get("auto_mapping"))
            if named or parent not in (None, "transformers"):
                what = named[0] if named else f"auto_mapping to {parent}"
                raise EmollmsError(
                    f"{folder / path} asks for code of the model's own ({what}); "
                    f"publish a model that the transformers library knows"
                )


def _parent_library(mapping: object) -> str | None:
    """The package that PEFT would import for an adapter."""
    library = mapping.get("parent_library") if isinstance(mapping, dict) else None
    return str(library).split(".")[0] if library else None


def check_tokenizer(folder: Path, files: Collection[str], template: str) -> None:
    """Refuse a model without its tokenizer, its generation settings, or the template that it was tuned with.

    Args:
        folder: the model.
        files: its files.
        template: the run's: `chat` or `frame`; `text` for a classifier, which generates nothing.

    Raises:
        EmollmsError: something is missing.
    """
    whole = any(name in files for name in VOCABULARIES) or {"vocab.json", "merges.txt"} <= set(files)
    needed = (TOKENIZER,) if template == "text" else (TOKENIZER, GENERATION)
    missing = [name for name in needed if name not in files]
    missing += [] if whole else ["tokenizer.json"]
    if missing:
        raise EmollmsError(
            f"{folder} lacks {', '.join(missing)}; save tokenizer and generation settings with the model"
        )
    if template == "chat" and TEMPLATE not in files and not read_json(folder / TOKENIZER).get("chat_template"):
        raise EmollmsError(f"{folder} lacks {TEMPLATE}, and the model was tuned with a chat template; save it with it")


def check_weights(folder: Path, files: Collection[str]) -> int:
    """Refuse weights that are not all there.

    Returns:
        How many numbers they are.

    Raises:
        EmollmsError: a shard is missing, torn, of no use, or no safetensors at all.
    """
    found = [path for path in files if path.endswith(".safetensors")]
    if ADAPTER in files:
        return _check_named(folder, found, [ADAPTER_WEIGHTS])
    if INDEX not in files:
        return _check_named(folder, found, [WEIGHTS])
    index = read_json(folder / INDEX).get("weight_map")
    if not isinstance(index, dict):
        raise EmollmsError(f"{folder / INDEX} names no weights; save the model again")
    numbers = _check_named(folder, found, sorted(set(index.values())))
    for path in found:
        tensors = set(parse_local_safetensors_file_metadata(folder / path).tensors)
        wanted = {name for name, shard in index.items() if shard == path}
        if tensors != wanted:
            name = min(tensors ^ wanted)
            raise EmollmsError(f"{folder / path} does not hold what {INDEX} says, such as {name}; save the model again")
    return numbers


def _check_named(folder: Path, found: Collection[str], wanted: Collection[str]) -> int:
    if missing := sorted(set(wanted) - set(found)):
        raise EmollmsError(f"{folder} lacks weights: {', '.join(missing)}; save the model again, as safetensors")
    if others := sorted(set(found) - set(wanted)):
        raise EmollmsError(f"{folder} holds weights that are not of this model: {', '.join(others)}; delete them")
    return sum(_count_numbers(folder / path) for path in wanted)


def _count_numbers(path: Path) -> int:
    """How many numbers a file of weights holds; it must be whole."""
    try:
        header = parse_local_safetensors_file_metadata(path)
    except (SafetensorsParsingError, KeyError, TypeError, AttributeError, UnicodeDecodeError):
        raise EmollmsError(f"{path} is no safetensors file; save the weights again") from None
    with path.open("rb") as stream:
        start = 8 + int.from_bytes(stream.read(8), "little")
    end = start + max((tensor.data_offsets[1] for tensor in header.tensors.values()), default=0)
    if path.stat().st_size != end:
        raise EmollmsError(f"{path} has {path.stat().st_size:,} bytes, not {end:,}; save or copy it again")
    return sum(tensor.parameter_count for tensor in header.tensors.values())
