"""`emollms corpora new` and `emollms corpora check`: for those who add a corpus."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from emollms.cli.output import examples, print_note, print_table
from emollms.progress import show_progress

NEW = examples(
    "emollms corpora new posts --from ~/Downloads/posts --task EmoBank --range 1..9 --language en "
    "--license cc-by-4.0 --homepage https://example.org/posts",
    "emollms corpora new subtitles --from ~/Downloads/subtitles --task Subtitles-E-c --labels 1=anger,2=fear,3=joy",
    "emollms corpora new film_vad --from ~/films --gold valence=V1+V2,arousal=A1+A2 --task EmoBank --range 1..9",
    "emollms corpora new mine --from ~/mine --package src/my_package --task V-reg",
)
CHECK = examples(
    "emollms corpora check posts --from ~/corpora",
    "emollms corpora check posts --from ~/corpora > report.md",
    "emollms corpora check posts --from ~/corpora --update",
)
From = typer.Option("--from", metavar="DIR", help="The folder of its files, or the folder that has them in NAME/.")
NAME = typer.Argument(help="Name of the corpus: small letters, digits and _.", metavar="NAME")


def new(
    name: Annotated[str, NAME],
    source: Annotated[Path, From],
    text: Annotated[str | None, typer.Option(metavar="COLUMN", help="The column of texts, by name or number.")] = None,
    source_id: Annotated[
        str | None, typer.Option("--id", metavar="COLUMN", help="The column of ids; lines are numbered without one.")
    ] = None,
    gold: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN,…",
            help="The gold labels: score; joy,fear; valence=V,arousal=A; or a column a rater, valence=V1+V2.",
        ),
    ] = None,
    task: Annotated[
        str | None, typer.Option(metavar="TASK", help="The question: a task that is there, or a new name.")
    ] = None,
    range_: Annotated[
        str | None, typer.Option("--range", metavar="LOW..HIGH", help="The range of scores, such as 1..9.")
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(metavar="CELL=LABEL,…", help="What cells stand for, 1=anger,2=joy; words of classes, 0=negative."),
    ] = None,
    language: Annotated[
        str | None,
        typer.Option(metavar="CODE|COLUMN", help="The language, or its column; names of files may say it, de.tsv."),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(metavar="SPLIT|COLUMN", help="The split, or its column; names of files may say it, dev.csv."),
    ] = None,
    license: Annotated[
        str | None, typer.Option(metavar="ID", help="The licence, as SPDX names it, or `other` with --terms.")
    ] = None,
    title: Annotated[str | None, typer.Option(help="The name that people use.")] = None,
    description: Annotated[str | None, typer.Option(help="What it is, in a sentence.")] = None,
    domain: Annotated[str | None, typer.Option(help="Kind of text: tweets, film reviews …")] = None,
    homepage: Annotated[str | None, typer.Option(metavar="URL", help="Where it is published.")] = None,
    citation: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Its BibTeX entry; a .bib beside the data is found.")
    ] = None,
    redistribution: Annotated[
        Literal["text", "ids", "none"] | None,
        typer.Option(help="What may be passed on; by default it follows from the licence."),
    ] = None,
    terms: Annotated[str | None, typer.Option(help="What the distributor asks of users.")] = None,
    version: Annotated[str | None, typer.Option(help="The version of the distribution.")] = None,
    encoding: Annotated[str | None, typer.Option(help="The encoding of the files, where it is seen wrong.")] = None,
    delimiter: Annotated[str | None, typer.Option(help="What is between cells: a sign, or tab.")] = None,
    header: Annotated[
        bool | None, typer.Option("--header/--no-header", help="Whether the first line names the columns.")
    ] = None,
    package: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The folder of a package of your own, in place of this project's checkout."),
    ] = None,
) -> None:
    """Add a corpus: look at its files, ask for what they do not say, and write all that belongs to a corpus.

    Delimiter, encoding, header, columns, ranges, labels, splits and languages are looked for. On a terminal you are
    asked for the rest; elsewhere it must be given by options. The module, the pinned files, the suite, the statistics,
    a test, and wordings for a new question are written; nothing that is there is changed.
    """
    from emollms.dataset.corpus_answers import Answers
    from emollms.dataset.new_corpus import new_corpus
    from emollms.dataset.specs import as_names
    from emollms.errors import UsageError

    if citation is not None and not citation.is_file():
        raise UsageError(f"--citation {citation} is no file; it takes the file of a BibTeX entry")
    answers = Answers(
        text=text, source_id=source_id, gold=as_names(gold or ()), task=task, range=range_,
        labels=as_names(labels or ()), language=language, split=split, license=license, title=title,
        description=description, domain=domain, homepage=homepage,
        citation=citation.read_text(encoding="utf-8").strip() if citation else None, redistribution=redistribution,
        terms=terms, version=version, encoding=encoding,
        delimiter={"tab": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}.get(delimiter or "", delimiter),
        header=header,
    )  # fmt: skip
    made = new_corpus(name, source, answers, package, _ask if sys.stdin.isatty() else None)
    print_table(("written",), [(path,) for path in made.written])
    for kind, lines in (("seen", made.seen), ("assumed, so look at it", made.assumed), ("next", made.next)):
        for line in lines:
            print_note(f"{kind}: {line}")
    if made.report is not None:
        print_note(str(made.report))
        for check in made.report.failures:
            print_note(f"failed: {check}")


def _ask(question: str, default: str) -> str:
    """Ask on the terminal; an empty answer is the default."""
    shown = f" [{default}]" if default else ""
    print(f"{question[:1].upper()}{question[1:]}?{shown} ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip() or default


def check(
    name: Annotated[str, NAME],
    source: Annotated[Path | None, From] = None,
    update: Annotated[
        bool,
        typer.Option("--update", help="First write suite, statistics, test and drawn splits anew, as it is read now."),
    ] = False,
) -> None:
    """Check a corpus as a reviewer would, and print a report in Markdown for the pull request; 1 where it fails.

    Metadata, licence, hashes, row counts, the first, middle and last row, labels beside their scale, its suite, whether
    it reads the same twice, near-duplicates inside, in every other corpus and in the AEB, sensitive text, and what
    AAID would gain. Other corpora are compared with where they are on this machine: see `emollms corpora`.
    """
    from emollms.dataset.check_corpus import check_corpus

    with show_progress("texts", "checking") as on_progress:
        report = check_corpus(name, source, update, on_progress)
    print(report.markdown(), end="")
    if not report.success:
        raise typer.Exit(1)
