"""`emollms corpora new`: from a folder of raw files to a corpus, with all that belongs to one."""

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from emollms.corpora.base import Corpus
from emollms.corpora.fetch import sha256_of
from emollms.corpora.file_table import COLUMNS, as_csv
from emollms.corpora.path_names import ALIASES, SPLITS, languages_of, split_of
from emollms.corpora.registry import BUILDERS, corpora, get_corpus
from emollms.corpora.sniff import FileForm
from emollms.dataset.corpus_answers import Answers, Ask, Facts
from emollms.dataset.corpus_files import CorpusHome, derive
from emollms.dataset.corpus_plan import CorpusPlan, plan_corpus
from emollms.dataset.corpus_tables import find_tables
from emollms.dataset.new_module import module_text
from emollms.dataset.wordings_draft import wordings_text
from emollms.errors import EmollmsError, UsageError
from emollms.expectations.report import GateReport
from emollms.storage import write_whole
from emollms.tasks import TASKS

_LICENSES = (
    (r"CC[ -]?BY[ -]?NC[ -]?SA[ -]?4", "cc-by-nc-sa-4.0"), (r"CC[ -]?BY[ -]?NC[ -]?4", "cc-by-nc-4.0"),
    (r"CC[ -]?BY[ -]?SA[ -]?4", "cc-by-sa-4.0"), (r"CC[ -]?BY[ -]?4|Attribution 4\.0 International", "cc-by-4.0"),
    (r"CC0|Public Domain Dedication", "cc0-1.0"), (r"MIT License", "mit"),
    (r"Apache License,? Version 2", "apache-2.0"),
)  # fmt: skip


@dataclass(frozen=True)
class NewCorpus:
    """What was written.

    Args:
        name: the corpus.
        written: the files, as people see them.
        seen: what was found in the raw files, a line each.
        assumed: what was not said and not seen for sure, a line each.
        report: what its suite says; None where the corpus is of a package that is not installed yet.
        next: what to do next, a line each.
    """

    name: str
    written: tuple[str, ...]
    seen: tuple[str, ...]
    assumed: tuple[str, ...]
    report: GateReport | None
    next: tuple[str, ...]


def new_corpus(
    name: str,
    from_: str | Path,
    answers: Answers | None = None,
    package: str | Path | None = None,
    ask: Ask | None = None,
) -> NewCorpus:
    """Write the module, pinned files, suite, statistics and test of a corpus; wordings, if its question is new.

    Args:
        name: its name: small letters, digits and `_`.
        from_: the folder of its raw files, or the folder that has them in a folder of that name.
        answers: what is known already, and is neither looked for nor asked.
        package: the folder of a package of one's own; None for this project's checkout.
        ask: asks a person; None where there is nobody.

    Raises:
        UsageError: the name is taken or none, there is no table in the folder, or something must be said.
        EmollmsError: the corpus that was written cannot be read; the files that are there are named.
    """
    answers = answers or Answers()
    _check_name(name)
    folder = _folder(name, Path(from_))
    home = CorpusHome.of_package(Path(package).resolve()) if package else CorpusHome.of_checkout()
    module = home.builders / f"{name}.py"
    if module.exists():
        raise UsageError(f"{home.show(module)} is there already; remove it, or choose another name")
    files, aside = find_tables(folder, answers)
    plan = plan_corpus(name, files, _facts(folder, files, answers), answers, ask)
    written = _write(plan, folder, home)
    seen = [*map(str, files[:3]), *([f"and {len(files) - 3} more files like these"] if len(files) > 3 else [])]
    seen += [f"left aside: {', '.join(aside)}"] if aside else []
    report = None
    corpus = _load(name, home, package is not None)
    if corpus is not None:
        try:
            _count_rows(corpus, plan, folder, home)
            corpus = _load(name, home, package is not None)  # with the rows of its files
            assert corpus is not None
            more, report = derive(corpus, folder, home)
        except EmollmsError as error:
            raise EmollmsError(
                f"{error} (written: {', '.join(map(home.show, written))}; mend the builder, then give "
                f"`emollms corpora check {name} --from {folder} --update`)"
            ) from None
        written += more
    return NewCorpus(
        name=name,
        written=tuple(map(home.show, written)),
        seen=(*seen, *plan.seen),
        assumed=plan.assumed,
        report=report,
        next=tuple(_next_steps(plan, folder, home, is_installed=corpus is not None)),
    )


def _check_name(name: str) -> None:
    if not re.fullmatch("[a-z][a-z0-9_]*", name):
        raise UsageError(f"{name!r} cannot name a corpus; take small letters, digits and _, a letter first")
    if name in corpora():
        raise UsageError(f"there is a corpus {name} already; see `emollms corpora show {name}`, or choose another name")


def _folder(name: str, given: Path) -> Path:
    if not given.is_dir():
        raise UsageError(f"{given} is no folder; --from takes the folder of the raw files")
    return given / name if (given / name).is_dir() else given


