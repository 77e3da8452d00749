"""Whether what is on the Hub is what is here."""

from collections.abc import Mapping
from dataclasses import dataclass

from emollms.errors import EmollmsError
from emollms.publishing.plan import OF_THE_HUB
from emollms.publishing.release import Kind, LocalFile
from emollms.publishing.remote import Remote


@dataclass(frozen=True)
class Status:
    """How a repo and a folder differ.

    Args:
        repo: the repo.
        version: the version here.
        tagged: whether the repo has the tag of that version.
        revision: what was looked at: the tag, or `main`.
        commit: its commit.
        differing: paths by how they differ: `differs`, `only here`, `only there`.
    """

    repo: str
    version: str
    tagged: bool
    revision: str
    commit: str
    differing: Mapping[str, list[str]]

    @property
    def is_same(self) -> bool:
        """Whether this version is published as it is here."""
        return self.tagged and not any(self.differing.values())

    @property
    def summary(self) -> str:
        """All of it in a line."""
        same = "differs from" if any(self.differing.values()) else "is the same as"
        missing = "" if self.tagged else f"; v{self.version} is not published"
        return f"{self.repo} at {self.revision} (commit {self.commit}) {same} version {self.version} here{missing}"


def compare(repo: str, version: str, files: Mapping[str, LocalFile], kind: Kind = "dataset") -> Status:
    """Compare the files here with those of the tag of their version, or of `main` if there is no such tag.

    Raises:
        EmollmsError: there is no such repo.
    """
    remote = Remote(repo, kind)
    state = remote.state()
    if state is None:
        raise EmollmsError(f"there is no {kind} {repo} on the Hub that this account may see")
    tag = f"v{version}"
    tagged = tag in state.tags
    there = remote.files(state.tags[tag]) if tagged else state.files
    differing = {
        "differs": [path for path, file in files.items() if path in there and not there[path].is_same(file)],
        "only here": [path for path in files if path not in there],
        "only there": sorted(set(there) - set(files) - OF_THE_HUB),
    }
    return Status(repo, version, tagged, tag if tagged else "main", state.tags.get(tag, state.head), differing)
