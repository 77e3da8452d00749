"""Scores by language: each language by itself, and their mean, against values worked out by hand."""

import json
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from datasets import load_dataset

import emollms
from emollms.dataset.build import build_repo
from emollms.dataset.reader import Dataset, asked_rows
from emollms.dataset.specs import DATA_SETS, Settings
from emollms.errors import UsageError
from emollms.evaluation.comparison import compare
from emollms.evaluation.scores import Scores
from emollms.evaluation.scoring import ScoredTask, score
from emollms.prompts.answers import ParsedAnswer
from emollms.report.build import make_report
from emollms.tasks import get_task

NO_DISGUST = ("disgust",)


def labels(by: str = "en es") -> ScoredTask:
    """Two English rows, which do not ask for disgust, and a Spanish one."""
    gold = [("joy",), ("anger",), ("fear", "joy")]
    said = [("joy",), ("joy", "disgust"), ("joy",)]
    parsed = [ParsedAnswer(one, None) for one in said]
    languages = ["en", "en", "es"] if by else None
    unannotated = [NO_DISGUST, NO_DISGUST, ()]
    return score(get_task("BRIGHTER-E-c"), gold, parsed, unannotated=unannotated, languages=languages, resamples=20)


def test_macro_f1_of_a_language_is_over_the_emotions_that_it_annotated() -> None:
    """English: joy 2/3 of five emotions; Spanish: joy 1 of six (SemEval-2025 Task 11, track A)."""
    found = labels().metrics["macro_f1"]
    assert {code: one.value for code, one in found.languages.items()} == {
        "en": pytest.approx(2 / 3 / 5),
        "es": pytest.approx(1 / 6),
    }
    assert found.value == pytest.approx((2 / 3 / 5 + 1 / 6) / 2)
    assert {code: one.n for code, one in found.languages.items()} == {"en": 2, "es": 1}
    assert found.parts["joy"].value == pytest.approx((2 / 3 + 1) / 2)
    assert found.parts["disgust"].value == 0.0
    assert found.parts["disgust"].n == 1  # Spanish alone asked for it


def test_languages_pooled_are_another_figure() -> None:
    """Over all rows joy has F1 4/5 of six emotions; that is not what a benchmark of many languages reports."""
    pooled = labels(by="").metrics["macro_f1"]
    assert pooled.value == pytest.approx(0.8 / 6)
    assert pooled.languages == {}


def intensities(said: list[int]) -> ScoredTask:
    emotions = ["anger"] * 3 + ["joy"] * 3 + ["anger"] * 2
    gold = [0, 1, 2, 0, 1, 2, 0, 3]
    parsed = [ParsedAnswer(one, None) for one in said]
    languages = ["ha"] * 6 + ["af"] * 2
    return score(get_task("BRIGHTER-EI-oc"), gold, parsed, emotions, languages=languages, resamples=50)


def test_pearson_is_averaged_over_emotions_then_over_languages() -> None:
    """Hausa: anger (0, 1, 2) against (0, 2, 1) is .5, joy 1; Afrikaans: anger alone, -1 (track B)."""
    found = intensities([0, 2, 1, 0, 1, 2, 3, 0]).metrics["pearson"]
    assert {code: one.value for code, one in found.languages.items()} == {"af": pytest.approx(-1.0), "ha": 0.75}
    assert found.value == pytest.approx((0.75 - 1) / 2)
    assert {name: one.value for name, one in found.parts.items()} == {"anger": pytest.approx(-0.25), "joy": 1.0}
    assert found.n == 8


def test_models_are_compared_on_the_mean_of_languages() -> None:
    one, other = intensities([0, 2, 1, 0, 1, 2, 3, 0]), intensities([0, 1, 2, 0, 1, 2, 0, 3])
    seen = compare(other, one)
    assert (seen.a, seen.difference) == (pytest.approx(1.0), pytest.approx(1.125))


def test_an_undefined_language_counts_as_nothing() -> None:
    found = intensities([0, 2, 1, 0, 1, 2, 1, 1]).metrics["pearson"]
    assert found.languages["af"].low is None
    assert found.value == pytest.approx(0.375)


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """AEB-multilingual of the corpus that comes with the package."""
    out = tmp_path_factory.mktemp("multilingual") / "aebm"
    settings = Settings(DATA_SETS["aeb-multilingual"], corpora=("sample",), tasks=("V-reg", "E-c"))
    build_repo(settings, out, validate=False)
    return out


