import pytest
import torch
from torch.nn import functional

from emollms.inference.encoding import PromptEncoder
from emollms.training.expected_value_loss import NumberTrees
from emollms.training.tiny import KINDS, prompts, tiny_model, tiny_tokenizer
from emollms.training.tokenize import CausalCollator, Seq2SeqCollator, encode
from emollms.training.trainer import AnswerLossMixin

ANSWERS = ("0.437", "0.9", "1.000", "0.051")


class Bare(AnswerLossMixin):
    """The loss alone, without a trainer around it."""

    def __init__(self, table, weight):
        self._table, self._error_weight = table, weight


def batch_of(kind):
    model = tiny_model(kind)
    encoder = PromptEncoder(tiny_tokenizer(kind), model)
    trees = NumberTrees(encoder)
    asked = prompts("V-reg")[: len(ANSWERS)]
    rows = [
        {"input_ids": row.ids, "labels": row.labels, "nodes": trees.path(prompt, row.labels), "gold": float(answer)}
        for prompt, row, answer in zip(asked, encode(encoder, asked, ANSWERS), ANSWERS, strict=True)
    ]
    collator = (
        Seq2SeqCollator(encoder.pad, encoder.decoder_start[0]) if encoder.seq2seq else CausalCollator(encoder.pad)
    )
    return model, rows, collator, trees.table()


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_of_a_batch_is_the_one_that_the_model_gives_its_rows_alone(kind):
    """Padding, positions and the places of labels are right, whatever the family makes of them."""
    model, rows, collator, table = batch_of(kind)
    total, count = 0.0, 0
    with torch.no_grad():
        for row in rows:
            ids, labels = torch.tensor([row["input_ids"]]), torch.tensor([row["labels"]])
            if not model.config.is_encoder_decoder:
                labels = functional.pad(labels, (ids.shape[1] - labels.shape[1], 0), value=-100)
            total += model(input_ids=ids, labels=labels).loss.item() * len(row["labels"])
            count += len(row["labels"])
        loss = Bare(table, 0.0).compute_loss(model, collator(rows))
    assert loss.item() == pytest.approx(total / count, rel=1e-4)


@pytest.mark.parametrize("kind", ["smollm2", "t5"])
def test_the_squared_error_comes_on_top_with_its_weight(kind):
    model, rows, collator, table = batch_of(kind)
    with torch.no_grad():
        plain, some, twice = (Bare(table, weight).compute_loss(model, collator(rows)).item() for weight in (0, 3, 6))
    assert some > plain
    assert twice - plain == pytest.approx(2 * (some - plain), rel=1e-3)


def test_decoders_give_logits_at_the_last_places_alone():
    model, rows, collator, table = batch_of("smollm2")
    outputs = Bare(table, 0.0).compute_loss(model, collator(rows), return_outputs=True)[1]
    assert outputs.logits.shape[1] == 1 + max(len(row["labels"]) for row in rows)
