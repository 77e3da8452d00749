"""What is asked of a text: the tasks, their native scales, classes, labels and emotions.

Fourteen tasks form the Affect Evaluation Benchmark (AEB), five of them train a model (AAID). The others serve
further corpora, and some of them train one as well (AAID+). Definitions: SemEval-2018 Task 1 (Mohammad et al.,
2018), VADER (Hutto and Gilbert, 2014), EmoBank (Buechel and Hahn, 2017), SST (Socher et al., 2013), GoEmotions (Demszky
et al., 2020), target-dependent Twitter sentiment (Dong et al., 2014), SemEval-2025 Task 11 (Muhammad et al., 2025).
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from importlib import import_module
from pkgutil import iter_modules
from typing import TypeVar

from emollms.errors import UsageError, unknown
from emollms.tasks.kinds import MultiLabelTask, OrdinalTask, Perspective, Poles, RegressionTask, Task

__all__ = [
    "BUILDERS", "TASKS", "TASK_ENTRIES", "MultiLabelTask", "OrdinalTask", "Perspective", "Poles", "RegressionTask",
    "Task", "add_task", "benchmark_tasks", "get_task", "training_tasks",
]  # fmt: skip

Given = TypeVar("Given", bound=Task)

BASIC_FOUR = ("anger", "fear", "joy", "sadness")
EKMAN = ("anger", "disgust", "fear", "joy", "sadness", "surprise")
PLUTCHIK_PLUS = (
    "anger", "anticipation", "disgust", "fear", "joy", "love",
    "optimism", "pessimism", "sadness", "surprise", "trust",
)  # fmt: skip
GOEMOTIONS = (
    "admiration", "amusement", "anger", "annoyance", "approval", "caring", "confusion", "curiosity", "desire",
    "disappointment", "disapproval", "disgust", "embarrassment", "excitement", "fear", "gratitude", "grief", "joy",
    "love", "nervousness", "optimism", "pride", "realization", "relief", "remorse", "sadness", "surprise", "neutral",
)  # fmt: skip
VALENCE = ("very negative", "very positive")
DIMENSIONS = {
    "valence": ("very negative", "very positive"),
    "arousal": ("very calm", "very excited"),
    "dominance": ("being controlled", "being in control"),
}
INTENSITIES = {
    0: "no {emotion} can be inferred",
    1: "low amount of {emotion} can be inferred",
    2: "moderate amount of {emotion} can be inferred",
    3: "high amount of {emotion} can be inferred",
}
NO_EMOTION = "neutral or no emotion"

_TASKS: tuple[Task, ...] = (
    RegressionTask(
        name="EI-reg", about="how strong an emotion of the tweeter is", noun="Tweet", emotions=BASIC_FOUR,
        names_emotion=True, low=0.0, high=1.0, poles=dict.fromkeys(BASIC_FOUR, ("least E", "most E")),
        benchmark=True, training=True,
    ),
    OrdinalTask(
        name="EI-oc", about="which of four intensities an emotion of the tweeter has", noun="Tweet",
        cue="Intensity Class:", emotions=BASIC_FOUR, names_emotion=True, classes=INTENSITIES,
        benchmark=True, training=True,
    ),
    RegressionTask(
        name="V-reg", about="how positive the tweeter feels", noun="Tweet", low=0.0, high=1.0, poles={"": VALENCE},
        benchmark=True, training=True,
    ),
    OrdinalTask(
        name="V-oc", about="which of seven degrees of feeling, negative to positive, the tweeter has", noun="Tweet",
        cue="Intensity Class:",
        classes={
            -3: "very negative emotional state can be inferred",
            -2: "moderately negative emotional state can be inferred",
            -1: "slightly negative emotional state can be inferred",
            0: "neutral or mixed emotional state can be inferred",
            1: "slightly positive emotional state can be inferred",
            2: "moderately positive emotional state can be inferred",
            3: "very positive emotional state can be inferred",
        },
        benchmark=True, training=True,
    ),
    MultiLabelTask(
        name="E-c", about="which of eleven emotions the tweet shows", noun="Tweet",
        cue="This tweet contains emotions:", labels=PLUTCHIK_PLUS, nothing=NO_EMOTION, benchmark=True, training=True,
    ),
    RegressionTask(
        name="EmoBank", about="valence, arousal and dominance of a sentence, readers and writers combined",
        emotions=tuple(DIMENSIONS), low=1.0, high=5.0, poles=DIMENSIONS, perspective="combined", benchmark=True,
    ),
    MultiLabelTask(
        name="GoEmotions", about="which of Ekman's six emotions, or none, a Reddit comment shows",
        cue="This text contains emotions:", labels=(*EKMAN, "neutral"), benchmark=True,
    ),
    RegressionTask(
        name="SST", about="how positive a sentence of a film review is", cue="Sentiment score:", low=0.0, high=1.0,
        poles={"": VALENCE}, benchmark=True,
    ),
    OrdinalTask(
        name="SST5", about="which of five sentiments a sentence of a film review has", cue="Sentiment Class:",
        classes={0: "very negative", 1: "negative", 2: "neutral", 3: "positive", 4: "very positive"}, benchmark=True,
    ),
    OrdinalTask(
        name="TDT", about="the sentiment towards a target in a tweet", cue="Intensity Class:",
        classes={-1: "negative", 0: "neutral", 1: "positive"}, benchmark=True,
    ),
    *(
        RegressionTask(
            name=name, about=f"how positive {text} is", low=-4.0, high=4.0, poles={"": VALENCE}, benchmark=True
        )
        for name, text in {
            "V-A": "a snippet of a product review",
            "V-M": "a snippet of a film review",
            "V-NYT": "a sentence of a newspaper editorial",
            "V-T": "a tweet",
        }.items()
    ),
    MultiLabelTask(
        name="GoEmotions-28", about="which of 27 emotions, or none, a Reddit comment shows",
        cue="This text contains emotions:", labels=GOEMOTIONS,
    ),
    *(
        RegressionTask(
            name=f"EmoBank-{perspective}", about=f"valence, arousal and dominance of a sentence, for its {perspective}",
            emotions=tuple(DIMENSIONS), low=1.0, high=5.0, poles=DIMENSIONS, perspective=perspective,
        )
        for perspective in ("reader", "writer")
    ),
    MultiLabelTask(
        name="BRIGHTER-E-c", about="which of six emotions the speaker most likely feels",
        cue="This text contains emotions:", labels=EKMAN, nothing=NO_EMOTION,
    ),
    OrdinalTask(
        name="BRIGHTER-EI-oc", about="which of four intensities an emotion of the speaker has",
        cue="Intensity Class:", emotions=EKMAN, names_emotion=True, classes=INTENSITIES,
    ),
)  # fmt: skip

BUILDERS = "emollms.builders"
"""Where the builders are, with the wordings of tasks, and the entry-point group for those of other packages."""
TASK_ENTRIES = "emollms.tasks"
"""The entry-point group for tasks of packages without a corpus: `Name = "package.module:TASK"`."""


class Tasks(Mapping[str, Task]):
    """Tasks by name: those of this module, and those that builders and other packages add.

    These are searched once, when a name is unknown or all tasks are listed.
    """

    def __init__(self, own: Iterable[Task]) -> None:
        self._tasks = {task.name: task for task in own}
        self._packages: dict[str, str] = {}
        self._complete = False

    def __getitem__(self, name: str) -> Task:
        if name not in self._tasks:
            self._load_others()
        return self._tasks[name]

    def __iter__(self) -> Iterator[str]:
        self._load_others()
        return iter(self._tasks)

    def __len__(self) -> int:
        self._load_others()
        return len(self._tasks)

    def __repr__(self) -> str:
        """A line for each task: its name, and what it asks."""
        return "\n".join(f"{name}: {task.about}" for name, task in self.items())

    def add(self, task: Task, package: str) -> None:
        """Take in a task of another package; once more is no mistake, if it is the same."""
        if self._tasks.setdefault(task.name, task) != task:
            raise UsageError(f"there is another task {task.name!r}; choose another name")
        self._packages[task.name] = package

    def package(self, name: str) -> str:
        """The package that has the wordings of a task."""
        return self._packages.get(name, BUILDERS)

    def _load_others(self) -> None:
        """Import what adds tasks; the flag comes first, as a builder asks for its own task while it is imported."""
        if self._complete:
            return
        self._complete = True
        from importlib.metadata import entry_points

        for entry in entry_points(group=TASK_ENTRIES):
            with suppress(Exception, SystemExit):  # where one is asked for, it is unknown
                add_task(entry.load(), entry.module.partition(".")[0])
        for module in iter_modules(import_module(BUILDERS).__path__, f"{BUILDERS}."):
            with suppress(Exception, SystemExit):  # `corpora.registry.broken` says what is wrong with it
                import_module(module.name)
        for entry in entry_points(group=BUILDERS):
            with suppress(Exception, SystemExit):
                entry.load()


TASKS = Tasks(_TASKS)


def add_task(task: Given, package: str) -> Given:
    """Add a task of a package of your own; call it in the module of the corpus, before its metadata.

    Args:
        task: the task.
        package: the package that has its wordings, in `instructions/<lang>/<task>.yaml`.

    Returns:
        The task.

    Raises:
        UsageError: it is no task, its name or scale cannot be used, or another task has the name.
    """
    if not isinstance(task, RegressionTask | OrdinalTask | MultiLabelTask):
        raise UsageError(f"{task!r} is no task; give a RegressionTask, OrdinalTask or MultiLabelTask")
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", task.name):
        raise UsageError(f"{task.name!r} cannot name a task; take letters, digits, - and _, a letter first")
    if isinstance(task, RegressionTask) and not task.low < task.high:
        raise UsageError(f"task {task.name}: low {task.low:g} is not below high {task.high:g}")
    if isinstance(task, RegressionTask) and set(task.poles) != set(task.emotions or ("",)):
        asked = ", ".join(map(repr, task.emotions or ("",)))
        raise UsageError(f"task {task.name}: poles must say what both ends mean for {asked}; it has {list(task.poles)}")
    TASKS.add(task, package)
    return task


def get_task(name: str) -> Task:
    """The task of this name.

    Raises:
        UsageError: the name is unknown; the message suggests the near ones.
    """
    if name not in TASKS:
        raise unknown("task", name, TASKS)
    return TASKS[name]


def benchmark_tasks() -> tuple[Task, ...]:
    """The fourteen tasks of the AEB, in the order of the paper."""
    return tuple(task for task in _TASKS if task.benchmark)


def training_tasks() -> tuple[Task, ...]:
    """The five tasks of AAID."""
    return tuple(task for task in _TASKS if task.training)
