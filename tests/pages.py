"""Runs the code blocks of a page, in their order, in one process and in the folder in which it stands.

    python tests/pages.py PAGE

Blocks of Python share their names. Of `sh` every line must succeed, and of `console` the lines after `$`, but those
below which `error: ` is shown. `pip install` lines are checked against the extras of the package, and not run. A `text`
block right after another block, and what stands below a command of `console`, is what must be printed; … stands for
anything. A block after `<!-- no-run: REASON -->` is only parsed: Python compiles, and commands have the options that
they are called with.
"""

import contextlib
import io
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt

RUN = ("python", "sh", "console")
SHOWN = ("text", "json", "yaml", "toml", "bibtex", "html")
NO_RUN = re.compile(r"\A<!-- no-run: (\S.*?) -->\s*\Z", re.DOTALL)
SHELL = re.compile(r"[|<>$`*;&]|^\w+=")
STAND_INS = {
    "emosmol-135m-heads": "tiny-heads.yaml",
    "emosmol-135m ": "tiny.yaml ",
    '"emosmol-135m"': '"tiny.yaml"',
    ", minutes=10": "",
    " --minutes 10": "",
    "build aaid --out": "build aaid --corpora sample --out",
    "build aaid --mask": "build aaid --corpora sample --mask",
    "build aeb --out": "build aeb --corpora sample --out",
}
"""What takes hours or the real corpora, and what is run in its place: a tiny random model, the sample corpus."""


@dataclass(frozen=True)
class Block:
    """A code block of a page.

    Args:
        language: what stands after the fence; empty for none.
        code: what is in it.
        line: the first line of its code in the page, from 1.
        reason: why it is not run; None where it is.
        shown: what it must print; None for anything.
    """

    language: str
    code: str
    line: int
    reason: str | None = None
    shown: str | None = None


def blocks(text: str) -> list[Block]:
    """The code blocks of a page."""
    found: list[Block] = []
    tokens = MarkdownIt().enable("table").parse(text)
    for before, token in zip([None, *tokens], tokens, strict=False):
        if token.type not in ("fence", "code_block"):
            continue
        marked = NO_RUN.match(before.content) if before is not None and before.type == "html_block" else None
        language = token.info.strip() if token.type == "fence" else ""
        if language == "text" and before is not None and before.type == "fence" and before.info in RUN:
            last = found.pop()
            found.append(Block(last.language, last.code, last.line, last.reason, token.content))
        else:
            reason = marked[1] if marked else None
            found.append(Block(language, token.content, (token.map or [0])[0] + 2, reason))
    return found


def command_lines(block: Block) -> Iterator[str]:
    """The commands of a block for the shell, each with the lines that it goes on in."""
    lines = block.code.splitlines()
    if block.language == "console":
        lines = [line[2:] for line in lines if line.startswith("$ ")]
    yield from filter(None, (line.strip() for line in "\n".join(lines).replace("\\\n", "").splitlines()))


class PageRunner:
    """Runs the blocks of one page."""

    def __init__(self, page: str) -> None:
        self.page, self.names = page, {"__name__": "__main__"}

    def run(self, block: Block) -> None:
        """Run a block, and compare what it prints with what the page shows."""
        place = f"{self.page}:{block.line}"
        if block.language == "python":
            printed = self.run_python(block.code, place)
            assert block.shown is None or same(printed, block.shown), differs(place, printed, block.shown)
            return
        for command in command_lines(block):
            shown = block.shown if block.language == "sh" else below(block, command)
            code, printed = self.run_command(command)
            fails = (shown or "").startswith("error: ")
            assert bool(code) == fails, f"{place}: {command}\nexit code {code}\n{printed}"
            assert not shown or holds(printed, shown), differs(f"{place}: {command}", printed, shown)

    def run_python(self, code: str, place: str) -> str:
        out = io.StringIO()
        line = int(place.rpartition(":")[2])
        with contextlib.redirect_stdout(out):
            exec(compile("\n" * (line - 1) + code, self.page, "exec"), self.names)
        return out.getvalue()

    def run_command(self, command: str) -> tuple[int, str]:
        """The exit code, and what was printed; commands of the package are run here, since that imports torch once."""
        if command.startswith("pip install"):
            check_extras(command)
            return 0, ""
        if SHELL.search(command.partition(" #")[0]) or not command.startswith("emollms "):
            done = subprocess.run(
                ["bash", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
            )
            return done.returncode, done.stdout
        from emollms.cli import main

        printed, sys.argv = io.StringIO(), shlex.split(command, comments=True)
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            try:
                main()
            except SystemExit as end:
                return int(end.code or 0), printed.getvalue()
        return 0, printed.getvalue()


def below(block: Block, command: str) -> str:
    """What a `console` block shows below a command."""
    after = block.code.partition(f"$ {command}")[2].split("\n$ ")[0]
    return after.partition("\n")[2]


def pattern(shown: str) -> str:
    """What is shown as a regular expression, white space and … for any."""
    return r"\s+".join(re.escape(word).replace("…", ".*?") for word in shown.split())


def same(printed: str, shown: str) -> bool:
    return re.fullmatch(rf"\s*{pattern(shown)}\s*", printed, re.DOTALL) is not None


def holds(printed: str, shown: str) -> bool:
    return re.search(pattern(shown), printed, re.DOTALL) is not None


def differs(place: str, printed: str, shown: str | None) -> str:
    return f"{place}\nprinted:\n{printed}\nthe page shows:\n{shown}"


def check_extras(command: str) -> None:
    """The extras that a `pip install` line names must be those of the package."""
    from importlib.metadata import metadata

    known = set(metadata("emollms").get_all("Provides-Extra") or ())
    named = {extra.strip() for group in re.findall(r"(?:emollms|\.)\[([^]]+)\]", command) for extra in group.split(",")}
    assert named <= known, f"{command}: no extra {named - known}"


def check_unrun(block: Block) -> None:
    """What can be said of a block without running it."""
    if block.language == "python":
        compile(block.code, "block", "exec")
        return
    for command in command_lines(block):
        for part in re.split(r"\s*(?:\|\||&&|\||;)\s*", command.partition(" #")[0]):
            call = re.sub(r"^(\w+=\S*\s+)*", "", part)
            if call.startswith("emollms "):
                check_options(shlex.split(call)[1:])


def check_options(words: list[str]) -> None:
    """Parse a command line of the package; a command or an option that it does not have raises."""
    import typer
    from typer.main import get_command

    from emollms.cli import app

    one: Any = get_command(app)
    context = typer.Context(one, info_name="emollms")
    while "list" in getattr(one, "commands", {}) or (words and words[0] in getattr(one, "commands", {})):
        if not words or words[0].startswith("-"):  # a noun alone means its list
            words = ["list", *words]
        one = one.commands[words[0]]
        context, words = typer.Context(one, info_name=words[0], parent=context), words[1:]
    one.make_parser(context).parse_args(args=[word for word in words if word != "…"])


def stand_ins(code: str) -> str:
    for long, short in STAND_INS.items():
        code = code.replace(long, short)
    return code


def main() -> None:
    path = Path(sys.argv[1])
    runner = PageRunner(path.name)
    for block in blocks(path.read_text(encoding="utf-8")):
        if block.language in RUN and block.reason is None:
            print(json.dumps([path.name, block.line]), file=sys.stderr, flush=True)
            runner.run(Block(block.language, stand_ins(block.code), block.line, shown=block.shown))


if __name__ == "__main__":
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    main()
