"""The README of a release, with what other people wrote into the one on the Hub."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from emollms.dataset.manifest import README, parse_version, sorted_versions
from emollms.hub.card_merge import merge_card
from emollms.hub.release import LocalFile, Release, made_file
from emollms.hub.repo import Remote
from emollms.hub.state import differences


def with_sections_of(release: Release, existing: str | None) -> Release:
    """A release whose README keeps what other people wrote into the one on the Hub: see `merged_files`."""
    return replace(release, files=merged_files(release.files, existing))


def merged_files(files: Mapping[str, LocalFile], existing: str | None) -> Mapping[str, LocalFile]:
    """The files of a release with a README that keeps the sections of other people.

    Args:
        files: what is to be published.
        existing: the README that is on the Hub; None if there is none.

    Raises:
        EmollmsError: the README on the Hub cannot be merged.
    """
    if existing is None or README not in files:
        return files
    readme = made_file(README, merge_card(existing, files[README].read().decode("utf-8")).encode("utf-8"))
    return {**files, README: readme}


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
