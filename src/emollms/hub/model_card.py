"""The card of a tuned model, filled from the record of its run and from its scores alone."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from emollms.corpora.registry import corpora
from emollms.errors import UsageError
from emollms.evaluation.published import source
from emollms.evaluation.scores import Scores
from emollms.hub.card_checks import check_license, check_model_card
from emollms.hub.model_facts import (
    facts,
    license_chain,
    looks,
    loss_bars,
    loss_near,
    recipe_yaml,
    restrictive,
)
from emollms.hub.model_scores import (
    command_line,
    model_index,
    published_groups,
    published_models,
    published_table,
    score_tables,
    shown_word,
)
from emollms.prompts.template import prompt
from emollms.tasks import get_task
from emollms.templates import render_card
from emollms.training.manifest import RunManifest

Relation = Literal["finetune", "adapter"]
REPO = re.compile(r"[\w.-]+/[\w.-]+")
_PIECE = re.compile(r".{1,96}(?: |$)|.{1,96}")
"""A line of a long text in code; together they are the text."""
EXAMPLE = "They cancelled my train again and nobody at the station could say why!"
"""The text that the card asks about; made up."""


def render_model_card(
    run: RunManifest,
    scores: Sequence[Scores],
    *,
    repo: str,
    version: str,
    license: str,
    relation: Relation,
    calibration: Mapping[str, Any] | None = None,
    data_repo: str | None = None,
) -> str:
    """The README of a model.

    Args:
        run: the record of the run that made it.
        scores: what `scores.json` of each evaluation of it holds; none is fine.
        repo: the model's repository on the Hub, `OWNER/NAME`.
        version: its version, `X.Y.Z`; its tag is `vX.Y.Z`.
        license: its licence, as the Hub names it.
        relation: what is published: all weights, or an adapter.
        calibration: what the calibration file holds, where there is one.
        data_repo: the repository of the data on the Hub, where it is there.

    Raises:
        UsageError: the licence is none of the Hub's, or a name is no repository.
        EmollmsError: the card would not be fit to go out.
    """
    check_license(license)
    for name in filter(None, (repo, data_repo)):
        if not REPO.fullmatch(name):
            raise UsageError(f"{name!r} is no repository; repositories are named OWNER/NAME")
    data_repo = data_repo or _on_the_hub(run)
    chain, published = license_chain(run, repo, license), published_table(scores)
    card = render_card(
        "model.md.j2",
        _metadata(run, scores, repo, license, relation, data_repo),
        run=run, repo=repo, name=repo.partition("/")[2], tag=f"v{version}", version=version, license=license,
        relation=relation, data_repo=data_repo, calibration=calibration, languages=_languages(run, scores),
        facts=facts(run), recipe=recipe_yaml(run), curve=loss_bars(run.losses), looks=looks(run),
        loss_at={one.step: loss_near(run.losses, one.step) for one in run.evaluations},
        tables=score_tables(scores), published=published, source=source(), groups=published_groups(published),
        models=published_models(published), chain=chain, restrictive=restrictive(chain),
        base=run.model.repository or shown_word(run.model.name), commands=_commands(run, scores),
        citations=_citations(run), **_usage(run),
    )  # fmt: skip
    check_model_card(card, "the model card", scores)
    return card


def _metadata(
    run: RunManifest,
    scores: Sequence[Scores],
    repo: str,
    license: str,
    relation: Relation,
    data_repo: str | None,
) -> dict[str, Any]:
    """The metadata, in the order that the Hub's guide has."""
    base = run.model.repository
    index = model_index(repo.partition("/")[2], scores)
    own = {"license_name": "terms-of-base-model-and-data", "license_link": f"https://huggingface.co/{repo}#licence"}
    metrics = [metric["type"] for model in index for result in model["results"] for metric in result["metrics"]]
    return {
        "license": license,
        **(own if license == "other" else {}),
        "language": [code.partition("-")[0] for code in _languages(run, scores)],
        "library_name": "peft" if relation == "adapter" else "transformers",
        "pipeline_tag": "text-generation",
        **({"base_model": base, "base_model_relation": relation} if base else {}),
        **({"datasets": [data_repo]} if data_repo else {}),
        **({"metrics": list(dict.fromkeys(metrics))} if metrics else {}),
        "tags": ["emotion", "sentiment", "affective-computing", "instruction-tuning", "emollms"],
        **({"model-index": index} if index else {}),
    }


def _languages(run: RunManifest, scores: Sequence[Scores]) -> list[str]:
    """The languages that it was scored in; without scores, those of its corpora if they have one only, else English."""
    scored = sorted({one.run.settings.language for one in scores})
    known = {
        code for one in run.data.sources if one.corpus in corpora() for code in corpora()[one.corpus].meta.languages
    }
    return scored or (sorted(known) if len(known) == 1 else ["en"])


def _on_the_hub(run: RunManifest) -> str | None:
    """The repository that the data came from, where they came from the Hub."""
    name, _, revision = run.data.target.partition("@")
    return name if revision and REPO.fullmatch(name) else None


def _usage(run: RunManifest) -> dict[str, Any]:
    """What the code in the card needs: a task that the model was tuned for, a prompt, and how long answers are."""
    task = get_task(next(iter(run.rows), "V-reg"))
    emotion = task.emotions[0] if task.emotions else None
    pieces = _PIECE.findall(prompt(task, EXAMPLE, 0, emotion))
    return {"task": task, "emotion": emotion, "text": EXAMPLE, "pieces": pieces}


def _commands(run: RunManifest, scores: Sequence[Scores]) -> list[str]:
    """What makes the model, and its scores, again."""
    words = [command_line(run.command), *(command_line(one.run.command) for one in scores)]
    return list(dict.fromkeys(words))


def _citations(run: RunManifest) -> list[str]:
    return [corpora()[one.corpus].meta.citation for one in run.data.sources if one.corpus in corpora()]
