"""One-pass classifiers: targets, losses, frozen layers, the run from recipe to checkpoint, and what users load."""

import json
import math
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

import emollms
from emollms.dataset.build import build_repo
from emollms.dataset.reader import Dataset
from emollms.dataset.specs import DATA_SETS, Settings
from emollms.errors import EmollmsError, UsageError
from emollms.inference.heads import KEY, Heads, class_probabilities, outputs_of
from emollms.inference.heads_engine import TorchClassifier, batches, padded
from emollms.inference.predictions import Prediction
from emollms.progress import OnProgress, silent
from emollms.tasks import get_task
from emollms.training.arguments import TuningArguments
from emollms.training.classifier_tokenizers import add_cue, spell_out
from emollms.training.frozen_layers import FrozenLayers, layers_of
from emollms.training.head_rows import Gold, head_rows, targets_of
from emollms.training.head_trainer import HeadsLoss
from emollms.training.heads import best_thresholds
from emollms.training.recipe import load_recipe
from emollms.training.result import TrainingRun
from emollms.training.tiny import make_tiny, tiny_model, tiny_tokenizer

TEXTS = ["what a lovely day", "I will never forgive them for this 😡", "meh", "nobody came, and the cake was cold"]
SMALL = {
    "minutes": None, "max_steps": 4, "per_device_train_batch_size": 4, "freeze_layers": 0, "precision": "float32",
    "eval_steps": 2, "save_steps": 2, "selection_rows": 8, "max_length": 64, "warmup_steps": 0, "logging_steps": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("data") / "aaid"
    build_repo(Settings(DATA_SETS["aaid"], corpora=("sample",)), out, validate=False)
    return out


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny("smollm2", tmp_path_factory.mktemp("base") / "model")


def train(base: Path, data: Path, out: Path, progress: OnProgress = silent, **settings: object) -> TrainingRun:
    own = {"model_name_or_path": str(base), **SMALL, **settings}
    return emollms.train("emosmol-135m-heads", data=data, out=out, set=own, progress=progress)


@pytest.fixture(scope="module")
def run(base: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(base, data, tmp_path_factory.mktemp("run") / "run").folder


def test_outputs_are_named_by_their_questions() -> None:
    assert outputs_of(get_task("V-reg"), None) == ("V-reg",)
    assert outputs_of(get_task("EmoBank"), "arousal") == ("EmoBank/arousal",)
    assert outputs_of(get_task("TDT"), None) == ("TDT>=0", "TDT>=1")
    assert outputs_of(get_task("EI-oc"), "joy") == ("EI-oc/joy>=1", "EI-oc/joy>=2", "EI-oc/joy>=3")
    assert outputs_of(get_task("E-c"), None)[:2] == ("E-c/anger", "E-c/anticipation")


def test_cumulative_outputs_become_classes_that_sum_to_one() -> None:
    assert class_probabilities(np.array([0.9, 0.5, 0.2])) == pytest.approx([0.1, 0.4, 0.3, 0.2])
    # a later class cannot be likelier to be reached than an earlier one
    assert class_probabilities(np.array([0.4, 0.7])) == pytest.approx([0.6, 0.0, 0.4])


def test_what_a_configuration_says_is_read_back() -> None:
    heads = Heads.of([get_task(name) for name in ("V-reg", "EI-oc", "E-c")]).with_thresholds({"E-c": {"joy": 0.25}})
    config = json.loads(json.dumps(heads.config()))  # JSON makes the numbers of id2label strings
    read = Heads.read(config, "model")
    assert read == heads
    assert read.outputs == tuple(heads.config()["id2label"].values())
    assert Heads.read({"id2label": {0: "POSITIVE"}}, "someone's classifier") is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"id2label": {"0": "LABEL_0"}}, "id2label does not name the outputs"),
        ({KEY: {"format": 1}}, r"emollms\.questions: Field required"),
        ({KEY: {"format": 1, "questions": [{"task": "V-rg", "kind": "score"}]}}, "did you mean V-reg"),
    ],
)
def test_a_damaged_configuration_is_an_error(change: dict[str, object], said: str) -> None:
    config = Heads.of([get_task("V-reg")]).config() | change
    with pytest.raises(EmollmsError, match=said):
        Heads.read(config, "model")


