"""A build from made-up corpora: what loads, what is refused, what a kill leaves."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tiny_corpus import Install, settings

from emollms.dataset.build import build_repo
from emollms.dataset.manifest import read_manifest
from emollms.dataset.schema import ROW_SCHEMA, features, typed_schema
from emollms.errors import EmollmsError, SourceError, UsageError
from emollms.prompts.template import prompt
from emollms.tasks import OrdinalTask, get_task

ROWS = {
    "train": [("a", "I love this", "0.9"), ("b", "I hate &amp; fear this", "0.1")],
    "validation": [("c", "So it goes", "0.5")],
    "test": [("d", "What a day!", "0.75")],
}


def tree(folder: Path) -> dict[str, str]:
    """Every file below a folder with its hash."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.usefixtures("sample_alone")
@pytest.mark.parametrize("name", ["aaid", "aaid-plus", "aeb"])
def test_sample_loads(name: str, tmp_path: Path) -> None:
    from datasets import ClassLabel, get_dataset_config_names, load_dataset

    out = tmp_path / name
    done = build_repo(settings(name, "sample"), out, validate=False)
    cache = str(tmp_path / "cache")
    everything = load_dataset(str(out), cache_dir=cache)
    counts = {}
    for count in done.manifest.counts:
        counts[count.split] = counts.get(count.split, 0) + count.rows
    assert {split: len(rows) for split, rows in everything.items()} == counts
    tasks = {count.task for count in done.manifest.counts}
    assert set(get_dataset_config_names(str(out))) == tasks | {"default"}
    one = load_dataset(str(out), "EI-oc", cache_dir=cache)
    split = next(iter(one))
    assert isinstance(one[split].features["label"], ClassLabel)
    row = one[split][0]
    assert one[split].features["label"].int2str(row["label"])[:2] == row["completion"][:2]
    streamed = list(load_dataset(str(out), "EI-oc", split=split, streaming=True))
    assert [row["id"] for row in streamed] == one[split]["id"][:]


def test_features_are_written_as_datasets_writes_them() -> None:
    from datasets import Features

    assert Features._from_yaml_list(features(ROW_SCHEMA)) == Features.from_arrow_schema(ROW_SCHEMA)


@pytest.mark.parametrize("name", ["TDT", "EI-oc", "V-reg", "E-c"])
def test_files_say_what_their_classes_are_called(name: str) -> None:
    """`datasets` reads the types of a task from its files; of an ordinal one, the label alone differs."""
    from datasets import ClassLabel, Features

    task = get_task(name)
    found = Features.from_arrow_schema(typed_schema(task))
    expected = dict(Features.from_arrow_schema(ROW_SCHEMA))
    if isinstance(task, OrdinalTask):
        expected["label"] = ClassLabel(names=[task.class_label(number, "E") for number in task.classes])
    assert dict(found) == expected
    if name == "TDT":
        assert found["label"].names == ["-1: negative", "0: neutral", "1: positive"]


def test_a_row_says_where_it_comes_from(install: Install, tmp_path: Path) -> None:
    root = install(ROWS)
    build_repo(settings("aaid", "tiny"), tmp_path / "out", root=root)
    rows = pq.read_table(tmp_path / "out" / "data" / "V-reg" / "train-00000.parquet").to_pylist()
    assert len(rows) == 20
    assert rows[13] | {"prompt": ""} == {
        "id": "tiny/V-reg/b/-/3",
        "text": "I hate &amp; fear this",
        "prompt": "",
        "completion": "0.100",
        "gold": "0.1",
        "score": 0.1,
        "label": None,
        "labels": [],
        "task": "V-reg",
        "emotion": None,
        "target": None,
        "perspective": None,
        "language": "en",
        "corpus": "tiny",
        "source_id": "b",
        "wording": 3,
        "cluster": None,
        "overlaps": [],
        "spread": None,
        "raters": None,
        "votes": [],
    }


def test_prompts_are_those_of_the_template(tmp_path: Path) -> None:
    """Columns are rendered whole; the template for one text, which inference uses, must give the same."""
    for name in ("aaid", "aeb"):
        build_repo(settings(name, "sample", languages=("all",)), tmp_path / name, validate=False)
        for path in (tmp_path / name).glob("data/*/*.parquet"):
            for row in pq.read_table(path).to_pylist():
                task = get_task(row["task"])
                expected = prompt(task, row["text"], row["wording"], row["emotion"], target=row["target"])
                assert row["prompt"] == expected


