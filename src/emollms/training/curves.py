"""The curves of a run as a picture: losses at the left, scores of each task at the right, the best step in both."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from emollms.errors import UsageError
from emollms.quality.gate.vega import LOOK
from emollms.training.curve_marks import Curve, Spec, dots, end_labels, heading, line, marked_step, noise
from emollms.training.manifest import RunManifest

WIDTH, WIDE, HEIGHT, SCALE = 430, 760, 280, 2
FEW = 30
"""Points of the training loss up to which each has a dot."""
MEAN = "mean"
_COLOURS: Mapping[str, str] = {
    "muted": "#66625b", "line": "#e4e0d9", "ink": "#1d1c1a", "train": "#33658a", "validation": "#b8621b",
}  # fmt: skip
_TRAIN, _VALIDATION, _INK = "var(--train)", "var(--validation)", "var(--ink)"
_TASKS = ("#33658a", "#b8621b", "#2f7d5b", "#8a4f9e", "#a83a4b", "#7a6a12", "#2a7f8e", "#5a5a8f")
_FONT = "Roboto, sans-serif"


def draw_curves(run: RunManifest, path: Path) -> None:
    """Draw the curves of a run as PNG.

    Args:
        run: its record.
        path: the file; it is written whole or not at all.

    Raises:
        UsageError: the package that draws is not installed.
    """
    try:
        import vl_convert
    except ImportError:
        raise UsageError("pictures need the package vl-convert-python: pip install vl-convert-python") from None
    picture = vl_convert.vegalite_to_png(specification(run), scale=SCALE)
    draft = path.with_name(f"{path.name}.draft")
    draft.write_bytes(picture)
    draft.replace(path)


def specification(run: RunManifest) -> Spec:
    """The picture in Vega-Lite."""
    names = sorted({name for one in run.evaluations for name in one.tasks})
    scored = bool(names) or any(one.metric is not None for one in run.evaluations)
    width = WIDTH if scored else WIDE
    panels = [_losses(run, width), *([_scores(run, names, width)] if scored else [])]
    title = {"text": run.name, "subtitle": _about(run), "anchor": "start", "offset": 16, "font": _FONT, "fontSize": 17}
    look = {"fontWeight": 600, "color": _INK, "subtitleFont": _FONT, "subtitleFontSize": 12, "subtitlePadding": 5}
    config = {**LOOK, "background": "#ffffff", "font": _FONT, "padding": 20}
    spec = {"title": title | look | {"subtitleColor": "var(--muted)"}, "hconcat": panels, "spacing": 56}
    return _coloured(spec | {"config": config})


def smooth(curve: Curve, share: float = 0.05) -> Curve:
    """Means over a window of `share` of all points around each; at the ends, over those of them that there are."""
    reach = int(len(curve) * share / 2)
    parts = [curve[max(0, place - reach) : place + reach + 1] for place in range(len(curve))]
    return [(step, sum(value for _, value in part) / len(part)) for (step, _), part in zip(curve, parts, strict=True)]


def _losses(run: RunManifest, width: int) -> Spec:
    train = [(one.step, one.loss) for one in run.losses if math.isfinite(one.loss)]
    looked = [(one.step, one.loss) for one in run.evaluations if one.loss is not None and math.isfinite(one.loss)]
    smoothed = smooth(train)
    scale = _loss_scale(smoothed + looked, train)
    y = {"field": "value", "type": "quantitative", "title": None, "axis": _loss_axis(scale), "scale": scale}
    axes = {"x": _steps(run), "y": y}
    layers = [noise(train, axes, _TRAIN), line(smoothed, axes, _TRAIN, 2.2)]
    layers += [dots(train, axes, _TRAIN)] if len(train) <= FEW else []
    layers += [line(looked, axes, _VALIDATION, 1.6), dots(looked, axes, _VALIDATION)]
    key = [("training", _TRAIN)] * bool(train) + [("validation", _VALIDATION)] * bool(looked)
    return _panel("Loss of the answers", key, layers, run, axes, width)


def _scores(run: RunManifest, names: Sequence[str], width: int) -> Spec:
    lines = {name: [(one.step, one.tasks[name]) for one in run.evaluations if name in one.tasks] for name in names}
    if len(names) != 1:
        lines[MEAN] = [(one.step, one.metric) for one in run.evaluations if one.metric is not None]
    colours = {name: _TASKS[number % len(_TASKS)] for number, name in enumerate(names)} | {MEAN: _INK}
    y = {"field": "value", "type": "quantitative", "title": None, "axis": {"tickCount": 5, "format": ".1f"}}
    values = [value for curve in lines.values() for _, value in curve]
    axes = {"x": _steps(run), "y": y | {"scale": {"domain": _score_domain(values), "nice": False}}}
    layers = []
    for number, (name, curve) in enumerate(lines.items()):
        width_of, size = (2.6, 34) if name == MEAN else (1.6, 22)
        layers.append(line(curve, axes, colours[name], width_of, dashed=name != MEAN and number >= len(_TASKS)))
        layers.append(dots(curve, axes, colours[name], size))
    layers += end_labels(lines, colours, MEAN, axes, HEIGHT)
    key = [("Pearson's r or macro-F1", "var(--muted)")]
    return _panel("Scores on validation rows", key, layers, run, axes, width)


def _panel(
    title: str, key: Sequence[tuple[str, str]], layers: Sequence[Spec], run: RunManifest, axes: Spec, width: int
) -> Spec:
    """A picture with its title and, where the best step was chosen, a line there."""
    best = []
    if run.selection != "last" and run.best_step:
        best = marked_step(run.best_step, f"best: step {run.best_step:,}", axes, run.best_step > 0.6 * run.steps)
    return {"width": width, "height": HEIGHT, "layer": [*best, *layers, *heading(title, key)]}


def _steps(run: RunManifest) -> Spec:
    """The axis of steps, from 0 to the last; where they are few, each has its number."""
    axis: Spec = {"tickCount": 6, "format": ",d", "grid": False}
    if run.steps <= 8:
        axis["values"] = list(range(run.steps + 1))
    scale = {"domain": [0, max(1, run.steps)], "nice": False}
    return {"field": "step", "type": "quantitative", "title": "step", "axis": axis, "scale": scale}


def _loss_scale(shown: Curve, raw: Curve) -> Spec:
    """Has room for the smooth curves and for most of the noise; logarithmic where losses fall to a fifteenth."""
    ordered = sorted(value for _, value in (*raw, *shown)) or [0.0, 1.0]
    smallest = min((value for _, value in shown), default=0.0)
    low = min(ordered[int(0.01 * len(ordered))], smallest)
    high = max(ordered[int(0.99 * (len(ordered) - 1))], max((value for _, value in shown), default=1.0))
    if low > 0 and high / low > 15:
        return {"domain": [low / 1.15, high * 1.15], "type": "log", "nice": False, "clamp": True}
    return {"domain": [min(0.0, low * 1.05), high * 1.05 or 1.0], "nice": False, "clamp": True}


def _loss_axis(scale: Spec) -> Spec:
    if scale.get("type") != "log":
        return {"tickCount": 5, "format": "~g"}
    low, high = scale["domain"]
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1,) if high / low > 1000 else (1, 2, 5)
    values = [step * 10.0**power for power in powers for step in steps]
    return {"values": [value for value in values if low <= value <= high], "format": "~g"}


def _score_domain(values: Sequence[float]) -> list[float]:
    """From 0, or lower, to the tenth above the best."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    return [min(0.0, math.floor(low * 10) / 10), min(1.0, math.ceil(high * 10 + 0.5) / 10)]


def _about(run: RunManifest) -> str:
    epochs = f"{run.epochs:g} epoch{'s' * (run.epochs != 1)}"
    steps = f"{run.steps:,} step{'s' * (run.steps != 1)}"
    what = {"full": "all weights", "lora": "LoRA", "qlora": "QLoRA"}[run.method]
    model = run.model.repository or Path(run.model.name).name
    return "  ·  ".join([model, what, epochs, steps, f"{_short(run.tokens)} tokens", _time(run.seconds)])


def _short(number: int) -> str:
    for size, unit in ((10**9, "B"), (10**6, "M"), (10**3, "k")):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return str(number)


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _coloured(spec: Spec) -> Spec:
    """Colours in place of the variables that a page would have."""
    text = json.dumps(spec)
    for name, colour in _COLOURS.items():
        text = text.replace(f"var(--{name})", colour)
    found: dict[str, Any] = json.loads(text)
    return found
