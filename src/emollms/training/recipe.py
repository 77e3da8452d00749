"""Recipes: one YAML file a training run, found, read and overridden here; `recipe_args` turns them into settings."""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.resources import files
from math import inf
from pathlib import Path

import yaml

from emollms.errors import Place, UsageError, shorten, unknown
from emollms.pii.mask import find_sensitive

SUFFIXES = (".yaml", ".yml")
ACCELERATE = "accelerate"
"""Folder below `recipes/` with settings of accelerate that TRL does not ship."""
_MINUTES, _EPOCHS, _STEPS = "minutes", "num_train_epochs", "max_steps"
PUBLISHING = ("hub_", "push_to_hub")
"""Prefixes of the settings that upload, in any version of the libraries."""


class _Loader(yaml.SafeLoader):
    """YAML 1.2 in two points where PyYAML, which reads 1.1, surprises: `1e-4` is a number, and `no` is a word."""


_Loader.yaml_implicit_resolvers = {
    first: [one for one in resolvers if first not in "yYnNoO" or one[0] != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+(?:\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


@dataclass(frozen=True)
class Recipe:
    """A training run as its file describes it, with overrides.

    Args:
        name: its name if it comes with the package, else its path as it was given.
        path: its file.
        about: one line of description; may be empty.
        values: its settings, with the overrides applied.
        sha256: hash of its file, without overrides.
        overrides: settings that were overridden, as `key=value`.
        lines: the line of each key in the file, from 1.
    """

    name: str
    path: Path
    about: str
    values: Mapping[str, object]
    sha256: str
    overrides: tuple[str, ...]
    lines: Mapping[str, int]

    def where(self, key: str) -> str:
        """Where a key was set, for errors: `--set key=…`, or file and line; what may be a secret is left out."""
        for override in reversed(self.overrides):
            if override.partition("=")[0].strip() == key:
                is_secret = key.startswith(PUBLISHING) or any(one.kind == "secret" for one in find_sensitive(override))
                return f"--set {key}=…" if is_secret else f"--set {shorten(override)}"
        return str(Place(str(self.path), self.lines.get(key, 0)))


def find_recipes() -> dict[str, Path]:
    """The recipes that come with the package, by name: the stem of the file, or its path where stems collide."""
    root = _root()
    found = sorted(
        path for path in root.rglob("*")
        if path.suffix in SUFFIXES and path.is_file() and path.relative_to(root).parts[0] != ACCELERATE
    )  # fmt: skip
    stems = Counter(path.stem for path in found)
    named = {path.stem if stems[path.stem] == 1 else _below(root, path): path for path in found}
    return dict(sorted(named.items()))


def load_recipe(name_or_path: str, overrides: Sequence[str] = (), minutes: float | None = None) -> Recipe:
    """Read a recipe.

    `minutes`, `num_train_epochs` and `max_steps` all say how long to train: an override of one replaces those of the
    file.

    Args:
        name_or_path: a recipe of the package by name, or by path below `recipes/`; or a YAML file.
        overrides: `key=value`, the value as YAML; the last one of a key counts.
        minutes: how long to train, as the override `minutes=…`; None for what the recipe says.

    Raises:
        UsageError: there is no such recipe, it or an override is malformed, or it says twice how long to train.
    """
    name, path = find_recipe(name_or_path)
    try:
        raw = path.read_bytes()
        text = raw.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the recipe {path}: {error}") from error
    values, lines = _read(text, path)
    changed = dict(map(_override, overrides))
    if minutes is not None:
        _check_minutes(minutes, changed)
        changed["minutes"], overrides = minutes, (*overrides, f"minutes={minutes:g}")
    values = _changed(values, changed, lines, path)
    about = str(values.get("about") or "")
    return Recipe(name, path, about, values, hashlib.sha256(raw).hexdigest(), tuple(overrides), lines)


def _check_minutes(minutes: float, changed: Mapping[str, object]) -> None:
    if not 0 < minutes < inf:
        raise UsageError(f"--minutes {minutes:g}: give a number above 0")
    for key in (_EPOCHS, _STEPS, _MINUTES):
        if _says(changed, key):
            raise UsageError(
                f"--minutes {minutes:g} and --set {key}={changed[key]} both say how long to train; keep one"
            )


def _changed(
    values: Mapping[str, object], changed: Mapping[str, object], lines: Mapping[str, int], path: Path
) -> dict[str, object]:
    """The values with the overrides; if those say how long to train, what the file says of it is dropped."""
    said = [key for key in (_MINUTES, _EPOCHS, _STEPS) if _says(changed, key)]
    if _MINUTES in said and len(said) > 1:
        raise UsageError(f"--set {_MINUTES} and --set {said[1]} both say how long to train; keep one")
    if said:
        dropped = {_EPOCHS, _STEPS} if _MINUTES in said else {_MINUTES}
        return {key: value for key, value in values.items() if key not in dropped - {*changed}} | dict(changed)
    both = [key for key in (_MINUTES, _EPOCHS, _STEPS) if _says({**values, **changed}, key)]
    if _MINUTES in both and len(both) > 1:
        place = Place(str(path), lines.get(both[1], 0))
        raise UsageError(f"{place}: {both[1]} and {_MINUTES} (line {lines[_MINUTES]}) both say how long to train; "
                         "keep one")  # fmt: skip
    return {**values, **changed}


def _says(values: Mapping[str, object], key: str) -> bool:
    """Whether a key is set, and not to the libraries' value for unset (`max_steps: -1`)."""
    value = values.get(key)
    return value is not None and not (key == _STEPS and isinstance(value, int) and value <= 0)


def accelerate_settings() -> dict[str, Path]:
    """The settings of accelerate that TRL does not ship, by name."""
    return {path.stem: path for path in sorted((_root() / ACCELERATE).glob("*.yaml"))}


def _root() -> Path:
    return Path(str(files("emollms.recipes")))


def _below(root: Path, path: Path) -> str:
    return path.relative_to(root).with_suffix("").as_posix()


def find_recipe(name_or_path: str) -> tuple[str, Path]:
    """The name and the file of a recipe; one that does not come with the package goes by its path.

    Raises:
        UsageError: there is no such recipe.
    """
    recipes = find_recipes()
    if name_or_path in recipes:
        return name_or_path, recipes[name_or_path]
    root = _root()
    for name, path in recipes.items():
        if _below(root, path) == name_or_path:
            return name, path
    path = Path(name_or_path)
    if path.suffix in SUFFIXES:
        if path.is_file():
            return name_or_path, path
        near = get_close_matches(path.stem, recipes, n=1, cutoff=0.6)
        hint = f"; the package has a recipe {near[0]}" if near else "; `emollms recipes` lists those of the package"
        raise UsageError(f"no such file: {name_or_path}{hint}")
    raise unknown("recipe", name_or_path, recipes)


def _read(text: str, path: Path) -> tuple[dict[str, object], dict[str, int]]:
    """The values of a file, and the lines of its keys, from 1."""
    try:
        node = yaml.compose(text, Loader=_Loader)
        values = yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(str(path), mark.line + 1 if mark else 0)
        raise UsageError(
            f"{place}: malformed YAML: {error.problem or error.context}; write one `key: value` a line"
        ) from None
    except yaml.YAMLError as error:
        raise UsageError(f"{path}: malformed YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict) or not isinstance(node, yaml.MappingNode):
        raise UsageError(f"{path}: not a recipe; write one `key: value` a line")
    lines: dict[str, int] = {}
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key.value, str) or key.tag != "tag:yaml.org,2002:str":
            raise UsageError(
                f"{Place(str(path), line)}: the key {shorten(str(key.value))!r} is not the name of a setting"
            )
        if key.value in lines:
            raise UsageError(
                f"{Place(str(path), line)}: {key.value} is already set in line {lines[key.value]}; keep one"
            )
        lines[key.value] = line
    return values, lines


def _override(text: str) -> tuple[str, object]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise UsageError(f"--set {shorten(text)!r} is not of the form key=value")
    try:
        return key.strip(), yaml.load(value, Loader=_Loader)
    except yaml.YAMLError as error:
        reason = getattr(error, "problem", None) or str(error).split("\n")[0]
        raise UsageError(f"--set {shorten(text)!r}: the value is malformed YAML: {reason}") from None
