"""A made-up corpus, its file, and archives of it."""

import hashlib
import io
import tarfile
import zipfile

from emollms.corpora.metadata import CorpusMetadata, SourceFile

BODY = b"".join(b"%06d\n" % number for number in range(60_000))  # 420,000 bytes: several pieces


def pinned(path, body=BODY, address=None):
    return SourceFile(path=path, sha256=hashlib.sha256(body).hexdigest(), bytes=len(body), address=address)


def corpus(*files, **more):
    return CorpusMetadata(
        name="toy",
        version="1",
        title="Toy",
        description="Made up.",
        languages=("en",),
        tasks=("V-reg",),
        splits=("train",),
        domain="none",
        license="mit",
        redistribution="text",
        homepage="https://example.org",
        citation="@misc{toy}",
        files=files,
        **more,
    )


def names_in(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def zipped(members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return stream.getvalue()


def tarred(members):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, body in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
    return stream.getvalue()
