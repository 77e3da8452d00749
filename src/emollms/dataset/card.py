"""The README of a dataset repo: YAML metadata that `load_dataset` reads, and a text, both made from the data."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emollms.corpora.languages import language_name
from emollms.corpora.metadata import Unannotated
from emollms.corpora.registry import get_corpus
from emollms.dataset.baselines import baselines, language_baselines, metric_title
from emollms.dataset.card_examples import card_rows, chosen_pairs, rejected_examples
from emollms.dataset.card_metadata import Tables, card_metadata, languages
from emollms.dataset.manifest import Manifest
from emollms.dataset.manifest_entries import SourceEntry, by_seriousness
from emollms.dataset.schema import COLUMNS, row_schema
from emollms.dataset.specs import get_data_set
from emollms.dataset.statistics import Figures, statistics_tables
from emollms.prompts.instructions import instruction_languages, wordings
from emollms.tasks import MultiLabelTask, OrdinalTask, RegressionTask, Task, get_task
from emollms.templates import cell, code, render_card

_KEY = re.compile(r"@\w+\{([^,}]+)")


def render_readme(
    manifest: Manifest,
    tables: Tables,
    statistics: Figures,
    pairs: Sequence[Mapping[str, object]],
    folder: Path,
) -> str:
    """The README.

    Args:
        manifest: what the data set is.
        tables: its tables.
        statistics: what `statistics.json` holds.
        pairs: pairs of near-duplicates to choose examples from, as in `dataset.screening.Filters`.
        folder: the repo, with `rejected.parquet` in it.
    """
    rows = card_rows(tables)
    return render_card(
        "dataset.md.j2",
        card_metadata(manifest, tables),
        **card_values(manifest, statistics),
        rows=rows,
        origins={row.origin for row in rows},
        columns={name: COLUMNS[name] for name in row_schema(manifest.profile).names},
        baselines=baselines(tables),
        language_baselines=language_baselines(tables),
        pairs=chosen_pairs(pairs),
        rejected=rejected_examples(folder / "rejected.parquet"),
        statistics=statistics_tables(statistics),
    )


def card_values(manifest: Manifest, statistics: Figures) -> dict[str, Any]:
    """What the cards of a data set and of its id-only form have in common.

    Args:
        manifest: what the data set is.
        statistics: what `statistics.json` holds.
    """
    filled = [count for count in manifest.counts if count.rows]
    tasks = {count.task: get_task(count.task) for count in filled}
    corpora = {source.corpus: get_corpus(source.corpus).meta for source in manifest.sources}
    return {
        "manifest": manifest,
        "about": get_data_set(manifest.data_set).about,
        "published": get_data_set(manifest.data_set).published,
        "tasks": tasks,
        "counts": _counts(manifest),
        "answers": {name: answer_form(task) for name, task in tasks.items()},
        "corpora": corpora,
        "hashes_in": "manifest.json",
        "keys": {name: found[1] for name, meta in corpora.items() if (found := _KEY.search(meta.citation))},
        "texts_of": _texts_of(statistics),
        "citations": [meta.citation for meta in corpora.values()],
        "bound": [source for source in manifest.sources if source.redistribution != "text"],
        "languages": languages(manifest),
        "unannotated": {source.corpus: _unannotated(source, languages(manifest)) for source in manifest.sources},
        "by_emotion": any(task.emotions for task in tasks.values()),
        "by_language": _by_language(manifest, statistics),
        "mixing": manifest.mixing_weights(),
        "metrics": {name: metric_title(name) for name in tasks},
        "ordinal": any(isinstance(task, OrdinalTask) for task in tasks.values()) and len(tasks) > 1,
        "several": sorted(tasks, key=lambda name: not isinstance(tasks[name], OrdinalTask))[:2],
        "real": any(not meta.bundled for meta in corpora.values()),
        "domains": list(dict.fromkeys(meta.domain for meta in corpora.values())),
        "wordings": {name: len(wordings(name)) for name in tasks},
        "instruction_languages": sorted({code for name in tasks for code in instruction_languages(name)}),
        "command": build_command(manifest),
        "changes": list(changes(manifest)),
        "reasons": sorted({reason for count in manifest.counts for reason in count.dropped}, key=by_seriousness),
        "config": filled[0].task if filled else "default",
        "split": filled[0].split if filled else "train",
        "first_file": next((file.path for file in manifest.files if file.path.startswith("data/")), ""),
    }


def _counts(manifest: Manifest) -> dict[tuple[str, str], tuple[int, int]]:
    """Texts and rows of each task in each split, 0 where it has none."""
    found = {(task, split): (0, 0) for task in (c.task for c in manifest.counts) for split in _splits(manifest)}
    for count in manifest.counts:
        found[count.task, count.split] = (count.read - sum(count.dropped.values()), count.rows)
    return found


@dataclass(frozen=True)
class LanguageRow:
    """A language of a data set: its code, its name, its texts by task, and what was not annotated in it."""

    code: str
    name: str
    texts: Mapping[str, int]
    unannotated: str


def _by_language(manifest: Manifest, statistics: Figures) -> list[LanguageRow]:
    """The languages of a data set in which each has files of its own; none of others."""
    if not get_data_set(manifest.data_set).by_language:
        return []
    texts: dict[str, dict[str, int]] = {}
    for key, figures in statistics.items():
        for tag, count in figures.get("language", {}).items():
            own = texts.setdefault(tag, {})
            own[key.partition("/")[0]] = own.get(key.partition("/")[0], 0) + count
    return [LanguageRow(code, language_name(code), texts[code], _missing(manifest, code)) for code in sorted(texts)]


def _missing(manifest: Manifest, code: str) -> str:
    """The labels that a corpus did not annotate in a language, with its name."""
    found = [
        f"{', '.join(one.labels)} ({source.corpus})"
        for source in manifest.sources
        for one in source.unannotated
        if one.language == code
    ]
    return "; ".join(found)


def _unannotated(source: SourceEntry, spoken: Sequence[str]) -> list[Unannotated]:
    """What a corpus did not annotate, as far as it concerns the languages of the data set."""
    return [one for one in source.unannotated if one.language is None or one.language in spoken]


def _splits(manifest: Manifest) -> list[str]:
    chosen = manifest.settings["splits"]
    assert isinstance(chosen, list)
    return chosen


def answer_form(task: Task) -> str:
    """What an answer to a task looks like, for people."""
    if isinstance(task, RegressionTask):
        native = "" if (task.low, task.high) == (0, 1) else f" (natively {task.low:g} to {task.high:g})"
        return f"a score, 0 to 1{native}"
    if isinstance(task, MultiLabelTask):
        return f"any of {len(task.labels)} labels"
    return f"one of {len(getattr(task, 'classes', ()))} ordered classes"


def build_command(manifest: Manifest) -> str:
    """The command that builds the data set again."""
    settings = manifest.settings
    words = ["emollms", "build", manifest.data_set, "--version", manifest.version, "--profile", settings["profile"]]
    words += ["--corpora", ",".join(source.corpus for source in manifest.sources)]
    for name in ("tasks", "languages"):
        chosen = settings[name]
        assert isinstance(chosen, list)
        words += [f"--{name}", ",".join(chosen)] if chosen else []
    words += ["--instructions", settings["instructions"]] if "instructions" in settings else []
    words += [f"--{name}" for name in ("quarantine", "mask") if settings[name]]
    return shlex.join([*map(str, words), "--out", manifest.data_set])


def changes(manifest: Manifest) -> Iterator[str]:
    """What differs from the version before, a line each."""
    before = manifest.supersedes
    if before is None:
        return
    if before.content_hash == manifest.content_hash:
        yield "no row differs; the description does"
    old = {f"{count.task}, {count.split}": count.rows for count in before.counts}
    new = {f"{count.task}, {count.split}": count.rows for count in manifest.counts}
    for group in dict.fromkeys([*old, *new]) if old else ():
        name = cell(group)
        if group not in old:
            yield f"{name}: new, with {new[group]:,} rows"
        elif group not in new:
            yield f"{name}: gone, with its {old[group]:,} rows"
        elif old[group] != new[group]:
            yield f"{name}: {old[group]:,} rows became {new[group]:,}"
    for name in manifest.settings if before.settings else ():
        was, now = before.settings.get(name), manifest.settings[name]
        if was != now:
            yield f"setting {code(name)}: {_words(was)} became {_words(now)}"
    if before.made_with not in ("", manifest.made_with):
        yield f"built by emollms {cell(before.made_with)} then, {cell(manifest.made_with)} now"


def _words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return cell(", ".join(map(str, value)) or "none") if isinstance(value, list) else cell(value)


def _texts_of(statistics: Figures) -> dict[str, int]:
    """How many texts each corpus has in a data set, over all tasks and splits."""
    found: dict[str, int] = {}
    for figures in statistics.values():
        for corpus, count in figures.get("corpus", {}).items():
            found[corpus] = found.get(corpus, 0) + count
    return found
