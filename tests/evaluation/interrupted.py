"""Evaluations that are cut off and resumed, to be compared with one that was not; several batches and windows each.

Run as a program it does the same in a process of its own, whose instructions the environment may limit (`AVX2`).
"""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from shutil import copytree
from typing import Any
from unittest import mock

import pytest
import torch

from emollms.dataset.reader import Dataset
from emollms.evaluation.model_predictor import model_predictor
from emollms.evaluation.run import EvaluationOptions, run_benchmark
from emollms.inference import batching, engines, transformers_engine
from emollms.inference.decoding import Decode
from emollms.inference.predictions import PredictionFile

AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}
"""What makes a CPU behave as one with AVX2 alone, where float32 sums depend most on what else is in a batch."""
BEYOND_AVX2 = pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() == "AVX2", reason="this CPU has AVX2 alone: the other tests run that"
)
WINDOW, BATCH_TOKENS = 16, 700


@dataclass(frozen=True)
class Case:
    """What is asked, and after how many answers it is cut off: in the first batch, and in the middle of others."""

    limit: int
    stops: tuple[int, ...]
    small: bool
    mode: Decode = Decode.expected_value

    @property
    def options(self) -> EvaluationOptions:
        return EvaluationOptions(tasks=("EI-oc", "V-reg", "E-c"), limit=self.limit, decode=self.mode)


MANY = Case(limit=25, stops=(1, 13, 40, 66), small=True)
FEW = Case(limit=6, stops=(2, 9, 15), small=False)
"""One batch a task: which instructions were read before it must not matter."""


class CutOffError(Exception):
    """Stands for a kill: nothing is written after it."""


def main() -> None:
    model, data, out = map(Path, sys.argv[1:])
    torch.set_num_threads(1)
    compare(model, data, out / "many", MANY)
    compare(model, data, out / "few", FEW)


def compare(model: Path, data: Path, out: Path, case: Case) -> None:
    """Make sure that runs which were cut off end with the bytes of one that was not."""
    whole = run(model, data, out / "whole", case)
    for stop in case.stops:
        begun = cut_off(model, data, out / f"{stop}", case, stop)
        assert (begun / "predictions.jsonl").read_bytes().count(b"\n") == stop
        # run.json, and so the time at which the run began, is that of the whole run
        (begun / "run.json").write_bytes((whole / "run.json").read_bytes())
        resumed = run(model, data, begun, case)
        for name in ("predictions.jsonl", "scores.json"):
            assert untimed(resumed / name) == untimed(whole / name), f"{case}, cut off after {stop} answers: {name}"
    torn = copytree(whole, out / "torn")
    (torn / "scores.json").unlink()
    file = torn / "predictions.jsonl"
    file.write_bytes(file.read_bytes()[:-40])
    assert untimed(run(model, data, torn, case) / "predictions.jsonl") == untimed(whole / "predictions.jsonl")


def run(model: Path, data: Path, out: Path, case: Case) -> Path:
    with small_batches() if case.small else nullcontext():
        predictor = model_predictor(str(model), decode=case.mode, display_name="tiny")
        run_benchmark(predictor, Dataset(data), out, case.options)
    return out


def cut_off(model: Path, data: Path, out: Path, case: Case, stop: int) -> Path:
    add, left = PredictionFile.add, stop

    def add_and_end(self: PredictionFile, predictions: Any) -> None:
        nonlocal left
        add(self, predictions)
        left -= 1
        if not left:
            raise CutOffError

    try:
        with mock.patch.object(PredictionFile, "add", add_and_end):
            run(model, data, out, case)
    except CutOffError:
        return out
    raise AssertionError(f"the run has no {stop} answers")


@contextmanager
def small_batches() -> Iterator[None]:
    """Windows of a few rows, and batches of fewer, as long runs have them."""
    opened = partial(engines.open_engine, batch_tokens=BATCH_TOKENS)
    classifier = partial(engines.open_classifier, batch_tokens=BATCH_TOKENS // 10)
    windows = partial(batching.windows, size=WINDOW)
    with (
        mock.patch.object(engines, "open_engine", opened),
        mock.patch.object(engines, "open_classifier", classifier),
        mock.patch.object(batching, "windows", windows),
        mock.patch.object(transformers_engine, "_PARTS", 1),  # or each row that is scored is a batch
    ):
        yield


def untimed(path: Path) -> bytes:
    """A file without its times, which no two runs have in common."""
    return re.sub(rb'"seconds": [0-9.e-]+', b'"seconds": 0', path.read_bytes())


if __name__ == "__main__":
    main()
