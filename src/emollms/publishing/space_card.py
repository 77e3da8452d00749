"""The card of a demo, as the Hub reads it to set a Space up."""

from importlib.metadata import PackageNotFoundError, version

from emollms.publishing.card_checks import check_licence
from emollms.repository.card import render_card

SDK_VERSION = "6.31.0"
"""The gradio of a Space where none is installed here; else it is that one, with which the demo was tried."""
LONGEST_ABOUT = 60
"""Characters that the Hub shows of `short_description`."""


def render_space_card(model_repo: str, revision: str, title: str, licence: str) -> str:
    """The README of a Space.

    Args:
        model_repo: the model that it asks, `OWNER/NAME`.
        revision: its tag or commit.
        title: the name of the Space for people.
        licence: the licence of the Space, as the Hub names it.

    Raises:
        UsageError: the Hub knows no such licence.
    """
    check_licence(licence)
    metadata = {
        "title": title,
        "emoji": "🎭",
        "colorFrom": "indigo",
        "colorTo": "pink",
        "sdk": "gradio",
        "sdk_version": _gradio(),
        "python_version": "3.11",
        "app_file": "app.py",
        "pinned": False,
        "models": [model_repo],
        **({"license": licence} if licence != "other" else _own_terms(model_repo)),
        "short_description": "What a text feels like, to a tuned language model"[:LONGEST_ABOUT],
        "tags": ["emotion", "sentiment", "affective-computing", "emollms"],
    }
    values = {"model_repo": model_repo, "revision": revision, "title": title, "sdk_version": metadata["sdk_version"]}
    return render_card("space/README.md.j2", metadata, **values)


def _gradio() -> str:
    try:
        return version("gradio")
    except PackageNotFoundError:
        return SDK_VERSION


def _own_terms(model_repo: str) -> dict[str, object]:
    """What the Hub asks for beside the licence `other`: here the model's."""
    name = "terms-of-the-model"
    return {"license": "other", "license_name": name, "license_link": f"https://huggingface.co/{model_repo}#licence"}