def test_predictions_follow_the_outputs() -> None:
    heads = Heads.of([get_task(name) for name in ("V-reg", "V-oc", "E-c")]).with_thresholds({"E-c": {"love": 0.3}})
    outputs = np.full(len(heads.outputs), 0.1, np.float32)
    for name, value in {"V-reg": 0.4567, "V-oc>=-2": 0.9, "V-oc>=-1": 0.8, "E-c/joy": 0.6, "E-c/love": 0.35}.items():
        outputs[heads.outputs.index(name)] = value
    assert heads.prediction(get_task("V-reg"), {"id": "a"}, outputs).answer == "0.457"
    said = heads.prediction(get_task("V-oc"), {"id": "a"}, outputs)
    assert said.answer == "-1: slightly negative emotional state can be inferred"
    assert said.probabilities["-1"] == pytest.approx(0.7)
    assert sum(said.probabilities.values()) == pytest.approx(1)
    labels = heads.prediction(get_task("E-c"), {"id": "a", "unannotated": ("anger",)}, outputs)
    assert labels.answer == "joy, love", "love is named from .3 on"
    assert "anger" not in labels.probabilities


def test_targets_are_gold_and_missing_where_the_corpus_did_not_ask() -> None:
    assert targets_of(get_task("V-oc"), {"score": -1.0}).tolist() == [1, 1, 0, 0, 0, 0]
    row = {"labels": ["joy"], "unannotated": ("disgust",)}
    found = targets_of(get_task("BRIGHTER-E-c"), row)
    assert found[[0, 3]].tolist() == [0, 1]
    assert math.isnan(found[1])


def test_a_text_is_one_row_whatever_is_asked_about_it() -> None:
    tasks = [get_task("V-reg"), get_task("EI-reg")]
    gold = Gold(Heads.of(tasks))
    nothing = {"labels": [], "target": None}
    gold.add(tasks[0], {"text": "so\ngood", "score": 0.8, "emotion": None, **nothing})
    gold.add(tasks[0], {"text": "so good", "score": 0.6, "emotion": None, **nothing})
    gold.add(tasks[1], {"text": "so good", "score": 0.9, "emotion": "joy", **nothing})
    assert gold.texts == ["so good"]
    found = dict(zip(gold.heads.outputs, gold.targets()[0].tolist(), strict=True))
    assert found["V-reg"] == pytest.approx(0.7), "the mean of two gold scores"
    assert found["EI-reg/joy"] == pytest.approx(0.9)
    assert math.isnan(found["EI-reg/anger"])


def test_raters_who_differ_make_soft_targets_and_light_scores() -> None:
    row = {"text": "meh", "target": None, "emotion": None}
    votes = {"votes": ["3", "2", "2", "0"], "score": 2.0}
    assert targets_of(get_task("V-oc"), row | votes).tolist() == [1, 1, 1, 0.75, 0.75, 0.25]
    labels = targets_of(get_task("E-c"), row | {"labels": ["joy"], "votes": ["joy", "joy, love", "neutral"]})
    assert dict(zip(get_task("E-c").labels, labels.tolist(), strict=True))["joy"] == pytest.approx(2 / 3)
    task = get_task("V-reg")
    heads = Heads.of([task])
    gold = Gold(heads)
    gold.add(task, row | {"score": 0.5, "spread": 0.2, "raters": 4})
    gold.add(task, row | {"text": "yes", "score": 0.5})
    assert gold.weights().ravel().tolist() == [0.5, 1.0], "as noisy as a model is: .2 by the root of 4"


def test_rows_of_a_data_set_leave_out_what_is_in_validation(data: Path) -> None:
    opened = Dataset(data)
    heads = Heads.of([get_task("V-reg"), get_task("E-c")])
    tokenizer = tiny_tokenizer("smollm2")
    rows = head_rows(
        opened, tokenizer, heads, TuningArguments(family="llama", tasks=["V-reg", "E-c"]), max_length=64, seed=1
    )
    kept = {tuple(ids) for ids in rows.ids}
    assert len(kept) == len(rows)
    held_out = {tuple(tokenizer(row["text"]).input_ids) for row in opened.rows("V-reg", "validation")}
    assert held_out
    assert not kept & held_out


