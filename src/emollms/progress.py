"""How long work reports its progress and its warnings; the command line shows them (`emollms.cli.progress`)."""

from collections.abc import Callable

OnProgress = Callable[[str, int, int | None], None]
"""Takes what is worked on, how much of it is done, and how much there is to do (None where that is unknown)."""

Warn = Callable[[str], None]
"""Takes a line that the user should see."""


def silent(label: str, done: int, total: int | None) -> None:
    """Show nothing."""
