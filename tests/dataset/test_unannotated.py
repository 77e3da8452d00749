"""Labels that a corpus did not annotate: in no prompt, in no gold, in no score."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from emollms.builders.brighter import Brighter
from emollms.corpora import registry
from emollms.corpora.base import Corpus, Example, Selection
from emollms.corpora.metadata import CorpusMetadata, SourceFile, Unannotated
from emollms.corpora.reader import RawSource, Record
from emollms.dataset.build import build_repo
from emollms.dataset.manifest import read_manifest
from emollms.dataset.reader import Dataset
from emollms.dataset.specs import DATA_SETS, Settings
from emollms.evaluation.export import export
from emollms.evaluation.predictors import FilePredictor
from emollms.evaluation.run import EvaluationOptions, run_benchmark

COLUMNS = ("id", "language", "text", "labels")
ROWS = {
    "train": [("a", "en", "the tram is late again", "anger"), ("b", "en", "cake at noon", "joy")],
    "test": [
        ("c", "en", "I won the raffle", "joy"),
        ("d", "en", "the soup is cold", "anger"),
        ("e", "af", "so koud buite", "sadness"),
    ],
}
WITHOUT = (
    Unannotated(split="test", language="en", labels=("surprise", "trust")),
    Unannotated(split="test", labels=("love",)),
)


def metadata(*files: SourceFile, name: str = "judged", unannotated: object = WITHOUT) -> CorpusMetadata:
    return CorpusMetadata(
        name=name,
        version="1",
        title=name,
        description="Rows of a test.",
        languages=("en", "af"),
        tasks=("E-c",),
        splits=("train", "test"),
        domain="tests",
        license="mit",
        redistribution="text",
        homepage="https://example.org",
        citation="@misc{judged}",
        files=files,
        unannotated=unannotated,
    )


class Judged(Corpus):
    """One table a split."""

    def records(self, source: RawSource, selection: Selection) -> Iterator[Record]:
        for file in self.wanted_files(selection):
            yield from source.table(file, COLUMNS, header=False)

    def rows(self, record: Record) -> Iterable[Example]:
        labels = tuple(record["labels"].split(", "))
        where = (record["id"], record["text"], labels, record["labels"])
        yield Example("E-c", record.split, *where, language=record["language"])


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of two corpora with the same rows: `judged`, and `complete`, which annotated every label."""
    corpora = []
    for name, unannotated in (("judged", WITHOUT), ("complete", ())):
        (tmp_path / "raw" / name).mkdir(parents=True)
        files = []
        for split, rows in ROWS.items():
            body = "".join("\t".join(row) + "\n" for row in rows).encode()
            (tmp_path / "raw" / name / split).write_bytes(body)
            files.append(SourceFile(path=split, sha256=hashlib.sha256(body).hexdigest(), bytes=len(body), split=split))
        meta = metadata(*files, name=name, unannotated=unannotated)
        corpora.append(type(name.title(), (Judged,), {"meta": meta}))
    registry.corpora.cache_clear()
    monkeypatch.setattr(registry, "_from_other_packages", lambda: corpora)
    yield tmp_path / "raw"
    registry.corpora.cache_clear()


def built(root: Path, data_set: str = "aeb", corpora: tuple[str, ...] = ("judged",)) -> Path:
    out = root.parent / data_set
    build_repo(Settings(DATA_SETS[data_set], corpora=corpora, languages=("all",)), out, root=root)
    return out


def asked(row: dict[str, str]) -> str:
    return row["prompt"].partition(" Tweet: ")[0]


def test_prompts_do_not_ask_for_them(root: Path) -> None:
    rows = {row["id"]: row for row in pq.read_table(built(root) / "data/E-c").to_pylist()}
    english, afrikaans = (next(row for name, row in rows.items() if f"/{one}/" in name) for one in "ce")
    assert "optimism, pessimism, sadness" in asked(english)
    assert not [label for label in ("surprise", "trust", "love") if label in asked(english)]
    assert "sadness, surprise, trust" in asked(afrikaans)
    assert "love" not in asked(afrikaans)
    for row in pq.read_table(built(root, "aaid") / "data/E-c").to_pylist():  # of training every label was annotated
        assert "joy, love, optimism, pessimism, sadness, surprise, trust" in asked(row)


def test_the_manifest_and_the_card_say_so(root: Path) -> None:
    out = built(root)
    manifest = read_manifest(out)
    assert manifest.unannotated("judged", "E-c", "test", "en") == ("surprise", "trust", "love")
    assert manifest.unannotated("judged", "E-c", "test", "af") == ("love",)
    assert manifest.unannotated("judged", "E-c", "train", "en") == ()
    assert "surprise, trust (test, en); love (test)" in (out / "README.md").read_text()
    complete = built(root, "aaid", ("complete",))
    assert "unannotated" not in (complete / "manifest.json").read_text()
    assert "unannotated" not in (complete / "README.md").read_text()


