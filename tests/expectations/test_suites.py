"""The suites as data: each loads, knows its expectations, and agrees with the committed statistics and the corpora."""

import json
from collections.abc import Callable, Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path

import pytest

from emollms.corpora.registry import corpora, get_corpus, is_here
from emollms.dataset.schema import row_schema
from emollms.dataset.specs import DATA_SETS, CorpusPart, Settings
from emollms.dataset.validation import CorpusTables, check_tables, statistics_json, statistics_of
from emollms.errors import EmollmsError
from emollms.expectations import suites as gate_suites
from emollms.expectations.suites import Case, Expectation, load_suite, suite_names

STATISTICS = files("emollms.validation") / "statistics"
Figures = dict[str, dict[str, object]]


@cache
def statistics(corpus: str) -> Figures:
    return json.loads((STATISTICS / f"{corpus}.json").read_text(encoding="utf-8"))["parts"]


def test_every_data_set_and_corpus_has_a_suite_and_statistics() -> None:
    own = [name for name, corpus in corpora().items() if corpus.__module__.startswith("emollms.builders.")]
    assert set(suite_names()) == {*DATA_SETS, *(f"corpora/{name}" for name in own)}
    assert {path.name for path in STATISTICS.iterdir()} == {f"{name}.json" for name in own}


@pytest.mark.parametrize("name", suite_names())
def test_a_suite_asks_for_what_there_is(name: str) -> None:
    from great_expectations.expectations.registry import get_expectation_impl

    from emollms.expectations.engine import _context

    _context()
    seen: set[tuple[str, str]] = set()
    for expectation in load_suite(name).expectations:
        assert get_expectation_impl(expectation.type)
        for profile in expectation.profiles:
            assert (expectation.name, profile) not in seen
            seen.add((expectation.name, profile))


def test_the_columns_are_those_of_the_schema() -> None:
    columns = {one.profiles: one.kwargs["columns"] for one in load_suite("rows").expectations if one.name == "columns"}
    for profile in ("release", "paper"):
        schema = row_schema(profile)
        types = {field.name: str(field.type).replace("element: ", "").replace("item: ", "") for field in schema}
        assert columns[(profile,)] == types


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("about: x\nexpectations: []\nextra: 1", "extra: Extra inputs are not permitted"),
        ("about: x\nexpectations: [{name: a, holds: b, type: expect_x, tabel: rows}]", "expectations.0.tabel: Extra"),
        ("about: x\nexpectations: [{name: A b, holds: b, type: expect_x}]", "expectations.0.name: String should match"),
        ("about: x\nexpectations: [{name: a, holds: b, type: to_be}]", "expectations.0.type: String should match"),
        ("about: x\nexpectations: [{name: a\n", r"odd\.yaml:3: no YAML in UTF-8 \(expected ',' or '}'"),
        ("about: x\n\tb: y", r"odd\.yaml:2: no YAML in UTF-8 \(found character"),
        ("", "Input should be a valid dictionary"),
    ],
)
def test_unknown_keys_are_refused(text: str, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "odd.yaml").write_text(text)
    monkeypatch.setattr(gate_suites, "_folder", lambda: tmp_path)
    load_suite.cache_clear()
    with pytest.raises(EmollmsError, match=problem):
        load_suite("odd")


def cases(suite: str) -> Iterator[tuple[Expectation, Case]]:
    return ((one, case) for one in load_suite(suite).expectations for case in one.cases)


def figures_of(suite: str, case: Case) -> list[dict[str, object]]:
    """The committed figures of a task and split: what a data set takes of its corpora, or all of a corpus."""
    own = suite.removeprefix("corpora/")
    if own not in DATA_SETS:
        return [found for key, found in statistics(own).items() if key.startswith(f"{case.task}/{case.split}/")]
    settings = Settings(DATA_SETS[own])
    return [
        figures
        for corpus in settings.sources()
        for part in settings.parts(corpus)
        for key, figures in statistics(corpus.meta.name).items()
        if taken(part, case, *key.split("/"))
    ]


def taken(part: CorpusPart, case: Case, task: str, split: str, language: str) -> bool:
    """Whether figures are of a case, and a data set takes their rows."""
    selection = part.selection
    is_case = (task, part.split or split) == (case.task, case.split)
    is_spoken = selection.languages is None or language in selection.languages
    return is_case and task in selection.tasks and split in selection.splits and is_spoken


