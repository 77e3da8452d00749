"""`emollms export`: the benchmark for other tools."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emollms.cli.base import TableCommand
from emollms.cli.evaluate import Data, Language
from emollms.cli.output import examples, print_note, print_table

if TYPE_CHECKING:
    from emollms.evaluation.export import Exported, Harness

_LM_EVAL = examples(
    "emollms export lm-eval --data out/aeb --out out/lm-eval",
    "lm_eval run --include_path out/lm-eval --tasks emollms_aeb --model hf --model_args pretrained=out/my-model",
)
_INSPECT = examples(
    "emollms export inspect --data out/aeb --out out/inspect --template chat",
    "inspect eval out/inspect/emollms_aeb.py --model hf/OWNER/MODEL --model-config out/inspect/hf.yaml",
    "inspect eval out/inspect/emollms_aeb.py@emollms_v_reg --model openai/MODEL",
)

app = typer.Typer(name="export", no_args_is_help=True, epilog=_LM_EVAL, help="Write the benchmark for other tools.")


class ExportTemplate(StrEnum):
    """What the exported tasks ask with."""

    frame = "frame"
    chat = "chat"


Out = Annotated[Path, typer.Option(metavar="DIR", help="A new folder; it appears when all is done.")]
Template = Annotated[
    ExportTemplate, typer.Option(help="frame is ours; chat is for models that are asked in their chat template.")
]


@app.command(name="lm-eval", epilog=_LM_EVAL, cls=TableCommand)
def lm_eval(data: Data, out: Out, template: Template = ExportTemplate.frame, language: Language = None) -> None:
    """Write the benchmark as tasks for lm-evaluation-harness, with our prompts and metrics."""
    done = _export("lm-eval", data, out, template, language)
    chat = " --apply_chat_template" if template is ExportTemplate.chat else ""
    command = f"lm_eval run --include_path {out} --tasks {done.group} --model hf --model_args pretrained=MODEL{chat}"
    print_note(f"wrote {out}; run it: {command}")


@app.command(name="inspect", epilog=_INSPECT, cls=TableCommand)
def inspect(data: Data, out: Out, template: Template = ExportTemplate.frame, language: Language = None) -> None:
    """Write the benchmark as tasks for Inspect, with our prompts and metrics; answers are greedy.

    hf.yaml has the settings for models that Inspect runs by itself. Servers ask in a chat template: --template chat.
    """
    done = _export("inspect", data, out, template, language)
    command = f"inspect eval {out / done.group}.py --model hf/MODEL --model-config {out / 'hf.yaml'}"
    print_note(f"wrote {out}; run it, where inspect-ai and emollms are installed: {command}")


def _export(harness: "Harness", data: str, out: Path, template: ExportTemplate, language: str | None) -> "Exported":
    from emollms.dataset.reader import Dataset
    from emollms.evaluation.export import export

    done = export(Dataset(data), out, harness, template.value, language)
    print_table(("task", f"{harness} task"), list(done.tasks.items()))
    return done
