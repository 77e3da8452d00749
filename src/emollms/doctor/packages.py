"""The packages that this one needs: which are installed, and what its extras lack."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata, version

from packaging.requirements import Requirement

PACKAGE = "emollms"
_FOR_DEVELOPERS = frozenset(("dev", "bench", "docs"))


@dataclass(frozen=True)
class PackageState:
    """A package that this one needs.

    Args:
        name: its name on PyPI.
        wanted: the versions that are needed, such as `>=5.20`; may be empty.
        version: the one that is installed; None where there is none.
        fits: whether it is one of them.
    """

    name: str
    wanted: str
    version: str | None
    fits: bool


@dataclass(frozen=True)
class ExtraState:
    """An extra of this package: what it brings for one kind of work.

    Args:
        name: of the extra.
        packages: what it brings.
    """

    name: str
    packages: tuple[PackageState, ...]

    @property
    def lacking(self) -> tuple[PackageState, ...]:
        """Its packages that are missing, or have a version that does not fit."""
        return tuple(one for one in self.packages if not one.fits)

    @property
    def command(self) -> str:
        """What installs those; empty where nothing is lacking."""
        return f"pip install '{PACKAGE}[{self.name}]'" if self.lacking else ""


def installed(package: str = PACKAGE) -> tuple[tuple[PackageState, ...], tuple[ExtraState, ...]]:
    """What an installed package always needs, and its extras, those for developers left out.

    Args:
        package: its name on PyPI.
    """
    try:
        about = metadata(package)
    except PackageNotFoundError:  # run from a folder that was never installed
        return (), ()
    needed = [Requirement(text) for text in about.get_all("Requires-Dist") or ()]
    extras = [name for name in about.get_all("Provides-Extra") or () if name not in _FOR_DEVELOPERS]
    always = tuple(_state(one) for one in needed if one.marker is None or one.marker.evaluate({"extra": ""}))
    brought = {name: {one.name: _state(one) for one in _requirements_of(package, name, needed)} for name in extras}
    return always, tuple(ExtraState(name, tuple(brought[name].values())) for name in sorted(extras))


def _requirements_of(package: str, extra: str, needed: list[Requirement]) -> Iterator[Requirement]:
    """The requirements of an extra, with those of the extras that it includes."""
    for one in needed:
        if one.marker is not None and one.marker.evaluate({"extra": extra}) and not one.marker.evaluate({"extra": ""}):
            if one.name == package:
                for other in one.extras:
                    yield from _requirements_of(package, other, needed)
            else:
                yield one


def _state(needed: Requirement) -> PackageState:
    try:
        found: str | None = version(needed.name)
    except PackageNotFoundError:
        found = None
    fits = found is not None and needed.specifier.contains(found, prereleases=True)
    return PackageState(needed.name, str(needed.specifier), found, fits)


def package_problems(packages: tuple[PackageState, ...]) -> Iterator[str]:
    """Packages that are missing, or that do not fit, without which nothing works."""
    if not packages:
        yield f"{PACKAGE} is not installed, so that versions cannot be checked; run: pip install -e ."
    for one in packages:
        if not one.fits:
            yield f"{_described(one)}; run: pip install '{one.name}{one.wanted}'"


def _described(one: PackageState) -> str:
    found = f"{one.version} is installed" if one.version else "is not installed"
    return f"{one.name}{one.wanted} is needed, and {found}"
