"""Builds from 200 damaged variants of the sample corpus: each ends in the stated error, or in a counted quarantine."""

import os
import re
import shutil
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import damage
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import toys
from damage import Case
from damaged_files import zipped
from damaged_rows import TRAINED, cells
from forks import Forks

from emollms.builders.sample import Sample
from emollms.corpora import registry
from emollms.corpora.fetch import sha256_of
from emollms.dataset import pipeline
from emollms.dataset.build import build_repo
from emollms.dataset.manifest_entries import SourceEntry
from emollms.dataset.schema import REJECTED_SCHEMA
from emollms.dataset.specs import DATA_SETS, Settings
from emollms.dataset.writer import one_table
from emollms.errors import EmollmsError, SourceError, UsageError

CASES = {case.name: case for case in damage.cases()}
Key = tuple[str, str, str | None]


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """The folder of the corpora; removed at once, since some of the files are large."""
    yield tmp_path / "corpora"
    shutil.rmtree(tmp_path / "corpora", ignore_errors=True)


@pytest.fixture(autouse=True)
def no_screening(monkeypatch: pytest.MonkeyPatch) -> None:
    """Near-duplicates stay, and the gate is left out, so that the rows that go in and come out can be compared."""
    monkeypatch.setattr(pipeline.Pipeline, "screen", lambda self, rejected, version: None)
    monkeypatch.setattr(pipeline.Pipeline, "check_suite", lambda self, manifest: None)


def settings(case: Case, quarantine: bool) -> Settings:
    data_set = DATA_SETS["aeb" if case.split == "test" else "aaid"]
    return Settings(data_set, corpora=("sample",), languages=("all",), quarantine=quarantine)


def refused(case: Case, root: Path, out: Path, quarantine: bool = False) -> EmollmsError:
    """The error that a build ends in, which leaves nothing that looks finished."""
    with pytest.raises(EmollmsError) as caught:
        build_repo(settings(case, quarantine), out, root=root)
    assert len(str(caught.value).splitlines()) == 1
    assert caught.value.exit_code in (1, 2)
    assert case.file in str(caught.value)
    assert "; " in str(caught.value)  # what to do
    assert "corpora fetch" not in str(caught.value)  # the sample has no address: nothing can be got again
    assert not out.exists()
    assert not list(out.parent.rglob("manifest.json"))
    return caught.value


def test_there_are_200_and_more() -> None:
    assert len(CASES) >= 200


@pytest.mark.parametrize("name", CASES)
def test_the_build_stops(name: str, root: Path, tmp_path: Path) -> None:
    """With the pins of the sound files."""
    case = CASES[name]
    error = refused(case, case.write(root), tmp_path / "out")
    if case.stops:
        assert case.problem in str(error)
    else:
        pinned = next(file.sha256 for file in Sample.meta.files if file.path == case.file)
        found = sha256_of(root / "sample" / case.file)
        assert str(error).startswith(f"sample/{case.file}: SHA-256 is not {pinned}: '{found}'; install the package")


