"""A push, all or nothing: loaded here, sent in one commit, loaded back from an empty cache, and only then tagged.

After each failure, and after Ctrl-C, the repo is either as it was or holds the whole new version, and the error says
which: the repo is read for that.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from huggingface_hub import CommitOperationAdd

from emollms.errors import EmollmsError
from emollms.hub.client import FROM_THE_CLIENT, ONCE, POLICY, call_hub, describe, is_disk_full, is_foreign, may_pass
from emollms.hub.plan import Plan, PushOptions, make_plan
from emollms.hub.release import lay_out, local_files
from emollms.hub.repo import Remote
from emollms.hub.state import OF_THE_HUB, RepoState, differences


def standing(plan: Plan, remote: Remote, options: PushOptions, made: str | None) -> str:
    """The state of a repo, in a few words.

    Args:
        plan: what was to be done; its state is the one before the first commit.
        remote: the repo.
        options: those of the plan.
        made: the commit that was made, if the Hub has named it.
    """
    once = Remote(remote.repo, remote.kind, remote.api, ONCE)
    try:
        return _tell(plan, once, options, made)
    except EmollmsError:
        return f"{remote.repo} cannot be read now; `emollms status` shows later what is in it"


def _tell(plan: Plan, remote: Remote, options: PushOptions, made: str | None) -> str:
    now = remote.state()
    if now is None:
        return "nothing was changed" if plan.state is None else "the repo is gone"
    version = _version(plan, remote, now, made)
    return version + (_access(now, options) if plan.release.tag in now.tags else "")


def _version(plan: Plan, remote: Remote, now: RepoState, made: str | None) -> str:
    """Where the version is: tagged, committed, or nowhere."""
    release = plan.release
    if release.tag in now.tags:
        commit = now.tags[release.tag]
        if not differences(release.files, remote.files(commit)):
            return f"{release.tag} is published, at commit {commit}"
        own = f"commit {made} holds this version, and " if made and made != commit else ""
        return f"{own}{release.tag} is a tag of other content, at commit {commit}"
    holding = [commit for commit in _new(plan, remote, now) if not differences(release.files, remote.files(commit))]
    if holding:
        return f"commit {holding[0]} holds this version, and is not tagged: run the command again"
    if made and now.head == made:
        return f"commit {made} holds other content than this version, and is not tagged"
    if plan.state is None or (plan.created and now.head == plan.state.head):
        seen = "private" if now.private else "public"
        return f"the repo is {seen} and holds nothing of this version (commit {now.head})"
    if now.head == plan.state.head:
        return f"the repo is as it was, at commit {now.head}"
    return f"the repo is at commit {now.head} by someone else, and nothing of this version is in it"


def _new(plan: Plan, remote: Remote, now: RepoState) -> list[str]:
    """The commits that may hold the version: the head, and those since the one that was planned upon."""
    since = remote.commits_since(plan.state.head) if plan.state and now.head != plan.state.head else []
    return list(dict.fromkeys([now.head, *since]))


def _access(now: RepoState, options: PushOptions) -> str:
    """What is still missing of the access that was asked for."""
    missing = []
    if options.gated and now.gated != options.gated:
        missing.append("access need not be asked for")
    if options.public and now.private:
        missing.append("it is private")
    return f"; {' and '.join(missing)}: run the command again" if missing else ""


def push(plan: Plan, remote: Remote, options: PushOptions, on_step: Callable[[str], None] = lambda step: None) -> Plan:
    """Do what a plan says.

    Args:
        plan: what `make_plan` gave.
        remote: the repo.
        options: those of the plan.
        on_step: called with each step that is done.

    Returns:
        The plan, with the commit that holds the version, and the steps that were done.

    Raises:
        EmollmsError: it failed; the message says in which state the repo is.
        KeyboardInterrupt: it was interrupted; the message says the same.
    """
    work = _Push(plan, remote, options, on_step)
    commit = work.run()
    return replace(work.plan, commit=commit, steps=tuple(work.steps))


@dataclass
class _Push:
    plan: Plan
    remote: Remote
    options: PushOptions
    on_step: Callable[[str], None]
    steps: list[str] = field(default_factory=list)
    begun: bool = False
    """Whether anything was sent that may have changed the repo."""
    made: str | None = None
    """The commit that was made."""

    def run(self) -> str:
        with self._saying_where_it_stands():
            if self.plan.published and self.plan.state:
                state, commit = self.plan.state, self.plan.state.tags[self.plan.release.tag]
            else:
                self._try_here()
                state = self._repo()
                commit = self._commit(state) if self.plan.commits else state.head
                self._verify(commit)
                self._load_back(commit)
                self._tag(commit)
            self._open(state)
            return commit

    def _try_here(self) -> None:
        """Load what is to be sent, as others will: a version cannot be taken back."""
        with _scratch("loading it here") as folder:
            lay_out(self.plan.release.files.values(), folder / "release")
            self.plan.release.load(folder / "release", folder / "cache")
        self._did("loaded it here")

    def _repo(self) -> RepoState:
        """The repo, created and private if it was not there."""
        if self.plan.state is not None:
            return self.plan.state
        self.begun = True
        self.remote.create(self.plan.release.sdk)
        self.plan = replace(make_plan(self.plan.release, self.remote, self.options), created=True)
        state = self.plan.state
        if state is None or not state.private:
            raise EmollmsError(f"{self.remote.repo} was to be created, private, and is not")
        self._did(f"created {self.remote.repo}, private")
        return state

    def _commit(self, state: RepoState) -> str:
        self.begun = True
        additions = self.remote.upload(self.plan.sends)
        try:
            commit = call_hub(lambda: self._commit_once(additions, state), f"committing to {self.remote.repo}")
        except FROM_THE_CLIENT as error:
            raise EmollmsError(f"{describe(error)}; tried {POLICY.retries + 1} times") from error
        self.made = commit
        self._did(f"committed {len(self.plan.sends)} files, deleted {len(self.plan.delete)}: {commit}")
        return commit

    def _commit_once(self, additions: list[CommitOperationAdd], state: RepoState) -> str:
        title = f"{self.plan.release.name} {self.plan.release.version}"
        try:
            return self.remote.commit(additions, self.plan.delete, state.head, title)
        except FROM_THE_CLIENT as error:
            return self._find_commit(error, state)

    def _find_commit(self, error: Exception, before: RepoState) -> str:
        """The new commit, where it was made although it seemed to fail: its answer may have been lost.

        Raises:
            Exception: `error` itself, if the commit may be tried again.
            EmollmsError: trying again is of no use; or someone else has committed.
        """
        if not (may_pass(error) or is_foreign(error)):
            raise EmollmsError(describe(error)) from error
        now = self.remote.state()
        if now is None:
            raise EmollmsError("the repo is gone") from error
        if now.head == before.head:
            if may_pass(error):
                raise error  # not `from error`: an error that causes itself has no last cause
            raise EmollmsError(describe(error)) from error
        for commit in self.remote.commits_since(before.head):
            if self._is_ours(commit):
                return commit
        raise EmollmsError(f"someone else has committed since {before.head}; run the command again") from error

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

    def _load_back(self, commit: str) -> None:
        release = self.plan.release
        with _scratch("loading it back") as folder:
            there = self.remote.download(commit, folder / "hub")
            found = local_files(there, release.files)
            differing = [path for path, file in release.files.items() if found[path].sha256 != file.sha256]
            if differing:
                raise EmollmsError(f"what was downloaded at commit {commit} differs: {', '.join(differing)}")
            release.load(there, folder / "cache")
        self._did(f"loaded {commit} back from an empty cache")

    def _tag(self, commit: str) -> None:
        release = self.plan.release
        self.begun = True
        self.remote.tag(release.tag, commit, f"{release.name} {release.version}")
        tagged = self.remote.tags().get(release.tag)
        if tagged is None:
            raise EmollmsError(f"the Hub took the tag {release.tag}, and does not have it")
        if tagged != commit and differences(release.files, self.remote.files(tagged)):
            raise EmollmsError(f"someone else tagged other content as {release.tag}")
        self._did(f"tagged {release.tag}")

    def _open(self, state: RepoState) -> None:
        """Gate, then show: the repo is never public without the gate that was asked for."""
        gated, public = self.options.gated, self.options.public
        if gated and state.gated != gated:
            self.begun = True
            self.remote.gate(gated)
            self._check_access(gated=True)
            self._did(f"access has to be asked for: {gated}")
        if public and state.private:
            self.begun = True
            self.remote.make_public()
            self._check_access(public=True)
            self._did("made public")

    def _check_access(self, gated: bool = False, public: bool = False) -> None:
        now = self.remote.state()
        if now is None or (gated and now.gated != self.options.gated) or (public and now.private):
            raise EmollmsError("the Hub took the settings and did not apply them; check them on its page")

    def _did(self, step: str) -> None:
        self.steps.append(step)
        self.on_step(step)

    @contextmanager
    def _saying_where_it_stands(self) -> Iterator[None]:
        try:
            yield
        except EmollmsError as error:
            raise EmollmsError(f"{error} ({self._standing()})") from error
        except KeyboardInterrupt as error:
            raise KeyboardInterrupt(f"interrupted ({self._standing()})") from error

    def _standing(self) -> str:
        return standing(self.plan, self.remote, self.options, self.made) if self.begun else "nothing was changed"


@contextmanager
def _scratch(doing: str) -> Iterator[Path]:
    """A folder that goes away again.

    Raises:
        EmollmsError: the disk is full; the message says which folder is on it.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="emollms-") as name:
            yield Path(name)
    except Exception as error:
        if not is_disk_full(error):
            raise
        raise EmollmsError(
            f"the disk of {tempfile.gettempdir()} is full while {doing}; make room there, or point TMPDIR to another "
            f"disk, and run the command again"
        ) from error
