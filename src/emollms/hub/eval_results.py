"""Scores of a model as the Hub's leaderboards read them: `.eval_results/*.yaml` in its repo.

The form is that of https://huggingface.co/docs/hub/eval-results, by the client's own functions. A score is of a task
of a benchmark on the Hub, at a commit of it, so that a benchmark which was evaluated from a folder must be named.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml, parse_eval_result_entries

from emollms.dataset.eval_yaml import NAME as EVAL_YAML
from emollms.dataset.eval_yaml import EvalTask, read_eval_yaml
from emollms.dataset.manifest import NAME as MANIFEST
from emollms.errors import EmollmsError, UsageError
from emollms.evaluation.scores import Scores
from emollms.evaluation.task_scores import TaskScores
from emollms.hub.release import LocalFile, made_file
from emollms.hub.repo import Remote
from emollms.hub.state import EVAL_RESULTS
from emollms.locations import hub_repo


@dataclass(frozen=True)
class HubBenchmark:
    """A benchmark on the Hub, at a commit.

    Args:
        repo: `OWNER/NAME`.
        commit: the commit.
        data_set: name of the data set.
        content_hash: hash of its rows.
        tasks: its leaderboards; none where it has no `eval.yaml`.
    """

    repo: str
    commit: str
    data_set: str
    content_hash: str
    tasks: Sequence[EvalTask]

    def task_of(self, task: str, language: str) -> EvalTask | None:
        """The leaderboard of a task in a language; None where there is none."""
        return next((one for one in self.tasks if one.config == task and one.language in (None, language)), None)


def hub_benchmark(name: str) -> HubBenchmark:
    """A benchmark on the Hub.

    Args:
        name: `OWNER/NAME`, for what is at `main`, or `OWNER/NAME@REVISION`.

    Raises:
        UsageError: there is no such repo or revision, or it holds no data set of this package.
    """
    named = hub_repo(name)
    remote = Remote(named.repo)
    state = remote.state()
    if state is None:
        raise UsageError(f"there is no data set {named.repo} on the Hub that this account may see; publish it first")
    commit = remote.commit_of(named.revision) if named.revision else state.head
    files = remote.files(commit)
    if MANIFEST not in files:
        raise UsageError(f"{name} holds no data set that `emollms publish dataset` published: {MANIFEST} is missing")
    manifest: Mapping[str, Any] = yaml.safe_load(remote.read(MANIFEST, commit))
    tasks = read_eval_yaml(remote.read(EVAL_YAML, commit), f"{name}: {EVAL_YAML}") if EVAL_YAML in files else []
    return HubBenchmark(named.repo, commit, str(manifest["data_set"]), str(manifest["content_hash"]), tasks)


def eval_results(
    scores: Sequence[Scores], benchmark_repo: str | None = None
) -> tuple[dict[str, LocalFile], tuple[str, ...]]:
    """The files of the scores of a model, by path, one a benchmark; and what its publisher should know.

    A task that several evaluations have is that of the first, as in the card.

    Args:
        scores: what each `scores.json` holds.
        benchmark_repo: the benchmark, for scores of a folder: `OWNER/NAME`, or `OWNER/NAME@REVISION`.

    Raises:
        UsageError: the benchmark is not there, or holds other rows than were scored.
        EmollmsError: a file is not read back as it was written.
    """
    found: dict[str, dict[tuple[str, str], EvalResultEntry]] = {}
    notes: list[str] = []
    for one in scores:
        benchmark = _benchmark(one, benchmark_repo)
        if isinstance(benchmark, str):
            notes.append(benchmark)
            continue
        entries, left_out = _entries(one, benchmark)
        notes += left_out
        for entry in entries:
            found.setdefault(benchmark.data_set, {}).setdefault((entry.dataset_id, entry.task_id), entry)
    files = {}
    for data_set, by_task in found.items():
        path, entries = f"{EVAL_RESULTS}/{data_set}.yaml", list(by_task.values())
        text = yaml.safe_dump(eval_result_entries_to_yaml(entries), sort_keys=False, allow_unicode=True)
        if parse_eval_results(text, path) != entries:
            raise EmollmsError(f"{path} is not read back as it was written; publish without --scores")
        files[path] = made_file(path, text.encode())
    return files, tuple(dict.fromkeys(notes))


def _benchmark(scores: Scores, benchmark_repo: str | None) -> HubBenchmark | str:
    """The benchmark that scores are of; or why they are of none that can be named."""
    data = scores.run.data
    repo, about = data.get("repo"), f"scores of {scores.name}"
    if not repo and not benchmark_repo:
        return (
            f"the {about} are of a folder, and come into no leaderboard; name the benchmark on the Hub with "
            f"--benchmark-repo OWNER/NAME"
        )
    name = f"{repo}@{data.get('commit')}" if repo else _with_version(str(benchmark_repo), str(data.get("version")))
    try:
        benchmark = hub_benchmark(name)
    except UsageError as error:
        if benchmark_repo:
            raise
        return f"the {about} come into no leaderboard: {error}"
    if benchmark.content_hash != scores.run.settings.data:
        raise UsageError(
            f"the {about} are of rows with content hash {scores.run.settings.data}, and {name} has "
            f"{benchmark.content_hash}; name the benchmark that was evaluated with --benchmark-repo OWNER/NAME@REVISION"
        )
    if not benchmark.tasks:
        return f"{name} has no {EVAL_YAML}, so that the {about} come into no leaderboard"
    return benchmark


def _with_version(name: str, version: str) -> str:
    """A repo at the tag of the version that was evaluated, where it has that tag and no revision is named."""
    named = hub_repo(name)
    if named.revision:
        return name
    state = Remote(named.repo).state()
    return f"{name}@v{version}" if state and f"v{version}" in state.tags else name


def _entries(scores: Scores, benchmark: HubBenchmark) -> tuple[list[EvalResultEntry], list[str]]:
    """The scores of a benchmark's tasks, and a line for each task that cannot be compared with those of others."""
    entries, left_out, settings = [], [], scores.run.settings
    for name, task in scores.tasks.items():
        board = benchmark.task_of(name, settings.language)
        drawn = task.sample
        if board is None:
            left_out.append(f"{benchmark.repo} has no leaderboard for {name} in language {settings.language}")
        elif drawn and drawn.rows < drawn.of:
            left_out.append(f"{name}: a score of {drawn.rows:,} of {drawn.of:,} rows comes into no leaderboard")
        else:
            entries.append(
                EvalResultEntry(
                    dataset_id=benchmark.repo,
                    task_id=board.id,
                    value=task.value,
                    dataset_revision=benchmark.commit,
                    date=scores.run.started_utc or None,
                    notes=_notes(scores, task),
                )
            )
    return entries, left_out


def _notes(scores: Scores, task: TaskScores) -> str:
    """What a reader of a leaderboard should know of a score, in a line."""
    main, settings = task.main_metric, scores.run.settings
    found = main.interval
    interval = f"95 % interval {found.low:.3f} to {found.high:.3f}" if found else "undefined, counted as 0"
    how = [f"decoding {settings.decode}"] if settings.decode else []
    unusual = [f"answers parsed {settings.parse}ly"] if settings.parse != "strict" else []
    unusual += [f"invalid answers: {settings.policy}"] if settings.policy != "official" else []
    return ", ".join([f"{main.title} ({interval}, {main.n:,} rows)", *how, *unusual])


def parse_eval_results(text: str, where: str) -> list[EvalResultEntry]:
    """The scores of a file, as the Hub's client reads them.

    Args:
        text: the file.
        where: what it is called in messages.

    Raises:
        EmollmsError: it holds none.
    """
    try:
        return parse_eval_result_entries(yaml.safe_load(text))
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise EmollmsError(f"{where} holds no scores that the Hub reads ({' '.join(str(error).split())})") from None
