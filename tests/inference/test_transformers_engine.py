"""Every shortcut of the engine against the plain way: one row, one candidate, no cache, no padding."""

import random

import pytest
import torch
from inference.tiny_models import CAUSAL, CHATML, FAMILIES, TEXTS, model, prompts, tokenizer
from transformers import LlamaConfig

from emollms.errors import UsageError
from emollms.inference.batching import fitting_tokens
from emollms.inference.engine import RELEASE, EngineError, Sampling
from emollms.inference.loading import load
from emollms.inference.transformers_engine import TransformersEngine
from emollms.prompts.answers import answer
from emollms.prompts.framing import model_input
from emollms.tasks import get_task

CANDIDATES = ("0: no anger can be inferred", "1: low amount", "0.5", "0.534", "1.000", "joy", "joy, love", "")
SHORT = Sampling(max_new_tokens=8)


def engine(family: str, **options) -> TransformersEngine:
    return TransformersEngine(model(family), tokenizer(family), family, **options)


def naive_score(family: str, prompt: str, candidate: str, template: str = "auto") -> float:
    """The sum of the log-probabilities of the candidate's tokens, from one forward pass over everything."""
    coder, net = tokenizer(family), model(family)
    text = model_input(coder, prompt, template)
    with torch.no_grad():
        if net.config.is_encoder_decoder:
            special = {0, 1, 2}
            target = [token for token in coder(text_target=candidate).input_ids if token not in special]
            start = [0] if family == "t5" else [2, 1]
            ids, first = [*start, *target], len(start)
            logits = net(input_ids=torch.tensor([coder(text).input_ids]), decoder_input_ids=torch.tensor([ids])).logits
        else:
            ids, first = coder(text + candidate).input_ids, len(coder(text).input_ids)
            assert ids[:first] == coder(text).input_ids
            logits = net(input_ids=torch.tensor([ids])).logits
    scores = torch.log_softmax(logits[0].double(), -1)
    return sum(scores[place - 1, ids[place]].item() for place in range(first, len(ids)))


@pytest.mark.parametrize("family", FAMILIES)
def test_scores_are_those_of_one_by_one(family: str):
    rows = prompts()
    chosen = [random.Random(row).sample(CANDIDATES, 3 + row % 5) for row in range(len(rows))]
    found = sorted(engine(family).score(rows, chosen))
    assert [result.row for result in found] == list(range(len(rows)))
    for row, scores, seconds in found:
        expected = [naive_score(family, rows[row], candidate) for candidate in chosen[row]]
        assert scores == pytest.approx(expected, abs=1e-4)
        assert seconds > 0


