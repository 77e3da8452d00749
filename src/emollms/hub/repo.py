"""A repo on the Hub: its state, and the few calls that change it.

Calls that fail for a reason that may pass are made again, all but the commit: see `publish`.
"""

import tempfile
from collections.abc import Callable, Iterable, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Literal, TypeVar

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, hf_hub_download, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, RepositoryNotFoundError, RevisionNotFoundError
from huggingface_hub.hf_api import GitRefs, RepoFile
from huggingface_hub.utils._validators import validate_repo_id

from emollms.dataset.manifest import VERSION
from emollms.errors import EmollmsError, UsageError
from emollms.hub.card_checks import explain_refusal, metadata_in
from emollms.hub.card_merge import split_card
from emollms.hub.client import CONFLICT, FROM_THE_CLIENT, POLICY, call_hub, describe, is_disk_full, may_pass
from emollms.hub.release import Kind, LocalFile
from emollms.hub.state import RemoteFile, RepoState
from emollms.network import require_hub
from emollms.retry import RetryPolicy
from emollms.templates import dump_metadata

Gated = Literal["auto", "manual"]
Result = TypeVar("Result")

REFUSED_CARD = "Invalid metadata in README.md"
LICENSES = "https://huggingface.co/docs/hub/repositories-licenses"


class CardError(EmollmsError):
    """The Hub does not accept the metadata of a card."""


def check_repo(repo: str) -> None:
    """Refuse what cannot be the name of a repo.

    Raises:
        UsageError: it cannot.
    """
    if repo.count("/") != 1:
        raise UsageError(f"{repo!r} is no repo; its name looks like OWNER/NAME")
    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise UsageError(f"{repo!r} is no repo: {error}") from None


