"""The answers of a run as a data set: ids, answers and hashes of the rows, and no text of a row.

A folder has a table a task in `data/`, and the scores of the run, which say how the answers were read. With the rows of
the benchmark, known by their hashes, anyone computes the same scores again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from emollms.dataset.reader import TEST, Dataset, Row, download, sample
from emollms.dataset.schema import row_hash
from emollms.errors import EmollmsError, UsageError
from emollms.evaluation.run_folder import PREDICTIONS, SCORES
from emollms.evaluation.scores import Scores
from emollms.locations import hub_repo, is_local
from emollms.tasks import Task

TABLES = f"data/*/{TEST}-*.parquet"
COLUMNS = {
    "id": "the id of the row in the benchmark",
    "answer": "the answer, as the model gave it",
    "probabilities": "of classes by number, of labels by name, of the tenths of scores; null where there are none",
    "seconds": "how long it took",
    "sha256": "SHA-256 of the row that was answered, as JSON: keys sorted, no spaces, UTF-8",
}


@dataclass(frozen=True)
class AnswerSet:
    """Published answers.

    Args:
        folder: where they are.
        scores: the scores of the run, with its settings.
        hashes: the hash of each row that was answered, by id.
    """

    folder: Path
    scores: Scores
    hashes: Mapping[str, str]

    @classmethod
    def read(cls, folder: Path) -> "AnswerSet":
        """The answers in a folder.

        Raises:
            EmollmsError: the scores, or a table, are damaged.
        """
        hashes: dict[str, str] = {}
        for path in sorted(folder.glob(TABLES)):
            try:
                table = pq.read_table(path, columns=["id", "sha256"])
            except (pa.ArrowException, OSError) as error:
                raise EmollmsError(f"{path} holds no published answers ({str(error).splitlines()[0]})") from None
            hashes |= zip(table["id"].to_pylist(), table["sha256"].to_pylist(), strict=True)
        return cls(folder, Scores.read(folder / SCORES), hashes)

    def check_rows(self, data: Dataset) -> None:
        """Make sure that a benchmark has the rows that were answered.

        Raises:
            UsageError: it lacks a row, or has it with another text, prompt or gold.
        """
        tables = (data.table(task.name, TEST).to_pylist() for task in data.tasks(TEST))
        here = {row["id"]: row_hash(row) for table in tables for row in table}
        differing = [row_id for row_id, digest in self.hashes.items() if here.get(row_id) != digest]
        if differing:
            asked = self.scores.run.data
            about = f"{asked.get('data_set')} {asked.get('version')}, content hash {asked.get('content_hash')}"
            raise UsageError(
                f"{len(differing):,} of {len(self.hashes):,} answers are to rows that {data.target} lacks, or has "
                f"otherwise, the first one {differing[0]!r}; give the benchmark that was answered, {about}"
            )


def is_answer_set(folder: Path) -> bool:
    """Whether a folder holds published answers."""
    return (folder / SCORES).is_file() and not (folder / PREDICTIONS).is_file() and any(folder.glob(TABLES))


def local_answers(name: str | Path) -> Path:
    """The place of answers: the one that is named, or a copy of what the Hub has.

    Args:
        name: a file, a folder, or `OWNER/NAME` or `OWNER/NAME@REVISION` of published answers.

    Raises:
        UsageError: it is neither, or the repo holds no published answers.
        EmollmsError: the Hub does not have it, or cannot be reached.
    """
    if isinstance(name, Path) or is_local(name):
        return Path(name)
    folder = download(hub_repo(name, "a file, nor a folder,"), (SCORES, "data/*"))
    if not is_answer_set(folder):
        raise UsageError(f"{name} holds no answers that `emollms publish answers` published")
    return folder


def asked_rows(data: Dataset, task: Task, scores: Scores) -> list[Row]:
    """The rows of a task that a run was asked, in order."""
    settings = scores.run.settings
    rows = [row for row in data.rows(task.name, TEST) if row["language"] == settings.language]
    return sample(rows, settings.limit, settings.seed)
