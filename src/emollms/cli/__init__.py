"""The command line: one module a group of commands, one thin function a command.

A module has a `typer.Typer` named `app`: with a name it is a group (`emollms corpora …`), without one its commands
stand at the top (`emollms build …`). To add one, write the module and name it in `_STAGES`. A module of this package
imports what is slow to import inside its functions, so that `--help` answers at once.

A command has `epilog=examples(…)`; one that prints a table or fields has `cls=TableCommand`, which gives it `--json`;
the group of a noun has `cls=NounGroup` and a command `list`. `tests/test_commands.py` checks all of it.
"""

import errno
import os
import re
import sys
import tempfile
import time
from itertools import pairwise
from typing import Annotated

import typer

from emollms import __version__
from emollms.cli import (
    agree,
    annotate,
    corpora,
    datasets,
    distill,
    doctor,
    duplicates,
    estimate,
    evaluate,
    export,
    hub,
    languages,
    leaderboard,
    merge,
    models,
    publish,
    quality,
    recipes,
    report,
    runs,
    serve,
    tasks,
    templates,
    train,
    wordings,
)
from emollms.cli.base import Quiet, RootGroup, Verbose
from emollms.cli.output import examples, log, print_error
from emollms.errors import EmollmsError
from emollms.progress import hide_library_bars

_STAGES = {
    "Data": (corpora, datasets, tasks, wordings, templates, languages),
    "Quality": (quality, duplicates),
    "Tuning": (recipes, train, distill, merge),
    "Scoring": (evaluate, report, export, runs),
    "Annotation": (annotate, models, estimate, agree, serve),
    "Hub": (publish, hub, leaderboard),
    "This machine": (doctor,),
}
"""The modules of each stage, in the order in which `--help` shows them."""

app = typer.Typer(
    cls=RootGroup,
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
for _stage, _modules in _STAGES.items():
    for _module in _modules:
        if not _module.app.info.name:  # its commands stand at the top
            for _one in (*_module.app.registered_commands, *_module.app.registered_groups):
                _one.rich_help_panel = _stage
        app.add_typer(_module.app, rich_help_panel=_stage)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"emollms {__version__}")
        raise typer.Exit


@app.callback()
def emollms(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    quiet: Quiet = False,
    verbose: Verbose = 0,
) -> None:
    """Data sets, tuning, evaluation and annotation of affect in text."""


def main() -> None:
    """Run the command line; errors that users can make or meet are one line, not a traceback, which `-v` adds.

    The exit code is 2 for a wrong call, 1 for a failed check or a closed pipe, 130 for Ctrl-C.
    """
    try:
        sys.exit(_run())
    except KeyboardInterrupt:
        sys.exit(130)


def _run() -> int:
    hide_library_bars()
    began = time.perf_counter()
    try:
        try:
            return app(prog_name="emollms", standalone_mode=False) or 0
        finally:
            sys.stdout.flush()  # a closed pipe shows here, and not when Python ends
            log.debug("%.1f s, of which %.1f s of CPU time", time.perf_counter() - began, time.process_time())
    except EmollmsError as error:
        print_error(error)
        log.debug("raised here:", exc_info=error)
        return error.exit_code
    except typer.TyperException as error:
        _print_wrong_call(error)
        return error.exit_code
    except typer.Abort:  # standard input ended where an answer was expected
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        if error.errno not in _OF_THE_MACHINE:
            raise
        place = f" ({error.filename})" if error.filename else ""
        print_error(EmollmsError(f"{os.strerror(error.errno)}{place}; {_OF_THE_MACHINE[error.errno]}"))
        return 1


def _print_wrong_call(error: typer.TyperException) -> None:
    """Print what typer has to say of options and arguments as one line; nothing where it has printed the help."""
    message = " ".join(error.format_message().split()).rstrip(".")
    if not message:
        return
    parameter, context = getattr(error, "param", None), getattr(error, "ctx", None)
    if message.startswith("Invalid value for ") and parameter is not None:
        option = max(parameter.opts, key=len)
        message = f"{option}{_given(option)}: {error.message.removeprefix('Value error, ')}"  # pydantic's, within typer
    message = re.sub(r" \(Possible options: (.+)\)", r"; did you mean \1?", message)
    message = message.replace(". Did you mean", "; did you mean").replace(". Choose from:", ": choose from")
    message = re.sub(r"^[A-Z](?=[a-z])|(?<=: )I(?=nput )", lambda first: first[0].lower(), message)
    path = context.command_path if context else "emollms"
    print_error(f"{message}{' See' if message.endswith('?') else '; see'} `{path} --help`")


def _given(option: str) -> str:
    """The value of an option, as it stands on the command line; typer does not say it where it is no number."""
    words = sys.argv[1:]
    joined = [word.partition("=")[2] for word in words if word.startswith(f"{option}=")]
    following = [value for name, value in pairwise(words) if name == option]
    return "".join(f" {value}" for value in (joined + following)[-1:])


_ROOM = f"make room, or point --out and TMPDIR, which is {tempfile.gettempdir()}, to another disk, and run it again"
_RIGHTS = "choose a folder that you may write to"
_PLACE = "choose another place"
_OF_THE_MACHINE = {
    errno.ENOSPC: _ROOM, errno.EDQUOT: _ROOM, errno.EFBIG: _ROOM, errno.EROFS: _RIGHTS, errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS, errno.ENOTDIR: _PLACE, errno.EISDIR: _PLACE, errno.ENAMETOOLONG: _PLACE,
    errno.EEXIST: _PLACE,
}  # fmt: skip
"""What a user can do about errors of the machine."""
