"""`emollms leaderboard`: the models that the Hub lists for a benchmark."""

import json
from typing import Annotated

import typer

from emollms.cli.output import examples, print_note, print_table

app = typer.Typer()

_LEADERBOARD = examples(
    "emollms leaderboard me/aeb",
    "emollms leaderboard me/aeb --task V-reg,EI-reg",
    "emollms leaderboard me/aeb --json > leaderboard.json",
)


@app.command(epilog=_LEADERBOARD)
def leaderboard(
    repo: Annotated[str, typer.Argument(metavar="REPO", help="The benchmark on the Hub, OWNER/NAME.")],
    task: Annotated[
        list[str] | None, typer.Option(metavar="NAME,…", help="Given more than once, or with commas; all by default.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON, with revisions, dates and notes.")] = False,
) -> None:
    """Print the leaderboard of a benchmark on the Hub: its models by mean rank, and their scores in every task."""
    from emollms.dataset.specs import as_names
    from emollms.hub.leaderboard import read_leaderboard
    from emollms.hub.repo import check_repo
    from emollms.network import require_hub

    check_repo(repo)
    require_hub()
    found = read_leaderboard(repo, as_names(task or []))
    if as_json:
        print(json.dumps(found.as_json(), ensure_ascii=False, indent=2))
        return
    print_table(*found.table())
    print_note(f"{len(found.mean_ranks)} models on {repo}, at commit {found.commit}")
