"""The record of a run that never was, with scores and a calibration, for cards."""

from typing import Any

from emollms.evaluation.calibration import Calibration
from emollms.evaluation.scores import Scores
from emollms.training.manifest import RunManifest

COMMIT = "1f0c" * 10
HASH = "ab12" * 16
TEACHER = {
    "names": ["EmoLLaMA", "VADER"], "predictors": [], "questions": ["V-reg"], "calibrated": True,
    "min_confidence": None, "weight": 0.5,
    "texts": {
        "name": "/home/jane/p.csv", "sha256": HASH, "rows": 9, "no_text": 0, "repeated": 1, "held_out": 2,
        "no_answer": 0, "validation": 1, "train": 5,
    },
}  # fmt: skip
"""The record of the teacher of a run that was distilled."""


def made_up_run(**changes: Any) -> RunManifest:
    """A run of three tasks; `changes` replaces parts of it, those of parts by name too."""
    values: dict[str, Any] = {
        "name": "emo-tiny",
        "command": ["emollms", "train", "emo-tiny", "--data", "/home/jane/data/aaid", "--out", "/home/jane/runs/emo"],
        "recipe": {
            "name": "emo-tiny",
            "sha256": HASH,
            "values": {
                "model_name_or_path": "example/tiny-base",
                "learning_rate": 1e-4,
                "output_dir": "/home/jane/runs",
            },
            "overrides": ["learning_rate=1e-4"],
        },
        "data": {
            "target": "out/aaid",
            "data_set": "aaid",
            "title": "Affective Analysis Instruction Data (AAID)",
            "version": "1.0.0",
            "profile": "release",
            "content_hash": HASH,
            "sources": [
                {"corpus": "semeval2018_task1", "license": "other", "redistribution": "ids"},
                {"corpus": "sample", "license": "mit", "redistribution": "text"},
            ],
        },
        "model": {
            "name": "example/tiny-base",
            "repository": "example/tiny-base",
            "revision": COMMIT,
            "family": "llama",
            "architecture": "causal",
            "parameters": 134_515_008,
            "trainable": 134_515_008,
        },
        "hardware": {
            "device": "Example CPU",
            "accelerators": 0,
            "accelerator_memory": 0,
            "cpu": "Example CPU",
            "cores": 2,
            "memory": 8 * 2**30,
            "processes": 1,
            "precision": "bfloat16",
            "attention": "eager",
            "kernels": ["compact-head"],
        },
        "method": "full",
        "template": "frame",
        "objective": "expected_value",
        "seed": 42,
        "versions": {"python": "3.11.7", "torch": "2.13.0", "transformers": "5.24.0"},
        "rows": {
            "EI-reg": {"train": 7084, "validation": 200, "cut_off": 3, "shared": 12},
            "V-oc": {"train": 1179, "validation": 200, "cut_off": 0, "shared": 4},
            "E-c": {"train": 6820, "validation": 200, "cut_off": 1, "shared": 0},
        },
        "started": "2026-01-02T03:04:05+00:00",
        "seconds": 3723.4,
        "resumed": 1,
        "steps": 1886,
        "epochs": 1.0,
        "tokens": 1_250_000,
        "answer_tokens": 98_000,
        "energy_joules": 180_000.0,
        "peak_memory": 3 * 2**30,
        "selection": "metric",
        "best_step": 1400,
        "losses": [
            {"step": step, "epoch": step / 1886, "loss": round(2.5 / (1 + step / 200) + 0.4, 4), "learning_rate": 1e-4}
            for step in range(10, 1887, 10)
        ],
        "evaluations": [
            {
                "step": step,
                "epoch": step / 1886,
                "loss": round(0.9 - step / 4000, 4),
                "metric": round(0.4 + step / 5000, 4),
                "tasks": {"EI-reg": 0.5, "V-oc": 0.6, "E-c": 0.4},
            }
            for step in range(100, 1887, 100)
        ],
        "made_with": "0.1.0",
    }
    for name, value in changes.items():
        values[name] = {**values.get(name, {}), **value} if isinstance(value, dict) else value
    return RunManifest.model_validate(values)


