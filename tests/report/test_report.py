"""The report says what `scores.json` says, escapes what models say, and asks for nothing."""

import html
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from browser import Opened, browse, luminance
from evaluation.made_up_runs import evaluate_made_up, row_of
from evaluation.published_answers import evaluate_published
from evaluation.reference_rows import BLOOM, CHAT_13B
from typer.testing import CliRunner

from emollms.cli import app
from emollms.dataset.build import build_repo
from emollms.dataset.reader import Dataset
from emollms.dataset.specs import DATA_SETS, Settings
from emollms.errors import EmollmsError, UsageError
from emollms.evaluation.bootstrap import Interval
from emollms.evaluation.comparison import Comparison
from emollms.evaluation.predictors import BaselinePredictor
from emollms.evaluation.published import published
from emollms.evaluation.run import EvaluationOptions, run_benchmark
from emollms.inference.predictions import Prediction, PredictionFile
from emollms.report.build import build_report
from emollms.report.charts import number
from emollms.report.model import Report
from emollms.report.render import write_report
from emollms.report.tables import verdict
from emollms.tasks import benchmark_tasks

EVIL = '<script>alert("x")</script><img src=http://evil.example/x.png onerror=alert()> ![x](http://evil.example/y)'
NAMES = ("Good & <b>proper</b>", "Mediocre")


