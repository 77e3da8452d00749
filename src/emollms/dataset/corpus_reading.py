"""A corpus as it is read while it is checked."""

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from emollms.corpora.base import Corpus, Example, Selection
from emollms.corpora.reader import RawSource
from emollms.corpora.registry import corpora, is_here
from emollms.corpora.registry import folder as corpus_folder
from emollms.progress import OnProgress


class CorpusReading:
    """A corpus, its examples, and those of the other corpora, once they are needed.

    Args:
        corpus: the corpus.
        where: the folder of its files.
        on_progress: is told what is read.
    """

    def __init__(self, corpus: type[Corpus], where: Path, on_progress: OnProgress) -> None:
        self.corpus, self.meta, self.where, self.on_progress = corpus, corpus.meta, where, on_progress
        self.source = RawSource(self.meta, where)

    @cached_property
    def examples(self) -> list[Example]:
        """All examples."""
        return list(self.corpus("release").examples(self.source, Selection(self.meta.tasks, self.meta.splits)))

    @cached_property
    def texts(self) -> dict[str, Example]:
        """An example of each text, by id."""
        return {example.source_id: example for example in reversed(self.examples)}

    @cached_property
    def normal(self) -> Any:
        """The texts in the form in which they are compared."""
        from emollms.dedup.normalize import normalize

        return normalize(pa.array([example.text for example in self.texts.values()], pa.string()))

    @cached_property
    def others(self) -> dict[str, list[Example]]:
        """The texts of the other corpora that are here."""
        found = {}
        for name, corpus in corpora().items():
            if name != self.meta.name and is_here(corpus):
                self.on_progress(f"reading {name}", 0, None)
                source = RawSource(corpus.meta, corpus_folder(corpus), quarantine=True)
                examples = corpus("release").examples(source, Selection(corpus.meta.tasks, corpus.meta.splits))
                found[name] = list({(e.split, e.source_id): e for e in examples}.values())
        return found

    @cached_property
    def near(self) -> dict[str, dict[int, list[Example]]]:
        """By corpus, the rows of this one that are near texts there, with these."""
        from emollms.dataset.screening import index_search
        from emollms.dedup.normalize import normalize
        from emollms.dedup.reference import ReferenceIndex

        search, near = replace(index_search(), sha1=False), {}
        for name, examples in self.others.items():
            index = ReferenceIndex(normalize(pa.array([e.text for e in examples], pa.string())), search=search)
            matches = index.matches(self.normal)
            rows: dict[int, list[Example]] = {}
            for row, reference in zip(matches.row.tolist(), matches.reference.tolist(), strict=True):
                rows.setdefault(row, []).append(examples[reference])
            near[name] = rows
        return near
