"""How an evaluation can be made again: its command, and what it was made with."""

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from emollms.evaluation.report_content import RunInfo
from emollms.evaluation.report_input import Run


def run_info(run: Run) -> RunInfo:
    """What a report says about a run."""
    facts = dict(_flat(run.scores.run.model_dump(mode="json", exclude={"settings": {"calibration"}})))
    hashes = {f"sha256 of {name}": digest for name, digest in run.digests.items()}
    return RunInfo(run.name, run.scores.kind, command(run), facts | hashes)


def command(run: Run) -> str:
    """The command that makes the evaluation again."""
    settings, about = run.scores.run.settings, run.scores.run.data
    words = ["emollms", "evaluate", *_subject(run)]
    words += ["--data", about.get("path") or "@".join(filter(None, (about.get("repo"), about.get("commit"))))]
    words += ["--decode", settings.decode, "--seed", str(settings.seed)]
    words += ["--limit", str(settings.limit)] if settings.limit else []
    words += ["--calibration", "CALIBRATION.json"] if settings.calibration else []
    return shlex.join([*words, "--out", run.folder.resolve().name])


def _subject(run: Run) -> list[str]:
    """Who answered, as options."""
    extra: Mapping[str, Any] = run.scores.run.model_extra or {}
    engine: Mapping[str, Any] = extra.get("engine") or {}
    source: Mapping[str, Any] = getattr(run.settings, "source", None) or {}
    if run.scores.kind == "baseline":
        return ["--baseline", str(source.get("baseline", run.scores.name))]
    if run.scores.kind == "predictions":
        return ["--predictions", "predictions.jsonl"]
    model = str(source.get("model") or engine.get("model") or run.scores.name)
    address = ["--endpoint", str(source["endpoint"])] if source.get("endpoint") else []
    return [*address, "--model", model, *(["--engine", str(source["engine"])] if source.get("engine") else [])]


def _flat(value: object, name: str = "") -> Iterator[tuple[str, str]]:
    """Nested values by their path; what is null is left out."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple):
        yield name, ", ".join(_words(one) for one in value)
    elif value is not None:
        yield name, _words(value)


def _words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
