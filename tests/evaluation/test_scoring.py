"""Scores are exact matches between sets: what counts as a hit, a miss and a false alarm."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_bispn.evaluation.scoring import PRF, Pair, count_units, score_extractions
from spacy_bispn.records import Entity, Extraction, Relation

# ORC and Cdc6p bind ATP.
ORC = Entity(0, 3, "protein")
CDC6 = Entity(8, 13, "protein")
ATP = Entity(19, 22, "chemical")
GOLD = Extraction((ORC, CDC6, ATP), (Relation(ORC, ATP, "binds"), Relation(CDC6, ATP, "binds")))


def score(predicted: Extraction, gold: Extraction = GOLD, symmetric: tuple[str, ...] = ()) -> dict:
    return score_extractions([(gold, predicted)], symmetric)


def test_a_perfect_prediction_scores_one():
    scores = score(GOLD)
    for key in ("ents_f", "ents_macro_f", "ents_boundary_f", "rel_micro_f", "rel_macro_f", "rel_boundary_f"):
        assert scores[key] == 1.0
    assert scores["bispn_coherence"] == 1.0


def test_no_prediction_makes_everything_a_false_negative():
    scores = score(Extraction())
    assert (scores["ents_p"], scores["ents_r"], scores["ents_f"]) == (0.0, 0.0, 0.0)
    assert (scores["rel_micro_p"], scores["rel_micro_r"], scores["rel_micro_f"]) == (0.0, 0.0, 0.0)
    assert scores["bispn_coherence"] is None


def test_nothing_to_find_and_nothing_found_is_zero_not_an_error():
    scores = score(Extraction(), gold=Extraction())
    assert (scores["ents_f"], scores["ents_macro_f"], scores["rel_micro_f"]) == (0.0, 0.0, 0.0)
    assert scores["ents_per_type"] == scores["rel_per_type"] == {}


def test_a_wrong_label_is_a_strict_miss_but_a_boundary_hit():
    scores = score(Extraction((Entity(0, 3, "chemical"), CDC6, ATP)))
    assert scores["ents_p"] == scores["ents_r"] == pytest.approx(2 / 3)
    assert scores["ents_boundary_f"] == 1.0


def test_a_span_that_is_one_character_off_is_a_miss_everywhere():
    scores = score(Extraction((Entity(0, 4, "protein"), CDC6, ATP)))
    assert scores["ents_f"] == scores["ents_boundary_f"] == pytest.approx(2 / 3)


def test_micro_counts_items_and_macro_averages_labels():
    scores = score(Extraction((ORC, ATP)))
    assert scores["ents_per_type"] == {
        "chemical": {"p": 1.0, "r": 1.0, "f": 1.0},
        "protein": {"p": 1.0, "r": 0.5, "f": pytest.approx(2 / 3)},
    }
    assert (scores["ents_p"], scores["ents_r"]) == (1.0, pytest.approx(2 / 3))
    assert (scores["ents_macro_p"], scores["ents_macro_r"]) == (1.0, 0.75)
    # The mean of the labels' F1, not the F1 of the mean precision and recall.
    assert scores["ents_macro_f"] == pytest.approx((1 + 2 / 3) / 2)


def test_a_label_that_is_only_predicted_lowers_the_macro_average():
    scores = score(Extraction((ORC, CDC6, ATP, Entity(14, 18, "verb"))))
    assert scores["ents_macro_f"] == pytest.approx(2 / 3)


def test_strict_relations_compare_argument_labels_and_boundary_relations_do_not():
    orc = Entity(0, 3, "complex")
    predicted = Extraction((orc, CDC6, ATP), (Relation(orc, ATP, "binds"), Relation(CDC6, ATP, "binds")))
    scores = score(predicted)
    assert scores["rel_micro_f"] == 0.5
    assert scores["rel_boundary_f"] == 1.0


def test_a_wrong_relation_label_is_a_miss_strictly_and_by_boundaries():
    scores = score(Extraction(GOLD.entities, (Relation(ORC, ATP, "inhibits"), GOLD.relations[1])))
    assert scores["rel_micro_f"] == scores["rel_boundary_f"] == 0.5
    assert scores["rel_per_type"]["inhibits"] == {"p": 0.0, "r": 0.0, "f": 0.0}


def test_direction_counts_unless_the_label_is_symmetric():
    turned = Extraction(GOLD.entities, tuple(Relation(r.tail, r.head, r.label) for r in GOLD.relations))
    assert score(turned)["rel_micro_f"] == 0.0
    assert score(turned, symmetric=("binds",))["rel_micro_f"] == 1.0
    assert score(turned, symmetric=("binds",))["rel_boundary_f"] == 1.0


def test_both_directions_of_a_symmetric_relation_count_once():
    both = Extraction((ORC, ATP), (Relation(ORC, ATP, "binds"), Relation(ATP, ORC, "binds")))
    scores = score(both, symmetric=("binds",))
    assert (scores["rel_micro_p"], scores["rel_micro_r"]) == (1.0, 0.5)


def test_an_entity_may_be_related_to_itself():
    dimer = Extraction((ORC,), (Relation(ORC, ORC, "binds"),))
    assert score(dimer, gold=dimer, symmetric=("binds",))["rel_micro_f"] == 1.0


def test_duplicates_count_once_and_confidence_is_not_compared():
    doubtful = Entity(0, 3, "protein", score=0.3)
    assert score(Extraction((ORC, doubtful, CDC6, ATP), GOLD.relations))["ents_p"] == 1.0


def test_the_same_offsets_in_another_text_are_another_entity():
    scores = score_extractions([(Extraction((ORC,)), Extraction()), (Extraction(), Extraction((ORC,)))])
    assert scores["ents_f"] == 0.0


def test_texts_without_gold_relations_leave_relation_scores_alone():
    unsure = Pair(Extraction((ORC,)), GOLD, relations_annotated=False)
    scores = score_extractions([(GOLD, GOLD), unsure])
    assert scores["rel_micro_p"] == 1.0
    assert scores["ents_p"] == pytest.approx(4 / 6)


def test_scores_are_none_where_nothing_is_annotated():
    scores = score_extractions([Pair(Extraction(), GOLD, entities_annotated=False)])
    assert all(value is None for key, value in scores.items() if key.startswith("ents_"))
    assert scores["rel_micro_p"] == 0.0
    assert set(score_extractions([]).values()) == {None}
    assert set(score_extractions([])) == set(scores) == set(score(GOLD))


def test_coherence_is_the_share_of_relations_between_predicted_entities():
    assert score(Extraction((ORC, ATP), GOLD.relations))["bispn_coherence"] == 0.5
    relabelled = Entity(0, 3, "chemical")
    assert score(Extraction((ORC, ATP), (Relation(relabelled, ATP, "binds"),)))["bispn_coherence"] == 0.0


def test_units_are_counted_under_their_labels():
    gold = {(number, "protein") for number in range(5)} | {(9, "chemical")}
    predicted = {(number, "protein") for number in range(3, 9)}
    assert count_units(gold, predicted) == {"protein": PRF(2, 4, 3), "chemical": PRF(0, 0, 1)}


def test_counts_add_up():
    assert PRF(1, 2, 3) + PRF(tp=1) == PRF(2, 2, 3)
    assert PRF(tp=1, fp=1, fn=3).ratios() == {"p": 0.5, "r": 0.25, "f": pytest.approx(1 / 3)}


spans = st.tuples(st.integers(0, 4), st.integers(5, 7))
entities = st.builds(lambda span, label: Entity(*span, label), spans, st.sampled_from("AB"))
relations = st.builds(Relation, entities, entities, st.sampled_from(["binds", "causes"]))
extractions = st.builds(
    Extraction, st.lists(entities, max_size=5).map(tuple), st.lists(relations, max_size=5).map(tuple)
)
RATIOS = [
    f"{name}_{ratio}"
    for name in ("ents", "ents_macro", "ents_boundary", "rel_micro", "rel_macro", "rel_boundary")
    for ratio in "prf"
]


@given(extractions)
def test_any_extraction_agrees_with_itself(extraction):
    scores = score(extraction, gold=extraction)
    for key in RATIOS:
        has_any = extraction.entities if key.startswith("ents") else extraction.relations
        assert scores[key] == pytest.approx(1.0 if has_any else 0.0)


@given(st.lists(st.tuples(extractions, extractions), min_size=1, max_size=3))
def test_exchanging_gold_and_predictions_exchanges_precision_and_recall(pairs):
    scores = score_extractions(pairs)
    exchanged = score_extractions([(predicted, gold) for gold, predicted in pairs])
    other = {"p": "r", "r": "p", "f": "f"}
    for key in RATIOS:
        assert scores[key] == pytest.approx(exchanged[key[:-1] + other[key[-1]]])
        assert 0.0 <= scores[key] <= 1.0


@given(extractions, extractions)
def test_turning_symmetric_relations_changes_nothing(gold, predicted):
    turned = Extraction(
        predicted.entities,
        tuple(
            Relation(relation.tail, relation.head, relation.label) if relation.label == "binds" else relation
            for relation in predicted.relations
        ),
    )
    assert score(turned, gold, symmetric=("binds",)) == score(predicted, gold, symmetric=("binds",))


@given(extractions, extractions)
def test_boundaries_are_never_harder_than_boundaries_with_labels(gold, predicted):
    scores = score(predicted, gold)
    # Hits only: two labels on one span are two strict units but one pair of boundaries.
    assert scores["ents_boundary_f"] > 0 or scores["ents_f"] == 0
    assert scores["rel_boundary_f"] > 0 or scores["rel_micro_f"] == 0
