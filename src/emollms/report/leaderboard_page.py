"""The page of a leaderboard: one file that needs nothing but itself, holds no script, and escapes every text."""

from collections.abc import Mapping

from emollms import __version__
from emollms.evaluation.scoring import RESAMPLES
from emollms.report.leaderboard import Ranking
from emollms.report.render import environment, template


def render_ranking(board: Ranking, title: str, links: Mapping[str, str]) -> str:
    """The page.

    Args:
        board: the leaderboard.
        title: its title.
        links: addresses of answers, by their places in `board`.
    """
    last = max(len(board.models), 2)
    return (
        environment(escape=True)
        .from_string(template("leaderboard.html.j2"))
        .render(
            board=board,
            title=title,
            links=links,
            best=_best(board),
            ceilings=any(task.ceiling is not None for task in board.tasks),
            place=lambda rank: round(100 * (rank - 1) / (last - 1), 2),
            resamples=RESAMPLES,
            made_with=f"emollms {__version__}",
        )
    )


def _best(board: Ranking) -> dict[str, float]:
    """The best score of each task."""
    having = {
        task.name: [one.cells[task.name].value for one in board.models if task.name in one.cells]
        for task in board.tasks
    }
    return {name: max(values) for name, values in having.items()}
