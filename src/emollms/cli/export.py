"""`emollms export`: the benchmark for other tools."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from emollms.cli.base import TableCommand
from emollms.cli.evaluate import Data, Language
from emollms.cli.output import examples, print_note, print_table

_EXPORT = examples(
    "emollms export lm-eval --data out/aeb --out out/lm-eval",
    "lm_eval run --include_path out/lm-eval --tasks emollms_aeb --model hf --model_args pretrained=out/my-model",
)

app = typer.Typer(name="export", no_args_is_help=True, epilog=_EXPORT, help="Write the benchmark for other tools.")


class ExportTemplate(StrEnum):
    """What the exported tasks ask with."""

    frame = "frame"
    chat = "chat"


@app.command(name="lm-eval", epilog=_EXPORT, cls=TableCommand)
def lm_eval(
    data: Data,
    out: Annotated[Path, typer.Option(metavar="DIR", help="A new folder; it appears when all is done.")],
    template: Annotated[
        ExportTemplate, typer.Option(help="frame, or chat for models run with --apply_chat_template.")
    ] = ExportTemplate.frame,
    language: Language = None,
) -> None:
    """Write the benchmark as tasks for lm-evaluation-harness, with our prompts and metrics."""
    from emollms.dataset.reader import Dataset
    from emollms.evaluation.lm_eval import export

    done = export(Dataset(data), out, template.value, language)
    print_table(("task", "lm_eval task"), list(done.tasks.items()))
    chat = " --apply_chat_template" if template is ExportTemplate.chat else ""
    command = f"lm_eval run --include_path {out} --tasks {done.group} --model hf --model_args pretrained=MODEL{chat}"
    print_note(f"wrote {out}; run it: {command}")
