"""Entities and relations stay where their characters are, whatever is done to tokens, groups and doc.ents."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span, SpanGroup
from spacy.util import filter_spans

from spacy_bispn import Relation, get_relations, set_annotations
from spacy_bispn.annotations import has_entities, has_relations, read, write
from spacy_bispn.doc_storage import KEY, RELATIONS
from spacy_bispn.records import Entity, Extraction

NLP = spacy.blank("en")
TEXT = "In vitro Kelzel beta is bound by Tem and Dal ."  # tokens at spaces
ENTITIES = {
    "Kelzel beta": (2, 4, "PROTEIN"),
    "Kelzel": (2, 3, "GENE"),
    "Tem": (7, 8, "DRUG"),
    "Dal": (9, 10, "DRUG"),
}
RELATIONS_ = [("Tem", "BINDS", "Kelzel beta"), ("Dal", "BINDS", "Kelzel"), ("Tem", "WITH", "Dal")]


def gold() -> Doc:
    """Nested entities, and three relations."""
    doc = NLP.make_doc(TEXT)
    spans = {name: Span(doc, *place[:2], label=place[2]) for name, place in ENTITIES.items()}
    links = [Relation(spans[head], spans[tail], label) for head, label, tail in RELATIONS_]
    set_annotations(doc, spans.values(), links)
    return doc


def words(doc: Doc) -> set[str]:
    return {doc.text[entity.start : entity.end] for entity in read(doc).entities}


def links(doc: Doc) -> list[tuple[str, str, str]]:
    """The relations by the words of their ends, which must be the same whoever is asked."""
    found = read(doc).relations
    said = [
        (doc.text[x.head.start : x.head.end], x.label, doc.text[x.tail.start : x.tail.end]) for x in found
    ]
    assert said == [(x.head.text, x.label, x.tail.text) for x in get_relations(doc)]
    for relation in get_relations(doc):
        assert isinstance(relation.head, Span) and relation.head.start < relation.head.end <= len(doc)
    return said


# Tokens


def merge(*places: tuple[int, int]) -> Callable[[Doc], Doc]:
    def change(doc: Doc) -> Doc:
        with doc.retokenize() as retokenizer:
            for start, end in places:
                retokenizer.merge(doc[start:end])
        return doc

    return change


def split(token: int, *parts: str) -> Callable[[Doc], Doc]:
    def change(doc: Doc) -> Doc:
        with doc.retokenize() as retokenizer:
            retokenizer.split(doc[token], list(parts), heads=[doc[token]] * len(parts))
        return doc

    return change


TOKENS = {
    "merge_entities": lambda doc: NLP.create_pipe("merge_entities")(doc),
    "words before": merge((0, 2)),
    "the words of an entity": merge((2, 4)),
    "an entity and the word behind": merge((7, 9)),
    "an entity and the word before": merge((6, 8)),
    "the end of an entity and more": merge((3, 6)),
    "the begin of an entity and more": merge((1, 3)),
    "several entities": merge((2, 10)),
    "the whole text": merge((0, 11)),
    "many": merge((0, 2), (3, 5), (6, 8), (9, 11)),
    "split an entity": split(7, "T", "em"),
    "split the word before": split(0, "I", "n"),
    "split the end of an entity": split(3, "be", "ta"),
    "split and merge": lambda doc: merge((7, 9))(split(2, "Kel", "zel")(doc)),
    "merge and split": lambda doc: split(2, "Kelz", "el ", "beta")(merge((2, 4))(doc)),
}
SAVING = {
    "at once": lambda doc: doc,
    "copied": lambda doc: doc.copy(),
    "through bytes": lambda doc: Doc(NLP.vocab).from_bytes(doc.to_bytes()),
    "through a DocBin": lambda doc: next(DocBin(docs=[doc]).get_docs(NLP.vocab)),
    "through another vocabulary": lambda doc: Doc(spacy.blank("en").vocab).from_bytes(doc.to_bytes()),
}


@pytest.mark.parametrize("change", TOKENS)
@pytest.mark.parametrize("saving", SAVING)
def test_merged_and_split_tokens_change_nothing(change: str, saving: str) -> None:
    doc = SAVING[saving](TOKENS[change](gold()))
    assert words(doc) == ENTITIES.keys()
    assert links(doc) == RELATIONS_
    assert {span.start_char for span in doc.spans[KEY]} == {9, 33, 41}


@pytest.mark.parametrize("change", TOKENS)
def test_tokens_change_behind_a_file(change: str) -> None:
    doc = next(DocBin(docs=[gold()]).get_docs(NLP.vocab))  # its groups are spaCy's own
    assert links(TOKENS[change](doc)) == RELATIONS_ and words(doc) == ENTITIES.keys()


@pytest.mark.parametrize("change", TOKENS)
def test_a_second_pass_finds_its_own_entities_among_merged_tokens(change: str) -> None:
    doc = NLP.make_doc(TEXT)
    found = read(gold())
    write(doc, found)
    TOKENS[change](doc)
    write(doc, Extraction((Entity(0, 2, "OTHER"),)))
    assert {span.label_ for span in doc.ents} == {"OTHER"}


def test_an_entity_inside_a_merged_token_is_still_these_words() -> None:
    doc = merge((2, 10))(gold())
    relation = doc._.relations[0]
    assert (relation.head.text, str(relation.head), relation.tail.text) == ("Tem", "Tem", "Kelzel beta")
    assert [token.text for token in relation.head] == ["Kelzel beta is bound by Tem and Dal"]
    doc._.relations = doc._.relations[:2]
    assert links(doc) == RELATIONS_[:2]


def test_any_merges() -> None:
    chance = random.Random(7)
    for _ in range(200):
        doc = gold()
        for _ in range(chance.randint(1, 3)):
            start = chance.randrange(len(doc))
            merge((start, chance.randint(start + 1, len(doc))))(doc)
        assert links(doc) == RELATIONS_ and words(doc) == ENTITIES.keys()
        assert links(Doc(NLP.vocab).from_bytes(doc.to_bytes())) == RELATIONS_


@Language.component("test_gold")
def put_gold(doc: Doc) -> Doc:
    write(doc, read(gold()))
    return doc


@pytest.mark.slow
def test_merged_tokens_leave_other_processes() -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("test_gold")
    nlp.add_pipe("merge_entities")
    for doc in nlp.pipe([TEXT] * 4, n_process=2, batch_size=2):
        assert links(doc) == RELATIONS_ and [span.text for span in doc.ents] == ["Kelzel beta", "Tem", "Dal"]


# The group


def without(*labels: str) -> Callable[[Iterable[Span]], list[Span]]:
    return lambda spans: [span for span in spans if span.label_ not in labels]


def grouped(doc: Doc, spans: Iterable[Span], attrs: bool) -> None:
    given = doc.spans[KEY].attrs if attrs else {}
    doc.spans[KEY] = SpanGroup(doc, name=KEY, spans=list(spans), attrs=given)


@pytest.mark.parametrize("attrs", [True, False], ids=["the attributes stay", "no attributes"])
@pytest.mark.parametrize(
    ("choose", "left"),
    [
        (list, RELATIONS_),
        (sorted, RELATIONS_),
        (lambda spans: list(spans)[::-1], RELATIONS_),
        (without("GENE"), [RELATIONS_[0], RELATIONS_[2]]),
        (without("PROTEIN"), [RELATIONS_[1], RELATIONS_[2]]),
        (without("DRUG"), []),
        (without("PROTEIN", "GENE", "DRUG"), []),
        (filter_spans, [RELATIONS_[0], RELATIONS_[2]]),
        (lambda spans: spans[1:], [RELATIONS_[1], RELATIONS_[2]]),
    ],
    ids=["all", "sorted", "reversed", "no inner", "no outer", "no tails", "none", "filter_spans", "but one"],
)
def test_a_changed_group_keeps_the_relations_of_what_is_left(
    choose: Callable[[list[Span]], list[Span]], left: list[tuple[str, str, str]], attrs: bool
) -> None:
    doc = gold()
    grouped(doc, choose(list(doc.spans[KEY])), attrs)
    assert links(doc) == left
    assert links(Doc(NLP.vocab).from_bytes(doc.to_bytes())) == left
    assert has_relations(doc)


def test_all_groups_of_a_doc_may_be_filtered_and_sorted() -> None:
    doc = gold()
    for key in list(doc.spans):
        doc.spans[key] = sorted(doc.spans[key], key=lambda span: (-span.start, span.label_))
    assert sorted(links(doc)) == sorted(RELATIONS_)
    for key in list(doc.spans):
        doc.spans[key] = filter_spans(doc.spans[key])
    assert set(links(doc)) <= set(RELATIONS_)
    doc.spans[RELATIONS].append(doc[0:1])
    assert set(links(doc)) <= set(RELATIONS_), "what others put there is no relation"


def test_spans_may_be_appended_replaced_and_added_up() -> None:
    doc = gold()
    doc.spans[KEY].append(Span(doc, 0, 2, label="PLACE"))
    doc.spans[KEY] += [Span(doc, 5, 6, label="EVENT")]
    assert links(doc) == RELATIONS_ and words(doc) == {*ENTITIES, "In vitro", "bound"}
    position = [span.text for span in doc.spans[KEY]].index("Tem")
    doc.spans[KEY][position] = Span(doc, 6, 8, label="DRUG")
    assert links(doc) == [RELATIONS_[1]], "Tem is no entity any more"


def test_two_labels_of_one_span_are_two_entities() -> None:
    doc = Doc(NLP.vocab, words=["Rov", "binds", "Tem"])
    drug, gene, tem = (
        Span(doc, 0, 1, label="DRUG"),
        Span(doc, 0, 1, label="GENE"),
        Span(doc, 2, 3, label="GENE"),
    )
    set_annotations(doc, [drug, gene, tem], [Relation(gene, tem, "BINDS"), Relation(drug, tem, "TREATS")])
    assert [(x.head.label_, x.label) for x in doc._.relations] == [("GENE", "BINDS"), ("DRUG", "TREATS")]
    doc.spans[KEY] = [span for span in doc.spans[KEY] if span.label_ != "GENE" or span.text != "Rov"]
    assert [(x.head.label_, x.label) for x in doc._.relations] == [("DRUG", "TREATS")]


def test_equal_spans_are_one_entity_with_the_best_score() -> None:
    doc = Doc(NLP.vocab, words=["Rov", "binds"])
    attrs = {"scores": [0.5, 0.75]}
    doc.spans[KEY] = SpanGroup(doc, spans=[Span(doc, 0, 1, label="GENE")] * 2, attrs=attrs)
    assert [(entity.label, entity.score) for entity in read(doc).entities] == [("GENE", 0.75)]


def scored() -> Doc:
    doc = NLP.make_doc(TEXT)
    kelzel, tem, dal = (
        Entity(9, 20, "PROTEIN", 0.75),
        Entity(33, 36, "DRUG", 0.5),
        Entity(41, 44, "DRUG", 0.25),
    )
    binds, other = Relation(tem, kelzel, "BINDS", 0.125), Relation(tem, dal, "WITH", 0.375)
    write(doc, Extraction((kelzel, tem, dal), (binds, other)))
    return doc


@pytest.mark.parametrize("attrs", [True, False])
def test_scores_stay_with_their_spans(attrs: bool) -> None:
    doc = scored()
    grouped(doc, sorted(doc.spans[KEY], key=lambda span: -span.start), attrs)
    found = {doc.text[x.start : x.end]: x.score for x in read(doc).entities}
    assert found == {"Kelzel beta": 0.75, "Tem": 0.5, "Dal": 0.25}
    grouped(doc, [*list(doc.spans[KEY])[1:], Span(doc, 5, 6, label="EVENT")], attrs)
    found = {doc.text[x.start : x.end]: x.score for x in read(doc).entities}
    assert found == {"Kelzel beta": 0.75, "Tem": 0.5, "bound": 1.0}
    assert [(x.label, x.score) for x in doc._.relations] == [("BINDS", 0.125)]


def test_scores_may_be_changed_in_the_group() -> None:
    doc = scored()
    doc.spans[KEY].attrs["scores"] = [0.1, 0.2, 0.3]
    assert [entity.score for entity in read(doc).entities] == [0.1, 0.2, 0.3]


# Files of earlier versions


def old() -> Doc:
    """A Doc as version 0.1.0 wrote it: relations as positions in the group."""
    doc = NLP.make_doc(TEXT)
    spans = [Span(doc, *place[:2], label=place[2]) for place in ENTITIES.values()]
    names = list(ENTITIES)
    rows = [[names.index(head), names.index(tail), label, 0.5] for head, label, tail in RELATIONS_]
    attrs = {"scores": [0.9, 0.8, 0.7, 0.6], "relations": rows}
    doc.spans[KEY] = SpanGroup(doc, name=KEY, attrs=attrs, spans=spans)
    doc.ents = [spans[0], *spans[2:]]
    return doc


@pytest.mark.parametrize("saving", SAVING)
def test_old_files_say_what_they_said(saving: str) -> None:
    doc = SAVING[saving](old())
    assert has_relations(doc) and has_entities(doc)
    assert links(doc) == RELATIONS_ and words(doc) == ENTITIES.keys()
    assert [entity.score for entity in read(doc).entities] == [0.9, 0.8, 0.7, 0.6]
    assert {relation.score for relation in doc._.relations} == {0.5}
    doc.spans[KEY].append(Span(doc, 5, 6, label="EVENT"))
    assert links(doc) == RELATIONS_
    doc._.relations = doc._.relations
    grouped(doc, sorted(doc.spans[KEY], key=lambda span: -span.start), attrs=True)
    assert links(doc) == RELATIONS_, "assigned anew it is in the new form"


def test_old_rows_of_a_filtered_group_are_left_out_with_a_warning() -> None:
    doc = old()
    grouped(doc, without("PROTEIN")(doc.spans[KEY]), attrs=True)
    with pytest.warns(UserWarning) as caught:
        assert read(doc).relations == ()
    for part in ("3 relations of 'In vitro", "filtered since", "spacy_bispn.set_relations, then filter"):
        assert part in str(caught[0].message)


def test_old_rows_that_lead_nowhere_are_no_relations() -> None:
    doc = old()
    doc.spans[KEY].attrs["relations"].append([0, 99, "BINDS", 1.0])
    assert links(doc) == RELATIONS_


# doc.ents


def ents(doc: Doc, *places: tuple[int, int, str]) -> list[Span]:
    return [Span(doc, start, end, label=label) for start, end, label in places]


def test_entities_may_come_after_the_relations() -> None:
    doc = NLP.make_doc(TEXT)
    doc._.relations = []
    doc.ents = ents(doc, (2, 4, "PROTEIN"))
    assert words(doc) == {"Kelzel beta"} and has_relations(doc)
    doc.ents = ents(doc, (7, 8, "DRUG"), (9, 10, "DRUG"))
    assert words(doc) == {"Tem", "Dal"}
    doc._.relations = [Relation(*doc.ents, "WITH")]
    assert links(doc) == [("Tem", "WITH", "Dal")]


ORDERS: list[list[str]] = [
    ["ents", "group", "relations"], ["ents", "relations", "group"], ["group", "relations", "ents"],
    ["relations", "ents", "group"], ["relations", "group", "ents"], ["group", "ents", "relations"],
]  # fmt: skip


@pytest.mark.parametrize("order", ORDERS, ids=" ".join)
def test_the_order_of_assignments_does_not_matter(order: list[str]) -> None:
    doc = NLP.make_doc(TEXT)
    spans = {name: Span(doc, *place[:2], label=place[2]) for name, place in ENTITIES.items()}
    for step in order:
        if step == "ents":
            doc.ents = [spans["Kelzel beta"], spans["Tem"], spans["Dal"]]
        elif step == "group":
            doc.spans[KEY] = list(spans.values())
        else:
            doc._.relations = [Relation(spans[head], spans[tail], label) for head, label, tail in RELATIONS_]
    assert words(doc) == ENTITIES.keys() and links(doc) == RELATIONS_


def test_corrections_of_doc_ents_count() -> None:
    doc = gold()
    assert [span.text for span in doc.ents] == ["Kelzel beta", "Tem", "Dal"]
    doc.ents = ents(doc, (2, 4, "PROTEIN"), (6, 8, "DRUG"), (9, 10, "DRUG"))  # Tem is longer
    assert words(doc) == {"Kelzel beta", "Kelzel", "by Tem", "Dal"}, "what is nested was not meant"
    assert links(doc) == [RELATIONS_[1]]
    doc.ents = ents(doc, (2, 4, "PROTEIN"), (7, 8, "DRUG"), (9, 10, "DRUG"))
    assert words(doc) == ENTITIES.keys() and links(doc) == RELATIONS_, "corrected back"
    doc.ents = []
    assert words(doc) == set() and links(doc) == [] and has_entities(doc)


def test_another_label_takes_the_relations_with_it() -> None:
    doc = gold()
    doc.ents = ents(doc, (2, 4, "COMPLEX"), (7, 8, "DRUG"), (9, 10, "GENE"))
    assert links(doc) == RELATIONS_
    assert [(x.head.label_, x.tail.label_) for x in doc._.relations] == [
        ("DRUG", "COMPLEX"), ("GENE", "GENE"), ("DRUG", "GENE"),
    ]  # fmt: skip


@pytest.mark.parametrize("saving", SAVING)
def test_corrections_of_predictions_count_behind_a_file_too(saving: str) -> None:
    doc = SAVING[saving](scored())
    doc.ents = [span for span in doc.ents if span.text != "Dal"]
    assert words(doc) == {"Kelzel beta", "Tem"} and links(doc) == [("Tem", "BINDS", "Kelzel beta")]
    assert read(doc).entities[0].score == 0.75
    set_annotations(doc, doc.ents)
    doc = SAVING[saving](doc)
    assert not has_relations(doc)
    doc.ents = ents(doc, (9, 10, "DRUG"))
    assert words(doc) == {"Dal"}


def test_corrections_count_among_merged_tokens() -> None:
    doc = merge((3, 6))(gold())  # "beta is bound"
    doc.ents = [*doc.ents, Span(doc, 0, 2, label="PLACE")]
    assert words(doc) == {*ENTITIES, "In vitro"} and links(doc) == RELATIONS_
    doc.ents = [span for span in doc.ents if span.text != "Dal"]
    assert links(doc) == [RELATIONS_[0]]


# White space


SPACED = "Frankie James\nActor at  Acme Corp  in Rome"


@pytest.mark.parametrize("way", ["doc.ents", "the group", "set_annotations", "write", "arguments"])
def test_white_space_at_the_ends_is_no_part_of_an_entity(way: str) -> None:
    doc = NLP.make_doc(SPACED)
    james, acme = Span(doc, 0, 3, label="PER"), Span(doc, 5, 9, label="ORG")
    assert (james.text, acme.text) == ("Frankie James\n", " Acme Corp  ")
    if way == "doc.ents":
        doc.ents = [james, acme]
    elif way == "the group":
        doc.spans[KEY] = [james, acme]
    elif way == "set_annotations":
        set_annotations(doc, [james, acme], [])
    elif way == "write":
        write(doc, Extraction((Entity(0, 14, "PER"), Entity(acme.start_char, acme.end_char, "ORG"))))
    if way != "write":
        doc._.relations = [Relation(james, acme, "WORKS_FOR")]
    assert words(doc) == {"Frankie James", "Acme Corp"}
    if way != "write":
        assert links(doc) == [("Frankie James", "WORKS_FOR", "Acme Corp")]


def test_white_space_alone_is_no_entity() -> None:
    doc = NLP.make_doc(SPACED)
    doc.spans[KEY] = [Span(doc, 2, 3, label="PER"), Span(doc, 3, 4, label="JOB")]
    assert words(doc) == {"Actor"}
    with pytest.raises(ValueError, match=r"'\\n' from 13 to 14, expected words of the text: leave it out"):
        doc._.relations = [Relation(doc[2:3], Span(doc, 3, 4, label="JOB"), "IS")]
    write(doc, Extraction((Entity(13, 14, "PER"), Entity(0, 7, "PER"))))
    assert words(doc) == {"Frankie"} and len(doc.spans[KEY]) == 1
