"""Which version a release is, where nobody says.

A data set has its version in its manifest. A model or a Space has none: it is 1.0.0 at first; what is published already
keeps its version; after that, a change of the card alone raises the last number, and any other change the one before.
"""

from collections.abc import Callable, Iterable

from emollms.publishing.cards import README, with_sections_of
from emollms.publishing.release import Release
from emollms.publishing.remote import Remote
from emollms.publishing.state import differences
from emollms.repository.manifest import parse_version, sorted_versions

FIRST = "1.0.0"


def versioned(make: Callable[[str], Release], remote: Remote) -> Release:
    """A release under the version that it has on the Hub, or under the next free one.

    Args:
        make: makes the release of a version.
        remote: the repo.

    Raises:
        EmollmsError: the Hub cannot be reached, or the release must not be made.
    """
    state = remote.state()
    tags = state.tags if state else {}
    versions = published_versions(tags)
    if not versions:
        return make(FIRST)
    newest: list[str] = []
    for version in reversed(versions):
        release = make(version)
        changed = _changed(release, remote, tags[release.tag])
        if not changed:
            return release
        newest = newest or changed
    major, minor, patch = parse_version(versions[-1])
    return make(f"{major}.{minor}.{patch + 1}" if newest == [README] else f"{major}.{minor + 1}.0")


def published_versions(tags: Iterable[str]) -> list[str]:
    """The versions among the tags of a repo, the newest last."""
    return sorted_versions(tag[1:] for tag in tags if tag[:1] == "v")


def _changed(release: Release, remote: Remote, commit: str) -> list[str]:
    there = remote.files(commit)
    existing = remote.read(README, commit) if README in there else None
    return differences(with_sections_of(release, existing).files, there)
