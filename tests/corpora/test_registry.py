"""The catalogue: corpora of this package and of others, by name, and where their files are."""

import sys
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from pathlib import Path
from textwrap import dedent

import pytest

from emollms.builders.sample import Sample
from emollms.corpora import registry
from emollms.errors import UsageError

BUILT_IN = {path.stem for path in (Path(__file__).parents[2] / "builders").glob("*.py")} - {"__init__"}
MODULE = """
    from emollms.builders.sample import Sample

    class Extra(Sample):
        meta = Sample.meta.model_copy(update={{"name": {name!r}, "bundled": {bundled}}})

    not_a_class = 1
"""
Installed = Callable[..., None]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installed]:
    """A function that installs a package with a corpus: a module and a dist-info, as pip leaves them."""
    monkeypatch.syspath_prepend(tmp_path / "site")
    modules = []

    def install(package: str, name: str, target: str = "Extra", bundled: bool = False) -> None:
        info = tmp_path / "site" / f"{package}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[emollms.builders]\n{name} = {package}.corpus:{target}\n")
        (tmp_path / "site" / package).mkdir()
        (tmp_path / "site" / package / "__init__.py").touch()
        module = dedent(MODULE).format(name=name, bundled=bundled)
        (tmp_path / "site" / package / "corpus.py").write_text(module)
        modules.extend([package, f"{package}.corpus"])
        registry.corpora.cache_clear()

    yield install
    registry.corpora.cache_clear()
    for module in modules:
        sys.modules.pop(module, None)


def test_the_corpora_of_this_package() -> None:
    assert set(registry.corpora()) == BUILT_IN
    assert list(registry.corpora()) == sorted(BUILT_IN)
    assert registry.get_corpus("sample") is Sample
    assert all(corpus.meta.name == name for name, corpus in registry.corpora().items())


def test_every_module_has_its_corpus_and_its_table_of_files() -> None:
    builders = Path(__file__).parents[2] / "builders"
    assert {path.stem for path in builders.glob("files/*.csv")} == BUILT_IN
    assert {"sample", "semeval2018_task1", "vader"} <= BUILT_IN


def test_an_unknown_name_suggests_the_near_ones() -> None:
    with pytest.raises(UsageError, match=r"unknown corpus 'goemotion'; did you mean goemotions"):
        registry.get_corpus("goemotion")
    with pytest.raises(UsageError, match="unknown corpus 'xyzzy'; known: brighter, emobank"):
        registry.get_corpus("xyzzy")


def test_a_corpus_of_another_package(installed: Installed) -> None:
    installed("some_package", "extra")
    assert [entry.dist.name for entry in entry_points(group="emollms.builders")] == ["some_package"]
    assert set(registry.corpora()) == BUILT_IN | {"extra"}
    assert registry.get_corpus("extra").__module__ == "some_package.corpus"


def test_two_corpora_with_one_name(installed: Installed) -> None:
    """A corpus of this package keeps its name, and the other one is told of."""
    installed("some_package", "vader")
    assert registry.get_corpus("vader").__module__ == "emollms.builders.vader"
    (broken,) = registry.broken()
    told = "builder vader (some_package.corpus) cannot be used: two corpora are named 'vader': emollms.builders.vader"
    assert str(broken) == f"{told} and some_package.corpus; rename one"


def test_packages_with_one_name(installed: Installed) -> None:
    """None of them is the right one."""
    for package in ("some_package", "other_package", "third_package"):
        installed(package, "extra")
    assert set(registry.corpora()) == BUILT_IN
    assert len(registry.broken()) == 2
    with pytest.raises(UsageError, match=r"two corpora are named 'extra': \w+_package.corpus and \w+_package.corpus"):
        registry.get_corpus("extra")


@pytest.mark.parametrize(("target", "given"), [("not_a_class", "1"), ("__name__", "'some_package.corpus'")])
def test_an_entry_point_that_names_no_corpus(target: str, given: str, installed: Installed) -> None:
    installed("some_package", "extra", target)
    assert set(registry.corpora()) == BUILT_IN
    builder = f"builder extra \\('some_package.corpus:{target}' of some_package\\)"
    with pytest.raises(UsageError, match=f"{builder} cannot be used: it is no subclass of Corpus, but {given}"):
        registry.get_corpus("extra")


@pytest.mark.parametrize("target", ["Missing", "Extra.missing"])
def test_an_entry_point_that_cannot_be_loaded(target: str, installed: Installed) -> None:
    installed("some_package", "extra", target)
    assert set(registry.corpora()) == BUILT_IN
    told = f"'some_package.corpus:{target}' of some_package.* cannot be used: .*; mend, update or remove the package"
    with pytest.raises(UsageError, match=told):
        registry.get_corpus("extra")


def test_where_corpora_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    vader = registry.get_corpus("vader")
    monkeypatch.setenv("EMOLLMS_CORPORA", str(tmp_path))
    assert registry.folder(vader) == tmp_path / "vader"
    assert registry.folder(vader, tmp_path / "other") == tmp_path / "other" / "vader"
    monkeypatch.delenv("EMOLLMS_CORPORA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert registry.folder(vader) == tmp_path / "cache" / "emollms" / "corpora" / "vader"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert registry.home() == tmp_path / "home" / ".cache" / "emollms" / "corpora"


def test_the_bundled_corpus_is_in_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EMOLLMS_CORPORA", str(tmp_path))
    assert (registry.folder(Sample) / "train.tsv").is_file()
    assert registry.folder(Sample, tmp_path) == tmp_path / "sample"
    assert registry.is_here(Sample)
    assert not registry.is_here(Sample, tmp_path)


def test_a_bundled_corpus_of_another_package_is_in_that_package(installed: Installed, tmp_path: Path) -> None:
    installed("some_package", "extra", bundled=True)
    assert registry.folder(registry.get_corpus("extra")) == tmp_path / "site" / "some_package" / "data" / "extra"


def test_modules_of_builders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that fails, one without a corpus, parts that others share: every other corpus is there."""
    shared = "from emollms.corpora.base import Corpus\nclass _Shared(Corpus):\n    pass\n"
    modules = {
        "__init__": "",
        "_parts": "1 / 0",
        "fails": "import os\n1 / 0\n",
        "empty": "from emollms.builders.sample import Sample\n",
        "bare": f"{shared}class Bare(_Shared):\n    pass\n",
        "good": dedent(MODULE).format(name="good", bundled=False),
    }
    (tmp_path / "some_builders").mkdir()
    for name, text in modules.items():
        (tmp_path / "some_builders" / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(registry, "BUILDERS", "some_builders")
    registry.corpora.cache_clear()
    try:
        assert list(registry.corpora()) == ["good"]
        assert sorted(map(str, registry.broken())) == [
            "builder bare (some_builders.bare:Bare) cannot be used: meta is missing; give CorpusMetadata(name=…, …)",
            "builder empty (some_builders.empty) cannot be used: no subclass of Corpus is in it; see `builders/tdt.py`",
            "builder fails (some_builders.fails) cannot be used: ZeroDivisionError: division by zero "
            "(line 2 of some_builders/fails.py)",
        ]
    finally:
        registry.corpora.cache_clear()
        for name in [name for name in sys.modules if name.startswith("some_builders")]:
            del sys.modules[name]
