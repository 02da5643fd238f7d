"""The registered scorer on Docs, and through `nlp.evaluate`. The arithmetic is tested in test_scoring.py."""

from __future__ import annotations

import pytest
import spacy
from pipelines import bare, initialize, make_examples, make_nlp, make_text, pipe_of, tiny
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_bispn import annotations
from spacy_bispn.evaluation.scorer import make_scorer, score
from spacy_bispn.model.coherence import cohere
from spacy_bispn.model.decoding import COHERENCE, Decoding
from spacy_bispn.records import Entity, Extraction, Labels, Relation

PAIR = make_text(
    "Tem2 binds Dal92 in EG-35 cells.",
    [("Tem2", "P"), ("Dal92", "P"), ("EG-35 cells", "CELL"), ("EG-35", "CELL")],
    [(0, 1, "BINDS")],
)
KEYS = {
    f"{unit}_{ratio}"
    for unit in (
        "ents", "ents_macro", "ents_boundary", "rel_micro", "rel_macro", "rel_boundary",
        "spans_bispn", "spans_bispn-relations",
    )
    for ratio in "prf"
} | {"ents_per_type", "rel_per_type", "bispn_coherence", "bispn_raw_coherence"}  # fmt: skip
KEYS |= {"spans_bispn_per_type", "spans_bispn-relations_per_type"}
KEYS |= {"bispn_schema_changed", "bispn_schema_dropped"}


@pytest.fixture
def example() -> Example:
    """Gold, and a Doc on which nothing was predicted yet."""
    (made,) = make_examples(make_nlp(), [PAIR])
    return made


def copied(example: Example) -> Example:
    return Example(example.reference.copy(), example.reference)


def test_is_registered() -> None:
    assert spacy.registry.scorers.get("spacy-bispn.scorer.v1")() is score
    assert make_scorer() is score


def test_a_perfect_prediction(example: Example) -> None:
    scores = score([copied(example)])
    assert scores.keys() == KEYS
    assert {value for value in scores.values() if isinstance(value, float)} == {1.0}
    assert scores["bispn_raw_coherence"] is None, "only the component knows it"
    assert scores["ents_per_type"].keys() == {"P", "CELL"}
    assert scores["rel_per_type"] == {"BINDS": {"p": 1.0, "r": 1.0, "f": 1.0}}


def test_what_is_missing_counts(example: Example) -> None:
    scores = score([example])
    assert (scores["ents_r"], scores["rel_micro_r"]) == (0.0, 0.0)
    scores = score([copied(example), example])
    assert (scores["ents_p"], scores["ents_r"], scores["rel_micro_r"]) == (1.0, 0.5, 0.5)
    assert score([example])["bispn_coherence"] is None, "nothing was predicted"


def test_nested_entities_count(example: Example) -> None:
    predicted = bare(make_nlp(), example.reference)
    predicted.set_ents(
        [Span(predicted, ent.start, ent.end, label=ent.label_) for ent in example.reference.ents]
    )
    scores = score([Example(predicted, example.reference)])
    assert scores["ents_r"] == 0.75, "of a pipeline that only sets doc.ents, those that do not overlap"


def test_gold_without_annotation_has_no_score(example: Example) -> None:
    unknown = Example(example.reference.copy(), bare(make_nlp(), example.reference))
    scores = score([unknown])
    assert scores.keys() == KEYS
    assert {key for key, value in scores.items() if value is not None} == {"bispn_coherence"}
    assert score([unknown, copied(example)])["rel_micro_p"] == 1.0


def test_gold_with_entities_only(example: Example) -> None:
    gold = example.reference.copy()
    del gold.spans["bispn"]
    scores = score([Example(example.reference.copy(), gold)])
    assert scores["rel_micro_f"] is None and scores["rel_per_type"] is None
    assert scores["ents_r"] == 1.0


def test_no_relations_is_an_annotation(example: Example) -> None:
    gold = example.reference.copy()
    gold._.relations = []
    assert score([Example(example.reference.copy(), gold)])["rel_micro_p"] == 0.0


