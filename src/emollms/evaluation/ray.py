"""Evaluation by Ray: each worker holds the model, on this machine or on others, and rows go to whichever is free.

Answers are those of one process: a row's do not depend on which worker gets it, nor, beyond the last bits, on the rows
that are asked about with it. So a run may be resumed by another number of workers, or by none.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from emollms.dataset.reader import Row
from emollms.errors import UsageError
from emollms.evaluation.classifier_predictor import ClassifierPredictor
from emollms.evaluation.model_predictor import model_predictor
from emollms.evaluation.predictors import Predictor, PredictorKind
from emollms.inference.engine import EngineInfo
from emollms.inference.predictions import Prediction
from emollms.optional import require
from emollms.tasks import Task

CHUNK = 512
"""Rows that a worker gets at a time: enough to share the instructions before them, few enough to keep all busy."""
Asked = list[tuple[Task, list[Row]]]


class Worker:
    """What a worker of Ray does: it loads a model once, and answers one chunk after another.

    Args:
        options: the model, as `model_predictor` takes it.
        begun: as for `Predictor.start`.
    """

    def __init__(self, options: Mapping[str, Any], begun: Mapping[str, Any] | None) -> None:
        self._predictor = model_predictor(**options)
        self._info = self._predictor.start(begun)

    def info(self) -> EngineInfo | None:
        """The description of the engine."""
        return self._info

    def answer(self, asked: Asked, known: frozenset[str]) -> list[Prediction]:
        """The predictions of some rows that are not known, whatever their task."""
        self._predictor.prepare(asked)
        return [one for task, rows in asked for one in self._predictor.predict(task, rows, known)]


class RayPredictor(Predictor):
    """A model that several workers of Ray hold.

    `RAY_ADDRESS` names the cluster; without it, Ray starts on this machine.

    Args:
        options: the model, as `model_predictor` takes it; each worker loads it.
        workers: how many there are, 1 or more.
        gpus: how many GPUs a worker has; a part of one where workers share it.

    Raises:
        UsageError: Ray is not installed, or there would be no worker; or as `model_predictor`.
    """

    def __init__(self, options: Mapping[str, Any], workers: int, gpus: float = 0) -> None:
        if workers < 1 or gpus < 0:
            raise UsageError(
                f"--ray {workers} --gpus {gpus:g} is no number of workers and GPUs; give 1 or more, 0 or more"
            )
        require("ray", "ray", "--ray")
        self._model, self._count, self._gpus = model_predictor(**options), workers, gpus
        self._options = {name: value for name, value in options.items() if name != "warn"}  # that of this process
        self._workers: list[Any] = []
        self._jobs: list[Asked] = []
        self._pool: Any = None
        self._held: dict[str, Prediction] = {}

    @property
    def kind(self) -> PredictorKind:  # type: ignore[override]
        """That of the model."""
        return self._model.kind

    @property
    def name(self) -> str:
        """That of the model."""
        return self._model.name

    def settings(self) -> dict[str, Any]:
        """Those of the model: the number of workers changes no answer."""
        return self._model.settings()

    def answerable(self, tasks: Sequence[Task], everything: bool) -> tuple[Task, ...]:
        """See `Predictor.answerable`."""
        return self._model.answerable(tasks, everything)

    def thresholds(self, task: Task) -> Mapping[str, float] | None:
        """See `Predictor.thresholds`."""
        return self._model.thresholds(task)

    def start(self, begun: Mapping[str, Any] | None = None) -> EngineInfo | None:
        """Start the workers; each loads the model."""
        import ray

        if not self._workers:
            if not ray.is_initialized():
                ray.init(log_to_driver=False)
            actor = ray.remote(Worker).options(num_gpus=self._gpus)
            self._workers = [actor.remote(self._options, begun) for _ in range(self._count)]
        found: list[EngineInfo | None] = ray.get([worker.info.remote() for worker in self._workers])
        return found[0]

    def prepare(self, asked: Sequence[tuple[Task, Sequence[Row]]]) -> None:
        """Divide all that will be asked into chunks."""
        self._jobs, self._pool, self._held = _chunks(asked, isinstance(self._model, ClassifierPredictor)), None, {}

    def predict(self, task: Task, rows: Sequence[Row], known: Collection[str]) -> Iterator[Prediction]:
        """See `Predictor.predict`; the first call hands all chunks with a row that is not known to the workers."""
        if self._pool is None:
            self._submit(frozenset(known))
        missing = {str(row["id"]) for row in rows if row["id"] not in known}
        for row_id in [row_id for row_id in missing if row_id in self._held]:
            missing.discard(row_id)
            yield self._held.pop(row_id)
        while missing and self._pool.has_next():
            for prediction in self._pool.get_next():
                if prediction.id in missing:
                    missing.discard(prediction.id)
                    yield prediction
                else:
                    self._held[prediction.id] = prediction

    def _submit(self, known: frozenset[str]) -> None:
        from ray.util import ActorPool

        self.start()
        self._pool = ActorPool(self._workers)
        for job in self._jobs:
            own = frozenset(row["id"] for _, rows in job for row in rows) & known
            if len(own) < sum(len(rows) for _, rows in job):
                self._pool.submit(lambda worker, asked: worker.answer.remote(*asked), (job, own))

    def close(self) -> None:
        """Stop the workers, and let go of their models; a cluster that was there stays."""
        import ray

        for worker in self._workers:
            ray.kill(worker)
        self._workers, self._pool = [], None


def _chunks(asked: Sequence[tuple[Task, Sequence[Row]]], by_text: bool) -> list[Asked]:
    """The rows in chunks: of a task, those with the same instruction together; or of all tasks, by their text.

    Args:
        asked: the rows of each task.
        by_text: whether a text is read once for all tasks that ask about it, as a classifier does.
    """
    if by_text:
        texts = list(dict.fromkeys(str(row["text"]) for _, rows in asked for row in rows))
        chunk_of = {text: number // CHUNK for number, text in enumerate(texts)}
        jobs: list[dict[str, tuple[Task, list[Row]]]] = [{} for _ in range(-(-len(texts) // CHUNK))]
        for task, rows in asked:
            for row in rows:
                jobs[chunk_of[str(row["text"])]].setdefault(task.name, (task, []))[1].append(row)
        return [list(job.values()) for job in jobs]
    ordered = [(task, sorted(rows, key=lambda row: str(row["prompt"]))) for task, rows in asked]
    return [[(task, rows[at : at + CHUNK])] for task, rows in ordered for at in range(0, len(rows), CHUNK)]
