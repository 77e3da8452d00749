"""All corpora: the modules of `emollms.builders`, and those of other packages, by name.

A builder that cannot be used is set aside with the reason, so that one mistake leaves every other corpus working.
"""

import os
import pkgutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.resources import files
from inspect import isabstract
from pathlib import Path

from emollms.corpora.base import Corpus, package_of
from emollms.corpora.builder_errors import what_was_raised
from emollms.corpora.metadata import CorpusMetadata
from emollms.errors import UsageError, shorten, unknown
from emollms.text_repair import Repair

BUILDERS = "emollms.builders"
ENTRY_POINTS = BUILDERS
"""The entry-point group for corpora of other packages: `name = "package.module:ClassName"`."""


@dataclass(frozen=True)
class Broken:
    """A builder that cannot be used.

    Args:
        name: the name of its corpus, as far as it is known.
        builder: its module, or its entry point and package.
        problem: what is wrong, in one line.
    """

    name: str
    builder: str
    problem: str

    def __str__(self) -> str:
        return f"builder {self.name} ({self.builder}) cannot be used: {self.problem}"


class Catalogue(dict[str, type[Corpus]]):
    """The corpora that can be used, by name, and the builders that cannot."""

    broken: tuple[Broken, ...] = ()


@cache
def corpora() -> Catalogue:
    """Every corpus that can be used, by name, in alphabetical order; `broken` has the other builders."""
    found: dict[str, type[Corpus]] = {}
    aside: list[Broken] = []
    twice: set[str] = set()
    for one in [*_built_in(), *_from_other_packages()]:
        if isinstance(one, Broken):
            aside.append(one)
            continue
        name = one.meta.name
        if name in found:
            problem = f"two corpora are named {name!r}: {found[name].__module__} and {one.__module__}; rename one"
            aside.append(Broken(name, one.__module__, problem))
            twice.add(name)
        else:
            found[name] = one
    # Of two packages neither is the right one; a corpus of this package keeps its name.
    usable = {n: c for n, c in found.items() if n not in twice or c.__module__.startswith(f"{BUILDERS}.")}
    catalogue = Catalogue(sorted(usable.items()))
    catalogue.broken = tuple(aside)
    return catalogue


def broken() -> tuple[Broken, ...]:
    """The builders that cannot be used, and why."""
    return corpora().broken


def _built_in() -> Iterator[type[Corpus] | Broken]:
    names = sorted(module.name for module in pkgutil.iter_modules(import_module(BUILDERS).__path__))
    for name in names:
        if not name.startswith("_"):
            yield from _corpora_in(name)


def _corpora_in(name: str) -> Iterator[type[Corpus] | Broken]:
    """The corpora of a module of builders; classes whose name begins with _ are parts that corpora share."""
    module_name = f"{BUILDERS}.{name}"
    try:
        module = import_module(module_name)
    except (Exception, SystemExit) as error:
        yield Broken(name, module_name, what_was_raised(error, _file_of(name)))
        return
    own = [one for one in vars(module).values() if isinstance(one, type) and one.__module__ == module_name]
    classes = [one for one in own if issubclass(one, Corpus) and not one.__name__.startswith("_")]
    if not classes:
        yield Broken(name, module_name, "no subclass of Corpus is in it; see `builders/tdt.py`")
    for one in classes:
        problem = what_is_missing(one)
        yield Broken(name, f"{module_name}:{one.__name__}", problem) if problem else one


def _file_of(name: str) -> str:
    return str(files(BUILDERS) / f"{name}.py")


def what_is_missing(corpus: type[Corpus]) -> str | None:
    """Why a subclass of `Corpus` is none that can be used; None where it is."""
    meta = getattr(corpus, "meta", None)
    if not isinstance(meta, CorpusMetadata):
        given = "is missing" if meta is None else f"is {shorten(repr(meta))} ({type(meta).__name__})"
        return f"meta {given}; give CorpusMetadata(name=…, …)"
    if isabstract(corpus):
        missing = " and ".join(f"{name}()" for name in sorted(corpus.__abstractmethods__))
        return f"it has no {missing}; see `builders/tdt.py`"
    repairs = corpus.repairs
    if not isinstance(repairs, tuple) or not all(isinstance(one, Repair) for one in repairs):
        return f"repairs is {shorten(repr(repairs))}; give a tuple of Repair, such as (ENTITIES, OUTER_SPACE)"
    return None


def _from_other_packages() -> Iterable[type[Corpus] | Broken]:
    return [_loaded(entry) for entry in sorted(entry_points(group=ENTRY_POINTS), key=lambda entry: entry.name)]


def _loaded(entry: EntryPoint) -> type[Corpus] | Broken:
    package = entry.dist.name if entry.dist else "an unknown package"
    builder = f"{entry.value!r} of {package}"
    try:
        corpus = entry.load()
    except (Exception, SystemExit) as error:
        problem = f"{what_was_raised(error)}; mend, update or remove the package"
        return Broken(entry.name, builder, problem)
    if not (isinstance(corpus, type) and issubclass(corpus, Corpus)):
        return Broken(entry.name, builder, f"it is no subclass of Corpus, but {shorten(repr(corpus))}")
    fault = what_is_missing(corpus)
    return Broken(entry.name, builder, fault) if fault else corpus


def get_corpus(name: str) -> type[Corpus]:
    """The corpus of this name.

    Raises:
        UsageError: it is unknown, and the message suggests the near ones; or its builder is broken, and the message
            says how.
    """
    known = corpora()
    if name in known:
        return known[name]
    for one in known.broken:
        if one.name == name:
            raise UsageError(str(one))
    raise unknown("corpus", name, known)


def languages() -> dict[str, list[type[Corpus]]]:
    """The languages of all corpora, by code, each with the corpora that have it."""
    found: dict[str, list[type[Corpus]]] = {}
    for corpus in corpora().values():
        for code in corpus.meta.languages:
            found.setdefault(code, []).append(corpus)
    return dict(sorted(found.items()))


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
        return Path(str(files(package_of(corpus)))) / "data" / corpus.meta.name
    return (root or home()) / corpus.meta.name


def is_here(corpus: type[Corpus], root: Path | None = None) -> bool:
    """Whether all files of a corpus are on this machine; hashes are checked when they are read."""
    where = folder(corpus, root)
    return all((where / file.path).is_file() for file in corpus.meta.files)
