import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from emollms.inference.decoding import SCORES
from emollms.inference.encoding import PromptEncoder
from emollms.training.expected_value_loss import NO_NODE, NumberTrees, expected_values, squared_error
from emollms.training.tiny import KINDS, prompts, tiny_model, tiny_tokenizer
from emollms.training.tokenize import encode

PROMPT = prompts("V-reg")[0]


class Rows:
    """Answers as rows of a batch, and logits for their tokens."""

    def __init__(self, kind, answers, seed=0):
        encoder = PromptEncoder(tiny_tokenizer(kind), tiny_model(kind))
        trees = NumberTrees(encoder)
        encoded = encode(encoder, [PROMPT] * len(answers), answers)
        width = max(len(row.labels) for row in encoded)
        paths = [trees.path(PROMPT, row.labels) for row in encoded]
        self.tree = encoder.candidates(encoder.tail(PROMPT), SCORES).tree
        self.answers, self.paths = answers, paths
        self.labels = torch.tensor([[-100] * (width - len(row.labels)) + row.labels for row in encoded])
        self.nodes = torch.tensor([[NO_NODE] * (width - len(path)) + path for path in paths])
        self.gold = torch.tensor([float(answer) for answer in answers])
        self.table = trees.table()
        generator = torch.Generator().manual_seed(seed)
        shape = (*self.labels.shape, len(encoder.tokenizer))
        self.logits = 3 * torch.randn(shape, generator=generator, dtype=torch.float64)

    def expected(self):
        return expected_values(self.logits, self.labels, self.nodes, self.gold, self.table)

    def by_hand(self, row):
        """Over all 1,001 numbers: the probability of the tokens at the nodes of the gold path, then an equal share."""
        shares = np.ones(len(SCORES))
        node = self.tree
        for place, token in enumerate(self.labels[row].tolist()):
            if self.nodes[row, place] == NO_NODE:
                node = node.children.get(token, node)
                continue
            children = list(node.children)
            chances = torch.softmax(self.logits[row, place, children], -1).tolist()
            for child, chance in zip(children, chances, strict=True):
                ends = below(node.children[child])
                shares[ends] *= chance / (len(ends) if child != token else 1)
            node = node.children[token]
        assert shares.sum() == pytest.approx(1)
        return float((shares * np.array([float(score) for score in SCORES])).sum())


def below(node):
    return [*node.ends, *(end for child in node.children.values() for end in below(child))]


@pytest.mark.parametrize("kind", KINDS)
def test_the_expected_value_is_that_over_all_numbers(kind):
    rows = Rows(kind, ["0.437", "0.000", "1.000", "0.999", "0.040"])
    found = rows.expected().tolist()
    assert found == pytest.approx([rows.by_hand(row) for row in range(5)], abs=1e-5)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.integers(0, 2**30))
def test_it_stays_on_the_scale_and_is_the_number_of_a_model_that_is_sure(number, seed):
    rows = Rows("smollm2", [SCORES[number]], seed)
    assert -1e-6 <= rows.expected().item() <= 1 + 1e-6
    for place, token in enumerate(rows.labels[0].tolist()):
        rows.logits[0, place, token] = 200.0
    assert rows.expected().item() == pytest.approx(number / 1000, abs=1e-6)


def test_rows_without_a_number_have_no_error_and_the_gradient_reaches_each_choice():
    rows = Rows("smollm2", ["0.437", "0.437"])
    rows.nodes[1] = NO_NODE
    rows.logits.requires_grad_(True)
    error = squared_error(rows.logits, rows.labels, rows.nodes, torch.tensor([0.437, 0.9]), rows.table)
    assert error.item() == pytest.approx((rows.by_hand(0) - 0.437) ** 2, abs=1e-6)
    error.backward()
    assert torch.isfinite(rows.logits.grad).all()
    moved = rows.logits.grad.abs().sum(-1)
    assert (moved[0] > 0).tolist() == (rows.nodes[0] != NO_NODE).tolist()
    assert moved[1].sum() == 0


def test_a_step_along_the_gradient_brings_the_expected_value_nearer():
    rows = Rows("llama", ["0.437"])
    rows.logits.requires_grad_(True)
    before = squared_error(rows.logits, rows.labels, rows.nodes, rows.gold, rows.table)
    before.backward()
    with torch.no_grad():
        rows.logits -= rows.logits.grad
    after = squared_error(rows.logits, rows.labels, rows.nodes, rows.gold, rows.table)
    assert after < before
