"""`emollms space` and `emollms publish space`: a demo of a published model."""

from pathlib import Path
from typing import Annotated

import typer

from emollms.cli.output import examples, print_note
from emollms.cli.publish import (
    AllowOlder,
    Delete,
    ExpectHead,
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

_WRITE = examples(
    "emollms space me/model@v1.0.0 --out out/demo --title 'How does it feel?'",
    "python out/demo/app.py                                    # needs emollms[demo]",
    "emollms publish space out/demo --repo me/demo --yes",
)
_PUBLISH = examples(
    "emollms publish space out/demo --repo me/demo             # shows what would be done",
    "emollms publish space out/demo --repo me/demo --yes --public",
)


@app.command(epilog=_WRITE)
def space(
    model: Annotated[
        str, typer.Argument(metavar="REPO[@REV]", help="The model on the Hub; without REV, its newest version.")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder; a Space that is there is replaced.")],
    title: Annotated[str | None, typer.Option(metavar="TEXT", help="Its name for people.")] = None,
    license: Annotated[
        str | None, typer.Option(metavar="ID", help="The licence, as the Hub names it; by default the model's.")
    ] = None,
    task: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME,…", help="What can be asked; by default what the model was tuned for."),
    ] = None,
) -> None:
    """Write a demo of a published model: a page to type a text into, and to see the answers with their probabilities.

    It runs on a Space of the Hub, or here with `python DIR/app.py`, on a CPU.
    """
    from emollms.dataset.specs import as_names
    from emollms.hub.space_writer import write_space

    if Path(model).is_dir():
        raise UsageError(f"{model} is a folder; a demo is of a model on the Hub, OWNER/NAME: publish it first")
    check_repo(model.partition("@")[0])
    made = write_space(model, out, title, license, as_names(task or []))
    print_note(f"wrote {out}: {made.model} at {made.revision}, asked {', '.join(made.tasks)}")


@publish_app.command("space", epilog=_PUBLISH)
def publish_space(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What `emollms space` wrote.")],
    repo: Repo = None,
    version: Version = None,
    yes: Yes = False,
    expect_head: ExpectHead = None,
    delete: Delete = False,
    public: Public = False,
    allow_older: AllowOlder = False,
) -> None:
    """Publish a demo of a published model as a Space.

    Without --version, what is published already keeps its version, and the first is 1.0.0. The token is that of
    `hf auth login`, or HF_TOKEN.
    """
    from emollms.dataset.manifest import parse_version
    from emollms.hub.card_release import versioned
    from emollms.hub.space import space_releases
    from emollms.locations import check_folder

    repo = check_repo(repo)
    check_folder(folder)
    if version:
        parse_version(version)
    make = space_releases(folder)
    options = make_options(expect_head, delete, public, None, allow_older)
    push(repo, "space", lambda remote: make(version) if version else versioned(make, remote), options, yes)