def observed(expectation: Expectation, figures: list[dict[str, object]]) -> dict[str, float]:
    """What the committed figures say about the value that an expectation bounds."""
    texts = sum(part["texts"] for part in figures)
    if expectation.type.startswith("expect_table_row_count"):
        return {"": texts}
    if expectation.type == "expect_column_value_shares_to_be_between":
        of = "classes" if expectation.kwargs["column"] == "class" else "labels"
        values = dict.fromkeys(value for part in figures for value in part[of])
        return {value: sum(part[of].get(value, 0) for part in figures) / texts for value in values}
    mean = sum(part["score"]["mean"] * part["texts"] for part in figures) / texts
    if expectation.type == "expect_column_mean_to_be_between":
        return {"": mean}
    squares = sum((part["score"]["deviation"] ** 2 + part["score"]["mean"] ** 2) * part["texts"] for part in figures)
    return {"": (squares / texts - mean**2) ** 0.5}


@pytest.mark.parametrize("suite", suite_names())
def test_bounds_agree_with_the_committed_statistics(suite: str) -> None:
    found = list(cases(suite))
    assert found
    for expectation, case in found:
        values = observed(expectation, figures_of(suite, case))
        bounds = case.kwargs.get("shares") or {"": (case.kwargs["min_value"], case.kwargs["max_value"])}
        assert set(bounds) == set(values), (expectation.name, case)
        for value, (low, high) in bounds.items():
            assert low - 1e-9 <= values[value] <= high + 1e-9, (expectation.name, case.task, case.split, value)


def test_known_issues_name_what_there_is() -> None:
    for suite in map(load_suite, suite_names()):
        seen = set()
        for issue in suite.known_issues:
            assert issue.expectation in {one.name for one in suite.expectations if issue.profile in one.profiles}
            assert (issue.profile, issue.expectation) not in seen
            seen.add((issue.profile, issue.expectation))


def assert_corpus_is_as_committed(tables: CorpusTables) -> None:
    """Statistics, suite and known issues of a corpus, from one reading of it."""
    name = tables.corpus.meta.name
    assert statistics_json(statistics_of(tables)) == (STATISTICS / f"{name}.json").read_text(encoding="utf-8")
    report = check_tables(name, tables)
    assert not report.failures
    failing = {check.name: check.failed for check in report.checks if check.status == "known"}
    assert failing == {one.expectation: one.count for one in load_suite(f"corpora/{name}").known_issues}


def test_the_sample_is_as_committed() -> None:
    assert_corpus_is_as_committed(CorpusTables(get_corpus("sample")))


@pytest.mark.corpora
@pytest.mark.parametrize("name", [name for name, corpus in corpora().items() if not corpus.meta.bundled])
def test_a_corpus_is_as_committed(name: str, corpora_dir: Path) -> None:
    if not is_here(get_corpus(name), corpora_dir):
        pytest.skip(f"{name} is not on this machine")
    assert_corpus_is_as_committed(CorpusTables(get_corpus(name), corpora_dir))


@pytest.mark.corpora
@pytest.mark.parametrize(
    ("name", "profile"),
    [
        (name, profile)
        for name, one in DATA_SETS.items()
        for profile in ("paper", "release")
        if one.published or profile == "release"
    ],
)
def test_the_real_data_sets_fail_as_known_and_no_more(name: str, profile: str, real_repo: Callable[..., Path]) -> None:
    from emollms.dataset.validation import check

    report = check(real_repo(name, profile))
    assert not report.failures
    failing = {one.name: one.failed for one in report.checks if one.status == "known"}
    assert failing == {one.expectation: one.count for one in load_suite(name).known_issues if one.profile == profile}


@pytest.mark.corpora
@pytest.mark.parametrize(
    ("name", "chosen"),
    [
        ("aaid", {"mask": True}),
        pytest.param("aaid", {"tasks": ("E-c",), "languages": ("all",)}, marks=pytest.mark.slow),
        pytest.param("aaid-plus", {"tasks": ("BRIGHTER-EI-oc",), "languages": ("all",)}, marks=pytest.mark.slow),
        pytest.param("aeb", {"corpora": ("brighter",)}, marks=pytest.mark.slow),
        ("aeb", {"tasks": ("GoEmotions-28", "EmoBank-reader")}),
        pytest.param("aeb", {"tasks": ("GoEmotions",), "profile": "paper"}, marks=pytest.mark.slow),
    ],
)
def test_parts_and_forms_of_the_real_data_sets_pass(
    name: str, chosen: dict[str, object], corpora_dir: Path, tmp_path: Path
) -> None:
    from emollms.dataset.build import build_repo
    from emollms.dataset.specs import Settings

    done = build_repo(Settings(DATA_SETS[name], **chosen), tmp_path / name, root=corpora_dir)
    assert sum(count.rows for count in done.manifest.counts) > 1000
