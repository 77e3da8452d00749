"""Files that GitHub, pre-commit and citation tools read: they name what there is, and agree with pyproject.toml."""

import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from test_imports import ORDER

import emollms

ROOT = Path(__file__).parents[1]
GITHUB = ROOT / ".github"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
PROGRAMS = ("pip", "python", "grep", "empty/bin/pip", "empty/bin/emollms")
"""What a workflow may call besides files of the repository; the last two are those of the environment that it makes."""


def read(path: Path) -> dict[Any, Any]:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(content, dict), path
    return content


WORKFLOWS = {path.name: read(path) for path in (GITHUB / "workflows").glob("*.yml")}


def steps(name: str) -> Iterator[dict[str, Any]]:
    for job in WORKFLOWS[name]["jobs"].values():
        yield from job["steps"]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_runs_what_there_is(name: str) -> None:
    workflow = WORKFLOWS[name]
    assert workflow[True], "YAML 1.1 reads `on` as a boolean"
    assert workflow["permissions"] == {"contents": "read"}, "more is asked for by the job that needs it"
    for step in steps(name):
        assert ("run" in step) != ("uses" in step)
        assert re.fullmatch(r"[\w.-]+/[\w.-]+@(v\d+|release/v\d+)", step.get("uses", "a/b@v1"))
        for line in step.get("run", "").splitlines():
            program = line.split()[0]
            assert program in PROGRAMS or os.access(ROOT / program, os.X_OK), line


def test_every_python_that_pyproject_names_is_checked() -> None:
    named = [one.rpartition(" ")[2] for one in PROJECT["classifiers"] if re.fullmatch(r".*Python :: 3\.\d+", one)]
    (job,) = WORKFLOWS["checks.yml"]["jobs"].values()
    assert job["strategy"]["matrix"]["python"] == named
    assert all(version in SpecifierSet(PROJECT["requires-python"]) for version in named)
    assert ".ci/run --without-corpora" in [step.get("run") for step in steps("checks.yml")]
    says = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert f"{named[0]} to {named[-1]}" in says


def test_publishing_is_trusted() -> None:
    """PyPI knows workflow and environment; there is no password, and only the job that publishes has an identity."""
    jobs = WORKFLOWS["release.yml"]["jobs"]
    assert jobs["publish"]["permissions"] == {"id-token": "write"}
    assert "permissions" not in jobs["build"]
    assert "secrets." not in (GITHUB / "workflows" / "release.yml").read_text(encoding="utf-8")
    says = (ROOT / "RELEASING.md").read_text(encoding="utf-8")
    assert f"workflow `release.yml`, environment `{jobs['publish']['environment']}`" in says


@pytest.mark.parametrize(("tag", "code"), [(f"v{emollms.__version__}", 0), ("v9.9.9", 1), ("v0.1", 1)])
def test_a_tag_that_is_not_the_version_is_not_released(tag: str, code: int) -> None:
    (command,) = [step["run"] for step in steps("release.yml") if "GITHUB_REF_NAME" in step.get("run", "")]
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, env={**os.environ, "GITHUB_REF_NAME": tag}, check=False)
    assert done.returncode == code


class TestCiRun:
    """`.ci/run` in a folder of its own, with a `make` that tells how it was called."""

    @pytest.fixture
    def ci(self, tmp_path: Path) -> Path:
        (tmp_path / "project" / ".ci").mkdir(parents=True)
        shutil.copy(ROOT / ".ci" / "run", tmp_path / "project" / ".ci" / "run")
        (tmp_path / "bin").mkdir()
        told = '#!/bin/sh\necho "$@, corpora: ${EMOLLMS_CORPORA-not set}"\n'
        for name in ("make", "chromium", "redis-server"):
            (tmp_path / "bin" / name).write_text(told)
            (tmp_path / "bin" / name).chmod(0o755)
        return tmp_path

    def run(self, ci: Path, *options: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        outside = {name: value for name, value in os.environ.items() if name != "EMOLLMS_CORPORA"}
        outside["PATH"] = f"{ci / 'bin'}:{outside['PATH']}"
        command = [str(ci / "project" / ".ci" / "run"), *options]
        return subprocess.run(command, env={**outside, **environment}, capture_output=True, text=True, check=False)

    def test_without_corpora_nothing_is_run_by_mistake(self, ci: Path) -> None:
        done = self.run(ci)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.endswith("would skip; .ci/run --without-corpora lets them\n")

    def test_without_corpora_on_purpose(self, ci: Path) -> None:
        done = self.run(ci, "--without-corpora", EMOLLMS_CORPORA=str(ci))
        assert done.returncode == 0
        assert {line.partition(", corpora: ")[2] for line in done.stdout.splitlines()} == {"not set"}
        assert any(" test " in line for line in done.stdout.splitlines())

    def test_with_corpora(self, ci: Path) -> None:
        (ci / "corpora" / "semeval2018_task1").mkdir(parents=True)
        done = self.run(ci, EMOLLMS_CORPORA=str(ci / "corpora"))
        assert {line.partition(", corpora: ")[2] for line in done.stdout.splitlines()} == {str(ci / "corpora")}

    def test_an_option_that_it_does_not_have(self, ci: Path) -> None:
        done = self.run(ci, "--without-corpus")
        assert (done.returncode, done.stderr) == (2, "usage: .ci/run [--without-corpora]\n")

    def test_it_asks_for_targets_that_the_makefile_has(self, ci: Path) -> None:
        made = self.run(ci, "--without-corpora").stdout.splitlines()
        targets = {
            word
            for line in made
            for word in line.partition(", corpora")[0].split()
            if re.fullmatch(r"[a-z]+", word) and word not in ("worksteal",)
        }
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        assert targets <= set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))


