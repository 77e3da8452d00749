"""`emollms leaderboard` and `leaderboard-page`: what the Hub lists for a benchmark, and a page of published answers."""

from pathlib import Path
from typing import Annotated

import typer

from emollms.cli.base import TableCommand
from emollms.cli.evaluate import Data
from emollms.cli.output import examples, print_note, print_table

app = typer.Typer()

_LEADERBOARD = examples(
    "emollms leaderboard me/aeb",
    "emollms leaderboard me/aeb --task V-reg,EI-reg",
    "emollms leaderboard me/aeb --json > leaderboard.json",
)
_PAGE = examples(
    "emollms leaderboard-page me/answers-a me/answers-b@v1.0.0 --data me/aeb --out out/leaderboard",
    "emollms publish space out/leaderboard --repo me/leaderboard --yes",
)


@app.command(epilog=_LEADERBOARD, cls=TableCommand)
def leaderboard(
    repo: Annotated[str, typer.Argument(metavar="REPO", help="The benchmark on the Hub, OWNER/NAME.")],
    task: Annotated[
        list[str] | None, typer.Option(metavar="NAME,…", help="Given more than once, or with commas; all by default.")
    ] = None,
) -> None:
    """Print the leaderboard of a benchmark on the Hub: its models by mean rank, and their scores in every task.

    With --json, revisions, dates and notes as well.
    """
    from emollms.dataset.specs import as_names
    from emollms.hub.leaderboard import read_leaderboard
    from emollms.hub.repo import check_repo
    from emollms.network import require_hub

    check_repo(repo)
    require_hub()
    found = read_leaderboard(repo, as_names(task or []))
    print_table(*found.table(), found.as_json())
    count = len(found.mean_ranks)
    print_note(f"{count} {'model' if count == 1 else 'models'} on {repo}, at commit {found.commit}")


@app.command("leaderboard-page", epilog=_PAGE, cls=TableCommand)
def leaderboard_page(
    answers: Annotated[
        list[str],
        typer.Argument(metavar="REPO[@REV]…", help="Answers that `emollms publish answers` published."),
    ],
    data: Data,
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder; a Space that is there is replaced.")],
    title: Annotated[str | None, typer.Option(metavar="TEXT", help="Its title for people.")] = None,
    license: Annotated[str, typer.Option(metavar="ID", help="The licence of the page, as the Hub names it.")] = "mit",
) -> None:
    """Write a leaderboard from published answers, as a page for a static Space of the Hub.

    Every score is computed again, with its interval; models are sorted by mean rank, whose uncertainty is shown.
    """
    from emollms.hub.leaderboard_space import write_leaderboard

    board = write_leaderboard(answers, data, out, title, license)
    rows = [
        (one.name, f"{one.mean_rank:.2f}", f"{one.low:.2f} to {one.high:.2f}", len(one.cells)) for one in board.models
    ]
    print_table(("model", "mean rank", "95 % interval", "tasks"), rows)
    print_note(f"wrote {out}; publish it: emollms publish space {out} --repo OWNER/NAME")
