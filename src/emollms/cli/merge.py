"""`emollms merge`: from a run, or an adapter, to a model that needs no other."""

import os
import warnings
from pathlib import Path
from typing import Annotated

import typer

from emollms.cli.output import examples, print_note
from emollms.errors import UsageError

app = typer.Typer()

_MERGE = examples(
    "emollms merge out/runs/emosmol --out out/emosmol-135m",
    "emollms merge out/runs/emollama --out out/emollama-7b --dtype bfloat16 --shard-size 4GB",
    "emollms merge out/runs/emollama --out out/emollama-7b --base models/llama-2-7b",
    "emollms merge out/runs/emollama/checkpoints/checkpoint-200 --out out/step-200",
    "emollms merge my-adapter --out out/mine",
)


@app.command(epilog=_MERGE)
def merge(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN", help="A run that `emollms train` finished, its model, a checkpoint, or an adapter."
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder of the model; it appears when all is checked.")],
    dtype: Annotated[
        str, typer.Option(metavar="NAME", help="float32, bfloat16 or float16; auto is that of the base.")
    ] = "auto",
    shard_size: Annotated[str, typer.Option(metavar="SIZE", help="The largest size of a file of weights.")] = "2GB",
    base: Annotated[
        str | None, typer.Option(metavar="PATH|REPO[@REV]", help="Where the base is, if it is no longer where it was.")
    ] = None,
) -> None:
    """Put an adapter into its base, with tokenizer, chat template and settings, as a model of its own.

    A base that was trained on in 4 or 8 bits is loaded again in full. What was written is read back before it is put in
    its place: tokens must be the same, and logits those of adapter and base within 1e-5 of the largest in float32
    (1e-2 in float16, 6e-2 in bfloat16, where weights are rounded). A run of all weights is written in the same way.
    An adapter made elsewhere names its base; where it has no tokenizer, it gets that of its base.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: threads sleep while they wait
    try:
        from emollms.training.merge import merge as write
    except ModuleNotFoundError as error:
        raise UsageError(f"this needs {error.name}; install it with: pip install 'emollms[train]'") from error
    from transformers.utils import logging

    warnings.filterwarnings("ignore", category=FutureWarning)  # of transformers, about what PEFT calls
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    done = write(run, out, dtype=dtype, shard_size=shard_size, base=base, tell=print_note)
    if done.already:
        print_note(f"was there already, not merged again: {out}")
        return
    files = f"{len(done.files)} file{'s' * (len(done.files) > 1)}"
    print_note(
        f"wrote {out}: {done.parameters:,} parameters in {done.dtype}, {files} of weights; "
        f"logits differ by at most {done.difference:.0e} of the largest"
    )
