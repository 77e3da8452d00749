"""What a name of a model means, looked at before anything heavy is imported, and before a library asks the network."""

import json
from collections.abc import Callable
from pathlib import Path

from emollms.errors import EmollmsError, UsageError
from emollms.inference import smollm2
from emollms.locations import is_local, missing
from emollms.network import hub_problem, use_cache_alone

FILES = ("config.json", "adapter_config.json")
"""A model, or an adapter, has one of these."""
DTYPES = ("float32", "bfloat16", "float16")


def check_model(model: str, revision: str | None = None, note: Callable[[str], None] = lambda text: None) -> None:
    """Make sure that a model is here, or that the Hub can be asked for it, or that the cache has it.

    Where the Hub does not answer and the cache has the model, libraries are kept from asking the Hub any more.

    Args:
        model: folder, `OWNER/NAME`, `OWNER/NAME@REVISION`, or the packaged model.
        revision: of a repo, where the name has none.
        note: is told that the cache is used.

    Raises:
        UsageError: it names a folder that is not there, or holds something else.
        EmollmsError: it is neither here nor in the cache, and the Hub cannot be asked.
    """
    if model == smollm2.NAME:
        smollm2.check_fetchable(smollm2.cache_folder())
        return
    if is_local(model):
        check_folder(model)
        base = base_of(Path(model))
        if base is not None:
            check_model(*base, note)
        return
    repo, _, named = model.partition("@")
    _check_repo(repo)
    problem = hub_problem()
    if problem is None:
        return
    if not _is_cached(repo, named or revision):
        raise EmollmsError(f"{model} is neither here nor in the local cache, and {problem}")
    use_cache_alone(problem)
    note(f"{model} is taken from the local cache: {problem}")


def check_dtype(name: str) -> None:
    """Make sure that a type of numbers is known.

    Raises:
        UsageError: it is not.
    """
    if name not in ("auto", *DTYPES):
        raise UsageError(f"unknown dtype {name!r}; use auto, float32, bfloat16 or float16")


def check_folder(model: str) -> None:
    """Tell a folder that is not there, or holds something else, before it is taken for a repository.

    Raises:
        UsageError: it is such a folder.
    """
    folder = Path(model)
    if folder.is_dir() and not any((folder / name).is_file() for name in FILES):
        raise UsageError(f"{model} holds no model: config.json is missing")
    if is_local(model) and not folder.is_dir():
        raise UsageError(f"{model} is a file; name the folder of the model") if folder.exists() else missing(model)


def base_of(folder: Path) -> tuple[str, str | None] | None:
    """The model that an adapter was made for, and its revision; None where the folder holds a whole model.

    Raises:
        UsageError: as `base_in`.
    """
    if (folder / "config.json").is_file() or not (folder / "adapter_config.json").is_file():
        return None
    return base_in(folder / "adapter_config.json")


def base_in(adapter: Path) -> tuple[str, str | None]:
    """The model that an `adapter_config.json` names, and its revision.

    Raises:
        UsageError: it is damaged, or names none, or a folder that is not there.
    """
    try:
        found = dict(json.loads(adapter.read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        raise UsageError(f"{adapter} is damaged; save the adapter again") from None
    base = found.get("base_model_name_or_path")
    if not base:
        raise UsageError(f"{adapter} names no base_model_name_or_path; name the model that the adapter was made for")
    if is_local(base) and not Path(base).exists():
        lost = f"the base model {base} of the adapter {adapter.parent} is not there"
        raise UsageError(f"{lost}; name where it is: emollms merge --base")
    return str(base), found.get("revision")


def _is_cached(repo: str, revision: str | None) -> bool:
    from huggingface_hub import try_to_load_from_cache

    return any(isinstance(try_to_load_from_cache(repo, name, revision=revision), str) for name in FILES)


def _check_repo(repo: str) -> None:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils._validators import validate_repo_id

    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"{repo!r} is neither a folder nor a repo on the Hub (OWNER/NAME): {reason}") from None