def test_tokens_of_the_prediction_may_differ(example: Example) -> None:
    text = example.reference.text
    words = ["Tem2", "binds", "Dal92", "in EG-35 cells."]
    tokens = Doc(example.reference.vocab, words=words, spaces=[True, True, True, False])
    assert tokens.text == text
    tokens._.relations = []
    head, tail = Span(tokens, 0, 1, label="P"), Span(tokens, 2, 3, label="P")
    tokens.spans["bispn"].extend([head, tail])
    scores = score([Example(tokens, example.reference)])
    assert (scores["ents_p"], scores["ents_r"]) == (1.0, 0.5)


@pytest.mark.parametrize(("symmetric", "found"), [([], 0.0), (["BINDS"], 1.0)])
def test_symmetric_labels_come_from_the_component(
    example: Example, symmetric: list[str], found: float
) -> None:
    nlp = make_nlp(tiny(symmetric_labels=symmetric))
    turned = copied(example)
    (relation,) = turned.predicted._.relations
    turned.predicted._.relations = [type(relation)(relation.tail, relation.head, "BINDS")]
    assert pipe_of(nlp).score([turned])["rel_micro_f"] == found


def test_evaluate_of_the_pipeline() -> None:
    nlp = make_nlp()
    examples = initialize(nlp, [PAIR])
    scores = nlp.evaluate(examples)
    assert scores.keys() >= KEYS | {"token_acc", "speed"}
    assert 0.0 <= scores["ents_f"] <= 1.0


def test_the_scorer_may_be_left_out() -> None:
    nlp = make_nlp(tiny(scorer=None))
    assert not KEYS & nlp.evaluate(initialize(nlp, [PAIR])).keys()


@pytest.mark.parametrize("coherence", COHERENCE)
def test_raw_coherence_does_not_depend_on_what_becomes_of_relations(coherence: str, example: Example) -> None:
    tem, dal, eg = Entity(0, 4, "P"), Entity(11, 16, "P"), Entity(20, 25, "CELL")
    near = Entity(0, 10, "P")
    relations = (Relation(tem, dal, "BINDS"), Relation(near, dal, "BINDS"), Relation(tem, eg, "BINDS"))
    found = cohere(Extraction((tem, dal), relations), Labels(), Decoding(coherence=coherence))
    annotations.write(example.predicted, found)
    for predicted in (
        example.predicted,
        Doc(example.predicted.vocab).from_bytes(example.predicted.to_bytes()),
    ):
        scores = score([Example(predicted, example.reference)])
        assert scores["bispn_raw_coherence"] == pytest.approx(1 / 3)
        assert scores["bispn_coherence"] == (pytest.approx(1 / 3) if coherence == "off" else 1.0)
        assert scores["rel_micro_r"] == 1.0


def test_spacy_s_report_has_the_strict_scores_of_both_groups(example: Example) -> None:
    half = copied(example)
    half.predicted._.relations = []
    scores = score([half, copied(example)])
    for group, name in (("bispn", "ents"), ("bispn-relations", "rel_micro")):
        for ratio in "prf":
            assert scores[f"spans_{group}_{ratio}"] == scores[f"{name}_{ratio}"]
    assert scores["spans_bispn_r"] == 1.0 and scores["spans_bispn-relations_r"] == 0.5
    assert scores["spans_bispn-relations_per_type"]["BINDS"]["r"] == 0.5
    assert scores["spans_bispn_per_type"].keys() == {"P", "CELL"}


def test_a_later_component_takes_the_names_of_its_scores_but_no_others(example: Example) -> None:
    nlp = make_nlp()
    examples = initialize(nlp, [PAIR])
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "CELL", "pattern": "EG-35 cells"}])
    apart = nlp.evaluate(examples, per_component=True)
    together = nlp.evaluate(examples)
    assert together["ents_per_type"] == apart["entity_ruler"]["ents_per_type"]
    assert (together["ents_per_type"]["CELL"]["r"], apart["bispn"]["ents_per_type"]["CELL"]["r"]) == (
        1.0,
        0.5,
    )
    assert together["spans_bispn_per_type"] == apart["bispn"]["ents_per_type"]
