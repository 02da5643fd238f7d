"""What the query of a span knows of the spans with the same words, beside a loop."""

from __future__ import annotations

import torch
from builders import make_inputs, make_network
from torch import nn

from spacy_bispn.nn.mentions import MentionPool, spelt_alike
from spacy_bispn.nn.shapes import Words

# two texts of words by number, and spans of theirs; the last span of the second text is padding
NUMBERS = [[0, 1, 2, 0, 1, 3, 1], [2, 2, 0, 1, 0, 1, 2]]
START = torch.tensor([[0, 3, 0, 1, 4, 5], [0, 1, 0, 2, 6, 4]])
END = torch.tensor([[1, 4, 0, 1, 4, 6], [0, 1, 1, 3, 6, 5]])
MASK = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 0]]).bool()


def words() -> Words:
    keys = torch.randint(2**32, (4, 4, 4), generator=torch.Generator().manual_seed(1))
    keys[3, 0] = keys[2, 0]  # another word with the same NORM
    return Words(keys, torch.tensor(NUMBERS))


def test_spans_with_the_same_words_elsewhere() -> None:
    norm = [0, 1, 2, 2]
    expected = torch.zeros(2, 6, 6).bool()
    for text, numbers in enumerate(NUMBERS):
        said = [
            [norm[number] for number in numbers[start : end + 1]]
            for start, end in zip(START[text].tolist(), END[text].tolist(), strict=True)
        ]
        for one in range(6):
            for other in range(6):
                apart = START[text, one] != START[text, other]
                expected[text, one, other] = said[one] == said[other] and apart and MASK[text, other]
    assert expected[0, 0, 1] and expected[1, 0, 1] and not expected[1, 3].any(), "there are some"
    assert torch.equal(spelt_alike(words(), START, END, MASK), expected)


def test_the_mean_of_the_others_joins_a_query() -> None:
    torch.manual_seed(0)
    module, states = MentionPool(8), torch.randn(2, 6, 8)
    alike, found = spelt_alike(words(), START, END, MASK), module(states, words(), START, END, MASK)
    for text, query in MASK.nonzero().tolist():
        others = states[text][alike[text, query]]
        expected = module.join(others.mean(0)) if len(others) else torch.zeros(8)
        torch.testing.assert_close(found[text, query], expected)


def test_only_queries_of_spans_that_recur_change() -> None:
    torch.manual_seed(0)
    network, inputs = (
        make_network(queries="proposed", pool_mentions=True, proposal_floor=1e-6, entity_queries=99),
        make_inputs((9,)),
    )
    inputs = inputs._replace(words=inputs.words._replace(number=torch.tensor([[0, 1, 2, 3, 1, 4, 5, 6, 0]])))
    before = network.queries(network._tokens(inputs).tokens, inputs)[0]
    nn.init.normal_(network.queries.pool.join.weight)
    after = network.queries(network._tokens(inputs).tokens, inputs)[0]
    changed = (before.entity != after.entity).any(-1)[0]
    numbers = inputs.words.number[0].tolist()
    said = [sorted(numbers[start : end + 1]) for start, end in before.entity_seed[0, :, :2].tolist()]
    places = before.entity_seed[0, :, 0].tolist()
    recurs = [
        any(said[one] == said[other] and places[one] != places[other] for other in range(len(said)))
        for one in range(len(said))
    ]
    assert changed.tolist() == recurs and 0 < sum(recurs) < len(recurs)
