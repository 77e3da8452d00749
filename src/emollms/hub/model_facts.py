"""What a card says about a run: how long, on what, how the loss went, and whose terms it stands under."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import yaml

from emollms.hub.model_scores import shown_word
from emollms.templates import bars, cell, code, link, listed
from emollms.training.manifest import Evaluation, LossPoint, RunManifest

HUB = "https://huggingface.co"
BARS = 48
"""The most bars of a loss curve."""
LOOKS = 12
"""The most looks at the validation rows that a card shows."""
METHODS = {"full": "all weights", "lora": "a LoRA adapter", "qlora": "a LoRA adapter on the quantised base model"}
OBJECTIVES = {
    "cross_entropy": "cross-entropy of the answer's tokens",
    "expected_value": "cross-entropy, and the squared error of the expected score",
}
_UNITS = (("T", 1e12), ("B", 1e9), ("M", 1e6), ("k", 1e3))


@dataclass(frozen=True)
class LicenseLink:
    """A link of the chain of licences.

    Args:
        what: base model, data, or this model.
        name: its name, as Markdown.
        license: its licence.
        asks: what follows from it; "" if there is nothing of note.
    """

    what: str
    name: str
    license: str
    asks: str


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
        ("data", cell(f"{run.data.title} {run.data.version}, profile {run.data.profile}, content hash ")
                 + f" {code(run.data.content_hash[:16])}"),
        ("steps", f"{run.steps:,}, {run.epochs:g} epoch{'s' if run.epochs != 1 else ''}, {amount(run.tokens)} tokens "
                  f"read, {amount(run.answer_tokens)} of them with a loss"),
        ("kept", f"the weights of step {run.best_step:,}, by {_selection(run)}"),
        ("hardware", f"{many}{cell(on.device)}{memory}; {on.processes} process{'es' if on.processes > 1 else ''}"),
        ("numbers", cell(", ".join([on.precision, f"attention {on.attention}", *on.kernels]))),
        ("time", f"{duration(run.seconds)}{speed}{_resumed(run)}; begun {cell(run.started)}"),
        ("energy", energy),
        ("peak memory", gib(run.peak_memory)),
        ("seed", str(run.seed)),
        ("versions", cell(", ".join(f"{name} {number}" for name, number in run.versions.items()))),
    ]  # fmt: skip


def _base(run: RunManifest) -> str:
    model = run.model
    name = _model_link(run)
    revision = f" at {code(model.revision[:19])}" if model.revision else ""
    kind = "encoder-decoder" if model.architecture == "seq2seq" else "decoder-only"
    return f"{name}{revision}, {cell(model.family)}, {kind}"


def _model_link(run: RunManifest) -> str:
    base = run.model.repository
    return link(base, f"{HUB}/{base}") if base else cell(shown_word(run.model.name))


def _changed(run: RunManifest) -> str:
    changed = ", ".join(code(shown_word(one)) for one in run.recipe.overrides)
    return f", with {changed}" if changed else ""


def _selection(run: RunManifest) -> str:
    return {"metric": "the mean metric on validation", "loss": "the loss on validation"}.get(
        run.selection, "being the last"
    )


def _resumed(run: RunManifest) -> str:
    return (
        f", taken up again {run.resumed} times" if run.resumed > 1 else ", taken up again once" if run.resumed else ""
    )


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


def looks(run: RunManifest) -> list[Evaluation]:
    """Looks at the validation rows, evenly chosen, the one whose weights are kept among them."""
    every = run.evaluations
    if len(every) <= LOOKS:
        return list(every)
    places = {round(number * (len(every) - 1) / (LOOKS - 1)) for number in range(LOOKS)}
    return [one for place, one in enumerate(every) if place in places or one.step == run.best_step]


def loss_near(losses: Sequence[LossPoint], step: int) -> float | None:
    """The training loss at the last point up to a step."""
    known = [point.loss for point in losses if point.step <= step]
    return known[-1] if known else None


def license_chain(run: RunManifest, repo: str, license: str) -> list[LicenseLink]:
    """Whose terms a model stands under: the base model's, each corpus's, and its own."""
    where = "as its card states it" if run.model.repository else "as it came with"
    chain = [LicenseLink("base model", _model_link(run), where, "its terms go on for what is tuned from it")]
    chain += [
        LicenseLink("data", cell(one.corpus), one.license, listed(list(_asks(one.license, one.redistribution))))
        for one in run.data.sources
    ]
    return [*chain, LicenseLink("this model", repo, license, listed(list(_asks(license, "text"))))]


def _asks(license: str, redistribution: str) -> Iterator[str]:
    """What a licence, or the terms of a corpus, ask for that is easily missed."""
    parts = license.lower().split("-")
    if redistribution != "text":
        yield "its texts may not be passed on"
    if "nc" in parts or "noncommercial" in parts:
        yield "no commercial use"
    if "nd" in parts:
        yield "no derived works"
    if "sa" in parts or parts[0] in ("gpl", "agpl", "odbl"):
        yield "what is derived must be shared alike"
    if license == "unknown":
        yield "no licence is stated: research use, with citation"
    if license == "other":
        yield "terms of its own"


def restrictive(chain: Sequence[LicenseLink]) -> list[LicenseLink]:
    """The parts of the data that ask for something."""
    return [link for link in chain if link.what == "data" and link.asks]


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