def test_line_breaks_stay_in_texts_and_leave_prompts(install: Install, tmp_path: Path) -> None:
    root = install({"test": [("a", "one\vtwo\u2028three\x85", "0.5")]})
    build_repo(settings("aeb", "tiny"), tmp_path / "out", root=root)
    row = pq.read_table(tmp_path / "out" / "data" / "V-reg").to_pylist()[0]
    assert row["text"] == "one\vtwo\u2028three\x85"
    assert " Tweet: one two three . Intensity Score: " in row["prompt"]


def test_same_bytes_every_time_on_one_core_and_two(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "emollms", "build", "aaid", "--corpora", "sample", "--out"]
    cores = os.sched_getaffinity(0)
    for name, allowed in (("one", {min(cores)}), ("two", cores)):
        os.sched_setaffinity(0, allowed)  # the child inherits it
        subprocess.run([*command, str(tmp_path / name)], check=True)
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_manifest_lists_every_file_as_it_is(tmp_path: Path) -> None:
    build_repo(settings("aeb", "sample"), tmp_path / "out")
    found = tree(tmp_path / "out")
    for name in ("manifest.json", "README.md"):
        found.pop(name)
    assert {file.path: file.sha256 for file in read_manifest(tmp_path / "out").files} == found


def test_croissant_is_valid_and_reads_the_rows(tmp_path: Path) -> None:
    import mlcroissant

    out = tmp_path / "out"
    build_repo(settings("aeb", "sample"), out, validate=False)
    dataset = mlcroissant.Dataset(jsonld=str(out / "croissant.json"))
    assert not dataset.metadata.ctx.issues.errors
    records = list(dataset.records("TDT/test"))
    texts = pq.read_table(out / "data" / "TDT")["text"].to_pylist()
    assert [record["TDT/test/text"].decode() for record in records] == texts


class TestVersions:
    def test_same_version_again_changes_nothing(self, install: Install, tmp_path: Path) -> None:
        root, out = install(ROWS), tmp_path / "out"
        build_repo(settings("aaid", "tiny"), out, root=root)
        before = tree(out)
        assert not build_repo(settings("aaid", "tiny"), out, root=root).changed
        assert tree(out) == before

    def test_other_content_under_the_same_version_is_refused(self, install: Install, tmp_path: Path) -> None:
        out = tmp_path / "out"
        build_repo(settings("aaid", "tiny"), out, root=install(ROWS))
        before = tree(out)
        other = install(ROWS | {"train": [("a", "I love this", "0.8")]})
        with pytest.raises(EmollmsError, match=r"holds version 1\.0\.0 with other content"):
            build_repo(settings("aaid", "tiny"), out, root=other)
        assert tree(out) == before

    def test_a_new_version_names_the_one_before(self, install: Install, tmp_path: Path) -> None:
        out = tmp_path / "out"
        first = build_repo(settings("aaid", "tiny"), out, root=install(ROWS)).manifest
        other = install(ROWS | {"train": [("a", "I love this", "0.8")]})
        second = build_repo(settings("aaid", "tiny"), out, version="2.0.0", root=other).manifest
        kept = {"version", "content_hash", "settings", "counts", "made_with"}
        assert second.supersedes.model_dump() == first.model_dump(include=kept)
        assert read_manifest(out).version == "2.0.0"

    def test_older_version_and_other_data_set_are_refused(self, install: Install, tmp_path: Path) -> None:
        root, out = install(ROWS), tmp_path / "out"
        build_repo(settings("aaid", "tiny"), out, version="1.1.0", root=root)
        with pytest.raises(UsageError, match=r"holds version 1\.1\.0; 1\.0\.9 is older"):
            build_repo(settings("aaid", "tiny"), out, version="1.0.9", root=root)
        with pytest.raises(UsageError, match="holds aaid, not aeb"):
            build_repo(settings("aeb", "tiny"), out, root=root)
        with pytest.raises(UsageError, match=r"'1\.0' is no version"):
            build_repo(settings("aeb", "tiny"), tmp_path / "new", version="1.0", root=root)

    def test_a_folder_of_something_else_is_left_alone(self, tmp_path: Path) -> None:
        (tmp_path / "thesis.txt").write_text("years of work")
        with pytest.raises(UsageError, match="holds no data set of ours"):
            build_repo(settings("aeb", "sample"), tmp_path)
        assert (tmp_path / "thesis.txt").read_text() == "years of work"


