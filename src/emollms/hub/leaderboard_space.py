"""A leaderboard from published answers, as a static Space: a page, and its data."""

from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import constants

from emollms import __version__
from emollms.dataset.manifest import README
from emollms.dataset.reader import Dataset
from emollms.hub.repo import Remote
from emollms.hub.space import LONGEST_ABOUT, SpaceManifest, check_space_place, sign
from emollms.locations import is_local
from emollms.report.leaderboard import Ranking, rank_answers
from emollms.report.leaderboard_page import render_ranking
from emollms.storage import commit, draft, write_json
from emollms.templates import render_card

PAGE, DATA = "index.html", "leaderboard.json"


def write_leaderboard(
    answers: Sequence[str],
    data: str | Path,
    out: str | Path,
    title: str | None = None,
    license: str = "mit",
) -> Ranking:
    """Write the leaderboard of published answers as a static Space; it appears when everything is written.

    Args:
        answers: `OWNER/NAME[@REVISION]`, or folders of published answers.
        data: the benchmark that they answer, a folder or `OWNER/NAME[@REVISION]`.
        out: the folder; a Space that is there is replaced.
        title: its title; by default it names the benchmark.
        license: the licence of the page, as the Hub names it.

    Raises:
        UsageError: answers or benchmark are not there, do not go together, or `out` holds something else.
        EmollmsError: the scores that were published are not those of the answers; or the Hub cannot be reached.
    """
    out = Path(out)
    check_space_place(out)
    board = rank_answers(answers, Dataset(data))
    title = title or f"Leaderboard of the {board.benchmark}"
    repos = [name.partition("@")[0] for name in answers if not is_local(name)]
    if repos and license != "mit":
        Remote(repos[0]).check_license(license)
    links = {one.answers: _address(one.answers) for one in board.models if one.answers.partition("@")[0] in repos}
    manifest = SpaceManifest(
        answers=tuple(dict.fromkeys(repos)), title=title, license=license, tasks=[task.name for task in board.tasks],
        files=[], made_with=__version__,
    )  # fmt: skip
    with draft(out) as folder:
        (folder / PAGE).write_text(render_ranking(board, title, links), encoding="utf-8")
        write_json(folder / DATA, board.as_json())
        (folder / README).write_text(_card(board, manifest, data), encoding="utf-8")
        sign(manifest, folder)
        commit(folder, out)
    return board


def _address(answers: str) -> str:
    repo, _, revision = answers.partition("@")
    return f"{constants.ENDPOINT}/datasets/{repo}/tree/{revision or 'main'}"


def _card(board: Ranking, manifest: SpaceManifest, data: str | Path) -> str:
    benchmark = [] if is_local(str(data)) else [str(data).partition("@")[0]]
    metadata = {
        "title": manifest.title,
        "emoji": "🏁",
        "colorFrom": "indigo",
        "colorTo": "green",
        "sdk": "static",
        "app_file": PAGE,
        "pinned": False,
        "license": manifest.license,
        **({"datasets": found} if (found := [*benchmark, *manifest.answers]) else {}),
        "short_description": "Models that read affect in text, ranked"[:LONGEST_ABOUT],
        "tags": ["leaderboard", "emotion", "sentiment", "affective-computing", "emollms"],
    }
    return render_card(
        "space/leaderboard.md.j2", metadata, title=manifest.title, models=board.models, benchmark=board.benchmark,
        version=board.version, sources=[one.answers for one in board.models],
    )  # fmt: skip
