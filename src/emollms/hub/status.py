"""Whether a repo on the Hub is the same as a folder here."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from emollms.dataset.manifest import README
from emollms.errors import EmollmsError
from emollms.hub.card_merge import merged_files
from emollms.hub.dataset import local_release_files
from emollms.hub.ids import ORIGINAL, is_id_only, write_ids
from emollms.hub.model import local_model
from emollms.hub.plan import published_versions
from emollms.hub.release import Kind, LocalFile
from emollms.hub.repo import Remote
from emollms.hub.space import local_space
from emollms.hub.state import differences, foreign_files


@dataclass(frozen=True)
class Status:
    """How a repo and a folder differ.

    Args:
        repo: the repo.
        here: what is here, for people.
        missing: the tag that the repo should have and has not; None if it has it.
        revision: what was compared: the tag, or `main`.
        commit: its commit.
        differing: paths by how they differ: `differs`, `only here`, `only there`; of the last those that would be
            loaded together with what is here, as `emollms publish` judges.
        left: other paths that are only there, and make no difference.
    """

    repo: str
    here: str
    missing: str | None
    revision: str
    commit: str
    differing: Mapping[str, list[str]]
    left: tuple[str, ...] = ()

    @property
    def is_same(self) -> bool:
        """Whether what is here is published as it is here."""
        return self.missing is None and not any(self.differing.values())

    @property
    def summary(self) -> str:
        """All of it in a line."""
        same = "differs from" if any(self.differing.values()) else "is the same as"
        missing = f"; {self.missing} is not published" if self.missing else ""
        return f"{self.repo} at {self.revision} (commit {self.commit}) {same} {self.here}{missing}"


def data_status(repo: str, folder: Path) -> Status:
    """Compare a data set with the tag of its version; its ids, where the repo holds ids.

    Raises:
        UsageError, EmollmsError: there is no data set here, or no such repo.
    """
    with tempfile.TemporaryDirectory(prefix="emollms-") as name:
        of = ""
        if not is_id_only(folder) and _holds_ids(repo):
            folder, of = _ids(folder, Path(name)), "the ids of "
        version, files = local_release_files(folder)
        return compare(repo, "dataset", files, f"{of}version {version} here", version)


def _holds_ids(repo: str) -> bool:
    state = Remote(repo).state()
    return state is not None and ORIGINAL in state.files


def _ids(folder: Path, place: Path) -> Path:
    write_ids(folder, place / "ids")
    return place / "ids"


def model_status(repo: str, folder: Path) -> Status:
    """Compare a model with the newest version there; card, calibration and GGUF, which are made there, do not count.

    Raises:
        UsageError, EmollmsError: there is no model here, or no such repo.
    """
    return compare(repo, "model", local_model(folder).files, f"the model in {folder}")


def space_status(repo: str, folder: Path) -> Status:
    """Compare a Space with the newest version there.

    Raises:
        UsageError, EmollmsError: there is no Space here, or no such repo.
    """
    return compare(repo, "space", local_space(folder).files, f"the Space in {folder}")


def compare(repo: str, kind: Kind, files: Mapping[str, LocalFile], here: str, version: str | None = None) -> Status:
    """Compare the files here with those of a tag, or of `main` if there is no such tag.

    Args:
        repo: the repo.
        kind: what it holds.
        files: the files here.
        here: what they are, for people.
        version: the version whose tag is meant; None for the newest.

    Raises:
        EmollmsError: there is no such repo.
    """
    remote = Remote(repo, kind)
    state = remote.state()
    if state is None:
        raise EmollmsError(f"there is no {kind} {repo} on the Hub that this account may see")
    published = published_versions(state.tags)
    tag = f"v{version or (published[-1] if published else '1.0.0')}"
    tagged = tag in state.tags
    commit = state.tags.get(tag, state.head)
    there = remote.files(commit) if tagged else state.files
    if README in files and README in there:
        files = merged_files(files, remote.read(README, commit))
    wrong = differences(files, there)
    others = foreign_files(kind, files, there, tagged)
    differing = {
        "differs": [path for path in wrong if path in there],
        "only here": [path for path in wrong if path not in there],
        "only there": list(others.loaded),
    }
    return Status(repo, here, None if tagged else tag, tag if tagged else "main", commit, differing, others.harmless)
