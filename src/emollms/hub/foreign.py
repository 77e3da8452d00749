"""Files of a repo that are not of a release: one rule, by which `publish` and `status` both judge."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from emollms.hub.model_files import OF_A_MODEL, PICKLES
from emollms.hub.release import Kind
from emollms.hub.state import OF_THE_HUB

LOADED: Mapping[Kind, tuple[str, ...]] = {
    "dataset": (".py", ".parquet"),
    "model": (".py", ".safetensors", ".index.json", ".gguf", ".jinja", *sorted(OF_A_MODEL), *PICKLES),
    "space": (".py",),
}
"""Ends of names of files that would be loaded together with a release, or be taken for a part of it."""
MADE_FOR_RELEASES: Mapping[Kind, tuple[str, ...]] = {
    "dataset": (),
    "model": ("README.md", "calibration.json", ".gguf"),
    "space": (),
}
"""Ends of names of files that a version has, and that the folder which it was made from has not."""


@dataclass(frozen=True)
class Foreign:
    """Files of a repo that are not of a release.

    Args:
        loaded: those that would be loaded together with it; a version must not have them.
        harmless: the others, which stay and make no difference.
    """

    loaded: tuple[str, ...]
    harmless: tuple[str, ...]

    @property
    def all(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(sorted((*self.loaded, *self.harmless)))


def foreign_files(kind: Kind, ours: Iterable[str], there: Iterable[str], tagged: bool = False) -> Foreign:
    """The files of a revision that are not of a release.

    Args:
        kind: what the repo holds.
        ours: the paths of the release.
        there: the paths of the revision.
        tagged: whether the revision is a version; files that were made for it are its own.
    """
    made = MADE_FOR_RELEASES[kind] if tagged else ()
    others = [path for path in sorted(set(there) - set(ours) - OF_THE_HUB) if not path.endswith(made)]
    loaded = tuple(path for path in others if path.endswith(LOADED[kind]))
    return Foreign(loaded, tuple(path for path in others if path not in loaded))
