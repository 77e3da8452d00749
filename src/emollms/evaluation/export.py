"""The benchmark for other harnesses: our prompts, our parsing of answers and our metrics, run by their programs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from emollms.dataset.reader import Dataset
from emollms.evaluation.export_inspect import write_inspect
from emollms.evaluation.export_lm_eval import write_lm_eval
from emollms.evaluation.export_plan import ExportPlan, ExportTemplate, plan_export
from emollms.locations import check_free
from emollms.storage import commit, draft

Harness = Literal["lm-eval", "inspect"]
WRITERS: Mapping[Harness, Callable[[ExportPlan, Path], None]] = {"lm-eval": write_lm_eval, "inspect": write_inspect}
"""What writes the files of a harness into a folder."""


@dataclass(frozen=True)
class Exported:
    """What was written.

    Args:
        group: name of all tasks together.
        tasks: the names of the tasks, by ours.
    """

    group: str
    tasks: dict[str, str]


def export(
    data: Dataset,
    out: Path,
    harness: Harness,
    template: ExportTemplate = "frame",
    language: str | None = None,
) -> Exported:
    """Write the tasks of the test split of `data` for a harness.

    Args:
        data: the data set; the tasks name its files by their absolute paths.
        out: a new folder; it appears when everything is written.
        harness: `lm-eval` for lm-evaluation-harness, `inspect` for Inspect.
        template: `frame` for our frame around prompts; `chat` for models that are asked in their chat template.
        language: code of the language; None for English, or the only one.

    Raises:
        UsageError: there are no test rows, or `out` is there.
    """
    check_free(out)
    plan = plan_export(data, template, language)
    with draft(out) as folder:
        WRITERS[harness](plan, folder)
        commit(folder, out)
    return Exported(plan.group, {one.task.name: one.name for one in plan.tasks})