@pytest.mark.parametrize("family", CAUSAL)
@pytest.mark.parametrize("packs", [True, False])
def test_both_ways_through_a_tree_agree(family: str, packs: bool):
    one = engine(family)
    assert one.runner.packs == (family != "bloom")  # BLOOM's own positions know no trees
    one.runner.packs = packs and one.runner.packs
    (found,) = one.score(prompts()[:1], [CANDIDATES])
    assert found.value == pytest.approx([naive_score(family, prompts()[0], text) for text in CANDIDATES], abs=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_answers_are_those_of_generate_one_by_one(family: str):
    rows, coder, net = prompts(), tokenizer(family), model(family)
    for row, said, _ in engine(family).generate(rows, SHORT):
        inputs = coder(model_input(coder, rows[row]), return_tensors="pt", return_token_type_ids=False)
        ids = net.generate(**inputs, max_new_tokens=8 + 2 * (family == "bart"), do_sample=False, pad_token_id=0)[0]
        ids = ids[1:] if net.config.is_encoder_decoder else ids[inputs.input_ids.shape[1] :]
        assert said == coder.decode(ids, skip_special_tokens=True).lstrip().split("\n")[0].strip()


@pytest.mark.parametrize("family", FAMILIES)
def test_what_else_is_in_the_batch_changes_nothing(family: str):
    rows = [*prompts(), *prompts("V-oc"), *prompts("E-c", tuple(text * 3 for text in TEXTS))]
    whole = {row: said for row, said, _ in engine(family).generate(rows, SHORT)}
    alone = engine(family, batch_tokens=1, prefix_caching=False)
    assert whole == {row: said for row, said, _ in alone.generate(rows, SHORT)}
    some = [*range(0, 30, 3)]
    part = engine(family, batch_tokens=512).generate([rows[row] for row in some], SHORT)
    assert {some[row]: said for row, said, _ in part} == {row: whole[row] for row in some}


@pytest.mark.parametrize("family", ["llama", "bloom", "t5"])
def test_samples_depend_on_seed_and_prompt_alone(family: str):
    rows = prompts()
    settings = Sampling(max_new_tokens=6, temperature=0.9, top_k=30, top_p=0.9, repetition_penalty=1.2, seed=3)
    whole = {rows[row]: said for row, said, _ in engine(family).generate(rows, settings)}
    again = {rows[::-1][row]: said for row, said, _ in engine(family, batch_tokens=1).generate(rows[::-1], settings)}
    assert whole == again
    other = Sampling(max_new_tokens=6, temperature=0.9, top_k=30, top_p=0.9, repetition_penalty=1.2, seed=4)
    assert whole != {rows[row]: said for row, said, _ in engine(family).generate(rows, other)}


def test_shared_instructions_are_read_once(monkeypatch: pytest.MonkeyPatch):
    texts = tuple(f"{one} {other}" for one in TEXTS for other in TEXTS[:2])
    rows = [text for wording in (0, 1) for text in _worded(texts, wording)]
    one, tokens = engine("llama"), []
    forward = one.runner.forward
    monkeypatch.setattr(one.runner, "forward", lambda ids, *rest: tokens.append(ids.numel()) or forward(ids, *rest))
    list(one.generate(rows, Sampling(max_new_tokens=1)))
    assert sum(tokens) < 0.7 * sum(len(one.encoder.prompt(row)) for row in rows)


def test_instructions_stay_in_the_cache_between_batches(monkeypatch: pytest.MonkeyPatch):
    texts = tuple(f"{one} {other}" for one in TEXTS for other in TEXTS)
    rows = [text for wording in (0, 1) for text in _worded(texts, wording)]
    one, read = engine("llama", batch_tokens=1024), []
    alone = one.runner.prefixes._read_alone
    monkeypatch.setattr(one.runner.prefixes, "_read_alone", lambda tokens: read.append(tokens) or alone(tokens))
    expected = sorted(one.score(rows, [CANDIDATES] * len(rows)))
    assert len(read) == len(set(read)) > 1
    read.clear()
    one.runner.prefixes.room = 0  # only those of a batch are kept
    assert [found.value for found in sorted(one.score(rows, [CANDIDATES] * len(rows)))] == [
        found.value for found in expected
    ]
    assert len(read) > len(set(read))


def _worded(texts: tuple[str, ...], wording: int) -> list[str]:
    from emollms.prompts.template import prompt

    return [prompt(get_task("V-reg"), text, wording) for text in texts]


def test_a_repetition_penalty_is_that_of_transformers():
    from transformers import RepetitionPenaltyLogitsProcessor, TopKLogitsWarper, TopPLogitsWarper

    from emollms.inference.transformers_engine import next_tokens, row_random

    torch.manual_seed(0)
    logits, seen = torch.randn(1, 700), [[5, 9, 9, 300]]
    expected = RepetitionPenaltyLogitsProcessor(1.2)(torch.tensor(seen), logits.clone()) / 0.9
    expected = TopPLogitsWarper(0.6)(None, TopKLogitsWarper(30)(None, expected))
    kept = set(torch.isfinite(expected[0]).nonzero().flatten().tolist())
    dices = [row_random(0, "a prompt")]
    drawn = [next_tokens(logits, RELEASE, seen, dices)[0] for _ in range(4000)]
    assert set(drawn) <= kept
    likeliest = int(expected.argmax())
    assert drawn.count(likeliest) / 4000 == pytest.approx(torch.softmax(expected, -1)[0, likeliest].item(), abs=0.04)


def test_an_answer_ends_at_a_line_break_but_not_at_the_first():
    encoder = engine("llama").encoder
    ids = encoder.tokenizer("\nAnger, joy\nand more").input_ids[1:]
    overs = [encoder.is_over(ids[:end]) for end in range(1, len(ids) + 1)]
    assert encoder.text(ids[: overs.index(True) + 1]) == "Anger, joy"
    assert encoder.is_over([5, 2])


def test_an_answer_comes_after_thinking_and_the_lines_of_it_do_not_end_it():
    encoder = engine("llama").encoder
    ids = encoder.tokenizer("<think>\nA tweet.\n</think>\n\nAnger, joy\nand more").input_ids[1:]
    overs = [encoder.is_over(ids[:end]) for end in range(1, len(ids) + 1)]
    assert encoder.text(ids[: overs.index(True) + 1]) == "Anger, joy"
    assert encoder.text(ids[:5]).startswith("<think>")  # what was said, where nothing but thinking was


@pytest.mark.parametrize("family", FAMILIES)
def test_special_tokens_come_from_tokenizer_and_model(family: str):
    encoder = engine(family).encoder
    ids = encoder.prompt(prompts()[0])
    end = {"gpt2": "<|endoftext|>", "qwen2": "<|im_end|>"}.get(family, "</s>")
    assert encoder.ends == {encoder.tokenizer.convert_tokens_to_ids(end)}
    added = [token for token in ids if token in encoder.ends]
    assert len(added) == {"t5": 1, "bart": 1, "opt": 1, "qwen2": 1}.get(family, 0)  # what the tokenizer adds
    assert encoder.decoder_start == {"t5": (0,), "bart": (2, 1)}.get(family, ())
    pad = {"llama": "</s>", "gpt2": "<|endoftext|>", "qwen2": "<|endoftext|>"}.get(family, "<pad>")
    assert encoder.pad == encoder.tokenizer.convert_tokens_to_ids(pad)


def test_a_prompt_that_is_too_long_is_an_error_before_anything_runs():
    with pytest.raises(EngineError, match=r"gpt2 takes 512 tokens, but a prompt with its answer needs \d+; shorten"):
        next(engine("gpt2").generate(["word " * 600], SHORT))


def test_out_of_memory_halves_the_batch(monkeypatch: pytest.MonkeyPatch):
    one = engine("llama")
    expected = sorted(one.generate(prompts(), SHORT))
    start = one.runner.start

    def scarce(shared, rests):
        if len(rests) > 3:
            raise torch.OutOfMemoryError
        return start(shared, rests)

    monkeypatch.setattr(one.runner, "start", scarce)
    found = sorted(one.generate(prompts(), SHORT))
    assert [result.value for result in found] == [result.value for result in expected]
    monkeypatch.setattr(one.runner, "start", lambda shared, rests: scarce(shared, rests * 4))
    with pytest.raises(EngineError, match="out of memory on a single row"):
        list(one.generate(prompts(), SHORT))


def test_a_folder_is_loaded_and_described(tmp_path):
    model("qwen2").save_pretrained(tmp_path / "tiny")
    tokenizer("qwen2").save_pretrained(tmp_path / "tiny")
    one = load(str(tmp_path / "tiny"), device="cpu")
    assert (
        sorted(one.generate(prompts(), SHORT))[0].value == sorted(engine("qwen2").generate(prompts(), SHORT))[0].value
    )
    info = one.describe().as_dict()
    assert (info["engine"], info["dtype"], info["device"], info["template"]) == (
        "transformers", "float32", "cpu", "chat",
    )  # fmt: skip
    assert info["settings"]["attention"] == "sdpa"
    assert "must not depend on how rows are batched" in str(info["settings"]["dtype_reason"])
    asked = load(str(tmp_path / "tiny"), device="cpu", dtype="bfloat16").describe()
    assert (asked.dtype, asked.settings["dtype_reason"]) == ("bfloat16", "asked for")
    assert str(info["revision"]).startswith("sha256:")
    assert info["versions"]["torch"] == torch.__version__
    (tmp_path / "tiny" / "generation_config.json").write_text("{}")
    assert load(str(tmp_path / "tiny"), device="cpu").describe().revision != info["revision"]
    one.close()


def test_errors_of_loading_say_what_is_wrong(tmp_path):
    with pytest.raises(UsageError, match=r"^there is no folder .*nothing$"):
        load(str(tmp_path / "nothing"))
    with pytest.raises(UsageError, match=r"holds no model: config\.json is missing$"):
        load(str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UsageError, match="cannot load"):
        load(str(tmp_path))
    with pytest.raises(UsageError, match="unknown device 'gpu'"):
        load(str(tmp_path), device="gpu")
    with pytest.raises(UsageError, match="unknown dtype 'int9'"):
        load(str(tmp_path), device="cpu", dtype="int9")


def test_half_precision_runs():
    found = TransformersEngine(model("llama", torch.bfloat16), tokenizer("llama"), "llama")
    (scores,) = found.score(prompts()[:1], [CANDIDATES])
    expected = [naive_score("llama", prompts()[0], text) for text in CANDIDATES]
    assert scores.value == pytest.approx(expected, rel=0.1, abs=0.5)
    assert found.describe().dtype == "bfloat16"


def test_a_chat_template_brings_no_second_start_token():
    coder = tokenizer("qwen2")
    assert model_input(coder, "Hi ") == "<|im_start|>user\nHi <|im_end|>\n<|im_start|>assistant\n"
    assert model_input(coder, "Hi ", "frame") == model_input(None, "Hi ")
    chatty = tokenizer("llama")
    chatty.chat_template = CHATML
    try:
        ids = chatty(model_input(chatty, "Hi ")).input_ids
        assert ids == chatty("<s>user\nHi </s>\n<s>assistant\n", add_special_tokens=False).input_ids
    finally:
        chatty.chat_template = None
    with pytest.raises(UsageError, match="no chat template; use --template frame"):
        model_input(tokenizer("gpt2"), "Hi ", "chat")
    with pytest.raises(UsageError, match="unknown template 'frames'; did you mean frame"):
        model_input(None, "Hi ", "frames")


def test_an_answer_that_merges_with_the_prompt_is_scored_as_it_is_written():
    """A tokenizer that cuts `x` + `y` otherwise than `xy`: the cut of the whole counts."""
    one = engine("gpt2")
    tail = "a tail that ends in Int"
    found = one.encoder.candidates(tail, ("ensity Score", "eger"))
    whole = [tokenizer("gpt2")(tail + text).input_ids for text in ("ensity Score", "eger")]
    before = tokenizer("gpt2")(tail).input_ids
    assert found.replaced > 0
    kept = before[: len(before) - found.replaced]
    assert all(ids[: len(kept)] == kept for ids in whole)


def test_a_class_answer_of_every_task_can_be_scored():
    one = engine("qwen2")
    for name in ("EI-oc", "V-oc", "SST5", "TDT"):
        task = get_task(name)
        emotion = task.emotions[0] if task.emotions else None
        said = [answer(task, number, emotion) for number in task.classes]
        for result in one.score(prompts(name)[:2], [said] * 2):
            assert len(result.value) == len(task.classes)


@pytest.mark.parametrize("family", ["llama", "gpt2", "t5"])
def test_what_is_skipped_leaves_the_bits_of_all_others(family: str):
    one = engine(family, batch_tokens=300)
    rows = [text for task in ("V-reg", "V-oc", "E-c", "SST") for text in prompts(task, TEXTS * 2)]
    asked = [CANDIDATES] * len(rows)
    whole = list(one.score(rows, asked))
    assert [found.row for found in whole] != sorted(found.row for found in whole), "several batches, longest first"
    answered = list(one.generate(rows, SHORT))
    for done in (1, len(rows) // 3, len(rows) // 2, len(rows) - 2):
        known = {found.row for found in whole[:done]}
        rest = list(engine(family, batch_tokens=300).score(rows, asked, skip=known))
        assert [(found.row, found.value) for found in rest] == [(found.row, found.value) for found in whole[done:]]
        known = {found.row for found in answered[:done]}
        said = list(engine(family, batch_tokens=300).generate(rows, SHORT, skip=known))
        assert [(found.row, found.value) for found in said] == [(found.row, found.value) for found in answered[done:]]
    assert list(one.score(rows, asked, skip=range(len(rows)))) == []


@pytest.mark.parametrize("family", FAMILIES)
def test_on_a_gpu_batches_follow_the_free_memory(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config, gpu = model(family).config.get_text_config(), torch.device("cuda", 0)
    found = []
    for free in (0, 1 << 26, (1 << 26) + 12345, 1 << 28, 1 << 40):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device, free=free: (free, 1 << 41))
        found.append(fitting_tokens(gpu, config, torch.bfloat16))
    assert found == sorted(found)
    assert (found[0], found[1], found[-1]) == (1024, found[2], 1 << 18)
    assert found[1] < found[3]
    assert fitting_tokens(torch.device("cpu"), config, torch.float32) == 4096


def test_a_large_model_gets_fewer_tokens_than_a_small_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (10 << 30, 24 << 30))
    small = LlamaConfig(hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9,
                        num_key_value_heads=3)  # fmt: skip
    large = LlamaConfig()  # of 7 billion parameters
    gpu = torch.device("cuda", 0)
    assert [fitting_tokens(gpu, one, torch.bfloat16) for one in (large, small)] == [2048, 32768]
