"""What a reader of scores must know of how the answers were read."""

from collections.abc import Mapping
from typing import Any

DIFFERENCE = 0.005
"""How far the figures of the two rules may be apart before it is said."""


def remarks(scores: Mapping[str, Any]) -> list[str]:
    """Lines about tasks that `auto` read on their native scale, and tasks whose scores depend on the rule.

    Args:
        scores: what `scores.json` holds.
    """
    found = _native(scores["tasks"])
    for name, task in scores["tasks"].items():
        found += _rules(name, task)
    return found


def _native(tasks: Mapping[str, Mapping[str, Any]]) -> list[str]:
    shown = []
    for name, task in tasks.items():
        scale = task.get("scale") or {}
        if scale.get("asked") == "auto" and scale["name"] == "native":
            ends = f"{scale['low']:g} to {scale['high']:g}"
            shown.append(f"{name} ({scale['outside']:,} of {scale['numbers']:,} outside 0 to 1, read on {ends})")
    if not shown:
        return []
    return [f"answers look native: {', '.join(shown)}; --scale unit reads them on 0 to 1, --scale native says so"]


def _rules(name: str, task: Mapping[str, Any]) -> list[str]:
    """A line if the rule makes a difference in any metric of a task."""
    rules = task.get("by_parse")
    if not rules:
        return []
    strict, lenient = rules["strict"], rules["lenient"]
    apart = {
        task["metrics"][metric]["title"]: (value, lenient["metrics"][metric])
        for metric, value in strict["metrics"].items()
        if abs(value - lenient["metrics"][metric]) > DIFFERENCE
    }
    if not apart:
        return []
    figures = ", ".join(f"{title} {one:.3f} strict, {other:.3f} lenient" for title, (one, other) in apart.items())
    other = "lenient" if task.get("parse", "strict") == "strict" else "strict"
    return [
        f"{name}: {figures} ({strict['invalid']:,} and {lenient['invalid']:,} of {task['n']:,} answers invalid); "
        f"--parse {other} scores by the other rule"
    ]
