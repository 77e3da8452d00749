"""`emollms agree`: tables in, figures and a page out."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from typer.testing import CliRunner

import emollms
from emollms.annotation.agree_page import study_of
from emollms.annotation.agreement import Agreement
from emollms.annotation.questions import in_wordings, own_labels, questions
from emollms.cli import app
from emollms.errors import UsageError
from emollms.prompts.instructions import wordings

TEXTS = 120
RATERS = ("ana", "bo", "cy", "dee")


@pytest.fixture(scope="module")
def annotated() -> pd.DataFrame:
    """What a model says of made-up texts: .1 too much, on average, of those from the site `a`."""
    random = np.random.default_rng(0)
    truth = random.uniform(0.1, 0.9, size=TEXTS)
    site = random.choice(["a", "b"], size=TEXTS)
    said = truth + random.normal(scale=0.08, size=TEXTS) + 0.1 * (site == "a")
    frame = {"id": range(TEXTS), "text": ["ha " * int(n) for n in random.integers(1, 60, TEXTS)], "site": site}
    for suffix, noise in {"": 0.0, "_w1": 0.1, "_w2": 0.3}.items():
        own = said + random.normal(scale=noise, size=TEXTS) + noise / 10
        frame |= {f"valence{suffix}": np.clip(own, 0, 1).round(3), f"valence{suffix}_confidence": 0.5}
    mood = np.where(truth > 0.5, "glad", "low")
    frame |= {"mood": mood, "mood_label": mood, "mood_confidence": 0.9}
    frame |= {
        "emotions": [["joy"] if one == "glad" else ["sadness", "fear"] for one in mood],
        "emotions_confidence": 0.9,
    }
    return pd.DataFrame(frame).assign(truth=truth)


@pytest.fixture(scope="module")
def votes(annotated: pd.DataFrame) -> pd.DataFrame:
    """What four raters say of the texts, with noise of their own; not all rate all."""
    random = np.random.default_rng(1)
    rows: list[dict[str, Any]] = []
    for row in annotated.to_dict("records"):
        for name in RATERS:
            if random.uniform() < 0.85:
                score = float(np.clip(row["truth"] + random.normal(scale=0.2), 0, 1))
                mood = row["mood"] if random.uniform() < 0.8 else "flat"
                emotions = row["emotions"] if random.uniform() < 0.8 else ["joy", "love"]
                rows.append({"id": row["id"], "annotator": name, "valence": score, "mood": mood, "emotions": emotions})
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def found(annotated: pd.DataFrame, votes: pd.DataFrame) -> Agreement:
    return emollms.agree(annotated.drop(columns="truth"), votes, by="site")


def test_the_figures_are_those_of_the_joined_tables(
    annotated: pd.DataFrame, votes: pd.DataFrame, found: Agreement
) -> None:
    means = votes.groupby("id")["valence"].mean()
    both = annotated.set_index("id").loc[means.index]
    valence = found["valence"]
    assert list(found.questions) == ["valence", "mood", "emotions"]
    assert (valence.n, valence.raters) == (len(means), 4)
    assert valence.main.value == pytest.approx(stats.pearsonr(both["valence"], means)[0], abs=1e-9)
    assert valence.main.low < valence.main.value < valence.main.high
    off = both["valence"] - means
    (whole, site_a, site_b) = (one for one in valence.bias if one.by != "length")
    assert whole.bias.value == pytest.approx(off.mean(), abs=1e-9)
    assert (site_a.group, site_b.group) == ("a", "b")
    assert site_a.bias.value == pytest.approx(off[both["site"] == "a"].mean(), abs=1e-9)
    assert site_a.model - site_a.people == pytest.approx(site_a.bias.value)
    assert site_a.bias.low > 0  # it is there, and seen
    assert sum(one.bias.n for one in valence.bias if one.by == "length") == valence.n


def test_several_raters(found: Agreement) -> None:
    valence, mood, emotions = found.questions.values()
    raters, with_model = valence.people
    assert raters.value < with_model.value  # the model is nearer to each than they are to each other
    assert valence.ceiling is not None
    assert valence.main.value < valence.ceiling.value < 1
    assert mood.ceiling is None
    assert [one.rater for one in valence.each_rater] == list(RATERS)
    assert all(one.model.value > one.value.value for one in valence.each_rater)
    for one in (valence, mood, emotions):
        assert one.alternative is not None
        assert one.alternative.winning_rate == 1, one.name
    assert {one.part for one in mood.measures if one.name == "f1"} == {"glad", "low", "flat"}  # people alone say flat


def test_wordings_are_compared_and_are_no_questions(annotated: pd.DataFrame, found: Agreement) -> None:
    spread = found["valence"].wordings
    assert [one.number for one in spread] == [0, 1, 2]
    assert spread[0].value.value == found["valence"].main.value
    assert spread[0].value.value > spread[1].value.value > spread[2].value.value
    assert spread[2].mean == pytest.approx(annotated["valence_w2"].mean())
    assert "3 wordings: Pearson's r" in repr(found)


def test_a_wording_that_always_gets_the_same_answer_has_no_correlation(
    annotated: pd.DataFrame, votes: pd.DataFrame
) -> None:
    table = annotated.drop(columns="truth").assign(valence_w1=0.5)
    found = emollms.agree(table, votes, of="valence")
    first, constant, last = (one.value.value for one in found["valence"].wordings)
    assert np.isnan(constant)
    spread = f"{last:.3f} to {first:.3f} (sd {np.std([first, last], ddof=1):.3f}, 1 undefined)".replace("0.", ".")
    assert f"3 wordings: Pearson's r {spread}; mean answer" in repr(found)


def test_every_figure_is_in_the_table(found: Agreement) -> None:
    table = found.to_pandas().set_index(["question", "measure", "part", "texts"])["value"]
    assert table["valence", "pearson", "", ""] == found["valence"].main.value
    assert table["valence", "bias", "", "site: a"] == found["valence"].bias[1].bias.value
    assert table["valence", "mean", "", "wording: 2"] == found["valence"].wordings[2].mean
    assert table["mood", "winning_rate", "", ""] == 1
    assert ("emotions", "f1", "joy", "") in table.index
    assert ("emotions", "bias", "joy", "site: b") in table.index


def test_one_rater_has_no_section_of_raters(annotated: pd.DataFrame, votes: pd.DataFrame) -> None:
    alone = emollms.agree(annotated, votes[votes["annotator"] == "bo"], of="valence")["valence"]
    assert (alone.raters, alone.people, alone.each_rater, alone.alternative, alone.ceiling) == (1, (), (), None, None)


def test_raters_without_names_are_not_told_apart(annotated: pd.DataFrame, votes: pd.DataFrame) -> None:
    """Their order may change from text to text."""
    nameless = emollms.agree(annotated, votes.drop(columns="annotator"), of="valence")["valence"]
    assert nameless.alternative is None
    assert len(nameless.people) == 2
    assert any("nothing names the raters" in one for one in nameless.cautions)


def test_a_column_for_each_rater(annotated: pd.DataFrame, votes: pd.DataFrame) -> None:
    wide = votes.pivot(index="id", columns="annotator", values="valence").reset_index()
    columns = emollms.agree(annotated, wide, of="valence", gold_column=RATERS)["valence"]
    rows = emollms.agree(annotated, votes, of="valence")["valence"]
    assert columns.main.value == pytest.approx(rows.main.value, abs=1e-9)
    assert [one.rater for one in columns.each_rater] == list(RATERS)
    assert columns.alternative == rows.alternative


def test_the_spread_of_raters_gives_the_ceiling_of_their_ratings(annotated: pd.DataFrame, votes: pd.DataFrame) -> None:
    groups = votes.groupby("id")["valence"]
    means = pd.DataFrame({"V": groups.mean(), "sd": groups.std(ddof=0), "N": groups.count()}).reset_index()
    told = emollms.agree(annotated, means, of="valence", gold_column="V", spread=("sd", "N"))["valence"]
    counted = emollms.agree(annotated, votes, of="valence")["valence"]
    assert told.ceiling is not None
    assert counted.ceiling is not None
    assert told.ceiling.value == pytest.approx(counted.ceiling.value, abs=1e-9)
    # On another scale, which gold is read on, its noise is on the same one.
    native = means.assign(V=means["V"] * 4 + 1, sd=means["sd"] * 4)
    arousal = annotated.rename(columns={"valence": "arousal", "valence_confidence": "arousal_confidence"})
    scaled = emollms.agree(arousal, native, of="arousal", gold_column="V", spread=("sd", "N"))["arousal"]
    assert scaled.ceiling is not None
    assert scaled.ceiling.value == pytest.approx(told.ceiling.value, abs=1e-9)


def test_gold_on_another_range(annotated: pd.DataFrame, votes: pd.DataFrame) -> None:
    stars = votes[["id", "annotator"]].assign(valence=votes["valence"] * 4 + 1)
    alike = emollms.agree(annotated, votes, of="valence")["valence"]
    told = emollms.agree(annotated, stars, of="valence", gold_range=(1, 5))["valence"]
    assert [one.value for one in told.measures] == pytest.approx([one.value for one in alike.measures])
    untold = emollms.agree(annotated, stars, of="valence")["valence"]
    assert any("--gold-range" in one for one in untold.cautions)
    assert not any("--gold-range" in one for one in (*told.cautions, *alike.cautions))


def test_probabilities_weigh_texts(annotated: pd.DataFrame) -> None:
    """Half of the texts of the site `b` have gold; each stands for two."""
    gold = annotated[["id", "site", "truth"]].rename(columns={"truth": "valence"})
    drawn = gold[(gold["site"] == "a") | (np.arange(TEXTS) % 2 == 0)].assign(
        p=lambda rows: np.where(rows["site"] == "a", 1.0, 0.5)
    )
    weighted = emollms.agree(annotated, drawn, of="valence", probability="p")
    off = annotated.set_index("id").loc[drawn["id"], "valence"].to_numpy() - drawn["valence"].to_numpy()
    assert weighted.weighted
    assert weighted["valence"].bias[0].bias.value == pytest.approx(np.average(off, weights=1 / drawn["p"]), abs=1e-9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"by": "sight"}, "unknown column to group by 'sight'; did you mean site"),
        ({"by": "text"}, "--by text: .* values are no groups"),
        ({"of": "valense"}, "did you mean valence"),
        ({"spread": ("sd", "n")}, "--spread is of one question"),
        ({"of": "valence", "spread": ("sd", "n")}, "unknown column of gold 'sd'"),
        ({"of": "mood", "spread": ("sd", "n")}, "--spread is for one column of mean scores"),
        ({"epsilon": 2.0}, "--epsilon 2"),
        ({"gold_range": (1, 0)}, "--gold-range 1 0: the first number must be below"),
        ({"of": "valence", "gold_range": (0, 0.5)}, "is not on 0 to 0.5; see --gold-range"),
        ({"html": "page.txt"}, "--html page.txt is no page"),
        ({"out": "figures.xlsx"}, "--out figures.xlsx"),
    ],
)
def test_wrong_calls_are_one_line(
    options: dict[str, Any], message: str, annotated: pd.DataFrame, votes: pd.DataFrame
) -> None:
    with pytest.raises(UsageError, match=message) as error:
        emollms.agree(annotated, votes, **options)
    assert "\n" not in str(error.value)


def test_too_few_texts(annotated: pd.DataFrame, votes: pd.DataFrame) -> None:
    with pytest.raises(UsageError, match="valence: 2 texts have both"):
        emollms.agree(annotated, votes[votes["id"] < 2], of="valence")
    few = emollms.agree(annotated, votes[votes["id"] < 12], of="valence")["valence"]
    assert "12 texts are few" in few.cautions[0]


def test_the_page(annotated: pd.DataFrame, votes: pd.DataFrame, tmp_path: Path) -> None:
    evil = annotated.assign(site=np.where(annotated["site"] == "a", "<script>alert()</script>", "b"))
    page, table = tmp_path / "page.html", tmp_path / "figures.csv"
    found = emollms.agree(evil, votes, by="site", html=page, out=table)
    text = page.read_text(encoding="utf-8")
    assert "<script" not in text
    assert "http" not in text.replace("http-equiv", "").replace("http://www.w3.org/2000/svg", "")
    for heading in ("valence: bias", "valence: raters", "valence: wordings", "Assumptions", "For the methods section"):
        assert f"<h2>{heading}</h2>" in text
    for cited in ("Calderon", "Benjamini", "Krippendorff", "Lin, L. I.-K.", "Passonneau", "Spearman", "Efron"):
        assert cited in text
    assert text.count("<svg") >= 6
    assert f"n = {found['valence'].n}" in text
    assert len(pd.read_csv(table)) == len(found.to_pandas())


def test_only_what_was_done_is_cited(annotated: pd.DataFrame, votes: pd.DataFrame) -> None:
    study = study_of(emollms.agree(annotated, votes[votes["annotator"] == "bo"], of="valence"))
    said = " ".join([*study.methods, *study.references, *study.assumptions])
    assert "Lin's (1989)" in said
    assert "Calderon" not in said
    assert "Passonneau" not in said
    assert len(study.references) == 3


def test_the_command(annotated: pd.DataFrame, votes: pd.DataFrame, tmp_path: Path) -> None:
    (tmp_path / "annotated.csv").write_text(annotated.drop(columns="emotions").to_csv(index=False), encoding="utf-8")
    (tmp_path / "gold.csv").write_text(votes.drop(columns="emotions").to_csv(index=False), encoding="utf-8")
    words = ["agree", str(tmp_path / "annotated.csv"), "--gold", str(tmp_path / "gold.csv"), "--by", "site"]
    done = CliRunner().invoke(app, [*words, "--html", str(tmp_path / "page.html")])
    assert done.exit_code == 0, done.output
    assert f"valence: {votes['id'].nunique()} texts, gold of up to 4 raters" in done.output
    assert "alternative annotator test (ε = .100): the model may stand in for a rater" in done.output
    assert (tmp_path / "page.html").is_file()


def test_questions_in_all_their_wordings() -> None:
    asked = in_wordings([*questions(["valence", "joy"]), own_labels(["calm", "tense"])], "all")
    names = [one.name for one in asked]
    assert names[:3] == ["valence", "valence_w1", "valence_w2"]
    assert names[-2:] == ["joy_w9", "label"]  # words of one's own have no other wording
    assert len({one.identity for one in asked}) == len(asked) == 2 * len(wordings("V-reg")) + 1
    assert asked[0] == questions(["valence"])[0]
    assert [one.name for one in in_wordings(questions(["valence"]), "2")] == ["valence", "valence_w1"]


@pytest.mark.parametrize("wanted", ["0", "some", "-1", "1.5"])
def test_wordings_are_all_or_a_number(wanted: str) -> None:
    with pytest.raises(UsageError, match="--wordings"):
        in_wordings(questions(["valence"]), wanted)


def test_lexicons_read_no_wordings() -> None:
    with pytest.raises(UsageError, match="--wordings goes with a model that reads instructions"):
        emollms.Annotator.from_pretrained(baseline="vader", wordings="all")


def test_a_model_is_asked_in_each_wording(tiny: Path, tmp_path: Path) -> None:
    table, out = tmp_path / "texts.csv", tmp_path / "annotated.csv"
    rows = "".join(f"{n},{word} day number {n}\n" for n, word in enumerate(["a good", "a bad", "an odd", "no"] * 3))
    table.write_text(f"id,text\n{rows}", encoding="utf-8")
    words = ["annotate", str(table), "--model", str(tiny), "--task", "valence", "--wordings", "3", "--out", str(out)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    said = pd.read_csv(out)
    assert {"valence", "valence_w1", "valence_w2", "valence_w2_confidence"} <= set(said.columns)
    assert said["valence"].tolist() != said["valence_w1"].tolist()
    record = json.loads((tmp_path / "annotated.csv.json").read_text(encoding="utf-8"))
    assert record["questions"]["valence_w1"][3] != record["questions"]["valence"][3]
    gold = pd.DataFrame({"id": said["id"], "valence": np.linspace(0, 1, len(said))})
    found = emollms.agree(out, gold)
    assert [one.number for one in found["valence"].wordings] == [0, 1, 2]
    assert found.models == [f"weights {record['predictors'][0]['revision'][:19]}"]
