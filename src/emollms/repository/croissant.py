"""Croissant metadata, version 1.0 of the format (https://docs.mlcommons.org/croissant/docs/croissant-spec.html)."""

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from emollms.corpora.catalogue import get_corpus
from emollms.repository.manifest import FileEntry, Manifest
from emollms.repository.schema import COLUMNS, ROW_SCHEMA

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
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": manifest.data_set,
        "description": manifest.title,
        "version": manifest.version,
        "license": sorted({corpus.licence for corpus in corpora}),
        "citeAs": "\n\n".join(corpus.citation for corpus in corpora),
        "url": "https://github.com/emollms/emollms",
        "distribution": [_file(name, file) for name, file in data_files.items()],
        "recordSet": [_records(name, file) for name, file in data_files.items()],
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


def _records(name: str, file: FileEntry) -> dict[str, object]:
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "field": [_field(name, field, file) for field in ROW_SCHEMA],
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
