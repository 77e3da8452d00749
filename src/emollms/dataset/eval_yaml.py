"""`eval.yaml`: what makes the Hub take a data set for a benchmark (https://huggingface.co/docs/hub/eval-results).

Each of its tasks is a leaderboard. Of what the Hub's page lists, `evaluation_framework` is left out: the Hub refuses
names that are not in its own list, and there is none for metrics such as these. `metric` and `language` are ours.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from emollms.dataset.baselines import metric_title
from emollms.dataset.manifest import Manifest
from emollms.errors import EmollmsError

NAME = "eval.yaml"


class EvalTask(BaseModel):
    """A task of a benchmark, which has a leaderboard of its own.

    Args:
        id: its name on the Hub: that of the task, with the language behind a slash where there are several.
        config: the config that holds its rows, which has the name of the task.
        split: their split.
        metric: the published metric, for people; None where there is none.
        language: code of the language of its rows; None where the data set has one language only.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    config: str = "default"
    split: str = "test"
    metric: str | None = None
    language: str | None = None


def render_eval_yaml(manifest: Manifest, about: str, statistics: Mapping[str, Mapping[str, Any]]) -> str:
    """The file of a benchmark.

    Args:
        manifest: what the data set is; its files need not be there.
        about: the data set in a sentence.
        statistics: figures by `task/split`, whose `language` counts texts.
    """
    found = {
        "name": manifest.title,
        "description": f"{about}.",
        "tasks": [task.model_dump(exclude_none=True) for task in _tasks(statistics)],
    }
    return yaml.safe_dump(found, sort_keys=False, allow_unicode=True, width=100)


def _tasks(statistics: Mapping[str, Mapping[str, Any]]) -> Iterator[EvalTask]:
    spoken = {language for figures in statistics.values() for language in figures.get("language", {})}
    for place, figures in statistics.items():
        task, _, split = place.partition("/")
        if not figures["rows"]:
            continue
        for language in figures["language"] if len(spoken) > 1 else [None]:
            name = f"{task}/{language}" if language else task
            yield EvalTask(id=name, config=task, split=split, metric=metric_title(task) or None, language=language)


def read_eval_yaml(text: str, where: str) -> list[EvalTask]:
    """The tasks of a benchmark, in its order.

    Args:
        text: the file.
        where: what it is called in messages.

    Raises:
        EmollmsError: it is damaged.
    """
    try:
        found = yaml.safe_load(text)
        return [EvalTask.model_validate(task) for task in found["tasks"]]
    except (yaml.YAMLError, ValidationError, KeyError, TypeError) as error:
        raise EmollmsError(f"{where} is damaged ({' '.join(str(error).split())[:120]})") from None
