"""Corpora, tasks and languages that are asked for by name and give nothing."""

from pathlib import Path

import pytest
from corpora.contributed import Newcomer
from forks import Forks
from tiny_corpus import Install, Tiny, settings

from emollms.dataset.build import build_repo
from emollms.dataset.settings_checks import check_settings
from emollms.dataset.specs import DATA_SETS, Settings
from emollms.errors import EmollmsError, UsageError

TESTS = {"test": [("a", "il tram era in ritardo", "0.5")]}


@pytest.fixture
def italian(tmp_path: Path, build_forks: Forks) -> Newcomer:
    """A package with a corpus of Italian test texts."""
    one = Newcomer(tmp_path, build_forks, files={"test.tsv": b"id\ttext\tscore\n1\til tram era in ritardo\t0.5\n"})
    one.about = {"test.tsv": {"split": "test", "language": "it", "task": "V-reg"}}
    one.change('("en",)', '("it",)').change('splits=("train",)', 'splits=("test",)')
    one.change("yield Example(", 'yield Example(language="it", task=')
    one.change('task="V-reg", record.split, record["id"], record["text"], record.number("score"), record["score"])',
               'task="V-reg", split=record.split, source_id=record["id"], text=record["text"], '
               'value=record.number("score"), gold=record["score"])')  # fmt: skip
    return one.write()


def test_an_italian_corpus_as_users_type_it(italian: Newcomer) -> None:
    common = ("build", "aeb", "--corpora", "mine", "--from", italian.root / "raw", "--out", italian.root / "out")
    done = italian.run(*common)
    assert (done.returncode, done.stderr) == (2, "error: mine: no English rows; add --languages it\n")
    done = italian.run(*common, "--languages", "it")
    assert done.returncode == 0, done.stderr
    assert "V-reg\ttest\t1\t1" in done.stdout


def test_one_of_several_corpora_without_the_language(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install(TESTS)
    monkeypatch.setattr(Tiny, "meta", Tiny.meta.model_copy(update={"languages": ("it",)}))
    with pytest.raises(UsageError, match=r"^tiny: no English rows; add --languages en,it$"):
        check_settings(settings("aeb", "sample", "tiny"))
    with pytest.raises(UsageError, match=r"^tiny: no rows in en or es; add --languages en,es,it$"):
        check_settings(settings("aeb", "sample", "tiny", languages=("en", "es")))
    check_settings(settings("aeb", "sample", "tiny", languages=("all",)))


def test_a_corpus_of_other_splits(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install(TESTS)
    monkeypatch.setattr(Tiny, "meta", Tiny.meta.model_copy(update={"splits": ("test",)}))
    with pytest.raises(UsageError, match=r"^tiny: no train or validation rows, of which aaid is made; it has test$"):
        check_settings(settings("aaid", "sample", "tiny"))


def test_tasks_that_no_corpus_or_only_others_have(install: Install) -> None:
    install(TESTS)
    with pytest.raises(UsageError, match=r"^sample: no task GoEmotions-28; add goemotions to --corpora$"):
        check_settings(settings("aeb", "sample", tasks=("V-reg", "GoEmotions-28")))
    with pytest.raises(UsageError, match=r"^tiny: none of the tasks TDT; it has V-reg$"):
        check_settings(settings("aeb", "sample", "tiny", tasks=("TDT",)))


def test_what_the_metadata_promise_and_the_files_lack(install: Install, tmp_path: Path) -> None:
    root = install(TESTS)
    told = r"^corpus tiny: no text for aaid \(splits train, validation; languages en\); see `emollms corpora`"
    with pytest.raises(EmollmsError, match=told):
        build_repo(settings("aaid", "sample", "tiny", tasks=("V-reg",)), tmp_path / "out", root=both(root))
    with pytest.raises(EmollmsError, match=r"^task SST: no text for aaid \(splits train, validation; languages ar\)"):
        build_repo(settings("aaid", "sample", tasks=("V-reg", "SST"), languages=("ar",)), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def both(root: Path) -> Path:
    """The folder of corpora, with the sample in it."""
    import emollms.builders.sample

    (root / "sample").symlink_to(Path(emollms.builders.sample.__file__).parent / "data" / "sample")
    return root


def test_the_corpora_of_a_data_set_need_not_all_have_a_task() -> None:
    data_set = DATA_SETS["aeb"]
    check_settings(Settings(data_set, tasks=("TDT",)))
    check_settings(Settings(data_set, corpora=data_set.corpora, tasks=("TDT",)))  # as a manifest has it
