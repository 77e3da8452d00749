"""The command line: one module a group of commands, one thin function a command.

A module has a `typer.Typer` named `app`: with a name it is a group (`emollms corpora …`), without one its commands
stand at the top (`emollms build …`). To add one, write the module and name it in `_MODULES`. A module of this package
imports what is slow to import inside its functions, so that `--help` answers at once.
"""

import errno
import os
import sys
import tempfile
from typing import Annotated

import typer

from emollms import __version__
from emollms.cli import (
    annotate,
    corpora,
    datasets,
    distill,
    duplicates,
    evaluate,
    export,
    hub,
    leaderboard,
    merge,
    publish,
    quality,
    recipes,
    report,
    serve,
    train,
)
from emollms.cli.output import examples, print_error
from emollms.errors import EmollmsError
from emollms.progress import hide_library_bars

_MODULES = (
    annotate, corpora, datasets, distill, duplicates, evaluate, export, hub, leaderboard, merge, publish, quality,
    recipes, report, serve, train,
)  # fmt: skip

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "token_normalize_func": lambda name: {"licence": "license"}.get(name, name),  # its spelling until 0.1
    },
    epilog=examples(
        "emollms annotate reviews.csv --text-column body --model OWNER/MODEL --out reviews.parquet",
        "emollms corpora fetch vader goemotions",
        "emollms annotate --help",
    ),
)
for _module in _MODULES:
    app.add_typer(_module.app)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"emollms {__version__}")
        raise typer.Exit


@app.callback()
def emollms(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Data sets, tuning, evaluation and annotation of affect in text."""


def main() -> None:
    """Run the command line; errors that users can make or meet are one line, not a traceback.

    The exit code is 2 for a wrong call, 1 for a failed check or a closed pipe, 130 for Ctrl-C.
    """
    try:
        sys.exit(_run())
    except KeyboardInterrupt:
        sys.exit(130)


def _run() -> int:
    hide_library_bars()
    try:
        try:
            app()
        finally:
            sys.stdout.flush()  # a closed pipe shows here, and not when Python ends
    except EmollmsError as error:
        print_error(error)
        return error.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        if error.errno not in _OF_THE_MACHINE:
            raise
        place = f" ({error.filename})" if error.filename else ""
        print_error(EmollmsError(f"{os.strerror(error.errno)}{place}; {_OF_THE_MACHINE[error.errno]}"))
        return 1
    return 0


_ROOM = f"make room, or point --out and TMPDIR, which is {tempfile.gettempdir()}, to another disk, and run it again"
_RIGHTS = "choose a folder that you may write to"
_PLACE = "choose another place"
_OF_THE_MACHINE = {
    errno.ENOSPC: _ROOM, errno.EDQUOT: _ROOM, errno.EFBIG: _ROOM, errno.EROFS: _RIGHTS, errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS, errno.ENOTDIR: _PLACE, errno.EISDIR: _PLACE, errno.ENAMETOOLONG: _PLACE,
}  # fmt: skip
"""What a user can do about errors of the machine."""
