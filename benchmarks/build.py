"""AAID `paper` from the raw files: emollms against the straightforward way with the `datasets` library.

    EMOLLMS_CORPORA=~/corpora python benchmarks/build.py [--repeats N]

The peer reads the same tables with the csv module, puts its rows into `Dataset.from_list`, renders them with a Python
function a row in `Dataset.map`, and writes them with `to_parquet`. The quality gate is left out, since the peer
has none. Both sides run in processes of their own, one after
the other; times are of whole processes, and the best of the repeats counts. The last line is one JSON object.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table


def main() -> None:
    arguments = parse()
    if arguments.side:
        print(json.dumps(SIDES[arguments.side](Path(arguments.out))))
        return
    runs: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
    for _ in range(arguments.repeats):
        for side in SIDES:
            runs[side].append(measure(side))
    best = {side: min(found, key=lambda run: run["seconds"]) for side, found in runs.items()}
    figures = {
        **best,
        "times_as_fast": best["datasets"]["seconds"] / best["emollms"]["seconds"],
        "memory_ratio": best["emollms"]["peak_mb"] / best["datasets"]["peak_mb"],
    }
    show(best)
    print(json.dumps(figures))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3, help="how often each side runs")
    parser.add_argument("--side", choices=list(SIDES), help=argparse.SUPPRESS)
    parser.add_argument("--out", help=argparse.SUPPRESS)
    return parser.parse_args()


def measure(side: str) -> dict[str, float]:
    """Run one side in a process of its own: wall seconds, peak memory in MB, and what it says itself."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--side", side, "--out", f"{folder}/out"]
        environment = os.environ | {"HF_DATASETS_CACHE": f"{folder}/cache", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
        start = time.perf_counter()
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
        return {"seconds": time.perf_counter() - start, **json.loads(done.stdout.splitlines()[-1])}


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def with_emollms(out: Path) -> dict[str, float]:
    from emollms.dataset.build import build_repo
    from emollms.dataset.specs import DATA_SETS, Settings

    done = build_repo(Settings(DATA_SETS["aaid"], "paper"), out, validate=False)
    rows = sum(count.rows for count in done.manifest.counts)
    return {"rows": rows, **done.seconds, "peak_mb": peak_mb()}


def with_datasets(out: Path) -> dict[str, float]:
    from datasets import Dataset

    total = 0
    for (task, split), rows in raw_rows().items():
        table = Dataset.from_list(rows).map(render)
        (out / task).mkdir(parents=True, exist_ok=True)
        table.to_parquet(str(out / task / f"{split}.parquet"))
        total += len(table)
    return {"rows": total, "peak_mb": peak_mb()}


def raw_rows() -> dict[tuple[str, str], list[dict[str, object]]]:
    """A dict a row and wording, by task and split, read with the csv module."""
    import csv

    from emollms.corpora.registry import folder, get_corpus
    from emollms.prompts.instructions import wordings

    corpus = get_corpus("semeval2018_task1")
    rows: dict[tuple[str, str], list[dict[str, object]]] = {}
    for file in corpus.meta.files:
        if file.language != "en" or file.split == "test":
            continue
        with (folder(corpus) / file.path).open(encoding="utf-8", newline="") as stream:
            for cells in list(csv.reader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))[1:]:
                rows.setdefault((file.task or "", file.split or ""), []).extend(
                    {"task": file.task, "emotion": file.emotion, "source_id": cells[0], "text": cells[1],
                     "gold": cells[2:] if file.task == "E-c" else [cells[3]], "wording": number}
                    for number in range(len(wordings(file.task or "")))
                )  # fmt: skip
    return rows


def render(row: dict[str, object]) -> dict[str, object]:
    """What a row of the data set needs besides: id, prompt, completion, score, label, labels."""
    from emollms.prompts.answers import answer
    from emollms.prompts.template import end_sentence, prompt
    from emollms.tasks import MultiLabelTask, OrdinalTask, get_task

    task = get_task(row["task"])
    value = gold_value(task, row["gold"])
    text = end_sentence(row["text"])
    return {
        "id": f"semeval2018_task1/{task.name}/{row['source_id']}/{row['emotion'] or '-'}/{row['wording']}",
        "text": text,
        "prompt": prompt(task, text, row["wording"], row["emotion"]),
        "completion": answer(task, value, row["emotion"]),
        "gold": ", ".join(row["gold"]),
        "score": None if isinstance(task, MultiLabelTask) else float(value),
        "label": list(task.classes).index(value) if isinstance(task, OrdinalTask) else None,
        "labels": list(value) if isinstance(task, MultiLabelTask) else [],
        "perspective": task.perspective,
        "language": "en",
        "corpus": "semeval2018_task1",
    }


def gold_value(task: object, cells: list[str]) -> object:
    from emollms.tasks import MultiLabelTask, OrdinalTask

    if isinstance(task, MultiLabelTask):
        return [label for label, cell in zip(task.labels, cells, strict=True) if cell == "1"]
    return int(cells[0].split(":")[0]) if isinstance(task, OrdinalTask) else float(cells[0])


def show(best: dict[str, dict[str, float]]) -> None:
    parts = ("reading", "wording", "writing", "describing")
    table = Table("side", "rows", "seconds", "peak MB", "times as fast", ", ".join(parts))
    slowest = best["datasets"]["seconds"]
    for side, run in best.items():
        shown = ", ".join(f"{run[part]:.2f} s" for part in parts if part in run)
        row = (f"{run['rows']:,}", f"{run['seconds']:.2f}", f"{run['peak_mb']:.0f}", f"{slowest / run['seconds']:.1f}")
        table.add_row(side, *row, shown)
    Console(width=120).print(table)


SIDES = {"emollms": with_emollms, "datasets": with_datasets}

if __name__ == "__main__":
    main()
