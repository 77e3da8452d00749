import pytest

from emollms.inference.encoding import PromptEncoder
from emollms.prompts.framing import framing_chat_template, model_input
from emollms.training.tiny import KINDS, prompts, tiny_model, tiny_tokenizer
from emollms.training.tokenize import encode, end_of_answer

ANSWERS = {"EI-reg": "0.437", "V-oc": "-2: moderately negative emotional state can be inferred", "E-c": "joy, love"}
CHATS = tuple(kind for kind in KINDS if tiny_tokenizer(kind).chat_template)


def codec_of(kind, template="auto"):
    return PromptEncoder(tiny_tokenizer(kind), tiny_model(kind), template)


@pytest.mark.parametrize("task", ANSWERS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_training_row_begins_with_the_tokens_of_inference(kind, task):
    encoder = codec_of(kind)
    asked = prompts(task)
    for prompt, row in zip(asked, encode(encoder, asked, [ANSWERS[task]] * len(asked)), strict=True):
        before = row.ids if encoder.seq2seq else row.ids[: len(row.ids) - len(row.labels)]
        assert before == encoder.prompt(prompt)


@pytest.mark.parametrize("kind", KINDS)
def test_labels_spell_the_answer_and_its_end(kind):
    encoder = codec_of(kind)
    (row,) = encode(encoder, prompts()[:1], ["0.437"])
    assert encoder.text(row.labels) == "0.437"
    assert row.labels[-1] in encoder.ends
    assert encoder.is_over(row.labels)
    assert not encoder.is_over(row.labels[:-1])


@pytest.mark.parametrize("kind", KINDS)
def test_labels_walk_the_tree_that_inference_scores(kind):
    encoder = codec_of(kind)
    prompt = prompts()[0]
    tree = encoder.candidates(encoder.tail(prompt), ("0.437", "0.438", "1.000")).tree
    (row,) = encode(encoder, [prompt], ["0.437"])
    node = tree
    for token in (token for token in row.labels if token not in encoder.special | encoder.ends):
        node = node.children[token]
    assert node.ends == [0]


@pytest.mark.parametrize("kind", CHATS)
def test_in_a_chat_an_answer_ends_with_the_token_that_ends_a_turn(kind):
    encoder = codec_of(kind, "chat")
    tokenizer = encoder.tokenizer
    turns = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "0.5"}]
    after = tokenizer.apply_chat_template(turns, tokenize=False).rpartition("0.5")[2]
    assert after.lstrip().startswith(tokenizer.decode([end_of_answer(encoder)]))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not codec_of(kind).seq2seq])
def test_the_chat_template_of_a_framed_model_is_the_frame(kind):
    tokenizer = tiny_tokenizer(kind)
    prompt = "Task: say 'x' \"y\" {z} Tweet: a\\b. Score: "
    framed = tokenizer(model_input(tokenizer, prompt, "frame")).input_ids
    before, tokenizer.chat_template = tokenizer.chat_template, framing_chat_template(tokenizer)
    try:
        chat = tokenizer.apply_chat_template([{"role": "user", "content": prompt}], tokenize=False)
        assert tokenizer(chat, add_special_tokens=False).input_ids == framed
        assert tokenizer(model_input(tokenizer, prompt, "chat")).input_ids == framed
    finally:
        tokenizer.chat_template = before
