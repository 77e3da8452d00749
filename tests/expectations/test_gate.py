"""The gate on data sets: what is sound passes, damage fails with its rows, known failures are told apart."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from expectations.gate_corpus import Row, edit, rewrite
from tiny_corpus import settings

from emollms.dataset.build import build_repo
from emollms.dataset.manifest import read_manifest
from emollms.dataset.validation import check, enforce
from emollms.errors import EmollmsError, UsageError
from emollms.expectations import runner as module
from emollms.expectations.frames import FolderTables
from emollms.expectations.report import GateFailed, GateReport, Subject
from emollms.expectations.runner import plan
from emollms.expectations.suites import KnownIssue, load_suite

TRAIN = "data/V-reg/train-00000.parquet"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gate")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("EMOLLMS_CORPORA", raising=False)  # AAID+ would read the tests of every corpus that is here
        for name, chosen in (("aaid", {"tasks": ("V-reg",)}), ("aaid-plus", {"tasks": ("V-reg",)}), ("aeb", {})):
            build_repo(settings(name, "sample", **chosen), folder / name, validate=False)
    return folder


@pytest.fixture
def aaid(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built / "aaid", tmp_path / "aaid"))


def failures(report: GateReport) -> dict[str, int]:
    return {f"{check.name} {check.scope}": check.failed for check in report.failures}


@pytest.mark.parametrize("name", ["aaid", "aaid-plus", "aeb"])
def test_the_sample_passes(name: str, built: Path) -> None:
    report = check(built / name)
    assert report.success
    assert report.count("passed") > 20
    texts = next(check for check in report.checks if check.name == "texts-not-empty")
    manifest = read_manifest(built / name)
    assert texts.checked == sum(count.read - sum(count.dropped.values()) for count in manifest.counts)
    prompts = next(check for check in report.checks if check.name == "prompts-there")
    assert prompts.checked == sum(count.rows for count in manifest.counts)


def test_what_does_not_apply_is_told_with_the_reason(built: Path) -> None:
    notes = {check.name: check.note for check in check(built / "aaid").checks if check.status == "not applicable"}
    assert notes["split-sizes"] == "the settings choose other corpora, tasks or languages"
    assert notes["no-benchmark-text"] == "no benchmark was given to compare with"
    assert len(notes) == len(set(notes))


DAMAGE = {
    "id twice": (lambda rows: [*rows[:-1], rows[-1] | {"id": rows[0]["id"]}], {"ids-unique all": 2}),
    "row gone": (lambda rows: rows[:-1], {"rows-as-counted V-reg/train": 1}),
    "empty text": (edit(0, text=" \t"), {"texts-not-empty all": 1}),
    "no text": (edit(0, text=None), {"texts-there all": 1}),
    "no prompt": (edit(3, prompt=None), {"prompts-there all": 1}),
    "line break in a prompt": (edit(3, prompt="one\u2028two"), {"prompts-on-one-line all": 1}),
    "long prompt": (edit(3, prompt="long " * 2_000), {"prompts-bounded all": 1}),
    "score off the scale": (
        edit(0, score=1.5, completion="1.500"),
        {"scores-in-range all": 1, "gold-labels-known all": 1, "answers-read-back all": 1},
    ),
    "another answer": (edit(0, completion="0.123"), {"answers-read-back all": 1}),
    "other task": (edit(0, task="E-c"), {"tasks-in-place V-reg/train": 1, "answers-read-back all": 1}),
    "undeclared language": (edit(0, language="de"), {"languages-declared all": 1}),
    "undeclared corpus": (edit(0, corpus="tdt"), {"corpora-declared all": 1}),
    "mojibake": (edit(0, text="it was cafÃ© time"), {"no-mojibake all": 1}),
    "html entity": (edit(0, text="you &amp; me"), {"no-html-entities all": 1}),
    "wording": (edit(1, wording=12), {"wordings-in-range all": 1}),
}


@pytest.mark.parametrize(("change", "expected"), DAMAGE.values(), ids=DAMAGE)
def test_damage_fails(change: Callable[[list[Row]], list[Row]], expected: dict[str, int], aaid: Path) -> None:
    rewrite(aaid / TRAIN, change)
    found = failures(check(aaid))
    assert found == expected


def test_the_rows_that_fail_are_named(aaid: Path) -> None:
    rewrite(aaid / TRAIN, edit(10, text="you &amp; me"))
    with pytest.raises(GateFailed) as caught:
        enforce(aaid, read_manifest(aaid))
    message = str(caught.value)
    assert message.startswith("aaid fails its suite: no-html-entities: 1 of ")
    assert message.endswith("/-/0: 'you &amp; me')")
    assert "\n" not in message
    assert caught.value.exit_code == 1


def test_text_of_train_in_validation(aaid: Path) -> None:
    rewrite(
        aaid / TRAIN,
        lambda rows: [row | {"text": "Word for word the SAME thing!"} if n < 10 else row for n, row in enumerate(rows)],
    )
    rewrite(aaid / "data/V-reg/validation-00000.parquet", edit(0, text="word for word the same thing"))
    assert failures(check(aaid)) == {"no-training-text-in-test all": 1}


def test_text_of_the_benchmark(aaid: Path, built: Path, tmp_path: Path) -> None:
    benchmark = Path(shutil.copytree(built / "aeb", tmp_path / "aeb"))
    assert check(aaid, benchmark=benchmark).success
    rewrite(aaid / TRAIN, edit(0, text="@you Nobody ever said THIS before #really"))
    rewrite(benchmark / "data/TDT/test-00000.parquet", edit(0, text="nobody ever said this before, really"))
    assert failures(check(aaid, benchmark=benchmark)) == {"no-benchmark-text all": 1}


def test_a_file_that_is_gone_is_missed(aaid: Path) -> None:
    (aaid / TRAIN).unlink()
    assert set(failures(check(aaid))) == {"rows-as-counted V-reg/train", "texts-as-counted V-reg/train"}


def test_other_columns_stop_the_check(aaid: Path) -> None:
    import pyarrow.parquet as pq

    table = pq.read_table(aaid / TRAIN)
    pq.write_table(table.drop_columns(["prompt"]), aaid / TRAIN)
    report = check(aaid)
    assert [(check.scope, check.observed) for check in report.failures] == [(TRAIN, "prompt is missing")]
    assert {check.name for check in report.checks} == {"columns"}


def test_a_draft_is_checked_with_the_manifest_to_come(aaid: Path) -> None:
    manifest = read_manifest(aaid)
    (aaid / "manifest.json").unlink()
    assert enforce(aaid, manifest).success
    with pytest.raises(UsageError, match=r"holds no finished data set: manifest\.json is missing"):
        check(aaid)


def test_wrong_suites_and_empty_folders_are_told(aaid: Path) -> None:
    manifest = read_manifest(aaid)
    with pytest.raises(UsageError, match="unknown suite 'aiid'; did you mean aaid"):
        check(aaid, manifest.model_copy(update={"data_set": "aiid"}))
    shutil.rmtree(aaid / "data")
    with pytest.raises(EmollmsError, match=r"holds no rows: data/TASK/SPLIT-00000\.parquet is missing"):
        check(aaid, manifest)


@pytest.mark.parametrize(("count", "status"), [(2, "known"), (1, "known"), (3, "failed")])
def test_known_failures_are_no_failures_until_they_grow(
    count: int, status: str, aaid: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = KnownIssue(expectation="no-html-entities", count=2, why="so it is")
    suite = load_suite("aaid").model_copy(update={"known_issues": (entry,)})
    monkeypatch.setattr(module, "load_suite", lambda name: suite)
    entities = lambda rows: [row | {"text": f"{n} &amp;"} if n < 10 * count else row for n, row in enumerate(rows)]  # noqa: E731
    rewrite(aaid / TRAIN, entities)
    tables = FolderTables(aaid, all_wordings=True)
    subject = Subject("aaid", "T", "1.0.0", "release", True, {"languages": ["en"], "corpora": ["sample"]}, {})
    found = {check.name: check for check in module.gate(subject, tables).checks}["no-html-entities"]
    assert (found.status, found.failed) == (status, count)
    assert found.note == ("so it is" if status == "known" else "")
    other = module.gate(replace(subject, standard=False), tables)
    assert {check.name: check.status for check in other.checks}["no-html-entities"] == "failed"


def test_unknown_facts_in_a_suite_are_told() -> None:
    suite = load_suite("aaid")
    wrong = suite.expectations[0].model_copy(update={"kwargs": {"column": "text", "value": "$nothing"}})
    subject = Subject("aaid", "T", "1.0.0", "release", True, {}, {})
    with pytest.raises(EmollmsError, match=r"asks for \$nothing, and the facts are rows, tasks, texts"):
        list(plan(suite.model_copy(update={"expectations": (wrong,)}), subject, [("V-reg", "train")]))


def test_nothing_goes_to_the_network_and_nothing_is_printed(built: Path) -> None:
    script = f"""
import socket
def refuse(*args, **kwargs): raise SystemExit(f"network: {{args}}")
for name in ("connect", "connect_ex", "sendto"): setattr(socket.socket, name, refuse)
socket.getaddrinfo = refuse
from pathlib import Path
from emollms.dataset.validation import check
assert check(Path({str(built / "aeb")!r})).success
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_importing_the_gate_does_not_import_great_expectations() -> None:
    slow = ("great_expectations", "scipy", "numba")
    script = f"import sys, emollms.dataset.validation; print([name for name in {slow} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
