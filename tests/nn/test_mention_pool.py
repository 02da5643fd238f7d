"""What the query of a span knows of the spans with the same words, beside a loop."""

from __future__ import annotations

from itertools import product

import torch
from builders import make_inputs, make_network
from torch import nn

from spacy_bispn.nn.mentions import MentionPool, spelt_alike
from spacy_bispn.nn.shapes import Words

# two texts of pieces, each of the word with this number, and spans of theirs; the last one is padding
WORDS = [[0, 1, 1, 2, 0, 1, 3, 3, 1], [2, 2, 0, 1, 0, 1, 2, 0, 0]]
# in the first text word 1 is cut in two once, and word 3 is a word of two pieces with the NORM of word 2
BEGINS = torch.tensor([[1, 1, 0, 1, 1, 1, 1, 0, 1], [1] * 9]).bool()
SPANS = [
    [(0, 2), (4, 5), (0, 0), (1, 2), (5, 5), (1, 1), (2, 2), (3, 3), (6, 7), (8, 8)],
    [(0, 0), (1, 1), (0, 1), (2, 3), (6, 6), (4, 5), (3, 4), (7, 7), (8, 8), (7, 8)],
]
START, END = torch.tensor(SPANS).unbind(-1)
MASK = torch.tensor([[1] * 10, [1] * 9 + [0]]).bool()


def words() -> Words:
    keys = torch.randint(2**32, (4, 4, 4), generator=torch.Generator().manual_seed(1))
    keys[3, 0] = keys[2, 0]
    ends = torch.cat([BEGINS[:, 1:], torch.ones(2, 1).bool()], dim=1)
    return Words(keys, torch.tensor(WORDS), BEGINS, ends)


def said(text: int, start: int, end: int) -> list[int] | None:
    """The NORM of each word of a span, in any order; None where it has a part of a word."""
    begins = [*BEGINS[text].tolist(), True]
    if not (begins[start] and begins[end + 1]):
        return None
    norms = [0, 1, 2, 2]
    return sorted(norms[WORDS[text][place]] for place in range(start, end + 1) if begins[place])


def test_spans_of_the_same_whole_words_elsewhere() -> None:
    expected = torch.zeros(2, 10, 10).bool()
    for text, spans in enumerate(SPANS):
        for one, other in product(range(10), range(10)):
            same = said(text, *spans[one]) == said(text, *spans[other]) is not None
            apart = spans[one][0] != spans[other][0]
            expected[text, one, other] = same and apart and MASK[text, one] and MASK[text, other]
    found = {(SPANS[0][one], SPANS[0][other]) for one, other in expected[0].nonzero().tolist()}
    assert {((0, 2), (4, 5)), ((1, 2), (5, 5)), ((3, 3), (6, 7))} < found, "however they are cut"
    assert not any((1, 1) in pair or (2, 2) in pair for pair in found), "parts of words"
    assert torch.equal(spelt_alike(words(), START, END, MASK), expected)


def test_the_mean_of_the_others_joins_a_query() -> None:
    torch.manual_seed(0)
    module, states = MentionPool(8), torch.randn(2, 10, 8)
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
    spelt = [sorted(numbers[start : end + 1]) for start, end in before.entity_seed[0, :, :2].tolist()]
    places = before.entity_seed[0, :, 0].tolist()
    recurs = [
        any(spelt[one] == spelt[other] and places[one] != places[other] for other in range(len(spelt)))
        for one in range(len(spelt))
    ]
    assert changed.tolist() == recurs and 0 < sum(recurs) < len(recurs)
