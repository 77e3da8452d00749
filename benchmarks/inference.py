"""Rows a second: emollms against the original release's way and a plain transformers pipeline.

    python benchmarks/inference.py [--rows N] [--model FOLDER] [--threads N]
    EMOLLMS_CORPORA=~/corpora python benchmarks/inference.py --rows 192

One model (SmolLM2-135M-Instruct from PyPI, unless another is named) in float32, in one process, with the same rows of
the AEB in the same order: the real ones where EMOLLMS_CORPORA names the corpora, else made-up ones. Five sides:

* `greedy` and `expected_value`: this library's two ways to an answer;
* `release`: `src/inference.py` of the original release: batches of 16 in file order, padded at the left to the longest,
  sampling (temperature .9, top_k 30, top_p .6, repetition penalty 1.2) with 256 new tokens. The padding token is the
  model's own here; the release fixes it to 0, which other models use for a word;
* `pipeline`: `transformers.pipeline("text-generation")` as it comes, one row at a time, greedy, with this library's
  limit of new tokens;
* `pipeline, 16`: the same with `batch_size=16`, to show what its own batches give.

Rates are of process CPU time, which other work on the machine hardly changes, and of wall time. The model is not tuned,
so it seldom ends an answer by itself: the release's way then makes all its 256 tokens, the other sides stop at their
limit or at a line break. The more rows, the more of them share an instruction, and the further ahead are the first two.
The last line is one JSON object.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch; see emollms.inference.engines

from rich.console import Console
from rich.table import Table

TASKS = ("EI-reg", "V-reg", "V-oc", "E-c")
Answers = dict[str, str]


def main() -> None:
    arguments = parse()
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    from emollms.inference.loading import load
    from emollms.inference.model_names import cache_folder, fetch_packaged

    torch.set_num_threads(arguments.threads)
    logging.disable_progress_bar()
    name = arguments.model or str(fetch_packaged(cache_folder()))
    engine = load(name, template="frame", dtype="float32")
    # The peers have the model as transformers loads it: the layers of the engine's are prepacked.
    plain = AutoModelForCausalLM.from_pretrained(name, dtype=torch.float32)
    rows = sample(arguments.rows)
    sides: dict[str, Callable[[], Answers]] = {
        "greedy": lambda: with_emollms(engine, rows, "greedy"),
        "expected_value": lambda: with_emollms(engine, rows, "expected_value"),
        "pipeline": lambda: with_pipeline(plain, engine.encoder.tokenizer, rows, 1),
        "pipeline, 16": lambda: with_pipeline(plain, engine.encoder.tokenizer, rows, 16),
        "release": lambda: with_release(plain, engine.encoder.tokenizer, rows),
    }
    with_emollms(engine, rows[:2], "greedy")  # what a first call prepares is nobody's time
    runs = {}
    for side, run in sides.items():
        print(f"{side} …", file=sys.stderr)
        runs[side] = measure(run, len(rows))
    show(runs, figures := compare(runs, rows))
    print(json.dumps(figures | {"model": engine.describe().as_dict(), "threads": arguments.threads}))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=96, help="how many rows, spread over the tasks")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="threads of torch")
    parser.add_argument("--model", help="another model's folder")
    return parser.parse_args()


def sample(count: int) -> list[dict[str, Any]]:
    """Rows of the AEB, as many of each task, in file order."""
    import pyarrow.parquet as pq

    from emollms.dataset.build import build_repo
    from emollms.dataset.specs import DATA_SETS, Settings

    corpora = () if os.environ.get("EMOLLMS_CORPORA") else ("sample",)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "aeb"
        build_repo(Settings(DATA_SETS["aeb"], corpora=corpora), out)
        tables = {task: pq.read_table(next((out / "data" / task).glob("test*.parquet"))).to_pylist() for task in TASKS}
    each = -(-count // len(TASKS))
    # The made-up rows are few; a number keeps their repeats apart.
    rows = [
        {**table[number % len(table)], "id": f"{task}/{number}", "prompt": repeated(table, number)}
        for task, table in tables.items()
        for number in range(each)
    ]
    return rows[:count]


def repeated(table: list[dict[str, Any]], number: int) -> str:
    row = table[number % len(table)]
    turn = number // len(table)
    return row["prompt"] if turn == 0 else row["prompt"].replace(row["text"], f"{turn} {row['text']}")


def by_task(rows: list[dict[str, Any]]) -> Iterator[tuple[Any, list[dict[str, Any]]]]:
    from emollms.tasks import get_task

    for name in TASKS:
        if some := [row for row in rows if row["task"] == name]:
            yield get_task(name), some


def with_emollms(engine: Any, rows: list[dict[str, Any]], mode: Any) -> Answers:
    from emollms.inference.decoding import decode

    return {one.id: one.answer for task, some in by_task(rows) for one in decode(engine, task, some, mode)}


def with_pipeline(model: Any, tokenizer: Any, rows: list[dict[str, Any]], batch: int) -> Answers:
    from transformers import pipeline

    from emollms.inference.decoding import answer_limit
    from emollms.inference.engine import first_line
    from emollms.prompts.template import frame

    tokenizer.padding_side = "left"
    generate = pipeline("text-generation", model=model, tokenizer=tokenizer, batch_size=batch)
    answers = {}
    for task, some in by_task(rows):
        settings = {"max_new_tokens": answer_limit(task), "do_sample": False, "return_full_text": False}
        said = generate([frame(row["prompt"]) for row in some], **settings)
        answers |= {row["id"]: first_line(one[0]["generated_text"]) for row, one in zip(some, said, strict=True)}
    return answers


def with_release(model: Any, tokenizer: Any, rows: list[dict[str, Any]]) -> Answers:
    import torch

    from emollms.prompts.template import frame

    torch.manual_seed(123)
    tokenizer.padding_side = "left"
    settings = {"temperature": 0.9, "top_k": 30, "top_p": 0.6, "do_sample": True, "repetition_penalty": 1.2}
    answers = {}
    for first in range(0, len(rows), 16):
        some = rows[first : first + 16]
        inputs = tokenizer([frame(row["prompt"]) for row in some], return_tensors="pt", padding=True)
        made = model.generate(**inputs, **settings, max_new_tokens=256)
        said = tokenizer.batch_decode(made[:, inputs.input_ids.shape[1] :], skip_special_tokens=True)
        answers |= {row["id"]: text for row, text in zip(some, said, strict=True)}
    return answers


def measure(run: Callable[[], Answers], count: int) -> dict[str, Any]:
    wall, cpu = time.perf_counter(), time.process_time()
    answers = run()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"answers": answers, "seconds": wall, "cpu_seconds": cpu, "per_second": count / wall, "per_cpu": count / cpu}


def compare(runs: dict[str, dict[str, Any]], rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Figures without the answers, ratios, and how many answers agree with a greedy pipeline."""
    sides = {side: {name: run[name] for name in run if name != "answers"} for side, run in runs.items()}
    times = {
        f"{ours} / {theirs}": runs[ours]["per_cpu"] / runs[theirs]["per_cpu"]
        for ours in ("greedy", "expected_value")
        for theirs in ("release", "pipeline", "pipeline, 16")
    }
    same = sum(runs["greedy"]["answers"][row["id"]] == runs["pipeline"]["answers"][row["id"]] for row in rows)
    readable = {side: valid(run["answers"], rows) for side, run in runs.items()}
    return {"rows": len(rows), "sides": sides, "times_as_fast": times, "same_greedy": same, "readable": readable}


def valid(answers: Answers, rows: list[dict[str, Any]]) -> int:
    """How many answers can be read."""
    from emollms.prompts.answers import parse_answer
    from emollms.tasks import get_task

    read = (parse_answer(get_task(row["task"]), answers[row["id"]], row["emotion"]) for row in rows)
    return sum(reading.reason is None for reading in read)


def show(runs: dict[str, dict[str, Any]], figures: dict[str, Any]) -> None:
    table = Table(
        "side", "rows a second", "rows a cpu second", "greedy is … times", "expected_value is … times", "readable"
    )
    for side, run in runs.items():
        ratios = [f"{runs[ours]['per_cpu'] / run['per_cpu']:.1f}" for ours in ("greedy", "expected_value")]
        read = f"{figures['readable'][side]} of {figures['rows']}"
        table.add_row(side, f"{run['per_second']:.2f}", f"{run['per_cpu']:.2f}", *ratios, read)
    Console(width=110).print(table)
    print(f"greedy answers equal to the pipeline's: {figures['same_greedy']} of {figures['rows']}")


if __name__ == "__main__":
    main()
