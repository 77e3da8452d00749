"""`emollms merge`: from a run, or an adapter, to a model of its own."""

from pathlib import Path
from typing import Annotated

import typer

from emollms.cli.output import examples, print_note
from emollms.progress import show_progress

app = typer.Typer()

_MERGE = examples(
    "emollms merge out/runs/emosmol --out out/emosmol-135m",
    "emollms merge out/runs/emollama --out out/emollama-7b --dtype bfloat16 --shard-size 4GB",
    "emollms merge out/runs/emollama --out out/emollama-7b --base models/llama-2-7b",
    "emollms merge out/runs/emollama/checkpoints/checkpoint-200 --out out/step-200",
    "emollms merge my-adapter --out out/mine",
    "emollms merge out/runs/order-1 out/runs/order-2 out/runs/order-3 --out out/mean",
)


@app.command(epilog=_MERGE)
def merge(
    run: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN",
            help="A finished run of `emollms train`, its model, a checkpoint, or an adapter; several are averaged.",
        ),
    ],
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="The folder of the model; it appears once it is complete and checked.")
    ],
    dtype: Annotated[
        str, typer.Option(metavar="NAME", help="float32, bfloat16 or float16; auto is that of the base.")
    ] = "auto",
    shard_size: Annotated[str, typer.Option(metavar="SIZE", help="The largest size of a file of weights.")] = "2GB",
    base: Annotated[
        str | None, typer.Option(metavar="PATH|REPO[@REV]", help="The base, if it is no longer where it was.")
    ] = None,
) -> None:
    """Merge an adapter into its base, with tokenizer, chat template and settings, as a model of its own.

    A base that was trained on in 4 or 8 bits is loaded again in full precision. The result is read back before it
    appears: its tokens must be equal, and its logits within 1e-5 of the largest one in float32 (1e-2 in float16, 6e-2
    in bfloat16, whose weights are rounded) from those of base and adapter. A run of all weights is written the same
    way. An adapter made elsewhere names its base; if it has no tokenizer, it gets that of its base.

    Several runs of one recipe, best with another data_seed each, are averaged: a model soup, which errs less than any
    of them and is as fast as one.
    """
    from emollms.training import api

    with show_progress("steps") as on_progress:

        def show(step: str, done: int, total: int | None) -> None:
            print_note(step)
            on_progress(step, done, total)

        merged = api.merge(run, out=out, dtype=dtype, shard_size=shard_size, base=base, progress=show, warn=print_note)
    if merged.already:
        print_note(f"already there, not merged again: {out}")
        return
    files = f"{len(merged.files)} file{'s' * (len(merged.files) > 1)}"
    print_note(
        f"wrote {out}: {merged.parameters:,} parameters in {merged.dtype}, {files} of weights; "
        f"logits differ by at most {merged.difference:.0e} of the largest"
    )
