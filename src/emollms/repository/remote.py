"""A dataset repo, whether in a folder or on the Hub."""

from pathlib import Path

from emollms.errors import EmollmsError, UsageError
from emollms.locations import HubRepo, hub_repo
from emollms.network import hub_problem


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
    return _download(hub_repo(target, "a folder, nor a corpus,"))


def _download(named: HubRepo) -> Path:
    """What a check of a data set needs of a repo: the manifest and the rows; from the cache where the Hub is away."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    problem = hub_problem()
    try:
        folder = snapshot_download(
            named.repo,
            repo_type="dataset",
            revision=named.revision,
            allow_patterns=["manifest.json", "data/*"],
            local_files_only=problem is not None,
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        if problem:
            raise EmollmsError(f"{named} is neither here nor in the local cache, and {problem}") from None
        reason = str(error).strip().splitlines()[0]
        raise EmollmsError(f"{named} cannot be had: {reason}; no folder of this name is here") from None
    return Path(folder)
