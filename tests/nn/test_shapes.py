"""The records that carry tensors between rooms."""

from __future__ import annotations

import torch
from builders import make_inputs, make_targets

from spacy_bispn.nn.shapes import repeated


def test_a_repeated_record_has_its_batch_one_after_the_other() -> None:
    inputs = make_inputs((5, 3))._replace(gold=make_targets([[(1, 1, 1)], []], [[(0, 0, 1)], []]))
    twice = repeated(inputs, 2)
    assert type(twice) is type(inputs) and twice.vectors is None
    assert torch.equal(twice.ids, torch.cat([inputs.ids, inputs.ids]))
    assert twice.gold.entity.start.tolist() == 2 * inputs.gold.entity.start.tolist()


def test_once_is_what_it_was() -> None:
    inputs = make_inputs((5, 3))
    assert torch.equal(repeated(inputs, 1).mask, inputs.mask)
