"""What a repo on the Hub is like, and how it differs from a release."""

from collections.abc import Mapping
from dataclasses import dataclass

from emollms.hub.release import LocalFile

OF_THE_HUB = {".gitattributes"}
"""Files that the Hub itself puts into a repo."""


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
class State:
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