def said(out: Path, answers: dict[str, str]) -> Path:
    path = out.parent / "answers.jsonl"
    rows = Dataset(out).rows("E-c", "test")
    lines = [{"id": row["id"], "answer": answers[row["source_id"]]} for row in rows if row["source_id"] in answers]
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


def scores(out: Path, answers: dict[str, str], language: str = "en") -> dict[str, object]:
    data = Dataset(out)
    known = {str(row["id"]): "E-c" for row in data.rows("E-c", "test")}
    source = FilePredictor(said(out, answers), known)
    done = run_benchmark(
        source, data, out.parent / f"scores-{language}-{len(answers)}", EvaluationOptions(language=language)
    )
    return dict(done.model_dump(mode="json")["tasks"]["E-c"]["metrics"])


def test_scores_leave_them_out(root: Path) -> None:
    """What an answer says of a label that was not annotated is neither right nor wrong."""
    found = scores(built(root), {"c": "joy, surprise, trust", "d": "anger, love"})
    assert found["jaccard"]["value"] == found["micro_f1"]["value"] == 1.0
    assert sorted(found["macro_f1"]["parts"]) == sorted(
        {"anger", "anticipation", "disgust", "fear", "joy", "optimism", "pessimism", "sadness"}
    )
    assert found["macro_f1"]["value"] == pytest.approx(2 / 8)
    assert "surprise" in scores(built(root), {"e": "sadness"}, "af")["macro_f1"]["parts"]


def test_two_corpora_of_which_one_annotated_more(root: Path) -> None:
    """`complete` asked for surprise, and its rows count for it; those of `judged` do not."""
    found = scores(built(root, corpora=("judged", "complete")), {"c": "joy, surprise", "d": "anger"})
    assert found["macro_f1"]["parts"]["surprise"]["value"] == 0.0
    assert found["micro_f1"]["value"] == pytest.approx(2 * 4 / (4 + 5))  # one surprise too many, not two
    assert found["jaccard"]["value"] == pytest.approx((1 + 0.5 + 1 + 1) / 4)


def test_lm_eval_leaves_them_out(root: Path) -> None:
    out = root.parent / "lm"
    export(Dataset(built(root)), out, "lm-eval")
    expected = "rows_in('en', {'judged': {'E-c': ['surprise', 'trust', 'love']}})"
    assert expected in (out / "utils.py").read_text()
    import datasets

    from emollms.evaluation.export_hooks import metric, rows_in

    rows = datasets.Dataset.from_parquet([str(path) for path in (root.parent / "aeb/data/E-c").iterdir()])
    docs = rows_in("en", {"judged": {"E-c": ["surprise", "trust", "love"]}})(rows)
    answers = {"c": "joy, surprise", "d": "anger, trust"}
    assert metric("micro_f1")([(doc, answers[doc["source_id"]]) for doc in docs]) == 1.0


@pytest.mark.parametrize(
    ("unannotated", "told"),
    [
        ({"labels": ("awe",)}, "'awe' is no label or emotion of E-c; known: anger, anticipation"),
        ({"labels": ("joy",), "split": "dev"}, "Input should be 'train', 'validation' or 'test'"),
        ({"labels": ("joy",), "split": "validation"}, "split 'validation' is none of the corpus's splits, train, test"),
        ({"labels": ("joy",), "language": "de"}, "language 'de' is none of the corpus's languages, en, af"),
        ({"labels": ("joy",), "task": "V-reg"}, "task 'V-reg' is none of the corpus's tasks, E-c"),
        ({"labels": ("joy",), "lang": "en"}, "Extra inputs are not permitted"),
        ({"labels": ()}, "at least 1 item"),
        (
            {"labels": ("anger", "anticipation", "disgust", "fear", "joy", "love", "optimism", "pessimism", "sadness",
                        "surprise", "trust")},
            r"unannotated leaves E-c \(train, en\) without any label",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_said(unannotated: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        metadata(SourceFile(path="a", sha256="0" * 64, bytes=0), unannotated=(unannotated,))


def test_brighter_says_what_it_always_did() -> None:
    annotated = Brighter.meta.annotated
    assert annotated("BRIGHTER-E-c", "test", "en") == ("anger", "fear", "joy", "sadness", "surprise")
    assert annotated("BRIGHTER-E-c", "train", "af") == ("anger", "disgust", "fear", "joy", "sadness")
    assert annotated("BRIGHTER-EI-oc", "test", "en") == ("anger", "fear", "joy", "sadness", "surprise")
    assert annotated("BRIGHTER-E-c", "test", "de") == ("anger", "disgust", "fear", "joy", "sadness", "surprise")


def test_an_emotion_that_was_not_annotated_is_refused() -> None:
    from emollms.corpora.example_checks import checked_value
    from emollms.corpora.reader import CellError

    example = Example("BRIGHTER-EI-oc", "test", "a", "so it was", 2, "2", "disgust")
    with pytest.raises(CellError, match=r"it did not annotate this \(BRIGHTER-EI-oc, test, en\)"):
        checked_value(example, Brighter.meta, example.value)
