"""The README of a dataset repo: YAML metadata that `load_dataset` reads, and a text, both made from the data."""

from collections.abc import Mapping, Sequence
from importlib.resources import files

import yaml
from jinja2 import Environment, StrictUndefined

from emollms.corpora.catalogue import get_corpus
from emollms.repository.manifest import Manifest
from emollms.repository.schema import COLUMNS, ROW_SCHEMA, features
from emollms.repository.writer import TableWriter
from emollms.tasks import get_task

Tables = Mapping[tuple[str, str], TableWriter]
"""The finished tables, by task and split."""

SIZES = [(1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M")]


def render_readme(manifest: Manifest, tables: Tables, pairs: Sequence[Mapping[str, object]]) -> str:
    """The README.

    Args:
        manifest: what the data set is, its files still missing.
        tables: its tables.
        pairs: a few pairs of near-duplicates to show, with `PAIR_SCHEMA`.
    """
    environment = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False)
    environment.filters["thousands"] = lambda number: f"{number:,}"
    template = environment.from_string((files("emollms.cards") / "dataset.md.j2").read_text(encoding="utf-8"))
    return template.render(
        metadata=yaml.safe_dump(_metadata(manifest, tables), sort_keys=False, allow_unicode=True, width=120),
        manifest=manifest,
        pairs=pairs,
        text_may_be_shown=manifest.redistribution == "text",
        columns=COLUMNS,
        tasks={count.task: get_task(count.task) for count in manifest.counts},
        corpora=[get_corpus(source.corpus).meta for source in manifest.sources],
        config=manifest.counts[0].task if manifest.counts else "default",
    )


def _metadata(manifest: Manifest, tables: Tables) -> dict[str, object]:
    corpora = [get_corpus(source.corpus).meta for source in manifest.sources]
    licences = sorted({corpus.licence for corpus in corpora})
    languages = sorted({language for corpus in corpora for language in corpus.languages})
    chosen = manifest.settings["languages"]
    assert isinstance(chosen, list)
    rows = sum(table.rows for table in tables.values())
    own = {} if len(licences) == 1 else {"license_name": "several", "license_link": "README.md#sources"}
    return {
        "pretty_name": manifest.title,
        "license": licences[0] if len(licences) == 1 else "other",
        **own,
        "language": languages if "all" in chosen else [language for language in chosen if language in languages],
        "task_categories": ["text-classification", "text-generation"],
        "size_categories": [next((name for limit, name in SIZES if rows < limit), "1M<n<10M")],
        "tags": ["emotion", "sentiment", "affective-computing", "instruction-tuning"],
        "configs": [_config(name, tables) for name in _config_names(tables)],
        "dataset_info": [_info(name, tables) for name in _config_names(tables)],
    }


def _config_names(tables: Tables) -> list[str]:
    return ["default", *dict.fromkeys(task for task, _ in tables)]


def _of_config(name: str, tables: Tables) -> dict[str, list[TableWriter]]:
    """The tables of a config, by split."""
    chosen: dict[str, list[TableWriter]] = {}
    for (task, split), table in tables.items():
        if name in ("default", task):
            chosen.setdefault(split, []).append(table)
    return chosen


def _config(name: str, tables: Tables) -> dict[str, object]:
    folder = "*" if name == "default" else name
    data_files = [{"split": split, "path": f"data/{folder}/{split}-*.parquet"} for split in _of_config(name, tables)]
    return {"config_name": name, "data_files": data_files}


def _info(name: str, tables: Tables) -> dict[str, object]:
    splits = [
        {
            "name": split,
            "num_bytes": sum(table.bytes for table in chosen),
            "num_examples": sum(table.rows for table in chosen),
        }
        for split, chosen in _of_config(name, tables).items()
    ]
    paths = [path for chosen in _of_config(name, tables).values() for table in chosen for path in table.files]
    return {
        "config_name": name,
        "features": features(ROW_SCHEMA, None if name == "default" else get_task(name)),
        "splits": splits,
        "download_size": sum(path.stat().st_size for path in paths),
        "dataset_size": sum(table.bytes for chosen in _of_config(name, tables).values() for table in chosen),
    }
