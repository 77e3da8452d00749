"""The licence of a model, from those of what it was made of: the base model and the data."""

from huggingface_hub import HfApi

from emollms.errors import UsageError
from emollms.publishing.remote import FROM_THE_CLIENT
from emollms.training.manifest import RunManifest

OPEN = ("mit", "apache-2.0", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "cc-by-4.0", "odc-by", "unlicense", "isc")
"""Licences of data that ask for no more than to name whose it is."""


def model_licence(run: RunManifest, given: str | None, api: HfApi | None = None) -> str:
    """The licence of a model, as the Hub names it.

    A model keeps the licence of the model that it was tuned from, where its data ask for nothing more than to be named.

    Args:
        run: the record of its run.
        given: what its publisher says; it is taken as it is.
        api: the client.

    Raises:
        UsageError: none was given, and the licence does not follow; the message tells what it was made of.
    """
    if given:
        return given
    base = _licence_of(run, api or HfApi(library_name="emollms"))
    data = {source.corpus: source.licence for source in run.data.sources}
    asking = [f"{corpus} ({licence})" for corpus, licence in data.items() if licence not in OPEN]
    if base and not asking:
        return base
    name = run.model.repository or run.model.name
    reason = f"of the data {', '.join(asking)}" if base else f"the licence of {name} is not to be found"
    chain = (
        f"base model {name} ({base or 'unknown'}); data {', '.join(f'{name} ({one})' for name, one in data.items())}"
    )
    raise UsageError(f"give the model's licence with --licence ID; it does not follow, because {reason}: {chain}")


def _licence_of(run: RunManifest, api: HfApi) -> str | None:
    """The licence that the card of the base model states; None where that cannot be read."""
    if not run.model.repository:
        return None
    try:
        card = api.model_info(run.model.repository).card_data
    except FROM_THE_CLIENT:
        return None
    stated = card.get("license") if card else None
    return str(stated) if stated and stated != "other" else None
