"""Wrong arguments, paths and names end in one line, before torch is imported and before the network is asked."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import wrong_calls
from command_lines import run_calls

from emollms.dataset.build import build_repo
from emollms.dataset.specs import DATA_SETS, Settings

TRAIN = "train emosmol-135m --data aaid --out run"
DISTILL = "distill --texts notes.txt --out run"
EVALUATE = "evaluate --data aeb --out scores"
CALLS = {
    f"{TRAIN} --set learnin_rate=1": "unknown key 'learnin_rate'; did you mean learning_rate",
    f"{TRAIN} --set learning_rate=fast": "learning_rate: input should be a valid number",
    f"{TRAIN} --set bf16=maybe": "bf16: input should be a valid boolean",
    f"{TRAIN} --set train_limit=few": "train_limit: input should be a valid integer",
    f"{TRAIN} --set generation_num_beams=2": "generation_num_beams is for encoder-decoders, and llama models",
    f"{TRAIN} --set learning_rate": "is not of the form key=value",
    f"{TRAIN} --set model_name_or_path=./nomodel": "there is no folder ./nomodel",
    f"{TRAIN} --set model_name_or_path=out/nomodel": "there is no folder out/nomodel",
    f"{TRAIN} --set family=lama": "unknown family 'lama'; did you mean llama",
    "train emosmol-135m --data out/nope --out run": "there is no folder out/nope",
    "train emosmol-135m --data nope --out run": "nope is neither a folder",
    "train emosmol-135m --data out --out run": "manifest.json is missing",
    "train emosmol-135m --data aeb --out run": "has no rows in split train",
    "train emosmol-135m --data aaid --out notes.txt": "notes.txt is a file; choose another --out",
    "train emosmol-135m --data aaid --out out": "out is there and holds no run of ours",
    "train emosmol-153m --data aaid --out run": "unknown recipe 'emosmol-153m'; did you mean emosmol-135m",
    "train nope.yaml --data aaid --out run": "no such file: nope.yaml",
    f"{TRAIN} --set tasks=V-regg": "did you mean V-reg",
    f"{DISTILL} --recipe emosmol-135m --baseline vader": "has `objective: expected_value`, which has no soft targets",
    f"{DISTILL} --recipe emosmol-135m-heads": "name who teaches: --teacher, --endpoint or --baseline",
    f"{DISTILL} --recipe emosmol-135m-heads --baseline vader --task E-c": "VADER has no answer to 'E-c'",
    f"{DISTILL} --recipe emosmol-135m-heads --baseline vader --data out/nope": "there is no folder out/nope",
    f"{DISTILL} --recipe emosmol-135m-heads --baseline vader --weight -1": "--weight -1: give a number above 0",
    "distill --recipe emosmol-135m-heads --texts nope.csv --baseline vader --out run": "there is no file nope.csv",
    "distill --recipe emosmol-135m-heads --texts notes.txt --baseline vader --out out": "out is there and holds no run",
    "merge out/nope --out merged": "there is no folder out/nope",
    "merge notes.txt --out merged": "notes.txt is a file; give the folder of a run",
    "merge out --out merged": "out holds no finished run",
    "merge out --out merged --dtype float7": "unknown dtype 'float7'",
    "merge out --out merged --shard-size 2": "--shard-size '2' is not a size",
    "merge out --out merged --base out/nope": "there is no folder out/nope",
    f"{EVALUATE} --model ./nomodel": "there is no folder ./nomodel",
    f"{EVALUATE} --model out/nomodel": "there is no folder out/nomodel",
    f"{EVALUATE} --model out/no/model": "there is no folder out/no/model",
    f"{EVALUATE} --model model.gguf": "there is no file model.gguf",
    f"{EVALUATE} --model notes.txt": "notes.txt is a file; name the folder of the model",
    f"{EVALUATE} --model out": "out holds no model: config.json is missing",
    f"{EVALUATE} --model 'a model'": "neither a folder nor a repo on the Hub",
    f"{EVALUATE} --model tiny --dtype float7": "unknown dtype 'float7'",
    f"{EVALUATE} --model tiny --task V-regg": "did you mean V-reg",
    f"{EVALUATE} --model tiny --limit 0": "--limit 0 leaves no row",
    f"{EVALUATE} --model tiny --language xx": "unknown language of the data set 'xx'",
    f"{EVALUATE} --model tiny --calibration nope.json": "there is no file nope.json",
    f"{EVALUATE} --predictions nope.jsonl": "there is no file nope.jsonl",
    f"{EVALUATE} --model tiny --endpoint localhost:8000": "'localhost:8000' is no address of a server",
    f"{EVALUATE} --model tiny --workers 0": "--workers 0",
    f"{EVALUATE}": "give one of --model, --endpoint, --predictions and --baseline, not none of them",
    "evaluate --data out/nope --out scores --model tiny": "there is no folder out/nope",
    "evaluate --data aeb/README.md --out scores --model tiny": "README.md is a file",
    "evaluate --data aeb --out out --model tiny": "out is there and holds no run of ours",
    "calibrate --data aaid --out c.json --model out/nomodel": "there is no folder out/nomodel",
    "calibrate --data aaid --out out --model tiny": "out is a folder; name a file",
    "calibrate --data aeb --out c.json --model tiny": "has no rows in split validation",
    "calibrate --data aaid --out c.json --baseline vader --task E-c": "no answer to E-c",
    "calibrate --data aaid --out c.json --baseline vaader": "did you mean vader",
    "calibrate --data aaid --out c.json": "give a --model, an --endpoint or a --baseline",
    "calibrate --data aaid --model me/x": "name a file with --out",
    "calibrate --data aaid --model tiny --coverage 90": "--coverage 90 is no probability",
    "recipes check nope.yaml": "no such file: nope.yaml",
    "recipes check emosmol-135m emosmol-153m": "unknown recipe 'emosmol-153m'",
    "recipes show nope": "unknown recipe 'nope'",
    "publish dataset out/nope --repo me/x": "there is no folder out/nope",
    "publish dataset out --repo me/x": "manifest.json is missing",
    "publish dataset aeb --repo me": "'me' is no repo",
    "publish dataset aeb --repo me/x --version 9.9.9": "9.9.9",
    "publish model out/nope --repo me/x": "there is no folder out/nope",
    "publish model tiny --repo me/x --scores out/nope": "there is no folder out/nope",
    "publish model tiny --repo me/x --calibration nope.json": "there is no file nope.json",
    "publish model tiny --repo me/x --gguf q8_0 --converter nope.py": "there is no file nope.py",
    "publish model tiny --repo me/x --version one": "one",
    "publish space out/nope --repo me/x": "there is no folder out/nope",
    "space out --out demo": "out is a folder; a demo is of a model on the Hub",
    "space me/a/b --out demo": "'me/a/b' is no repo",
    "space me/x --out demo --task V-regg": "did you mean V-reg",
    "space me/x --out notes.txt": "notes.txt",
    "hydrate out/nope --out back": "there is no folder out/nope",
    "hydrate aeb --out back": "aeb",
    "hydrate me/ids --from out/nope --out back": "there is no folder out/nope",
    "hydrate me/ids --out out": "out is there",
    "status me/x --data out/nope": "there is no folder out/nope",
    "status me --data aeb": "'me' is no repo",
    "status me/x": "give one of --data, --model and --space",
    "collection me '' me/x": "a title has 1 to 60 characters",
    "collection me Affect me/x/y": "'me/x/y' is no repo",
    "report out/nope --out r.html": "scores.json is missing",
    "report out --out r.pdf": "r.pdf has no known ending",
    "validate out/nope": "there is no folder out/nope",
    "validate nope.parquet": "there is no file nope.parquet",
    "validate gomotions": "gomotions is neither a folder, nor a corpus",
    "validate aaid --against out/nope": "there is no folder out/nope",
    "statistics sampel": "did you mean sample",
    "dedup nope.jsonl --out clean": "there is no file nope.jsonl",
    "dedup out/nope --out clean": "there is no folder out/nope",
    "dedup aeb --out out": "out is there already",
    "dedup aeb --out clean --against out/nope": "there is no folder out/nope",
    "overlap aeb out/nope": "there is no folder out/nope",
    "overlap out/nope me/x": "there is no folder out/nope",
    "diff out/nope aeb": "out/nope",
    "export lm-eval --data out/nope --out lm": "there is no folder out/nope",
    "export lm-eval --data aeb --out out": "out is there already",
    "build aaid --out out": "out is there and holds no data set of ours",
    "build aaid --out built --corpora sampel": "did you mean sample",
    "build aaid --out built --tasks V-regg": "did you mean V-reg",
    "build aaid --out built --corpora sample --version one": "one",
    "build aaid --out built --corpora tdt --from out/nope": "out/nope",
    "corpora show sampel": "did you mean sample",
    "corpora fetch sampel": "did you mean sample",
    "corpora fetch tdt --from out/nope": "out/nope",
    "corpora pin My-Corpus --from out": "cannot name a corpus",
    "corpora pin mine --from out/nope": "out/nope",
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("calls")
    for name in ("aaid", "aeb"):
        build_repo(Settings(DATA_SETS[name], corpora=("sample",)), folder / name, validate=False)
    for name in ("out", "tiny"):
        (folder / name).mkdir()
    (folder / "out" / "something").write_text("of others")
    (folder / "notes.txt").write_text("mine")
    (folder / "tiny" / "config.json").write_text("{}")
    done = run_calls(list(CALLS), folder, script=wrong_calls.__file__)
    return dict(zip(CALLS, done, strict=True)) | {"": {"left": left(folder)}}


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("call", CALLS)
def test_a_wrong_call_is_one_line_and_costs_nothing(call: str, results: dict[str, dict[str, Any]]) -> None:
    found = results[call]
    assert (found["code"], found["out"]) == (2, ""), found
    assert found["err"].startswith("error: ")
    assert found["err"].count("\n") == 1, found["err"]
    assert CALLS[call] in found["err"]


def test_wrong_calls_leave_nothing_behind(results: dict[str, dict[str, Any]]) -> None:
    assert results[""]["left"] == ["aaid", "aeb", "notes.txt", "out", "tiny"]


def test_the_hooks_see_what_they_should(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError) as failed:
        run_calls(["validate me/aeb"], tmp_path, {"HF_HUB_OFFLINE": "0"}, wrong_calls.__file__)
    assert "the network is asked" in failed.value.stderr
    (made,) = run_calls(["recipes check emosmol-135m"], tmp_path, script=wrong_calls.__file__)
    assert "is imported" in made["code"]