def test_the_loss_skips_what_is_unknown_and_weighs_questions() -> None:
    heads = Heads.of([get_task("V-reg"), get_task("TDT")])
    loss = HeadsLoss(heads, TuningArguments(family="llama", objective_weight=10, task_weights={"TDT": 0.5}))
    logits = torch.tensor([[0.3, 1.0, -1.0], [2.0, 5.0, 5.0]], requires_grad=True)
    targets = torch.tensor([[0.25, 1.0, math.nan], [math.nan, math.nan, math.nan]])
    squared = (1 / (1 + math.exp(-0.3)) - 0.25) ** 2
    entropy = math.log(1 + math.exp(-1.0))
    found = loss(logits, targets)
    assert found.item() == pytest.approx((10 * squared + 0.5 * entropy / 2) / 2, rel=1e-5)
    found.backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    assert logits.grad[1].abs().sum() == 0


def test_labels_that_err_alike_move_the_outputs_as_far_however_many_there_are() -> None:
    norms = {}
    for name in ("TDT", "E-c", "GoEmotions-28"):
        heads = Heads.of([get_task(name)])
        logits = torch.zeros(1, len(heads.outputs), requires_grad=True)
        HeadsLoss(heads, TuningArguments(family="llama"))(logits, torch.ones_like(logits)).backward()
        assert logits.grad is not None
        norms[name] = logits.grad.norm().item()
    assert norms["E-c"] == pytest.approx(0.5)  # sigmoid(0) - 1 for each of 11 labels, in a step as long as for one
    assert norms["GoEmotions-28"] == pytest.approx(0.5)
    assert norms["TDT"] == pytest.approx(0.5 / math.sqrt(2)), "classes are told together: their mean counts"


@pytest.mark.parametrize("kind", ["smollm2", "qwen3", "gemma3_text"])
def test_frozen_layers_are_computed_once_and_give_the_same(kind: str) -> None:
    torch.manual_seed(1)
    config = tiny_model(kind).config
    config.num_labels = 5
    tokenizer = deepcopy(tiny_tokenizer(kind))
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    config.pad_token_id = tokenizer.pad_token_id
    model = AutoModelForSequenceClassification.from_config(config).eval()
    ids = [tokenizer(text).input_ids for text in TEXTS]
    given = padded(tokenizer, ids)
    with torch.no_grad():
        expected = model(**given).logits
    frozen = FrozenLayers(model, len(layers_of(model)) - 1)
    above: list[object] = []
    hook = layers_of(model)[-1].register_forward_hook(lambda *_: above.append(1))
    features = frozen.compute(tokenizer, ids, range(len(ids)), torch.no_grad)
    hook.remove()
    assert not above, "a pass ends with the last frozen layer"
    with torch.no_grad():
        assert torch.equal(model(**given).logits, expected), "without features they compute as before"
    calls: list[object] = []
    layers_of(model)[0].register_forward_hook(lambda *_: calls.append(1))
    states = torch.nn.utils.rnn.pad_sequence([features[text] for text in range(len(ids))], batch_first=True)
    with frozen.passing(states):
        found = model(**given).logits
    assert torch.allclose(found, expected, atol=0.05), "features are kept in bfloat16"
    found.sum().backward()
    trained = {name for name, one in model.named_parameters() if one.grad is not None}
    assert any("layers.1" in name for name in trained)
    assert not any("layers.0" in name or "embed" in name for name in trained)


def test_more_frozen_layers_than_there_are() -> None:
    config = tiny_model("smollm2").config
    with pytest.raises(UsageError, match="freeze_layers: the model has 2 layers, not 9"):
        FrozenLayers(AutoModelForSequenceClassification.from_config(config), 9)


