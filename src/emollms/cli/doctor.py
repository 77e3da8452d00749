"""`emollms doctor`: what this machine offers, and what is missing."""

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from emollms.cli.base import TableCommand
from emollms.cli.output import Cell, Table, examples, print_error, print_fields
from emollms.cli.recipes import time_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from emollms.doctor import Diagnosis
    from emollms.doctor.packages import PackageState
    from emollms.hardware import Precision

app = typer.Typer()

_EXAMPLES = examples("emollms doctor", "emollms doctor --json > machine.json", "HF_HUB_OFFLINE=1 emollms doctor")


@app.command(epilog=_EXAMPLES, cls=TableCommand)
def doctor() -> None:
    """Tell what this machine offers: versions, device, precision, memory, caches, the Hub, and which recipes fit.

    A token of the Hub is found, and never shown. The exit code is 1 if something is missing that all work needs.
    """
    from emollms.doctor import examine

    found = examine()
    print_fields(_fields(found), {"extras": _extras(found), "caches": _caches(found), "recipes": _recipes(found)})
    for line in found.problems:
        print_error(line)
    if found.problems:
        raise typer.Exit(1)


def _fields(found: "Diagnosis") -> dict[str, object]:
    device = found.device
    several = f"{device.accelerators} × " if device.accelerators > 1 else ""
    memory = f", {device.accelerator_memory / 1e9:.0f} GB" if device.accelerator_memory else ""
    available = "" if device.available is None else f", {device.available / 1e9:.1f} GB available"
    fitting = sum(one.fits for one in found.recipes)
    optional = {one.name: one for extra in found.extras for one in extra.packages if one.version}
    return {
        "emollms": found.emollms,
        "python": Cell(
            {"version": found.python, "executable": found.executable}, f"{found.python}, {found.executable}"
        ),
        "system": found.system,
        "packages": _versions(found.packages),
        "optional packages": _versions(optional.values()),
        "device": Cell(asdict(device), f"{several}{device.name}{memory} ({device.kind})"),
        "cpu": Cell(device.cpu, f"{device.cpu}, {device.cores} cores"),
        "memory": Cell(device.memory, f"{device.memory / 1e9:.1f} GB{available}"),
        "precision of answers": _precision(found.inference),
        "precision of training": _precision(found.training),
        "attention of training": Cell(found.attention, found.attention or "the default of transformers"),
        "hub": Cell({"address": found.hub, "problem": found.hub_problem}, found.hub_problem or f"{found.hub} answers"),
        "token": Cell(found.token, found.token or "none; `hf auth login` makes one"),
        "recipes that fit": Cell(fitting, f"{fitting} of {len(found.recipes)}"),
        "times": f"of training on AAID, on {found.speed_of}",
        "hints": Cell(found.hints, "\n".join(found.hints) or "none"),
        "problems": Cell(found.problems, "\n".join(found.problems) or "none"),
    }


def _versions(packages: "Iterable[PackageState]") -> Cell:
    shown = ", ".join(f"{one.name} {one.version or 'is missing'}" for one in packages)
    return Cell([asdict(one) for one in packages], shown)


def _precision(found: "Precision | None") -> Cell:
    if found is None:
        return Cell(None, "torch is not installed")
    return Cell(asdict(found), f"{found.name}: {found.reason}")


def _extras(found: "Diagnosis") -> Table:
    rows = [
        (one.name, Cell(not one.lacking, "no" if one.lacking else "yes"),
         Cell([asdict(each) for each in one.lacking], ", ".join(f"{each.name}{each.wanted}" for each in one.lacking)),
         one.command)
        for one in found.extras
    ]  # fmt: skip
    return ("extra", "complete", "lacking", "command"), rows


def _caches(found: "Diagnosis") -> Table:
    rows = [
        (one.what, Cell(one.bytes, f"{'' if one.is_complete else 'over '}{one.bytes / 1e6:,.1f} MB"), one.files,
         Cell(one.free, f"{one.free / 1e9:,.0f} GB"), one.variable, one.folder)
        for one in found.caches
    ]  # fmt: skip
    return ("cache", "bytes", "files", "free", "variable", "folder"), rows


def _recipes(found: "Diagnosis") -> Table:
    rows = [
        (one.name, one.method, Cell(one.fits, "yes" if one.fits else "no"), one.devices,
         Cell(one.memory, f"{one.memory / 1e9:.0f} GB"), Cell(one.seconds, time_of(one.seconds)), one.reason)
        for one in found.recipes
    ]  # fmt: skip
    return ("recipe", "method", "fits", "devices", "memory", "time", "reason"), rows
