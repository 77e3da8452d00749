"""EmoLLMs, done properly: data sets, tuning, evaluation and annotation of affect in text."""

from importlib import import_module

__version__ = "0.1.0"
_PUBLIC = {"Dataset": "emollms.dataset.reader"}


def __getattr__(name: str) -> object:
    """Import a public name when it is used first, so that `import emollms` is light."""
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)
