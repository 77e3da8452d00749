"""A dataset repo, whether in a folder or on the Hub."""

import re
from pathlib import Path

from emollms.errors import EmollmsError, UsageError

_REPO = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")


def local_copy(target: str) -> Path:
    """The folder of a data set: the one that is named, or a copy of what the Hub has.

    Args:
        target: a folder, or `OWNER/NAME`, or `OWNER/NAME@REVISION` for a branch, tag or commit.

    Raises:
        UsageError: it is neither.
        EmollmsError: the Hub does not have it, or cannot be reached.
    """
    if Path(target).is_dir():
        return Path(target)
    if Path(target).exists():
        raise UsageError(f"{target} is a file; a data set is a folder that `emollms build` wrote, or a repo on the Hub")
    found = _REPO.fullmatch(target)
    if not found:
        raise UsageError(f"{target} is neither a folder, nor a corpus, nor a repo on the Hub (OWNER/NAME@REVISION)")
    return _download(found["repo"], found["revision"])


def _download(repo: str, revision: str | None) -> Path:
    """What a check of a data set needs of a repo: the manifest and the rows."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    where = f"{repo}@{revision}" if revision else repo
    try:
        folder = snapshot_download(
            repo, repo_type="dataset", revision=revision, allow_patterns=["manifest.json", "data/*"]
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise EmollmsError(f"{where} cannot be had: {reason}; no folder of this name is here") from None
    return Path(folder)
