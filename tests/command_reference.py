"""The reference of all commands in `docs/command-line.md`, made from what `--help` says."""

import inspect
from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from emollms.cli import app
from emollms.cli.base import NounGroup, leaves

OUTPUT = {"--json", "--quiet", "--verbose", "--help"}
"""Options that the page describes once."""


def reference() -> str:
    """A section a stage, and in it a section a command: what it does, examples, arguments and options."""
    root: Any = get_command(app)
    stages: dict[str, list[str]] = {}
    for name, top in root.commands.items():
        group = {(): top} if not hasattr(top, "commands") else dict(leaves(top))
        for path, command in group.items():
            stages.setdefault(top.rich_help_panel, []).append(section((name, *path), top, command))
    return "\n".join(f"### {stage}\n\n" + "\n".join(sections) for stage, sections in stages.items())


def section(path: tuple[str, ...], group: Any, command: Any) -> str:
    """What the page says of a command."""
    with command.make_context("emollms", [], resilient_parsing=True) as context:
        own = [one for one in command.params if not OUTPUT & set(one.opts)]
        arguments = [one for one in own if one.param_type_name == "argument"]
        options = [one for one in own if one.param_type_name == "option"]
        shown = [argument_name(one) for one in arguments]
        title = " ".join(["emollms", *path, *shown])
        about = inspect.cleandoc(command.help or "").split("\n\n")
        text = "\n\n".join(" ".join(part.split()) for part in about)
        also = f" `emollms {path[0]}` is the same." if isinstance(group, NounGroup) and path[-1] == "list" else ""
        lines = [f"- {line}" for line in [*map_arguments(arguments), *map_options(options, context)]]
        if any("--json" in one.opts for one in command.params):
            lines.append("- `--json`, and the other options of [output](#output).")
        examples = (command.epilog or "").partition("Examples:\n")[2]
        code = "\n".join(line.strip() for line in examples.splitlines())
    listed = "\n".join(lines)
    return f"#### `{title}`\n\n{text}{also}\n\n```sh\n{code}\n```\n" + (f"\n{listed}\n" if lines else "")


def map_arguments(arguments: list[Any]) -> Iterator[str]:
    for one in arguments:
        yield f"`{argument_name(one)}`: {one.help or 'see above'}"


def map_options(options: list[Any], context: Any) -> Iterator[str]:
    for one in options:
        takes = "" if one.is_flag else f" {one.display_type_rich(context)}"
        facts = ["required"] if one.required else default(one)
        ends = one.help if not one.help or one.help[-1] in ".!?" else f"{one.help}."
        yield f"`{', '.join(one.opts)}{takes}`: {ends or ''}{f' ({facts[0]})' if facts else ''}"


def default(option: Any) -> list[str]:
    """The default of an option, where it has one that says something."""
    value = getattr(option.default, "value", option.default)
    if value is None or value is False or value in ((), [], ""):
        return []
    return [f"by default {' '.join(map(str, value)) if isinstance(value, tuple) else value}"]


def argument_name(argument: Any) -> str:
    """`RUN`, `[DIR]` where it may be left out, `RUN…` where there may be several."""
    name = argument.metavar or argument.name.upper()
    name = f"{name}…" if argument.nargs != 1 and not name.endswith("…") else name
    return name if argument.required else f"[{name}]"