@dataclass(frozen=True)
class Reported:
    """Two evaluations, and their report in all forms."""

    aeb: Path
    folders: list[Path]
    report: Report
    page: Path
    markdown: str

    def scores(self, run: int) -> Any:
        return json.loads((self.folders[run] / "scores.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Reported:
    out = tmp_path_factory.mktemp("report")
    aeb = out / "aeb"
    build_repo(Settings(DATA_SETS["aeb"], corpora=("sample",)), aeb)
    data = Dataset(aeb)
    said = {row_of(data, "V-reg")["id"]: EVIL, row_of(data, "V-reg", 1)["id"]: row_of(data, "V-reg", 1)["text"]}
    folders = [evaluate_made_up(aeb, out, NAMES[0], 0.9), evaluate_made_up(aeb, out, NAMES[1], 0.4, said)]
    report = build_report(folders, with_published=True)
    for ending in ("html", "md", "json"):
        write_report(report, out / f"report.{ending}")
    return Reported(aeb, folders, report, out / "report.html", (out / "report.md").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def opened(reported: Reported, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    with browse(reported.page, tmp_path_factory.mktemp("profile")) as shown:
        yield shown


def cells(page: Any, attribute: str) -> dict[str, str]:
    """The text of each cell that has `attribute`, without the interval."""
    script = "(all, name) => all.map(cell => [cell.getAttribute(name), cell.firstChild.textContent.trim()])"
    return dict(page.locator(f"[{attribute}]").evaluate_all(script, attribute))


def test_a_browser_shows_the_figures_of_the_scores(reported: Reported, opened: Opened) -> None:
    page, _ = opened
    scores = [reported.scores(run)["tasks"] for run in (0, 1)]
    assert len(scores[0]) == 14
    assert cells(page, "data-score") == {
        f"{run}/{task}": number(entry["value"]) for run in (0, 1) for task, entry in scores[run].items()
    }
    for task in scores[0]:
        shown = page.locator(f"#task-{task}")
        entries = [scores[run][task]["metrics"] for run in (0, 1)]
        expected = {f"{run}/{name}": number(entries[run][name]["value"]) for run in (0, 1) for name in entries[run]}
        assert cells(shown, "data-metric") == expected
        parts = next((one["parts"] for one in entries[0].values() if one["parts"]), {})
        assert {name.partition("/")[2] for name in cells(shown, "data-part")} == set(parts)


def test_a_browser_shows_intervals_published_rows_and_pictures(reported: Reported, opened: Opened) -> None:
    page, _ = opened
    entry = reported.scores(0)["tasks"]["EI-reg"]["metrics"]["pearson"]
    shown = page.locator('#board [data-score="0/EI-reg"] small').inner_text()
    assert shown == f"{number(entry['low'])} to {number(entry['high'])}"
    best = max(published("EI-reg", "pearson").values())
    assert number(best) in page.locator("#task-EI-reg .metrics tbody tr").first.inner_text()
    assert page.inner_text("h1") == f"{NAMES[0]} and {NAMES[1]} on the {reported.report.data['data set']}"
    assert page.locator("#board svg").count() == 3
    assert page.locator("#task-EI-reg svg").count() == 3  # by emotion, two hexagon pictures
    assert page.locator("#task-EI-oc table.matrix").count() == 2
    assert page.locator('#task-EI-oc svg[aria-label*="probability"]').count() == 1
    hexagon = page.locator("#task-EI-reg figure:nth-child(2) svg path:has(title)").first
    assert hexagon.bounding_box()["height"] > 5
    assert "gold near" in hexagon.locator("title").text_content()


def test_a_browser_asks_for_nothing_and_has_no_complaint(opened: Opened) -> None:
    _, told = opened
    assert told == []


def test_keys_open_what_is_folded(opened: Opened) -> None:
    page, _ = opened
    worst = page.locator("#task-V-reg details").first
    worst.locator("summary").focus()
    page.keyboard.press("Enter")
    assert worst.locator("table.worst").is_visible()
    page.keyboard.press("Enter")
    assert not worst.locator("table.worst").is_visible()
    page.locator(".skip").focus()
    page.keyboard.press("Enter")
    assert page.url.endswith("#board")


def test_answers_are_text(reported: Reported, opened: Opened) -> None:
    page, _ = opened
    text = reported.page.read_text(encoding="utf-8")
    assert "<script" not in text
    assert "<img" not in text
    assert html.escape(EVIL, quote=False).replace('"', "&#34;") in text
    assert EVIL in page.locator("#task-V-reg").text_content()
    assert EVIL in json.dumps(reported.report.as_json(), ensure_ascii=False).replace('\\"', '"')


def test_answers_are_text_in_markdown(reported: Reported) -> None:
    markdown = pytest.importorskip("markdown_it").MarkdownIt("gfm-like", {"linkify": False})
    tokens = markdown.parse(reported.markdown)
    kinds = {child.type for token in tokens for child in token.children or ()} | {token.type for token in tokens}
    assert not kinds & {"html_inline", "html_block", "image"}
    text = "".join(child.content for token in tokens for child in token.children or ())
    assert EVIL in text
    assert NAMES[0] in text
    assert "table_open" in kinds


def test_the_page_needs_nothing_else(reported: Reported) -> None:
    text = reported.page.read_text(encoding="utf-8")
    marks = "".join(re.findall(r"<[a-z][^>]*>", text))
    assert not re.search(r"\s(?:src|onerror|onclick|srcset|data)=", marks)
    assert set(re.findall(r'(?:href|xmlns)="([^"#]+)', marks)) == {"data:,", "http://www.w3.org/2000/svg"}
    assert not re.search(r"@import|url\(", text)
    assert re.search(r"http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'", text)
    ids = re.findall(r'\sid="([^"]+)"', marks)
    assert len(ids) == len(set(ids))


def test_it_fits_a_telephone(opened: Opened) -> None:
    page, _ = opened
    before = page.viewport_size
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.set_viewport_size(before)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_marks_have_contrast(scheme: str, opened: Opened) -> None:
    page, _ = opened
    page.emulate_media(color_scheme=scheme)
    names = ["paper", "card", "ink", "muted", "warn", *(f"run-{run}" for run in range(1, 9))]
    script = "names => names.map(n => getComputedStyle(document.documentElement).getPropertyValue('--' + n).trim())"
    light = dict(zip(names, map(luminance, page.evaluate(script, names)), strict=True))
    for name in names[2:]:
        for ground in names[:2]:
            low, high = sorted((light[name], light[ground]))
            assert (high + 0.05) / (low + 0.05) >= (4.5 if name in ("ink", "muted") else 3), (name, ground)
    script = "all => all.map(one => [getComputedStyle(one).color, getComputedStyle(one).backgroundColor])"
    for shown in page.locator(".matrix td[title]:not(.zero)").evaluate_all(script):
        low, high = sorted(map(luminance_of_css, shown))
        assert (high + 0.05) / (low + 0.05) >= 4.3, (scheme, shown)


def luminance_of_css(colour: str) -> float:
    """Luminance of `rgb(…)`, or of `color(srgb …)`, which a mixed colour is."""
    parts = [float(part) * (255 if "srgb" in colour else 1) for part in re.findall(r"[\d.]+", colour)[:3]]
    return luminance("".join(f"{round(part):02x}" for part in parts))


def test_print_shows_what_is_folded(opened: Opened) -> None:
    page, _ = opened
    page.emulate_media(media="print")
    assert page.locator("#task-V-reg table.worst").first.bounding_box()["height"] > 20
    page.emulate_media(media="screen")


def test_rows_are_counted_once(reported: Reported) -> None:
    for task in reported.report.tasks:
        for run in task.runs:
            if run.hexagons:
                read = run.n - run.invalid.n
                assert sum(n for _, _, n in run.hexagons.cells) == read
                assert sum(n for _, n, _ in run.hexagons.tenths) == read
            elif run.matrix and task.name not in ("E-c", "GoEmotions"):
                assert [sum(row) for row in run.matrix.counts] == list(run.matrix.totals)
                assert sum(run.matrix.totals) == run.n


def test_worst_rows_come_first(reported: Reported) -> None:
    for task in reported.report.tasks:
        for run in task.runs:
            off = [row.error for row in run.worst]
            assert off == sorted(off, reverse=True)
            assert all(row.said[run.run] is not None for row in run.worst)


def test_differences_are_against_the_first(reported: Reported) -> None:
    for one in reported.report.differences:
        values = [reported.scores(run)["tasks"][one.task]["value"] for run in (0, one.run)]
        assert one.value == pytest.approx(values[1] - values[0])
        assert one.low <= one.value <= one.high
    assert len(reported.report.differences) == 14


def test_a_sample_is_held_against_the_rows_of_both(reported: Reported, tmp_path: Path) -> None:
    some = evaluate_made_up(reported.aeb, tmp_path, "some rows", 0.4, limit=5)
    report = build_report([reported.folders[0], some])
    found = {one.task: one for one in report.differences}
    undefined = {"EI-oc"}  # of five rows about four emotions no emotion has a correlation
    assert set(found) == {task.name for task in benchmark_tasks()} - undefined
    assert {one.n for one in found.values()} == {5}
    ids = [json.loads(line)["id"] for line in (some / "predictions.jsonl").read_text(encoding="utf-8").splitlines()]
    kept = tmp_path / "kept.jsonl"
    whole = (reported.folders[0] / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    kept.write_text("".join(f"{line}\n" for line in whole if json.loads(line)["id"] in ids), encoding="utf-8")
    result = CliRunner().invoke(
        app,
        [
            "evaluate",
            "--predictions",
            str(kept),
            "--data",
            str(reported.aeb),
            "--out",
            str(tmp_path / "kept"),
            "--limit",
            "5",
        ],
    )
    assert result.exit_code == 0, result.output
    again = build_report([tmp_path / "kept", some])
    assert {one.task: one.value for one in again.differences} == {name: one.value for name, one in found.items()}


def test_a_baseline_stands_beside_a_model(reported: Reported, tmp_path: Path) -> None:
    out = tmp_path / "vader"
    words = ["evaluate", "--baseline", "vader", "--data", str(reported.aeb), "--out", str(out)]
    assert CliRunner().invoke(app, words).exit_code == 0
    result = CliRunner().invoke(app, ["report", str(reported.folders[0]), str(out), "--out", str(tmp_path / "r.json")])
    assert result.exit_code == 0, result.output
    made = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    found = json.loads((out / "scores.json").read_text(encoding="utf-8"))["tasks"]
    (row,) = [row for row in made["board"] if row["name"] == "VADER"]
    assert {task: cell["value"] for task, cell in row["cells"].items()} == {
        task: entry["value"] for task, entry in found.items()
    }
    assert {one["task"] for one in made["differences"]} == set(found)


def test_overlaps_are_those_of_the_build(reported: Reported) -> None:
    manifest = json.loads((reported.aeb / "manifest.json").read_text(encoding="utf-8"))
    found = manifest["screening"]["overlaps"]
    assert found
    for task, counts in reported.report.overlaps.counts.items():
        assert dict(counts) == found.get(task, {})


def test_few_rows_have_an_interval_and_no_verdict(reported: Reported) -> None:
    rows = {task.name: task.runs[0].n for task in reported.report.tasks}
    assert min(rows.values()) < 30
    for one in reported.report.differences:
        assert (one.verdict is None) == (one.n < 30)
        assert one.low <= one.value <= one.high
    assert "too few rows for a verdict (below 30)" in reported.markdown
    assert "against Good &amp; &lt;b&gt;proper&lt;/b&gt;, 14 tasks that both have:" in reported.page.read_text("utf-8")


def of_sixty_rows(difference: float, low: float, high: float, n: int) -> Comparison:
    return Comparison("V-reg", "pearson", 0.5 + difference, 0.5, difference, Interval(low, high), n)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ((0.1, 0.05, 0.15, 60), "better"),
        ((-0.1, -0.15, -0.05, 60), "worse"),
        ((0.1, -0.05, 0.25, 60), "no clear difference"),
        ((0.1, 0.05, 0.15, 30), "better"),
        ((0.1, 0.05, 0.15, 29), None),
    ],
)
def test_verdicts(seen: tuple[float, float, float, int], expected: str | None) -> None:
    assert verdict(of_sixty_rows(*seen)) == expected


def test_the_correlation_of_constant_answers_is_undefined(reported: Reported, tmp_path: Path) -> None:
    data, ids = Dataset(reported.aeb), {}
    answers = tmp_path / "constant.jsonl"
    with PredictionFile(answers) as file:
        for row in data.rows("V-reg", "test"):
            ids[row["id"]] = "V-reg"
            file.add([Prediction(row["id"], "0.500")])
    out = tmp_path / "run"
    words = ["evaluate", "--predictions", str(answers), "--data", str(reported.aeb), "--task", "V-reg"]
    result = CliRunner().invoke(app, [*words, "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "undefined (counts as 0)" in result.output
    entry = json.loads((out / "scores.json").read_text(encoding="utf-8"))["tasks"]["V-reg"]
    assert entry["value"] == 0
    assert [entry["metrics"]["pearson"][end] for end in ("value", "low", "high")] == [0, None, None]
    report = build_report([reported.folders[0], out], with_published=True)
    assert report.differences == []
    write_report(report, tmp_path / "report.md")
    write_report(report, tmp_path / "report.html")
    assert "undefined (counts as 0)" in (tmp_path / "report.md").read_text(encoding="utf-8")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "undefined<small>counts as 0</small>" in page
    assert "Leaderboard(1) is the paper" in page


def test_columns_name_their_metric_and_bars_their_rows(reported: Reported, opened: Opened) -> None:
    page, _ = opened
    heads = page.locator("#board thead th").all_inner_texts()
    assert [head.split("\n") for head in heads if head.startswith(("SST5", "V-reg"))] == [
        ["V-reg", "Pearson's r"], ["SST5", "accuracy"],
    ]  # fmt: skip
    scores = reported.scores(0)["tasks"]["EI-reg"]["metrics"]["pearson"]["parts"]
    labels = page.locator("#task-EI-reg figure").first.text_content()
    counts = {part["n"] for part in scores.values()}
    shown = (
        [f"n = {n:,} each" for n in counts]
        if len(counts) == 1
        else [f"{e} (n = {p['n']:,})" for e, p in scores.items()]
    )
    assert all(one in labels for one in shown)
    assert "measured on the published benchmark" in page.locator("#board").inner_text()


def test_how_to_reproduce(reported: Reported) -> None:
    run = reported.report.runs[0]
    assert run.command == "emollms evaluate 'Good & <b>proper</b>'"
    assert run.facts["data.content_hash"] == reported.report.data["content hash"]
    assert {"versions.emollms", "versions.numpy", "hardware.cores", "settings.decode"} <= set(run.facts)
    assert len(run.facts["sha256 of predictions.jsonl"]) == 64


@pytest.fixture(scope="module")
def private(reported: Reported, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same data set, of a corpus whose texts may not be passed on."""
    folder = tmp_path_factory.mktemp("private") / "aeb"
    shutil.copytree(reported.aeb, folder)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    for source in [manifest, *manifest["sources"]]:
        source["redistribution"] = "ids"
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def test_texts_that_may_not_be_passed_on(reported: Reported, private: Path, tmp_path: Path) -> None:
    data = Dataset(private)
    texts = {row["text"] for task in benchmark_tasks() for row in data.rows(task.name, "test")}
    report = build_report(reported.folders, data=str(private), worst_rows=100)
    for ending in ("html", "md", "json"):
        write_report(report, tmp_path / f"report.{ending}")
        shown = html.unescape((tmp_path / f"report.{ending}").read_text(encoding="utf-8")).replace("\\", "")
        assert not [text for text in texts if text[:40] in shown]
        assert row_of(data, "V-reg")["id"] in shown
    assert "may not be passed on" in report.notes[0]
    full = build_report(reported.folders, data=str(private), show_texts=True)
    assert all(row.text in texts for task in full.tasks for run in task.runs for row in run.worst)
    assert "Do not publish" in full.notes[0]


def test_of_several_data_sets_only_what_is_private_is_named(reported: Reported, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(reported.aeb, other)
    manifest = json.loads((other / "manifest.json").read_text(encoding="utf-8"))
    manifest["sources"] = [source | {"corpus": "secret", "redistribution": "ids"} for source in manifest["sources"]]
    manifest["content_hash"] = "0" * 64
    (other / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    run_benchmark(BaselinePredictor("vader"), Dataset(other), tmp_path / "run", EvaluationOptions(tasks=("V-reg",)))
    notes = build_report([reported.folders[0], tmp_path / "run"]).notes
    assert notes == [
        "The runs are about different data sets; where rows differ, so may scores.",
        "Texts of secret may not be passed on; their rows are named by id.",
    ]


def test_one_run_without_published_rows(reported: Reported, tmp_path: Path) -> None:
    report = build_report(reported.folders[:1], worst_rows=0)
    write_report(report, tmp_path / "one.html")
    text = (tmp_path / "one.html").read_text(encoding="utf-8")
    assert "ChatGPT" not in text
    assert "Difference" not in text


def test_runs_of_one_name_are_told_apart(reported: Reported) -> None:
    report = build_report([reported.folders[0]] * 2, worst_rows=0)
    assert [run.name for run in report.runs] == [NAMES[0], f"{NAMES[0]} (2)"]
    assert {one.verdict for one in report.differences} <= {"no clear difference", None}


def test_what_is_wrong_is_told(reported: Reported, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is no finished evaluation: scores\.json is missing"):
        build_report([tmp_path])
    with pytest.raises(UsageError, match=r"report\.pdf has no known ending; .* as \.html, \.md, \.json"):
        write_report(reported.report, tmp_path / "report.pdf")
    other = tmp_path / "other"
    build_repo(Settings(DATA_SETS["aeb"], corpora=("sample",), tasks=("V-reg",)), other)
    with pytest.raises(UsageError, match=r"was evaluated on .* give the evaluated data set with --data"):
        build_report(reported.folders, data=str(other))
    with pytest.raises(UsageError, match=r"nowhere, the data set of .*, is not here; give it with --data"):
        build_report(reported.folders, data=str(tmp_path / "nowhere"))


def test_scores_that_are_not_of_these_answers(reported: Reported, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(reported.folders[0], folder)
    shutil.copy(reported.folders[1] / "predictions.jsonl", folder)
    with pytest.raises(EmollmsError, match=r"scores\.json has .* but predictions\.jsonl gives"):
        build_report([folder])
    (folder / "scores.json").write_text('{"format": 1}')
    with pytest.raises(EmollmsError, match=r"scores\.json is damaged \(name: Field required\)"):
        build_report([folder])


def test_the_command(reported: Reported, tmp_path: Path) -> None:
    out = tmp_path / "new" / "report.json"
    done = CliRunner().invoke(app, ["report", str(reported.folders[0]), "--out", str(out), "--worst", "1"])
    assert done.exit_code == 0, done.output
    found = json.loads(out.read_text(encoding="utf-8"))
    assert {task["name"]: task["metrics"][0]["cells"][0]["value"] for task in found["tasks"]} == {
        task: entry["value"] for task, entry in reported.scores(0)["tasks"].items()
    }
    assert [path.name for path in out.parent.iterdir()] == ["report.json"]


@pytest.mark.corpora
def test_the_released_models(reference_dir: Path, paper_aeb: Path, tmp_path: Path) -> None:
    """BLOOM has .742 without the two rows that have no probabilities."""
    runs = ((CHAT_13B, "sample"), (CHAT_13B, "expected_value"), (BLOOM, "sample"), (BLOOM, "expected_value"))
    folders = [evaluate_published(reference_dir, model, paper_aeb, tmp_path, mode, ["EI-oc"]) for model, mode in runs]
    report = build_report(folders, with_published=True)
    assert [round(row.cells["EI-oc"].value, 3) for row in report.board[:4]] == [0.764, 0.780, 0.733, 0.741]
    assert [(one.run, one.verdict) for one in report.differences] == [(1, "better"), (2, "worse"), (3, "worse")]
    assert report.overlaps.counts["EI-oc"]["V-reg"] == 765
    write_report(report, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Texts of semeval2018_task1, sst and tdt may not be passed on" in page
    assert "@" not in re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)  # no user name, so no tweet


@pytest.mark.corpora
def test_human_ceilings_are_lines_and_words(reference_dir: Path, paper_aeb: Path, tmp_path: Path) -> None:
    """VADER's raters are many, EmoBank's few; of SST the spread of the raters is unknown."""
    folder = evaluate_published(reference_dir, CHAT_13B, paper_aeb, tmp_path, "sample", ["EmoBank", "V-NYT", "SST"])
    report = build_report([folder], worst_rows=0)
    ceilings = {task.name: task.metrics[0].ceiling for task in report.tasks}
    assert ceilings == {"EmoBank": pytest.approx(0.741, abs=0.001), "SST": None, "V-NYT": 0.979}
    write_report(report, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "V-NYT, human ceiling: .979" in page  # what the line says when pointed at
    assert "Human ceiling of Pearson&#39;s r, by the noise of the raters&#39; means: .979." in page
    assert "means: .741 (valence .897, arousal .681, dominance .646)." in page
    assert "dominance, human ceiling: .646" in page
    assert "the highest r that the noise" in page


def test_made_up_gold_has_no_ceiling(reported: Reported) -> None:
    """The sample corpus asks V-T, and has raters of its own."""
    assert all(row.ceiling is None for task in reported.report.tasks for row in (*task.metrics, *task.parts))
    assert "human ceiling" not in reported.page.read_text(encoding="utf-8")
    assert "Human ceiling" not in reported.markdown


def test_what_the_data_set_left_out_is_told_the_most_serious_first(reported: Reported, tmp_path: Path) -> None:
    data = tmp_path / "aeb"
    shutil.copytree(reported.aeb, data)
    manifest = json.loads((data / "manifest.json").read_text(encoding="utf-8"))
    manifest["counts"][0]["dropped"] = {"near-duplicate of a text of the benchmark": 115}
    manifest["sources"][0]["left_out"] = {"no gold": 84_685}
    (data / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    report = build_report(reported.folders[:1], data=str(data))
    left_out = "115 texts: near-duplicate of a text of the benchmark; 84,685 raw rows of sample: no gold"
    assert report.data["left out"] == left_out
    assert "left out" not in reported.report.data
    write_report(report, tmp_path / "report.html")
    assert f"<code>{left_out}</code>" in (tmp_path / "report.html").read_text(encoding="utf-8")
