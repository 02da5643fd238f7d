"""SpanIndex finds what a search through all entities would find; the overlap of two spans."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from spacy_bispn.records import Entity
from spacy_bispn.span_index import SpanIndex

stretches = st.tuples(st.integers(0, 30), st.integers(1, 9)).map(lambda pair: (pair[0], sum(pair)))
entities = st.lists(st.builds(lambda ends, label: Entity(*ends, label), stretches, st.sampled_from("AB")))


@given(first=entities, added=entities, stretch=stretches)
def test_what_overlaps_is_found_whenever_it_came(
    first: list[Entity], added: list[Entity], stretch: tuple[int, int]
) -> None:
    index = SpanIndex(first)
    for entity in added:
        index.add(entity)
    start, end = stretch
    found = index.overlapping(start, end)
    assert sorted(found) == sorted(x for x in first + added if x.start < end and start < x.end)
    assert [x.start for x in found] == sorted(x.start for x in found)


def test_nothing_is_found_where_nothing_is() -> None:
    assert SpanIndex().overlapping(0, 9) == []
    assert SpanIndex([Entity(0, 2, "A"), Entity(5, 6, "A")]).overlapping(2, 5) == []