BROKEN = {
    "score out of range": (("x", "a text", "1.5"), "goes from 0 to 1, and this is outside: '1.5'"),
    "score that is none": (("x", "a text", "high"), "score is not a number: 'high'"),
    "infinite score": (("x", "a text", "inf"), "outside: 'inf'"),
    "score that is not a number": (("x", "a text", "nan"), "outside: 'nan'"),
    "empty text": (("x", " ", "0.5"), "the text is empty: 'x'"),
    "empty id": (("", "a text", "0.5"), "the id is empty: 'a text'"),
    "id twice": (("a", "a text", "0.5"), "the id stands twice in V-reg: 'a'"),
    "too few columns": (("x", "a text"), "2 columns instead of 3: 'x\\ta text'"),
}


@pytest.mark.parametrize(("row", "problem"), BROKEN.values(), ids=BROKEN)
def test_broken_rows_stop_the_build_or_are_quarantined(
    row: tuple[str, ...], problem: str, install: Install, tmp_path: Path
) -> None:
    root = install({"train": [ROWS["train"][0], row, ROWS["train"][1]]})
    with pytest.raises(SourceError) as caught:
        build_repo(settings("aaid", "tiny"), tmp_path / "out", root=root)
    assert str(caught.value).startswith("tiny/train.tsv:3: ")
    assert problem in str(caught.value)
    assert "--quarantine" in str(caught.value)
    assert not (tmp_path / "out").exists()
    manifest = build_repo(settings("aaid", "tiny", quarantine=True), tmp_path / "out", root=root).manifest
    rejected = pq.read_table(tmp_path / "out" / "rejected.parquet").to_pylist()
    assert [(row["file"], row["line"]) for row in rejected] == [("tiny/train.tsv", 3)]
    assert sum(manifest.sources[0].left_out.values()) == 1
    assert pq.read_table(tmp_path / "out" / "data" / "V-reg").num_rows == 20


def test_a_changed_file_is_refused(install: Install, tmp_path: Path) -> None:
    root = install(ROWS)
    with (root / "tiny" / "train.tsv").open("a") as file:
        file.write("e\tOne more\t0.3\n")
    with pytest.raises(SourceError, match=r"tiny/train.tsv: SHA-256 is not [0-9a-f]{64}: .*emollms corpora pin tiny"):
        build_repo(settings("aaid", "tiny"), tmp_path / "out", root=root)
    manifest = build_repo(settings("aaid", "tiny", quarantine=True), tmp_path / "out", root=root).manifest
    assert manifest.sources[0].defects == {
        "file differs from the pinned one": 1,
        "file has other rows than the pinned one": 1,
    }


