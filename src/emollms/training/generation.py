"""Generation settings of a model, without those that have no effect."""

from typing import Any

from emollms.errors import UsageError

_SAMPLING = (
    "temperature", "top_k", "top_p", "min_p", "top_h", "typical_p", "epsilon_cutoff", "eta_cutoff",
)  # fmt: skip
_BEAMS = ("early_stopping", "length_penalty")
_CACHE = ("cache_implementation", "cache_config")
_OUTPUTS = ("output_attentions", "output_hidden_states", "output_scores", "output_logits")


def drop_unused(model: Any, name: str) -> None:
    """Unset generation settings that have no effect beside the others: a temperature without sampling, say.

    transformers ignores them with a warning, and refuses to save them once another setting was changed; and readers of
    the file take them for the way the model is meant to be used.

    Args:
        model: its `generation_config` is changed.
        name: the model's name, for errors.

    Raises:
        UsageError: what is left is invalid.
    """
    settings = model.generation_config
    unused = [
        *(_SAMPLING if settings.do_sample is not True else ()),
        *(_BEAMS if settings.num_beams in (None, 1) else ()),
        *(_CACHE if settings.use_cache is False else ()),
        *(_OUTPUTS if settings.return_dict_in_generate is not True else ()),
        *(("pad_token_id",) if (settings.pad_token_id or 0) < 0 else ()),
    ]
    for key in unused:
        if getattr(settings, key, None) is not None:
            setattr(settings, key, None)
    try:
        settings.validate(strict=True)
    except ValueError as error:
        problem = " ".join(str(error).split())
        raise UsageError(f"the generation_config.json of {name} is invalid ({problem[:300]}); correct it") from error
