"""The licence of a model: whether it follows from what the model was made of, and what its parts ask for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from huggingface_hub import HfApi

from emollms.errors import UsageError
from emollms.hub.client import FROM_THE_CLIENT
from emollms.hub.model_scores import shown_word
from emollms.templates import cell, link, listed
from emollms.training.manifest import RunManifest

HUB = "https://huggingface.co"
OPEN = ("mit", "apache-2.0", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "cc-by-4.0", "odc-by", "unlicense", "isc")
"""Licences of data that ask for no more than to name whose it is."""


@dataclass(frozen=True)
class LicenseLink:
    """A link of the chain of licences.

    Args:
        what: base model, data, or this model.
        name: its name, as Markdown.
        license: its licence.
        asks: what follows from it; "" if there is nothing of note.
    """

    what: str
    name: str
    license: str
    asks: str


def model_license(run: RunManifest, given: str | None, api: HfApi | None = None) -> str:
    """The licence of a model, as the Hub names it.

    A model keeps the licence of the model that it was tuned from, where its data ask for nothing more than to be named.

    Args:
        run: the record of its run.
        given: what its publisher says; it is taken as it is.
        api: the client.

    Raises:
        UsageError: none was given, and it cannot be derived; the message lists what the model was made of.
    """
    if given:
        return given
    base = _license_of(run, api or HfApi(library_name="emollms"))
    data = {source.corpus: source.license for source in run.sources}
    asking = [f"{corpus} ({license})" for corpus, license in data.items() if license not in OPEN]
    if base and not asking and not run.teacher:
        return base
    name = run.model.repository or run.model.name
    taught = f"what may be learnt from {' + '.join(run.teacher.names)} is unknown" if run.teacher else ""
    reason = (
        f"the licence of {name} is unknown" if not base else f"of the data {', '.join(asking)}" if asking else taught
    )
    chain = (
        f"base model {name} ({base or 'unknown'}); data {', '.join(f'{name} ({one})' for name, one in data.items())}"
    )
    raise UsageError(f"give the model's licence with --license ID; it cannot be derived, because {reason}: {chain}")


def _license_of(run: RunManifest, api: HfApi) -> str | None:
    """The licence that the card of the base model states; None where that cannot be read."""
    if not run.model.repository:
        return None
    try:
        card = api.model_info(run.model.repository).card_data
    except FROM_THE_CLIENT:
        return None
    stated = card.get("license") if card else None
    return str(stated) if stated and stated != "other" else None


def license_chain(run: RunManifest, repo: str, license: str) -> list[LicenseLink]:
    """The terms that apply to a model: the base model's, each corpus's, and its own."""
    where = "as its card states it" if run.model.repository else "as it came with"
    chain = [LicenseLink("base model", model_link(run), where, "its terms also apply to models tuned from it")]
    chain += [
        LicenseLink("data", cell(one.corpus), one.license, listed(list(_asks(one.license, one.redistribution))))
        for one in run.sources
    ]
    if run.teacher:
        names = cell(" + ".join(run.teacher.names))
        chain.append(LicenseLink("teacher", names, "its own", "its terms may apply to models tuned on its answers"))
    return [*chain, LicenseLink("this model", repo, license, listed(list(_asks(license, "text"))))]


def _asks(license: str, redistribution: str) -> Iterator[str]:
    """What a licence, or the terms of a corpus, ask for that is easily missed."""
    parts = license.lower().split("-")
    if redistribution != "text":
        yield "texts may not be redistributed"
    if "nc" in parts or "noncommercial" in parts:
        yield "no commercial use"
    if "nd" in parts:
        yield "no derivative works"
    if "sa" in parts or parts[0] in ("gpl", "agpl", "odbl"):
        yield "share-alike"
    if license == "unknown":
        yield "no licence stated: research use, with citation"
    if license == "other":
        yield "custom terms"


def restrictive(chain: Sequence[LicenseLink]) -> list[LicenseLink]:
    """The parts of the data that ask for something."""
    return [link for link in chain if link.what == "data" and link.asks]


def model_link(run: RunManifest) -> str:
    """The base model as Markdown, linked where it is on the Hub."""
    base = run.model.repository
    return link(base, f"{HUB}/{base}") if base else cell(shown_word(run.model.name))