class Remote:
    """A repo on the Hub that `HF_ENDPOINT` names.

    Args:
        repo: `OWNER/NAME`.
        kind: what it holds.
        api: the client.
        policy: how often a call is made again, where the Hub is busy.

    Raises:
        UsageError: the name is none.
    """

    def __init__(
        self, repo: str, kind: Kind = "dataset", api: HfApi | None = None, policy: RetryPolicy = POLICY
    ) -> None:
        check_repo(repo)
        self.repo, self.kind, self.policy = repo, kind, policy
        self.api = api or HfApi(library_name="emollms")
        self._valid: set[str] = set()

    def state(self) -> RepoState | None:
        """What the repo is like; None if there is none, or none that this account may see."""
        try:
            info = self._ask(lambda: self.api.repo_info(self.repo, repo_type=self.kind))
        except RepositoryNotFoundError:
            return None
        head = str(info.sha)
        refs = self._refs()
        tags = {tag.name: tag.target_commit for tag in refs.tags}
        branches = tuple(branch.name for branch in refs.branches)
        return RepoState(
            head, self.files(head), tags, branches, bool(info.private), getattr(info, "gated", None) or False
        )

    def tags(self) -> dict[str, str]:
        """The commit of each tag."""
        return {tag.name: tag.target_commit for tag in self._refs().tags}

    def _refs(self) -> GitRefs:
        return self._ask(lambda: self.api.list_repo_refs(self.repo, repo_type=self.kind))

    def exists(self) -> bool:
        """Whether there is such a repo that this account may see."""
        return self._ask(lambda: self.api.repo_exists(self.repo, repo_type=self.kind))

    def files(self, revision: str) -> dict[str, RemoteFile]:
        """The files of a revision, by path.

        Raises:
            UsageError: there is no such revision.
        """

        def listed() -> list[RepoFile]:
            found = self.api.list_repo_tree(self.repo, repo_type=self.kind, revision=revision, recursive=True)
            return [entry for entry in found if isinstance(entry, RepoFile)]

        try:
            files = self._ask(listed)
        except RevisionNotFoundError:
            raise UsageError(f"{self.repo} has no revision {revision}") from None
        return {file.path: RemoteFile(file.size, file.blob_id, file.lfs.sha256 if file.lfs else None) for file in files}

    def commit_of(self, revision: str) -> str:
        """The id of the commit that a branch, a tag, or the beginning of an id means.

        Raises:
            UsageError: there is no such revision.
        """
        try:
            return str(self._ask(lambda: self.api.repo_info(self.repo, repo_type=self.kind, revision=revision)).sha)
        except RevisionNotFoundError:
            raise UsageError(f"{self.repo} has no revision {revision}") from None

    def commits(self) -> dict[str, str]:
        """The commits of `main` with their titles, the newest first."""
        found = self._ask(lambda: self.api.list_repo_commits(self.repo, repo_type=self.kind))
        return {one.commit_id: one.title for one in found}

    def commits_since(self, commit: str) -> list[str]:
        """The commits of `main` that came after one, the newest first."""
        return list(takewhile(lambda name: name != commit, self.commits()))

    def create(self, sdk: str = "gradio") -> None:
        """Create the repo, private; an existing one stays as it is.

        Args:
            sdk: what it runs on, if it is a Space.
        """

        def create() -> None:
            try:
                self.api.create_repo(
                    self.repo, repo_type=self.kind, private=True, space_sdk=sdk if self.kind == "space" else None
                )
            except HfHubHTTPError as error:  # a conflict may be another job of the Hub's, and no repo
                if error.response.status_code != CONFLICT or not self.api.repo_exists(self.repo, repo_type=self.kind):
                    raise

        self._ask(create, f"creating {self.repo}")

    def read(self, path: str, revision: str) -> str:
        """The text of a file of a revision."""
        with tempfile.TemporaryDirectory(prefix="emollms-") as cache:
            found = self._ask(
                lambda: hf_hub_download(
                    self.repo,
                    path,
                    repo_type=self.kind,
                    revision=revision,
                    cache_dir=cache,
                    endpoint=self.api.endpoint,
                )
            )
            return Path(found).read_text(encoding="utf-8", errors="replace")

    def validate_card(self, text: str) -> None:
        """Make sure that the Hub accepts the metadata of a card; nothing else of it is sent.

        Raises:
            CardError: it does not; the message says why.
        """

        def validate() -> None:
            try:  # what the client asks before a commit, when all files have been sent
                self.api._validate_yaml(head, repo_type=self.kind)
            except ValueError as error:
                if not str(error).startswith(REFUSED_CARD):
                    raise
                found = str(error).removeprefix(REFUSED_CARD).lstrip(".")
                raise CardError(explain_refusal(found, metadata_in(text, "the card"))) from None

        head = f"---\n{split_card(text)[0]}---\n"
        if head not in self._valid:
            self._ask(validate, f"validating the card of {self.repo}")
            self._valid.add(head)

    def check_license(self, license: str) -> None:
        """Make sure that the Hub knows a licence.

        Raises:
            UsageError: it does not; the message suggests similar ones.
        """
        try:
            if license != "other":  # which is known, and asks for other keys beside it
                self.validate_card(f"---\n{dump_metadata({'license': license})}---\n")
        except CardError as error:
            raise UsageError(f"{error}; the Hub's list of licences is at {LICENSES}") from None

    def upload(self, files: Sequence[LocalFile]) -> list[CommitOperationAdd]:
        """Send the content of files; nothing is seen of it before a commit names them.

        Returns:
            The files, for `commit`; what they will add to it is what was hashed.

        Raises:
            EmollmsError: a file changed since it was hashed, or while it was sent; or the Hub does not take them.
        """
        _refuse_changed(files)
        additions = [CommitOperationAdd(file.path, _content(file)) for file in files]
        for addition, file in zip(additions, files, strict=True):
            addition.upload_info.sha256 = bytes.fromhex(
                file.sha256
            )  # it is known, so the file is not read again for it

        def send() -> None:
            try:
                self.api.preupload_lfs_files(self.repo, additions, repo_type=self.kind, free_memory=False)
            except Exception as error:  # a file that changes on its way causes a broken connection, or is refused
                _refuse_changed(files, content=not may_pass(error))
                raise

        self._ask(send, f"sending {len(files)} files to {self.repo}")
        for addition, file in zip(additions, files, strict=True):
            if addition._upload_mode == "regular":  # the commit carries the content of these, and would read it later
                addition.path_or_fileobj = file.read_unchanged()
            else:
                file.refuse_changed(content=True)
        return additions

    def commit(self, additions: list[CommitOperationAdd], deleted: Iterable[str], parent: str, title: str) -> str:
        """Make one commit on `main`, if that is still at `parent`; it is tried once.

        Returns:
            The id of the commit.

        Raises:
            Exception: as the client does; the commit may have happened all the same.
        """
        deletions = [CommitOperationDelete(path, is_folder=False) for path in deleted]
        made = self.api.create_commit(
            self.repo, [*additions, *deletions], commit_message=title, repo_type=self.kind, parent_commit=parent
        )
        return made.oid

    def tag(self, tag: str, commit: str, message: str) -> None:
        """Tag a commit; an existing one stays as it is."""

        def create() -> None:
            try:
                self.api.create_tag(
                    self.repo, tag=tag, tag_message=message, revision=commit, repo_type=self.kind, exist_ok=False
                )
            except HfHubHTTPError as error:
                if error.response.status_code != CONFLICT or tag not in self.tags():
                    raise

        self._ask(create, f"tagging {commit} of {self.repo}")

    def gate(self, gated: Gated) -> None:
        """Let others see the repo's files only when they have asked for it."""
        self._ask(lambda: self.api.update_repo_settings(self.repo, gated=gated, repo_type=self.kind))

    def make_public(self) -> None:
        """Show the repo to everybody."""
        self._ask(lambda: self.api.update_repo_settings(self.repo, private=False, repo_type=self.kind))

    def download(self, revision: str, cache: Path) -> Path:
        """Download all files of a revision into a cache; gives their folder.

        Raises:
            UsageError: there is no such repo or revision.
            OSError: the disk is full.
        """
        try:
            return Path(
                self._ask(
                    lambda: snapshot_download(
                        self.repo, repo_type=self.kind, revision=revision, cache_dir=cache, endpoint=self.api.endpoint
                    ),
                    f"downloading {self.repo}",
                )
            )
        except RepositoryNotFoundError:
            raise UsageError(f"there is no {self.kind} {self.repo} on the Hub that this account may see") from None
        except RevisionNotFoundError:
            raise UsageError(f"{self.repo} has no revision {revision}") from None

    def _ask(self, call: Callable[[], Result], doing: str = "") -> Result:
        """Make a call; errors that the caller cannot do anything about become one line."""
        try:
            return call_hub(call, doing or f"reading {self.repo}", self.policy)
        except (RepositoryNotFoundError, RevisionNotFoundError):
            raise
        except FROM_THE_CLIENT as error:
            if is_disk_full(error):
                raise
            raise EmollmsError(f"{self.repo}: {describe(error)}") from error


def _refuse_changed(files: Iterable[LocalFile], content: bool = False) -> None:
    for file in files:
        file.refuse_changed(content)


def _content(file: LocalFile) -> str | bytes:
    """What the client is to send: a path, whose file it reads in portions, or content that is in memory."""
    return file.source if isinstance(file.source, bytes) else str(file.source)


def published_versions(repo: str) -> list[str]:
    """The versions that a repo of a data set has tags of, the oldest first.

    Raises:
        EmollmsError: the Hub cannot be asked, or there is no such repo that this account may see.
    """
    require_hub()
    remote = Remote(repo)
    if not remote.exists():
        raise EmollmsError(f"{repo} does not exist on the Hub, or this account may not see it")
    numbers = [tag.removeprefix("v") for tag in remote.tags() if VERSION.fullmatch(tag.removeprefix("v"))]
    return sorted(numbers, key=lambda number: tuple(map(int, number.split("."))))
