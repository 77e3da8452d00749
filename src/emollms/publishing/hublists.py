"""What the Hub takes in the metadata of cards: licences, tasks, sizes, languages. Kept as data in `lists/`."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml

LISTS = files("emollms.publishing") / "lists"
NO_CODES = ("multilingual", "code")
"""What may stand in place of the code of a language."""


@dataclass(frozen=True)
class HubLists:
    """The identifiers that the Hub knows.

    Args:
        licences: of licences.
        tasks: of categories of tasks, each with those of the tasks in it.
        sizes: of numbers of rows, ascending.
        languages: ISO 639-1 and 639-3.
        multilinguality, relations, sdks, colours: what these keys may say.
    """

    licences: frozenset[str]
    tasks: dict[str, frozenset[str]]
    sizes: tuple[str, ...]
    languages: frozenset[str]
    multilinguality: frozenset[str]
    relations: frozenset[str]
    sdks: frozenset[str]
    colours: frozenset[str]

    @property
    def task_ids(self) -> frozenset[str]:
        """The tasks of all categories."""
        return frozenset().union(*self.tasks.values())


@cache
def hub_lists() -> HubLists:
    """The lists, read once."""
    lists = yaml.safe_load((LISTS / "hub.yaml").read_text(encoding="utf-8"))
    names = {key: frozenset(words.split()) for key, words in lists.items() if key not in ("tasks", "sizes")}
    lines = (LISTS / "languages.txt").read_text(encoding="utf-8").splitlines()
    return HubLists(
        tasks={category: frozenset(words.split()) for category, words in lists["tasks"].items()},
        sizes=tuple(lists["sizes"].split()),
        languages=frozenset(" ".join(line for line in lines if not line.startswith("#")).split()).union(NO_CODES),
        **names,
    )
