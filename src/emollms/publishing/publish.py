"""Publishing, all or nothing: one commit, verified before it is tagged, and loaded back from an empty cache.

After each failure the repo is either as it was or holds the whole new version, and the error says which.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
from huggingface_hub import CommitOperationAdd
from huggingface_hub.errors import HfHubHTTPError

from emollms.errors import EmollmsError
from emollms.publishing.plan import Options, Plan, make_plan
from emollms.publishing.release import local_files
from emollms.publishing.remote import OF_THE_HUB, Remote, State, differences
from emollms.publishing.retry import TRIES, describe, may_pass, wait

STALE = 412


@dataclass(frozen=True)
class Published:
    """What a push did.

    Args:
        commit: the commit that holds the version.
        steps: what was done, in order; empty if all was there already.
    """

    commit: str
    steps: tuple[str, ...]


def publish(plan: Plan, remote: Remote, options: Options, tell: Callable[[str], None] = lambda step: None) -> Published:
    """Do what a plan says.

    Args:
        plan: what `make_plan` gave.
        remote: the repo.
        options: those of the plan.
        tell: called with each step that is done.

    Raises:
        EmollmsError: it failed; the message says in which state the repo is.
    """
    push = _Push(plan, remote, options, tell)
    commit = push.run()
    return Published(commit, tuple(push.steps))


@dataclass
class _Push:
    plan: Plan
    remote: Remote
    options: Options
    tell: Callable[[str], None]
    steps: list[str] = field(default_factory=list)
    standing: str = "nothing was changed"

    def run(self) -> str:
        with self._saying_where_it_stands():
            state = self._repo()
            release = self.plan.release
            if self.plan.published:
                commit = state.tags[release.tag]
                self.standing = f"{release.tag} is published, at commit {commit}"
            else:
                commit = self._commit(state) if self.plan.commits else state.head
                self._verify(commit)
                self._tag(commit)
                self._load_back()
            self._open(state)
            return commit

    def _repo(self) -> State:
        """The repo, created and private if it was not there."""
        if self.plan.state is not None:
            self.standing = f"the repo is as it was, at commit {self.plan.state.head}"
            return self.plan.state
        self.remote.create()
        self.plan = make_plan(self.plan.release, self.remote, self.options)
        state = self.plan.state
        if state is None or not state.private:
            raise EmollmsError(f"{self.remote.repo} was created, but it is not private")
        self.standing = f"the repo is private and holds nothing of this version (commit {state.head})"
        self._did(f"created {self.remote.repo}, private")
        return state

    def _commit(self, state: State) -> str:
        additions = self.remote.upload(self.plan.sends)
        commit, attempt = None, 0
        while commit is None:
            attempt += 1
            try:
                commit = self._commit_once(additions, state)
            except (HfHubHTTPError, httpx2.HTTPError) as error:
                commit = self._after_failure(error, state, attempt)
        self.standing = f"commit {commit} holds this version, and is not tagged: run the command again"
        self._did(f"committed {len(self.plan.sends)} files, deleted {len(self.plan.delete)}: {commit}")
        return commit

    def _commit_once(self, additions: list[CommitOperationAdd], state: State) -> str:
        title = f"{self.plan.release.name} {self.plan.release.version}"
        return self.remote.commit(additions, self.plan.delete, state.head, title)

    def _after_failure(self, error: Exception, before: State, attempt: int) -> str | None:
        """Look where `main` is after a commit that seemed to fail.

        Returns:
            The new commit, if it is there all the same; None, after a wait, if it may be tried again.

        Raises:
            EmollmsError: trying again is of no use; or somebody else has committed.
        """
        stale = isinstance(error, HfHubHTTPError) and error.response.status_code == STALE
        if not stale and not may_pass(error):
            raise EmollmsError(describe(error)) from error
        now = self.remote.state()
        if now is None:
            raise EmollmsError("the repo is gone") from error
        if now.head == before.head:
            if attempt == TRIES:
                raise EmollmsError(f"{describe(error)}; tried {TRIES} times") from error
            wait(error, attempt)
            return None
        for commit in self.remote.commits_since(before.head):
            if self._is_ours(commit):
                return commit
        self.standing = f"the repo is at commit {now.head} of somebody else, and nothing of this version is in it"
        raise EmollmsError(f"somebody else has committed since {before.head}; run the command again") from error

    def _is_ours(self, commit: str) -> bool:
        """Whether a commit holds exactly what is planned."""
        files, release = self.remote.files(commit), self.plan.release.files
        others = set(files) - set(release) - OF_THE_HUB
        return others == set(self.plan.left) and not differences(release, files)

    def _verify(self, commit: str) -> None:
        release = self.plan.release
        differing = differences(release.files, self.remote.files(commit))
        if differing:
            raise EmollmsError(f"commit {commit} has other content than this machine: {', '.join(differing)}")
        self._did(f"verified the hashes of {len(release.files)} files")

    def _tag(self, commit: str) -> None:
        release = self.plan.release
        self.remote.tag(release.tag, commit, f"{release.name} {release.version}")
        differing = differences(release.files, self.remote.files(release.tag))
        if differing:
            raise EmollmsError(f"somebody else tagged other content as {release.tag}")
        self.standing = f"{release.tag} is published, at commit {commit}"
        self._did(f"tagged {release.tag}")

    def _load_back(self) -> None:
        release = self.plan.release
        with tempfile.TemporaryDirectory(prefix="emollms-") as name:
            folder = self.remote.download(release.tag, Path(name) / "hub")
            found = local_files(folder, release.files)
            differing = [path for path, file in release.files.items() if found[path].sha256 != file.sha256]
            if differing:
                raise EmollmsError(f"what was downloaded at {release.tag} differs: {', '.join(differing)}")
            release.load(folder, Path(name) / "cache")
        self._did(f"loaded {release.tag} back from an empty cache")

    def _open(self, state: State) -> None:
        """Gate, then show: the repo is never public without the gate that was asked for."""
        gated, public = self.options.gated, self.options.public
        if gated and state.gated != gated:
            self.remote.gate(gated)
            self._did(f"access has to be asked for: {gated}")
        if public and state.private:
            self.remote.make_public()
            self._did("made public")
        now = self.remote.state() if gated or public else state
        if now is None or (gated and now.gated != gated) or (public and now.private):
            raise EmollmsError("the Hub took the settings and did not apply them; look at them on its page")

    def _did(self, step: str) -> None:
        self.steps.append(step)
        self.tell(step)

    @contextmanager
    def _saying_where_it_stands(self) -> Iterator[None]:
        try:
            yield
        except EmollmsError as error:
            raise EmollmsError(f"{error} ({self.standing})") from error
