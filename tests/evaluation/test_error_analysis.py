"""Every gold and predicted item stands in exactly one class, and in the one that is meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_bispn.evaluation.error_analysis import (
    ENTITY_CLASSES,
    RELATION_CLASSES,
    compare_entities,
    compare_relations,
    describe,
    entity_errors,
    relation_errors,
)
from spacy_bispn.records import AnnotatedText, Entity, Extraction, Relation

TEXT = "ORC and Cdc6p bind ATP."
ORC, CDC6, ATP = Entity(0, 3, "protein"), Entity(8, 13, "protein"), Entity(19, 22, "chemical")
GOLD = Extraction((ORC, CDC6, ATP), (Relation(ORC, ATP, "binds"),))


def entity_classes(gold: list[Entity], predicted: list[Entity]) -> list[str]:
    return [case.kind for case in compare_entities(gold, predicted)]


def relation_classes(predicted: Extraction, gold: Extraction = GOLD, symmetric: tuple[str, ...] = ()) -> list:
    return [case.kind for case in compare_relations(gold, predicted, symmetric)]


@pytest.mark.parametrize(
    ("gold", "predicted", "classes"),
    [
        ([ORC], [ORC], ["correct"]),
        ([ORC], [Entity(0, 3, "chemical")], ["wrong type"]),
        ([ORC], [Entity(0, 4, "protein")], ["wrong boundary"]),
        ([ORC], [Entity(1, 7, "chemical")], ["wrong both"]),
        ([ORC], [], ["missed"]),
        ([], [ORC], ["spurious"]),
        ([ORC], [Entity(3, 7, "protein")], ["missed", "spurious"]),  # beside, not over
        ([ORC], [Entity(0, 3, "chemical"), Entity(0, 4, "protein")], ["wrong type", "spurious"]),
        ([ORC, Entity(0, 7, "protein")], [ORC], ["correct", "missed"]),
        ([ORC], [ORC, Entity(0, 7, "protein")], ["correct", "spurious"]),
        ([ORC, ORC], [ORC, Entity(0, 3, "protein", score=0.4)], ["correct"]),
    ],
)
def test_classes_of_entities(gold: list[Entity], predicted: list[Entity], classes: list[str]) -> None:
    assert entity_classes(gold, predicted) == classes


def test_the_closest_span_is_the_one_that_was_meant() -> None:
    long, short = Entity(0, 13, "protein"), Entity(0, 4, "protein")
    pair, left = compare_entities([ORC], [long, short])
    assert (pair.kind, pair.gold, pair.predicted) == ("wrong boundary", ORC, short)
    assert (left.kind, left.gold, left.predicted) == ("spurious", None, long)


BOTH = (ORC, CDC6, ATP)
WIDE = Entity(0, 7, "protein")
DRUG = Entity(19, 22, "drug")


@pytest.mark.parametrize(
    ("entities", "relations", "classes"),
    [
        (BOTH, [Relation(ORC, ATP, "binds")], ["correct"]),
        (BOTH, [Relation(ORC, ATP, "inhibits")], ["wrong label"]),
        (BOTH, [Relation(ATP, ORC, "binds")], ["wrong direction"]),
        (BOTH, [Relation(ATP, ORC, "inhibits")], ["missed", "spurious"]),
        ((WIDE, ATP), [Relation(WIDE, ATP, "binds")], ["wrong ends"]),
        ((ORC, DRUG), [Relation(ORC, DRUG, "binds")], ["wrong ends"]),
        ((WIDE, DRUG), [Relation(WIDE, DRUG, "binds")], ["wrong ends"]),
        ((WIDE, ATP), [Relation(WIDE, ATP, "inhibits")], ["missed", "spurious"]),
        (BOTH, [Relation(CDC6, ATP, "binds")], ["missed", "spurious"]),  # another protein altogether
        (BOTH, [], ["missed"]),
        ((WIDE, ATP), [], ["missed"]),  # its entity was seen, if wrongly
        ((ORC,), [], ["missed with an end"]),
        ((), [], ["missed with an end"]),
    ],
)
def test_classes_of_relations(
    entities: tuple[Entity, ...], relations: list[Relation[Entity]], classes: list[str]
) -> None:
    assert relation_classes(Extraction(entities, tuple(relations))) == classes


@pytest.mark.parametrize(
    ("relation", "classes"),
    [
        (Relation(ATP, ORC, "binds"), ["correct"]),
        (Relation(ATP, ORC, "inhibits"), ["wrong label"]),
        (Relation(ATP, WIDE, "binds"), ["wrong ends"]),
        (Relation(DRUG, CDC6, "binds"), ["missed", "spurious"]),
    ],
)
def test_a_symmetric_label_has_no_direction(relation: Relation[Entity], classes: list[str]) -> None:
    predicted = Extraction((*BOTH, WIDE, DRUG), (relation,))
    assert relation_classes(predicted, symmetric=("binds",)) == classes


def test_both_directions_of_a_symmetric_relation_are_one_item() -> None:
    both = Extraction(BOTH, (Relation(ORC, ATP, "binds"), Relation(ATP, ORC, "binds")))
    assert relation_classes(both, symmetric=("binds",)) == ["correct"]
    assert relation_classes(both) == ["correct", "spurious"]


def test_an_entity_may_be_related_to_itself() -> None:
    dimer = Extraction((ORC,), (Relation(ORC, ORC, "binds"),))
    assert relation_classes(dimer, dimer) == ["correct"]


def test_counts_and_examples_of_entities() -> None:
    text = AnnotatedText("t1", TEXT, GOLD)
    predicted = Extraction((Entity(0, 3, "chemical"), CDC6, Entity(14, 18, "verb")))
    report = entity_errors([(text, predicted)])
    assert tuple(report) == ENTITY_CLASSES
    assert {kind: found["count"] for kind, found in report.items()} == {
        "correct": 1, "wrong type": 1, "wrong boundary": 0, "wrong both": 0, "missed": 1, "spurious": 1,
    }  # fmt: skip
    assert report["wrong type"]["examples"] == [
        {"id": "t1", "text": TEXT, "gold": "ORC (protein)", "predicted": "ORC (chemical)"}
    ]
    assert report["missed"]["examples"] == [
        {"id": "t1", "text": TEXT, "gold": "ATP (chemical)", "predicted": None}
    ]


def test_counts_and_examples_of_relations() -> None:
    text = AnnotatedText("t1", TEXT, GOLD)
    report = relation_errors([(text, Extraction(BOTH, (Relation(ATP, ORC, "binds"),)))])
    assert tuple(report) == RELATION_CLASSES
    assert [kind for kind, found in report.items() if found["count"]] == ["wrong direction"]
    (example,) = report["wrong direction"]["examples"]
    assert example["gold"] == "ORC (protein) — binds → ATP (chemical)"
    assert example["predicted"] == "ATP (chemical) — binds → ORC (protein)"


def test_only_the_first_examples_are_kept() -> None:
    texts = [(AnnotatedText(str(number), TEXT, GOLD), Extraction()) for number in range(5)]
    report = entity_errors(texts, shown=2)["missed"]
    assert report["count"] == 15
    assert [(example["id"], example["gold"]) for example in report["examples"]] == [
        ("0", "ORC (protein)"),
        ("0", "Cdc6p (protein)"),
    ]


def test_an_example_shows_the_surroundings_on_one_line() -> None:
    text = AnnotatedText("t", f"{'x' * 50} a\nb {'y' * 50}", Extraction((Entity(51, 52, "L"),)))
    (example,) = entity_errors([(text, Extraction())])["missed"]["examples"]
    assert example["text"] == f"…{'x' * 29} a b {'y' * 27}…"


def test_items_in_words() -> None:
    assert describe(CDC6, TEXT) == "Cdc6p (protein)"
    assert describe(Relation(ORC, ATP, "binds"), TEXT) == "ORC (protein) — binds → ATP (chemical)"


spans = st.tuples(st.integers(0, 5), st.integers(1, 4)).map(lambda found: (found[0], found[0] + found[1]))
entities = st.builds(lambda span, label: Entity(*span, label), spans, st.sampled_from("AB"))


@st.composite
def extractions(draw: st.DrawFn) -> Extraction:
    """Entities, and relations most of which join two of them."""
    found = draw(st.lists(entities, max_size=6))
    ends = st.sampled_from(found) | entities if found else entities
    relations = st.builds(Relation, ends, ends, st.sampled_from(["binds", "causes"]))
    return Extraction(tuple(found), tuple(draw(st.lists(relations, max_size=6))))


@given(extractions(), extractions())
def test_classes_partition_the_entities(gold: Extraction, predicted: Extraction) -> None:
    cases = compare_entities(gold.entities, predicted.entities)
    golds = [case.gold for case in cases if case.gold]
    guesses = [case.predicted for case in cases if case.predicted]
    assert sorted(golds) == sorted(set(gold.entities))
    assert sorted(guesses) == sorted(set(predicted.entities))
    for case in cases:
        assert case.kind in ENTITY_CLASSES
        assert (case.predicted is None) == (case.kind == "missed")
        assert (case.gold is None) == (case.kind == "spurious")
        assert (case.gold == case.predicted) == (case.kind == "correct")


@given(extractions(), extractions(), st.sampled_from([(), ("binds",)]))
def test_classes_partition_the_relations(
    gold: Extraction, predicted: Extraction, symmetric: tuple[str, ...]
) -> None:
    cases = compare_relations(gold, predicted, symmetric)
    for items, ours in (
        (gold.relations, [case.gold for case in cases if case.gold]),
        (predicted.relations, [case.predicted for case in cases if case.predicted]),
    ):
        turned = {Relation(x.tail, x.head, x.label) for x in items if x.label in symmetric}
        assert len(ours) == len(set(ours))
        assert set(ours) <= set(items) | turned
        assert set(items) <= set(ours) | {Relation(x.tail, x.head, x.label) for x in ours}
    for case in cases:
        assert case.kind in RELATION_CLASSES
        assert (case.predicted is None) == case.kind.startswith("missed")
        assert (case.gold is None) == (case.kind == "spurious")
        assert (case.gold == case.predicted) == (case.kind == "correct")


@given(extractions(), extractions())
def test_the_order_of_items_changes_nothing(gold: Extraction, predicted: Extraction) -> None:
    turned = Extraction(predicted.entities[::-1], predicted.relations[::-1])
    assert compare_entities(gold.entities, predicted.entities) == compare_entities(
        gold.entities[::-1], turned.entities
    )
    assert compare_relations(gold, predicted) == compare_relations(gold, turned)
