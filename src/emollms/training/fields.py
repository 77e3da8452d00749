"""The settings that a recipe may have, known before TRL and transformers are imported: that takes seconds, with torch.

`parsing` checks each value again against the libraries' own classes, and what they say of settings together.
"""

import ast
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

from emollms.errors import UsageError, shorten
from emollms.training.arguments import TuningArguments, architecture
from emollms.training.recipe import Recipe

_FILES = (
    "trl/trainer/sft_config.py",
    "trl/trainer/base_config.py",
    "trl/trainer/model_config.py",
    "transformers/training_args.py",
    "transformers/training_args_seq2seq.py",
)
_CLASSES = {"causal": ("SFTConfig", "ModelConfig"), "seq2seq": ("Seq2SeqTrainingArguments", "ModelConfig")}
_OWN = {"seq2seq": {"max_length": "int | None"}}
"""Fields that `parsing.Seq2SeqConfig` adds."""
_SCALARS: Mapping[str, Any] = {"int": int, "float": float, "bool": bool, "str": str}


def check_keys(recipe: Recipe) -> None:
    """Refuse keys that no setting has, and values that are no number, no text, no truth value where one is asked for.

    Nothing is refused where the libraries are not installed, or their source is not where it is looked for.

    Raises:
        UsageError: a key or a value is wrong; the message names file and line, or the option.
    """
    family = family_of(recipe)
    kind = architecture(family)
    known = {name: library_fields(name) for name in _CLASSES}
    if not known[kind]:
        return
    own = get_type_hints(TuningArguments)
    for key, value in recipe.values.items():
        if key not in own and key not in known[kind]:
            raise UsageError(f"{recipe.where(key)}: {unknown_key(key, {**own, **known[kind]}, known, family)}")
        hint = own.get(key) if key in own else _scalar(known[kind][key])
        if hint is not None and (problem := _problem(value, hint)):
            raise UsageError(f"{recipe.where(key)}: {key}: {problem}")


def family_of(recipe: Recipe) -> str:
    """The family of a recipe's model.

    Raises:
        UsageError: there is no such family, or the recipe names no family, or no model.
    """
    for key in ("family", "model_name_or_path"):
        if not isinstance(recipe.values.get(key), str):
            raise UsageError(
                f"{recipe.where(key)}: {key} is missing; a recipe names its model, and its family, as text"
            )
    try:
        architecture(family := str(recipe.values["family"]))
    except UsageError as error:
        raise UsageError(f"{recipe.where('family')}: {error}") from None
    return family


def unknown_key(key: str, known: Mapping[str, object], kinds: Mapping[str, Mapping[str, object]], family: str) -> str:
    """What to say of a key that is none.

    Args:
        key: the key.
        known: the keys that there are.
        kinds: the libraries' fields for `causal` and for `seq2seq` models.
        family: the family of the recipe's model.
    """
    if key in kinds["causal"]:
        return f"{key} is for decoders, and {family} is a family of encoder-decoders; leave it out"
    if key in kinds["seq2seq"]:
        return f"{key} is for encoder-decoders, and {family} is a family of decoders; leave it out"
    near = get_close_matches(key, known, n=3, cutoff=0.6)
    near = [name for name in near if name.split("_")[0] == key.split("_")[0]] or near
    hint = (
        f"did you mean {' or '.join(near)}?"
        if near
        else "keys are the fields of TuningArguments of this package, SFTConfig and ModelConfig of TRL"
    )
    return f"unknown key {key!r}; {hint}"


def library_fields(kind: str) -> dict[str, str]:
    """The fields of TRL's and transformers' settings with their types as they are written, read from their source.

    Args:
        kind: `causal` or `seq2seq`.

    Returns:
        Name to annotation; empty where a class or one of its bases is not found.
    """
    classes = {node.name: node for node in _classes()}
    found: dict[str, str] = {}
    for name in _CLASSES[kind]:
        todo = [name]
        while todo:
            node = classes.get(todo.pop())
            if node is None:
                return {}
            todo += [base.id for base in node.bases if isinstance(base, ast.Name)]
            found = _fields(node) | found  # what a class says comes before what its bases say
    return found | _OWN.get(kind, {})


def _classes() -> Iterator[ast.ClassDef]:
    for file in _FILES:
        package, _, rest = file.partition("/")
        spec = find_spec(package)
        path = Path(spec.origin).parent / rest if spec and spec.origin else None
        if path and path.is_file():
            tree = ast.parse(path.read_text(encoding="utf-8"))
            yield from (node for node in tree.body if isinstance(node, ast.ClassDef))


def _fields(node: ast.ClassDef) -> dict[str, str]:
    return {
        line.target.id: ast.unparse(line.annotation)
        for line in node.body
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name) and "ClassVar" not in ast.unparse(line)
    }


def _scalar(annotation: str) -> Any:
    """The type of a field that holds a number, a text or a truth value, or None besides; None for any other."""
    parts = [part.strip() for part in annotation.split("|")]
    types = [_SCALARS[part] for part in parts if part in _SCALARS]
    if len(types) != 1 or len(parts) - len(types) != parts.count("None"):
        return None
    return types[0] | None if "None" in parts else types[0]


def _problem(value: object, hint: Any) -> str | None:
    """What is wrong with a value, if that can be told from its type alone."""
    if isinstance(value, str) and "list" in str(hint):
        value = [value]
    if isinstance(value, bool) and "bool" not in str(hint):
        return f"{str(value).lower()} is no value for it"
    try:
        TypeAdapter(hint).validate_python(value)
    except ValidationError as error:
        problem = error.errors()[0]["msg"]
        return f"{problem[0].lower()}{problem[1:]}, not {shorten(repr(value))}"
    return None
