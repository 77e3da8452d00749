"""Lines of progress, by a clock that the tests move."""

import io
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from emollms import progress as module
from emollms.progress import EVERY, Lines, duration, repeat, show_progress


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def lines_of(clock: Clock, unit: str) -> tuple[Lines, io.StringIO]:
    stream = io.StringIO()
    return Lines(stream, unit, "loading", clock), stream


def test_a_line_says_how_much_is_done_how_fast_and_how_long_it_takes(clock: Clock) -> None:
    lines, _ = lines_of(clock, "rows")
    clock.now += 12
    assert lines.line() == "loading: 0:12 so far"
    lines.update("EI-reg", 1000, 4096)  # a run that was resumed: what was there before does not count as fast
    assert lines.line() == "1,000 of 4,096 rows (24 %): EI-reg"
    clock.now += 20
    lines.update("EI-reg", 1200, 4096)
    assert lines.line() == "1,200 of 4,096 rows (29 %), 10.0 rows/s, 4:50 left: EI-reg"
    clock.now += 20
    lines.update("V-reg", 1400, 4096)
    assert lines.line() == "1,400 of 4,096 rows (34 %), 10.0 rows/s, 4:30 left: V-reg"


def test_where_the_total_is_unknown_the_rate_is_told(clock: Clock) -> None:
    lines, _ = lines_of(clock, "texts")
    lines.update("reading tdt", 1000, None)
    clock.now += 4
    lines.update("reading tdt", 3000, None)
    assert lines.line() == "3,000 texts, 500.0 texts/s: reading tdt"
    lines.update("comparing texts", 0, None)
    clock.now += 61
    assert lines.line() == "comparing texts: 1:01 so far"


def test_what_is_slow_is_told_in_seconds_each(clock: Clock) -> None:
    lines, _ = lines_of(clock, "steps")
    lines.update("loss 2.101", 1, 30)
    clock.now += 10
    lines.update("loss 1.904", 3, 30)
    assert lines.line() == "3 of 30 steps (10 %), 5.0 s/step, 2:15 left: loss 1.904"


def test_what_is_counted_may_change(clock: Clock) -> None:
    lines, _ = lines_of(clock, "steps")
    lines.update("texts", 0, 400)
    clock.now += 10
    lines.update("texts", 100, 400)
    assert lines.line() == "100 of 400 texts (25 %), 10.0 texts/s, 0:30 left"
    lines.update("loss 1.904", 1, 30)
    clock.now += 4
    lines.update("loss 1.904", 3, 30)
    assert lines.line() == "3 of 30 steps (10 %), 2.0 s/step, 0:54 left: loss 1.904"


def test_bytes_are_megabytes_of_each_file(clock: Clock) -> None:
    lines, _ = lines_of(clock, "bytes")
    lines.update("a/one.txt", 0, 10_000_000)
    clock.now += 2
    lines.update("a/one.txt", 5_000_000, 10_000_000)
    assert lines.line() == "5.0 of 10.0 MB (50 %), 2.5 MB/s, 0:02 left: a/one.txt"
    lines.update("a/two.txt", 6_000_000, 10_000_000)
    assert lines.line() == "6.0 of 10.0 MB (60 %): a/two.txt"


def test_the_end_is_told_where_something_was(clock: Clock) -> None:
    lines, stream = lines_of(clock, "steps")
    lines.end()
    assert stream.getvalue() == ""
    lines.update("loss 0.512", 400, 400)
    clock.now += 3723
    lines.end()
    assert stream.getvalue() == "400 of 400 steps (100 %), done in 1:02:03\n"


def test_a_line_comes_every_ten_seconds_until_the_work_is_done(clock: Clock) -> None:
    lines, stream = lines_of(clock, "steps")
    left = [False, False, False, True]

    def wait(seconds: float) -> bool:
        clock.now += seconds
        return left.pop(0)

    repeat(lines.write, wait)
    assert EVERY == 10
    assert stream.getvalue().splitlines() == [f"loading: 0:{seconds} so far" for seconds in (10, 20, 30)]


@pytest.mark.parametrize(("seconds", "shown"), [(0.4, "0:00"), (61, "1:01"), (3599.7, "1:00:00"), (90061, "25:01:01")])
def test_durations(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


def test_lines_go_to_stderr_and_an_error_has_no_end(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with show_progress("rows") as on_progress:
        on_progress("EI-reg", 3, 3)
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(r"3 of 3 rows \(100 %\), done in 0:\d\d\n", err)
    with pytest.raises(KeyError), show_progress("rows") as on_progress:
        on_progress({}["no label"], 1, 3)
    with show_progress("rows", progress=False) as on_progress:
        on_progress("EI-reg", 1, 3)
    assert capsys.readouterr() == ("", "")


def test_a_terminal_gets_a_bar(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    for unit, total in (("steps", 4), ("bytes", 4_000_000)):
        with show_progress(unit) as on_progress:
            on_progress("what is done", total // 2, total)
            on_progress("what is done", total, total)
        err = capsys.readouterr().err
        assert "what is done" in err or unit == "bytes", "files that are done are gone"
        assert "done in" not in err


SCRIPT = """
import sys
from emollms.progress import hide_library_bars
if {early}:
    import datasets, transformers
hide_library_bars()
import datasets, huggingface_hub.utils, transformers, json
from transformers.utils import logging
datasets.Dataset.from_dict({{"a": [1, 2]}}).map(lambda row: row)
print(json.dumps([datasets.are_progress_bars_disabled(), logging.is_progress_bar_enabled()]))
"""


@pytest.mark.parametrize("early", [False, True])
def test_bars_of_libraries_stay_away(early: bool, tmp_path: Path) -> None:
    code = SCRIPT.format(early=early)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert json.loads(done.stdout) == [True, False]
    assert "Map" not in done.stderr


def test_a_build_tells_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from emollms.dataset import pipeline
    from emollms.dataset.build import build_repo
    from emollms.dataset.specs import DATA_SETS, Settings

    monkeypatch.setattr(pipeline, "TEXTS_PER_UPDATE", 10)
    told: list[tuple[str, int, int | None]] = []
    settings = Settings(DATA_SETS["aaid"], corpora=("sample",))
    done = build_repo(settings, tmp_path / "aaid", on_progress=lambda *now: told.append(now))
    read = [count for label, count, _ in told if label == "reading sample"]
    assert read == sorted(read)
    assert ("comparing texts", 0, None) in told
    written = [now for now in told if now[0].startswith("writing ")]
    assert written[-1][1] <= written[-1][2]
    assert written[-1][1] == sum(count.read - sum(count.dropped.values()) for count in done.manifest.counts)
    assert re.fullmatch(r"checking expectations, (\d+) of \1", told[-1][0])
    assert module.OnProgress is pipeline.OnProgress