@pytest.mark.parametrize("moment", ["read", "screen", "write_rows", "describe", "commit"])
def test_a_kill_leaves_nothing_that_looks_finished(moment: str, tmp_path: Path) -> None:
    """The process kills itself with SIGKILL as it comes to a part of the build; the next run succeeds."""
    script = f"""
import os, signal, sys
from emollms.dataset import build
from emollms.dataset import pipeline
def die(*args, **kwargs): os.kill(os.getpid(), signal.SIGKILL)
setattr(build if {moment!r} == "commit" else pipeline.Pipeline, {moment!r}, die)
sys.argv = ["emollms", "build", "aeb", "--corpora", "sample", "--out", {str(tmp_path / "out")!r}]
from emollms.cli import main
main()
"""
    killed = subprocess.run([sys.executable, "-c", script], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "out").exists()
    build_repo(settings("aeb", "sample"), tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_kill_while_a_version_is_replaced_keeps_one_of_them(install: Install, tmp_path: Path) -> None:
    root, out = install(ROWS), tmp_path / "out"
    build_repo(settings("aaid", "tiny"), out, root=root)
    before = tree(out)
    out.rename(tmp_path / ".out.replaced")  # where a kill between the two renames leaves it
    assert not build_repo(settings("aaid", "tiny"), out, root=root).changed
    assert tree(out) == before


def test_two_builds_of_the_same_thing_do_not_mix(tmp_path: Path) -> None:
    from emollms.storage import draft

    with (
        draft(tmp_path / "out"),
        pytest.raises(UsageError, match="another run is writing"),
        draft(tmp_path / "out"),
    ):
        pass


def peak_of_a_build(folder: Path, rows: int) -> int:
    """Peak resident memory, in KiB, of a process that builds `rows` made-up texts."""
    script = f"""
import random, resource
from pathlib import Path
from tiny_corpus import settings, write_corpus
from emollms.dataset.build import build_repo
draw, letters = random.Random(0), "abcdefghijklmnopqrstuvwxyz"
words = ["".join(draw.choices(letters, k=draw.randint(2, 9))) for _ in range(5_000)]
texts = [" ".join(draw.choices(words, k=15)) for _ in range({rows})]
root = write_corpus(Path({str(folder)!r}), {{"train": [(str(n), text, "0.5") for n, text in enumerate(texts)]}})
build_repo(settings("aaid", "tiny"), root / "out", root=root)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment)
    return int(done.stdout.split()[-1])


@pytest.mark.slow
def test_memory_is_flat_in_the_number_of_rows(tmp_path: Path) -> None:
    assert peak_of_a_build(tmp_path / "large", 30_000) <= 1.3 * peak_of_a_build(tmp_path / "small", 3_000)


def test_statistics_tell_what_is_there(tmp_path: Path) -> None:
    build_repo(settings("aaid", "sample"), tmp_path / "out", validate=False)
    statistics = json.loads((tmp_path / "out" / "statistics.json").read_text())
    rows = pq.read_table(tmp_path / "out" / "data" / "EI-reg" / "train-00000.parquet").to_pylist()
    anger = [row["score"] for row in rows if row["emotion"] == "anger" and row["wording"] == 0]
    found = statistics["EI-reg/train"]
    assert found["emotion"]["anger"] == len(anger)
    assert found["score"]["anger"]["mean"] == pytest.approx(sum(anger) / len(anger), abs=1e-4)
    assert sum(found["score"]["anger"]["histogram"]) == len(anger)
    assert found["longest_prompt"] == max(len(row["prompt"]) for row in rows)


def test_masking_counts_and_hides_and_leaves_scores_alone(install: Install, tmp_path: Path) -> None:
    text = "@anna wrote to me at anna@example.org, and @ben and @anna laughed: https://t.example/x"
    rows = [("a", text, "0.5"), ("b", "nothing to hide", "0.1"), ("c", f"{text}!", "0.5"), ("d", "@anna is off", "9")]
    root = install({"test": rows})
    plain = build_repo(settings("aeb", "tiny", quarantine=True), tmp_path / "plain", root=root).manifest
    masked = build_repo(settings("aeb", "tiny", mask=True, quarantine=True), tmp_path / "masked", root=root).manifest
    assert plain.sensitive == masked.sensitive
    assert plain.sensitive["user"].model_dump() == {"texts": 2, "finds": 6}
    before, after = (pq.read_table(tmp_path / name / "data" / "V-reg").to_pylist() for name in ("plain", "masked"))
    assert before[0]["text"] == text
    assert "anna" not in after[0]["text"] + after[0]["prompt"]
    assert after[0]["text"].count("@user1") == 2
    assert after[0]["text"].count("@user2") == 1
    assert after[1]["text"] == "nothing to hide"
    assert [row["score"] for row in before] == [row["score"] for row in after]
    for path in (tmp_path / "masked").rglob("*.parquet"):
        assert "anna" not in str(pq.read_table(path).to_pylist())


@pytest.mark.gate
def test_texts_that_masking_makes_equal_stay_and_are_flagged(install: Install, tmp_path: Path) -> None:
    text = "Watch this lovely broadcast about our garden by @{}"
    root = install({"test": [("a", text.format("anna"), "0.5"), ("b", text.format("ben"), "0.5"), ("c", "No", "0.1")]})
    build_repo(settings("aeb", "tiny", mask=True), tmp_path / "out", root=root)
    rows = pq.read_table(tmp_path / "out" / "data" / "V-reg").to_pylist()
    assert [row["text"] for row in rows] == [text.format("user1"), text.format("user1"), "No"]
    assert [row["cluster"] for row in rows] == [rows[0]["cluster"], rows[0]["cluster"], None]
    assert rows[0]["cluster"]


def test_settings_that_fit_no_text_are_told(install: Install, tmp_path: Path) -> None:
    root = install({"train": [("a", "So it goes", "0.5")]})
    told = r"^nothing to build: tiny: no text for aeb \(splits test; languages en\); see `emollms corpora`$"
    with pytest.raises(EmollmsError, match=told):
        build_repo(settings("aeb", "tiny"), tmp_path / "out", root=root)
    assert not (tmp_path / "out").exists()


@pytest.mark.gate
def test_data_that_falls_short_is_kept_aside_and_never_in_place(install: Install, tmp_path: Path) -> None:
    root = install({"test": [("a", "So it goes &lt;3", "0.5"), ("b", "Another day", "0.1")]})
    with pytest.raises(EmollmsError, match=rf"html.*1.*the draft is in {tmp_path / 'out.failed'}"):
        build_repo(settings("aeb", "tiny"), tmp_path / "out", root=root)
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "out.failed" / "manifest.json").exists()
    assert (tmp_path / "out.failed" / "data" / "V-reg" / "test-00000.parquet").is_file()
