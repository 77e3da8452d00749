"""What the Hub keeps: repos with their commits, branches and tags, and the content of files by SHA-256."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count

import yaml

LFS_ENDINGS = (
    ".7z", ".arrow", ".bin", ".bz2", ".gguf", ".gz", ".h5", ".model", ".msgpack", ".npy", ".npz", ".onnx", ".parquet",
    ".pickle", ".pkl", ".pt", ".pth", ".safetensors", ".tar", ".wasm", ".xz", ".zip", ".zst",
)  # fmt: skip
LFS_SIZE = 10 * 1024 * 1024
GITATTRIBUTES = "".join(f"*{ending} filter=lfs diff=lfs merge=lfs -text\n" for ending in LFS_ENDINGS)


class HubError(Exception):
    """An answer other than success."""

    def __init__(self, status: int, message: str, code: str | None = None, **body: object) -> None:
        self.status, self.message, self.code, self.body = status, message, code, body
        super().__init__(message)


@dataclass(frozen=True)
class File:
    """A file of a commit. `oid` is what git calls it: the SHA-1 of its content, or of its LFS pointer."""

    sha256: str
    size: int
    oid: str
    lfs: bool

    @property
    def known_as(self) -> str:
        """What the preupload endpoint and ETags call it."""
        return self.sha256 if self.lfs else self.oid


@dataclass(frozen=True)
class Commit:
    oid: str
    parent: str | None
    title: str
    message: str
    author: str
    date: str
    files: Mapping[str, File]


@dataclass
class Repo:
    kind: str
    name: str
    private: bool
    gated: str | bool = False
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    objects: set[str] = field(default_factory=set)
    """SHA-256 of the LFS content that was sent for this repo."""

    def resolve(self, revision: str) -> Commit:
        """The commit that a branch, a tag or (the beginning of) a commit id names."""
        short = revision.removeprefix("refs/heads/").removeprefix("refs/tags/")
        oid = self.branches.get(short) or self.tags.get(short)
        found = [oid] if oid else [known for known in self.commits if len(revision) >= 7 and known.startswith(revision)]
        if len(found) != 1:
            raise HubError(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return self.commits[found[0]]

    def history(self, revision: str) -> Iterator[Commit]:
        """The commit and those before it."""
        commit: Commit | None = self.resolve(revision)
        while commit:
            yield commit
            commit = self.commits[commit.parent] if commit.parent else None


@dataclass
class Collection:
    """A page that groups repos; its items have `id` and `type`."""

    slug: str
    title: str
    owner: str
    private: bool
    description: str
    items: list[dict[str, str]] = field(default_factory=list)


class Store:
    """All repos, all content, and the collections by slug."""

    def __init__(self) -> None:
        self.collections: dict[str, Collection] = {}
        self.repos: dict[tuple[str, str], Repo] = {}
        self.blobs: dict[str, bytes] = {}
        self._number = count()

    def put(self, content: bytes) -> str:
        """Keep content; gives its SHA-256."""
        digest = hashlib.sha256(content).hexdigest()
        self.blobs[digest] = content
        return digest

    def file(self, content: bytes) -> File:
        """A regular file."""
        oid = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        return File(self.put(content), len(content), oid, lfs=False)

    def lfs_file(self, sha256: str) -> File:
        """A file whose content was uploaded before."""
        if sha256 not in self.blobs:
            raise HubError(400, f"LFS pointer pointed to a file that does not exist: {sha256}")
        size = len(self.blobs[sha256])
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()
        oid = hashlib.sha1(b"blob %d\0" % len(pointer) + pointer).hexdigest()
        return File(sha256, size, oid, lfs=True)

    def create(self, kind: str, name: str, private: bool, author: str) -> Repo:
        repo = self.repos[kind, name] = Repo(kind, name, private)
        self.commit(repo, "main", "initial commit", "", author, {".gitattributes": self.file(GITATTRIBUTES.encode())})
        return repo

    def commit(
        self, repo: Repo, branch: str, title: str, message: str, author: str, files: Mapping[str, File]
    ) -> Commit:
        """A commit with exactly these files, on top of a branch."""
        parent = repo.branches.get(branch)
        oid = hashlib.sha1(f"{repo.kind}/{repo.name}/{next(self._number)}".encode()).hexdigest()
        date = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        repo.commits[oid] = Commit(oid, parent, title, message, author, date, dict(sorted(files.items())))
        repo.branches[branch] = oid
        return repo.commits[oid]

    def card(self, commit: Commit) -> dict[str, object]:
        """The metadata in a commit's README."""
        readme = commit.files.get("README.md")
        if not readme:
            return {}
        found = metadata_of(self.blobs[readme.sha256].decode("utf-8", "replace"))
        return found if isinstance(found, dict) else {}


def metadata_of(readme: str) -> object:
    """What stands between the `---` lines of a README; None if there are none."""
    if not readme.startswith("---\n") or "\n---" not in readme[3:]:
        return None
    return yaml.safe_load(readme[4:].split("\n---", 1)[0])


def is_lfs(path: str, size: int, sample: bytes) -> bool:
    """Whether the Hub keeps a file as LFS."""
    return path.endswith(LFS_ENDINGS) or size > LFS_SIZE or b"\0" in sample
