"""Whether the filters of a build leave what was asked for."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from emollms.dataset.examples import Group
from emollms.dataset.manifest import by_seriousness
from emollms.errors import EmollmsError

Dropped = Mapping[Group, Mapping[str, int]]
"""How many texts are dropped, by task and split, and by reason."""


def check_remaining(read: Mapping[Group, int], dropped: Dropped, named: Collection[str]) -> None:
    """Make sure that filters leave a text of each split, and of each task that was asked for by name.

    Any other task of which nothing remains is left out of the data set, and so is a task in one split.

    Args:
        read: how many texts were read, by task and split.
        dropped: how many of them are dropped, by reason.
        named: the tasks that were asked for by name.

    Raises:
        EmollmsError: nothing remains.
    """
    remaining = {group for group, texts in read.items() if texts > sum(dropped[group].values())}
    tasks, splits = {task for task, _ in remaining}, {split for _, split in remaining}
    if lost := [group for group in read if group[1] not in splits]:
        raise _nothing_left(lost, read, dropped, "choose other corpora or tasks")
    if lost := [group for group in read if group[0] in named and group[0] not in tasks]:
        gone = ", ".join(dict.fromkeys(task for task, _ in lost))
        raise _nothing_left(lost, read, dropped, f"leave {gone} out of --tasks, or choose other corpora")


def _nothing_left(lost: Sequence[Group], read: Mapping[Group, int], dropped: Dropped, remedy: str) -> EmollmsError:
    reasons: Counter[str] = Counter()
    for group in lost:
        reasons.update(dropped[group])
    why = "; ".join(f"{reasons[reason]:,}: {reason}" for reason in sorted(reasons, key=by_seriousness))
    names = ", ".join(f"{task} {split}" for task, split in lost)
    texts = sum(read[group] for group in lost)
    return EmollmsError(f"nothing is left of {names}: all {texts:,} texts were dropped ({why}); {remedy}")
