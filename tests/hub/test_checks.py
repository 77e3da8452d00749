"""What is refused before anything leaves the machine."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emollms.dataset.manifest import read_manifest
from emollms.errors import EmollmsError, UsageError
from emollms.hub.dataset import dataset_release, load_dataset_back

Edit = Callable[[Path], object]


@pytest.fixture
def copy(small: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return shutil.copytree(small, tmp_path / "copy")


def sign(folder: Path) -> None:
    """Make the manifest fit the files that are there."""
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"] = [
        {
            "path": path.relative_to(folder).as_posix(),
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "bytes": path.stat().st_size,
        }
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("manifest.json", "README.md")
    ]
    (folder / "manifest.json").write_text(json.dumps(manifest))


def replace(name: str, old: str, new: str) -> Edit:
    def edit(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new))

    return edit


def append(name: str, text: str) -> Edit:
    return lambda folder: (folder / name).write_text((folder / name).read_text() + text)


def restrict(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["redistribution"] = manifest["sources"][0]["redistribution"] = "ids"
    (folder / "manifest.json").write_text(json.dumps(manifest))


def put_into_a_cell(text: str) -> Edit:
    def edit(folder: Path) -> None:
        path = folder / "data" / "V-reg" / "test-00000.parquet"
        table = pq.read_table(path)
        texts = [*table["text"].to_pylist()[:-1], text]
        pq.write_table(table.set_column(1, "text", pa.array(texts)), path)

    return edit


KEY = "hf_" + "AbCdEfGhIjKlMnOpQrStUvWxYz01234567"
UNSIGNED: dict[str, tuple[Edit, type[EmollmsError], str]] = {
    "changed after the build": (append("statistics.json", " "), EmollmsError, "statistics.json changed after"),
    "a file is gone": (lambda d: (d / "statistics.json").unlink(), EmollmsError, "lacks statistics.json"),
    "a file too many": (
        lambda d: (d / "notes.txt").write_text("x"),
        UsageError,
        "do not belong to the data set: notes.txt",
    ),
    "a hidden file": (lambda d: (d / ".env").write_text("x"), UsageError, r"do not belong to the data set: \.env"),
    "a link": (lambda d: (d / "home").symlink_to("/root"), UsageError, "do not belong to the data set: home"),
    "no manifest": (lambda d: (d / "manifest.json").unlink(), UsageError, "holds no finished data set"),
    "a torn manifest": (lambda d: (d / "manifest.json").write_text("{"), EmollmsError, "is damaged"),
    "restricted": (restrict, EmollmsError, "the texts of sample may not be redistributed; .* --ids-only"),
}
SIGNED: dict[str, tuple[Edit, str]] = {
    "a script": (lambda d: (d / "aeb.py").write_text("1"), "refused: aeb.py"),
    "a pickle": (lambda d: (d / "data" / "a.pkl").write_bytes(b"1"), "refused: data/a.pkl"),
    "a placeholder": (append("README.md", "[More information needed]"), "says 'More Information Needed'"),
    "no metadata": (lambda d: (d / "README.md").write_text("# Hello"), "has no metadata"),
    "broken metadata": (replace("README.md", "pretty_name: ", "pretty_name: ]"), "the metadata is no YAML"),
    "no licence": (replace("README.md", "\nlicense: mit", "\nlicense:"), "the metadata lacks license"),
    "other counts": (
        replace("README.md", "num_examples: ", "num_examples: 9"),
        "dataset_info of default says ",
    ),
    "a key in a cell": (
        put_into_a_cell(f"my key is {KEY}"),
        r"secrets.* in data/V-reg/.*, column text",
    ),
    "a key in a file": (append("README.md", f"\ntoken: {KEY}\n"), r"secrets, .* in README.md \(1\)"),
}


@pytest.mark.parametrize(("edit", "error", "message"), UNSIGNED.values(), ids=UNSIGNED)
def test_what_is_not_as_it_was_built(edit: Edit, error: type[EmollmsError], message: str, copy: Path) -> None:
    edit(copy)
    with pytest.raises(error, match=message):
        dataset_release(copy)


@pytest.mark.parametrize(("edit", "message"), SIGNED.values(), ids=SIGNED)
def test_what_must_not_go_out_even_if_it_is_in_the_manifest(edit: Edit, message: str, copy: Path) -> None:
    edit(copy)
    sign(copy)
    with pytest.raises(EmollmsError, match=message) as caught:
        dataset_release(copy)
    assert KEY not in str(caught.value)


def test_a_manifest_that_lists_the_readme_is_read_without_it_and_publishes(copy: Path) -> None:
    """As manifests did before the README was derived; and then it may change."""
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["files"].append({"path": "README.md", "sha256": "0" * 64, "bytes": 1})
    (copy / "manifest.json").write_text(json.dumps(manifest))
    assert "README.md" not in {file.path for file in read_manifest(copy).files}
    append("README.md", "\n## Ours\n")(copy)
    assert "README.md" in dataset_release(copy).files
    (copy / "README.md").unlink()
    with pytest.raises(EmollmsError, match=r"lacks README\.md; build it again"):
        dataset_release(copy)


def test_personal_data_is_counted(copy: Path) -> None:
    before = dataset_release(copy).notes
    put_into_a_cell("write to jane@example.org or @jane_doe")(copy)
    sign(copy)
    notes = dataset_release(copy).notes
    assert "1 texts hold what looks like a email: data/V-reg/test-00000.parquet, column text" in notes
    assert notes != before


def test_a_release_lists_all_files_with_both_hashes(small: Path) -> None:
    release = dataset_release(small, "1.0.0")
    assert set(release.files) == {"manifest.json", "README.md", *(file.path for file in read_manifest(small).files)}
    content = (small / "statistics.json").read_bytes()
    file = release.files["statistics.json"]
    assert file.git_sha1 == hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    assert (file.sha256, file.size) == (hashlib.sha256(content).hexdigest(), len(content))
    assert release.tag == "v1.0.0"


def test_another_version_is_refused(small: Path) -> None:
    with pytest.raises(UsageError, match=r"is version 1\.0\.0, not 1\.0\.1"):
        dataset_release(small, "1.0.1")


def test_a_copy_that_does_not_load_is_refused(copy: Path, tmp_path: Path) -> None:
    load_dataset_back(copy, tmp_path / "cache")
    (copy / "data" / "V-reg" / "test-00000.parquet").write_bytes(b"PAR1")
    with pytest.raises(EmollmsError, match="config default does not load: "):
        load_dataset_back(copy, tmp_path / "other")
