"""Cards that must not go out: with gaps, with identifiers that the Hub does not know, or against their data."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

import yaml

from emollms.dataset.card_metadata import size_category
from emollms.dataset.manifest import CountEntry
from emollms.errors import EmollmsError, UsageError
from emollms.evaluation.scores import Scores
from emollms.hub.card_merge import expected_rows, metadata_in, rows_by_config, scores_said, values
from emollms.hub.release import Kind

LISTS = files("emollms.hub") / "lists"
NO_CODES = ("multilingual", "code")
"""What may stand in place of the code of a language."""


@dataclass(frozen=True)
class HubLists:
    """The identifiers that the Hub knows.

    Args:
        licenses: of licences.
        tasks: of categories of tasks, each with those of the tasks in it.
        sizes: of numbers of rows, ascending.
        languages: ISO 639-1 and 639-3.
        multilinguality, relations, sdks, colours: what these keys may say.
    """

    licenses: frozenset[str]
    tasks: dict[str, frozenset[str]]
    sizes: tuple[str, ...]
    languages: frozenset[str]
    multilinguality: frozenset[str]
    relations: frozenset[str]
    sdks: frozenset[str]
    colours: frozenset[str]

    @property
    def task_ids(self) -> frozenset[str]:
        """The tasks of all categories."""
        return frozenset().union(*self.tasks.values())


@cache
def hub_lists() -> HubLists:
    """The lists, read once."""
    lists = yaml.safe_load((LISTS / "hub.yaml").read_text(encoding="utf-8"))
    names = {key: frozenset(words.split()) for key, words in lists.items() if key not in ("tasks", "sizes")}
    lines = (LISTS / "languages.txt").read_text(encoding="utf-8").splitlines()
    return HubLists(
        tasks={category: frozenset(words.split()) for category, words in lists["tasks"].items()},
        sizes=tuple(lists["sizes"].split()),
        languages=frozenset(" ".join(line for line in lines if not line.startswith("#")).split()).union(NO_CODES),
        **names,
    )


PLACEHOLDER = "More Information Needed"
GAPS = (
    (re.compile(re.escape(PLACEHOLDER), re.IGNORECASE), PLACEHOLDER),
    (re.compile(r"^#+ .*\[optional\]\s*$", re.IGNORECASE | re.MULTILINE), "[optional]"),
    (re.compile(r"\b(?:Dataset|Model) Card for (?:Dataset Name|Model ID)\b"), "Card for Dataset Name"),
    (re.compile(r"<!-- (?:Provide a (?:quick|longer) summary|This section (?:is|describes|aims|provides|should))"),
     "<!-- Provide a quick summary -->"),
)  # fmt: skip
"""What the Hub's templates leave behind where nobody filled them in, and what it is called in messages."""
NEEDED: Mapping[Kind, tuple[str, ...]] = {
    "dataset": (
        "pretty_name", "license", "language", "task_categories", "size_categories", "configs", "dataset_info",
    ),
    "model": ("license", "language", "library_name", "pipeline_tag", "tags"),
    "space": ("title", "emoji", "colorFrom", "colorTo", "sdk", "app_file", "license", "models"),
}  # fmt: skip
"""What the metadata of each kind must have."""
LICENSES = "https://huggingface.co/docs/hub/repositories-licenses"
ROUNDING = 5e-5
"""How far a score of a card may be from the one that was measured: they have four decimals."""


def check_card(text: str, where: str, kind: Kind) -> dict[str, Any]:
    """Refuse a card with gaps, or with metadata that is incomplete or unknown to the Hub.

    Args:
        text: the README.
        where: what it is called in messages.
        kind: what it describes.

    Returns:
        Its metadata.

    Raises:
        EmollmsError: it is refused; the message says why, all reasons on one line.
    """
    metadata = metadata_in(text, where)
    refuse(where, [*_gaps(text), *_lacks(metadata, NEEDED[kind]), *_unknown(metadata, kind)])
    return metadata


def check_dataset_card(text: str, where: str, counts: Sequence[CountEntry]) -> dict[str, Any]:
    """Refuse the card of a data set as `check_card` does, or where it says other than the data.

    Args:
        text: the README.
        where: what it is called in messages.
        counts: rows by task and split, as the manifest has them.

    Returns:
        Its metadata.

    Raises:
        EmollmsError: it is refused.
    """
    metadata = check_card(text, where, "dataset")
    refuse(where, [*_configs(metadata), *_rows(metadata, counts)])
    return metadata


def check_model_card(text: str, where: str, scores: Sequence[Scores] = ()) -> dict[str, Any]:
    """Refuse the card of a model as `check_card` does, or where its `model-index` says other than its scores.

    Args:
        text: the README.
        where: what it is called in messages.
        scores: what each `scores.json` holds.

    Returns:
        Its metadata.

    Raises:
        EmollmsError: it is refused.
    """
    metadata = check_card(text, where, "model")
    refuse(where, _scores(scores_said(metadata, where), scores))
    return metadata


def check_space_card(text: str, where: str) -> dict[str, Any]:
    """Refuse the card of a Space: see `check_card`.

    Raises:
        EmollmsError: it is refused.
    """
    return check_card(text, where, "space")


