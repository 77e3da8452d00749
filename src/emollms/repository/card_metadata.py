"""The YAML metadata of a dataset repo's README, which `load_dataset` and the Hub read."""

from collections.abc import Iterable, Mapping, Sequence

from emollms.corpora.catalogue import get_corpus
from emollms.corpora.metadata import CorpusMetadata
from emollms.repository.manifest import Manifest
from emollms.repository.schema import ROW_SCHEMA, features
from emollms.repository.writer import TableWriter
from emollms.tasks import MultiLabelTask, OrdinalTask, RegressionTask, Task, get_task

Tables = Mapping[tuple[str, str], TableWriter]
"""The finished tables, by task and split."""

SIZES = (
    (10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"),
    (10**8, "10M<n<100M"), (10**9, "100M<n<1B"),
)  # fmt: skip
"""The Hub's names for numbers of rows, and the number that each is below."""
TAGS = ("emotion", "sentiment", "affective-computing")
TRAINING_TAGS, TEST_TAGS = ("instruction-tuning", "emollms"), ("benchmark", "emollms")


def card_metadata(manifest: Manifest, tables: Tables) -> dict[str, object]:
    """The metadata.

    Args:
        manifest: what the data set is, its files still missing.
        tables: its tables.
    """
    corpora = [get_corpus(source.corpus).meta for source in manifest.sources]
    tasks = [get_task(name) for name in dict.fromkeys(task for task, _ in tables)]
    tags = languages(manifest)
    codes = list(dict.fromkeys(tag.split("-")[0] for tag in tags))
    regional = [tag for tag in tags if "-" in tag]
    return {
        "pretty_name": manifest.title,
        **_licence(corpora),
        "language": codes,
        **({"language_bcp47": regional} if regional else {}),
        "multilinguality": ["monolingual" if len(codes) == 1 else "multilingual"],
        "task_categories": ["text-classification", "text-generation"],
        "task_ids": list(dict.fromkeys(map(_task_id, tasks))),
        "size_categories": [size_category(sum(table.rows for table in tables.values()))],
        "source_datasets": [f"extended|other-{corpus.name}" for corpus in corpora],
        "tags": [*TAGS, *(TRAINING_TAGS if any(split == "train" for _, split in tables) else TEST_TAGS)],
        "configs": [_config(name, tables) for name in _config_names(tables)],
        "dataset_info": [_info(name, tables) for name in _config_names(tables)],
    }


def languages(manifest: Manifest) -> list[str]:
    """The languages of a data set: those that were asked for and that its corpora have."""
    known = {tag for source in manifest.sources for tag in get_corpus(source.corpus).meta.languages}
    chosen = manifest.settings["languages"]
    assert isinstance(chosen, list)
    return sorted(known) if "all" in chosen else [tag for tag in chosen if tag in known]


def size_category(rows: int) -> str:
    """The Hub's name for a number of rows."""
    return next((name for limit, name in SIZES if rows < limit), "1B<n<10B")


def _licence(corpora: Iterable[CorpusMetadata]) -> dict[str, object]:
    """The licences of the sources; the Hub asks for name and address of one that it has no identifier for."""
    own = {corpus.licence: corpus for corpus in sorted(corpora, key=lambda corpus: corpus.name, reverse=True)}
    names = sorted(own)
    licences: dict[str, object] = {"license": names[0] if len(names) == 1 else names}
    if other := own.get("other"):
        licences |= {"license_name": f"terms-of-{other.name.replace('_', '-')}", "license_link": other.homepage}
    return licences


def _task_id(task: Task) -> str:
    """The Hub's id for what a task asks."""
    if isinstance(task, RegressionTask):
        return "sentiment-scoring" if "" in task.poles else "text-scoring"
    if isinstance(task, MultiLabelTask):
        return "multi-label-classification"
    words = " ".join(task.classes.values()) if isinstance(task, OrdinalTask) else ""
    return "sentiment-classification" if "positive" in words else "multi-class-classification"


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
    return {"config_name": name, "data_files": data_files, **({"default": True} if name == "default" else {})}


def _info(name: str, tables: Tables) -> dict[str, object]:
    chosen = _of_config(name, tables)
    splits = [_split(split, own) for split, own in chosen.items()]
    paths = [path for own in chosen.values() for table in own for path in table.files]
    return {
        "config_name": name,
        "features": features(ROW_SCHEMA, None if name == "default" else get_task(name)),
        "splits": splits,
        "download_size": sum(path.stat().st_size for path in paths),
        "dataset_size": sum(table.bytes for own in chosen.values() for table in own),
    }


def _split(name: str, tables: Sequence[TableWriter]) -> dict[str, object]:
    sizes = {"num_bytes": sum(table.bytes for table in tables), "num_examples": sum(table.rows for table in tables)}
    return {"name": name, **sizes}
