"""Answers of a run, written as a data set that may leave: see `answer_sets`."""

import difflib
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa
import pyarrow.parquet as pq

from emollms.dataset.reader import TEST, Dataset, Row
from emollms.dataset.schema import row_hash
from emollms.errors import EmollmsError, UsageError
from emollms.evaluation.answer_sets import asked_rows
from emollms.evaluation.parsing import parse_predictions
from emollms.evaluation.run_folder import PREDICTIONS, SCORES
from emollms.evaluation.scores import Scores
from emollms.evaluation.scoring import task_scores
from emollms.inference.decoding import Decode
from emollms.inference.predictions import Prediction, read_predictions
from emollms.locations import is_local
from emollms.prompts.answers import AnswerError, Parse, ParsedAnswer, answer, parse_answer
from emollms.tasks import RegressionTask, Task, get_task

QUOTE = 20
"""Characters that an answer has in common with a text, from which on they are a quotation."""
SHORTEST = 8
"""A text of fewer characters, such as `so sad`, is nobody's to keep."""
GAP = "…"
"""What replaces a quotation that may not be passed on."""


def write_answer_set(run: Path, data: Dataset, bound: Collection[str], out: Path) -> Scores:
    """Write the answers of a run as a data set into a folder that is there.

    Args:
        run: what `emollms evaluate` wrote.
        data: the benchmark that was evaluated.
        bound: the corpora whose texts may not be passed on: quotations of them are taken out of answers.
        out: the folder.

    Returns:
        The scores, as they were written.

    Raises:
        UsageError: `run` is no finished evaluation, or `data` is another benchmark.
        EmollmsError: the scores are not those of the answers, or an answer cannot do without a quotation.
    """
    for name in (SCORES, PREDICTIONS):
        if not (run / name).is_file():
            raise UsageError(f"{run} is no finished evaluation: {name} is missing; `emollms evaluate` writes it")
    scores, predictions = Scores.read(run / SCORES), read_predictions(run / PREDICTIONS)
    found = data.manifest.content_hash
    if found != scores.run.settings.data:
        raise UsageError(
            f"{data.target} has content hash {found}, but {run} was evaluated on {scores.run.settings.data}; "
            "give the evaluated data set with --data"
        )
    for task in map(get_task, scores.tasks):
        rows = asked_rows(data, task, scores)
        shown = _without_quotes(task, rows, predictions, bound)
        _check_scores(task, rows, shown, scores, run)
        digests = {row["id"]: row_hash(row) for row in data.table(task.name, TEST).to_pylist()}
        _write(out / "data" / task.name / f"{TEST}-00000.parquet", rows, shown, digests)
    published = _without_places(scores)
    published.write(out / SCORES)
    return published


def _check_scores(task: Task, rows: Sequence[Row], shown: Mapping[str, Prediction], scores: Scores, run: Path) -> None:
    """Make sure that the scores of a task are those of the answers as they go out."""
    settings = scores.run.settings
    fitted = settings.calibration.tasks.get(task.name) if settings.calibration else None
    decode = settings.decode or Decode.expected_value
    parsed = parse_predictions(task, rows, shown, decode, fitted, settings.parse, settings.scale)
    if task_scores(task, rows, parsed, settings.policy, scores.tasks[task.name].sample) != scores.tasks[task.name]:
        raise EmollmsError(
            f"the scores of {task.name} in {run} are not those of its answers; evaluate again, and publish that"
        )


def _without_quotes(
    task: Task, rows: Sequence[Row], predictions: Mapping[str, Prediction], bound: Collection[str]
) -> dict[str, Prediction]:
    """The answers to rows, by id; those to rows of bound corpora without quotations, and read as before."""
    found = {}
    for row in rows:
        said = predictions.get(str(row["id"]))
        if said is not None:
            quoted = row["corpus"] in bound
            found[said.id] = replace(said, answer=_cut(task, said.answer, row)) if quoted else said
    return found


def _cut(task: Task, said: str, row: Row) -> str:
    cut = without_quotes(said, str(row["text"]))
    emotion: str | None = row["emotion"]
    if cut == said:
        return said
    masked = without_quotes(said, str(row["text"]), lambda quoted: _mask(task, quoted, emotion))
    for candidate in (cut, masked, *_canonical(task, said, emotion)):
        if list(_readings(task, candidate, emotion)) == list(_readings(task, said, emotion)):
            return candidate
    raise EmollmsError(
        f"the answer to {row['id']} quotes a text that may not be passed on, and is read otherwise without it; take it "
        f"out of {PREDICTIONS}, and evaluate again"
    )


