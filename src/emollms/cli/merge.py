"""`emollms merge`: from a run, or an adapter, to a model that needs no other."""

import os
import warnings
from pathlib import Path
from typing import Annotated

import typer

from emollms.cli.output import examples, print_note
from emollms.errors import UsageError
from emollms.optional import needing
from emollms.progress import show_progress

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
    _check(run, dtype, shard_size, base)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: threads sleep while they wait
    with needing("train"):
        from emollms.training.merge import merge as write
    warnings.filterwarnings("ignore", category=FutureWarning)  # of transformers, about what PEFT calls
    with show_progress("steps") as on_progress:

        def tell(step: str) -> None:
            print_note(step)
            on_progress(step, 0, None)

        done = write(run, out, dtype=dtype, shard_size=shard_size, base=base, tell=tell)
    if done.already:
        print_note(f"was there already, not merged again: {out}")
        return
    files = f"{len(done.files)} file{'s' * (len(done.files) > 1)}"
    print_note(
        f"wrote {out}: {done.parameters:,} parameters in {done.dtype}, {files} of weights; "
        f"logits differ by at most {done.difference:.0e} of the largest"
    )


def _check(run: Path, dtype: str, shard_size: str, base: str | None) -> None:
    """Look at what was named before torch is imported for it."""
    from emollms.inference.model_names import FILES, base_of, check_dtype, check_model
    from emollms.locations import is_local, missing
    from emollms.training.folder import check_shard_size
    from emollms.training.manifest import MODEL, NAME, read_run

    check_dtype(dtype)
    check_shard_size(shard_size)
    if not run.is_dir():
        raise UsageError(f"{run} is a file; name the folder of a run") if run.exists() else missing(str(run))
    if base is not None:
        check_model(base, warn=print_note)
    if not any((run / name).exists() for name in (NAME, MODEL, *FILES)):
        read_run(run)  # says what is missing
    if base is None and (named := base_of(run / MODEL)) and not is_local(named[0]):
        check_model(*named, print_note)
