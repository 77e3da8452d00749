"""`emollms evaluate`, `calibrate` and `export` as users type them, in this process."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from inference.fake_server import Faults, serving

pytestmark = pytest.mark.usefixtures("one_thread")
Run = Callable[..., tuple[int, str, str]]


def test_evaluate_prints_a_table_and_is_done_once(emollms: Run, sample_aeb: Path, tmp_path: Path) -> None:
    words = ("evaluate", "--baseline", "majority", "--data", sample_aeb, "--out", tmp_path / "run", "--limit", "4")
    code, out, err = emollms(*words, "--task", "E-c,TDT", "--name", "most common")
    assert code == 0, err
    lines = out.splitlines()
    assert lines[0] == "task\tmetric\tscore\t95 % interval\tinvalid\trows"
    assert lines[1].startswith("E-c\tJaccard index of labels, weighted by gold rows\t")
    assert lines[2].endswith("\t0.0%\t4")
    told = rf"8 of 8 rows \(100 %\), done in 0:\d\d\nwrote {tmp_path / 'run' / 'scores.json'}\n"
    assert re.fullmatch(told, err), "how far it came, and no bar of a library"
    scores = json.loads((tmp_path / "run" / "scores.json").read_text(encoding="utf-8"))
    assert scores["name"] == "most common"
    assert scores["run"]["command"][:4] == ["emollms", "evaluate", "--baseline", "majority"]
    code, again, err = emollms(*words, "--task", "E-c,TDT")
    assert (code, again) == (0, out)
    assert err.startswith("was there already, not run again:")
    code, _, err = emollms(*words, "--task", "TDT")
    assert code == 2
    assert "holds a run with other settings" in err


def test_calibrate_then_evaluate(
    emollms: Run, talkative: Path, sample_aaid: Path, sample_aeb: Path, tmp_path: Path
) -> None:
    fit = tmp_path / "fit.json"
    few = ("--task", "EI-oc", "--limit", "6")
    code, out, err = emollms("calibrate", "--model", talkative, "--data", sample_aaid, "--out", fit, *few)
    assert code == 0, err
    assert out.splitlines()[0] == "task\trows\tfitted\tinterval of 90%\terror before\terror of confidence"
    assert out.splitlines()[1].startswith("EI-oc\t6\ttemperature ")
    told = (
        r"6 of 6 rows \(100 %\), done in 0:\d\d\nuncalibrated, without validation rows or not asked for: "
        rf"EI-reg, V-reg, V-oc, E-c\nwrote {fit}; use it: emollms annotate --calibration {fit}\n"
    )
    assert re.fullmatch(told, err), err
    words = ("evaluate", "--model", talkative, "--data", sample_aeb, "--out", tmp_path / "run", "--calibration", fit)
    code, _, err = emollms(*words, *few)
    assert code == 0, err
    scores = json.loads((tmp_path / "run" / "scores.json").read_text(encoding="utf-8"))
    assert "temperature" in scores["tasks"]["EI-oc"]["calibration"]
    code, _, err = emollms(*words, "--decode", "greedy")
    assert code == 2
    assert "--calibration needs probabilities" in err


def test_a_server_is_asked_only_for_what_is_missing(emollms: Run, sample_aeb: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with serving() as (url, faults):
        words = ("evaluate", "--endpoint", url, "--model", "tiny", "--data", sample_aeb, "--out", out, "--limit", "3")
        code, _, err = emollms(*words, "--task", "SST", "--decode", "greedy")
        assert code == 0, err
        assert f"the texts are sent to {url}, on this machine" in err
        assert asked(faults) == 3
        lines = (out / "predictions.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
        (out / "predictions.jsonl").write_text("".join(lines[:1]), encoding="utf-8")
        (out / "scores.json").unlink()
        code, _, err = emollms(*words, "--task", "SST", "--decode", "greedy")
        assert code == 0, err
        assert "1 of 3 rows are answered; resuming" in err
        assert asked(faults) == 5
    scores = json.loads((out / "scores.json").read_text(encoding="utf-8"))
    assert (scores["kind"], scores["name"]) == ("endpoint", "tiny")
    assert scores["run"]["settings"]["source"]["endpoint"] == url


def asked(faults: Faults) -> int:
    """The requests about rows; one before them finds out what the server can do."""
    return sum(len(body["prompt"]) > 20 for body in faults.seen)


def test_a_chat_server_without_a_name_needs_no_option(emollms: Run, sample_aeb: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with serving() as (url, faults):
        faults.missing = {"/v1/completions": (404, "not found")}
        code, _, err = emollms(
            "evaluate", "--endpoint", url.removesuffix("/v1"), "--data", sample_aeb, "--out", out, "--limit", "3",
            "--task", "SST",
        )  # fmt: skip
    assert code == 0, err
    assert "its chat is used" in err
    assert "gives no log-probabilities; its answers are decoded greedily" in err
    scores = json.loads((out / "scores.json").read_text(encoding="utf-8"))
    assert scores["name"] == "tiny"
    assert scores["run"]["engine"]["settings"]["api"] == "chat"


def test_a_server_that_is_not_there_is_one_line(emollms: Run, sample_aeb: Path, tmp_path: Path) -> None:
    with serving() as (url, _):
        pass
    words = ("--data", sample_aeb, "--out", tmp_path / "run", "--limit", "3")
    code, _, err = emollms("evaluate", "--endpoint", url, "--model", "tiny", *words)
    assert code == 1
    assert "error: no server answers at 127.0.0.1:" in err
    assert len(err.splitlines()) == 2  # where texts would go, and the error


def test_a_server_is_asked_as_gently_as_is_wished(emollms: Run, sample_aeb: Path, tmp_path: Path) -> None:
    with serving() as (url, faults):
        words = ("evaluate", "--endpoint", url, "--model", "tiny", "--data", sample_aeb, "--out", tmp_path / "run")
        begun = time.monotonic()
        code, _, err = emollms(
            *words, "--limit", "4", "--task", "SST", "--decode", "greedy", "--workers", "1", "--per-minute", "600"
        )
        assert code == 0, err
        assert faults.most_at_once == 1
        assert time.monotonic() - begun >= 3 * 60 / 600
    code, _, err = emollms(*words[:-1], tmp_path / "other", "--workers", "0")
    assert code == 2
    assert "--workers 0, --per-minute None lets no request through" in err


def test_export(emollms: Run, sample_aeb: Path, tmp_path: Path) -> None:
    code, out, err = emollms("export", "lm-eval", "--data", sample_aeb, "--out", tmp_path / "tasks")
    assert code == 0, err
    assert "EI-reg\temollms_ei_reg" in out.splitlines()
    assert f"lm_eval run --include_path {tmp_path / 'tasks'} --tasks emollms_aeb" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "give one of --model, --endpoint, --predictions and --baseline, not none of them"),
        (("--model", "m", "--baseline", "mean"), "not --model and --baseline"),
        (("--endpoint", "localhost:1"), "is no address of a server"),
        (("--model", "m", "--engine", "endpoint"), "--engine endpoint needs --endpoint URL"),
        (("--model", "m", "--endpoint", "http://a", "--engine", "vllm"), "--engine endpoint needs --endpoint URL"),
        (("--model", "m", "--endpoint", "http://me:secret@a"), "takes no user and password"),
        (("--baseline", "mean", "--engine", "vllm"), "--engine goes with --model"),
        (("--baseline", "mean", "--calibration", "c.json"), "--calibration needs probabilities"),
        (("--baseline", "mean", "--task", "STS"), "unknown task of"),
        (("--baseline", "vader", "--task", "E-c"), "baseline vader has no answer to task E-c; use majority"),
        (("--baseline", "mean", "--limit", "0"), "--limit 0 leaves no row"),
        (("--baseline", "mean", "--language", "fr"), "unknown language of the data set 'fr'"),
        (("--predictions", "nobody.jsonl"), "there is no file nobody.jsonl"),
        (("--model", "m", "--calibration", "nobody.json"), "there is no file nobody.json"),
    ],
)
def test_wrong_calls_get_one_line(
    words: tuple[str, ...], message: str, emollms: Run, sample_aeb: Path, tmp_path: Path
) -> None:
    code, _, err = emollms("evaluate", "--data", sample_aeb, "--out", tmp_path / "run", *words)
    assert code == 2
    assert err.startswith("error: ")
    assert message in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_damaged_answers_exit_with_1(emollms: Run, sample_aeb: Path, tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text('{"id": "a"}\n', encoding="utf-8")
    words = ("--predictions", tmp_path / "p.jsonl", "--data", sample_aeb, "--out", tmp_path / "run")
    code, _, err = emollms("evaluate", *words)
    assert code == 1
    assert f"{tmp_path / 'p.jsonl'}:1: a row with none of answer, prediction, output: 'id'" in err
    assert len(err.splitlines()) == 1
