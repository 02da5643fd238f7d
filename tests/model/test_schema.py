"""A schema: what it permits, what relations become under it, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_decoding import LABELS, by_character, logits

from spacy_bispn.model.coherence import cohere
from spacy_bispn.model.decoding import COHERENCE, Decoding, extract, merge
from spacy_bispn.model.query_predictions import OpenRelationQuery, RelationQuery
from spacy_bispn.model.readings import OpenRelation, permitted_reading
from spacy_bispn.model.schema import Schema, known_relations, observed_triples, triple
from spacy_bispn.nn.shapes import Outputs, Spans
from spacy_bispn.records import Entity, Extraction, Labels, Relation
from spacy_bispn.settings import SettingError

ANYTHING = {"schema": "none", "relations_per_head": [], "relations_per_tail": [], "self_relations": True}
TRAINED = {
    "entity_labels": [*LABELS.entity], "relation_labels": [*LABELS.relation],
    "symmetric_labels": [*LABELS.symmetric], "observed_triples": [["GENE", "INHIBITS", "CELL"]],
}  # fmt: skip
GENE, CELL, OTHER = Entity(0, 2, "GENE"), Entity(4, 6, "CELL"), Entity(8, 9, "GENE")


def made(schema: Any = "none", **settings: Any) -> Schema:
    """The schema of a trained component with these settings."""
    found = Schema.of({**ANYTHING, **TRAINED, "schema": schema, **settings})
    assert found is not None
    return found


# What is permitted


@pytest.mark.parametrize(
    ("schema", "permitted"),
    [
        ([["GENE", "INHIBITS", "CELL"]], {"GENE INHIBITS CELL"}),
        ([["GENE", "INHIBITS", None]], {"GENE INHIBITS CELL", "GENE INHIBITS GENE"}),
        ([[None, "INHIBITS", "CELL"]], {"GENE INHIBITS CELL", "CELL INHIBITS CELL"}),
        ([["CELL", None, "CELL"]], {"CELL INHIBITS CELL", "CELL BINDS CELL"}),
        # a symmetric label has no direction
        ([["GENE", "BINDS", "CELL"]], {"GENE BINDS CELL", "CELL BINDS GENE"}),
        ("observed", {"GENE INHIBITS CELL"}),
    ],
)
def test_triples(schema: Any, permitted: set[str]) -> None:
    found = made(schema)
    every = product(LABELS.entity, LABELS.relation, LABELS.entity)
    assert {" ".join(x) for x in every if found.permits(*x)} == permitted


def test_all_of_null_permits_everything() -> None:
    found = made([[None, None, None]])
    assert all(found.permits(*x) for x in product(LABELS.entity, LABELS.relation, LABELS.entity))


def test_without_any_setting_there_is_no_schema() -> None:
    assert Schema.of({**ANYTHING, **TRAINED}) is None
    for setting in ({"self_relations": False}, {"relations_per_tail": [["BINDS", 1]]}):
        assert made(**setting).triples is None


@pytest.mark.parametrize(
    ("settings", "name", "value", "expected", "advice"),
    [
        ({"schema": [["GENE", "DOCKS", "CELL"]]}, "schema", "DOCKS", "relation labels of the model (BINDS, I",
         "correct the component's config"),
        ({"schema": [["DRUG", None, "GENE"], [None, "BINDS", "X"]]}, "schema", "'DRUG', 'X'",
         "entity labels of the model (GENE, CELL)", "correct the component's config"),
        ({"relations_per_head": [["DOCKS", 1]]}, "relations_per_head", "DOCKS", "relation labels", "correct"),
        ({"schema": "observed", "observed_triples": None}, "schema", "observed",
         "a model that was saved with the triples of its training data", "train it again, give the triples"),
    ],
)  # fmt: skip
def test_what_the_model_does_not_have_is_refused(
    settings: dict[str, Any], name: str, value: str, expected: str, advice: str
) -> None:
    with pytest.raises(SettingError) as caught:
        made(**settings)
    error = caught.value
    assert error.name == name and value in str(error.value)
    assert expected in error.expected and advice in error.advice
    Schema.of({**ANYTHING, **TRAINED, "entity_labels": [], "relation_labels": [], **settings})  # not yet


@pytest.mark.parametrize(
    ("setting", "value", "shown"),
    [
        ("schema", [], "[]"),
        ("schema", "some", "'some'"),
        ("schema", [["GENE", "BINDS"]], "[['GENE', 'BINDS']]"),
        ("schema", [["GENE", "BINDS", "CELL"], ["GENE", 3, "CELL"]], "[['GENE', 3, 'CELL']]"),
        ("schema", [["GENE", "", "CELL"]], "[['GENE', '', 'CELL']]"),
        ("schema", 3, "3"),
        ("relations_per_head", [["BINDS", 0]], "[['BINDS', 0]]"),
        ("relations_per_head", [["BINDS", True]], "[['BINDS', True]]"),
        ("relations_per_head", [["BINDS", 1], ["BINDS", 2]], "['BINDS']"),
        ("relations_per_tail", [["BINDS", 1.5]], "[['BINDS', 1.5]]"),
        ("relations_per_tail", ["BINDS"], "['BINDS']"),
        ("relations_per_tail", "BINDS", "'BINDS'"),
    ],
)
def test_settings_that_are_none(setting: str, value: Any, shown: str) -> None:
    with pytest.raises(SettingError) as caught:
        Decoding(**{setting: value})
    error = caught.value
    assert error.name == setting and str(error).startswith(f"{setting} is {shown}, expected ")
    assert error.expected and error.advice.startswith(("write [[", "remove the other"))


def test_the_triples_of_some_gold() -> None:
    links = (Relation(CELL, GENE, "BINDS"), Relation(GENE, CELL, "INHIBITS"), Relation(GENE, CELL, "DOCKS"))
    gold = [
        Extraction((GENE, CELL), links),
        Extraction((OTHER,), (Relation(OTHER, Entity(1, 2, "X"), "BINDS"),)),
    ]
    found = observed_triples([], gold, LABELS)
    # symmetric ones in one order, and none with a label that the model lacks
    assert found == [["CELL", "BINDS", "GENE"], ["GENE", "INHIBITS", "CELL"]]
    assert observed_triples(found, gold, LABELS) == found
    assert observed_triples([["X", "Y", "Z"]], gold, LABELS) == [["X", "Y", "Z"], *found]
    assert observed_triples(None, gold, LABELS) is None
    assert [x.label for x in known_relations(gold, LABELS)] == ["BINDS", "INHIBITS"]
    schema = made("observed", observed_triples=found)
    assert not schema.forbidden(known_relations(gold, LABELS))
    assert made([["GENE", "BINDS", "GENE"]]).forbidden(links[:2]) == {
        "CELL BINDS GENE": 1,
        "GENE INHIBITS CELL": 1,
    }


# How many, and of what


def kept(links: Sequence[Relation[Entity]], **settings: Any) -> list[float]:
    """The scores of the relations that remain."""
    entities = {end for x in links for end in (x.head, x.tail)}
    decoding = Decoding(**settings)
    found = cohere(Extraction(tuple(entities), tuple(links)), LABELS, decoding, made(**settings))
    assert found.forbidden == (0, len(links) - len(found.relations))
    return sorted(x.score for x in found.relations)


def test_the_best_relations_of_a_head_or_a_tail_are_kept() -> None:
    third = Entity(12, 13, "CELL")
    links = [
        Relation(GENE, CELL, "INHIBITS", 0.7), Relation(GENE, OTHER, "INHIBITS", 0.8),
        Relation(GENE, third, "INHIBITS", 0.9), Relation(OTHER, third, "INHIBITS", 0.6),
    ]  # fmt: skip
    assert kept(links, relations_per_head=[["INHIBITS", 1]]) == [0.6, 0.9]
    assert kept(links, relations_per_head=[["INHIBITS", 2]]) == [0.6, 0.8, 0.9]
    assert kept(links, relations_per_tail=[["INHIBITS", 1]]) == [0.7, 0.8, 0.9]
    assert kept(links, relations_per_tail=[[None, 1]], relations_per_head=[[None, 1]]) == [0.9]
    assert kept(links, relations_per_head=[["BINDS", 1]], self_relations=False) == [0.6, 0.7, 0.8, 0.9]
    # its own number counts, not that of the others
    assert kept(links, relations_per_head=[[None, 1], ["INHIBITS", 3]]) == [0.6, 0.7, 0.8, 0.9]


@pytest.mark.parametrize("place", ["head", "tail"])
def test_a_symmetric_relation_has_two_ends_and_no_head(place: str) -> None:
    links = [Relation(GENE, CELL, "BINDS", 0.9), Relation(CELL, OTHER, "BINDS", 0.8)]
    assert kept(links, **{f"relations_per_{place}": [["BINDS", 1]]}) == [0.9]
    assert kept(links, **{f"relations_per_{place}": [["BINDS", 2]]}) == [0.8, 0.9]


def test_a_span_need_not_be_related_to_itself() -> None:
    twin = Entity(0, 2, "CELL")  # the same characters
    links = [
        Relation(GENE, GENE, "INHIBITS", 0.9), Relation(GENE, twin, "INHIBITS", 0.8),
        Relation(GENE, CELL, "INHIBITS", 0.7),
    ]  # fmt: skip
    assert kept(links, self_relations=False) == [0.7]


def test_the_end_that_a_dropped_relation_would_add_is_no_entity() -> None:
    links = (Relation(GENE, CELL, "INHIBITS", 0.9), Relation(GENE, OTHER, "INHIBITS", 0.8))
    limits: dict[str, Any] = {"relations_per_head": [["INHIBITS", 1]], "coherence": "add"}
    found = cohere(Extraction((GENE,), links), LABELS, Decoding(**limits), made(**limits))
    assert found.entities == (GENE, CELL) and found.relations == links[:1]


# Other readings


def query(
    relation: Sequence[float], head: Sequence[float] = (1.0, 0.0), tail: Sequence[float] = (0.0, 1.0)
) -> OpenRelation:
    """A relation from characters 0-2 to 4-6, with the probabilities of all labels."""

    def likeliest(shares: Sequence[float]) -> int:
        return max(range(len(shares)), key=lambda index: shares[index])

    label = likeliest(relation[1:])
    first: Any = RelationQuery(0, label, relation[1 + label], None, None)
    one, other = (
        Entity(*place, LABELS.entity[likeliest(types)], max(types))
        for place, types in (((0, 2), head), ((4, 6), tail))
    )
    found = OpenRelationQuery(first, [*relation], [*head], [*tail])
    return OpenRelation.of(Relation(one, other, LABELS.relation[label], relation[1 + label]), found)


def read(given: OpenRelation, schema: Any, *entities: Entity, **settings: Any) -> list[tuple[str, ...]]:
    """Labels of head, relation and tail of what is decoded."""
    decoding = Decoding(schema=schema, **settings)
    found = cohere(Extraction(entities or (given.head, given.tail), (given,)), LABELS, decoding, made(schema))
    return [(x.head.label, x.label, x.tail.label) for x in found.relations]


@pytest.mark.parametrize("coherence", COHERENCE)
def test_a_permitted_relation_stays_as_it_is(coherence: str) -> None:
    given = query([0.1, 0.3, 0.6])
    decoding = Decoding(coherence=coherence)
    found = cohere(Extraction((given.head, given.tail), (given,)), LABELS, decoding, made("observed"))
    assert found.relations == (Relation(given.head, given.tail, "INHIBITS"),)
    assert found.relations[0].score == 0.6 and found.forbidden == (0, 0)
    assert type(found.relations[0]) is Relation


@pytest.mark.parametrize("coherence", COHERENCE)
def test_the_next_best_label_has_the_share_of_what_is_forbidden(coherence: str) -> None:
    given = query([0.1, 0.3, 0.6])
    schema = made([[None, "BINDS", None]])
    decoding = Decoding(coherence=coherence)
    found = cohere(Extraction((given.head, given.tail), (given,)), LABELS, decoding, schema)
    assert found.relations == (Relation(given.head, given.tail, "BINDS"),)
    assert found.relations[0].score == pytest.approx(0.3 / (0.1 + 0.3))
    assert found.forbidden == (1, 0)


@pytest.mark.parametrize(("threshold", "emitted"), [(0.74, 1), (0.76, 0), (0.0, 1), (1.0, 0), (None, 1)])
def test_the_next_best_label_has_to_reach_the_threshold(threshold: float | None, emitted: int) -> None:
    found = read(query([0.1, 0.3, 0.6]), [[None, "BINDS", None]], relation_threshold=threshold)
    assert len(found) == emitted


def test_without_a_threshold_no_relation_must_be_less_likely() -> None:
    forbidden = [[None, "BINDS", None]]
    assert not read(query([0.31, 0.3, 0.39]), forbidden, relation_threshold=None)
    assert read(query([0.29, 0.3, 0.41]), forbidden, relation_threshold=None) == [("GENE", "BINDS", "CELL")]


@pytest.mark.parametrize("coherence", ["add", "off"])
def test_the_likelier_of_another_label_and_another_end(coherence: str) -> None:
    schema = [[None, "BINDS", None], ["CELL", "INHIBITS", "CELL"]]
    # the label first: 0.3 / 0.6 above 0.4 / 0.6, then the end
    for head, expected in (
        ((0.8, 0.2), ("GENE", "BINDS", "CELL")),
        ((0.55, 0.45), ("CELL", "INHIBITS", "CELL")),
    ):
        given = query([0.1, 0.3, 0.6], head)
        assert read(given, schema, coherence=coherence) == [expected]


def test_an_end_that_is_added_has_the_label_that_was_read() -> None:
    given = query([0.1, 0.1, 0.8], (0.6, 0.4))
    schema = [["CELL", "INHIBITS", "CELL"]]
    found = cohere(Extraction((given.tail,), (given,)), LABELS, Decoding(coherence="add"), made(schema))
    added = Entity(0, 2, "CELL")
    assert found.entities == (added, given.tail) and found.relations == (
        Relation(added, given.tail, "INHIBITS"),
    )
    assert found.entities[0].score == pytest.approx(0.4)


@pytest.mark.parametrize("coherence", ["snap", "drop"])
def test_another_label_of_an_end_has_to_be_an_entity(coherence: str) -> None:
    given = query([0.1, 0.1, 0.8], (0.6, 0.4))
    schema, other = [["CELL", "INHIBITS", "CELL"]], Entity(0, 2, "CELL")
    assert read(given, schema, given.head, given.tail, coherence=coherence) == []
    both = read(given, schema, given.head, other, given.tail, coherence=coherence)
    assert both == [("CELL", "INHIBITS", "CELL")]


def test_the_labels_that_count_are_those_of_the_entities_that_ends_snap_to() -> None:
    # the query says GENE, the entity is a CELL
    schema, near = [["GENE", "INHIBITS", "CELL"], ["CELL", "BINDS", "CELL"]], Entity(0, 3, "CELL")
    sure, unsure = query([0.1, 0.3, 0.6]), query([0.1, 0.3, 0.6], (0.6, 0.4))
    assert read(unsure, schema, near, unsure.tail) == [("CELL", "BINDS", "CELL")]
    assert read(sure, schema, near, sure.tail) == [], "the end is no CELL"
    assert read(sure, [["CELL", "INHIBITS", "CELL"]], near, sure.tail) == [("CELL", "INHIBITS", "CELL")]


def test_a_directed_label_is_read_in_the_direction_of_the_query() -> None:
    # its first reading is symmetric and is stored from the earlier end, here the tail
    head, tail = Entity(4, 6, "GENE", 1.0), Entity(0, 2, "CELL", 1.0)
    given_ = OpenRelation.of(Relation(head, tail, "BINDS", 0.6), query([0.1, 0.6, 0.3]).query)
    found = cohere(Extraction((head, tail), (given_,)), LABELS, Decoding(), made("observed"))
    assert found.relations == (Relation(head, tail, "INHIBITS"),)


def test_a_plain_relation_that_is_forbidden_is_dropped() -> None:
    links = (Relation(GENE, OTHER, "INHIBITS"), Relation(GENE, CELL, "INHIBITS"))
    found = cohere(Extraction((GENE, CELL, OTHER), links), LABELS, Decoding(), made("observed"))
    assert found.relations == links[1:] and found.forbidden == (0, 1) and found.joined == (2, 2)


SHARES = st.lists(st.floats(0.01, 1), min_size=3, max_size=3).map(lambda x: [y / sum(x) for y in x])
TYPES = st.floats(0.0, 1.0).map(lambda x: (x, 1 - x))
TRIPLES = st.sets(
    st.tuples(*map(st.sampled_from, (LABELS.entity, LABELS.relation, LABELS.entity))), min_size=1
)


@given(SHARES, TYPES, TYPES, TRIPLES, st.sampled_from([None, 0.0, 0.3, 0.5, 0.9]))
def test_readings_are_those_of_a_slow_loop(
    shares: list[float], head: tuple[float, float], tail: tuple[float, float],
    triples: set[tuple[str, str, str]], threshold: float | None,
) -> None:  # fmt: skip
    given_ = query(shares, head, tail)
    schema = made([[*x] for x in triples])
    found = permitted_reading(given_, lambda end: end, schema, threshold)
    weights = {
        (one, label, other): shares[1 + LABELS.relation.index(label)]
        * head[LABELS.entity.index(one)] / max(head) * tail[LABELS.entity.index(other)] / max(tail)
        for one, label, other in product(LABELS.entity, LABELS.relation, LABELS.entity)
        if schema.permits(one, label, other)
    }  # fmt: skip
    if schema.permits(given_.head.label, given_.label, given_.tail.label):
        assert found is given_
        return
    best = max(weights, key=lambda key: weights[key], default=None)
    if best is None or weights[best] == 0:
        assert found is None
        return
    rivals = sum(x for (one, _, other), x in weights.items() if (one, other) == (best[0], best[2]))
    score = weights[best] / (shares[0] + rivals)
    value, bound = (weights[best], shares[0]) if threshold is None else (score, threshold)
    assert value == pytest.approx(bound) or (found is not None) == (value > bound)
    if found is not None:
        assert weights[found.head.label, found.label, found.tail.label] == pytest.approx(weights[best])
        assert 0 < found.score <= 1


ENTITIES = st.builds(
    lambda place, label: Entity(*place, label), st.sampled_from([(0, 2), (1, 3), (4, 6), (5, 7)]),
    st.sampled_from(LABELS.entity),
)  # fmt: skip
QUERIES = st.builds(query, SHARES, TYPES, TYPES)
LIMITS = st.sampled_from([[], [[None, 1]], [["BINDS", 1], ["INHIBITS", 2]]])


@given(
    st.lists(ENTITIES, max_size=5), st.lists(QUERIES, max_size=4), TRIPLES, st.sampled_from(COHERENCE),
    LIMITS, LIMITS, st.booleans(), st.booleans(),
)  # fmt: skip
def test_what_is_decoded_is_permitted_whatever_comes_in(
    entities: list[Entity], relations: list[OpenRelation], triples: set[tuple[str, str, str]], coherence: str,
    per_head: Any, per_tail: Any, alone: bool, remove_overlaps: bool,
) -> None:  # fmt: skip
    settings: dict[str, Any] = {
        "schema": [[*x] for x in triples], "relations_per_head": per_head, "relations_per_tail": per_tail,
        "self_relations": alone,
    }  # fmt: skip
    decoding = Decoding(coherence=coherence, remove_overlaps=remove_overlaps, **settings)
    schema = made(**settings)
    extraction = Extraction(tuple(entities), tuple(relations))
    found = cohere(extraction, LABELS, decoding, schema)
    free = cohere(extraction, LABELS, decoding)
    members = {id(x) for x in found.entities}
    for relation in found.relations:
        assert schema.permits(relation.head.label, relation.label, relation.tail.label)
        assert coherence == "off" or {id(relation.head), id(relation.tail)} <= members
        assert alone or relation.head.start != relation.tail.start or relation.head.end != relation.tail.end
    assert schema.limit(found.relations) == sorted(found.relations, key=lambda x: (-x.score, x))
    assert found.joined == free.joined
    if coherence != "add":
        assert found.entities == free.entities
    assert found.forbidden is not None and found.joined is not None
    assert found.forbidden[1] + len(found.relations) <= found.joined[1]
    assert cohere(found, LABELS, decoding, schema) == found, "what is permitted stays as it is"


# From the tensors


def outputs(relation: torch.Tensor, head: torch.Tensor, tail: torch.Tensor, first: int = 0) -> Outputs:
    """One relation from a position to the next but one, and its entities."""

    def span(at: int, types: torch.Tensor) -> Spans:
        sure = torch.full((1, 1, 8), -30.0)
        sure[..., at] = 30.0
        return Spans(sure, sure, types)

    one, other = span(first, head), span(first + 2, tail)
    entity = Spans(*(torch.cat([x, y], dim=1) for x, y in zip(one[:3], other[:3], strict=True)))  # type: ignore[arg-type]
    masks = torch.ones(1, 2, dtype=torch.bool), torch.ones(1, 1, dtype=torch.bool)
    return Outputs(entity, one, other, relation, *masks)


def test_readings_come_from_the_probabilities_of_the_network() -> None:
    (window,) = by_character(["x" * 8], 8, 0)
    gene, cell = logits(0.1, 0.85, 0.05), logits(0.1, 0.05, 0.85)
    out = outputs(logits(0.1, 0.3, 0.6), gene, cell)
    schema = made([[None, "BINDS", None]])
    found = extract(out, [window], LABELS, Decoding(), schema)
    (plain,) = extract(out, [window], LABELS, Decoding())
    assert len(found[0].relations) == 1 and found[0].entities == plain.entities
    (text,) = merge([window], found, 1)
    (relation,) = cohere(text, LABELS, Decoding(), schema).relations
    assert relation == Relation(Entity(0, 1, "GENE"), Entity(2, 3, "CELL"), "BINDS")
    assert relation.score == pytest.approx(0.75)
    # limits alone need no other readings
    (limited,) = extract(out, [window], LABELS, Decoding(), made(self_relations=False))
    assert limited == plain and type(limited.relations[0]) is Relation


def test_windows_that_see_one_relation_give_it_once() -> None:
    windows = by_character(["x" * 12], 8, 3)
    assert [int(window.start[0]) for window in windows] == [0, 5]
    gene, cell = logits(0.1, 0.85, 0.05), logits(0.1, 0.05, 0.85)
    schema = made([[None, "BINDS", None]])
    seen = [outputs(logits(0.1, 0.3, 0.6), gene, cell, at) for at in (5, 0)]
    found = [extract(x, [one], LABELS, Decoding(), schema)[0] for x, one in zip(seen, windows, strict=True)]
    (text,) = merge(windows, found, 1)
    assert len(text.relations) == 2
    decoded = cohere(text, LABELS, Decoding(), schema)
    assert decoded.relations == (Relation(Entity(5, 6, "GENE"), Entity(7, 8, "CELL"), "BINDS"),)
    assert decoded.forbidden == (1, 0), "both windows gave one relation"


def test_triples_of_symmetric_labels_are_in_order() -> None:
    assert triple(Relation(GENE, CELL, "BINDS"), ["BINDS"]) == ("CELL", "BINDS", "GENE")
    assert triple(Relation(GENE, CELL, "BINDS"), []) == ("GENE", "BINDS", "CELL")
    assert Labels.of(TRAINED) == LABELS
