"""Options of the commands that read tables of users."""

from typing import Annotated

import typer

Delimiter = Annotated[
    str | None,
    typer.Option(metavar="CHAR", help="What separates cells: a character, or tab; by default a comma in .csv."),
]
Encoding = Annotated[str, typer.Option(metavar="NAME", help="Of text files: utf-8, utf-16, cp1252, …")]
NoQuotes = Annotated[bool, typer.Option("--no-quotes", help="Double quotes are plain characters in CSV and TSV.")]