def test_batches_hold_texts_of_like_length_and_every_text_once() -> None:
    lengths = [5, 3, 9, 3, 50, 1]
    found = list(batches(lengths, 12))
    assert sorted(number for batch in found for number in batch) == list(range(6))
    assert found[0] == [4], "one text may be longer than a batch"
    assert all(len(batch) == 1 or len(batch) * max(lengths[one] for one in batch) <= 12 for batch in found)


def test_the_tokenizer_adds_the_cue_and_keeps_it(tmp_path: Path) -> None:
    tokenizer = deepcopy(tiny_tokenizer("llama"))  # the backend of tiny tokenizers is shared
    begin = tokenizer("").input_ids
    cue = tokenizer("\nFeelings:", add_special_tokens=False).input_ids
    plain = tokenizer("so good", add_special_tokens=False).input_ids
    add_cue(tokenizer, "\nFeelings:")
    assert tokenizer("so good").input_ids == [*begin, *plain, *cue]
    assert begin, "this tokenizer begins each text with a token of its own"
    tokenizer.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    assert again("so good").input_ids == [*begin, *plain, *cue]
    cut = again("so good " * 50, truncation=True, max_length=20).input_ids
    assert len(cut) == 20
    assert cut[-len(cue) :] == cue, "long texts are cut, and the cue stays"


@pytest.mark.parametrize(
    ("what", "text", "read"),
    [
        (["emoji"], "Yes 😂😂 #LoveThis", "Yes face with tears of joy face with tears of joy #LoveThis"),
        (["emoji"], "❤️ you 🤷🏻‍♀️", "heart you shrug"),  # with its colour, a skin tone, and a gender
        (["emoji"], "💙", "blue heart"),
        (["hashtags"], "#LoveThis #so_sad at 5 # 1", "# Love This # so_sad at 5 # 1"),
        (["hashtags"], "WE WON 😂", "WE WON 😂"),
        (["line_breaks"], "one\\ntwo", "one\ntwo"),
        (["emoji", "hashtags", "line_breaks"], "so\\n#happyDay 😀", "so\n# happy Day grinning face"),
    ],
)
@pytest.mark.parametrize("kind", ["llama", "smollm2", "xlm-roberta"])
def test_a_tokenizer_reads_what_it_spells_out(kind: str, what: list[str], text: str, read: str, tmp_path: Path) -> None:
    plain, tokenizer = (deepcopy(tiny_tokenizer(kind)) for _ in range(2))
    add_cue(tokenizer, "\nFeelings:")
    spell_out(tokenizer, what)
    tokenizer.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    assert again(text, add_special_tokens=False).input_ids == plain(read, add_special_tokens=False).input_ids
    assert again.decode(again(text).input_ids).endswith("Feelings:")


WORDS = st.text(st.characters(exclude_categories=["Z", "C", "S", "Lu"], exclude_characters="#\\\ufe0f"), min_size=1)


def test_texts_with_nothing_to_spell_out_are_read_as_they_are() -> None:
    plain, tokenizer = (deepcopy(tiny_tokenizer("smollm2")) for _ in range(2))
    spell_out(tokenizer, ["emoji", "hashtags", "line_breaks"])

    @given(words=st.lists(WORDS, min_size=1))
    def check(words: list[str]) -> None:
        assert tokenizer(" ".join(words)).input_ids == plain(" ".join(words)).input_ids

    check()


def test_thresholds_are_those_of_the_best_labels() -> None:
    task = get_task("E-c")
    shares = [0.30, 0.28, 0.26, 0.2, 0.1, 0.05] * 10
    rows = [{"id": str(n), "labels": ["joy"] if one > 0.25 else [], "emotion": None} for n, one in enumerate(shares)]
    predicted = {str(n): Prediction(str(n), "", dict.fromkeys(task.labels, share)) for n, share in enumerate(shares)}
    found = best_thresholds(task, rows, predicted)
    assert 0.2 < found["joy"] <= 0.26
    assert found["anger"] == 0.5, "no row has it"


