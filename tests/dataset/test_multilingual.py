"""Languages of instructions, and the validation split as a test where a corpus has none in a language."""

from pathlib import Path
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest
from tiny_corpus import settings

from emollms.builders.semeval2018_task1 import SemEval2018Task1
from emollms.dataset.baselines import language_baselines, rows_hash
from emollms.dataset.build import build, build_repo
from emollms.dataset.manifest import read_manifest
from emollms.dataset.specs import DATA_SETS, Settings, stand_ins
from emollms.errors import UsageError
from emollms.hub.hydrate import hydrate
from emollms.hub.ids import write_ids

TASKS = ("V-reg", "E-c")
STANDING_IN = {"ar": ("EI-reg", "V-reg"), "es": ("EI-oc", "V-reg", "V-oc", "E-c")}


def asked(name: str, **options: object) -> dict[tuple[str, str, str], str]:
    """The split here of every task, split and language of SemEval-2018 that a data set takes."""
    chosen = Settings(DATA_SETS[name], **options)
    return {
        (task, split, language): part.split or split
        for part in chosen.parts(SemEval2018Task1)
        for task in part.selection.tasks
        for split in part.selection.splits
        for language in part.selection.languages or SemEval2018Task1.meta.languages
    }


def test_languages_without_tests() -> None:
    assert stand_ins(SemEval2018Task1.meta) == STANDING_IN


def test_the_benchmark_takes_development_splits_for_tests_where_there_are_none() -> None:
    found = asked("aeb-multilingual")
    assert {language for _, _, language in found} == {"ar", "es"}  # English is in the AEB
    assert set(found.values()) == {"test"}
    validation = {key for key in found if key[1] == "validation"}
    assert validation == {(task, "validation", code) for code, tasks in STANDING_IN.items() for task in tasks}
    assert found["E-c", "test", "ar"] == "test"
    assert not any(key[1] == "train" for key in found)


def test_data_that_train_models_leave_them_out() -> None:
    found = asked("aaid-plus", languages=("all",))
    assert not [key for key in found if key[1] == "validation" and key[2] in STANDING_IN]
    assert {("E-c", "train", "ar"), ("E-c", "train", "es"), ("V-reg", "validation", "en")} <= set(found)
    assert ("V-reg", "validation", "es") in asked("aaid", languages=("all",))  # AAID is as it was published


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """AEB-multilingual with English, Spanish and native instructions."""
    folder = tmp_path_factory.mktemp("instructions")
    for code in ("en", "es", "native"):
        chosen = settings("aeb-multilingual", "sample", instructions=code, tasks=("V-reg", "E-c"), languages=("all",))
        build_repo(chosen, folder / code, validate=False)
    return {code: folder / code for code in ("en", "es", "native")}


def rows(folder: Path) -> dict[str, dict[str, str]]:
    tables = [pq.read_table(folder / "data" / task) for task in ("V-reg", "E-c")]
    return {row["id"]: row for table in tables for row in table.to_pylist()}


def language_of(prompt: str) -> str:
    instruction = prompt.removeprefix("Task: ").partition(" Tweet: ")[0]
    if any("\u0600" <= letter <= "\u06ff" for letter in instruction):
        return "ar"
    return "es" if " tuit" in instruction or "emoción" in instruction else "en"


def test_instructions_are_in_the_language_that_is_asked_for(built: dict[str, Path]) -> None:
    english, spanish, native = (rows(built[code]) for code in ("en", "es", "native"))
    assert set(english) == set(spanish) == set(native)  # an id names a text and a wording, not a language
    for row_id, row in native.items():
        assert language_of(row["prompt"]) == row["language"]
        assert language_of(spanish[row_id]["prompt"]) == "es"
        assert language_of(english[row_id]["prompt"]) == "en"
        assert row["completion"] == spanish[row_id]["completion"] == english[row_id]["completion"]
    assert {row["language"] for row in native.values()} == {"ar", "en", "es"}


def test_the_manifest_and_the_card_say_so(built: dict[str, Path]) -> None:
    assert "instructions" not in read_manifest(built["en"]).settings  # manifests of other data sets stay as they were
    assert read_manifest(built["native"]).settings["instructions"] == "native"
    card = (built["native"] / "README.md").read_text()
    assert "--instructions native" in card
    assert "in the language of the text, where there are wordings in it (ar, en, es)" in card


def test_ids_have_the_languages_and_the_rows_come_back(built: dict[str, Path], tmp_path: Path) -> None:
    write_ids(built["native"], tmp_path / "ids")
    names = {path.name for path in (tmp_path / "ids/data/E-c").iterdir()}
    assert names == {path.name for path in (built["native"] / "data/E-c").iterdir()}
    assert "test-es-00000.parquet" in names
    again = hydrate(tmp_path / "ids", tmp_path / "again")
    assert again.differing == ()
    assert rows(tmp_path / "again") == rows(built["native"])


def test_what_cannot_be_asked(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"unknown language of instructions 'xx'; known: ar, en, es, native"):
        build("aeb", tmp_path / "out", corpora="sample", instructions="xx")
    with pytest.raises(UsageError, match="the published instructions are English; --instructions goes with"):
        build("aeb", tmp_path / "out", corpora="sample", profile="paper", instructions="es")
    assert not (tmp_path / "out").exists()


def test_the_card_shows_baselines_by_language_of_the_same_rows(
    built: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = sorted((built["en"] / "data" / "V-reg").iterdir())
    figures = {
        "about": "How they were made.",
        "metrics": {"V-reg": "Pearson's r", "E-c": "accuracy"},
        "names": ["constant", "VADER", "TextBlob"],
        "rows": {"V-reg": rows_hash(files), "E-c": "of other rows"},
        "scores": {
            "V-reg": {
                "VADER": {"mean": "0.355", "es": "0.298", "ar": "0.412 (0.261–0.540)"},
                "TextBlob": {"es": "0.091"},
            },
            "E-c": {"constant": {"es": "0.193"}},
        },
    }
    monkeypatch.setattr("emollms.dataset.baselines._figures", lambda: {"languages": figures})
    tables = {(task, "test"): SimpleNamespace(files=sorted((built["en"] / "data" / task).iterdir())) for task in TASKS}
    found = language_baselines(tables)
    assert found is not None
    assert found.metrics == {"V-reg": "Pearson's r"}
    assert [(row.task, row.language, row.scores) for row in found.rows] == [
        ("V-reg", "mean of 2", ("", "0.355", "")),
        ("V-reg", "Arabic (ar)", ("", "0.412 (0.261–0.540)", "")),
        ("V-reg", "Spanish (es)", ("", "0.298", "0.091")),
    ]
    del tables["V-reg", "test"]
    assert language_baselines(tables) is None
