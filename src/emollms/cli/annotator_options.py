"""Options of commands that make an annotator: who answers, what is asked, and how."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from emollms.cli import complete

Models = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PATH|REPO[@REV]", help="Given more than once for an ensemble.", autocompletion=complete.model
    ),
]
Endpoint = Annotated[
    str | None, typer.Option(metavar="URL", help="An OpenAI-compatible server; its key comes from OPENAI_API_KEY.")
]
Baselines = Annotated[
    list[str] | None,
    typer.Option(
        metavar="vader|textblob", help="A lexicon; alone, or in the ensemble.", autocompletion=complete.lexicon
    ),
]
Tasks = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME,…",
        help="valence, anger, fear, joy, sadness, arousal, dominance, emotions, sentiment, or a task of the "
        "benchmark; by default what the model was tuned on.",
        autocompletion=complete.questions,
    ),
]
Labels = Annotated[str | None, typer.Option(metavar="A,B,…", help="Your own labels, one of which is chosen.")]
Multi = Annotated[bool, typer.Option("--multi", help="With --labels: any number of them.")]
Scores = Annotated[list[str] | None, typer.Option(metavar="WHAT", help="Something of your own to score.")]
Range = Annotated[tuple[float, float], typer.Option(metavar="LOW HIGH", help="With --score: its scale.")]
Wordings = Annotated[
    str | None,
    typer.Option(metavar="all|N", help="Ask in all wordings of each task, or in N of them; further columns NAME_w1, …"),
]
OutputScale = Annotated[Literal["unit", "native"], typer.Option(help="Scores on 0..1, or as the task has them.")]
MinConfidence = Annotated[float | None, typer.Option(metavar="P", help="Withhold answers that are less sure, 0 to 1.")]
CalibrationFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Of `emollms calibrate`; by default that of the model.")
]
Map = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Which labels of a classifier answer what; docs/heads.md.")
]
Store = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Where answers are kept for later runs; a file in the cache.")
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Ask everything anew, and keep nothing.")]
Engine = Annotated[
    Literal["transformers", "vllm", "onnx", "endpoint"] | None,
    typer.Option(help="What runs a model; onnx is for classifiers."),
]
Template = Annotated[Literal["auto", "frame", "chat"], typer.Option(help="How prompts are framed.")]
Dtype = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="auto, float32, bfloat16, float16; int8 for onnx.", autocompletion=complete.dtype
    ),
]
Workers = Annotated[int, typer.Option(metavar="N", help="The most requests to an endpoint at a time.")]
PerMinute = Annotated[float | None, typer.Option(metavar="N", help="The most requests to an endpoint a minute.")]
Price = Annotated[
    tuple[float, float] | None,
    typer.Option(metavar="IN OUT", help="What an endpoint asks for a million tokens read, and written."),
]
MaxCost = Annotated[
    float | None, typer.Option(metavar="SUM", help="With --price: stop before more is spent; answers are kept.")
]
