"""Damaged variants of the sample corpus, the same ones in every run.

`cases()` tells what each is and what a build must say of it; as a script, this writes them all for a look:

    python tests/corpora/damage.py DIR
"""

import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import damaged_files
import damaged_rows

from emollms.builders.sample import Sample
from emollms.corpora.registry import folder

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Case:
    """One damaged file.

    Args:
        name: what was done, and where.
        split: whose file it is.
        damage: changes the file at a path.
        problem: what the error says when the file itself is what is pinned; empty where nothing is wrong with it.
        line: the line that the error names; 0 for the whole file.
        lost: lines whose rows a build in quarantine does not have.
        rejected: how many entries it has in `rejected.parquet`; None where that hangs on chance.
        added: rows that it has more.
        defect: a defect that it counts, and how often.
        stops: whether it ends in an error in quarantine as well.
    """

    name: str
    split: str
    damage: Callable[[Path], None]
    problem: str = ""
    line: int = 0
    lost: frozenset[int] = frozenset()
    rejected: int | None = 0
    added: int = 0
    defect: tuple[str, int] | None = None
    stops: bool = False

    @property
    def file(self) -> str:
        """The name of the damaged file."""
        return f"{self.split}.tsv"

    def write(self, root: Path) -> Path:
        """Write the corpus with this file damaged below `root`, which comes back."""
        shutil.copytree(folder(Sample), root / "sample")
        self.damage(root / "sample" / self.file)
        return root


@cache
def raw_lines(split: str) -> tuple[bytes, ...]:
    """The lines of a sound file, without their ends; the first is the header."""
    return tuple((folder(Sample) / f"{split}.tsv").read_bytes().splitlines())


def cases() -> list[Case]:
    """All damaged files."""
    found = [*_rows(), *_files()]
    assert len({case.name for case in found}) == len(found)
    return found


def _rows() -> Iterator[Case]:
    """Damage to one row each: every kind in both data sets, on another row each time."""
    for number, damage in enumerate(damaged_rows.KINDS):
        for split in (SPLITS[number % 2], "test"):
            lines = raw_lines(split)
            fit = [at for at in range(1, len(lines)) if damage.fits(damaged_rows.cells(lines[at]))]
            at = fit[(number * 7 + len(split)) % len(fit)]
            new = damage.change(damaged_rows.cells(lines[at]))
            line = at + 2 if damage.adds_line else at + 1
            yield Case(
                name=f"{damage.name} in {split}:{line}",
                split=split,
                damage=damaged_rows.Replace(at, new),
                problem=damage.problem,
                line=line,
                lost=frozenset() if damage.adds_line else frozenset([at + 1]),
                rejected=1,
            )


def _files() -> Iterator[Case]:
    """Damage to whole files, to each in turn where the kind does not say which."""
    for number, damage in enumerate(damaged_files.KINDS):
        for split in damage.splits or (SPLITS[number % 3],):
            lines = raw_lines(split)
            told = damage.told(lines)
            yield Case(f"{damage.name} of {split}", split, damage.change, **told)


if __name__ == "__main__":
    for one in cases():
        one.write(Path(sys.argv[1]) / one.name.replace("/", "_").replace(" ", "_"))
