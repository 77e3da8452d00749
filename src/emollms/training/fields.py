"""The settings that a recipe may have, checked before TRL and transformers are imported, which takes seconds.

The fields are read from the source of the libraries' classes. `recipe_args` checks each value again against the classes
themselves, which also check combinations.
"""

import ast
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

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
_CLASSES = {
    "causal": ("SFTConfig", "ModelConfig"),
    "encoder": ("SFTConfig", "ModelConfig"),
    "seq2seq": ("Seq2SeqTrainingArguments", "ModelConfig"),
}
_OWN = {"seq2seq": {"max_length": "int | None"}}
"""Fields that `recipe_args.Seq2SeqConfig` adds."""
_SCALARS: Mapping[str, Any] = {"int": int, "float": float, "bool": bool, "str": str}


def check_keys(recipe: Recipe) -> None:
    """Refuse unknown keys, and values that are not the number, string or boolean of their field.

    Nothing is refused if the libraries are not installed, or their source is elsewhere.

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
        try:
            as_type(value, Any if hint is None else hint)
        except ValueError as error:
            raise UsageError(f"{recipe.where(key)}: {key}: {error}") from None


def family_of(recipe: Recipe) -> str:
    """The family of a recipe's model.

    Raises:
        UsageError: the family is unknown, or the recipe lacks a family or a model.
    """
    for key in ("family", "model_name_or_path"):
        if not isinstance(recipe.values.get(key), str):
            raise UsageError(
                f"{recipe.where(key)}: {key} is missing; a recipe needs model_name_or_path and family, as strings"
            )
    try:
        architecture(family := str(recipe.values["family"]))
    except UsageError as error:
        raise UsageError(f"{recipe.where('family')}: {error}") from None
    return family


def unknown_key(key: str, known: Mapping[str, object], kinds: Mapping[str, Mapping[str, object]], family: str) -> str:
    """The error message for an unknown key.

    Args:
        key: the key.
        known: the known keys.
        kinds: the libraries' fields for `causal` and for `seq2seq` models.
        family: the family of the recipe's model.
    """
    if key in kinds["causal"]:
        return f"{key} is for decoders, and {family} models are encoder-decoders; leave it out"
    if key in kinds["seq2seq"]:
        return f"{key} is for encoder-decoders, and {family} models are decoders; leave it out"
    near = get_close_matches(key, known, n=3, cutoff=0.6)
    near = [name for name in near if name.split("_")[0] == key.split("_")[0]] or near
    hint = (
        f"did you mean {' or '.join(near)}?"
        if near
        else "keys are the fields of TuningArguments of this package, SFTConfig and ModelConfig of TRL"
    )
    return f"unknown key {key!r}; {hint}"


def library_fields(kind: str) -> dict[str, str]:
    """The fields of TRL's and transformers' settings and their annotations, read from the source.

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
            found = _fields(node) | found  # a class overrides its bases
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
    """The type of a field that holds a number, a string or a boolean, or None; None for any other field."""
    parts = [part.strip() for part in annotation.split("|")]
    types = [_SCALARS[part] for part in parts if part in _SCALARS]
    if len(types) != 1 or len(parts) - len(types) != parts.count("None"):
        return None
    return types[0] | None if "None" in parts else types[0]


def as_type(value: object, hint: Any) -> Any:
    """A value as the type of its field: whole numbers from `8`, lists from a single word, and so on.

    Raises:
        ValueError: it does not fit.
    """
    options = get_args(hint) if get_origin(hint) is not Literal else ()
    if isinstance(value, str) and str not in options and any(get_origin(one) is list for one in (hint, *options)):
        value = [value]
    if isinstance(value, bool) and bool not in (hint, *options) and Any not in (hint, *options):
        raise ValueError(f"{str(value).lower()} is not a valid value")  # pydantic would take true for 1
    try:
        return TypeAdapter(hint, config=ConfigDict(arbitrary_types_allowed=True)).validate_python(value)
    except ValidationError as error:
        problem = error.errors()[0]["msg"]
        raise ValueError(f"{problem[0].lower()}{problem[1:]}, not {shorten(repr(value))}") from None
