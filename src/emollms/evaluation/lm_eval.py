"""Tasks for lm-evaluation-harness (github.com/EleutherAI/lm-evaluation-harness), made from a data set."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from emollms import __version__
from emollms.dataset.reader import TEST, Dataset, choose_language
from emollms.evaluation.lm_eval_hooks import INVALID_RATE
from emollms.evaluation.task_metrics import metrics_of
from emollms.inference.decoding import answer_limit
from emollms.locations import check_free
from emollms.storage import commit, draft
from emollms.tasks import Task, get_task

UTILS = '''"""What the tasks in this folder call; written by emollms {version}, which must be installed to run them."""

from emollms.evaluation import lm_eval_hooks as hooks

doc_to_text = hooks.{asks}
process_docs = hooks.rows_in({rows})
'''


@dataclass(frozen=True)
class Exported:
    """What was written.

    Args:
        group: name of the group of all tasks.
        tasks: the names of the tasks, by ours.
    """

    group: str
    tasks: dict[str, str]


class _Function(str):
    """A function of `utils.py`."""


class _Dumper(yaml.SafeDumper):
    """YAML as the harness reads it."""


_Dumper.add_representer(_Function, lambda dumper, name: dumper.represent_scalar("!function", str(name)))


def export(
    data: Dataset, out: Path, template: Literal["frame", "chat"] = "frame", language: str | None = None
) -> Exported:
    """Write the tasks of the test split of `data`, one YAML each, a group of them, and the functions that they call.

    Args:
        data: the data set; the tasks name its files by their absolute paths.
        out: a new folder; it appears when everything is written.
        template: `frame` for our frame around prompts; `chat` for `lm_eval --apply_chat_template`.
        language: code of the language; None for English, or the only one.

    Raises:
        UsageError: there are no test rows, or `out` is there.
    """
    check_free(out)
    every = {task.name: data.rows(task.name, TEST) for task in data.tasks(TEST)}
    chosen = choose_language((row for rows in every.values() for row in rows), language)
    tasks = [get_task(name) for name, rows in every.items() if any(row["language"] == chosen for row in rows)]
    group = f"emollms_{data.manifest.data_set}"
    names = {task.name: _name(task) for task in tasks}
    with draft(out) as folder:
        for task in tasks:
            _write(folder / f"{names[task.name]}.yaml", _config(data, task))
        _write(folder / f"{group}.yaml", {"group": group, "task": list(names.values())})
        asks = "plain" if template == "chat" else "framed"
        utils = UTILS.format(version=__version__, asks=asks, rows=_rows_in(data, tasks, chosen))
        (folder / "utils.py").write_text(utils + _functions(tasks), encoding="utf-8")
        commit(folder, out)
    return Exported(group, names)


def _rows_in(data: Dataset, tasks: Sequence[Task], language: str) -> str:
    """The arguments of `lm_eval_hooks.rows_in`."""
    corpora = [source.corpus for source in data.manifest.sources]
    found = {
        corpus: {task.name: list(labels) for task in tasks if (labels := _unannotated(data, corpus, task, language))}
        for corpus in corpora
    }
    left_out = {corpus: by_task for corpus, by_task in found.items() if by_task}
    return f"{language!r}, {left_out!r}" if left_out else repr(language)


def _unannotated(data: Dataset, corpus: str, task: Task, language: str) -> tuple[str, ...]:
    return data.manifest.unannotated(corpus, task.name, TEST, language)


def _name(task: Task) -> str:
    return f"emollms_{_word(task)}"


def _word(task: Task) -> str:
    return task.name.lower().replace("-", "_")


def _metrics(task: Task) -> list[str]:
    return [metric.name for metric in metrics_of(task).metrics] + [INVALID_RATE]


def _config(data: Dataset, task: Task) -> dict[str, Any]:
    """A task as the harness knows it.

    Its stop strings cannot say "a line break after some text": an answer is cut when it is read, and short until then.
    """
    files = [str((data.folder / file.path).resolve()) for file in data.manifest.files_of(task.name, TEST)]
    return {
        "task": _name(task),
        "task_alias": task.name,
        "dataset_path": "parquet",
        "dataset_kwargs": {"data_files": {TEST: files}},
        "test_split": TEST,
        "output_type": "generate_until",
        "process_docs": _Function("utils.process_docs"),
        "doc_to_text": _Function("utils.doc_to_text"),
        "doc_to_target": "completion",
        "process_results": _Function(f"utils.results_{_word(task)}"),
        "num_fewshot": 0,
        "generation_kwargs": {"until": [], "do_sample": False, "max_gen_toks": answer_limit(task)},
        "metric_list": [
            {"metric": name, "aggregation": _Function(f"utils.{name}"), "higher_is_better": name != INVALID_RATE}
            for name in _metrics(task)
        ],
        "metadata": {"version": data.manifest.version, "content_hash": data.manifest.content_hash},
    }


def _functions(tasks: Sequence[Task]) -> str:
    """One function for the results of each task, and one for each metric."""
    names = dict.fromkeys(name for task in tasks for name in _metrics(task))
    results = [f"results_{_word(task)} = hooks.results_of({_metrics(task)})\n" for task in tasks]
    return "".join([*results, *(f'{name} = hooks.metric("{name}")\n' for name in names)])


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True), encoding="utf-8")
