"""Near-duplicate search side by side with other tools: wall time, peak memory, recall and precision.

    python benchmarks/duplicates.py --sizes 58000,234000 --repeats 2
    python benchmarks/duplicates.py --sizes 5000000 --engines emollms          the growth row

Every engine gets the same file of distinct normalised texts (six tokens or more) and writes the pairs whose 4-gram
sets have a Jaccard similarity of 0.7 or more, its candidates verified exactly. Each run is a process of its own, timed
from start to end, with its own peak resident memory (VmHWM) and the processor time of all its threads, which a busy
machine disturbs less than the wall. The engines take turns. LSH engines get 28 bands of 7. emollms runs once before,
untimed, since its first run on a machine compiles (`first_run_seconds`). Recall is against the exact join, or above
`--exact-limit` texts against all pairs that any engine found.

The texts: four fifths are originals, the corpora in EMOLLMS_CORPORA in random order and, where they do not suffice, the
first half of one spliced to the second half of another; the rest are originals with one to three of the edits in
`duplicate_texts.EDITS`. The last line of the output is one JSON object.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from duplicate_engines import ENGINES, PACKAGES
from duplicate_kernels import exact_pairs, permutation_rate, stream_rate
from duplicate_texts import make_texts

GOALS = {
    "datasketch-update": 40.0, "datasketch-generator": 12.0, "rensa": 3.0, "gaoya": 1.4
}  # fmt: skip


def measure(engine: str, texts: Path, out: Path) -> dict[str, float]:
    """Run one engine in its own process: seconds from start to end, peak memory in MB."""
    command = [sys.executable, str(Path(__file__).with_name("duplicate_engines.py")), engine, str(texts), str(out)]
    started = time.perf_counter()
    ended = subprocess.run(command, check=False).returncode
    seconds = time.perf_counter() - started
    if ended:
        raise SystemExit(f"{engine} ended with {ended}")
    kilobytes, cpu = out.with_suffix(".use").read_text().split()
    return {"seconds": seconds, "cpu": float(cpu), "mb": int(kilobytes) / 1024}


def warm_up(engines: list[str], folder: Path) -> float | None:
    """Run emollms once on few texts, so that its kernels are compiled and kept; the seconds that took."""
    if "emollms" not in engines:
        return None
    texts = folder / "warm-up.parquet"
    pq.write_table(pa.table({"text": make_texts(2_000)}), texts)
    return measure("emollms", texts, folder / "warm-up.npy")["seconds"]


def take_turns(engines: list[str], texts: Path, folder: Path, repeats: int) -> dict[str, dict[str, float]]:
    """Every engine `repeats` times, alternating; the median time and the highest memory of each."""
    runs: dict[str, list[dict[str, float]]] = {engine: [] for engine in engines}
    for turn in range(repeats):
        for engine in engines:
            runs[engine].append(measure(engine, texts, folder / f"{engine}.npy"))
            print(f"  turn {turn + 1}: {engine} {runs[engine][-1]['seconds']:.1f} s", file=sys.stderr, flush=True)
    return {
        engine: {
            "seconds": float(np.median([run["seconds"] for run in measured])),
            "cpu": float(np.median([run["cpu"] for run in measured])),
            "mb": max(run["mb"] for run in measured),
        }
        for engine, measured in runs.items()
    }


def score(pairs: np.ndarray, truth: dict[int, float]) -> dict[str, float]:
    """Recall of the true pairs (at 0.7, and of those at 0.8) and precision."""
    found = set(pairs.tolist())
    high = {pair for pair, jaccard in truth.items() if jaccard >= 0.8}
    return {
        "pairs": len(found),
        "recall": len(found & truth.keys()) / max(len(truth), 1),
        "recall_at_0.8": len(found & high) / max(len(high), 1),
        "precision": len(found & truth.keys()) / max(len(found), 1),
    }


def bench_size(size: int, engines: list[str], repeats: int, exact_limit: int, folder: Path) -> dict[str, object]:
    column = make_texts(size)
    texts = folder / f"texts-{size}.parquet"
    pq.write_table(pa.table({"text": column}), texts)
    rows = take_turns(engines, texts, folder, repeats)
    found = {engine: np.load(folder / f"{engine}.npy") for engine in engines}
    truth = exact_pairs(column, None if size <= exact_limit else np.unique(np.concatenate(list(found.values()))))
    for engine in engines:
        rows[engine] |= score(found[engine], truth)
    ours = rows.get("emollms")
    ratios = {} if ours is None else {
        engine: {key: row[of] / ours[of] for key, of in (("time", "seconds"), ("cpu", "cpu"), ("memory", "mb"))}
        for engine, row in rows.items() if engine != "emollms"
    }  # fmt: skip
    oracle = "exact join" if size <= exact_limit else "union of the engines"
    return {"texts": len(column), "truth": len(truth), "oracle": oracle, "engines": rows, "ratios": ratios}


def show(size: int, result: dict) -> None:
    print(f"\n{size:,} texts, {result['truth']:,} pairs by the {result['oracle']}")
    heads = f"{'engine':22}{'seconds':>9}{'cpu':>8}{'MB':>8}{'recall':>9}{'>= 0.8':>9}{'precision':>11}"
    print(f"{heads}{'time x':>8}{'cpu x':>8}{'memory x':>10}")
    for engine, row in result["engines"].items():
        ratio = result["ratios"].get(engine, {"time": 1, "cpu": 1, "memory": 1})
        print(
            f"{engine:22}{row['seconds']:9.2f}{row['cpu']:8.2f}{row['mb']:8.0f}{row['recall']:9.4f}{row['recall_at_0.8']:9.4f}"
            f"{row['precision']:11.4f}{ratio['time']:8.1f}{ratio['cpu']:8.1f}{ratio['memory']:10.1f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="58000,234000", help="how many texts, comma-separated")
    parser.add_argument("--engines", default=",".join(ENGINES), help=f"of {', '.join(ENGINES)}")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--exact-limit", type=int, default=300_000)
    parser.add_argument("--stream", type=int, default=500_000, help="rows of the contamination stream; 0 for none")
    options = parser.parse_args()
    asked = options.engines.split(",")
    missing = [engine for engine in asked if not installed(PACKAGES[engine])]
    engines = [engine for engine in asked if engine not in missing]
    for engine in missing:
        print(f"{engine}: missing (pip install {PACKAGES[engine]})")
    results: dict[str, object] = {"machine": platform.machine(), "cores": os.cpu_count(), "missing": missing}
    with tempfile.TemporaryDirectory() as name:
        results["first_run_seconds"] = warm_up(engines, Path(name))
        for size in (int(part) for part in options.sizes.split(",")):
            result = results[str(size)] = bench_size(size, engines, options.repeats, options.exact_limit, Path(name))
            show(size, result)
    results["goals_at_234000"] = GOALS
    results["permutations"] = permutation_rate()
    print(f"\npermutations: {results['permutations']}")
    if options.stream:
        results["contamination"] = stream_rate(options.stream)
        print(f"contamination stream: {results['contamination']}")
    print(json.dumps(results))


def installed(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


if __name__ == "__main__":
    main()
