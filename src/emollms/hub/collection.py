"""Collections of the Hub: a page that groups data sets, models and Spaces."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar, get_args

from huggingface_hub import Collection, HfApi

from emollms.errors import EmollmsError, UsageError
from emollms.hub.client import FROM_THE_CLIENT, call_hub, describe
from emollms.hub.release import Kind
from emollms.hub.repo import Remote

Item = tuple[Kind, str]
Result = TypeVar("Result")
LONGEST_ABOUT = 150
"""Characters that the Hub takes under a title."""
LONGEST_TITLE = 60


@dataclass(frozen=True)
class CollectionPlan:
    """What is to be done to a collection.

    Args:
        title: its title.
        about: the text under it; None to leave that as it is.
        found: the collection; None if it is to be created.
        add: what is not in it yet: kind and repo.
        there: what is in it already.
        update_about: whether the text under the title changes.
        make_public: whether it is to be shown to everybody.
    """

    title: str
    about: str | None
    found: Collection | None
    add: tuple[Item, ...]
    there: tuple[Item, ...]
    update_about: bool
    make_public: bool

    @property
    def steps(self) -> list[str]:
        """What will be done, for people."""
        steps = [] if self.found else [f"create the collection {self.title!r}, private"]
        steps += [f"add {kind} {repo}" for kind, repo in self.add]
        steps += ["change the text under its title"] if self.update_about and self.found else []
        return steps + (["make it public"] if self.make_public else [])


def check_texts(title: str, about: str | None) -> None:
    """Make sure that the Hub takes a title, and a text under it.

    Raises:
        UsageError: it does not.
    """
    if not title.strip() or len(title) > LONGEST_TITLE or len(about or "") > LONGEST_ABOUT:
        limits = f"a title has 1 to {LONGEST_TITLE} characters, the text under it at most {LONGEST_ABOUT}"
        raise UsageError(f"{limits}; make it shorter")


class Collections:
    """The collections of an owner on the Hub that `HF_ENDPOINT` names.

    Args:
        owner: a user or an organization.
        api: the client.
    """

    def __init__(self, owner: str, api: HfApi | None = None) -> None:
        self.owner = owner
        self.api = api or HfApi(library_name="emollms")

    def plan(self, title: str, repos: Sequence[str], about: str | None = None, public: bool = False) -> CollectionPlan:
        """Read what exists, and work out what is to be done; nothing is ever removed.

        Args:
            title: title of the collection; the owner's one of this title is used.
            repos: `OWNER/NAME`, or with the kind before it: `datasets/OWNER/NAME`, `models/…`, `spaces/…`.
            about: the text under the title.
            public: whether everybody is to see it.

        Raises:
            UsageError: a repo is not there, or there are several of its name; or a text is too long.
            EmollmsError: there are several collections of this title; or the Hub cannot be reached.
        """
        check_texts(title, about)
        wanted = list(dict.fromkeys(self._item(repo) for repo in repos))
        found = self._find(title)
        inside = {(item.item_type, item.item_id) for item in found.items} if found else set()
        return CollectionPlan(
            title,
            about,
            found,
            add=tuple(item for item in wanted if item not in inside),
            there=tuple(item for item in wanted if item in inside),
            update_about=about is not None and (found is None or found.description != about),
            make_public=public and (found is None or found.private),
        )

    def apply(self, plan: CollectionPlan, on_step: Callable[[str], None] = lambda step: None) -> str:
        """Do what a plan says; run again after a failure, it resumes.

        Args:
            plan: what `plan` gave.
            on_step: called with each step that is done.

        Returns:
            The address of the collection.

        Raises:
            EmollmsError: the Hub refuses.
        """
        made = plan.found or self._create(plan, on_step)
        for kind, repo in plan.add:
            self._ask(partial(self.api.add_collection_item, made.slug, repo, kind, exists_ok=True))
            on_step(f"added {kind} {repo}")
        if plan.update_about and plan.found:
            self._ask(lambda: self.api.update_collection_metadata(made.slug, description=plan.about))
            on_step("changed the text under its title")
        if plan.make_public:
            self._ask(lambda: self.api.update_collection_metadata(made.slug, private=False))
            on_step("made public")
        return made.url

    def _create(self, plan: CollectionPlan, on_step: Callable[[str], None]) -> Collection:
        """Create it; where an answer was lost, a second try finds what the first one made."""

        def create() -> Collection:
            return self._find(plan.title) or self.api.create_collection(
                plan.title, namespace=self.owner, description=plan.about, private=True
            )

        made = self._ask(create)
        on_step(f"created {made.slug}, private")
        return made

    def _find(self, title: str) -> Collection | None:
        """The owner's collection of a title, with all its items."""
        found = self._ask(lambda: [one for one in self.api.list_collections(owner=self.owner) if one.title == title])
        if len(found) > 1:
            raise EmollmsError(f"{self.owner} has {len(found)} collections named {title!r}; choose another title")
        return self._ask(lambda: self.api.get_collection(found[0].slug)) if found else None

    def _item(self, name: str) -> Item:
        """Kind and repo of what a user named."""
        prefix, _, rest = name.partition("/")
        kinds = {f"{kind}s": kind for kind in get_args(Kind)}
        if prefix in kinds and rest.count("/") == 1:
            repo, asked = rest, [kinds[prefix]]
        else:
            repo, asked = name, list(kinds.values())
        there = [kind for kind in asked if Remote(repo, kind, self.api).exists()]
        if len(there) > 1:
            forms = " or ".join(f"{kind}s/{repo}" for kind in there)
            raise UsageError(f"there are several repos named {repo}; name {forms}")
        if not there:
            raise UsageError(f"there is no {' or '.join(asked)} {repo} on the Hub that this account may see")
        return there[0], repo

    def _ask(self, call: Callable[[], Result]) -> Result:
        try:
            return call_hub(call)
        except FROM_THE_CLIENT as error:
            raise EmollmsError(f"collections of {self.owner}: {describe(error)}") from error
