"""The curves of a run as a picture: losses, scores of each task on validation rows, and the step that was kept."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import vl_convert

from emollms.charts import LOOK
from emollms.storage import write_whole
from emollms.training.manifest import RunManifest

WIDTH, HEIGHT, SCALE = 430, 280, 2
_COLORS = {"muted": "#66625b", "line": "#e4e0d9"}
Spec = dict[str, Any]
Point = tuple[str, int, float | None]
"""The curve, the step, and the value there."""


def draw_curves(run: RunManifest, path: Path) -> None:
    """Draw the curves of a run as PNG.

    Args:
        run: its record.
        path: the file; it is written whole or not at all.
    """
    write_whole(path, vl_convert.vegalite_to_png(specification(run), scale=SCALE))


def specification(run: RunManifest) -> Spec:
    """The picture in Vega-Lite."""
    losses: list[Point] = [("training", one.step, one.loss) for one in run.losses]
    losses += [("validation", one.step, one.loss) for one in run.evaluations]
    scores: list[Point] = [(task, one.step, score) for one in run.evaluations for task, score in one.tasks.items()]
    if len({task for task, _, _ in scores}) > 1:
        scores += [("mean", one.step, one.metric) for one in run.evaluations]
    panels = {"loss of the answers": losses, "Pearson's r or macro-F1 on validation rows": scores}
    drawn = [_panel(title, points, run) for title, points in panels.items() if points or points is losses]
    model = run.model.repository or Path(run.model.name).name
    about = f"{model}, {run.method}, {run.epochs:g} epochs, {run.steps:,} steps, {run.seconds / 60:.0f} minutes"
    config: Spec = {**LOOK, "background": "#ffffff", "padding": 20}
    config["axis"] = {name: _COLORS.get(str(value)[6:-1], value) for name, value in LOOK["axis"].items()}
    title = {"text": run.name, "subtitle": about, "anchor": "start", "offset": 16}
    resolve = {"scale": {"color": "independent"}}
    return {"title": title, "hconcat": drawn, "spacing": 56, "resolve": resolve, "config": config}


def _panel(title: str, points: Iterable[Point], run: RunManifest) -> Spec:
    """A line for each curve, and a dashed one at the step that was kept, where it was chosen."""
    values = [
        {"curve": curve, "step": step, "value": round(value, 5)}
        for curve, step, value in points
        if value is not None and math.isfinite(value)
    ]
    x = {"field": "step", "type": "quantitative", "title": "step", "scale": {"domain": [0, max(1, run.steps)]}}
    y = {"field": "value", "type": "quantitative", "title": title}
    order = list(dict.fromkeys(one["curve"] for one in values))
    color = {"field": "curve", "type": "nominal", "sort": order, "title": None, "legend": {"orient": "top"}}
    lines: Spec = {"data": {"values": values}, "mark": {"type": "line", "point": len(values) < 200}}
    # Vega cannot lay out a legend of no curves.
    lines["encoding"] = {"x": x, "y": y, "color": color} if values else {"x": x, "y": y}
    kept: list[Spec] = []
    if run.selection != "last" and run.best_step:
        rule = {"type": "rule", "strokeDash": [4, 4], "color": _COLORS["muted"]}
        kept = [{"data": {"values": [{"step": run.best_step}]}, "mark": rule, "encoding": {"x": x}}]
    return {"width": WIDTH, "height": HEIGHT, "layer": [*kept, lines]}
