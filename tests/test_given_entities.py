"""A component that finds relations between given entities: trained, saved, behind other components."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import spacy
from pipelines import CNN, demo_texts, initialize, listening, make_examples, make_nlp, tiny, train
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_bispn import annotations
from spacy_bispn.attention_maps import attention_map
from spacy_bispn.cli.continue_config import continued
from spacy_bispn.cli.sources import GOLD_SPANS, take_gold
from spacy_bispn.corpus_reader import give_entities, predict_examples
from spacy_bispn.evaluation.scoring import score_extractions
from spacy_bispn.records import AnnotatedText
from spacy_bispn.training.comparison import compare_pipelines


def given_docs(nlp: Language, texts: list[AnnotatedText]) -> list[Example]:
    """Examples whose predicted Docs have the gold entities in a group."""
    examples = make_examples(nlp, texts)
    for example in examples:
        give_entities(example, "given")
    return examples


def f1(examples: list[Example]) -> float:
    pairs = [(annotations.read(x.reference), annotations.read(x.predicted)) for x in examples]
    return float(score_extractions(pairs)["rel_micro_f"])


@pytest.fixture(scope="module")
def texts() -> list[AnnotatedText]:
    return demo_texts(24)


@pytest.fixture(scope="module")
def nlp(texts: list[AnnotatedText]) -> Language:
    nlp = make_nlp(tiny(entities="given"))
    train(nlp, initialize(nlp, texts), 150)
    return nlp


@pytest.mark.slow
def test_relations_join_exactly_what_was_given(nlp: Language, texts: list[AnnotatedText]) -> None:
    examples = given_docs(nlp, texts)
    for example in examples:
        example.predicted = nlp(example.predicted)
        gold, found = (annotations.read(doc) for doc in (example.reference, example.predicted))
        assert found.entities == gold.entities  # nested ones, too
        assert all({x.head, x.tail} <= set(gold.entities) for x in found.relations)
    assert f1(examples) > 0.9


@pytest.mark.slow
def test_nothing_given_nothing_found(nlp: Language, texts: list[AnnotatedText]) -> None:
    doc = nlp(texts[0].text)
    assert annotations.read(doc).entities == () == doc._.relations
    with pytest.raises(ValueError, match="the text has 0 entity and 0 relation queries"):
        attention_map(nlp.get_pipe("bispn"), doc)


@pytest.mark.slow
def test_a_saved_pipeline_predicts_the_same(
    nlp: Language, texts: list[AnnotatedText], tmp_path: Path
) -> None:
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    for one, other in zip(given_docs(nlp, texts[:4]), given_docs(loaded, texts[:4]), strict=True):
        assert annotations.read(nlp(one.predicted)) == annotations.read(loaded(other.predicted))


@pytest.mark.slow
def test_a_batch_predicts_what_its_texts_predict(nlp: Language, texts: list[AnnotatedText]) -> None:
    alone = [nlp(x.predicted) for x in given_docs(nlp, texts)]
    together = nlp.pipe([x.predicted for x in given_docs(nlp, texts)])
    for one, other in zip(alone, together, strict=True):
        first, second = annotations.read(one), annotations.read(other)
        assert first == second
        assert [x.score for x in first.relations] == pytest.approx(
            [x.score for x in second.relations], abs=1e-4
        )


@pytest.mark.slow
def test_several_labels_on_one_span_are_told_apart(nlp: Language, texts: list[AnnotatedText]) -> None:
    [example] = given_docs(nlp, texts[:1])
    doc = example.predicted
    group = list(doc.spans["given"])
    doc.spans["given"] = [*group, *(Span(doc, x.start, x.end, "UNHEARD_OF") for x in group)]
    found = annotations.read(nlp(doc))
    assert {x.label for x in found.entities} >= {"UNHEARD_OF"}
    assert set(annotations.read(example.reference).entities) < set(found.entities)


@pytest.mark.slow
@pytest.mark.parametrize(
    "config",
    [tiny(entities="both"), tiny({"pool_mentions": True}, entities="both"), listening(CNN, entities="given")],
    ids=["both", "both, with pooled mentions", "listener"],
)
def test_other_ways_to_give_entities_learn(config: dict[str, Any], texts: list[AnnotatedText]) -> None:
    nlp = make_nlp(config)
    train(nlp, initialize(nlp, texts), 200)
    examples = given_docs(nlp, texts)
    for example in examples:
        example.predicted = nlp(example.predicted)
        given = annotations.read(example.reference).entities
        assert set(given) <= set(annotations.read(example.predicted).entities)
    assert f1(examples) > 0.8
    if config["entities"] == "both":  # and finds them where nobody gave any
        alone = [Example(nlp(x.text), x.reference) for x in examples]
        assert f1(alone) > 0.6


def by_rules(nlp: Language, texts: list[AnnotatedText]) -> None:
    """A ruler before the component, with the words of all gold entities."""
    ruler = nlp.add_pipe("entity_ruler", first=True)
    words = {(text.text[x.start : x.end], x.label) for text in texts for x in text.extraction.entities}
    ruler.add_patterns([{"label": label, "pattern": pattern} for pattern, label in sorted(words)])


@pytest.mark.slow
def test_entities_of_an_annotating_component_are_given_in_training(texts: list[AnnotatedText]) -> None:
    nlp = make_nlp(tiny(entities="given"))
    examples = initialize(nlp, texts)
    by_rules(nlp, texts)
    with nlp.select_pipes(enable=["entity_ruler"]):
        for example in examples:
            example.predicted = nlp(example.predicted)
    seen: list[Doc] = []
    missed = next(x for x in make_examples(nlp, texts) if annotations.read(x.reference).relations)
    missed.predicted.ents = []
    losses = nlp.get_pipe("bispn").update([missed])
    assert losses["bispn_unplaced"] == len(annotations.read(missed.reference).relations)
    train(nlp, examples, 200)
    for text in texts[:4]:
        doc = nlp(text.text)
        seen.append(doc)
        assert {*map(str, doc.ents)} == {str(x) for x in doc.spans["bispn"]}
    assert sum(len(doc._.relations) for doc in seen) > 0


def test_more_given_entities_than_queries_are_no_trouble(texts: list[AnnotatedText]) -> None:
    nlp = make_nlp(tiny({"entity_queries": 1}, entities="given"))
    examples = initialize(nlp, texts[:4])
    assert nlp.get_pipe("bispn").update(examples)["bispn"] > 0
    [example] = given_docs(nlp, texts[:1])
    found = annotations.read(nlp(example.predicted)).entities
    assert found == annotations.read(example.reference).entities and len(found) > 1


def test_new_labels_can_be_given_later(texts: list[AnnotatedText]) -> None:
    nlp = make_nlp(tiny(entities="given"))
    examples = initialize(nlp, texts[:4])
    pipe = nlp.get_pipe("bispn")
    pipe.add_label("DRUG", kind="entity")
    assert pipe.update(examples)["bispn"] > 0
    doc = nlp.make_doc(texts[0].text)
    doc.ents = [Span(doc, 0, 1, "DRUG")]
    assert [x.label for x in annotations.read(nlp(doc)).entities] == ["DRUG"]


def test_relations_are_learnt_between_spans_whose_labels_are_unknown(texts: list[AnnotatedText]) -> None:
    nlp = make_nlp(tiny(entities="given"))
    initialize(nlp, texts)
    examples = given_docs(nlp, texts)
    for example in examples:
        group = example.predicted.spans["given"]
        example.predicted.spans["given"] = [Span(x.doc, x.start, x.end, "UNHEARD_OF") for x in group]
    assert "bispn_unplaced" not in nlp.get_pipe("bispn").update(examples)


def test_entities_at_one_place_are_not_confused(texts: list[AnnotatedText]) -> None:
    nlp = make_nlp(tiny({"proposal_floor": 1e-5}, entities="given", relation_threshold=0.0))
    initialize(nlp, texts[:4])
    doc = Doc(nlp.vocab, words=["mo", "rtalase", "and", "mortalase"], spaces=[False, True, True, False])
    doc.spans["given"] = [Span(doc, 0, 1, "CELL"), Span(doc, 1, 2, "CELL"), Span(doc, 3, 4, "ONE")]
    doc.spans["given"] += [Span(doc, 3, 4, "OTHER")]
    found = {(str(x.head), x.head.label_) for x in nlp(doc)._.relations}
    assert found >= {("mo", "CELL"), ("rtalase", "CELL"), ("mortalase", "ONE"), ("mortalase", "OTHER")}


@pytest.mark.parametrize("entities", ["given", "both"])
def test_a_second_pass_takes_nothing_that_the_first_has_found(
    entities: str, texts: list[AnnotatedText]
) -> None:
    nlp = make_nlp(tiny({"proposal_floor": 1e-5}, entities=entities, type_threshold=0.0))
    initialize(nlp, texts[:4])
    doc = nlp.make_doc(texts[0].text)
    words = len(doc)
    for start in (0, 2):
        doc.spans["given"] = [Span(doc, start, start + 1, "CELL"), Span(doc, words - 2, words - 1, "CELL")]
        doc = nlp(doc)
        found = {(x.start, x.end) for x in doc.spans["bispn"]}
        assert found >= {(x.start, x.end) for x in doc.spans["given"]}
        given = [x for x, score in zip(doc.spans["bispn"], doc.spans["bispn"].attrs["scores"], strict=True)
                 if score == 1]  # fmt: skip
        assert [(x.start, x.end) for x in given] == [(start, start + 1), (words - 2, words - 1)]
    assert bool(doc.ents) == (entities == "both")


def test_a_schema_permits_what_was_given(texts: list[AnnotatedText]) -> None:
    schema = {"schema": [[None, "BINDS", None]], "relation_threshold": 0.0}
    nlp = make_nlp(tiny({"proposal_floor": 1e-5}, entities="given", **schema))
    initialize(nlp, texts)
    doc = nlp.make_doc(texts[0].text)
    doc.spans["given"] = [Span(doc, 0, 1, "UNHEARD_OF"), Span(doc, 2, 3, "CHEMICAL")]
    ends = {(x.head.label_, x.label, x.tail.label_) for x in nlp(doc)._.relations}
    assert ("UNHEARD_OF", "BINDS", "CHEMICAL") in ends and {label for _, label, _ in ends} == {"BINDS"}


@pytest.mark.parametrize(("one", "other"), [("given", "predicted"), ("predicted", "both")])
def test_weights_for_another_setting_are_refused(
    one: str, other: str, texts: list[AnnotatedText], tmp_path: Path
) -> None:
    nlp = make_nlp(tiny(entities=one))
    initialize(nlp, texts[:2])
    nlp.to_disk(tmp_path)
    with pytest.raises(ValueError, match="was trained with another setting of entities, expected the same"):
        spacy.load(tmp_path, config={"components": {"bispn": {"entities": other}}})


def test_commands_give_gold_where_nothing_else_finds_entities(
    texts: list[AnnotatedText], tmp_path: Path
) -> None:
    nlp = make_nlp(tiny(entities="given"))
    examples = initialize(nlp, texts[:4])
    gold = [annotations.read(example.reference).entities for example in examples]
    found = predict_examples(nlp, make_examples(nlp, texts[:4]))
    assert [annotations.read(example.predicted).entities for example in found] == gold
    docs = [example.reference for example in examples]
    assert compare_pipelines(nlp, nlp, docs).before["entities"] == (100, 100, 100)
    nlp.add_pipe("entity_ruler", first=True)
    found = predict_examples(nlp, make_examples(nlp, texts[:4]))
    assert not any(annotations.read(example.predicted).entities for example in found)


@pytest.mark.parametrize("entities", ["given", "both"])
@pytest.mark.parametrize("ends", ["one", "two", "given"])
def test_what_was_given_keeps_its_ids(entities: str, ends: str, texts: list[AnnotatedText]) -> None:
    nlp = make_nlp(tiny({"proposal_floor": 1e-5}, entities=entities, relation_threshold=0.0))
    initialize(nlp, texts[:4])
    doc = nlp.make_doc(texts[0].text)
    one = Span(doc, 0, 1, "CELL", kb_id="Q1", span_id="rule-1")
    two = Span(doc, 0, 1, "CELL", span_id="rule-2")
    other = Span(doc, 2, 3, "CELL", span_id="é")
    doc.spans["given"] = [other, *{"one": [one], "two": [one, two], "given": []}[ends]]
    if ends == "given":
        doc.ents = [one]
    doc = Doc(spacy.blank("en").vocab).from_bytes(nlp(doc).to_bytes())
    found = {(x.start, x.end): (x.kb_id_, x.id_) for x in doc.spans["bispn"] if x.label_ == "CELL"}
    assert found[0, 1] == ("Q1", "rule-1|rule-2" if ends == "two" else "rule-1")
    assert found[2, 3] == ("", "é")
    ends = {x.head.id_ for x in annotations.get_relations(doc) if (x.head.start, x.head.end) == (2, 3)}
    assert ends <= {"é"} and (ends or entities == "both")


@pytest.mark.parametrize("entities", ["given", "both"])
def test_a_map_has_the_queries_of_what_was_given(entities: str, texts: list[AnnotatedText]) -> None:
    low = {"relation_threshold": 0.0, "type_threshold": 0.0, "boundary_threshold": 0.0}
    nlp = make_nlp(tiny({"proposal_floor": 1e-5, "entity_queries": 12}, entities=entities, **low))
    initialize(nlp, texts[:4])
    (example,) = given_docs(nlp, texts[:1])
    given = annotations.read(example.reference).entities
    doc = nlp(example.predicted)
    found = attention_map(nlp.get_pipe("bispn"), doc)
    assert set(given) <= set(found.entities) and len(found.entities) == len(found.weights)
    assert (len(found.entities) > len(given)) == (entities == "both")
    assert set(annotations.read(doc).entities) == {one for one in found.entities if one}
    assert {len(row) for row in found.weights} == {len(found.relations)}
    assert [sum(column) for column in zip(*found.weights, strict=True)] == pytest.approx(
        [1.0] * len(found.relations)
    )
    joined = [
        any(found.joined(row, column) for row in range(len(given))) for column in range(len(found.relations))
    ]
    assert any(joined) and (all(joined) or entities == "both")
    assert {x.label for x in found.relations if x} >= {x.label for x in annotations.read(doc).relations}


def test_gold_entities_may_overlap_whatever_the_pipeline_removes(texts: list[AnnotatedText]) -> None:
    nlp = make_nlp(tiny(remove_overlaps=True))
    initialize(nlp, texts[:4])
    take_gold(nlp)
    doc = nlp.make_doc(texts[0].text)
    doc.spans[GOLD_SPANS] = [Span(doc, 0, 2, "CELL"), Span(doc, 0, 1, "CELL"), Span(doc, 1, 3, "CELL")]
    places = {(span.start, span.end) for span in doc.spans[GOLD_SPANS]}
    assert {(span.start, span.end) for span in nlp(doc).spans["bispn"]} == places


def test_a_config_to_go_on_with_keeps_the_group_of_its_readers(texts: list[AnnotatedText]) -> None:
    nlp = make_nlp(tiny(entities="given"))
    initialize(nlp, texts[:2])
    reader = {"@readers": "spacy-bispn.Corpus.v1", "path": None, "given_spans": "given"}
    nlp.config["corpora"] = {"train": reader, "dev": reader}
    corpora = continued(nlp, "bispn", "model", Path("new.spacy"), None, 10)["corpora"]
    assert [corpora[part]["given_spans"] for part in ("train", "dev")] == ["given", "given"]
