"""EmoLLMs, done properly: data sets, tuning, evaluation and annotation of affect in text.

The names in `__all__` are public, and nothing else is. They are imported when they are first used, so that
`import emollms` takes no time and the data side never brings torch.
"""

__version__ = "0.1.0"

TYPE_CHECKING = False  # type checkers take it for that of `typing`, which would cost most of the time of the import
if TYPE_CHECKING:
    from emollms import tasks
    from emollms.annotation.agree import agree
    from emollms.annotation.annotator import Annotator
    from emollms.annotation.distill import distill
    from emollms.annotation.estimates import estimate
    from emollms.annotation.sampling import sample
    from emollms.corpora.base import Corpus, Example
    from emollms.dataset.build import build
    from emollms.dataset.reader import Dataset
    from emollms.dataset.validation import validate
    from emollms.dedup.standalone import find_duplicates
    from emollms.errors import EmollmsError
    from emollms.evaluation.evaluate import evaluate
    from emollms.hub.publish import publish
    from emollms.training.api import merge, train

_HOMES = {
    "Annotator": "annotation.annotator",
    "Corpus": "corpora.base",
    "Dataset": "dataset.reader",
    "EmollmsError": "errors",
    "Example": "corpora.base",
    "agree": "annotation.agree",
    "build": "dataset.build",
    "distill": "annotation.distill",
    "estimate": "annotation.estimates",
    "evaluate": "evaluation.evaluate",
    "find_duplicates": "dedup.standalone",
    "merge": "training.api",
    "publish": "hub.publish",
    "sample": "annotation.sampling",
    "train": "training.api",
    "validate": "dataset.validation",
}
"""The module of each public name."""

__all__ = [
    "Annotator",
    "Corpus",
    "Dataset",
    "EmollmsError",
    "Example",
    "__version__",
    "agree",
    "build",
    "distill",
    "estimate",
    "evaluate",
    "find_duplicates",
    "merge",
    "publish",
    "sample",
    "tasks",
    "train",
    "validate",
]


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name == "tasks":  # a module: its import makes it an attribute of the package
        return import_module("emollms.tasks")
    if name not in _HOMES:
        raise AttributeError(f"module 'emollms' has no attribute {name!r}")
    value = getattr(import_module(f"emollms.{_HOMES[name]}"), name)
    globals()[name] = value  # the next access finds it without this function
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
