"""A source corpus as the tables that suites look at."""

import json
from collections.abc import Collection
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from emollms.corpora.catalogue import folder as corpus_folder
from emollms.corpora.corpus import Corpus, Profile, Selection
from emollms.corpora.source import Source
from emollms.quality.gate.distributions import statistics
from emollms.quality.gate.report import Part
from emollms.quality.gate.tables import Frames, chosen, texts_frame
from emollms.repository.examples import ExampleStore

if TYPE_CHECKING:
    import pandas as pd


class CorpusTables:
    """The tables of a source corpus: its texts with their golds, all tasks, splits and languages.

    Args:
        corpus: the corpus.
        root: the folder of the corpora; None for where they are on this machine.
        profile: the profile in which it is read.
    """

    def __init__(self, corpus: type[Corpus], root: Path | None = None, profile: Profile = "release") -> None:
        self.corpus, self.root, self.profile = corpus, root, profile

    def parts(self) -> list[Part]:
        """Task and split of the texts."""
        return list(self._texts[1])

    def frames(self, table: str, parts: Collection[Part]) -> Frames:
        """See `Tables`; a corpus has texts alone."""
        return iter([("", chosen(*self._texts, parts))])

    @property
    def texts(self) -> "pd.DataFrame":
        """Every text, once for each task and emotion."""
        return self._texts[0]

    @cached_property
    def _texts(self) -> "tuple[pd.DataFrame, dict[Part, int]]":
        meta = self.corpus.meta
        examples = self.corpus(self.profile).examples(
            Source(meta, corpus_folder(self.corpus, self.root)), Selection(meta.tasks, meta.splits)
        )
        with TemporaryDirectory() as folder:
            store = ExampleStore(Path(folder) / "examples")
            for example in examples:
                store.add(meta.name, example)
            store.close()
            tables = {part: _with_ids(pa.Table.from_batches(store.batches(part)), *part) for part in store.groups()}
            lengths = {part: len(table) for part, table in tables.items()}
            return texts_frame(pa.concat_tables(list(tables.values()))), lengths


def _with_ids(texts: pa.Table, task: str, split: str) -> pa.Table:
    ids = pc.binary_join_element_wise(task, texts["source_id"], pc.fill_null(texts["emotion"], "-"), "/")
    columns = {
        "id": ids,
        "task": pa.repeat(task, len(texts)),
        "split": pa.repeat(split, len(texts)),
        "cluster": pa.nulls(len(texts), pa.string()),  # nothing is screened when a corpus is read
    }
    for name, column in columns.items():
        texts = texts.append_column(name, column)
    return texts


def corpus_statistics(corpus: type[Corpus], root: Path | None = None) -> dict[str, object]:
    """Figures on a corpus as it is read in the profile `release`; they tell no text.

    Args:
        corpus: the corpus.
        root: the folder of the corpora; None for where they are on this machine.

    Raises:
        SourceError: a raw file is missing, or not what the corpus says.
    """
    return statistics_of(CorpusTables(corpus, root))


def statistics_of(tables: CorpusTables) -> dict[str, object]:
    """As `corpus_statistics`, for tables that are at hand."""
    meta = tables.corpus.meta
    return {"corpus": meta.name, "version": meta.version, "parts": statistics(tables.texts)}


def statistics_json(figures: dict[str, object]) -> str:
    """Statistics as they are committed: one line a task, split and language, so that a change is one line."""
    parts = figures["parts"]
    assert isinstance(parts, dict)
    lines = ",\n".join(
        f"    {json.dumps(name)}: {json.dumps(part, ensure_ascii=False)}" for name, part in parts.items()
    )
    head = "".join(f"  {json.dumps(name)}: {json.dumps(figures[name])},\n" for name in ("corpus", "version"))
    return f'{{\n{head}  "parts": {{\n{lines}\n  }}\n}}\n'
