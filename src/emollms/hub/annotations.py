"""Annotated texts as a data set on the Hub, with a card that says which model answered what."""

import json
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from huggingface_hub import get_token

from emollms.annotation.annotator import Annotator
from emollms.annotation.columns import answer_fields
from emollms.annotation.questions import Question
from emollms.dataset.card_metadata import size_category
from emollms.dataset.manifest import README
from emollms.errors import EmollmsError
from emollms.hub.card_checks import check_card
from emollms.hub.dataset import load_dataset_back
from emollms.hub.plan import Plan, PushOptions, make_plan, versioned
from emollms.hub.push import push
from emollms.hub.release import LocalFile, Release, local_file, made_file
from emollms.hub.repo import Remote
from emollms.hub.rights import refuse_bound_rows, refuse_known_texts
from emollms.hub.sensitive import check_sensitive
from emollms.network import require_hub
from emollms.progress import OnProgress, silent
from emollms.tasks import RegressionTask
from emollms.templates import render_card

TABLE = "data/train-00000.parquet"
RECORD = "annotation.json"
SEARCHED = 500
"""Rows among which one with an answer is searched."""
_OWN = ("window", "endpoint")
"""What the record of a run has and a published one has not: how it was done, and the address of a server."""


def check_target(repo: str) -> Remote:
    """Make sure, before anything is annotated, that a data set can be published as `repo`.

    Raises:
        UsageError: the name is none.
        EmollmsError: the Hub cannot be reached, or there is no token.
    """
    remote = Remote(repo)
    require_hub()
    if not get_token():
        raise EmollmsError(f"{repo}: not logged in; log in with `hf auth login`, or set HF_TOKEN")
    return remote


def publish_annotations(
    annotator: Annotator,
    table: Path,
    record: Mapping[str, Any],
    repo: str,
    *,
    yes: bool = False,
    public: bool = False,
    on_progress: OnProgress = silent,
    on_plan: Callable[[Plan], None] = lambda plan: None,
    on_step: Callable[[str], None] = lambda step: None,
) -> Plan:
    """Publish an annotated table, all or nothing, as `emollms publish dataset` publishes what was built.

    The first version is 1.0.0; other rows, columns or answers raise its second number, another card alone the third.

    Args:
        annotator: who answered.
        table: what `annotate_file` wrote, as Parquet.
        record: what it wrote beside that.
        repo: `OWNER/NAME`; it is created, private, if it does not exist.
        yes: do it; else it is only planned.
        public: make the repo public, as the last step.
        on_progress: is told how far it is.
        on_plan: called with the plan before anything is sent.
        on_step: called with each step that is done.

    Returns:
        The plan; where it was pushed, with the commit that holds the version.

    Raises:
        UsageError: the name of the repo is none.
        EmollmsError: texts may not be redistributed, hold secrets, or publishing failed; the message says in which
            state the repo is.
    """
    remote, options = check_target(repo), PushOptions(public=public)
    release = versioned(annotation_releases(annotator, table, record, repo), remote)
    plan = make_plan(release, remote, options)
    on_plan(plan)
    if not yes:
        return plan
    numbers = count(1)

    def finish_step(step: str) -> None:
        on_step(step)
        on_progress(f"publishing; the last step: {step}", next(numbers), None)

    return push(plan, remote, options, finish_step)


def annotation_releases(
    annotator: Annotator, table: Path, record: Mapping[str, Any], repo: str
) -> Callable[[str], Release]:
    """A function that makes the release of an annotated table under a version; see `publish_annotations`."""
    shown = {name: _shown(value) for name, value in record.items() if name not in _OWN}
    content = json.dumps(shown, ensure_ascii=False, indent=2) + "\n"
    files = {TABLE: local_file(table, TABLE), RECORD: made_file(RECORD, content.encode())}
    refuse_known_texts(files, str(record.get("input", "")))
    refuse_bound_rows(files)
    notes = check_sensitive(files)

    def release(version: str) -> Release:
        card = _card(annotator, table, shown, repo, version)
        check_card(card, f"the card of {repo}", "dataset")
        whole: dict[str, LocalFile] = {README: made_file(README, card.encode()), **files}
        return Release("dataset", repo.partition("/")[2], version, whole, load_dataset_back, notes)

    return release


def _shown(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _shown(one) for name, one in value.items() if name not in _OWN}
    return [_shown(one) for one in value] if isinstance(value, list | tuple) else value


def _card(annotator: Annotator, table: Path, record: Mapping[str, Any], repo: str, version: str) -> str:
    about, name = pq.read_metadata(table), repo.partition("/")[2]
    size = sum(about.row_group(number).total_byte_size for number in range(about.num_row_groups))
    rows, split = about.num_rows, {"name": "train", "num_bytes": size, "num_examples": about.num_rows}
    metadata = {
        "pretty_name": name,
        "license": "unknown",  # the texts are the user's, and the Hub wants a word
        "language": ["und"],
        "task_categories": ["text-classification"],
        "size_categories": [size_category(rows)],
        "tags": ["emotion", "sentiment", "affective-computing", "machine-annotated", "emollms"],
        "configs": [{"config_name": "default", "data_files": [{"split": "train", "path": TABLE}], "default": True}],
        "dataset_info": [{"config_name": "default", "splits": [split]}],
    }
    names = [predictor.name for predictor in annotator.predictors]
    nested = annotator.questions[0].name + "_confidence" not in record["columns"]
    shown_columns = record["columns"][: 1 if nested else len(answer_fields(annotator.questions[0]))]
    return render_card(
        "annotations.md.j2", metadata, name=name, repo=repo, tag=f"v{version}", rows=rows, models=names,
        predictors=[(who, _how(one)) for who, one in zip(names, record["predictors"], strict=True)],
        questions=[_described(one, annotator) for one in annotator.questions], calibration=annotator.calibration,
        nested=nested, min_confidence=annotator.min_confidence,
        row=json.dumps(_first_answer(table, shown_columns), ensure_ascii=False, indent=2),
    )  # fmt: skip


def _first_answer(table: Path, columns: list[str]) -> dict[str, Any]:
    """These columns of the first row that has an answer; of the first row, where none of the first rows has."""
    with pq.ParquetFile(table) as file:
        batch = next(file.iter_batches(SEARCHED, columns=columns), None)
    rows = batch.to_pylist() if batch else []
    return next((row for row in rows if row[columns[0]] is not None), rows[0] if rows else {})


def _how(predictor: Mapping[str, Any]) -> str:
    """What the answers of a predictor depend on, in words."""
    if "baseline" in predictor:
        return "a lexicon"
    named = ("revision", "engine", "template", "dtype", "decode")
    return ", ".join(f"{name} {predictor[name]}" for name in named if predictor.get(name))


def _described(question: Question, annotator: Annotator) -> dict[str, str]:
    task = question.task
    if isinstance(task, RegressionTask):
        low, high = (task.low, task.high) if annotator.scale == "native" else (0, 1)
        answer = f"a score, {low:g} to {high:g}"
    elif question.kind == "class":
        answer = f"one of {len(question.options)} classes"
    else:
        answer = f"any of {', '.join(question.options)}"
    fitted = annotator.calibration.tasks.get(task.name) if annotator.calibration else None
    calibrated = f"on {fitted.rows:,} rows" if fitted else "no"
    asks = f"{task.about}: {question.emotion}" if question.emotion else task.about
    return {"name": question.name, "asks": asks, "answer": answer, "calibrated": calibrated}
