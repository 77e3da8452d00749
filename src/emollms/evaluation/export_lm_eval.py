"""Tasks for lm-evaluation-harness (github.com/EleutherAI/lm-evaluation-harness): a YAML each, and what these call."""

from pathlib import Path
from typing import Any

import yaml

from emollms import __version__
from emollms.dataset.reader import TEST
from emollms.evaluation.export_hooks import INVALID_RATE
from emollms.evaluation.export_plan import ExportedTask, ExportPlan

UTILS = '''"""What the tasks in this folder call; written by emollms {version}, which must be installed to run them."""

from emollms.evaluation import export_hooks as hooks

doc_to_text = hooks.{asks}
process_docs = hooks.rows_in({rows})
'''


class _Function(str):
    """A function of `utils.py`."""


class _Dumper(yaml.SafeDumper):
    """YAML as the harness reads it."""


_Dumper.add_representer(_Function, lambda dumper, name: dumper.represent_scalar("!function", str(name)))


def write_lm_eval(plan: ExportPlan, folder: Path) -> None:
    """Write one YAML a task, one of a group of them all, and the functions that they call."""
    for task in plan.tasks:
        _write(folder / f"{task.name}.yaml", _config(plan, task))
    _write(folder / f"{plan.group}.yaml", {"group": plan.group, "task": [task.name for task in plan.tasks]})
    rows = f"{plan.language!r}, {plan.unannotated!r}" if plan.unannotated else repr(plan.language)
    asks = {"frame": "framed", "chat": "plain"}[plan.template]
    utils = UTILS.format(version=__version__, asks=asks, rows=rows)
    (folder / "utils.py").write_text(utils + _functions(plan), encoding="utf-8")


def _config(plan: ExportPlan, task: ExportedTask) -> dict[str, Any]:
    """A task as the harness knows it.

    Its stop strings cannot say "a line break after some text": an answer is cut when it is read, and short until then.
    """
    return {
        "task": task.name,
        "task_alias": task.task.name,
        "dataset_path": "parquet",
        "dataset_kwargs": {"data_files": {TEST: list(task.files)}},
        "test_split": TEST,
        "output_type": "generate_until",
        "process_docs": _Function("utils.process_docs"),
        "doc_to_text": _Function("utils.doc_to_text"),
        "doc_to_target": "completion",
        "process_results": _Function(f"utils.{_results(task)}"),
        "num_fewshot": 0,
        "generation_kwargs": {"until": [], "do_sample": False, "max_gen_toks": task.max_tokens},
        "metric_list": [
            {"metric": name, "aggregation": _Function(f"utils.{name}"), "higher_is_better": name != INVALID_RATE}
            for name in task.metrics
        ],
        "metadata": {"version": plan.version, "content_hash": plan.content_hash},
    }


def _results(task: ExportedTask) -> str:
    return task.name.replace("emollms_", "results_", 1)


def _functions(plan: ExportPlan) -> str:
    """One function for the results of each task, and one for each metric."""
    names = dict.fromkeys(name for task in plan.tasks for name in task.metrics)
    results = [f"{_results(task)} = hooks.results_of({list(task.metrics)})\n" for task in plan.tasks]
    return "".join([*results, *(f'{name} = hooks.metric("{name}")\n' for name in names)])


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True), encoding="utf-8")
