"""Entities and relations that agree: whatever was decoded, relations join entities that are there."""

from __future__ import annotations

from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_bispn.model.coherence import cohere
from spacy_bispn.model.decoding import COHERENCE, Decoding
from spacy_bispn.records import Entity, Extraction, Labels, Relation

LABELS = Labels(("GENE", "CELL"), ("BINDS", "INHIBITS"), ("BINDS",))
GENE, LONG = Entity(2, 4, "GENE", 0.9), Entity(0, 9, "CELL", 0.8)
NEAR, SAME, FAR = Entity(2, 5, "GENE", 0.7), Entity(2, 4, "CELL", 0.7), Entity(20, 21, "GENE", 0.7)


@pytest.mark.parametrize(
    ("end", "snap", "add", "drop"),
    [
        (GENE, GENE, GENE, GENE),
        (NEAR, GENE, NEAR, None),
        (SAME, GENE, SAME, None),
        (Entity(4, 9, "GENE"), LONG, Entity(4, 9, "GENE"), None),
        (FAR, None, FAR, None),
    ],
    ids=["member", "most similar", "same place", "inside another", "no overlap"],
)
@pytest.mark.parametrize("as_head", [True, False])
def test_coherence(end: Entity, snap: Entity | None, add: Entity, drop: Entity | None, as_head: bool) -> None:
    other = Entity(12, 15, "CELL", 0.9)
    ends = (end, other) if as_head else (other, end)
    given_ = Extraction((GENE, LONG, other), (Relation(*ends, "INHIBITS", 0.6),))
    for coherence, expected in {"snap": snap, "add": add, "drop": drop}.items():
        found = cohere(given_, LABELS, Decoding(coherence=coherence))
        assert found.entities == tuple(sorted({GENE, LONG, other, *([add] if coherence == "add" else [])}))
        if expected is None:
            assert found.relations == ()
        else:
            relation = Relation(*((expected, other) if as_head else (other, expected)), "INHIBITS")
            assert found.relations == (relation,) and found.relations[0].score == 0.6


def test_two_ends_that_snap_to_one_entity_are_no_relation_of_it_with_itself() -> None:
    inside = Entity(4, 9, "GENE")
    links = (Relation(inside, LONG, "INHIBITS", 0.6), Relation(inside, inside, "BINDS", 0.6))
    found = cohere(Extraction((LONG,), links), LABELS, Decoding(coherence="snap"))
    assert found.relations == (Relation(LONG, LONG, "BINDS"),), "one that was meant so stays"


def test_snapping_prefers_overlap_then_label_then_score() -> None:
    def snapped(end: Entity, *entities: Entity) -> Entity:
        found = cohere(Extraction(entities, (Relation(end, end, "INHIBITS"),)), LABELS, Decoding())
        return found.relations[0].head

    end = Entity(2, 4, "GENE")
    assert snapped(end, Entity(2, 4, "CELL", 0.1), Entity(2, 5, "GENE", 0.9)) == Entity(2, 4, "CELL")
    assert snapped(end, Entity(2, 5, "CELL", 0.9), Entity(1, 4, "GENE", 0.1)) == Entity(1, 4, "GENE")
    assert snapped(end, Entity(2, 5, "GENE", 0.1), Entity(1, 4, "GENE", 0.9)) == Entity(1, 4, "GENE")


def test_ends_carry_the_scores_of_the_entities_they_are() -> None:
    doubtful = Entity(GENE.start, GENE.end, GENE.label, 0.1)
    extraction = Extraction((GENE,), (Relation(doubtful, GENE, "INHIBITS"),))
    for coherence in COHERENCE:
        found = cohere(extraction, LABELS, Decoding(coherence=coherence))
        assert found.relations[0].head.score == found.entities[0].score == 0.9


def test_of_duplicates_the_best_remains() -> None:
    twins = (Entity(2, 4, "GENE", 0.2), GENE, Entity(2, 4, "GENE", 0.5))
    links = tuple(Relation(GENE, GENE, "INHIBITS", score) for score in (0.3, 0.7, 0.5))
    found = cohere(Extraction(twins, links), LABELS, Decoding())
    assert [x.score for x in found.entities] == [0.9]
    assert [x.score for x in found.relations] == [0.7]


def test_relations_that_snap_together_are_one() -> None:
    links = (Relation(NEAR, LONG, "INHIBITS", 0.3), Relation(GENE, LONG, "INHIBITS", 0.2))
    (relation,) = cohere(Extraction((GENE, LONG), links), LABELS, Decoding()).relations
    assert relation == Relation(GENE, LONG, "INHIBITS") and relation.score == 0.3


