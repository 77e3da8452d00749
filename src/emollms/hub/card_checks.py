"""Cards that must not go out: with gaps, or against their data; what the Hub itself has against one is told in a line.

The Hub validates identifiers (licences, languages, tasks, sizes) with lists that it changes at will; there are no
copies of them here. See `Remote.validate_card`.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import ModelCardData

from emollms.dataset.card_metadata import size_category
from emollms.dataset.manifest_entries import CountEntry
from emollms.errors import EmollmsError
from emollms.evaluation.scores import Scores
from emollms.hub.card_merge import split_card
from emollms.hub.release import Kind

PLACEHOLDER = "More Information Needed"
GAPS = (
    (re.compile(re.escape(PLACEHOLDER), re.IGNORECASE), PLACEHOLDER),
    (re.compile(r"^#+ .*\[optional\]\s*$", re.IGNORECASE | re.MULTILINE), "[optional]"),
    (re.compile(r"\b(?:Dataset|Model) Card for (?:Dataset Name|Model ID)\b"), "Card for Dataset Name"),
    (re.compile(r"<!-- (?:Provide a (?:quick|longer) summary|This section (?:is|describes|aims|provides|should))"),
     "<!-- Provide a quick summary -->"),
)  # fmt: skip
"""What the Hub's templates leave behind where they were not filled in, and what it is called in messages."""
NEEDED: Mapping[Kind, tuple[str, ...]] = {
    "dataset": (
        "pretty_name", "license", "language", "task_categories", "size_categories", "configs", "dataset_info",
    ),
    "model": ("license", "language", "library_name", "pipeline_tag", "tags"),
    "space": ("title", "emoji", "colorFrom", "colorTo", "sdk", "app_file", "license"),
}  # fmt: skip
"""What the metadata of each kind must have."""
ROUNDING = 5e-5
"""How far a score of a card may be from the one that was measured: they have four decimals."""
_ONE_OF = re.compile(r'"?([\w.-]+)(?:\[\d+\])?"? must be one of \[(.*?)\]')
"""How the Hub refuses an identifier: with all that it knows, some of which are hundreds."""


def check_card(text: str, where: str, kind: Kind) -> dict[str, Any]:
    """Refuse a card with gaps, or with metadata that is incomplete.

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
    _refuse(where, [*_gaps(text), *_lacks(metadata, NEEDED[kind])])
    return metadata


def check_dataset_card(text: str, where: str, counts: Sequence[CountEntry]) -> None:
    """Refuse the card of a data set as `check_card` does, or where it contradicts the data.

    Args:
        text: the README.
        where: what it is called in messages.
        counts: rows by task and split, as the manifest has them.

    Raises:
        EmollmsError: it is refused.
    """
    metadata = check_card(text, where, "dataset")
    _refuse(where, [*_configs(metadata), *_rows(metadata, counts)])


def check_model_card(text: str, where: str, scores: Sequence[Scores] = ()) -> None:
    """Refuse the card of a model as `check_card` does, or where its `model-index` contradicts its scores.

    Args:
        text: the README.
        where: what it is called in messages.
        scores: what each `scores.json` holds.

    Raises:
        EmollmsError: it is refused.
    """
    metadata = check_card(text, where, "model")
    _refuse(where, _scores(_stated_scores(metadata, where), scores))


def explain_refusal(message: str, metadata: Mapping[str, Any]) -> str:
    """What the Hub has against a card, in a line: of a list of all that it knows, the nearest ones.

    Args:
        message: what the Hub says.
        metadata: of the card.
    """

    def nearest(found: re.Match[str]) -> str:
        key, known = found[1], [name.strip(" \"'") for name in found[2].split(",")]
        wrong = [str(value) for value in values(metadata.get(key)) if str(value) not in known]
        near = get_close_matches(wrong[0], known, n=3, cutoff=0.5) if wrong else []
        if not wrong:
            return found[0]
        what = "licence" if key == "license" else key
        return f"the Hub knows no {what} {wrong[0]!r}" + (f" (did you mean {' or '.join(near)}?)" if near else "")

    lines = [line.removeprefix("- ") for line in _ONE_OF.sub(nearest, message).splitlines() if line.strip()]
    return "; ".join(lines)


def metadata_in(text: str, where: str) -> dict[str, Any]:
    """The YAML metadata in the text of a README.

    Args:
        text: the text.
        where: what it is called in messages.

    Raises:
        EmollmsError: there is none, or it is broken.
    """
    lines, _ = split_card(text)
    try:
        metadata = yaml.safe_load(lines)
    except yaml.YAMLError as error:
        raise EmollmsError(f"{where}: the metadata is no YAML ({' '.join(str(error).split())})") from None
    if not isinstance(metadata, dict):
        raise EmollmsError(f"{where} has no metadata; put it between two lines of --- at the top")
    return metadata


def values(value: object) -> list[Any]:
    """A value of the metadata as a list: many may be one, or several."""
    return [] if value is None else value if isinstance(value, list) else [value]


def rows_by_config(metadata: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """Rows as the `dataset_info` of a README has them; an entry that says none has none."""
    return {
        str(info.get("config_name", "default")): {
            str(split.get("name")): split.get("num_examples") for split in values(info.get("splits"))
        }
        for info in values(metadata.get("dataset_info"))
        if isinstance(info, dict)
    }


def expected_rows(counts: Sequence[CountEntry]) -> dict[str, dict[str, int]]:
    """Rows as the counts of a manifest have them."""
    rows: dict[str, Counter[str]] = {}
    for count in counts:
        for config in ("default", count.task):
            rows.setdefault(config, Counter())[count.split] += count.rows
    return {config: dict(splits) for config, splits in rows.items()}


def read_metadata(readme: Path) -> dict[str, Any]:
    """The YAML metadata of a README.

    Raises:
        EmollmsError: there is none, or it is broken.
    """
    return metadata_in(readme.read_text(encoding="utf-8"), str(readme))


def _stated_scores(metadata: Mapping[str, Any], where: str) -> dict[tuple[str, str], list[Any]]:
    """The values of a `model-index`, by task and name of the metric.

    Raises:
        EmollmsError: it does not have the Hub's form.
    """
    stated: dict[tuple[str, str], list[Any]] = {}
    try:
        results = ModelCardData(**metadata).eval_results or []
    except (ValueError, TypeError, AttributeError) as error:
        reason = str(error).split(". Pass")[0]  # the rest is about an option of the client
        raise EmollmsError(f"{where}: {reason}; make the card again") from None
    for one in results:
        stated.setdefault((str(one.dataset_config), str(one.metric_config or one.metric_type)), []).append(
            one.metric_value
        )
    return stated


def _refuse(where: str, problems: Iterable[str]) -> None:
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
    """Scores of the `model-index` that were not measured, and measured ones that it lacks."""
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