def test_every_language_is_a_config(benchmark: Path, tmp_path: Path) -> None:
    every = pq.read_table(benchmark / "data/V-reg").to_pylist() + pq.read_table(benchmark / "data/E-c").to_pylist()
    for code in ("ar", "en", "es"):
        found = load_dataset(str(benchmark), code, split="test", cache_dir=str(tmp_path))
        assert {row["id"] for row in found} == {row["id"] for row in every if row["language"] == code}
    whole = load_dataset(str(benchmark), "V-reg", split="test", cache_dir=str(tmp_path))
    assert set(whole["language"]) == {"ar", "en", "es"}
    card = (benchmark / "README.md").read_text()
    assert re.search(r"\| es \| Spanish \| +\d+ \| +\d+ \|", card)
    assert "data/E-c/test-ar-00000.parquet" in (benchmark / "croissant.json").read_text()


def test_all_languages_are_evaluated_each_by_itself(benchmark: Path, tmp_path: Path) -> None:
    scores = emollms.evaluate(benchmark, tmp_path / "all", baseline="vader", task="V-reg")
    assert scores.run.settings.language == "all"
    main = scores.tasks["V-reg"].main_metric
    assert set(main.languages) == {"ar", "en", "es"}
    assert main.value == pytest.approx(sum(one.value for one in main.languages.values()) / 3)
    for code, figure in main.languages.items():
        alone = emollms.evaluate(benchmark, tmp_path / code, baseline="vader", task="V-reg", language=code)
        assert alone.tasks["V-reg"].value == pytest.approx(figure.value)
        assert "languages" not in json.loads((tmp_path / code / "scores.json").read_text())["tasks"]["V-reg"]
    assert Scores.read(tmp_path / "all" / "scores.json") == scores
    assert re.search(r"^language +V-reg$\n^ar +[\d.–-]+$", str(scores), re.MULTILINE)
    frame = scores.to_pandas(by_language=True)
    assert frame["language"].tolist() == ["ar", "en", "es"]


def test_constants_are_those_of_each_language(benchmark: Path, tmp_path: Path) -> None:
    emollms.evaluate(benchmark, tmp_path / "mean", baseline="mean", task="V-reg")
    said = [json.loads(line) for line in (tmp_path / "mean" / "predictions.jsonl").read_text().splitlines()]
    rows = {row["id"]: row for row in Dataset(benchmark).rows("V-reg", "test")}
    by_language: dict[str, set[str]] = {}
    for one in said:
        by_language.setdefault(rows[one["id"]]["language"], set()).add(one["answer"])
    for code, answers in by_language.items():
        scores = [row["score"] for row in rows.values() if row["language"] == code]
        assert [float(one) for one in answers] == [pytest.approx(sum(scores) / len(scores), abs=6e-4)]


def test_a_sample_is_of_each_language(benchmark: Path) -> None:
    rows = Dataset(benchmark).rows("V-reg", "test")
    drawn = asked_rows(rows, "all", 2)
    assert sorted(row["language"] for row in drawn) == ["ar", "ar", "en", "en", "es", "es"]
    assert [row["id"] for row in drawn if row["language"] == "es"] == [row["id"] for row in asked_rows(rows, "es", 2)]


def test_a_language_that_is_not_there(benchmark: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"unknown language of the data set 'fr'"):
        emollms.evaluate(benchmark, tmp_path / "out", baseline="vader", language="fr")


def test_the_report_shows_languages(benchmark: Path, tmp_path: Path) -> None:
    for name, limit in (("vader", None), ("textblob", 3)):
        emollms.evaluate(benchmark, tmp_path / name, baseline=name, task="V-reg", limit=limit)
    folders = [tmp_path / "vader", tmp_path / "textblob"]
    made = make_report(folders, tmp_path / "report.html")
    (shown,) = made.languages
    assert [row.title for row in shown.languages] == ["Arabic", "English", "Spanish"]
    page = (tmp_path / "report.html").read_text()
    assert len(re.findall(r'data-language="[01]/V-reg/(?:ar|en|es)"', page)) == 6
    assert "at most 3 rows a task and language" in page
    make_report(folders, tmp_path / "report.md")
    text = (tmp_path / "report.md").read_text()
    assert re.search(r"\| Spanish \(es\) \| [-.\d]+ \([-.\d]+ to [-.\d]+\) \|", text)
    assert re.search(r"^\| \*mean\* \| ", text, re.MULTILINE)
