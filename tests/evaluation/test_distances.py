"""Scores of relations inside one sentence and across sentences, on cases small enough to count by hand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_bispn.cli.tables import score_rows
from spacy_bispn.evaluation.conventions import Judged, convention_names, get_convention, score
from spacy_bispn.evaluation.distances import ACROSS, INSIDE, score_distances
from spacy_bispn.records import AnnotatedText, Entity, Extraction, Relation
from spacy_bispn.settings import SettingError

TEXT = "A binds B. C binds D. E."
A, B, C, D, E = (Entity(TEXT.index(name), TEXT.index(name) + 1, "P") for name in "ABCDE")
EDGES = (0, 11, 22, 24)


def judged(gold: list[tuple[Entity, Entity]], predicted: list[tuple[Entity, Entity]]) -> Judged:
    sides = (
        Extraction((A, B, C, D, E), tuple(Relation(head, tail, "R") for head, tail in pairs))
        for pairs in (gold, predicted)
    )
    return Judged(AnnotatedText("t", TEXT, next(sides)), next(sides), edges=EDGES)


def test_relations_are_counted_by_their_distance() -> None:
    text = judged([(A, B), (C, D), (A, C), (A, E)], [(A, B), (B, A), (A, C), (D, E)])
    found = score_distances("strict", [text], samples=1)
    assert list(found) == [INSIDE, ACROSS]
    counts = {kind: [part["labels"]["R"][x] for x in ("tp", "fp", "fn")] for kind, part in found.items()}
    assert counts == {INSIDE: [1, 1, 1], ACROSS: [1, 1, 1]}
    assert found[ACROSS]["f"] == 0.5


def test_without_a_relation_across_sentences_there_is_nothing_to_tell_apart() -> None:
    assert score_distances("strict", [judged([(A, B)], [(C, D)])], samples=1) == {}
    assert score_distances("strict", [], samples=1) == {}
    only_predicted = score_distances("strict", [judged([(A, B)], [(A, E)])], samples=1)
    assert only_predicted[ACROSS]["labels"]["R"]["fp"] == 1 and only_predicted[INSIDE]["r"] == 0


def test_a_text_without_sentences_is_one() -> None:
    text = Judged(judged([(A, E)], []).gold, Extraction())
    assert score_distances("strict", [text], samples=1) == {}


@pytest.mark.parametrize("name", [x for x in convention_names() if x != "biorelex"])
def test_conventions_that_compare_places_have_it(name: str) -> None:
    found = score_distances(name, [judged([(A, B), (A, C)], [(A, B)])], samples=1)
    assert bool(found) == get_convention(name).by_place
    if found:
        assert (found[INSIDE]["f"], found[ACROSS]["f"]) == (1, 0)


def test_conventions_by_words_or_things_do_not() -> None:
    assert {x for x in convention_names() if not get_convention(x).by_place} == {
        "biorelex",
        "clusters",
        "text2dt",
    }
    with pytest.raises(SettingError, match="the convention is 'no such', expected one of"):
        score_distances("no such", [])


pairs = st.lists(st.tuples(st.sampled_from([A, B, C, D, E]), st.sampled_from([A, B, C, D, E])), max_size=6)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(pairs, pairs), max_size=3), st.sampled_from(["strict", "boundaries", "spert"]))
def test_the_two_kinds_add_up_to_all(texts: list[tuple[list, list]], name: str) -> None:  # type: ignore[type-arg]
    all_of_them = [judged(*text) for text in texts]
    found = score_distances(name, all_of_them, samples=1)
    if found:
        whole = score(name, all_of_them, samples=1)["relations"]
        assert whole is not None
        for x in ("tp", "fp", "fn"):
            parts = [part["labels"].get("R", {}).get(x, 0) for part in found.values()]
            assert sum(parts) == whole["labels"]["R"][x]


def test_the_table_has_them_below_all_relations() -> None:
    text = judged([(A, B), (A, C)], [(A, B), (D, E)])
    scores = score("strict", [text], samples=1)
    assert scores["relations"] is not None
    scores["relations"]["distances"] = score_distances("strict", [text], samples=1)
    cells = [(*row[1:6], *row[7:]) for row in score_rows({"strict": scores}) if row[2] not in "PR"]
    assert cells == [
        ("entities", "all", "100.0", "100.0", "100.0", "5", "5"),
        ("relations", "all", "50.0", "50.0", "50.0", "2", "2"),
        ("relations", INSIDE, "100.0", "100.0", "100.0", "1", "1"),
        ("relations", ACROSS, "0.0", "0.0", "0.0", "1", "1"),
    ]
