"""The answers of an evaluation as a data set on the Hub, which anyone can score again: see `evaluation.answer_sets`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from emollms.dataset.card_metadata import size_category
from emollms.dataset.manifest import README
from emollms.dataset.reader import TEST, Dataset
from emollms.errors import EmollmsError, UsageError
from emollms.evaluation.answer_set_writer import QUOTE, write_answer_set
from emollms.evaluation.answer_sets import COLUMNS, AnswerSet
from emollms.evaluation.run_folder import SCORES
from emollms.evaluation.scores import Scores
from emollms.hub.card_checks import check_card
from emollms.hub.dataset import load_dataset_back
from emollms.hub.model_scores import score_tables
from emollms.hub.release import Release, local_files, made_file
from emollms.hub.rights import bound_corpora, refuse_bound_ids, refuse_bound_rows
from emollms.hub.sensitive import check_sensitive
from emollms.templates import render_card


def answer_releases(run: Path, repo: str, scratch: Path, data: str | None = None) -> Callable[[str], Release]:
    """A function that makes the release of the answers of a run under a version; only the card differs.

    Args:
        run: what `emollms evaluate` wrote.
        repo: the repo, for the card.
        scratch: a folder that stays until the release is sent.
        data: the benchmark, a folder or a repo; None for the one that the run names.

    Raises:
        UsageError: `run` is no finished evaluation, or its benchmark is not here, or is another one.
        EmollmsError: the scores are not those of the answers, or the answers may not be published.
    """
    opened = _benchmark(run, data)
    out = scratch / "answers"
    bound = bound_corpora(opened.manifest.sources)
    scores = write_answer_set(run, opened, bound, out)
    files = local_files(out, [path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()])
    refuse_bound_ids(opened.manifest.sources, files)
    refuse_bound_rows(files)
    notes = check_sensitive(files)
    name = repo.partition("/")[2]

    def make(version: str) -> Release:
        card = _card(scores, out, repo, version, sorted(bound))
        check_card(card, f"the card of {repo}", "dataset")
        whole = {README: made_file(README, card.encode()), **files}
        return Release("dataset", name, version, whole, load_answers_back, notes)

    return make


def _benchmark(run: Path, data: str | None) -> Dataset:
    if not (run / SCORES).is_file():
        raise UsageError(f"{run} is no finished evaluation: {SCORES} is missing; `emollms evaluate` writes it")
    place = data or Scores.read(run / SCORES).run.data_target()
    if not place:
        raise UsageError(f"{run / SCORES} does not say where its data set is; give it with --data")
    try:
        return Dataset(place)
    except UsageError:
        if data:
            raise
        raise UsageError(f"{place}, the data set of {run}, is not here; give it with --data") from None


def load_answers_back(folder: Path, cache: Path) -> None:
    """Load every table of published answers, and read their scores.

    Args:
        folder: what was downloaded.
        cache: an empty folder.

    Raises:
        EmollmsError: they do not load.
    """
    load_dataset_back(folder, cache)
    if not AnswerSet.read(folder).hashes:
        raise EmollmsError(f"{folder} holds no answers")


def _card(scores: Scores, out: Path, repo: str, version: str, bound: list[str]) -> str:
    rows = {task: pq.read_metadata(out / _place(task)).num_rows for task in scores.tasks}
    about = scores.run.data
    metadata: dict[str, Any] = {
        "pretty_name": f"Answers of {scores.name} to {about.get('title')}",
        "license": "unknown",  # the answers are a model's, and the Hub wants a word
        "language": [scores.run.settings.language],
        "task_categories": ["text-classification"],
        "size_categories": [size_category(sum(rows.values()))],
        "tags": ["emotion", "sentiment", "affective-computing", "model-answers", "emollms"],
        "configs": [{"config_name": task, "data_files": [{"split": TEST, "path": _place(task)}]} for task in rows],
        "dataset_info": [_info(task, out / _place(task)) for task in rows],
    }
    engine = scores.run.engine or {}
    named = {
        "kind": scores.kind, "model": engine.get("model"), "revision": engine.get("revision"),
        "engine": engine.get("engine"), "numbers": engine.get("dtype"), "template": engine.get("template"),
        "device": scores.run.hardware.get("device"), "processor": scores.run.hardware.get("processor"),
        "seconds of computing": f"{scores.run.seconds:,.1f}" if scores.run.seconds else None,
        "benchmark": f"{about.get('title')} {about.get('version')}, profile {about.get('profile')}",
        "content hash": about.get("content_hash"),
    }  # fmt: skip
    return render_card(
        "answers.md.j2", metadata, name=scores.name, repo=repo, tag=f"v{version}", rows=rows, total=sum(rows.values()),
        facts={key: value for key, value in named.items() if value}, table=score_tables([scores])[0], bound=bound,
        columns=COLUMNS, quote=QUOTE, benchmark_repo=about.get("repo"), first=next(iter(rows)),
    )  # fmt: skip


def _place(task: str) -> str:
    return f"data/{task}/{TEST}-00000.parquet"


def _info(task: str, table: Path) -> dict[str, Any]:
    about = pq.read_metadata(table)
    size = sum(about.row_group(number).total_byte_size for number in range(about.num_row_groups))
    return {"config_name": task, "splits": [{"name": TEST, "num_bytes": size, "num_examples": about.num_rows}]}