def check_license(license: str) -> str:
    """A licence that the Hub knows.

    Raises:
        UsageError: it is none; the message suggests the near ones.
    """
    if license not in hub_lists().licenses:
        raise UsageError(f"{_no_such('licence', license, hub_lists().licenses)}; the Hub's list is at {LICENSES}")
    return license


def _no_such(what: str, value: str, known: Iterable[str]) -> str:
    near = get_close_matches(value, sorted(known), n=3, cutoff=0.5)
    return f"the Hub knows no {what} {value!r}" + (f" (did you mean {' or '.join(near)}?)" if near else "")


def refuse(where: str, problems: Iterable[str]) -> None:
    """Raise what was found, if anything was.

    Raises:
        EmollmsError: something was.
    """
    if found := list(problems):
        raise EmollmsError(f"{where}: {'; '.join(found)}")


def _gaps(text: str) -> Iterator[str]:
    seen = ""
    for pattern, name in GAPS:
        found = pattern.search(text)
        if found and name.lower() not in seen:
            seen += name.lower()
            line = text.count("\n", 0, found.start()) + 1
            yield f"says {name!r} in line {line}; fill the gap"


def _lacks(metadata: Mapping[str, Any], names: Iterable[str]) -> Iterator[str]:
    if missing := [name for name in names if not metadata.get(name)]:
        yield f"the metadata lacks {', '.join(missing)}"


def _unknown(metadata: Mapping[str, Any], kind: Kind) -> Iterator[str]:
    """Identifiers that are none of the Hub's."""
    lists = hub_lists()
    fields: list[tuple[str, str, Iterable[str]]] = [
        ("license", "licence", lists.licenses),
        ("language", "language", lists.languages),
        ("pipeline_tag", "task", lists.tasks),
        ("task_categories", "task category", lists.tasks),
        ("task_ids", "task id", lists.task_ids),
        ("size_categories", "size category", lists.sizes),
        ("multilinguality", "multilinguality", lists.multilinguality),
        ("base_model_relation", "relation to the base model", lists.relations),
    ]
    if kind == "space":
        fields = [("license", "licence", lists.licenses), ("sdk", "SDK of Spaces", lists.sdks)]
        fields += [(key, "colour of Spaces", lists.colours) for key in ("colorFrom", "colorTo")]
    for key, what, known in fields:
        for value in values(metadata.get(key)):
            if str(value) not in known:
                yield f"{key}: {_no_such(what, str(value), known)}"
    if "other" in values(metadata.get("license")):
        yield from _own_license(metadata)


def _own_license(metadata: Mapping[str, Any]) -> Iterator[str]:
    """What the Hub asks for beside the licence `other`."""
    link = str(metadata.get("license_link") or "")
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", str(metadata.get("license_name") or "")):
        yield "license: other needs a license_name of small letters, digits, - and ."
    if link not in ("LICENSE", "LICENSE.md") and not urlsplit(link).netloc:
        yield "license: other needs a license_link: LICENSE, LICENSE.md, or an address"


def _configs(metadata: Mapping[str, Any]) -> Iterator[str]:
    """Configs that `load_dataset` would stumble over."""
    configs = [config for config in values(metadata["configs"]) if isinstance(config, dict)]
    defaults = [config.get("config_name") for config in configs if config.get("default")]
    if len(defaults) != 1:
        yield f"configs: {len(defaults)} are marked `default: true` ({', '.join(map(str, defaults))}); mark one"
    names, infos = {config.get("config_name") for config in configs}, set(rows_by_config(metadata))
    if names != infos:
        yield f"configs and dataset_info differ: {', '.join(sorted(map(str, names ^ infos)))} is in one of them only"


def _rows(metadata: Mapping[str, Any], counts: Sequence[CountEntry]) -> Iterator[str]:
    found, expected = rows_by_config(metadata), expected_rows(counts)
    for config, rows in expected.items():
        if found.get(config) != rows:
            yield f"dataset_info of {config} says {found.get(config)}, the data has {rows}"
    size = size_category(sum(expected.get("default", {}).values()))
    if values(metadata["size_categories"]) != [size]:
        yield f"size_categories: {metadata['size_categories']}, the data has {size}"


def _scores(said: Mapping[tuple[str, str], list[Any]], scores: Sequence[Scores]) -> Iterator[str]:
    """Scores of the `model-index` that nobody measured, and measured ones that it lacks."""
    measured: dict[tuple[str, str], list[float]] = {}
    for run in scores:
        for task, entry in run.tasks.items():
            for name, metric in entry.metrics.items():
                measured.setdefault((task, name), []).append(metric.value)
    for key, found in said.items():
        wrong = [value for value in found if not any(_near(value, known) for known in measured.get(key, []))]
        if wrong:
            known = ", ".join(f"{value:.4f}" for value in measured.get(key, [])) or "none"
            yield f"model-index says {wrong[0]} for {key[1]} of {key[0]}, measured: {known}"
    missing = dict.fromkeys(
        task
        for run in scores
        for task, entry in run.tasks.items()
        if not any(_near(value, entry.value) for value in said.get((task, entry.main), []))
    )
    if missing:
        yield f"model-index lacks scores of {', '.join(missing)}"


def _near(value: object, known: float) -> bool:
    return isinstance(value, int | float) and abs(value - known) <= ROUNDING + 1e-12
