"""The data sets: which tasks and splits they hold, and how their rows are worded."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from emollms.corpora.base import Corpus, Profile, Selection
from emollms.corpora.metadata import CorpusMetadata, Split
from emollms.corpora.registry import get_corpus
from emollms.errors import unknown
from emollms.prompts.instructions import ENGLISH
from emollms.tasks import benchmark_tasks, get_task, training_tasks

Wordings = Literal["all", "one"]
VALIDATION: tuple[Split, ...] = ("validation",)
ALL_LANGUAGES = "all"

MORE_TASKS = "EmoBank", "GoEmotions", "GoEmotions-28", "SST", "SST5", "TDT", "BRIGHTER-E-c", "BRIGHTER-EI-oc"
"""The tasks of AAID+ beside those of AAID."""


@dataclass(frozen=True)
class DatasetSpec:
    """A data set that can be built.

    Args:
        name: its name on the command line.
        title: its name for people.
        about: what it is, in a sentence.
        corpora: the corpora it is made of by default.
        tasks: the tasks of those corpora that it holds.
        splits: its splits.
        wordings: whether a text comes once with each instruction wording, or once with one of them.
        published: whether it has a published form, which the profile `paper` gives.
        languages: its languages by default, or `all`.
        elsewhere: languages of a corpus that another benchmark has, and this data set has not.
        benchmarks: those whose test texts must not be in it, for a data set that trains models.
        by_language: whether each language has files, and a config, of its own.
        mixing_limit: the most training texts of a task in an epoch of `emollms train`, the artificial limit of
            examples-proportional mixing (Raffel et al., JMLR 2020); None for all of them.
    """

    name: str
    title: str
    about: str
    corpora: tuple[str, ...]
    tasks: tuple[str, ...]
    splits: tuple[Split, ...]
    wordings: Wordings
    published: bool = True
    languages: tuple[str, ...] = (ENGLISH,)
    elsewhere: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    benchmarks: tuple[str, ...] = ("aeb",)
    by_language: bool = False
    mixing_limit: int | None = None

    @property
    def borrows_validation(self) -> bool:
        """Whether validation splits stand in where a corpus has no test of a task in a language: see `stand_ins`."""
        return self.by_language and self.splits == ("test",)


DATA_SETS = {
    "aaid": DatasetSpec(
        name="aaid",
        title="Affective Analysis Instruction Data (AAID)",
        about="Instructions that train a language model to read affect in text: each text with every wording of a task",
        corpora=("semeval2018_task1",),
        tasks=tuple(task.name for task in training_tasks()),
        splits=("train", "validation"),
        wordings="all",
    ),
    "aaid-plus": DatasetSpec(
        name="aaid-plus",
        title="Affective Analysis Instruction Data, extended (AAID+)",
        about="AAID and the training data of EmoBank, GoEmotions, SST, TDT and BRIGHTER as one set of instructions",
        corpora=("semeval2018_task1", "emobank", "goemotions", "sst", "tdt", "brighter"),
        tasks=(*(task.name for task in training_tasks()), *MORE_TASKS),
        splits=("train", "validation"),
        wordings="all",
        published=False,
        benchmarks=("aeb", "aeb-multilingual"),
        mixing_limit=10_000,  # without it GoEmotions would be half of an epoch
    ),
    "aeb": DatasetSpec(
        name="aeb",
        title="Affect Evaluation Benchmark (AEB)",
        about="Fourteen tasks that show how well a language model reads affect in text",
        corpora=("semeval2018_task1", "emobank", "goemotions", "sst", "tdt", "vader"),
        tasks=tuple(task.name for task in benchmark_tasks()),
        splits=("test",),
        wordings="one",
    ),
    "aeb-multilingual": DatasetSpec(
        name="aeb-multilingual",
        title="Affect Evaluation Benchmark, multilingual (AEB-multilingual)",
        about="Affect in 33 languages: SemEval-2018 in Arabic and Spanish, and the languages of BRIGHTER",
        corpora=("semeval2018_task1", "brighter"),
        tasks=(*(task.name for task in training_tasks()), "BRIGHTER-E-c", "BRIGHTER-EI-oc"),
        splits=("test",),
        wordings="one",
        published=False,
        languages=(ALL_LANGUAGES,),
        elsewhere={"semeval2018_task1": ("en",)},  # the AEB has it
        by_language=True,
    ),
}


def stand_ins(meta: CorpusMetadata) -> Mapping[str, tuple[str, ...]]:
    """The languages in which a corpus has a validation split but no test of some tasks, with these tasks.

    Of SemEval-2018 the distribution that is pinned has no gold for most Arabic and all Spanish tests. A file whose rows
    may be of any task or language is taken to have a test.
    """
    splits: dict[tuple[str, str], set[str | None]] = {}
    for file in meta.files:
        if file.task and file.language:
            splits.setdefault((file.language, file.task), set()).add(file.split)
    found: dict[str, list[str]] = {}
    for (language, task), own in splits.items():
        if "validation" in own and not own & {"test", None}:
            found.setdefault(language, []).append(task)
    return {language: tuple(tasks) for language, tasks in found.items()}


@dataclass(frozen=True)
class CorpusPart:
    """Rows that are taken from a corpus.

    Args:
        selection: which.
        split: the split that they are in here; None for their own.
    """

    selection: Selection
    split: Split | None = None


def get_data_set(name: str) -> DatasetSpec:
    """The data set of this name.

    Raises:
        UsageError: the name is unknown.
    """
    if name not in DATA_SETS:
        raise unknown("data set", name, DATA_SETS)
    return DATA_SETS[name]


@dataclass(frozen=True)
class Settings:
    """What a build is made from; it is written into the manifest.

    Args:
        data_set: the data set.
        profile: `release`, or `paper` for what was published.
        corpora: names of corpora; empty for those of the data set.
        tasks: names of tasks; empty for those of the data set, and all of other corpora.
        languages: codes of languages, or `all`; empty for those of the data set.
        quarantine: leave broken source rows out instead of stopping.
        mask: put placeholders in place of user names, addresses, numbers, links and secrets in texts.
        instructions: the language of the instructions, or `native` for that of each text; English where there are none.
    """

    data_set: DatasetSpec
    profile: Profile = "release"
    corpora: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    quarantine: bool = False
    mask: bool = False
    instructions: str = ENGLISH

    def __post_init__(self) -> None:
        if not self.languages:
            object.__setattr__(self, "languages", self.data_set.languages)

    def as_json(self) -> dict[str, object]:
        """The settings as the manifest has them."""
        return {
            "profile": self.profile,
            "corpora": [corpus.meta.name for corpus in self.sources()],
            "tasks": list(self.tasks),
            "languages": list(self.languages),
            **({} if self.instructions == ENGLISH else {"instructions": self.instructions}),
            "splits": list(self.data_set.splits),
            "wordings": self.data_set.wordings,
            "quarantine": self.quarantine,
            "mask": self.mask,
        }

    def sources(self) -> list[type[Corpus]]:
        """The corpora, in the order of their names as given.

        Raises:
            UsageError: one is unknown.
        """
        return [get_corpus(name) for name in dict.fromkeys(self.corpora or self.data_set.corpora)]

    @property
    def named_corpora(self) -> tuple[str, ...]:
        """The corpora, each of which must give something; none where they are those of the data set."""
        return () if self.corpora == self.data_set.corpora else self.corpora

    def selection(self, corpus: type[Corpus]) -> Selection:
        """What is taken from a corpus.

        Raises:
            UsageError: a task is unknown.
        """
        wanted = [get_task(name).name for name in self.tasks]
        own = self.data_set.tasks if set(self.data_set.tasks) & set(corpus.meta.tasks) else corpus.meta.tasks
        tasks = [task for task in corpus.meta.tasks if task in (wanted or own)]
        return Selection(tasks, self.data_set.splits, self._languages_of(corpus.meta))

    def _languages_of(self, meta: CorpusMetadata) -> tuple[str, ...] | None:
        """The languages that are taken from a corpus; None for all."""
        elsewhere = self.data_set.elsewhere.get(meta.name, ())
        if ALL_LANGUAGES in self.languages and not elsewhere:
            return None
        wanted = meta.languages if ALL_LANGUAGES in self.languages else self.languages
        return tuple(language for language in wanted if language not in elsewhere)

    def parts(self, corpus: type[Corpus]) -> list[CorpusPart]:
        """What is taken from a corpus, and in which split it is here.

        A benchmark in many languages tests on the validation split where the corpus has no test, and data that train
        models leave that out.
        """
        meta, wanted = corpus.meta, self.selection(corpus)
        borrowed = stand_ins(meta) if self._knows_stand_ins(meta) else {}
        spoken = [code for code in borrowed if wanted.languages is None or code in wanted.languages]
        if not spoken:
            return [CorpusPart(wanted)]
        others = [code for code in wanted.languages or meta.languages if code not in spoken]
        found = [CorpusPart(replace(wanted, languages=others))] if others else []
        for code in spoken:
            found += self._parts_in(code, wanted, borrowed[code])
        return found

    def _knows_stand_ins(self, meta: CorpusMetadata) -> bool:
        """Whether the validation split of a corpus serves as a test here, or in a benchmark of this data set."""
        if self.data_set.borrows_validation:
            return True
        tested = [DATA_SETS[name] for name in self.data_set.benchmarks if "train" in self.data_set.splits]
        return any(one.borrows_validation and meta.name in one.corpora for one in tested)

    def _parts_in(self, language: str, wanted: Selection, borrowed: Sequence[str]) -> Iterator[CorpusPart]:
        if self.data_set.borrows_validation:
            tasks = [task for task in wanted.tasks if task not in borrowed]
            yield CorpusPart(Selection(tasks, wanted.splits, (language,)))
            standing_in = [task for task in wanted.tasks if task in borrowed]
            yield CorpusPart(Selection(standing_in, VALIDATION, (language,)), "test")
        else:
            # Other tasks ask about the same texts: none of the split would be left.
            splits = [split for split in wanted.splits if split != "validation"]
            yield CorpusPart(Selection(wanted.tasks, splits, (language,)))


def as_names(values: str | Sequence[str]) -> tuple[str, ...]:
    """Names from a list, or from one text with commas; also from texts with commas in a list, as options give them."""
    values = [values] if isinstance(values, str) else values
    return tuple(name.strip() for value in values for name in value.split(",") if name.strip())
