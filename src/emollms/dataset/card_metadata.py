"""The YAML metadata of a dataset repo's README, which `load_dataset` and the Hub read."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from emollms.corpora.metadata import CorpusMetadata
from emollms.corpora.registry import get_corpus
from emollms.dataset.manifest import Manifest
from emollms.dataset.manifest_entries import FileEntry
from emollms.dataset.schema import COLUMNS, features, row_schema
from emollms.dataset.writer import LanguageTables, TableWriter
from emollms.tasks import MultiLabelTask, OrdinalTask, RegressionTask, Task, get_task

CONTEXT: dict[str, object] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
TYPES = {pa.string(): "sc:Text", pa.float64(): "sc:Float", pa.int64(): "sc:Integer", pa.int32(): "sc:Integer"}


def croissant(manifest: Manifest, data_files: Mapping[str, FileEntry]) -> dict[str, object]:
    """The JSON-LD of a data set: a file object and a record set for each parquet file.

    Args:
        manifest: what the data set is.
        data_files: the parquet files, by the name of their record set, such as `EI-reg/test`.
    """
    corpora = [get_corpus(source.corpus).meta for source in manifest.sources]
    schema = row_schema(manifest.profile)
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": manifest.data_set,
        "description": manifest.title,
        "version": manifest.version,
        "license": sorted({corpus.license for corpus in corpora}),
        "citeAs": "\n\n".join(corpus.citation for corpus in corpora),
        "url": "https://github.com/emollms/emollms",
        "distribution": [_file(name, file) for name, file in data_files.items()],
        "recordSet": [_records(name, file, schema) for name, file in data_files.items()],
    }


def _file(name: str, file: FileEntry) -> dict[str, object]:
    return {
        "@type": "cr:FileObject",
        "@id": file.path,
        "name": Path(file.path).name,
        "description": f"Rows of {name}.",
        "contentUrl": file.path,
        "contentSize": f"{file.bytes} B",
        "encodingFormat": "application/x-parquet",
        "sha256": file.sha256,
    }


def _records(name: str, file: FileEntry, schema: pa.Schema) -> dict[str, object]:
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "field": [_field(name, field, file) for field in schema],
    }


def _field(records: str, field: pa.Field, file: FileEntry) -> dict[str, object]:
    many = pa.types.is_list(field.type)
    return {
        "@type": "cr:Field",
        "@id": f"{records}/{field.name}",
        "name": field.name,
        "description": COLUMNS[field.name],
        "dataType": TYPES[field.type.value_type if many else field.type],
        **({"repeated": True} if many else {}),
        "source": {"fileObject": {"@id": file.path}, "extract": {"column": field.name}},
    }


Table = TableWriter | LanguageTables
Tables = Mapping[tuple[str, str], Table]
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
        manifest: what the data set is.
        tables: its tables.
    """
    corpora = [get_corpus(source.corpus).meta for source in manifest.sources]
    tasks = [get_task(name) for name in dict.fromkeys(task for task, _ in tables)]
    tags, schema = languages(manifest), row_schema(manifest.profile)
    codes = list(dict.fromkeys(tag.split("-")[0] for tag in tags))
    regional = [tag for tag in tags if "-" in tag]
    return {
        "pretty_name": manifest.title,
        **_license(corpora),
        "language": codes,
        **({"language_bcp47": regional} if regional else {}),
        "multilinguality": ["monolingual" if len(codes) == 1 else "multilingual"],
        "task_categories": ["text-classification", "text-generation"],
        "task_ids": list(dict.fromkeys(map(_task_id, tasks))),
        "size_categories": [size_category(sum(table.rows for table in tables.values()))],
        "source_datasets": [f"extended|other-{corpus.name}" for corpus in corpora],
        "tags": [*TAGS, *(TRAINING_TAGS if any(split == "train" for _, split in tables) else TEST_TAGS)],
        "configs": [_config(name, tables) for name in _config_names(tables)],
        "dataset_info": [_info(name, tables, schema) for name in _config_names(tables)],
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


def _license(corpora: Iterable[CorpusMetadata]) -> dict[str, object]:
    """The licences of the sources; the Hub asks for name and address of one that it has no identifier for."""
    own = {corpus.license: corpus for corpus in sorted(corpora, key=lambda corpus: corpus.name, reverse=True)}
    names = sorted(own)
    licenses: dict[str, object] = {"license": names[0] if len(names) == 1 else names}
    if other := own.get("other"):
        licenses |= {"license_name": f"terms-of-{other.name.replace('_', '-')}", "license_link": other.homepage}
    return licenses


def _task_id(task: Task) -> str:
    """The Hub's id for what a task asks."""
    if isinstance(task, RegressionTask):
        return "sentiment-scoring" if "" in task.poles else "text-scoring"
    if isinstance(task, MultiLabelTask):
        return "multi-label-classification"
    words = " ".join(task.classes.values()) if isinstance(task, OrdinalTask) else ""
    return "sentiment-classification" if "positive" in words else "multi-class-classification"


def language_tables(tables: Tables) -> dict[str, dict[tuple[str, str], TableWriter]]:
    """The tables of each language, by task and split; none where languages share files."""
    found: dict[str, dict[tuple[str, str], TableWriter]] = {}
    for key, table in tables.items():
        for language, own in table.of_language.items() if isinstance(table, LanguageTables) else ():
            found.setdefault(language, {})[key] = own
    return dict(sorted(found.items()))


def _config_names(tables: Tables) -> list[str]:
    """All tasks, each task, and each language that has files of its own."""
    return ["default", *dict.fromkeys(task for task, _ in tables), *language_tables(tables)]


def tables_of(config: str, tables: Tables) -> dict[str, list[Table]]:
    """The tables of a config, by split."""
    by_language = language_tables(tables)
    wanted: Tables = by_language.get(config) or {
        key: own for key, own in tables.items() if config in ("default", key[0])
    }
    chosen: dict[str, list[Table]] = {}
    for (_, split), table in wanted.items():
        chosen.setdefault(split, []).append(table)
    return chosen


def _config(name: str, tables: Tables) -> dict[str, object]:
    data_files = [{"split": split, "path": _path(name, split, tables)} for split in tables_of(name, tables)]
    return {"config_name": name, "data_files": data_files, **({"default": True} if name == "default" else {})}


def _path(config: str, split: str, tables: Tables) -> str:
    if config in language_tables(tables):
        return f"data/*/{split}-{config}-[0-9]*.parquet"
    return f"data/{'*' if config == 'default' else config}/{split}-*.parquet"


def _info(name: str, tables: Tables, schema: pa.Schema) -> dict[str, object]:
    """Rows and sizes of a config. Columns are listed once, for all tasks, whose files differ in the type of `label`.

    Those of one task are read from its files: see `schema.typed_schema`.
    """
    return {
        "config_name": name,
        **({"features": features(schema)} if name == "default" else {}),
        **sizes(tables_of(name, tables)),
    }


def sizes(tables: Mapping[str, Sequence[Table]]) -> dict[str, object]:
    """Splits, and sizes in bytes, of the tables of a config."""
    every = [table for own in tables.values() for table in own]
    return {
        "splits": [_split(split, own) for split, own in tables.items()],
        "download_size": sum(path.stat().st_size for table in every for path in table.files),
        "dataset_size": sum(table.bytes for table in every),
    }


def _split(name: str, tables: Sequence[Table]) -> dict[str, object]:
    size = {"num_bytes": sum(table.bytes for table in tables), "num_examples": sum(table.rows for table in tables)}
    return {"name": name, **size}
