"""What a repo on the Hub holds, and how that differs from a release: one rule, for `publish` and for `status`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from emollms.dataset.specs import DATA_SETS
from emollms.hub.model_files import OF_A_MODEL, PICKLES
from emollms.hub.release import Kind, LocalFile

OF_THE_HUB = {".gitattributes"}
"""Files that the Hub itself puts into a repo."""
EVAL_RESULTS = ".eval_results"
"""The folder of a model's repo whose files the Hub's leaderboards read."""
OWN_RESULTS = tuple(f"{EVAL_RESULTS}/{name}.yaml" for name in DATA_SETS)
"""The files of it that are ours: those that a new version leaves out would be taken for scores of its weights."""
LOADED: Mapping[Kind, tuple[str, ...]] = {
    "dataset": (".py", ".parquet"),
    "model": (".py", ".safetensors", ".index.json", ".gguf", ".jinja", *OWN_RESULTS, *sorted(OF_A_MODEL), *PICKLES),
    "space": (".py",),
}
"""Ends of names of files that would be loaded together with a release, or be taken for a part of it."""
MADE_FOR_RELEASES: Mapping[Kind, tuple[str, ...]] = {
    "dataset": (),
    "model": ("README.md", "calibration.json", ".gguf", *OWN_RESULTS),
    "space": (),
}
"""Ends of names of files that a version has, and that the folder which it was made from has not."""


@dataclass(frozen=True)
class RemoteFile:
    """A file on the Hub.

    Args:
        size: in bytes.
        git_sha1: what git calls it; for LFS files that is the pointer's, not the content's.
        sha256: hash of the content of an LFS file; None for other files.
    """

    size: int
    git_sha1: str
    sha256: str | None

    def is_same(self, file: LocalFile) -> bool:
        """Whether a file here has the same content."""
        same = self.sha256 == file.sha256 if self.sha256 else self.git_sha1 == file.git_sha1
        return same and self.size == file.size


def differences(files: Mapping[str, LocalFile], there: Mapping[str, RemoteFile]) -> list[str]:
    """Paths of a release that a revision does not have, or has with other content."""
    return [path for path, file in files.items() if path not in there or not there[path].is_same(file)]


@dataclass(frozen=True)
class RepoState:
    """What a repo is like.

    Args:
        head: the commit that `main` is at.
        files: the files of that commit, by path.
        tags: the commit of each tag.
        branches: the names of all branches.
        private: whether only its owners see it.
        gated: whether, and how, others must ask for access.
    """

    head: str
    files: Mapping[str, RemoteFile]
    tags: Mapping[str, str]
    branches: tuple[str, ...]
    private: bool
    gated: str | bool


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
