"""From gold in characters to target tensors: what each window sees, and what becomes of the rest."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spacy_bispn.model.shim import NO_SPECIAL
from spacy_bispn.model.targets import (
    CoverageReport,
    WindowGold,
    assign_to_windows,
    make_targets,
    with_inverses,
)
from spacy_bispn.model.windowing import Window, WindowTokenizer
from spacy_bispn.nn.shapes import Targets
from spacy_bispn.records import Entity, Extraction, Labels, Relation

LABELS = Labels(("GENE", "CELL"), ("BINDS", "INHIBITS"), ("BINDS",))
A, B, C = Entity(0, 1, "GENE"), Entity(2, 4, "CELL"), Entity(0, 6, "GENE")
ALL = 100  # queries enough for every relation


def windows(*texts: str, size: int = 8, overlap: int = 0) -> list[Window]:
    """Windows whose positions are single characters, white space left out."""
    tokens = [[(at, at + 1) for at in range(len(text))] for text in texts]
    return WindowTokenizer(None, NO_SPECIAL, size, overlap).windows(texts, tokens)


def targets(*extractions: Extraction, queries: int = ALL) -> Targets:
    """Targets of one text of 8 characters for each extraction."""
    shares, report = assign_to_windows(windows(*["x" * 8] * len(extractions)), extractions, LABELS)
    assert not report.unplaced_entities and not report.unplaced_relations
    return make_targets(shares, LABELS, queries, torch.device("cpu"))


def rows(*tensors: torch.Tensor) -> list[list[tuple[int, ...]]]:
    """The tensors of one record, text by text and item by item."""
    texts = zip(*tensors, strict=True)
    return [list(zip(*(tensor.tolist() for tensor in text), strict=True)) for text in texts]


def relation_rows(made: Targets) -> list[list[tuple[int, ...]]]:
    return rows(made.head_entity, made.relation, made.tail_entity)


def test_ends_are_inclusive_and_labels_are_counted_from_one() -> None:
    made = targets(Extraction((A, B)))
    assert rows(*made.entity[:3]) == [[(0, 0, 1), (2, 3, 2)]]
    assert made.relation.shape == (1, 0)


def test_heads_and_tails_repeat_the_spans_and_types_of_their_entities() -> None:
    made = targets(Extraction((A, B), (Relation(B, A, "INHIBITS"),)))
    assert rows(*made.head[:3]) == [[(2, 3, 2)]]
    assert rows(*made.tail[:3]) == [[(0, 0, 1)]]
    assert relation_rows(made) == [[(1, 2, 0)]]


def test_texts_are_padded_to_the_longest() -> None:
    made = targets(Extraction(), Extraction((A, B), (Relation(A, A, "INHIBITS"),)))
    assert rows(*made.entity[:3]) == [[(-1, -1, 0)] * 2, [(0, 0, 1), (2, 3, 2)]]
    assert rows(*made.head[:3]) == rows(*made.tail[:3]) == [[(-1, -1, 0)], [(0, 0, 1)]]
    assert relation_rows(made) == [[(-1, 0, -1)], [(0, 2, 0)]]


def test_a_batch_may_say_nothing_at_all() -> None:
    for texts in (2, 0):
        made = targets(*[Extraction()] * texts)
        tensors = (*made.entity[:3], *made.head[:3], *made.tail[:3], *made[3:])
        assert {tuple(tensor.shape) for tensor in tensors} == {(texts, 0)}
        assert {tensor.dtype for tensor in tensors} == {torch.long}


def test_targets_are_made_on_the_device_of_the_model() -> None:
    shares, _ = assign_to_windows(
        windows("x" * 8), [Extraction((A, B), (Relation(B, A, "INHIBITS"),))], LABELS
    )
    made = make_targets(shares, LABELS, ALL, torch.device("meta"))
    tensors = (*made.entity[:3], *made.head[:3], *made.tail[:3], *made[3:])
    assert {tensor.device.type for tensor in tensors} == {"meta"}


def test_nested_entities_are_all_there() -> None:
    made = targets(Extraction((A, B, C)))
    assert rows(*made.entity[:3]) == [[(0, 0, 1), (2, 3, 2), (0, 5, 1)]]


def test_two_labels_on_one_span() -> None:
    other = Entity(A.start, A.end, "CELL")
    made = targets(Extraction((A, other), (Relation(A, other, "INHIBITS"),)))
    assert rows(*made.entity[:3]) == [[(0, 0, 1), (0, 0, 2)]]
    assert relation_rows(made) == [[(0, 2, 1)]]


def test_two_labels_on_one_pair() -> None:
    made = targets(Extraction((A, B), (Relation(A, B, "INHIBITS"), Relation(A, B, "BINDS"))), queries=2)
    assert relation_rows(made) == [[(0, 2, 1), (0, 1, 1)]]


def test_self_relations_have_no_inverse() -> None:
    made = targets(Extraction((A,), (Relation(A, A, "BINDS"),)))
    assert relation_rows(made) == [[(0, 1, 0)]]


def test_duplicates_count_once() -> None:
    # scores take no part in comparison
    twins = Extraction((A, Entity(0, 1, "GENE", 0.5), B), (Relation(A, B, "INHIBITS"),) * 2)
    shares, report = assign_to_windows(windows("x" * 8), [twins], LABELS)
    assert (report.entities, report.relations) == (2, 1)
    assert len(shares[0].entities) == 2 and len(shares[0].relations) == 1


def test_symmetric_relations_are_taught_both_ways_as_far_as_queries_suffice() -> None:
    stored = [Relation(A, B, "BINDS"), Relation(B, C, "BINDS"), Relation(A, C, "INHIBITS")]
    turned = [Relation(B, A, "BINDS"), Relation(C, B, "BINDS")]
    expected = {0: [], 3: [], 4: turned[:1], 5: turned, ALL: turned}
    for limit, inverses in expected.items():
        assert with_inverses(stored, ["BINDS"], limit) == stored + inverses
    assert with_inverses(stored, [], ALL) == stored
    both = [Relation(A, B, "BINDS"), Relation(B, A, "BINDS")]
    assert with_inverses(both, ["BINDS"], ALL) == both


def test_inverses_reach_the_tensors() -> None:
    extraction = Extraction((A, B), (Relation(A, B, "BINDS"),))
    assert relation_rows(targets(extraction, queries=1)) == [[(0, 1, 1)]]
    assert relation_rows(targets(extraction, queries=2)) == [[(0, 1, 1), (1, 1, 0)]]


def test_unknown_labels_are_counted_and_left_out() -> None:
    virus = Entity(5, 6, "VIRUS")
    extraction = Extraction(
        (A, B, virus, virus), (Relation(A, B, "EATS"), Relation(A, virus, "BINDS"), Relation(A, B, "BINDS"))
    )
    shares, report = assign_to_windows(windows("x" * 8), [extraction], LABELS)
    assert report == CoverageReport(
        entities=2, relations=2, unplaced_relations=1, unknown_labels={"VIRUS": 1, "EATS": 1}
    )
    assert [entity for entity, _ in shares[0].entities] == [A, B]
    assert shares[0].relations == [Relation(A, B, "BINDS")]


def test_entities_that_end_inside_a_piece_are_counted() -> None:
    made = WindowTokenizer(None, NO_SPECIAL, 8, 0).windows(["insulins"], [[(0, 7), (7, 8)]])
    whole, part = Entity(0, 7, "GENE"), Entity(2, 7, "GENE")
    shares, report = assign_to_windows(made, [Extraction((whole, part))], LABELS)
    assert report == CoverageReport(entities=2, widened_entities=1)
    assert shares[0].entities == [(whole, (0, 0)), (part, (0, 0))], "taught as the whole piece"


def test_a_relation_without_its_entities_is_unplaced() -> None:
    _, report = assign_to_windows(windows("x" * 8), [Extraction((A,), (Relation(A, B, "BINDS"),))], LABELS)
    assert report == CoverageReport(entities=1, relations=1, unplaced_relations=1)


def test_what_no_window_sees_is_unplaced() -> None:
    #        a text without pieces, and two windows of 8 characters that share 2
    texts = [" ", "x" * 14]
    edge = Entity(5, 9, "GENE")  # crosses both ends of the overlap
    left, middle, right = Entity(0, 2, "GENE"), Entity(6, 8, "GENE"), Entity(12, 14, "CELL")
    gold = [
        Extraction((A,)),
        Extraction(
            (edge, left, middle, right),
            (
                Relation(left, middle, "INHIBITS"),  # the first window
                Relation(middle, right, "INHIBITS"),  # the second window
                Relation(left, right, "INHIBITS"),  # no window
                Relation(left, edge, "INHIBITS"),  # no window
            ),
        ),
    ]
    made = windows(*texts, overlap=2)
    assert [window.text for window in made] == [1, 1]
    shares, report = assign_to_windows(made, gold, LABELS)
    assert report == CoverageReport(entities=5, relations=4, unplaced_entities=2, unplaced_relations=2)
    assert shares == [
        WindowGold([(left, (0, 1)), (middle, (6, 7))], [Relation(left, middle, "INHIBITS")]),
        WindowGold([(middle, (0, 1)), (right, (6, 7))], [Relation(middle, right, "INHIBITS")]),
    ]


def test_a_long_text_is_not_searched_for_every_window(monkeypatch: pytest.MonkeyPatch) -> None:
    entities = [Entity(at, at + 2, "GENE") for at in range(0, 4000, 10)]
    made = windows("x" * 4000)
    locate, calls = Window.locate, []

    def watch(self: Window, start: int, end: int) -> tuple[int, int] | None:
        calls.append(start)
        return locate(self, start, end)

    monkeypatch.setattr(Window, "locate", watch)
    assign_to_windows(made, [Extraction(tuple(entities))], LABELS)
    assert len(made) == 500 and len(calls) <= 2 * len(entities), "not 500 for each of 400"


def test_the_same_gold_in_two_texts_counts_twice() -> None:
    _, report = assign_to_windows(windows("x" * 8, "y" * 8), [Extraction((A,)), Extraction((A,))], LABELS)
    assert report == CoverageReport(entities=2)


ENTITIES = st.builds(
    lambda start, length, label: Entity(start, start + length, label),
    st.integers(0, 20), st.integers(1, 12), st.sampled_from(["GENE", "CELL", "VIRUS"]),
)  # fmt: skip
RELATIONS = st.builds(Relation, ENTITIES, ENTITIES, st.sampled_from(["BINDS", "INHIBITS", "EATS"]))
EXTRACTIONS = st.builds(
    # most relations between entities that are there, some not
    lambda entities, relations: Extraction(
        (*entities, *(x.head for x in relations[1:]), *(x.tail for x in relations[1:])), tuple(relations)
    ),
    st.lists(ENTITIES, max_size=5), st.lists(RELATIONS, max_size=5),
)  # fmt: skip


@given(st.lists(EXTRACTIONS, min_size=1, max_size=3), st.integers(0, 3))
def test_the_counts_add_up(gold: list[Extraction], overlap: int) -> None:
    made = windows(*["x" * 32] * len(gold), overlap=overlap)
    shares, report = assign_to_windows(made, gold, LABELS)
    pairs = list(zip(made, shares, strict=True))
    placed = {(window.text, entity) for window, share in pairs for entity, _ in share.entities}
    related = {(window.text, relation) for window, share in pairs for relation in share.relations}
    total = sum(len({*extraction.entities}) + len({*extraction.relations}) for extraction in gold)
    assert len(placed) == report.entities - report.unplaced_entities
    assert len(related) == report.relations - report.unplaced_relations
    assert report.entities + report.relations + sum(report.unknown_labels.values()) == total
    for window, share in pairs:
        there = {entity for entity, _ in share.entities}
        assert all({relation.head, relation.tail} <= there for relation in share.relations)
        for entity, (first, last) in share.entities:
            assert (window.start[first], window.end[last]) == (entity.start, entity.end)