@pytest.mark.parametrize("name", [case.name for case in CASES.values() if not case.stops])
def test_the_error_says_what_and_where(name: str, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the pins of the damaged files, as if the corpus had always been so: each row is looked at."""
    case = CASES[name]
    pin_again(case, case.write(root), monkeypatch)
    if not case.problem:
        manifest = build_repo(settings(case, quarantine=False), tmp_path / "out", root=root).manifest
        check_defects(case, manifest.sources[0], differs=False)
        assert manifest.sources[0].left_out == {}
        return
    error = refused(case, root, tmp_path / "out")
    assert isinstance(error, SourceError)
    assert (error.place.file, error.place.line) == (f"sample/{case.file}", case.line)
    assert re.search(case.problem, str(error).partition("; ")[0]) or case.problem in str(error)
    assert len(str(error)) < 500


def pin_again(case: Case, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = root / "sample" / case.file
    about = {"sha256": sha256_of(path), "bytes": path.stat().st_size}
    files = [file.model_copy(update=about) if file.path == case.file else file for file in Sample.meta.files]
    monkeypatch.setattr(Sample, "meta", Sample.meta.model_copy(update={"files": tuple(files)}))


def is_lost(case: Case) -> bool:
    """Whether nothing is left to build from, in quarantine."""
    everything = case.split == "test" and len(case.lost) >= len(damage.raw_lines("test")) - 1
    return case.stops or everything


@pytest.mark.parametrize("name", [case.name for case in CASES.values() if is_lost(case)])
def test_quarantine_does_not_help_where_nothing_is_left(name: str, root: Path, tmp_path: Path) -> None:
    case = CASES[name]
    error = str(refused(case, case.write(root), tmp_path / "out", quarantine=True))
    assert (case.problem if case.stops else "no row is left") in error


@pytest.mark.parametrize("name", [case.name for case in CASES.values() if not is_lost(case)])
def test_quarantine_leaves_out_what_is_damaged(name: str, root: Path, tmp_path: Path) -> None:
    """The part of a build that reads; `test_quarantined_builds` runs the whole of it for some."""
    case = CASES[name]
    run = pipeline.Pipeline(settings(case, quarantine=True), tmp_path, case.write(root), validate=False)
    run.store.folder.mkdir(exist_ok=True)
    with one_table(tmp_path / "rejected.parquet", REJECTED_SCHEMA) as rejected:
        [source] = run.read(rejected)
    check_defects(case, source, differs=True)
    check_rejected(case, source, tmp_path)
    examples = [(task, batch) for task, split in run.store.groups() for batch in run.store.batches((task, split))]
    columns = ("source_id", "emotion")
    check_rows(case, {(row[0], task, row[1]) for task, batch in examples for row in pairs(batch, columns)})


def pairs(table: pa.Table, columns: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    return zip(*(table[column].to_pylist() for column in columns), strict=True)


@pytest.mark.parametrize("name", [case.name for case in CASES.values() if not is_lost(case)][::9])
def test_quarantined_builds(name: str, root: Path, tmp_path: Path) -> None:
    case, out = CASES[name], tmp_path / "out"
    manifest = build_repo(settings(case, quarantine=True), out, root=case.write(root)).manifest
    check_defects(case, manifest.sources[0], differs=True)
    check_rejected(case, manifest.sources[0], out)
    tables = [pq.read_table(path) for path in out.glob("data/*/*.parquet")]
    check_rows(case, {key for table in tables for key in pairs(table, ("source_id", "task", "emotion"))})


def check_defects(case: Case, source: SourceEntry, differs: bool) -> None:
    """The defects that the manifest counts are those that were made."""
    defects = dict(source.defects)
    assert defects.pop("file differs from the pinned one", 0) == differs
    if case.defect:
        name, count = case.defect
        assert defects.get(name, 0) == count


def check_rejected(case: Case, source: SourceEntry, out: Path) -> None:
    """What the manifest counts is in `rejected.parquet`, with its place."""
    rejected = pq.read_table(out / "rejected.parquet").to_pylist()
    reasons = [row["reason"] for row in rejected]
    assert source.left_out == {reason: reasons.count(reason) for reason in sorted(set(reasons))}
    assert {row["file"] for row in rejected} <= {f"sample/{case.file}"}
    if case.rejected is None:
        assert rejected
    else:
        assert len(rejected) == case.rejected
    if case.rejected == 1:
        assert rejected[0]["line"] == case.line


def check_rows(case: Case, found: set[Key]) -> None:
    """Every row but the lost ones is there."""
    splits = ("test",) if case.split == "test" else ("train", "validation")
    expected = {
        key for split in splits for line, key in keys(split).items() if split != case.split or line not in case.lost
    }
    assert expected - found == set()
    assert len(found - expected) == case.added


@cache
def keys(split: str) -> dict[int, Key]:
    """The row of each line of a sound file that its data set takes."""
    found = {}
    for line, raw in enumerate(damage.raw_lines(split)[1:], 2):
        row = cells(raw)
        if split == "test" or row["task"] in TRAINED:
            found[line] = (row["id"], row["task"], row["emotion"] or None)
    return found


PROCESSES = [
    "no header",
    "utf-16 encoding",
    "empty file",
    "missing",
    "folder in place",
    "file that cannot be read",
    "100 MB",
]


@pytest.mark.parametrize("beginning", PROCESSES)
def test_a_process_prints_one_line(beginning: str, root: Path, tmp_path: Path, build_forks: Forks) -> None:
    case = next(case for case in CASES.values() if case.name.startswith(beginning))
    done = build_forks.emollms(
        *arguments(case), "--from", case.write(root), "--out", tmp_path / "out", folder=tmp_path / "printed"
    )
    assert done.returncode in (1, 2)
    assert (done.stdout, done.stderr.count("\n")) == ("", 1)
    assert done.stderr.startswith("error: ")
    assert case.file in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_process_counts_what_it_left_out(root: Path, tmp_path: Path, build_forks: Forks) -> None:
    case = next(case for case in CASES.values() if case.name.startswith("NUL byte in test"))
    options = ("--from", case.write(root), "--out", tmp_path / "out", "--quarantine")
    done = build_forks.emollms(*arguments(case), *options, folder=tmp_path / "printed")
    assert done.returncode == 0, done.stderr
    assert "  1 raw rows of sample: " in done.stderr
    assert "Traceback" not in done.stderr


def arguments(case: Case) -> tuple[str, ...]:
    return ("build", settings(case, False).data_set.name, "--corpora", "sample")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(root: Path, tmp_path: Path) -> None:
    case = Case("permission", "test", lambda path: path.chmod(0))
    assert "cannot be read: 'Permission denied'" in str(refused(case, case.write(root), tmp_path / "out"))


ARCHIVES = {
    "zip in a zip": (zipped(zipped(toys.BODY, "data/a.txt"), "inner.zip"), "holds no 'data/a.txt'; it has 'inner.zip'"),
    "zip that is cut": (zipped(toys.BODY, "data/a.txt")[:-40], "cannot be read"),
    "other bytes in the zip": (zipped(toys.BODY[::-1], "data/a.txt"), "SHA-256 is not"),
    "other size in the zip": (zipped(toys.BODY[:-1], "data/a.txt"), "has 419,999 bytes instead of 420,000"),
    "no zip": (b"<!doctype html>", "neither a zip nor a tar.gz archive"),
    "empty file": (b"", "neither a zip nor a tar.gz archive"),
    "bomb": (zipped(bytes(32 << 20), "data/a.txt"), "bytes instead of 420,000"),
    "flipped bits": (zipped(toys.BODY, "data/a.txt").replace(b"\x00\x00\x00", b"\x00\x7f\x00", 3), "toy: "),
}


@pytest.mark.parametrize(("data", "problem"), ARCHIVES.values(), ids=ARCHIVES)
def test_a_damaged_archive_is_not_fetched(
    data: bytes, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    meta = toys.corpus(toys.pinned("a.txt", address="https://example.org/toy.zip!data/a.txt"))
    toy = type("Toy", (Sample,), {"meta": meta})
    monkeypatch.setattr(registry, "corpora", lambda: registry.Catalogue(toy=toy))
    (tmp_path / "from").mkdir()
    (tmp_path / "from" / "toy.zip").write_bytes(data)
    command = ["emollms", "corpora", "fetch", "toy", "--from", str(tmp_path / "from"), "--to", str(tmp_path / "to")]
    monkeypatch.setattr(sys, "argv", command)
    from emollms.cli import main

    with pytest.raises(SystemExit) as end:
        main()
    errors = [line for line in capsys.readouterr().err.splitlines() if line]
    assert end.value.code == 1
    assert len(errors) == 1
    assert errors[0].startswith("error: toy: 1 file could not be got: ")
    assert problem in errors[0]
    assert toys.names_in(tmp_path / "to") == []


def test_missing_is_a_wrong_call(root: Path, tmp_path: Path) -> None:
    case = Case("missing", "test", Path.unlink)
    assert isinstance(refused(case, case.write(root), tmp_path / "out"), UsageError)
