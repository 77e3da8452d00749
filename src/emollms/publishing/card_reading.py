"""What a README says of itself in its YAML metadata."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from emollms.errors import EmollmsError
from emollms.publishing.merge_card import split_card
from emollms.repository.manifest import CountEntry

Rows = dict[str, dict[str, int]]
"""Rows by config and split."""


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
        raise EmollmsError(f"{where} has no metadata; it stands between two lines of --- at the top")
    return metadata


def values(value: object) -> list[Any]:
    """A value of the metadata as a list: many may be one, or several."""
    return [] if value is None else value if isinstance(value, list) else [value]


def rows_by_config(metadata: Mapping[str, Any]) -> Rows:
    """Rows as the `dataset_info` of a README has them; an entry that says none has none."""
    return {
        str(info.get("config_name", "default")): {
            str(split.get("name")): split.get("num_examples") for split in values(info.get("splits"))
        }
        for info in values(metadata.get("dataset_info"))
        if isinstance(info, dict)
    }


def expected_rows(counts: Sequence[CountEntry]) -> Rows:
    """Rows as the counts of a manifest have them."""
    rows: dict[str, Counter[str]] = {}
    for count in counts:
        for config in ("default", count.task):
            rows.setdefault(config, Counter())[count.split] += count.rows
    return {config: dict(splits) for config, splits in rows.items()}


def scores_said(metadata: Mapping[str, Any], where: str) -> dict[tuple[str, str], list[Any]]:
    """The values of a `model-index`, by task and name of the metric.

    Raises:
        EmollmsError: it has another form than the Hub's.
    """
    found: dict[tuple[str, str], list[Any]] = {}
    try:
        for model in values(metadata.get("model-index")):
            for result in model["results"]:
                for metric in result["metrics"]:
                    key = str(result["dataset"].get("config")), str(metric.get("config") or metric["type"])
                    found.setdefault(key, []).append(metric["value"])
    except (KeyError, TypeError, AttributeError) as error:
        raise EmollmsError(
            f"{where}: the model-index is not of the Hub's form ({error!r}); make the card again"
        ) from None
    return found
