"""Rows a second and memory of annotation, beside a transformers pipeline that answers the same questions.

    EMOLLMS_CORPORA=~/corpora python benchmarks/annotate.py [--rows N] [--task NAME,…] [--memory-rows N]

One model (SmolLM2-135M-Instruct from PyPI, unless another is named) in float32, and real tweets where EMOLLMS_CORPORA
names the corpora: rows of EI-reg, drawn at random with a fixed seed, so that a tweet occurs as often as it does there.
Each side is a process of its own, one after another, and is asked the same questions about the same rows:

* `emollms`: `Annotator`, with an empty store in memory;
* `pipeline`: `transformers.pipeline("text-generation")` as it comes, a prompt at a time, greedy, with this library's
  limit of new tokens;
* `pipeline, 16`: the same with `batch_size=16`.

Rates are of CPU time of the process once the model is loaded, which other work on the machine changes little; memory is
the peak of the process. A row is a text with the answers to all questions.

What the CPU allows: each question reads the tokens of each different text once, two operations a token and weight
(embeddings left out), at the rate at which its widest layer, prepacked as `emollms` runs it, multiplies 1,024 tokens in
float32, measured in the process of `emollms`. Instructions, the tokens of answers, attention and everything else count
nothing, so that the fraction reached is below 1 for any program.

With --memory-rows, a tiny random model annotates so many rows of a file once more, for the memory alone. The last line
is one JSON object.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch; see emollms.inference.engines

from rich.console import Console
from rich.table import Table

SEED = 0
BATCHES = {"pipeline": 1, "pipeline, 16": 16}


def main() -> None:
    arguments = parse()
    if arguments.side:
        print(json.dumps(run_side(arguments)))
        return
    from emollms.inference.model_names import cache_folder, fetch_packaged

    model = arguments.model or str(fetch_packaged(cache_folder()))
    texts = tweets(arguments.rows)
    with tempfile.TemporaryDirectory() as name:
        measured = partial(in_process, __file__, folder=Path(name), task=arguments.task, threads=arguments.threads)
        sides = {side: measured(side, texts, model=model) for side in ("emollms", *BATCHES)}
        memory = None
        if arguments.memory_rows:
            from emollms.training.tiny import make_tiny

            tiny = make_tiny("smollm2", Path(name) / "tiny")
            memory = measured("file", tweets(arguments.memory_rows), model=tiny)
    figures = {
        "rows": len(texts), "texts": len(set(texts)), "questions": arguments.task.split(","), "sides": sides,
        "bound": bound(sides["emollms"], len(texts)), "memory_alone": memory, "processor": processor(),
        "threads": arguments.threads,
    }  # fmt: skip
    show(figures)
    print(json.dumps(figures))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--memory-rows", type=int, default=100_000, help="0 to leave this part out")
    parser.add_argument("--task", default="valence,anger,fear,joy,sadness,emotions", help="questions of each row")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="threads of torch")
    parser.add_argument("--model", help="another model's folder")
    parser.add_argument("--side", help=argparse.SUPPRESS)
    parser.add_argument("--texts", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def tweets(count: int) -> list[str]:
    """Texts of the rows of EI-reg, and made-up ones where the corpora are not here; over and over if there are few."""
    import pyarrow.parquet as pq

    from emollms.dataset.build import build_repo
    from emollms.dataset.specs import DATA_SETS, Settings

    corpora = () if os.environ.get("EMOLLMS_CORPORA") else ("sample",)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "aeb"
        build_repo(Settings(DATA_SETS["aeb"], corpora=corpora, tasks=("EI-reg",)), out)
        parts = sorted((out / "data" / "EI-reg").glob("*.parquet"))
        found = [text for part in parts for text in pq.read_table(part, columns=["text"])["text"].to_pylist()]
    random.Random(SEED).shuffle(found)
    # A number keeps repeats of the whole apart, so that only the corpus's own duplicates count as such.
    return [found[n % len(found)] + (f" {n // len(found)}" if n >= len(found) else "") for n in range(count)]


def in_process(script: str, side: str, texts: list[str], folder: Path, **options: object) -> dict[str, Any]:
    """What a process of its own measures."""
    print(f"{side} …", file=sys.stderr)
    path = folder / "texts.json"
    path.write_text(json.dumps(texts), encoding="utf-8")
    options |= {"side": side, "texts": path}
    words = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
    done = subprocess.run([sys.executable, script, *words], stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def run_side(arguments: argparse.Namespace) -> dict[str, Any]:
    import torch
    from transformers.utils import logging

    torch.set_num_threads(arguments.threads)
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    texts = json.loads(arguments.texts.read_text(encoding="utf-8"))
    run = {"emollms": with_emollms, "file": with_file}.get(arguments.side) or with_pipeline
    return run(arguments, texts)


def measure(run: Callable[[], None], rows: int) -> dict[str, Any]:
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {"rows": rows, "seconds": wall, "cpu_seconds": cpu, "per_cpu": rows / cpu, "peak_memory": peak}


def annotator(arguments: argparse.Namespace) -> Any:
    import emollms

    return emollms.Annotator.from_pretrained(
        arguments.model, task=arguments.task, template="frame", dtype="float32", fresh=True
    )


def with_emollms(arguments: argparse.Namespace, texts: list[str]) -> dict[str, Any]:
    with annotator(arguments) as own:
        own(["What a first call prepares is nobody's time."])
        figures = measure(lambda: own(texts), len(texts))
        engine = own.predictors[0]._engine()
        tokens = sum(len(engine.encoder.tokenizer(text, add_special_tokens=False).input_ids) for text in set(texts))
        layers = sum(weights.numel() for weights in engine.model.base_model.parameters())  # without the output's
        weights = layers - engine.model.get_input_embeddings().weight.numel()
        operations = 2.0 * weights * tokens * len(own.questions)
        return figures | {"text_tokens": tokens, "operations": operations, "product_rate": product_rate(engine.model)}


def product_rate(model: Any) -> float:
    """Operations a CPU second of the widest layer of the model on 1,024 tokens."""
    import torch

    from emollms.inference.prepacking import prepack

    wide, narrow = model.config.intermediate_size, model.config.hidden_size
    layer = torch.nn.Sequential(torch.nn.Linear(narrow, wide, bias=False))
    prepack(layer)
    tokens, times = torch.randn(1024, narrow), []
    with torch.inference_mode():
        for _ in range(20):
            begin = time.process_time()
            for _ in range(20):
                layer(tokens)
            times.append(time.process_time() - begin)
    return 20 * 2.0 * 1024 * narrow * wide / min(times)


def with_pipeline(arguments: argparse.Namespace, texts: list[str]) -> dict[str, Any]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, pipeline

    from emollms.annotation.questions import questions
    from emollms.inference.decoding import answer_limit
    from emollms.prompts.template import frame

    tokenizer = AutoTokenizer.from_pretrained(arguments.model, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(arguments.model, dtype=torch.float32)
    generate = pipeline("text-generation", model=model, tokenizer=tokenizer, batch_size=BATCHES[arguments.side])

    def run() -> None:
        for question in questions(arguments.task.split(",")):
            settings = {"max_new_tokens": answer_limit(question.task), "do_sample": False, "return_full_text": False}
            generate([frame(question.prompt(text)) for text in texts], **settings)

    generate(["What a first call prepares is nobody's time."], max_new_tokens=2)
    return measure(run, len(texts))


def with_file(arguments: argparse.Namespace, texts: list[str]) -> dict[str, Any]:
    """A file of rows, one question each, as `emollms annotate` does it."""
    from emollms.annotation.inputs import open_input
    from emollms.annotation.run import annotate_file
    from emollms.tables.files import Dialect

    arguments.task = "valence"
    with tempfile.TemporaryDirectory() as name, annotator(arguments) as own:
        path = Path(name) / "texts.jsonl"
        with path.open("w", encoding="utf-8") as stream:
            stream.writelines(json.dumps({"text": text}) + "\n" for text in texts)
        count = len(texts)
        texts.clear()  # what the process holds is then what annotation needs
        source = open_input(str(path), "text", None, Dialect(), Path(name))
        return measure(
            lambda: print(annotate_file(own, source.table, Path(name) / "out.parquet", digest=source.digest)), count
        )


def bound(side: dict[str, Any], rows: int) -> dict[str, float]:
    """The CPU seconds below which no program can be, and the fraction of that rate which was reached."""
    least = side["operations"] / side["product_rate"]
    return {"cpu_seconds": least, "per_cpu": rows / least, "fraction": least / side["cpu_seconds"]}


def processor() -> str:
    """The processor, as the system names it."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").is_file() else []
    name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    special = next((f"with {flag}" for line in lines for flag in ("amx_tile", "avx512f") if flag in line.split()), "")
    return f"{name}, {os.cpu_count()} cores {special}".strip()


def show(figures: dict[str, Any]) -> None:
    ours = figures["sides"]["emollms"]
    table = Table("side", "rows a cpu second", "emollms is", "peak memory")
    for side, found in figures["sides"].items():
        times = "" if side == "emollms" else f"{ours['per_cpu'] / found['per_cpu']:.1f} times as fast"
        table.add_row(side, f"{found['per_cpu']:.3f}", times, f"{found['peak_memory'] / 1e9:.2f} GB")
    Console(width=100).print(table)
    print(f"{figures['rows']:,} rows, {figures['texts']:,} different texts, {len(figures['questions'])} questions")
    least = figures["bound"]
    print(
        f"the CPU allows {least['per_cpu']:.2f} rows a second of its time ({ours['text_tokens']:,} tokens of texts a "
        f"question, {ours['product_rate'] / 1e9:.0f} G operations a second); {least['fraction']:.0%} is reached"
    )
    if memory := figures["memory_alone"]:
        print(f"{memory['rows']:,} rows with a tiny model: peak {memory['peak_memory'] / 1e9:.2f} GB, "
              f"{memory['per_cpu']:.0f} rows a cpu second")  # fmt: skip
    print(f"{figures['processor']}, {figures['threads']} threads")


if __name__ == "__main__":
    main()
