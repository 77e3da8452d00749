"""The wordings of the instructions."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

from emollms.dataset.specs import DATA_SETS
from emollms.errors import UsageError
from emollms.prompts.instructions import (
    instruction,
    instruction_language,
    instruction_languages,
    wordings,
)
from emollms.tasks import TASKS, MultiLabelTask, OrdinalTask, RegressionTask, Task, get_task

MULTILINGUAL = DATA_SETS["aeb-multilingual"].tasks
EVERY_WORDING = [(task, number) for task in TASKS.values() for number in range(len(wordings(task.name)))]
every_wording = pytest.mark.parametrize(
    ("task", "number"), EVERY_WORDING, ids=[f"{task.name}-{number}" for task, number in EVERY_WORDING]
)


def expected_placeholders(task: Task) -> set[str]:
    if isinstance(task, RegressionTask):
        return {"low", "high"} | ({"emotion"} if task.emotions and not task.names_emotion else set())
    if isinstance(task, OrdinalTask):
        return {"classes"}
    assert isinstance(task, MultiLabelTask)
    return {"labels"} | ({"nothing"} if task.nothing else set())


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)
def test_number_of_wordings(task: Task):
    assert len(wordings(task.name)) == (10 if task.name in MULTILINGUAL else 5)


def test_no_wording_is_used_twice_in_one_task():
    for name in TASKS:
        assert len(set(wordings(name))) == len(wordings(name)), name


@every_wording
def test_placeholders_are_known_and_complete(task: Task, number: int):
    fields = [name for _, name, _, _ in Formatter().parse(wordings(task.name)[number]) if name is not None]
    assert set(fields) == expected_placeholders(task)
    assert all(fields.count(name) == 1 for name in fields)


@every_wording
def test_every_placeholder_is_filled(task: Task, number: int):
    for emotion in task.emotions or (None,):
        text = instruction(task, number, emotion)
        assert not re.search(r"[{}]|None|\s\s|''|\n", text)
        assert text == text.strip()
        assert text.endswith((".", "?"))
        assert ".." not in text
        assert ". ." not in text


@every_wording
def test_no_range_but_nought_to_one_is_named(task: Task, number: int):
    wording = wordings(task.name)[number]
    scale = ["0", "1"] if isinstance(task, RegressionTask) else []
    assert re.findall(r"[-+]?\d+(?:[.,]\d+)?", wording) == scale
    if scale:
        assert re.search(r"\b0 \(\{low\}\).*\b1 \(\{high\}\)", wording)


@every_wording
def test_a_wording_speaks_of_the_text_that_it_is_about(task: Task, number: int):
    wording = wordings(task.name)[number]
    says_tweet = bool(re.search(r"\b[Tt]weet|Twitter", wording))
    assert says_tweet == (task.noun == "Tweet" or task.name == "V-T")
    assert task.names_emotion == ("emotion E" in wording or "Emotion E" in wording)


FURTHER = [(task, code) for task in TASKS.values() for code in ("ar", "es")]
further = pytest.mark.parametrize(("task", "code"), FURTHER, ids=[f"{task.name}-{code}" for task, code in FURTHER])


@further
def test_wordings_of_other_languages_ask_for_the_same(task: Task, code: str):
    own = wordings(task.name, code)
    assert len(own) == len(set(own)) == len(wordings(task.name))  # so that a number means one in every language
    for wording in own:
        fields = [name for _, name, _, _ in Formatter().parse(wording) if name is not None]
        assert sorted(fields) == sorted(expected_placeholders(task))
        scale = ["0", "1"] if isinstance(task, RegressionTask) else []
        assert re.findall(r"[-+]?[0-9]+(?:[.,][0-9]+)?", wording) == scale
        assert task.names_emotion == bool(re.search(r"emoción E\b|العاطفة E\b", wording))
        assert (task.noun == "Tweet" or task.name == "V-T") == bool(re.search(r"tuit|تغريد|مغرّد", wording))


@further
def test_wordings_of_other_languages_are_filled_in(task: Task, code: str):
    """Scales and dimensions in the language of the wording; labels and classes as answers name them."""
    letters = {"ar": "[\u0600-\u06ff]", "es": "[a-zñáéíóú]"}[code]
    for number in range(len(wordings(task.name, code))):
        for emotion in task.emotions or (None,):
            text = instruction(task, number, emotion, language=code)
            assert text.endswith((".", "?", "؟"))
            assert not re.search(r"[{}]|None|\s\s|\n", text)
            assert re.search(letters, text)
            if isinstance(task, RegressionTask):
                assert not re.search(r"very|least|most|being|valence|arousal", text)
            elif isinstance(task, MultiLabelTask):
                assert ", ".join(task.labels) in text


def test_the_language_of_instructions():
    assert instruction_languages("V-reg") == ("ar", "en", "es")
    assert [instruction_language("V-reg", code) for code in ("es", "arq", "sw")] == ["en"] * 3
    found = {code: instruction_language("V-reg", code, "native") for code in ("es", "ar", "arq", "ary", "sw", "pt-BR")}
    assert found == {"es": "es", "ar": "ar", "arq": "ar", "ary": "ar", "sw": "en", "pt-BR": "en"}
    assert instruction_language("V-reg", "sw", "es") == "es"


def test_perspectives_are_told():
    assert all(re.search(r"express|writer|convey|speaks|carries", wording) for wording in wordings("EmoBank"))
    assert all(re.search(r"evoke|reader|stirs|leaves|calls", wording) for wording in wordings("EmoBank"))
    assert all(re.search(r"reader|reads", wording) for wording in wordings("EmoBank-reader"))
    assert not any("writer" in wording for wording in wordings("EmoBank-reader"))
    assert all("writer" in wording for wording in wordings("EmoBank-writer"))
    assert not any("reader" in wording for wording in wordings("EmoBank-writer"))


def test_valence_class_is_about_the_emotional_state():
    assert all("emotional state" in wording for wording in wordings("V-oc"))
    assert not any("mental state" in wording for name in TASKS for wording in wordings(name))


def test_filled_instructions():
    assert "0 (very calm)" in instruction(get_task("EmoBank"), 0, "arousal")
    assert "0 (least E)" in instruction(get_task("EI-reg"), 0, "joy")
    classes = "-1: negative. 0: neutral. 1: positive."
    assert instruction(get_task("TDT"), 0).endswith(classes)
    assert "1: low amount of E can be inferred. 2:" in instruction(get_task("EI-oc"), 0, "fear")
    assert "anger, joy?" in instruction(get_task("BRIGHTER-E-c"), 0, labels=("anger", "joy"))
    assert "disgust" in instruction(get_task("BRIGHTER-E-c"), 0)


def test_files_say_that_they_only_grow():
    for path in (Path(__file__).parents[2] / "builders" / "instructions").glob("*/*.yaml"):
        assert path.read_text(encoding="utf-8").startswith("# The order is part of the row ids: append only.\n")
        assert path.stem in TASKS


def test_no_wordings_in_a_language_is_said():
    with pytest.raises(UsageError, match=r"no instruction wordings for task 'SST' in language 'xx'; add .*SST\.yaml"):
        wordings("SST", "xx")


BROKEN = {
    "a tab": ('wordings:\n\t- "so"\n', ":2: no YAML (found character"),
    "an open quote": ('wordings:\n  - "so\n', ":3: no YAML (found unexpected end of stream)"),
    "a colon": ("wordings:\n  - What: is: it\n", ":2: no YAML (mapping values are not allowed here)"),
    "empty": ("", " has no list of wordings"),
    "a list": ('- "so"\n', " has no list of wordings; write `wordings:`"),
    "another key": ('wording:\n  - "so"\n', " has no list of wordings"),
    "one text": ("wordings: so\n", " has no list of wordings"),
    "a number": ("wordings:\n  - 7\n", ": wording 0 is 7 (int); put a text in quotes"),
    "a mapping": ("wordings:\n  - so: it is\n", ": wording 0 is {'so': 'it is'} (dict); put a text in quotes"),
    "an empty one": ('wordings:\n  - "{low}{high}"\n  - " "\n', ": wording 1 is ' ' (str); put a text in quotes"),
    "another placeholder": (
        'wordings:\n  - "{low} {high}"\n  - "{lowest}"\n',
        ": wording 1: unknown placeholder '{lowest}'; did you mean {low}?",
    ),
    "one of other tasks": ('wordings:\n  - "{labels}"\n', ": wording 0: unknown placeholder '{labels}'; known: {high}"),
    "an emotion": ('wordings:\n  - "{emotion}"\n', ": wording 0: unknown placeholder '{emotion}'"),
    "no name": ('wordings:\n  - "0 {}"\n', ": wording 0: unknown placeholder '{}'; did you mean {low} or"),
    "an attribute": ('wordings:\n  - "{low.x}"\n', ": wording 0: unknown placeholder '{low.x}'"),
    "an open brace": (
        'wordings:\n  - "{low"\n',
        ": wording 0: expected '}' before end of string in '{low'; write brac",
    ),
}


@pytest.mark.parametrize(("text", "told"), BROKEN.values(), ids=BROKEN)
def test_a_file_of_wordings_that_is_broken(
    text: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "instructions" / "en" / "SST.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    monkeypatch.setattr("emollms.prompts.instructions.files", lambda package: tmp_path)
    with pytest.raises(UsageError) as caught:
        wordings.__wrapped__("SST", "en")
    assert str(caught.value).startswith(str(path))
    assert told in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def word_runs(text: str, length: int) -> Iterator[tuple[str, ...]]:
    words = re.findall(r"[\w']+", text.lower())
    return zip(*(words[start:] for start in range(length)), strict=False)


@pytest.mark.corpora
def test_wordings_are_not_the_published_ones(reference_dir: Path):
    published = set()
    for path in sorted((reference_dir / "outputs" / "Emollama-chat-13b").glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            published.add(re.split(r" (?:Tweet|Text): ", json.loads(line)["input"], maxsplit=1)[0])
    assert 50 <= len(published) < 100
    runs = {run for text in published for run in word_runs(text, 8)}
    for name in TASKS:
        for wording in wordings(name):
            for part in re.split(r"\{\w+\}", wording):
                assert not runs.intersection(word_runs(part, 8)), wording
