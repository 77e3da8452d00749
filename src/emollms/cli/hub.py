"""`emollms hydrate`, `status`, `collection` and `space`: what is on the Hub, the way back, and a demo of a model."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from emollms.cli import complete
from emollms.cli.base import TableCommand
from emollms.cli.output import examples, print_note, print_table
from emollms.errors import UsageError
from emollms.progress import show_progress

app = typer.Typer()

_HYDRATE = examples(
    "emollms hydrate me/aaid-ids --from ~/corpora --out out/aaid",
    "emollms hydrate me/aaid-ids@v1.0.0 --out out/aaid",
    "emollms hydrate out/aaid-ids --out out/aaid",
)
_STATUS = examples(
    "emollms status me/aeb --data out/aeb",
    "emollms status me/model --model out/merged",
    "emollms status me/demo --space out/demo",
)
_COLLECTION = examples(
    'emollms collection me "Affect in text" me/aaid me/aeb me/model          # shows what would be done',
    'emollms collection me "Affect in text" datasets/me/aeb me/model spaces/me/demo --yes --public',
)

_SPACE = examples(
    "emollms space me/model@v1.0.0 --out out/demo --title 'How does it feel?'",
    "python out/demo/app.py                                    # needs emollms[demo]",
    "emollms publish space out/demo --repo me/demo --yes",
)


@app.command(epilog=_HYDRATE)
def hydrate(
    source: Annotated[
        str, typer.Argument(metavar="REPO|DIR", help="OWNER/NAME, with @REVISION or without; or a folder.")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder of the data set; it appears when all is done.")],
    corpora: Annotated[
        Path | None,
        typer.Option("--from", metavar="CORPORA", help="The folder of the corpora, in place of EMOLLMS_CORPORA."),
    ] = None,
) -> None:
    """Build a data set from its ids and your own copy of the corpora; the hash of every row is checked."""
    from emollms.hub.hydrate import hydrate as run
    from emollms.hub.repo import Remote
    from emollms.locations import check_folder, check_free, hub_repo
    from emollms.network import require_hub

    named = None if Path(source).is_dir() else hub_repo(source)
    check_folder(corpora)
    check_free(out)
    with tempfile.TemporaryDirectory(prefix="emollms-") as cache, show_progress("texts", "reading ids") as on_progress:
        ids = Path(source)
        if named:
            require_hub()
            ids = Remote(named.repo).download(named.revision or "main", Path(cache))
        done = run(ids, out, corpora, on_progress)
    print_note(f"built {done.manifest.data_set} {done.manifest.version} in {out}: {done.rows:,} rows, as published")
    if done.differing:
        print_note(f"another version of emollms wrote these files otherwise: {', '.join(done.differing)}")


@app.command(epilog=_STATUS, cls=TableCommand)
def status(
    repo: Annotated[str, typer.Argument(metavar="REPO", help="OWNER/NAME.")],
    data: Annotated[Path | None, typer.Option(metavar="DIR", help="The folder of the data set.")] = None,
    model: Annotated[Path | None, typer.Option(metavar="DIR", help="The folder of the model, or of its run.")] = None,
    space: Annotated[Path | None, typer.Option(metavar="DIR", help="The folder of the Space.")] = None,
) -> None:
    """Tell whether what is on the Hub is what is here; the exit code is 1 if it is not.

    A data set is compared with the tag of its version; a model or a Space, which have no version here, with the newest
    tag; or with `main` if there is no such tag.
    """
    from emollms.hub.repo import check_repo
    from emollms.hub.status import data_status, model_status, space_status
    from emollms.locations import check_folder
    from emollms.network import require_hub

    given = [(name, one) for name, one in (("data", data), ("model", model), ("space", space)) if one]
    if len(given) != 1:
        raise UsageError("give one of --data, --model and --space: the folder that is compared with the repo")
    name, folder = given[0]
    check_repo(repo)
    check_folder(folder)
    require_hub()
    found = {"data": data_status, "model": model_status, "space": space_status}[name](repo, folder)
    kinds = {**found.differing, "leave": found.left}
    print_table(("what", "file"), [(kind, path) for kind, paths in kinds.items() for path in paths])
    print_note(found.summary)
    if not found.is_same:
        raise typer.Exit(1)


@app.command(epilog=_COLLECTION, cls=TableCommand)
def collection(
    owner: Annotated[str, typer.Argument(metavar="OWNER", help="Whose it is: a user, or an organization.")],
    title: Annotated[str, typer.Argument(metavar="TITLE", help="Its title; one of this title that is there is used.")],
    repos: Annotated[
        list[str],
        typer.Argument(metavar="REPO…", help="OWNER/NAME; where there are several of a name, datasets/OWNER/NAME."),
    ],
    about: Annotated[
        str | None, typer.Option(metavar="TEXT", help="What stands under its title, at most 150 characters.")
    ] = None,
    public: Annotated[bool, typer.Option("--public", help="Show it to everybody, as the last step.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without this, the plan is shown.")] = False,
) -> None:
    """Group data sets, models and Spaces in a collection of the Hub; what is in it already stays."""
    from emollms.hub.collection import Collections, check_texts
    from emollms.hub.repo import check_repo
    from emollms.network import require_hub

    check_texts(title, about)
    for repo in repos:
        kind, _, rest = repo.partition("/")
        check_repo(rest if kind in ("datasets", "models", "spaces") and rest.count("/") == 1 else repo)
    require_hub()
    work = Collections(owner)
    plan = work.plan(title, repos, about, public)
    rows = [("add", *one) for one in plan.add] + [("is there", *one) for one in plan.there]
    print_table(("what", "kind", "repo"), rows)
    for step in plan.steps:
        print_note(f"to do: {step}")
    if not yes:
        print_note("nothing was changed; add --yes to do it")
        return
    done = work.apply(plan, print_note)
    print_note(f"{'done' if plan.steps else 'was there already, unchanged'}: {done}")


@app.command(epilog=_SPACE)
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
        typer.Option(
            metavar="NAME,…",
            help="What can be asked; by default what the model was tuned for.",
            autocompletion=complete.questions,
        ),
    ] = None,
) -> None:
    """Write a demo of a published model: a page to type a text into, and to see the answers with their probabilities.

    It runs on a Space of the Hub, or here with `python DIR/app.py`, on a CPU.
    """
    from emollms.dataset.specs import as_names
    from emollms.hub.repo import check_repo
    from emollms.hub.space import write_space

    if Path(model).is_dir():
        raise UsageError(f"{model} is a folder; a demo is of a model on the Hub, OWNER/NAME: publish it first")
    check_repo(model.partition("@")[0])
    made = write_space(model, out, title, license, as_names(task or []))
    print_note(f"wrote {out}: {made.model} at {made.revision}, asked {', '.join(made.tasks)}")
