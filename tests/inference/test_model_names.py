"""Names of models, looked at without importing one."""

import json
from pathlib import Path

import pytest

from emollms.errors import EmollmsError, UsageError
from emollms.inference import model_names
from emollms.inference.model_names import check_dtype, check_model

PROBLEM = "the Hub cannot be reached: made up"


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A Hub that cannot be reached; the reasons that libraries were kept away from it for."""
    kept: list[str] = []
    monkeypatch.setattr(model_names, "hub_problem", lambda: PROBLEM)
    monkeypatch.setattr(model_names, "use_cache_alone", kept.append)
    return kept


def adapter(folder: Path, **content: object) -> str:
    folder.mkdir()
    (folder / "adapter_config.json").write_text(json.dumps(content), encoding="utf-8")
    return str(folder)


def test_an_adapter_needs_its_base(tmp_path: Path, away: list[str]) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "config.json").write_text("{}")
    check_model(adapter(tmp_path / "local", base_model_name_or_path=str(tmp_path / "base")))
    with pytest.raises(UsageError, match=r"the base model .*gone of the adapter .*lost is not there"):
        check_model(adapter(tmp_path / "lost", base_model_name_or_path=str(tmp_path / "gone")))
    with pytest.raises(EmollmsError, match=f"^me/base is neither here nor in the local cache, and {PROBLEM}$"):
        check_model(adapter(tmp_path / "remote", base_model_name_or_path="me/base"))
    for number, content in enumerate(({}, {"base_model_name_or_path": None})):
        with pytest.raises(UsageError, match=r"adapter_config\.json names no base_model_name_or_path"):
            check_model(adapter(tmp_path / f"nameless{number}", **content))
    (Path(adapter(tmp_path / "broken")) / "adapter_config.json").write_text("{")
    with pytest.raises(UsageError, match=r"adapter_config\.json is damaged"):
        check_model(str(tmp_path / "broken"))
    assert away == []


def test_the_cache_takes_the_place_of_the_hub(away: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str | None]] = []

    def is_cached(repo: str, revision: str | None) -> bool:
        asked.append((repo, revision))
        return True

    monkeypatch.setattr(model_names, "_is_cached", is_cached)
    notes: list[str] = []
    check_model("me/model@v1", warn=notes.append)
    check_model("me/model", "v2")
    assert asked == [("me/model", "v1"), ("me/model", "v2")]
    assert notes == [f"me/model@v1 is taken from the local cache: {PROBLEM}"]
    assert away == [PROBLEM, PROBLEM]


@pytest.mark.parametrize("name", ["a model", "me/model?", "me--model"])
def test_names_that_no_repo_has(name: str, away: list[str]) -> None:
    with pytest.raises(UsageError, match="is neither a folder nor a repo on the Hub"):
        check_model(name)


def test_types_of_numbers() -> None:
    for name in ("auto", "float32", "bfloat16", "float16"):
        check_dtype(name)
    with pytest.raises(UsageError, match="unknown dtype 'float7'; use auto, float32, bfloat16 or float16"):
        check_dtype("float7")