def test_the_version_is_the_same_everywhere() -> None:
    assert CITATION["version"] == PROJECT["version"] == emollms.__version__
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"\n## {PROJECT['version']}\n" in changelog


def test_the_citation_is_that_of_the_cards() -> None:
    bibtex = (ROOT / "cards" / "parts" / "citation.md.j2").read_text(encoding="utf-8")
    paper = CITATION["preferred-citation"]
    assert paper["title"] in bibtex.replace("{{EmoLLMs}", "EmoLLMs")
    names = [f"{one['family-names']}, {one['given-names']}" for one in paper["authors"]]
    assert f"author = {{{' and '.join(names)}}}" in bibtex
    assert f"booktitle = {{{paper['collection-title']}}}" in bibtex
    assert f"year = {{{paper['year']}}}" in bibtex
    assert paper["url"] == PROJECT["urls"]["Paper"]
    assert CITATION["license"] == PROJECT["license"]
    assert CITATION["keywords"] == PROJECT["keywords"]


FORMS = sorted(path for path in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")
KEYS = {
    "input": {"label", "description", "placeholder"},
    "textarea": {"label", "description", "render"},
    "dropdown": {"label", "description", "options"},
}
"""What GitHub's form schema allows, of what is used here."""


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_is_one_that_github_shows(path: Path) -> None:
    """GitHub drops a form with an unknown key, a missing label, or one id twice, without a word."""
    form = read(path)
    assert form.keys() == {"name", "description", "labels", "body"}
    ids = [field["id"] for field in form["body"]]
    assert len(set(ids)) == len(ids)
    for field in form["body"]:
        assert field.keys() <= {"type", "id", "attributes", "validations"}
        assert field["attributes"].get("label")
        assert field["attributes"].keys() <= KEYS[field["type"]]
        assert all(isinstance(option, str) for option in field["attributes"].get("options", []))
        assert field.get("validations", {"required": True}) == {"required": True}
    assert any(field.get("validations") for field in form["body"])


def test_the_names_of_forms_differ() -> None:
    names = [read(path)["name"] for path in FORMS]
    assert len(set(names)) == len(names) >= 3


def test_hooks_are_those_of_the_checks() -> None:
    hooks = {
        hook["id"]: (repo, hook) for repo in read(ROOT / ".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]
    }
    (ruff,) = (one for one in PROJECT["optional-dependencies"]["dev"] if one.startswith("ruff"))
    assert hooks["ruff-check"][0]["rev"].removeprefix("v") in Requirement(ruff).specifier
    assert hooks["ruff-format"][0] is hooks["ruff-check"][0]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for repo, hook in hooks.values():
        if repo["repo"] == "local":
            assert hook["entry"].replace(".venv/bin", "$(BIN)") in makefile


PATHS = re.compile(r"`((?:src|builders|recipes|cards|validation)/[^`<]*)`")


def test_the_map_leads_somewhere() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    _, _, after = page.partition("Where would I change …")
    table = after.partition("\n\nWhat people import")[0]
    questions = [line for line in table.splitlines() if line.startswith("| ") and "?" in line]
    assert len(questions) >= 10
    for line in questions:
        paths = PATHS.findall(line)
        assert paths, line
        assert [path for path in paths if not list(ROOT.glob(re.sub(r"\b[A-Z]{4,}\b", "*", path)))] == []


def test_the_map_has_every_room_in_order() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = page.partition("| room | what it does |")[2].partition("\n\n")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert [name.rstrip("/") for cell in cells for name in re.findall(r"`([a-z0-9_]+/?)`", cell)] == list(ORDER)


@pytest.mark.parametrize("name", ["SECURITY.md", "RELEASING.md"])
def test_files_that_a_page_names_are_there(name: str) -> None:
    page = (ROOT / name).read_text(encoding="utf-8")
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", page) if not link.startswith("http")]
    named = re.findall(r"`((?:tests|src)/[\w/]+\.py|[a-z-]+\.yml|[A-Z]+\.(?:md|cff))`", page)
    workflows = {path.name for path in (GITHUB / "workflows").iterdir()}
    assert [one for one in (*links, *named) if one and one not in workflows and not (ROOT / one).exists()] == []