def test_a_run_writes_a_plain_classifier(run: Path) -> None:
    record = json.loads((run / "run.json").read_text())
    assert (record["objective"], record["template"], record["steps"]) == ("heads", "text", 4)
    assert record["rows"]["E-c"]["train"] > 0
    model = AutoModelForSequenceClassification.from_pretrained(run / "model")
    heads = Heads.read(json.loads((run / "model" / "config.json").read_text()), "model")
    assert heads is not None
    assert set(heads.record.thresholds) == {"E-c"}
    assert set(heads.record.thresholds["E-c"]) == set(get_task("E-c").labels)
    classify = pipeline("text-classification", model=str(run / "model"), top_k=None, function_to_apply="sigmoid")
    by_pipeline = [{one["label"]: one["score"] for one in found} for found in classify(TEXTS, batch_size=3)]
    tokenizer = AutoTokenizer.from_pretrained(run / "model")
    for read in TorchClassifier(model, tokenizer).read(TEXTS):
        ours = dict(zip(heads.outputs, read.outputs.tolist(), strict=True))
        assert ours == pytest.approx(by_pipeline[read.text], abs=1e-5)


def test_frozen_features_train_the_outputs_alone(base: Path, data: Path, tmp_path: Path) -> None:
    told: list[tuple[str, int, int | None]] = []
    done = train(base, data, tmp_path / "run", lambda *what: told.append(what), features="frozen")
    read = [(number, of) for label, number, of in told if label == "texts"]
    assert read == sorted(read)
    assert read[-1][0] == read[-1][1], "it takes most of the time, and is told"
    assert told[-1][1:] == (4, 4), "steps come after it"
    before = AutoModelForSequenceClassification.from_pretrained(base, num_labels=2).state_dict()
    after = AutoModelForSequenceClassification.from_pretrained(done.model).state_dict()
    changed = {name for name in after if name not in before or not torch.equal(after[name], before[name])}
    assert changed == {"score.weight"}
    assert done.manifest.model.trainable == after["score.weight"].numel()


def test_a_run_that_is_resumed_equals_one_that_was_not(base: Path, data: Path, tmp_path: Path, run: Path) -> None:
    first = train(base, data, tmp_path / "run", freeze_layers=1, max_steps=4)
    whole = torch.cat([one.flatten() for one in _weights(first.model)])
    out = tmp_path / "run"
    for name in ("run.json", "curves.png"):
        (out / name).unlink()
    for folder in (out / "model", out / "checkpoints" / "checkpoint-4"):
        for path in sorted(folder.rglob("*"), reverse=True):
            path.unlink()
        folder.rmdir()
    second = train(base, data, out, freeze_layers=1, max_steps=4)
    assert second.manifest.resumed == 1
    assert torch.equal(torch.cat([one.flatten() for one in _weights(second.model)]), whole)


def _weights(folder: Path) -> list[torch.Tensor]:
    return list(AutoModelForSequenceClassification.from_pretrained(folder).state_dict().values())


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["features=frozen", "use_peft=true"], "use_peft adapts layers that features: frozen"),
        (["objective=cross_entropy", "freeze_layers=0", "head_learning_rate=null"],
         "cue goes with `objective: heads` alone"),
        (["objective=cross_entropy", "freeze_layers=0", "head_learning_rate=null", "cue=''", "spell_out=[emoji]"],
         "spell_out goes with `objective: heads` alone"),
        (["spell_out=[smileys]"], "spell_out: .*emoji"),
        (["family=modernbert"], "cue is for decoders"),
        (["family=t5", "cue=''"], "takes decoders and encoders"),
        (["family=modernbert", "cue=''", "objective=cross_entropy", "freeze_layers=0", "head_learning_rate=null"],
         "are encoders, which write no answers"),
        (["features=thawed"], "features"),
        (["head_learning_rate=0"], "head_learning_rate: give a number above 0"),
    ],
)  # fmt: skip
def test_settings_that_contradict_each_other(overrides: list[str], said: str, tmp_path: Path) -> None:
    from emollms.training.recipe_args import parse

    with pytest.raises(UsageError, match=said):
        parse(load_recipe("emosmol-135m-heads", overrides), tmp_path)
