"""A leaderboard from published answers: ranks, their uncertainty, and the page."""

import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from browser import browse

from emollms.dataset.reader import Dataset
from emollms.errors import EmollmsError, UsageError
from emollms.evaluation.answer_set_writer import write_answer_set
from emollms.evaluation.evaluate import evaluate
from emollms.hub.leaderboard_space import write_leaderboard
from emollms.hub.space import local_space
from emollms.report.leaderboard import Ranking, rank_answers
from emollms.report.leaderboard_page import render_ranking

TASKS = ("V-reg", "V-oc", "SST")
Published = Callable[..., str]


@pytest.fixture(scope="module")
def data(sample_aeb: Path) -> Dataset:
    return Dataset(sample_aeb)


@pytest.fixture(scope="module")
def published(data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Published:
    """A function that publishes answers into a folder: the gold, moved by a step every so many rows."""

    def publish(name: str, every: int, tasks: tuple[str, ...] = TASKS, **options: object) -> str:
        folder = tmp_path_factory.mktemp("answers")
        said = []
        for task in tasks:
            rows = [row for row in data.rows(task, "test") if row["language"] == options.get("language", "en")]
            for number, row in enumerate(rows):
                gold = row["score"]
                wrong = (1 - gold) if task != "V-oc" else -gold
                said.append({"id": row["id"], "answer": gold if number % every else wrong})
        (folder / "said.jsonl").write_text("\n".join(map(json.dumps, said)))
        evaluate(data.folder, folder / "run", predictions=folder / "said.jsonl", name=name, **options)
        (folder / name).mkdir()
        write_answer_set(folder / "run", data, (), folder / name)
        return str(folder / name)

    return publish


@pytest.fixture(scope="module")
def board(published: Published, data: Dataset) -> Ranking:
    sets = [published("poor", 2), published("good", 9), published("one task", 9, ("V-reg",)), published("same", 9)]
    return rank_answers(sets, data)


def test_models_are_sorted_by_mean_rank(board: Ranking) -> None:
    ranks = {one.name: one.mean_rank for one in board.models}
    assert list(ranks) == ["good", "same", "one task", "poor"]
    # Two of the same answers share ranks 1 and 2; in V-reg there are three. Without answers to two tasks: rank 4 twice.
    assert ranks == pytest.approx(
        {"good": (2 + 1.5 + 1.5) / 3, "same": (2 + 1.5 + 1.5) / 3, "one task": (2 + 4 + 4) / 3, "poor": (4 + 3 + 3) / 3}
    )
    assert {one.name: set(one.cells) for one in board.models}["one task"] == {"V-reg"}


def test_intervals_are_those_of_resampled_ranks(board: Ranking) -> None:
    for one in board.models:
        assert 1 <= one.low <= one.high <= len(board.models)
        assert one.low - 1e-9 <= one.mean_rank <= one.high + 1e-9
    poor = next(one for one in board.models if one.name == "poor")
    good = next(one for one in board.models if one.name == "good")
    assert good.high < poor.low, "a clear lead is one in other rows, too"


def test_close_models_have_wide_intervals(published: Published, data: Dataset) -> None:
    close = rank_answers([published("five", 5), published("six", 6)], data)
    assert max(one.high - one.low for one in close.models) >= 1 / 3


def test_what_cannot_be_ranked_together(published: Published, data: Dataset, tmp_path: Path) -> None:
    good = published("good", 9)
    with pytest.raises(UsageError, match=r"V-reg: .* rows with policy official cannot be ranked with"):
        rank_answers([good, published("sampled", 9, limit=5)], data)
    with pytest.raises(UsageError, match="cannot be ranked with"):
        rank_answers([published("dropping", 9, policy="drop")], data)
    with pytest.raises(UsageError, match="the answers are in en, es; make a leaderboard of each language"):
        rank_answers([good, published("espanol", 9, ("V-reg",), language="es")], data)
    with pytest.raises(UsageError, match="a leaderboard needs answers"):
        rank_answers([], data)
    with pytest.raises(UsageError, match="holds no answers that"):
        rank_answers([str(data.folder)], data)
    better = shutil.copytree(good, tmp_path / "better")
    scores = json.loads((better / "scores.json").read_text())
    scores["tasks"]["V-reg"]["metrics"]["pearson"]["value"] = 0.99
    (better / "scores.json").write_text(json.dumps(scores))
    with pytest.raises(EmollmsError, match="the scores of V-reg are not those of its answers"):
        rank_answers([str(better)], data)


def test_the_space_is_whole(published: Published, data: Dataset, tmp_path: Path) -> None:
    sets = [published("poor", 2), published("good", 9)]
    board = write_leaderboard(sets, data.folder, tmp_path / "page", title="Which model reads <b>best</b>?")
    space = local_space(tmp_path / "page")
    assert set(space.files) == {"README.md", "index.html", "leaderboard.json", "space.json"}
    assert json.loads((tmp_path / "page" / "leaderboard.json").read_text())["models"][0]["name"] == "good"
    page = (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "Which model reads &lt;b&gt;best&lt;/b&gt;?" in page
    assert "sdk: static" in (tmp_path / "page" / "README.md").read_text()
    assert board == write_leaderboard(sets, data.folder, tmp_path / "page", title=None)
    with pytest.raises(UsageError, match="holds no Space; choose another --out"):
        write_leaderboard(sets, data.folder, data.folder)


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_in_a_browser(width: int, board: Ranking, tmp_path: Path) -> None:
    tasks = [replace(board.tasks[0], ceiling=0.937), *board.tasks[1:]]
    models = [replace(board.models[0], name="A-model-with-a-long-name/" + "x" * 60), *board.models[1:]]
    page = tmp_path / "index.html"
    page.write_text(render_ranking(replace(board, tasks=tasks, models=models), "A leaderboard", {}), encoding="utf-8")
    with browse(page, tmp_path / "profile") as (shown, told):
        shown.set_viewport_size({"width": width, "height": 800})
        assert shown.evaluate("document.documentElement.scrollWidth") == width
        row = shown.get_by_role("row", name=re.compile("^Human ceiling"))
        assert ".937" in row.inner_text()
        assert row.get_by_text("unknown").count() == len(board.tasks) - 1
        tracks = shown.get_by_role("img", name=re.compile("^mean rank"))
        assert tracks.count() == len(models)
        places: list[Mapping[str, float]] = [tracks.nth(n).locator("b").bounding_box() for n in range(len(models))]
        assert [one["x"] for one in places] == sorted(one["x"] for one in places), "the best stand to the left"
        for n in range(len(models)):
            track, box = tracks.nth(n).bounding_box(), places[n]
            assert track["x"] - 8 <= box["x"] <= track["x"] + track["width"]
    assert told == []
