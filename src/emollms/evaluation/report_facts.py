"""How an evaluation can be made again: its command, and what it was made with."""

import shlex
from collections.abc import Iterator, Mapping

from emollms.evaluation.report_content import RunInfo
from emollms.evaluation.report_input import Run


def run_info(run: Run) -> RunInfo:
    """What a report says about a run."""
    facts = dict(_flat(run.scores.run.model_dump(mode="json", exclude={"settings": {"calibration"}, "command": True})))
    hashes = {f"sha256 of {name}": digest for name, digest in run.digests.items()}
    return RunInfo(run.name, run.scores.kind, run.settings.limit, command(run), facts | hashes)


def command(run: Run) -> str:
    """The command line that the run names; where it was not run from one, what comes nearest."""
    extra = run.scores.run.model_extra or {}
    if words := extra.get("command"):
        return words if isinstance(words, str) else shlex.join(map(str, words))
    settings, about = run.settings, run.scores.run.data
    data = about.get("path") or "@".join(filter(None, (about.get("repo"), about.get("commit"))))
    words = [
        "emollms",
        "evaluate",
        f"--{'model' if run.scores.kind == 'endpoint' else run.scores.kind}",
        run.scores.name,
    ]
    words += ["--data", data, *(["--decode", settings.decode] if settings.decode else []), "--seed", settings.seed]
    words += ["--limit", settings.limit] if settings.limit else []
    return shlex.join([*map(str, words), "--out", run.folder.resolve().name])


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