def _facts(folder: Path, files: Sequence[FileForm], answers: Answers) -> Facts:
    """What names of files, a licence and a BibTeX entry beside them say."""
    paths = [file.path for file in files]
    splits = {path: split for path in paths if (split := split_of(path))}
    if answers.split in SPLITS:
        splits = dict.fromkeys(paths, SPLITS[answers.split])
    elif answers.split is not None or len(splits) < len(paths):
        splits = {}
    languages = languages_of(paths)
    if answers.language and re.fullmatch(
        r"[a-z]{2,3}(-[A-Za-z0-9]+)*", code := ALIASES.get(answers.language, answers.language)
    ):
        languages = dict.fromkeys(paths, code)
    return Facts(splits=splits, languages=languages, license=_license_in(folder), citation=_citation_in(folder))


def _license_in(folder: Path) -> str | None:
    """The licence that a file beside the data names."""
    for path in sorted(folder.iterdir()):
        if path.is_file() and re.match(r"(?i)(licen[cs]e|copying|read.?me)", path.name):
            text = path.read_text(encoding="utf-8", errors="replace")
            if found := next((name for pattern, name in _LICENSES if re.search(pattern, text, re.IGNORECASE)), None):
                return found
    return None


def _citation_in(folder: Path) -> str | None:
    """The first BibTeX entry beside the data."""
    for path in sorted(folder.glob("*.bib")):
        text = path.read_text(encoding="utf-8", errors="replace").strip()
        if text.startswith("@"):
            return text
    return None


def _write(plan: CorpusPlan, folder: Path, home: CorpusHome) -> list[Path]:
    """Module, table of files and, for a new question, wordings."""
    name = plan.name
    module, table = home.builders / f"{name}.py", home.builders / "files" / f"{name}.csv"
    written = [module, table]
    write_whole(table, _table(plan, folder, {}))
    package = BUILDERS if home == _checkout() else home.builders.name
    write_whole(module, module_text(plan, package, package == BUILDERS))
    if plan.is_new_task:
        wordings = home.builders / "instructions" / "en" / f"{plan.task.name}.yaml"
        if not wordings.exists():
            write_whole(wordings, wordings_text(plan.task))
            written.append(wordings)
    if home != _checkout():
        (home.builders / "__init__.py").touch()
    return written


def _checkout() -> CorpusHome | None:
    try:
        return CorpusHome.of_checkout()
    except UsageError:
        return None


def _table(plan: CorpusPlan, folder: Path, rows: dict[str, int]) -> str:
    """The table of pinned files, with rows where they are counted."""
    several = any(file.encoding != "utf-8" for file in plan.files)
    lines = [
        {
            "path": file.path,
            "sha256": sha256_of(folder / file.path),
            "bytes": str((folder / file.path).stat().st_size),
            "rows": str(rows[file.path]) if file.path in rows else "",
            "split": plan.facts.splits.get(file.path, ""),
            "language": plan.facts.languages.get(file.path, "") if plan.language_of == "file" else "",
            **({"encoding": "" if file.encoding == "utf-8" else file.encoding} if several else {}),
        }
        for file in plan.files
    ]
    return as_csv(lines, [*COLUMNS, "encoding"] if several else COLUMNS)


def _load(name: str, home: CorpusHome, in_package: bool) -> type[Corpus] | None:
    """The corpus that was just written; None where its package does not name it yet."""
    import importlib

    importlib.invalidate_caches()
    for module in [
        key for key in sys.modules if key.endswith(f".{name}") and key.startswith((BUILDERS, home.builders.name))
    ]:
        del sys.modules[module]
    corpora.cache_clear()
    if in_package and name not in corpora():
        if any(one.name == name for one in corpora().broken):
            get_corpus(name)  # says what is wrong with it
        return None
    corpus = get_corpus(name)
    assert set(corpus.meta.tasks) <= set(TASKS)
    return corpus


def _count_rows(corpus: type[Corpus], plan: CorpusPlan, folder: Path, home: CorpusHome) -> None:
    """Put the number of rows of each file, as the builder reads them, into the table."""
    from collections import Counter

    from emollms.corpora.base import Selection
    from emollms.corpora.reader import RawSource

    everything = Selection(corpus.meta.tasks, corpus.meta.splits)
    lines = corpus().read_lines(RawSource(corpus.meta, folder), everything)
    counts = Counter(path for path, _ in lines)
    write_whole(home.builders / "files" / f"{plan.name}.csv", _table(plan, folder, dict(counts)))


def _next_steps(plan: CorpusPlan, folder: Path, home: CorpusHome, is_installed: bool) -> Iterator[str]:
    name = plan.name
    if not is_installed:
        yield (
            f'name it in the package\'s pyproject.toml, [project.entry-points."{BUILDERS}"]: '
            f'{name} = "{home.builders.name}.{name}:{plan.class_name}", and take *.csv, *.yaml and *.json into its '
            "package data; then pip install -e ."
        )
    is_named = folder.resolve().name == name
    parent = folder.parent if folder.name == name else folder.resolve().parent
    if not is_installed:
        table = home.builders / "files" / f"{name}.csv"
        there = parent if is_named else f"the folder that has them in {name}/"
        yield f"emollms corpora pin {name} --from {there} --out {table} --count-rows"
    yield f"emollms corpora check {name} --from {parent if is_named else folder}{'' if is_installed else ' --update'}"
    languages = "" if plan.languages == ("en",) else " --languages all"
    if is_named:
        yield f"emollms build aaid-plus --corpora {name} --from {parent}{languages} --out out/{name}"
    else:
        yield f"put the raw files into a folder named {name}, where `emollms build --from` finds them"
