"""Texts much longer than those of the training: read by sentences, in bounded memory, as each alone."""

from __future__ import annotations

import resource

import pytest
import spacy
from pipelines import CNN, demo_texts, initialize, listening, make_nlp, pipe_of, tiny, train
from spacy.language import Language
from spacy.tokens import Doc

from spacy_bispn import annotations
from spacy_bispn.records import Entity, Extraction, Relation

TEXTS = demo_texts()
Found = tuple[set[Entity], set[Relation[Entity]]]


@pytest.fixture(scope="module", params=["pieces", "tokens"])
def trained(request: pytest.FixtureRequest) -> Language:
    """Knows a few single sentences by heart."""
    nlp = make_nlp(tiny() if request.param == "pieces" else listening(CNN))
    train(nlp, initialize(nlp, TEXTS), 120)
    return nlp


def inside(found: Extraction, start: int, end: int) -> Found:
    """What lies between two characters, counted from the first."""

    def moved(entity: Entity) -> Entity:
        return Entity(entity.start - start, entity.end - start, entity.label)

    entities = {moved(x) for x in found.entities if start <= x.start and x.end <= end}
    ends = [(moved(x.head), moved(x.tail), x.label) for x in found.relations]
    return entities, {Relation(*end) for end in ends if {end[0], end[1]} <= entities}


def sentences_within(text: str) -> list[tuple[int, int]]:
    """Where the training sentences stand in a text made of them."""
    places, at = [], 0
    while at < len(text):
        sentence = next(x.text for x in TEXTS if text.startswith(x.text, at))
        places.append((at, at + len(sentence)))
        at += len(sentence) + 1
    return places


@pytest.mark.slow
@pytest.mark.parametrize("rounds", [2, 30])
def test_every_sentence_of_a_long_text_is_read_as_if_alone(trained: Language, rounds: int) -> None:
    text = " ".join(x.text for _ in range(rounds) for x in TEXTS)
    assert len(pipe_of(trained).shim.windows([trained.make_doc(text)])) > rounds
    singly = trained.pipe(x.text for x in TEXTS)
    alone = {doc.text: inside(annotations.read(doc), 0, len(doc.text)) for doc in singly}
    assert sum(len(relations) for _, relations in alone.values()) >= 5
    found = annotations.read(trained(text))
    places = sentences_within(text)
    same = sum(inside(found, start, end) == alone[text[start:end]] for start, end in places)
    assert same >= 0.99 * len(places)


@pytest.mark.slow
def test_sentences_that_another_component_sets_are_those_that_are_read(trained: Language) -> None:
    text = " ".join(x.text for x in TEXTS)
    starts = {start for start, _ in sentences_within(text)}
    doc = trained.make_doc(text)
    for token in doc:
        token.is_sent_start = token.idx in starts
    first = {int(window.start[window.start >= 0][0]) for window in pipe_of(trained).shim.windows([doc])}
    assert first <= starts
    for token in doc:  # another component may be of another opinion
        token.is_sent_start = token.i == 0
    assert len(pipe_of(trained).shim.windows([doc])) < len(first)


@pytest.mark.slow
def test_training_reads_texts_whole(trained: Language) -> None:
    doc = trained.make_doc(" ".join(x.text for x in TEXTS))
    shim = pipe_of(trained).shim
    assert len(shim.windows([doc], is_train=True)) < len(shim.windows([doc])) == len(TEXTS)


def peak() -> float:
    """The most megabytes that this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def chapter(nlp: Language, characters: int) -> Doc:
    text = " ".join(x.text for _ in range(characters // 400) for x in TEXTS)
    assert len(text) >= characters
    return nlp(text[:characters])


@pytest.mark.slow
def test_a_book_chapter_needs_no_more_memory_than_a_page(trained: Language) -> None:
    chapter(trained, 20_000)
    before = peak()
    doc = chapter(trained, 100_000)
    assert peak() - before < 150  # of which half are the vectors of a CNN, where there is one
    assert len(doc._.relations) > 500
    members = {(span.start, span.end, span.label) for span in doc.spans[annotations.KEY]}
    for relation in doc._.relations:
        assert {(x.start, x.end, x.label) for x in (relation.head, relation.tail)} <= members
    assert len(members) == len(doc.spans[annotations.KEY]), "nothing stands twice"


def test_a_blank_sentence_splitter_is_not_written_on_the_doc() -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("bispn", config=tiny())
    initialize(nlp, demo_texts(4))
    doc = nlp(" ".join(x.text for x in TEXTS) * 3)
    assert not doc.has_annotation("SENT_START")
