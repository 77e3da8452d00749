"""The card of a tuned model, filled from the record of its run and from its scores alone."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from emollms.training.manifest import RunManifest

Relation = Literal["finetune", "adapter"]


def render_model_card(
    run: RunManifest,
    scores: Sequence[Mapping[str, Any]],
    *,
    repo: str,
    version: str,
    licence: str,
    relation: Relation,
    calibration: Mapping[str, Any] | None = None,
    data_repo: str | None = None,
) -> str:
    """The README of a model.

    Args:
        run: the record of the run that made it.
        scores: what `scores.json` of each evaluation of it holds; none is fine.
        repo: the model's repository on the Hub, `OWNER/NAME`.
        version: its version, `X.Y.Z`; its tag is `vX.Y.Z`.
        licence: its licence, as the Hub names it.
        relation: what is published: all weights, or an adapter.
        calibration: what the calibration file holds, where there is one.
        data_repo: the repository of the data on the Hub, where it is there.

    Raises:
        UsageError: the licence is none of the Hub's, or a name is no repository.
    """
    raise NotImplementedError  # filled in the commits that follow
