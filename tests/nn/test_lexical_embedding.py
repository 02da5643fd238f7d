"""Embeddings of what words look like, beside a loop over words, attributes and keys."""

import torch
from builders import make_inputs, make_network

from spacy_bispn.nn.lexical import ROWS, LexicalEmbedding


def test_a_value_has_the_sum_of_its_rows() -> None:
    torch.manual_seed(0)
    module = LexicalEmbedding(2, 6, dropout=0.0).eval()
    keys = torch.tensor([[[1, 2], [3, 4]], [[1, 2], [3, 5]], [[ROWS + 1, 2], [3, ROWS + 4]]])
    first, second = (table.weight for table in module.tables)
    expected = [
        module.mix(torch.cat([first[1] + first[2], second[3] + second[other]])) for other in (4, 5, 4)
    ]
    torch.testing.assert_close(module(keys), torch.stack(expected))


def test_only_states_that_can_be_pointed_at_know_what_words_look_like() -> None:
    torch.manual_seed(0)
    network, inputs = make_network(lexical=True), make_inputs((7, 4))
    there = network.encode(inputs)[0].padded
    others = inputs.words._replace(keys=torch.zeros_like(inputs.words.keys))
    changed = (network.encode(inputs._replace(words=others))[0].padded != there).any(-1)
    assert torch.equal(changed & inputs.mask, inputs.pointable)


def test_the_tables_learn_for_the_words_of_the_batch_alone() -> None:
    torch.manual_seed(0)
    network, inputs = make_network(lexical=True), make_inputs((5,))
    inputs = inputs._replace(words=inputs.words._replace(keys=inputs.words.keys % 7 + 10))
    network.encode(inputs)[0].states.square().sum().backward()
    for table in network.lexical.tables:
        used = (table.weight.grad != 0).any(-1).nonzero()[:, 0]
        assert len(used) and used.min() >= 10 and used.max() < 17
