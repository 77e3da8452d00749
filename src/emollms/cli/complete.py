"""What a shell is told when it completes a value: names only, with nothing heavy imported and no network asked.

A function takes what is typed so far; where commas separate names, the last one is completed.
"""

from collections.abc import Callable, Iterable


def _names(known: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    """A function that completes one name."""
    return lambda incomplete: [name for name in known() if name.startswith(incomplete)]


def _lists(known: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    """A function that completes the last of several names with commas between them."""

    def complete(incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",")
        taken = before.split(",")
        return [f"{before}{comma}{name}" for name in known() if name.startswith(last) and name not in taken]

    return complete


def _recipes() -> Iterable[str]:
    from emollms.training.recipe import find_recipes

    return find_recipes()


def _tasks() -> Iterable[str]:
    from emollms.tasks import TASKS

    return TASKS


def _questions() -> Iterable[str]:
    from emollms.annotation.questions import KNOWN

    return [*KNOWN, *_tasks()]


def _corpora() -> Iterable[str]:
    from emollms.corpora.registry import corpora

    return corpora()


def _languages() -> Iterable[str]:
    from emollms.corpora.registry import languages

    return languages()


def _suites() -> Iterable[str]:
    from emollms.expectations.suites import suite_names

    return suite_names()


def _models() -> Iterable[str]:
    from emollms.inference.model_names import PACKAGED_MODEL, SHIPPED_MODEL

    return SHIPPED_MODEL, PACKAGED_MODEL


recipe = _names(_recipes)
task = _names(_tasks)
corpus = _names(_corpora)
language = _names(_languages)
suite = _names(_suites)
model = _names(_models)
dtype = _names(lambda: ("auto", "float32", "bfloat16", "float16", "int8"))
lexicon = _names(lambda: ("vader", "textblob"))
tasks = _lists(_tasks)
questions = _lists(_questions)
corpora = _lists(_corpora)
languages = _lists(lambda: [*_languages(), "all"])
