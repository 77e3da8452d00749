"""All corpora: the modules of `emollms.builders`, and those of other packages, by name."""

import os
import pkgutil
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path

from emollms.corpora.corpus import Corpus
from emollms.errors import UsageError, unknown

BUILDERS = "emollms.builders"
ENTRY_POINTS = BUILDERS
"""The entry-point group for corpora of other packages: `name = "package.module:ClassName"`."""


@cache
def corpora() -> dict[str, type[Corpus]]:
    """Every corpus, by name, in alphabetical order.

    Raises:
        UsageError: two corpora have one name, or an entry point of another package leads to no corpus.
    """
    found: dict[str, type[Corpus]] = {}
    for corpus in [*_built_in(), *_from_other_packages()]:
        name = corpus.meta.name
        if name in found:
            raise UsageError(f"two corpora are named {name!r}: {found[name].__module__} and {corpus.__module__}")
        found[name] = corpus
    return dict(sorted(found.items()))


def _built_in() -> list[type[Corpus]]:
    names = [module.name for module in pkgutil.iter_modules(import_module(BUILDERS).__path__)]
    return [corpus for name in sorted(names) for corpus in _corpora_in(f"{BUILDERS}.{name}")]


def _corpora_in(module_name: str) -> list[type[Corpus]]:
    members = vars(import_module(module_name)).values()
    return [
        member
        for member in members
        if isinstance(member, type) and issubclass(member, Corpus) and member.__module__ == module_name
    ]


def _from_other_packages() -> list[type[Corpus]]:
    found = []
    for entry in sorted(entry_points(group=ENTRY_POINTS), key=lambda entry: entry.name):
        try:
            corpus = entry.load()
        except (ImportError, AttributeError) as error:
            package = entry.dist.name if entry.dist else "an unknown package"
            problem = (
                f"entry point {entry.value!r} of {package} cannot be loaded ({error}); update or remove the package"
            )
            raise UsageError(problem) from error
        if not (isinstance(corpus, type) and issubclass(corpus, Corpus)):
            raise UsageError(f"entry point {entry.value!r} of group {ENTRY_POINTS} is no subclass of Corpus")
        found.append(corpus)
    return found


def get_corpus(name: str) -> type[Corpus]:
    """The corpus of this name.

    Raises:
        UsageError: nobody knows the name; the message suggests the near ones.
    """
    if name not in corpora():
        raise unknown("corpus", name, corpora())
    return corpora()[name]


def home() -> Path:
    """The folder that holds the corpora on this machine, one folder each.

    It is what `EMOLLMS_CORPORA` names, else `emollms/corpora` in the user's cache (`XDG_CACHE_HOME`).
    """
    if named := os.environ.get("EMOLLMS_CORPORA"):
        return Path(named)
    cache_home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache_home).expanduser() / "emollms" / "corpora"


def folder(corpus: type[Corpus], root: Path | None = None) -> Path:
    """Where the files of a corpus are, or would be.

    Args:
        corpus: the corpus.
        root: the folder of all corpora, in place of `home()`.
    """
    if root is None and corpus.meta.bundled:
        return Path(str(files(corpus.__module__.rpartition(".")[0]))) / "data" / corpus.meta.name
    return (root or home()) / corpus.meta.name


def is_here(corpus: type[Corpus], root: Path | None = None) -> bool:
    """Whether all files of a corpus are on this machine; hashes are checked when they are read."""
    where = folder(corpus, root)
    return all((where / file.path).is_file() for file in corpus.meta.files)
