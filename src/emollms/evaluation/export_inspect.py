"""Tasks for Inspect (github.com/UKGovernmentBEIS/inspect_ai): one Python file, and settings for models that run here.

The file is short and made to be read: what Inspect must see, its decorators, stands there, and all else is ours.
"""

from pathlib import Path

import yaml

from emollms import __version__
from emollms.evaluation.export_plan import ExportedTask, ExportPlan

HF_CONFIG = "hf.yaml"
TASKS = '''"""{title} for Inspect, written by emollms {version}, which must be installed to run it."""

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import GenerateConfig
from inspect_ai.scorer import SampleScore, Score, metric, scorer
from inspect_ai.solver import generate

from emollms.evaluation import export_hooks as hooks

samples = hooks.samples_of({template!r}, {language!r}, {unannotated!r})
METADATA = {{"version": {data_version!r}, "content_hash": {content_hash!r}}}


def affect_task(files, metrics, max_tokens):
    """A task with greedy answers, whose metrics are computed from all of them at once."""

    def measured(name):
        compute = hooks.metric(name)

        @metric(name=name)
        def measure():
            def of(scores: list[SampleScore]) -> float:
                return compute([(one.sample_metadata, one.score.answer) for one in scores])

            return of

        return measure()

    @scorer(metrics=[measured(name) for name in metrics], name="emollms")
    def read():
        async def score(state, target):
            answer, valid, explanation = hooks.read(state.metadata, state.output.completion)
            return Score(value=float(valid), answer=answer, explanation=explanation)

        return score

    return Task(
        dataset=MemoryDataset([Sample(**one) for one in samples(files)]),
        solver=generate(),
        scorer=read(),
        config=GenerateConfig(temperature=0.0, max_tokens=max_tokens),
        metadata=METADATA,
    )
'''
TASK = """

@task
def {name}():
    return affect_task(
        {files!r},
        {metrics!r},
        max_tokens={max_tokens},
    )
"""
GREEDY = {"do_sample": False}
FRAMED = {"chat_template": "{{ messages[0]['content'] }}"}
"""Prompts that are framed already are read as they are."""
CHAT = {"enable_thinking": False, "tokenizer_call_args": {"add_special_tokens": False}}
"""A chat template begins with the special tokens, which the tokenizer would put before it once more."""


def write_inspect(plan: ExportPlan, folder: Path) -> None:
    """Write the file of the tasks, which bears the name of the group, and `hf.yaml` for Inspect's provider `hf`."""
    head = TASKS.format(
        title=plan.title,
        version=__version__,
        template=plan.template,
        language=plan.language,
        unannotated=plan.unannotated,
        data_version=plan.version,
        content_hash=plan.content_hash,
    )
    (folder / f"{plan.group}.py").write_text(head + "".join(map(_task, plan.tasks)), encoding="utf-8")
    settings = GREEDY | (FRAMED if plan.template == "frame" else CHAT)
    (folder / HF_CONFIG).write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")


def _task(task: ExportedTask) -> str:
    return TASK.format(name=task.name, files=list(task.files), metrics=list(task.metrics), max_tokens=task.max_tokens)
