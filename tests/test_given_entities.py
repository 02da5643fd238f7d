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
from spacy_bispn.corpus_reader import give_entities
from spacy_bispn.evaluation.scoring import score_extractions
from spacy_bispn.records import AnnotatedText


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
    with pytest.raises(ValueError, match="entities is 'given', expected 'predicted': a map shows"):
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
    "config", [tiny(entities="both"), listening(CNN, entities="given")], ids=["both", "listener"]
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
