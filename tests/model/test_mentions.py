"""Mentions of one thing: with `share_relations`, what one of them is related to, all are."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from spacy_bispn.model.coherence import cohere
from spacy_bispn.model.decoding import COHERENCE, Decoding
from spacy_bispn.model.mentions import things_by_id
from spacy_bispn.model.schema import Schema
from spacy_bispn.records import Entity, Extraction, Labels, Relation

TEXT = "Tem binds Dal, and Tem blocks  Dal\u00e9 or Dale\u0301 and tem."
LABELS = Labels(("GENE", "CELL"), ("BINDS", "INHIBITS"), ("BINDS",))
SHARING = Decoding(share_relations=True)


def mention(words: str, label: str = "GENE", nth: int = 0, score: float = 1.0) -> Entity:
    start = -1
    for _ in range(nth + 1):
        start = TEXT.index(words, start + 1)
    return Entity(start, start + len(words), label, score)


TEM, TEM_AGAIN, SMALL = mention("Tem"), mention("Tem", nth=1), mention("tem")
DAL, COMPOSED, DECOMPOSED = mention("Dal"), mention("Dal\u00e9"), mention("Dale\u0301")


def found(
    *relations: Relation[Entity], decoding: Decoding = SHARING, entities: tuple[Entity, ...] = ()
) -> set:
    entities = entities or (TEM, TEM_AGAIN, SMALL, DAL, COMPOSED, DECOMPOSED)
    return {
        (x.head, x.label, x.tail)
        for x in cohere(Extraction(entities, relations), LABELS, decoding, None, TEXT).relations
    }


def test_all_mentions_have_the_relations_of_one() -> None:
    one = Relation(TEM, DAL, "INHIBITS", 0.6)
    assert found(one) == {(TEM, "INHIBITS", DAL), (TEM_AGAIN, "INHIBITS", DAL)}, "case makes other words"
    assert found(one, decoding=Decoding()) == {(TEM, "INHIBITS", DAL)}
    back = Relation(DAL, TEM_AGAIN, "INHIBITS")
    assert found(back) == {(DAL, "INHIBITS", TEM), (DAL, "INHIBITS", TEM_AGAIN)}, "the direction stays"


def test_how_unicode_composes_a_letter_makes_no_other_thing() -> None:
    assert found(Relation(COMPOSED, DAL, "INHIBITS")) == {
        (COMPOSED, "INHIBITS", DAL),
        (DECOMPOSED, "INHIBITS", DAL),
    }


def test_another_label_is_another_thing() -> None:
    cell = mention("Tem", "CELL", nth=1)
    assert found(Relation(TEM, DAL, "INHIBITS"), entities=(TEM, cell, DAL)) == {(TEM, "INHIBITS", DAL)}


def identified(entity: Entity, kb_id: str) -> Entity:
    return replace(entity, kb_id=kb_id)


def test_ids_say_more_than_words() -> None:
    one = Relation(TEM, DAL, "INHIBITS")
    same = (identified(TEM, "Q1"), identified(SMALL, "Q1"), identified(DAL, "Q2"), TEM_AGAIN)
    assert found(one, entities=same) == {(x, "INHIBITS", DAL) for x in (TEM, SMALL, TEM_AGAIN)}, (
        "what has no id, but the words of one, has that"
    )
    other = (identified(TEM, "Q1"), identified(TEM_AGAIN, "Q3"), identified(DAL, "Q2"))
    assert found(one, entities=other) == {(TEM, "INHIBITS", DAL)}
    again = mention("Dal", nth=1)  # the beginning of "Dalé"
    unclear = (identified(DAL, "Q2"), identified(COMPOSED, "Q4"), again, identified(TEM, "Q1"))
    assert found(one, entities=unclear) == {(TEM, "INHIBITS", DAL), (TEM, "INHIBITS", again)}
    clash = (*other, mention("Dal"), identified(again, "Q5"), SMALL)
    assert found(Relation(SMALL, DAL, "INHIBITS"), entities=clash) == {(SMALL, "INHIBITS", DAL)}


def test_words_of_several_ids_are_a_thing_of_their_own() -> None:
    text = "Tem binds Dal, and Tem blocks Tem."
    mentions = (Entity(0, 3, "GENE", 1.0, "Q1"), Entity(19, 22, "GENE", 1.0, "Q3"), Entity(30, 33, "GENE"))
    assert len({*map(things_by_id(text, mentions), mentions)}) == 3
    assert len({*map(things_by_id(text, mentions[::2]), mentions[::2])}) == 1


def test_relations_without_direction_are_shared_both_ways() -> None:
    later = Relation(TEM_AGAIN, DAL, "BINDS")
    assert found(later) == {(TEM, "BINDS", DAL), (DAL, "BINDS", TEM_AGAIN)}, "each is oriented"


def test_a_mention_is_related_to_itself_only_where_that_is_predicted() -> None:
    other = {(TEM, "INHIBITS", TEM_AGAIN), (TEM_AGAIN, "INHIBITS", TEM)}
    assert found(Relation(TEM, TEM_AGAIN, "INHIBITS")) == other
    assert found(Relation(TEM, TEM, "INHIBITS")) == {(TEM, "INHIBITS", TEM)} | other


def test_all_have_the_best_score() -> None:
    relations = (Relation(TEM, DAL, "INHIBITS", 0.6), Relation(TEM_AGAIN, DAL, "INHIBITS", 0.9))
    shared = cohere(Extraction((TEM, TEM_AGAIN, DAL), relations), LABELS, SHARING, None, TEXT)
    assert [x.score for x in shared.relations] == [0.9, 0.9]
    assert shared.joined == (2, 2), "raw coherence counts what the network predicts"


def limited(*relations: Relation[Entity], **limits: Any) -> Extraction:
    cfg = {
        "entity_labels": LABELS.entity, "relation_labels": LABELS.relation,
        "symmetric_labels": LABELS.symmetric, "schema": "none", "self_relations": True,
        "relations_per_head": [], "relations_per_tail": [], "observed_triples": None,
    }  # fmt: skip
    extraction = Extraction((TEM, TEM_AGAIN, SMALL, DAL), relations)
    return cohere(extraction, LABELS, SHARING, Schema.of(cfg | limits), TEXT)


def test_limits_count_things() -> None:
    one = Relation(TEM_AGAIN, DAL, "INHIBITS", 0.6)
    found = limited(one, Relation(SMALL, DAL, "INHIBITS", 0.5), relations_per_tail=[["INHIBITS", 1]])
    assert [(x.head, x.score) for x in found.relations] == [(TEM, 0.6), (TEM_AGAIN, 0.6)], "the better thing"
    assert found.forbidden == (0, 1), "one that was predicted is dropped"
    found = limited(one, relations_per_tail=[["INHIBITS", 1]], relations_per_head=[["INHIBITS", 1]])
    assert len(found.relations) == 2 and found.forbidden == (0, 0)
    found = limited(Relation(TEM, SMALL, "BINDS", 0.6), Relation(TEM_AGAIN, DAL, "BINDS", 0.7),
                    relations_per_head=[[None, 1]])  # fmt: skip
    assert {x.tail for x in found.relations} | {x.head for x in found.relations} == {TEM, TEM_AGAIN, DAL}
    found = limited(Relation(TEM, TEM, "INHIBITS", 0.6), self_relations=False)
    assert {(x.head, x.tail) for x in found.relations} == {(TEM, TEM_AGAIN), (TEM_AGAIN, TEM)}
    assert found.forbidden == (0, 1)


def test_two_labels_on_one_span_are_not_related_by_sharing() -> None:
    cells = [mention("Tem", "CELL"), mention("Tem", "CELL", nth=1)]
    one = (TEM, "INHIBITS", cells[1])
    assert found(Relation(*one[::2], one[1]), entities=(TEM, TEM_AGAIN, *cells)) == {
        one,
        (TEM_AGAIN, "INHIBITS", cells[0]),
    }


def test_ends_that_were_not_kept_are_no_mentions() -> None:
    """With `add`, an end is added, and the other one becomes it: the relation is dropped."""
    decoding = Decoding(share_relations=True, coherence="add", remove_overlaps=True)
    inside = Entity(TEM.start, TEM.end - 1, "GENE")
    relations = (Relation(TEM, inside, "INHIBITS", 0.9), Relation(TEM_AGAIN, DAL, "INHIBITS", 0.8))
    extraction = Extraction((TEM_AGAIN, DAL), relations)
    assert cohere(extraction, LABELS, decoding, None, TEXT).entities == (DAL, TEM_AGAIN)


PLACES = [TEM, TEM_AGAIN, SMALL, DAL, mention("Tem", "CELL"), mention("Dal", nth=1)]
LINKS = st.builds(
    Relation, *[st.sampled_from(PLACES)] * 2, st.sampled_from(LABELS.relation), st.floats(0, 1)
)  # fmt: skip


@given(st.lists(LINKS, max_size=6), st.lists(st.sampled_from(PLACES), max_size=6), st.sampled_from(COHERENCE))
def test_things_agree_whatever_comes_in(
    relations: list[Relation[Entity]], entities: list[Entity], coherence: str
) -> None:
    decoding = Decoding(share_relations=True, coherence=coherence)
    extraction = Extraction(tuple(entities), tuple(relations))
    alone = cohere(extraction, LABELS, Decoding(coherence=coherence))
    together = cohere(extraction, LABELS, decoding, None, TEXT)
    assert together.entities == alone.entities and {*alone.relations} <= {*together.relations}
    assert cohere(together, LABELS, decoding, None, TEXT) == together, "sharing once is enough"
    assert cohere(alone, LABELS, decoding, None, TEXT) == together, "it depends on what is there alone"

    def said(relation: Relation[Entity], way: int) -> tuple[tuple[str, str], ...]:
        ends = [(x.words(TEXT), x.label) for x in (relation.head, relation.tail)]
        return tuple(sorted(ends) if relation.label in LABELS.symmetric else ends)

    # from the definition: any two mentions whose things are related, without a thing's mention to itself
    things = {(relation.label, said(relation, 0)) for relation in alone.relations}
    for head, tail, label in product(alone.entities, alone.entities, LABELS.relation):
        pair = Relation(head, tail, label)
        if (head.start, head.end) != (tail.start, tail.end):
            assert (pair.oriented(LABELS.symmetric) in together.relations) == (
                (label, said(pair, 0)) in things
            )
