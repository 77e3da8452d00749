"""The card of a tuned model, filled from the record of its run and from its scores alone."""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal

import yaml

from emollms.corpora.registry import corpora
from emollms.dataset.card import answer_form
from emollms.errors import UsageError
from emollms.evaluation.published import source
from emollms.evaluation.scores import Scores
from emollms.hub.card_checks import check_model_card
from emollms.hub.model_license import license_chain, model_link, restrictive
from emollms.hub.model_scores import (
    command_line,
    model_index,
    published_groups,
    published_models,
    published_table,
    score_tables,
    shown_word,
)
from emollms.inference.heads import Heads
from emollms.prompts.template import prompt
from emollms.tasks import get_task
from emollms.templates import bars, cell, code, render_card
from emollms.training.manifest import Evaluation, LossPoint, RunManifest

Relation = Literal["finetune", "adapter"]
BARS = 48
"""The most bars of a loss curve."""
EVALUATIONS = 12
"""The most evaluations on the validation split that a card shows."""
METHODS = {"full": "all weights", "lora": "a LoRA adapter", "qlora": "a LoRA adapter on the quantised base model"}
OBJECTIVES = {
    "cross_entropy": "cross-entropy of the answer's tokens",
    "expected_value": "cross-entropy, and the squared error of the expected score",
    "heads": "an output for each question: cross-entropy of classes and labels, squared error of scores",
}
_UNITS = (("T", 1e12), ("B", 1e9), ("M", 1e6), ("k", 1e3))
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
    heads: Heads | None = None,
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
        heads: the outputs of a classifier; None for a model that writes its answers.

    Raises:
        UsageError: a name is no repository.
        EmollmsError: the card would not be fit to go out.
    """
    for name in filter(None, (repo, data_repo)):
        if not REPO.fullmatch(name):
            raise UsageError(f"{name!r} is no repository; repositories are named OWNER/NAME")
    data_repo = data_repo or _on_the_hub(run)
    chain, published = license_chain(run, repo, license), published_table(scores)
    card = render_card(
        "model.md.j2",
        _metadata(run, scores, repo, license, relation, data_repo, heads),
        run=run, repo=repo, name=repo.partition("/")[2], tag=f"v{version}", version=version, license=license,
        relation=relation, data_repo=data_repo, calibration=calibration, languages=_languages(run, scores),
        facts=facts(run), recipe=recipe_yaml(run), curve=loss_bars(run.losses), evaluations=evaluations(run),
        loss_at={one.step: loss_near(run.losses, one.step) for one in run.evaluations},
        tables=score_tables(scores), published=published, source=source(), groups=published_groups(published),
        models=published_models(published), chain=chain, restrictive=restrictive(chain),
        base=run.model.repository or shown_word(run.model.name), commands=_commands(run, scores),
        citations=_citations(run), heads=heads, asked={name: get_task(name) for name in run.rows},
        answers={name: answer_form(get_task(name)) for name in run.rows}, **_usage(run),
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
    heads: Heads | None,
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
        "pipeline_tag": "text-classification" if heads else "text-generation",
        **({"base_model": base, "base_model_relation": relation} if base else {}),
        **({"datasets": [data_repo]} if data_repo else {}),
        **({"metrics": list(dict.fromkeys(metrics))} if metrics else {}),
        "tags": [
            "emotion",
            "sentiment",
            "affective-computing",
            *([] if heads else ["instruction-tuning"]),
            "emollms",
        ],
        **({"model-index": index} if index else {}),
    }


def _languages(run: RunManifest, scores: Sequence[Scores]) -> list[str]:
    """The languages that it was scored in; without scores, those of its corpora if they have one only, else English."""
    scored = sorted({code.partition("-")[0] for one in scores for code in one.languages})  # the Hub knows no regions
    known = {code for one in run.sources if one.corpus in corpora() for code in corpora()[one.corpus].meta.languages}
    return scored or (sorted(known) if len(known) == 1 else ["en"])


def _on_the_hub(run: RunManifest) -> str | None:
    """The repository that the data came from, where they came from the Hub."""
    if run.data is None:
        return None
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
    runs = [run.command, *(one.command for one in run.averaged_with)]
    if run.averaged_with:
        folders = [word for one in runs for before, word in pairwise(one) if before == "--out"]
        runs.append(["emollms", "merge", *folders, "--out", "MODEL"])
    words = [command_line(one) for one in (*runs, *(one.run.command for one in scores))]
    return list(dict.fromkeys(words))


def _citations(run: RunManifest) -> list[str]:
    return [corpora()[one.corpus].meta.citation for one in run.sources if one.corpus in corpora()]


def facts(run: RunManifest) -> list[tuple[str, str]]:
    """Name and value of what a run was, for a table."""
    model, on = run.model, run.hardware
    many = f"{on.accelerators} × " if on.accelerators > 1 else ""
    memory = f", {gib(on.accelerator_memory)} each" if on.accelerators else f", {on.cores} cores, {gib(on.memory)}"
    speed = f", {run.tokens / run.seconds:,.0f} tokens a second" if run.seconds else ""
    energy = f"{run.energy_joules / 3.6e6:.3f} kWh (GPUs, by NVML)" if run.energy_joules else "not measured"
    return [
        ("base model", _base(run)),
        ("trained", f"{METHODS[run.method]}: {amount(model.trainable)} of {amount(model.parameters)} parameters"),
        ("objective", OBJECTIVES.get(run.objective, cell(run.objective))),
        ("recipe", f"{code(shown_word(run.recipe.name))} (SHA-256 {code(run.recipe.sha256[:16])}){_changed(run)}"),
        *_taught_on(run),
        ("steps", f"{run.steps:,}, {run.epochs:g} epoch{'s' if run.epochs != 1 else ''}, {amount(run.tokens)} tokens, "
                  f"{amount(run.answer_tokens)} of them in the loss"),
        ("checkpoint", f"step {run.best_step:,}: {_selection(run)}"),
        ("hardware", f"{many}{cell(on.device)}{memory}; {on.processes} process{'es' if on.processes > 1 else ''}"),
        ("precision", cell(", ".join([on.precision, f"attention {on.attention}", *on.kernels]))),
        ("time", f"{duration(run.seconds)}{speed}{_resumed(run)}; started {cell(run.started)}"),
        ("energy", energy),
        ("peak memory", gib(run.peak_memory)),
        ("seed", str(run.seed)),
        *_averaged(run),
        ("versions", cell(", ".join(f"{name} {number}" for name, number in run.versions.items()))),
    ]  # fmt: skip


def _taught_on(run: RunManifest) -> list[tuple[str, str]]:
    """The data set, and the teacher with its texts: a run has one of them, or both."""
    found, data, teacher = [], run.data, run.teacher
    if data:
        about = cell(f"{data.title} {data.version}, profile {data.profile}, content hash ")
        found.append(("data", f"{about} {code(data.content_hash[:16])}"))
    if teacher:
        texts = teacher.texts
        part = f", {teacher.alpha:.0%} of targets that have gold too" if teacher.alpha else ""
        names = " + ".join(map(shown_word, teacher.names))
        about = f"{names}, weight {teacher.weight:g}{part}, on {texts.train:,} texts of "
        questions = cell(f", asked {', '.join(teacher.questions)}")
        found.append(
            ("teacher", f"{cell(about)} {code(shown_word(texts.name))} ({code(texts.sha256[:16])}){questions}")
        )
    return found


def _averaged(run: RunManifest) -> list[tuple[str, str]]:
    """What the other runs were whose weights went into the mean."""
    if not (others := run.averaged_with):
        return []
    changes = [", ".join(code(shown_word(setting)) for setting in one.overrides) for one in others]
    settings = "; ".join(one or "nothing changed" for one in changes)
    seconds, tokens = (sum(getattr(one, name) for one in (run, *others)) for name in ("seconds", "tokens"))
    about = f"the weights are the mean of {1 + len(others)} runs, the one above and those with {settings}"
    return [("average", f"{about}; {duration(seconds)} and {amount(tokens)} tokens in all")]


def _base(run: RunManifest) -> str:
    model = run.model
    name = model_link(run)
    revision = f" at {code(model.revision[:19])}" if model.revision else ""
    kind = {"seq2seq": "encoder-decoder", "causal": "decoder-only"}.get(model.architecture, model.architecture)
    return f"{name}{revision}, {cell(model.family)}, {kind}"


def _changed(run: RunManifest) -> str:
    changed = ", ".join(code(shown_word(one)) for one in run.recipe.overrides)
    return f", with {changed}" if changed else ""


def _selection(run: RunManifest) -> str:
    return {"metric": "best mean metric on the validation split", "loss": "lowest loss on the validation split"}.get(
        run.selection, "the last"
    )


def _resumed(run: RunManifest) -> str:
    return f", resumed {run.resumed} times" if run.resumed > 1 else ", resumed once" if run.resumed else ""


def recipe_yaml(run: RunManifest) -> str:
    """All that the recipe says, with what was changed, as YAML."""
    return yaml.safe_dump(_shown(run.recipe.values), sort_keys=False, allow_unicode=True, width=120)


def _shown(value: object) -> Any:
    if isinstance(value, dict):
        return {key: _shown(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_shown(inner) for inner in value]
    return shown_word(value) if isinstance(value, str) else value


def loss_bars(losses: Sequence[LossPoint]) -> str:
    """The training loss as a row of bars from its lowest to its highest, by steps; "" without any."""
    count = min(BARS, len(losses))
    edges = [round(number * len(losses) / count) for number in range(count + 1)] if count else []
    means = [sum(point.loss for point in losses[start:end]) / (end - start) for start, end in pairwise(edges)]
    return bars(means, min(means)) if means else ""


def evaluations(run: RunManifest) -> list[Evaluation]:
    """Evaluations on the validation split, evenly spaced, with the one whose weights are kept."""
    every = run.evaluations
    if len(every) <= EVALUATIONS:
        return list(every)
    places = {round(number * (len(every) - 1) / (EVALUATIONS - 1)) for number in range(EVALUATIONS)}
    return [one for place, one in enumerate(every) if place in places or one.step == run.best_step]


def loss_near(losses: Sequence[LossPoint], step: int) -> float | None:
    """The training loss at the last point up to a step."""
    known = [point.loss for point in losses if point.step <= step]
    return known[-1] if known else None


def amount(number: float) -> str:
    """A number with three digits and a unit: 135M."""
    for unit, size in _UNITS:
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:g}"


def gib(size: int) -> str:
    """Bytes as GiB."""
    return f"{size / 2**30:.1f} GiB"


def duration(seconds: float) -> str:
    """Hours, minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"
