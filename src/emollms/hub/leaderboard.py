"""The leaderboard of a benchmark on the Hub: the models that it lists, and their scores in every task.

The Hub's list of a data set names models, with a score each; their scores task by task are in the models' own results.
Tuned models are listed too, which the page of the Hub leaves out until one asks for them.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from huggingface_hub import EvalResultEntry
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

from emollms.dataset.eval_yaml import NAME as EVAL_YAML
from emollms.dataset.eval_yaml import EvalTask, read_eval_yaml
from emollms.errors import EmollmsError, UsageError, unknown
from emollms.evaluation.ranks import mean_ranks
from emollms.hub.client import FROM_THE_CLIENT, call_hub, describe
from emollms.hub.repo import Remote


@dataclass(frozen=True)
class ListedScore:
    """A model's score in a task.

    Args:
        model: repo of the model.
        task: the id of the task in `eval.yaml`.
        value: the score.
        revision: commit of the benchmark that it was measured on; None where the model does not say.
        date: when it was measured, ISO 8601; None where the model does not say.
        notes: how, in words; empty where the model does not say.
    """

    model: str
    task: str
    value: float
    revision: str | None
    date: str | None
    notes: str


@dataclass(frozen=True)
class HubLeaderboard:
    """The models of a leaderboard, the best first.

    Args:
        repo: the benchmark, `OWNER/NAME`.
        commit: its newest commit.
        tasks: its tasks, or those that were asked for.
        mean_ranks: of each model, over these tasks; a task without a score ranks last.
        scores: of each model, by model and task.
    """

    repo: str
    commit: str
    tasks: Sequence[EvalTask]
    mean_ranks: dict[str, float]
    scores: dict[tuple[str, str], ListedScore]

    def table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """Headings and rows: model, mean rank, and a score a task; empty where there is none."""
        header = ("model", "mean rank", *(task.id for task in self.tasks))
        rows = []
        for model, rank in self.mean_ranks.items():
            found = [self.scores.get((model, task.id)) for task in self.tasks]
            rows.append((model, f"{rank:.2f}", *(f"{one.value:.3f}" if one else "" for one in found)))
        return header, rows

    def as_json(self) -> dict[str, object]:
        """The same for programs, with revisions, dates and notes."""
        return {
            "repo": self.repo,
            "commit": self.commit,
            "tasks": [task.model_dump(exclude_none=True) for task in self.tasks],
            "models": [{"model": model, "mean_rank": rank} for model, rank in self.mean_ranks.items()],
            "scores": [asdict(one) for one in self.scores.values()],
        }


def read_leaderboard(repo: str, task: Sequence[str] = ()) -> HubLeaderboard:
    """The leaderboard of a benchmark on the Hub.

    Args:
        repo: `OWNER/NAME` of the data set.
        task: ids of tasks in its `eval.yaml`; empty for all.

    Raises:
        UsageError: there is no such repo, or no such task.
        EmollmsError: it is no benchmark, the Hub does not list it, or cannot be reached.
    """
    remote = Remote(repo)
    state = remote.state()
    if state is None:
        raise UsageError(f"there is no data set {repo} on the Hub that this account may see")
    if EVAL_YAML not in state.files:
        raise EmollmsError(f"{repo} is no benchmark: it has no {EVAL_YAML}; `emollms build aeb` writes one")
    every = read_eval_yaml(remote.read(EVAL_YAML, state.head), f"{repo}: {EVAL_YAML}")
    for name in task:
        if name not in [one.id for one in every]:
            raise unknown(f"task of {repo}:", name, [one.id for one in every])
    tasks = [one for one in every if not task or one.id in task]
    scores = {(one.model, one.task): one for model in _models(remote) for one in _scores(remote, model)}
    listed = {key: one for key, one in scores.items() if key[1] in [board.id for board in tasks]}
    return HubLeaderboard(repo, state.head, tasks, _ranked(listed, tasks), listed)


def _ranked(scores: dict[tuple[str, str], ListedScore], tasks: Sequence[EvalTask]) -> dict[str, float]:
    """The mean rank of each model, the best first; equal ones by name."""
    models = sorted({model for model, _ in scores})
    values = np.full((len(models), len(tasks)), np.nan)
    for row, model in enumerate(models):
        for column, task in enumerate(tasks):
            if (model, task.id) in scores:
                values[row, column] = scores[model, task.id].value
    found = dict(zip(models, mean_ranks(values).tolist(), strict=True))
    return dict(sorted(found.items(), key=lambda one: one[1]))


def _models(remote: Remote) -> list[str]:
    """The models that the Hub lists for a benchmark."""
    try:
        found = call_hub(
            lambda: remote.api.get_dataset_leaderboard(remote.repo, base_model_only=False), f"reading {remote.repo}"
        )
    except HfHubHTTPError as error:
        if error.response.status_code != 404:
            raise EmollmsError(f"{remote.repo}: {describe(error)}") from error
        raise EmollmsError(
            f"the Hub keeps no leaderboard of {remote.repo}: its owners decide which benchmarks are listed; "
            f"docs/leaderboard.md says how to ask for it"
        ) from None
    except FROM_THE_CLIENT as error:
        raise EmollmsError(f"{remote.repo}: {describe(error)}") from error
    return list(dict.fromkeys(entry.model_id for entry in found))


def _scores(remote: Remote, model: str) -> list[ListedScore]:
    """A model's scores on a benchmark, of several in a task the first; none of a model hidden from this account."""
    try:
        info = call_hub(lambda: remote.api.model_info(model, expand=["evalResults"]), f"reading {model}")
    except RepositoryNotFoundError:
        return []
    except FROM_THE_CLIENT as error:
        raise EmollmsError(f"{model}: {describe(error)}") from error
    own = [one for one in info.eval_results or [] if one.dataset_id == remote.repo and _is_number(one)]
    first = {one.task_id: one for one in reversed(own)}
    return [
        ListedScore(model, name, float(one.value), one.dataset_revision, one.date, one.notes or "")
        for name, one in first.items()
    ]


def _is_number(entry: EvalResultEntry) -> bool:
    return isinstance(entry.value, int | float) and not isinstance(entry.value, bool)