def _mask(task: Task, quoted: str, emotion: str | None) -> str:
    """A quotation with its words crossed out, but for numbers and for what would be an answer by itself."""

    def crossed(found: re.Match[str]) -> str:
        is_answer = parse_answer(task, found[0], emotion, parse="lenient").value is not None
        return found[0] if is_answer else "x" * len(found[0])

    return re.sub(r"[^\W\d_]+", crossed, quoted)


def _canonical(task: Task, said: str, emotion: str | None) -> Iterator[str]:
    """The answers that a model is to give, for what an answer is read as."""
    for read in _readings(task, said, emotion):
        if read.value is not None:
            with suppress(AnswerError):
                yield answer(task, read.value, emotion)


def _readings(task: Task, said: str, emotion: str | None) -> Iterator[ParsedAnswer]:
    """What an answer says, by both rules and on both scales, without the words that a reason repeats."""
    scales: list[tuple[float, float]] = [(0.0, 1.0)]
    if isinstance(task, RegressionTask):
        scales += [(task.low, task.high), (min(task.low, 0.0), max(task.high, 1.0))]
    for scale in scales:
        for parse in get_args(Parse):
            read = parse_answer(task, said, emotion, scale, parse)
            yield replace(read, reason=read.reason and read.reason.split(": ")[0])


def without_quotes(said: str, text: str, instead: Callable[[str], str] = lambda quoted: GAP) -> str:
    """An answer without whatever it has in common with a text, from `QUOTE` characters on, or all of a short text.

    Args:
        said: the answer.
        text: the text.
        instead: gives what replaces a quotation; an ellipsis by default.
    """
    match = difflib.SequenceMatcher(None, said.lower(), text.lower(), autojunk=False).find_longest_match()
    if match.size < max(SHORTEST, min(QUOTE, len(text))):
        return said
    if len(said.lower()) != len(said):  # a letter that has two in lower case moves the places
        return instead(said)
    before, after = said[: match.a], said[match.a + match.size :]
    quoted = instead(said[match.a : match.a + match.size])
    return without_quotes(before, text, instead) + quoted + without_quotes(after, text, instead)


def _write(path: Path, rows: Sequence[Row], shown: Mapping[str, Prediction], digests: Mapping[str, str]) -> None:
    ids = [str(row["id"]) for row in rows if row["id"] in shown]
    said = [shown[row_id] for row_id in ids]
    names = dict.fromkeys(name for one in said for name in one.probabilities or ())
    shares = pa.struct([(name, pa.float64()) for name in names]) if names else pa.null()
    columns = {
        "id": pa.array(ids, pa.string()),
        "answer": pa.array([one.answer for one in said], pa.string()),
        "probabilities": pa.array([dict(one.probabilities) if one.probabilities else None for one in said], shares),
        "seconds": pa.array([one.seconds for one in said], pa.float64()),
        "sha256": pa.array([digests[row_id] for row_id in ids], pa.string()),
    }
    columns = {name: column for name, column in columns.items() if column.type != pa.null()}
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path, compression="zstd")


def _without_places(scores: Scores) -> Scores:
    """Scores without what says where they were made: the command, folders, and the address of a server."""
    run = scores.run
    source = {name: _name_only(value) for name, value in run.settings.source.items() if name != "endpoint"}
    data = {name: value for name, value in run.data.items() if name != "path"}
    engine = _engine_without_places(run.engine or {})
    hardware = {**run.hardware, **({"device": engine["device"]} if "device" in engine else {})}
    kept: dict[str, object] = {"command": [], "data": data, "engine": engine or None, "hardware": hardware}
    settings = run.settings.model_copy(update={"source": source})
    return scores.model_copy(update={"run": run.model_copy(update={"settings": settings, **kept})})


def _engine_without_places(about: Mapping[str, Any]) -> dict[str, Any]:
    """The same for an engine, and for each of an ensemble."""
    engine = dict(about)
    if engine.get("engine") == "endpoint":
        engine["device"] = "a server"
    if "model" in engine:
        engine["model"] = _name_only(engine["model"])
    if models := engine.get("settings", {}).get("models"):
        own = [_engine_without_places(one) if one else None for one in models]
        engine["settings"] = {**engine["settings"], "models": own}
    return engine


def _name_only(value: object) -> object:
    """The last part of a path; anything else as it is."""
    is_place = isinstance(value, str) and is_local(value) and "/" in value
    return Path(str(value)).name if is_place else value
