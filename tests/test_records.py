"""What records know of themselves: how much two spans share, and which end of a relation comes first."""

from __future__ import annotations

import pytest

from spacy_bispn.records import Entity, Relation, overlap_ratio

ORC, LONG, ATP = Entity(0, 3, "protein"), Entity(0, 4, "protein"), Entity(19, 22, "chemical")


@pytest.mark.parametrize(
    ("left", "right", "ratio"),
    [
        ((0, 3), (0, 3), 1.0),
        ((0, 4), (0, 3), 0.75),
        ((0, 4), (2, 6), 1 / 3),
        ((0, 3), (3, 6), 0.0),
        ((0, 3), (5, 6), 0.0),
        ((2, 2), (2, 2), 1.0),
        ((2, 2), (2, 3), 0.0),
    ],
)
def test_overlap_is_what_two_spans_share(left: tuple[int, int], right: tuple[int, int], ratio: float) -> None:
    one, other = Entity(*left, "A"), Entity(*right, "B")
    assert overlap_ratio(one, other) == overlap_ratio(other, one) == pytest.approx(ratio)


def test_the_head_of_a_symmetric_relation_is_its_smaller_end() -> None:
    backwards = Relation(ATP, ORC, "binds", 0.4)
    turned = backwards.oriented(("binds",))
    assert (turned.head, turned.tail, turned.label, turned.score) == (ORC, ATP, "binds", 0.4)
    assert turned.oriented(("binds",)) is turned
    assert backwards.oriented(("inhibits",)) is backwards
    assert Relation(LONG, ORC, "binds").oriented(("binds",)).head == ORC, "of one start the shorter"
