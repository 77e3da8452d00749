"""What a repo is like after a push that failed: looked at once more, so that the message says what is so."""

from emollms.errors import EmollmsError
from emollms.publishing.plan import Options, Plan
from emollms.publishing.remote import Remote
from emollms.publishing.state import State, differences


def standing(plan: Plan, remote: Remote, options: Options, made: str | None) -> str:
    """The state of a repo, in a few words.

    Args:
        plan: what was to be done; its state is the one before the first commit.
        remote: the repo.
        options: those of the plan.
        made: the commit that was made, if the Hub has named it.
    """
    once = Remote(remote.repo, remote.kind, remote.api, tries=1)
    try:
        return _tell(plan, once, options, made)
    except EmollmsError:
        return f"{remote.repo} cannot be looked at now; `emollms status` tells later what is in it"


def _tell(plan: Plan, remote: Remote, options: Options, made: str | None) -> str:
    now = remote.state()
    if now is None:
        return "nothing was changed" if plan.state is None else "the repo is gone"
    version = _version(plan, remote, now, made)
    return version + (_access(now, options) if plan.release.tag in now.tags else "")


def _version(plan: Plan, remote: Remote, now: State, made: str | None) -> str:
    """Where the version stands: tagged, committed, or nowhere."""
    release = plan.release
    if release.tag in now.tags:
        commit = now.tags[release.tag]
        if not differences(release.files, remote.files(commit)):
            return f"{release.tag} is published, at commit {commit}"
        own = f"commit {made} holds this version, and " if made and made != commit else ""
        return f"{own}{release.tag} is a tag of other content, at commit {commit}"
    holding = [commit for commit in _new(plan, remote, now) if not differences(release.files, remote.files(commit))]
    if holding:
        return f"commit {holding[0]} holds this version, and is not tagged: run the command again"
    if made and now.head == made:
        return f"commit {made} holds other content than this version, and is not tagged"
    if plan.state is None or (plan.created and now.head == plan.state.head):
        seen = "private" if now.private else "public"
        return f"the repo is {seen} and holds nothing of this version (commit {now.head})"
    if now.head == plan.state.head:
        return f"the repo is as it was, at commit {now.head}"
    return f"the repo is at commit {now.head} of somebody else, and nothing of this version is in it"


def _new(plan: Plan, remote: Remote, now: State) -> list[str]:
    """The commits that may hold the version: the head, and those since the one that was planned upon."""
    since = remote.commits_since(plan.state.head) if plan.state and now.head != plan.state.head else []
    return list(dict.fromkeys([now.head, *since]))


def _access(now: State, options: Options) -> str:
    """What is still missing of the access that was asked for."""
    missing = []
    if options.gated and now.gated != options.gated:
        missing.append("access need not be asked for")
    if options.public and now.private:
        missing.append("it is private")
    return f"; {' and '.join(missing)}: run the command again" if missing else ""
