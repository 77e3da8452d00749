"""Settings of a build are checked before anything is read."""

from collections.abc import Collection, Sequence

from emollms.corpora.base import Corpus
from emollms.corpora.registry import corpora, get_corpus
from emollms.dataset.specs import ALL_LANGUAGES, Settings
from emollms.errors import UsageError, unknown
from emollms.prompts.instructions import ENGLISH, NATIVE, instruction_language, instruction_languages, wordings
from emollms.tasks import TASKS

MANY_LANGUAGES = 6
"""As many are listed in an error; for more of them it says `all`."""


def check_settings(settings: Settings) -> None:
    """Check the settings before anything is read.

    Args:
        settings: what is to be built.

    Raises:
        UsageError: a name is unknown, `paper` is asked for something that was not published, or the wordings of a
            task cannot be used.
    """
    sources = settings.sources()
    if settings.profile == "paper" and not settings.data_set.published:
        raise UsageError(f"{settings.data_set.name} was never published; build it with --profile release")
    if settings.profile == "paper" and tuple(settings.languages) != ("en",):
        raise UsageError("the published data sets are English; --profile paper goes with --languages en")
    if settings.profile == "paper" and settings.mask:
        raise UsageError("the published data sets are not masked; --mask goes with --profile release")
    if settings.profile == "paper" and settings.instructions != ENGLISH:
        raise UsageError("the published instructions are English; --instructions goes with --profile release")
    spoken = {language for corpus in sources for language in corpus.meta.languages}
    everywhere = {language for corpus in corpora().values() for language in corpus.meta.languages}
    for language in settings.languages:
        if language not in spoken | everywhere | {ALL_LANGUAGES}:
            raise unknown("language", language, spoken | {ALL_LANGUAGES})
    if ALL_LANGUAGES not in settings.languages and not spoken & set(settings.languages):
        names = ", ".join(corpus.meta.name for corpus in sources)
        raise UsageError(f"{names}: no {_rows_in(settings.languages)}; add --languages {_listed(sorted(spoken))}")
    if not any(settings.selection(corpus).tasks for corpus in sources):
        raise UsageError(f"none of the corpora has a task of {settings.data_set.name}; see `emollms corpora`")
    for name in settings.named_corpora:
        _check_corpus(settings, get_corpus(name))
    for name in settings.tasks:
        if not any(name in corpus.meta.tasks for corpus in sources):
            having = " or ".join(one for one, corpus in corpora().items() if name in corpus.meta.tasks)
            names = ", ".join(corpus.meta.name for corpus in sources)
            raise UsageError(f"{names}: no task {name}; add {having or 'a corpus that has it'} to --corpora")
    _check_instructions(settings, [task for corpus in sources for task in settings.selection(corpus).tasks], spoken)


def _check_instructions(settings: Settings, tasks: Sequence[str], spoken: Collection[str]) -> None:
    """Make sure that there are wordings in the language that is asked for, and that they can be used."""
    known = {code for task in TASKS for code in instruction_languages(task)}
    if settings.instructions not in known | {NATIVE}:
        raise unknown("language of instructions", settings.instructions, known | {NATIVE})
    codes = spoken if settings.instructions == NATIVE else {settings.instructions}
    found = {(task, instruction_language(task, code, settings.instructions)) for task in tasks for code in codes}
    for task, code in sorted(found):
        wordings(task, code)
    if settings.instructions not in (ENGLISH, NATIVE) and {code for _, code in found} == {ENGLISH}:
        asked = ", ".join(dict.fromkeys(tasks))
        raise UsageError(
            f"no instruction wordings in {settings.instructions!r} for {asked}; add "
            f"instructions/{settings.instructions}/{tasks[0]}.yaml, or leave --instructions out"
        )


def _check_corpus(settings: Settings, corpus: type[Corpus]) -> None:
    """Make sure that a corpus that was named has what is asked for, as far as its metadata says."""
    meta = corpus.meta
    if not settings.selection(corpus).tasks:
        raise UsageError(f"{meta.name}: none of the tasks {', '.join(settings.tasks)}; it has {', '.join(meta.tasks)}")
    if not set(meta.splits) & set(settings.data_set.splits):
        wanted, own = " or ".join(settings.data_set.splits), ", ".join(meta.splits)
        raise UsageError(f"{meta.name}: no {wanted} rows, of which {settings.data_set.name} is made; it has {own}")
    if ALL_LANGUAGES not in settings.languages and not set(meta.languages) & set(settings.languages):
        both = [*settings.languages, *sorted(meta.languages)]
        raise UsageError(f"{meta.name}: no {_rows_in(settings.languages)}; add --languages {_listed(both)}")


def _rows_in(languages: Sequence[str]) -> str:
    return "English rows" if tuple(languages) == ("en",) else f"rows in {' or '.join(languages)}"


def _listed(languages: Sequence[str]) -> str:
    return ",".join(languages) if len(languages) <= MANY_LANGUAGES else ALL_LANGUAGES