def test_symmetric_relations_are_stored_once_from_the_earlier_argument() -> None:
    first, second = sorted((GENE, LONG))
    ways = [(second, first), (first, second)]
    links = tuple(Relation(*ends, label) for ends, label in product(ways, LABELS.relation))
    assert cohere(Extraction((GENE, LONG), links), LABELS, Decoding()).relations == (
        Relation(first, second, "BINDS"),
        Relation(first, second, "INHIBITS"),
        Relation(second, first, "INHIBITS"),
    )


@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        ([GENE, NEAR], [GENE]),  # the better one
        ([Entity(0, 3, "GENE", 0.2), GENE], [GENE]),  # and not the earlier one
        ([GENE, LONG, SAME], [LONG, GENE]),  # another label may overlap; SAME loses to LONG
        ([GENE, FAR], [GENE, FAR]),
        # the middle one loses to the left one and does not push out the right one
        ([Entity(0, 2, "GENE", 0.9), Entity(1, 4, "GENE", 0.8), Entity(3, 5, "GENE", 0.7)], [0, 2]),
    ],
)
def test_overlaps_of_one_label_can_be_removed(given_: list[Entity], kept: list[Entity | int]) -> None:
    expected = tuple(given_[x] if isinstance(x, int) else x for x in kept)
    extraction = Extraction(tuple(given_))
    assert cohere(extraction, LABELS, Decoding(remove_overlaps=True)).entities == expected
    assert cohere(extraction, LABELS, Decoding()).entities == tuple(sorted(given_))


def test_a_removed_entity_does_not_come_back_through_a_relation() -> None:
    extraction = Extraction((GENE, NEAR, LONG), (Relation(NEAR, LONG, "INHIBITS"),))
    found = cohere(extraction, LABELS, Decoding(remove_overlaps=True, coherence="add"))
    assert found == Extraction((LONG, GENE), (Relation(GENE, LONG, "INHIBITS"),))


def test_the_better_relation_adds_its_end_first() -> None:
    better, other = Entity(3, 6, "GENE"), Entity(2, 5, "GENE")
    links = (Relation(other, LONG, "INHIBITS", 0.6), Relation(better, LONG, "INHIBITS", 0.7))
    found = cohere(Extraction((LONG,), links), LABELS, Decoding(remove_overlaps=True, coherence="add"))
    assert found == Extraction((LONG, better), (Relation(better, LONG, "INHIBITS"),))
    assert found.relations[0].score == 0.7


PLACES = st.builds(
    lambda start, length, label, score: Entity(start, start + length, label, score),
    st.integers(0, 9), st.integers(1, 5), st.sampled_from(LABELS.entity), st.floats(0, 1),
)  # fmt: skip
LINKS = st.builds(Relation, PLACES, PLACES, st.sampled_from(LABELS.relation), st.floats(0, 1))
DECODINGS = st.builds(Decoding, coherence=st.sampled_from(COHERENCE), remove_overlaps=st.booleans())


@given(st.lists(PLACES, max_size=6), st.lists(LINKS, max_size=6), DECODINGS)
def test_relations_join_entities_whatever_comes_in(
    entities: list[Entity], relations: list[Relation[Entity]], decoding: Decoding
) -> None:
    found = cohere(Extraction(tuple(entities), tuple(relations)), LABELS, decoding)
    assert list(found.entities) == sorted({*found.entities})
    assert list(found.relations) == sorted({*found.relations})
    members = {id(x) for x in found.entities}
    for relation in found.relations:
        assert decoding.coherence == "off" or {id(relation.head), id(relation.tail)} <= members
        assert relation.label not in LABELS.symmetric or relation.head <= relation.tail
    if decoding.remove_overlaps:
        for label in LABELS.entity:
            spans = [x for x in found.entities if x.label == label]
            assert all(one.end <= other.start for one, other in pairwise(spans))
    elif decoding.coherence != "add":
        assert {*found.entities} == {*entities}
    assert cohere(found, LABELS, decoding) == found, "a coherent extraction stays as it is"
    # before anything was changed: relations without duplicates, of which some join entities
    distinct = {x.oriented(LABELS.symmetric) for x in relations}
    kept = {*cohere(Extraction(tuple(entities)), LABELS, decoding).entities}
    assert found.joined == (sum(x.head in kept and x.tail in kept for x in distinct), len(distinct))


def test_relations_may_stay_as_they_are_predicted() -> None:
    links = (Relation(NEAR, LONG, "INHIBITS", 0.3), Relation(GENE, LONG, "INHIBITS", 0.2))
    for coherence, relations in {"off": 2, "drop": 1, "snap": 1, "add": 2}.items():
        found = cohere(Extraction((GENE, LONG), links), LABELS, Decoding(coherence=coherence))
        assert (found.joined, len(found.relations)) == ((1, 2), relations)
        assert len(found.entities) == (3 if coherence == "add" else 2)