def figure(value: float, n: int, **more: Any) -> dict[str, Any]:
    """A value with its interval."""
    return {"value": value, "low": round(value - 0.02, 4), "high": round(value + 0.02, 4), "n": n, **more}


def entry(task: str, n: int, metrics: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The scores of a task; the first metric is the main one."""
    main = next(iter(metrics))
    invalid = {"policy": "official", "rate": 0.0, "n": 0, "reasons": {}}
    about = {"scored_by": "answer", "sample": {"rows": n, "of": n, "seed": 0}}
    scores = {"task": task, "main": main, "value": metrics[main]["value"], "n": n, "scored": n, "invalid": invalid}
    return {**scores, "metrics": metrics, **about, **more}


def made_up_scores(**settings: Any) -> Scores:
    """Scores of the three tasks."""
    return Scores.model_validate(scores_json(**settings))


def scores_json(**settings: Any) -> dict[str, Any]:
    """A `scores.json` of the three tasks."""
    parts = {name: figure(0.7 + place / 100, 1000) for place, name in enumerate(("anger", "fear", "joy", "sadness"))}
    return {
        "format": 1,
        "name": "emo-tiny",
        "kind": "model",
        "run": {
            "command": ["emollms", "evaluate", "--model", "/home/jane/runs/emo/merged", "--data", "out/aeb"],
            "settings": {
                "decode": "expected_value", "split": "test", "language": "en", "limit": None, "seed": 0,
                "policy": "official", "calibration": None, **settings,
            },
            "data": {
                "path": "/home/jane/out/aeb", "data_set": "aeb", "title": "Affect Evaluation Benchmark (AEB)",
                "version": "1.0.0", "profile": "release", "content_hash": HASH,
            },
        },
        "tasks": {
            "EI-reg": entry(
                "EI-reg", 4068,
                {
                    "pearson": figure(0.715123456, 4068, title="Pearson's r", parts=parts),
                    "pearson_upper_half": figure(0.5212, 2001, title="Pearson's r, gold ≥ 0.5", parts={}),
                },
            ),
            "V-oc": entry(
                "V-oc", 937,
                {
                    "pearson": figure(0.777, 937, title="Pearson's r", parts={}),
                    "kappa": figure(0.75, 937, title="quadratic weighted kappa", parts={}),
                },
                calibration={"error": 0.0321, "bins": []},
            ),
            "E-c": entry(
                "E-c", 3259,
                {
                    "jaccard_weighted": figure(0.53, 3259, title="Jaccard index of labels", parts={}),
                    "macro_f1": figure(0.47, 3259, title="macro-F1", parts={"joy": figure(0.8, 1442)}),
                },
            ),
        },
    }  # fmt: skip


def _conformal(**changes: Any) -> dict[str, Any]:
    return {"coverage": 0.9, "rows": 442, "error": 0.021, "confidence": [0.5] * 10, **changes}


CALIBRATION = Calibration.model_validate(
    {
        "model": "me/emo-tiny",
        "data": "aaid 1.0.0",
        "data_hash": HASH,
        "settings": {"engine": "transformers"},
        "tasks": {
            "EI-reg": {"rows": 388, "error_after": 0.022, "conformal": _conformal(width=0.1785)},
            "V-oc": {
                "temperature": 1.234, "rows": 442, "error_before": 0.11, "error_after": 0.031,
                "conformal": _conformal(level=0.93),
            },
            "E-c": {
                "thresholds": {"anger": 0.41, "joy": 0.52}, "rows": 877, "error_before": 0.05, "error_after": 0.05,
            },
        },
        "uncalibrated": ["SST", "V-A"],
    }
).model_dump(mode="json")  # fmt: skip
CARD = {"repo": "me/emo-tiny", "version": "1.0.0", "license": "apache-2.0", "relation": "finetune"}
