"""`emollms publish model`."""

import tempfile
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from emollms.cli.output import examples, print_note
from emollms.cli.publish import (
    AllowOlder,
    Delete,
    ExpectHead,
    Gated,
    Public,
    Repo,
    Version,
    Yes,
    check_repo,
    make_options,
    push,
)
from emollms.cli.publish import app as publish_app
from emollms.errors import UsageError

app = typer.Typer()

_MODEL = examples(
    "emollms publish model out/merged --repo me/model                  # shows what would be done",
    "emollms publish model out/merged --repo me/model --scores out/scores/merged --data-repo me/aaid --yes",
    "emollms publish model out/run --repo me/adapter --license apache-2.0 --yes",
    "emollms publish model out/merged --repo me/model --gguf q8_0 --yes",
)


class GgufType(StrEnum):
    """Types of numbers that the converter writes."""

    f32 = "f32"
    f16 = "f16"
    bf16 = "bf16"
    q8_0 = "q8_0"


@publish_app.command("model", epilog=_MODEL)
def publish_model(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="What `emollms merge` wrote; or a run, whose adapter is published.")
    ],
    repo: Repo = None,
    version: Version = None,
    scores: Annotated[
        list[Path] | None, typer.Option(metavar="DIR", help="A folder of `emollms evaluate`; can be given again.")
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Of `emollms calibrate`; by default the one in the model's folder."),
    ] = None,
    license: Annotated[
        str | None,
        typer.Option(metavar="ID", help="The licence, as the Hub names it, where it does not follow from the parts."),
    ] = None,
    data_repo: Annotated[
        str | None, typer.Option(metavar="OWNER/NAME", help="The data that it was tuned on, on the Hub.")
    ] = None,
    gguf: Annotated[GgufType | None, typer.Option(help="Add the model as GGUF, in numbers of this type.")] = None,
    converter: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With --gguf: convert_hf_to_gguf.py of a llama.cpp checkout.")
    ] = None,
    yes: Yes = False,
    expect_head: ExpectHead = None,
    delete: Delete = False,
    public: Public = False,
    gated: Gated = None,
    allow_older: AllowOlder = False,
) -> None:
    """Publish a tuned model: weights or adapter, tokenizer, templates, the record of its run, and its card.

    Pickles, code, secrets, missing shards and a tokenizer that is not all there are refused, and so is a model that
    does not load here or gives no numbers: nothing is sent before it was tried. Without --version, what is published
    already keeps its version, and the first is 1.0.0; a changed card raises the last number, anything else the one
    before. The token is that of `hf auth login`, or HF_TOKEN.
    """
    from emollms.dataset.manifest import parse_version
    from emollms.hub.card_release import versioned
    from emollms.hub.gguf import convert
    from emollms.hub.model import ModelOptions, model_releases
    from emollms.locations import check_file, check_folder
    from emollms.network import require_hub

    repo = check_repo(repo)
    if version:
        parse_version(version)
    if converter and not gguf:
        raise UsageError("--converter goes with --gguf")
    for place in (folder, *(scores or ())):
        check_folder(place)
    for file in (calibration, converter):
        check_file(file)
    options = make_options(expect_head, delete, public, gated, allow_older)
    if gguf:
        require_hub()  # before a conversion that takes minutes
    with tempfile.TemporaryDirectory(prefix="emollms-") as scratch:
        extra = [convert(folder, gguf.value, Path(scratch), converter)] if gguf else []
        known = ModelOptions(tuple(scores or ()), calibration, license, data_repo, tuple(extra))
        make = model_releases(folder, repo, known)
        release = push(
            repo, "model", lambda remote: make(version) if version else versioned(make, remote), options, yes
        )
    if yes:
        print_note(f"try it: emollms evaluate --model {repo}@{release.tag} --data DIR --out DIR")
