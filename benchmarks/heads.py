"""Texts a CPU second of a one-pass classifier, beside a prompted model and a transformers pipeline.

    EMOLLMS_CORPORA=~/corpora python benchmarks/heads.py [--rows N] [--prompt-rows N] [--model FOLDER] [--onnx]

Every text gets an answer to every question of AAID: EI-reg and EI-oc of four emotions each, V-reg, V-oc and E-c. Texts
are those of `annotate.py`: real tweets where EMOLLMS_CORPORA names the corpora, in the order in which they come and as
often as they do. Each side is a process of its own, one after another, in the same number type, with the same threads:

* `emollms`: `Annotator` with the classifier, and an empty store in memory;
* `pipeline, 32`: `transformers.pipeline("text-classification")` with the same classifier and `batch_size=32`, which
  gives a sigmoid for each output;
* `onnx` and `onnx, int8`, with --onnx: `Annotator` with the classifier in ONNX Runtime, exported before;
* `prompts`: `Annotator` with SmolLM2-135M-Instruct from PyPI, a prompt for each question. As many texts as
  --prompt-rows are enough for a rate.

Without --model the classifier is that SmolLM2 with outputs nobody trained, which are computed at the same speed.
Rates are of CPU time of the process once the model is loaded; memory is the peak of the process. `emollms` and the
pipeline have to agree on every score within 0.001 for the figures to count. The last line is one JSON object.
"""

import argparse
import json
import os
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch; see emollms.inference.engines

from annotate import in_process, measure, processor, tweets
from rich.console import Console
from rich.table import Table

TASKS = ("EI-reg", "EI-oc", "V-reg", "V-oc", "E-c")
CHECKED = "V-reg"
TOLERANCE = 1e-3
SIDES: dict[str, dict[str, str]] = {
    "emollms": {}, "onnx": {"engine": "onnx"}, "onnx, int8": {"engine": "onnx", "dtype": "int8"},
    "prompts": {"template": "frame"},
}  # fmt: skip
"""Further options of `Annotator`."""
FIRST = "What a first call prepares is nobody's time."


def main() -> None:
    arguments = parse()
    if arguments.side:
        print(json.dumps(run_side(arguments)))
        return
    from emollms.inference.model_names import cache_folder, fetch_packaged

    prompted = str(fetch_packaged(cache_folder()))
    texts = tweets(arguments.rows)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = arguments.model or untrained(prompted, folder / "model")
        names = ["emollms", "pipeline, 32", *(["onnx", "onnx, int8"] if arguments.onnx else [])]
        measured = partial(in_process, __file__, folder=folder, threads=arguments.threads, dtype=arguments.dtype)
        sides = {name: measured(name, texts, model=model) for name in names}
        check(sides["emollms"], sides["pipeline, 32"])
        if arguments.prompt_rows:
            sides["prompts"] = measured("prompts", texts[: arguments.prompt_rows], model=prompted)
    for found in sides.values():
        del found["scores"]
    figures = {
        "rows": len(texts), "texts": len(set(texts)), "tasks": TASKS, "dtype": arguments.dtype, "sides": sides,
        "processor": processor(), "threads": arguments.threads,
    }  # fmt: skip
    show(figures)
    print(json.dumps(figures))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--prompt-rows", type=int, default=48, help="0 to leave this side out")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="threads of torch")
    parser.add_argument("--dtype", default="float32", choices=("float32", "bfloat16"))
    parser.add_argument("--model", help="the folder of a classifier that `emollms train` made")
    parser.add_argument("--onnx", action="store_true", help="ONNX Runtime as well")
    parser.add_argument("--side", help=argparse.SUPPRESS)
    parser.add_argument("--texts", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def untrained(base: str, folder: Path) -> str:
    """A classifier of the right shape, with outputs that nobody trained."""
    import torch
    from transformers import AutoTokenizer

    from emollms.inference.heads import Heads
    from emollms.inference.heads_engine import read_out_before_padding
    from emollms.inference.weights import load_whole
    from emollms.tasks import get_task

    torch.manual_seed(0)
    heads = Heads.of([get_task(name) for name in TASKS])
    model, tokenizer = load_whole(base, dtype=torch.float32, heads=heads), AutoTokenizer.from_pretrained(base)
    read_out_before_padding(model, tokenizer)
    for one in (model, tokenizer):
        one.save_pretrained(folder)
    return str(folder)


def run_side(arguments: argparse.Namespace) -> dict[str, Any]:
    import torch
    from transformers.utils import logging

    torch.set_num_threads(arguments.threads)
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    texts = json.loads(arguments.texts.read_text(encoding="utf-8"))
    return with_pipeline(arguments, texts) if arguments.side.startswith("pipeline") else with_emollms(arguments, texts)


def with_emollms(arguments: argparse.Namespace, texts: list[str]) -> dict[str, Any]:
    import emollms

    options = {"task": ",".join(TASKS), "dtype": arguments.dtype, "fresh": True, **SIDES[arguments.side]}
    with emollms.Annotator.from_pretrained(arguments.model, **options) as own:
        own([FIRST])
        found: list[Any] = []
        figures = measure(lambda: found.append(own(texts)), len(texts))
        return figures | {"scores": found[0].to_pandas()[CHECKED].tolist()}


def with_pipeline(arguments: argparse.Namespace, texts: list[str]) -> dict[str, Any]:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

    from emollms.prompts.template import one_line

    tokenizer = AutoTokenizer.from_pretrained(arguments.model)
    dtype = getattr(torch, arguments.dtype)
    model = AutoModelForSequenceClassification.from_pretrained(arguments.model, dtype=dtype)
    classify = pipeline(
        "text-classification", model=model, tokenizer=tokenizer, top_k=None, function_to_apply="sigmoid", batch_size=32
    )
    classify([FIRST])
    texts = [one_line(text) for text in texts]  # as the classifier was tuned
    found: list[Any] = []
    figures = measure(lambda: found.extend(classify(texts)), len(texts))
    scores = [next(one["score"] for one in outputs if one["label"] == CHECKED) for outputs in found]
    return figures | {"scores": scores}


def check(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    furthest = max(abs(one - other) for one, other in zip(ours["scores"], theirs["scores"], strict=True))
    if furthest > TOLERANCE:
        sys.exit(f"the sides differ by {furthest:.4f} on {CHECKED}: they do not compute the same")


def show(figures: dict[str, Any]) -> None:
    ours = figures["sides"]["emollms"]
    table = Table("side", "texts", "texts a cpu second", "emollms is", "peak memory")
    for side, found in figures["sides"].items():
        times = "" if side == "emollms" else f"{ours['per_cpu'] / found['per_cpu']:.1f} times as fast"
        table.add_row(
            side, f"{found['rows']:,}", f"{found['per_cpu']:.2f}", times, f"{found['peak_memory'] / 1e9:.2f} GB"
        )
    Console(width=100).print(table)
    print(f"{figures['rows']:,} texts, {figures['texts']:,} of them different; every question of {', '.join(TASKS)}")
    print(f"{figures['processor']}, {figures['threads']} threads, {figures['dtype']}")


if __name__ == "__main__":
    main()
