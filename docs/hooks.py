"""What MkDocs does beside rendering `docs/`: pages from elsewhere in the repository, the commands, and `llms.txt`.

The README, the changelog and their like are written once, for a reader of the repository, and are pages of the site as
well; links between them and `docs/` are made to fit.
"""

import json
import posixpath
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import typer
from markdown_it import MarkdownIt
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.nav import Navigation
from mkdocs.structure.pages import Page
from typer.main import get_command

from emollms.cli import app

ROOT = Path(__file__).parents[1]
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "models/emosmol/README.md": "emosmol.md",
}
"""Pages that lie elsewhere in the repository."""
LINK = re.compile(r"(?<=\]\()(?!\w+:|#)([^)#\s]+)")
HEADER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)

_sources: dict[str, str] = {}
"""The Markdown of each page as it is rendered, for those who read it without a browser."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie elsewhere, and the reference of the commands."""
    for name, page in PAGES.items():
        text = HEADER.sub("", (ROOT / name).read_text(encoding="utf-8"))
        files.append(File.generated(config, page, content=text))
    files.append(File.generated(config, "commands.md", content="\n".join(commands())))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links name pages of the site, or, where there is none, the file in the repository."""
    here = page.file.src_uri
    if here.endswith(".ipynb"):
        _sources[here] = Path(page.file.abs_src_path or "").read_text(encoding="utf-8")
        return markdown
    source = next((name for name, target in PAGES.items() if target == here), f"docs/{here}")

    def on_site(match: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), match[1]))
        if path in PAGES or path.startswith("docs/"):
            return posixpath.relpath(PAGES.get(path, path.removeprefix("docs/")), posixpath.dirname(here) or ".")
        return f"{config.extra['repository']}/blob/main/{path}" if (ROOT / path).exists() else match[1]

    _sources[here] = text = LINK.sub(on_site, markdown)
    return text


def on_nav(nav: Navigation, config: MkDocsConfig, files: Files) -> Navigation:
    """Keep the navigation for `llms.txt`."""
    config.extra["nav"] = nav
    return nav


def on_post_build(config: MkDocsConfig) -> None:
    """Write `llms.txt`, the list of pages for language models (llmstxt.org), and the Markdown of each page."""
    site = Path(config.site_dir)
    for name, text in _sources.items():
        (site / name).write_text(text, encoding="utf-8")
    lines = [f"# {config.site_name}", "", f"> {config.site_description}"]
    for item in config.extra["nav"].items:
        lines += ["", f"## {item.title}", ""]
        lines += [listed(page) for page in (item.children if item.is_section else [item])]
    (site / "llms.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def listed(page: Page) -> str:
    """A page in `llms.txt`: its title, where its source is, and its first sentence."""
    text = _sources[page.file.src_uri]
    if page.file.src_uri.endswith(".ipynb"):
        text = "".join(json.loads(text)["cells"][0]["source"])
    tokens = MarkdownIt().enable("table").parse(text)
    inside = (after for token, after in pairwise(tokens) if token.type == "paragraph_open")
    first = next((token for token in inside if not token.content.startswith("!")), None)
    words = " ".join(re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", first.content if first else "").split())
    about = re.split(r"(?<=[.:;]) ", words)[0].rstrip(".:;")
    return f"- [{page.title}]({page.file.src_uri}): {about}"


def commands() -> Iterator[str]:
    """The reference of the command line, as `--help` tells it."""
    yield "# Commands\n"
    yield "What `--help` of each command says; [how the commands behave](command-line.md) holds for all of them.\n"
    yield from command(get_command(app), "emollms", None)


def command(one: Any, path: str, parent: typer.Context | None) -> Iterator[str]:
    """A command of click, then its subcommands."""
    context = typer.Context(one, info_name=path.split()[-1], parent=parent)
    if parent is not None:
        yield f"## {path}\n\n{plain(one.help)}\n"
        yield f"```text\n{path} {' '.join(one.collect_usage_pieces(context))}\n```\n"
        for parameter in one.get_params(context):
            if record := parameter.get_help_record(context):
                yield f"- `{record[0]}`: {plain(record[1])}"
        yield ""
    if one.epilog:
        lines = one.epilog.replace("\b", "").strip().removeprefix("Examples:").strip().splitlines()
        yield "```sh\n" + "\n".join(line.strip() for line in lines) + "\n```\n"
    for name, below in getattr(one, "commands", {}).items():
        yield from command(below, f"{path} {name}", context)


def plain(text: str | None) -> str:
    """A text of `--help` as Markdown."""
    return re.sub(r"[<>*_\[\]]", r"\\\g<0>", (text or "").replace("\b", "")).strip()
