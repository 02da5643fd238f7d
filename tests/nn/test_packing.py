"""The real rows of a padded batch: nothing is lost, and each comes back to its place."""

from __future__ import annotations

import pytest
import torch

from spacy_bispn.nn.packing import ALIGNED, Packed, PackedRows, padded, through

QUERIES = torch.tensor([[1, 1, 0], [1, 0, 1]]).bool()
ROWS = PackedRows.of(QUERIES)
NONE = PackedRows.of(torch.zeros(2, 4).bool())
OTHERS = PackedRows.of(torch.tensor([[0, 0], [1, 1]]).bool())


def test_rows_hold_the_real_members_in_order() -> None:
    whole = torch.arange(12.0).view(2, 3, 2)
    packed = ROWS.pack(whole)
    assert packed.tolist() == [[0.0, 1.0], [2.0, 3.0], [6.0, 7.0], [10.0, 11.0]]
    assert torch.equal(ROWS.pad(packed)[QUERIES], packed) and ROWS.pad(packed).shape == whole.shape


def test_nothing_is_moved_where_nothing_is_padding() -> None:
    whole = torch.randn(2, 3, 6)
    for rows in (PackedRows.of(torch.ones(2, 3).bool()), PackedRows.everywhere(QUERIES)):
        packed = rows.pack(whole)
        assert torch.equal(packed, whole.flatten(0, 1)) and torch.equal(rows.pad(packed), whole)
        assert rows.pad(packed).data_ptr() == whole.data_ptr()


def test_a_batch_without_any_real_member_has_no_rows() -> None:
    assert NONE.pack(torch.randn(2, 4, 6)).shape == (0, 6)
    assert NONE.pad(torch.zeros(0, 6)).tolist() == torch.zeros(2, 4, 6).tolist()


@pytest.mark.parametrize(
    "parts", [(ROWS, OTHERS), (OTHERS, NONE, ROWS), (NONE, ROWS), (ROWS, NONE), (NONE, NONE)]
)
@pytest.mark.parametrize("aligned", [False, True])
def test_kinds_side_by_side_keep_their_rows(parts: tuple[PackedRows, ...], aligned: bool) -> None:
    rows = PackedRows.joined(*parts)
    states = [torch.randn(len(part), 6) for part in parts]
    whole = torch.cat([part.pad(x) for part, x in zip(parts, states, strict=True)], dim=1)
    used = rows.aligned if aligned else rows
    found = used.pad(torch.cat(states))
    assert found.shape[1] == (ALIGNED if aligned else whole.shape[1]) and len(used) == sum(map(len, states))
    assert torch.equal(found[:, : whole.shape[1]][rows.mask], whole[rows.mask])
    assert torch.equal(used.pack(found), torch.cat(states))
    assert used.mask.sum() == rows.mask.sum() and not used.mask[:, whole.shape[1] :].any()


def test_a_width_that_suits_attention_stays() -> None:
    rows = PackedRows.of(torch.rand(2, ALIGNED) < 0.5)
    assert rows.aligned is rows


@pytest.mark.parametrize("rows", [ROWS, PackedRows.everywhere(QUERIES)])
def test_some_rows_are_selected_by_their_place(rows: PackedRows) -> None:
    states = torch.randn(len(rows), 6)
    index, mask = torch.tensor([[1, 0], [2, 0]]), torch.tensor([[True, True], [True, False]])
    found = Packed(states, rows).select(index, mask)
    whole = rows.pad(states)
    assert torch.equal(found.states, torch.stack([whole[0, 1], whole[0, 0], whole[1, 2]]))
    assert torch.equal(found.rows.mask, mask)


def test_texts_are_left_out_as_a_whole() -> None:
    packed = Packed(torch.randn(4, 6), ROWS)
    assert packed.of_texts(torch.tensor([True, True])) is packed
    found = packed.of_texts(torch.tensor([False, True]))
    assert torch.equal(found.states, packed.states[2:])
    assert found.rows.mask.tolist() == [[False] * 3, [True, False, True]]
    assert len(packed.of_texts(torch.tensor([False, False])).states) == 0


def test_a_layer_makes_the_same_of_packed_and_of_padded_states() -> None:
    layer, whole = torch.nn.Linear(6, 4), torch.randn(2, 3, 6)
    packed = through(layer, Packed(ROWS.pack(whole), ROWS))
    assert torch.allclose(padded(packed)[QUERIES], padded(through(layer, whole))[QUERIES], atol=1e-6)
