"""What commands have in common: the options of their output, and groups that list."""

import platform
from collections.abc import Iterator
from typing import Annotated, Any

import typer
import typer.core
import typer.main

from emollms import __version__
from emollms.cli.output import log, set_json, set_verbosity

_PANEL = "Output"


def _set_json(wanted: bool) -> None:
    if wanted:
        set_json(True)


def _set_quiet(wanted: bool) -> None:
    if wanted:
        set_verbosity(-1)


def _set_verbose(times: int) -> None:
    if times:
        set_verbosity(times)
        log.debug("emollms %s, Python %s, %s", __version__, platform.python_version(), platform.platform())


Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", callback=_set_quiet, expose_value=False, rich_help_panel=_PANEL,
                 help="No notes and no progress: results, warnings and errors alone."),
]  # fmt: skip
Verbose = Annotated[
    int,
    typer.Option("--verbose", "-v", count=True, show_default=False, metavar="", callback=_set_verbose,
                 expose_value=False, rich_help_panel=_PANEL,
                 help="Tell what is done, and where an error comes from; -vv tells more."),
]  # fmt: skip
_carrier = typer.Typer(add_completion=False)


@_carrier.command()
def _carry(
    json: Annotated[
        bool,
        typer.Option(
            "--json",
            callback=_set_json,
            expose_value=False,
            rich_help_panel=_PANEL,
            help="Print the result as JSON, in base units: bytes, seconds, numbers.",
        ),
    ] = False,
    quiet: Quiet = False,
    verbose: Verbose = 0,
) -> None:
    """No command: typer makes its options from the signature of a function."""  # fmt: skip


_JSON, *_VERBOSITY = typer.main.get_command(_carrier).params


class TableCommand(typer.core.TyperCommand):
    """A command that prints a table or fields, which `--json` prints as JSON."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.params.append(_JSON)


class NounGroup(typer.core.TyperGroup):
    """The group of a noun, such as `emollms recipes`: where no command of it is named, `list` is meant."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `list` before options, or nothing; but not where a shell asks what could follow."""
        is_bare = not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names)
        return super().parse_args(ctx, ["list", *args] if is_bare and not ctx.resilient_parsing else args)


class RootGroup(typer.core.TyperGroup):
    """The command `emollms`: every command in it also takes `--quiet` and `--verbose`."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for _, command in leaves(self):
            command.params += _VERBOSITY

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Begin with the output that is usual; options of this call, or of the command in it, then change it."""
        set_verbosity(0)
        set_json(False)
        return super().parse_args(ctx, args)


def leaves(group: typer.core.TyperGroup, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The commands of a group and of the groups in it, each with the words that name it."""
    for name, command in group.commands.items():
        if isinstance(command, typer.core.TyperGroup):
            yield from leaves(command, (*path, name))
        else:
            yield (*path, name), command
