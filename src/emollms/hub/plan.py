"""What a push would do: worked out from hashes, before anything is sent."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from huggingface_hub import get_token

from emollms.dataset.manifest import README, parse_version, sorted_versions
from emollms.errors import EmollmsError
from emollms.hub.card_checks import check_card
from emollms.hub.card_merge import with_sections_of
from emollms.hub.release import LocalFile, Release
from emollms.hub.repo import Gated, Remote
from emollms.hub.state import OWN_RESULTS, RepoState, differences, foreign_files

FIRST = "1.0.0"
"""The version of what was never published, and has none of its own."""


@dataclass(frozen=True)
class PushOptions:
    """What a push may do.

    Args:
        expect_head: the commit that `main` must be at.
        delete: delete what is in the repo and not in the release.
        public: show the repo to everybody, as the last step.
        gated: let others ask for access.
        allow_older: let `main` go back to a version that is older than the one it holds.
    """

    expect_head: str | None = None
    delete: bool = False
    public: bool = False
    gated: Gated | None = None
    allow_older: bool = False


@dataclass(frozen=True, repr=False)
class Plan:
    """What a push would do, or has done; printed, it says what goes where.

    Args:
        repo: the repo, `OWNER/NAME`.
        release: what is to be published.
        state: what the repo was like when it was planned; None if it is to be created.
        published: whether the tag exists already, with the same content.
        add: paths that are new.
        change: paths with other content.
        delete: paths that go.
        left: paths that are in the repo, not in the release, and stay.
        created: whether this push has created the repo.
        commit: the commit that holds the version; None until it is pushed.
        steps: what a push did, in order; empty if all was done already.
    """

    repo: str
    release: Release
    state: RepoState | None
    published: bool
    add: tuple[str, ...] = ()
    change: tuple[str, ...] = ()
    delete: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    created: bool = False
    commit: str | None = None
    steps: tuple[str, ...] = ()

    @property
    def sends(self) -> list[LocalFile]:
        """The files whose content goes to the Hub."""
        return [self.release.files[path] for path in (*self.add, *self.change)]

    @property
    def commits(self) -> bool:
        """Whether there is anything to commit."""
        return bool(self.add or self.change or self.delete)

    def __repr__(self) -> str:
        release, state = self.release, self.state
        where = "to be created, private" if state is None else "private" if state.private else "public"
        size = sum(file.size for file in self.sends)
        counts = f"add {len(self.add)}, change {len(self.change)}, delete {len(self.delete)}, leave {len(self.left)}"
        if self.commit:
            done = f"{'published' if self.steps else 'was published already'}, commit {self.commit}"
        else:
            done = "published already" if self.published else "nothing sent"
        return (
            f"Plan({release.kind} {release.name} {release.version} -> {self.repo} ({where}), tag {release.tag}; "
            f"files: {counts}; {size:,} bytes to send; {done})"
        )


def make_plan(release: Release, remote: Remote, options: PushOptions) -> Plan:
    """Read the repo and work out what is to be done.

    Raises:
        EmollmsError: there is no token; or the repo is not at the expected commit, has the version with other content,
            has a branch of its name, or a newer version, is public though nothing was published to it, holds files
            that would be loaded with the release, or has a README with gaps that would stay.
        CardError: the Hub does not accept the metadata of the card.
    """
    state = remote.state()
    _check_head(remote.repo, state, options)
    if state is None:
        _check_token(remote)
        _validate_card(remote, release)
        return Plan(remote.repo, release, None, published=False, add=tuple(release.files))
    if release.tag in state.branches:
        raise EmollmsError(
            f"{remote.repo} has a branch named {release.tag}, which would be loaded in place of the tag; delete or "
            f"rename the branch on the Hub, or choose another version"
        )
    if release.tag in state.tags:
        release = _check_tag(remote, release, state.tags[release.tag])
        return Plan(remote.repo, release, state, published=True)
    if not state.private and not options.public and not any(tag.startswith("v") for tag in state.tags):
        raise EmollmsError(
            f"{remote.repo} is public and nothing was published to it yet; make it private, or give --public"
        )
    existing = remote.read(README, state.head) if README in state.files else None
    merged = with_sections_of(release, existing)
    if existing and README in merged.files:
        where = f"{README} of {remote.repo} with ours in it"
        check_card(merged.files[README].read().decode("utf-8"), where, release.kind)
    plan = _compare(remote.repo, merged, state, options)
    _check_left(plan)
    if README in (*plan.add, *plan.change):
        _validate_card(remote, merged)
    if plan.commits and not options.allow_older:
        _check_newest(remote, release, state)
    return plan


def _compare(repo: str, release: Release, state: RepoState, options: PushOptions) -> Plan:
    differing = differences(release.files, state.files)
    others = foreign_files(release.kind, release.files, state.files).all
    return Plan(
        repo,
        release,
        state,
        published=False,
        add=tuple(path for path in differing if path not in state.files),
        change=tuple(path for path in differing if path in state.files),
        delete=others if options.delete else (),
        left=() if options.delete else others,
    )


def _validate_card(remote: Remote, release: Release) -> None:
    """Ask the Hub about the card before anything is sent: the client asks when all files have been."""
    if README in release.files:
        remote.validate_card(release.files[README].read().decode("utf-8"))


def _check_head(repo: str, state: RepoState | None, options: PushOptions) -> None:
    expected = options.expect_head
    if expected and (state is None or len(expected) < 7 or not state.head.startswith(expected)):
        found = state.head if state else "not there"
        raise EmollmsError(f"{repo} is {found}, not at {expected}; nothing was changed")


def _check_token(remote: Remote) -> None:
    """Without a token a repo cannot be created; and one that seems missing may be private."""
    if not get_token():
        raise EmollmsError(f"{remote.repo}: not logged in; log in with `hf auth login`, or set HF_TOKEN")


def _check_tag(remote: Remote, release: Release, commit: str) -> Release:
    """The release as it is tagged: with what others wrote into its README."""
    there = remote.files(commit)
    existing = remote.read(README, commit) if README in there else None
    tagged = with_sections_of(release, existing)
    others = foreign_files(release.kind, tagged.files, there, tagged=True).loaded
    if wrong := [*differences(tagged.files, there), *others]:
        raise EmollmsError(
            f"{remote.repo} has {release.tag} with other content ({_some(wrong)}), and a version never changes; "
            f"give the new content a version of its own"
        )
    return tagged


def _check_left(plan: Plan) -> None:
    """Files that stay must not mix with those of the release, such as tables, shards, or a script."""
    mixing = foreign_files(plan.release.kind, plan.release.files, plan.left).loaded
    if mixing:
        raise EmollmsError(
            f"{plan.repo} holds files that would be loaded together with these ({_some(mixing)}); "
            f"give --delete to delete what is not of this version"
        )


def _check_newest(remote: Remote, release: Release, state: RepoState) -> None:
    """Refuse to put an older version over a newer one: without a revision, `main` is loaded."""
    titles = remote.commits().values()  # a commit that was never tagged is on `main` all the same
    committed = [title.removeprefix(f"{release.name} ") for title in titles if title.startswith(f"{release.name} ")]
    known = sorted_versions([*(tag[1:] for tag in state.tags if tag.startswith("v")), *committed])
    if known and parse_version(known[-1]) > parse_version(release.version):
        raise EmollmsError(
            f"{remote.repo} holds version {known[-1]}, and {release.version} is older: `main` would go back to it; "
            f"give --allow-older if it is to"
        )


def _some(paths: Sequence[str]) -> str:
    return ", ".join(paths[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")


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
    told = {README, *OWN_RESULTS}  # what is said of a model, and no part of it
    return make(f"{major}.{minor}.{patch + 1}" if told.issuperset(newest) else f"{major}.{minor + 1}.0")


def published_versions(tags: Iterable[str]) -> list[str]:
    """The versions among the tags of a repo, the newest last."""
    return sorted_versions(tag[1:] for tag in tags if tag[:1] == "v")


def _changed(release: Release, remote: Remote, commit: str) -> list[str]:
    there = remote.files(commit)
    existing = remote.read(README, commit) if README in there else None
    return differences(with_sections_of(release, existing).files, there)
