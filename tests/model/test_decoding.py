"""From logits to entities and relations: the mirror of targets, and thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import one_hot

from spacy_bispn.model import coherence
from spacy_bispn.model.coherence import cohere
from spacy_bispn.model.decoding import COHERENCE, SPAN_SCORES, Decoding, LatestDecoding, extract, merge
from spacy_bispn.model.query_predictions import best_spans
from spacy_bispn.model.shim import NO_SPECIAL
from spacy_bispn.model.targets import assign_to_windows, make_targets
from spacy_bispn.model.windowing import SpecialPieces, Window, WindowTokenizer
from spacy_bispn.model.wordpieces import learn_wordpieces
from spacy_bispn.nn.shapes import Outputs, Spans, SpanTargets, Targets
from spacy_bispn.records import Entity, Extraction, Labels, Relation
from spacy_bispn.settings import SettingError

LABELS = Labels(("GENE", "CELL"), ("BINDS", "INHIBITS"), ("BINDS",))
CPU = torch.device("cpu")
SURE = 30.0  # the logit of what is said, beside zeros


# The mirror


def perfect(targets: Targets, windows: Sequence[Window]) -> Outputs:
    """Outputs of a network that says exactly what it was taught; padded gold becomes null queries."""
    size = max(len(window.ids) for window in windows)

    def spans(gold: SpanTargets) -> Spans:
        return Spans(peak(gold.start, size), peak(gold.end, size), peak(gold.type, len(LABELS.entity) + 1))

    return Outputs(
        entity=spans(targets.entity),
        head=spans(targets.head),
        tail=spans(targets.tail),
        relation=peak(targets.relation, len(LABELS.relation) + 1),
        entity_mask=torch.ones_like(targets.entity.type, dtype=torch.bool),
        relation_mask=torch.ones_like(targets.relation, dtype=torch.bool),
    )


def peak(index: Tensor, size: int) -> Tensor:
    """Logits that point at one position. Shape: (B, Q) -> (B, Q, size)."""
    return SURE * one_hot(index.clamp(min=0), size).float()


def there_and_back(
    windows: Sequence[Window], gold: Sequence[Extraction], coherence: str = "drop"
) -> list[Extraction]:
    """Gold to targets, targets to perfect logits, logits to extractions."""
    shares, _ = assign_to_windows(windows, gold, LABELS)
    outputs = perfect(make_targets(shares, LABELS, 1000, CPU), windows)
    decoding = Decoding(longest_span=1000, coherence=coherence)
    found = extract(outputs, windows, LABELS, decoding)
    return [cohere(x, LABELS, decoding) for x in merge(windows, found, len(gold))]


def tidy(extraction: Extraction) -> Extraction:
    """As decoding writes it: sorted, no duplicates, symmetric relations from the earlier argument."""
    relations = {
        Relation(*sorted((x.head, x.tail)), x.label) if x.label in LABELS.symmetric else x
        for x in extraction.relations
    }
    return Extraction(tuple(sorted({*extraction.entities})), tuple(sorted(relations)))


def marked(text: str, mentions: str, relations: str = "") -> tuple[str, Extraction]:
    """Gold from `mention/LABEL | ...` (the first occurrence counts) and `0 BINDS 1, ...`."""
    entities = []
    for mention in mentions.split(" | "):
        words, _, label = mention.rpartition("/")
        start = text.index(words)
        entities.append(Entity(start, start + len(words), label))
    links = (link.split() for link in relations.split(", ") if link)
    return text, Extraction(
        tuple(entities),
        tuple(Relation(entities[int(head)], entities[int(tail)], label) for head, label, tail in links),
    )


CASES = [
    marked("ORC and Cdc6p bind ATP.", "ORC/GENE | Cdc6p/GENE | ATP/CELL", "0 BINDS 2, 1 INHIBITS 2"),
    marked("糖尿病患者应控制血糖。", "糖尿病/CELL | 糖尿病患者/CELL | 血糖/GENE", "1 INHIBITS 2"),
    marked("IL-2-positive T cells", "IL-2/GENE | IL-2-positive T cells/CELL | T cells/CELL", "0 INHIBITS 1"),
    marked("x", "x/GENE", "0 INHIBITS 0"),
    marked("p53 binds itself", "p53/GENE", "0 BINDS 0, 0 INHIBITS 0"),
    marked("[(Na+,K+)-ATPase]*.", "[(Na+,K+)-ATPase]*/GENE | Na+/CELL | K+/CELL | ./CELL", "3 BINDS 0"),
    marked("A and B", "A/GENE | B/GENE", "0 BINDS 1, 0 INHIBITS 1"),
    marked("A and B", "A/GENE | B/GENE", "0 INHIBITS 1, 1 INHIBITS 0"),
    marked("A and B", "A/GENE | B/GENE", "0 BINDS 1, 1 BINDS 0"),
    marked("A and B", "A/GENE | A/CELL | B/GENE", "0 INHIBITS 1, 2 INHIBITS 1, 0 INHIBITS 2"),
    marked("nai\u0308ve 😀 שלום", "nai\u0308ve/CELL | 😀/GENE | שלום/CELL", "2 INHIBITS 1"),
    marked("nothing related", "nothing/GENE"),
    ("nothing at all", Extraction()),
]
SPECIAL = SpecialPieces((2,), (3,), 0)
WORDPIECES = learn_wordpieces([text for text, _ in CASES], 300)


@pytest.mark.parametrize("coherence", COHERENCE)
@pytest.mark.parametrize(("text", "gold"), CASES)
def test_decoding_mirrors_targets(text: str, gold: Extraction, coherence: str) -> None:
    windows = WindowTokenizer(WORDPIECES, SPECIAL, 64, 0).windows([text], [[]])
    assert there_and_back(windows, [gold], coherence) == [tidy(gold)]


@pytest.mark.parametrize("coherence", COHERENCE)
def test_a_whole_batch_is_mirrored(coherence: str) -> None:
    # texts of all lengths share one batch: padding and null queries must not speak
    texts, gold = ["  ", *(text for text, _ in CASES)], [Extraction(), *(gold for _, gold in CASES)]
    windows = WindowTokenizer(WORDPIECES, SPECIAL, 64, 0).windows(texts, [[]] * len(texts))
    assert there_and_back(windows, gold, coherence) == [tidy(x) for x in gold]


def by_character(texts: Sequence[str], size: int, overlap: int) -> list[Window]:
    tokens = [[(at, at + 1) for at in range(len(text))] for text in texts]
    return WindowTokenizer(None, NO_SPECIAL, size, overlap).windows(texts, tokens)


def test_several_windows_say_each_thing_once() -> None:
    # windows of 8 characters that share 4: 0-8, 4-12, 8-16; the middle of each overlap parts them
    windows = by_character(["x" * 16], 8, 3)
    a, b, c, d = Entity(0, 2, "GENE"), Entity(5, 8, "GENE"), Entity(6, 7, "CELL"), Entity(14, 16, "CELL")
    gold = Extraction((a, b, c, d), (Relation(a, c, "INHIBITS"), Relation(b, c, "BINDS")))
    assert len(windows) == 3
    assert there_and_back(windows, [gold]) == [tidy(gold)]


def test_an_entity_that_its_own_window_does_not_see_is_taken_from_the_next() -> None:
    first, second = by_character(["x" * 12], 8, 3)
    late = Entity(5, 9, "GENE")
    assert first.owns(5) and first.locate(5, 9) is None and second.locate(5, 9)
    assert there_and_back([first, second], [Extraction((late,))]) == [Extraction((late,))]


def test_a_window_does_not_answer_for_what_another_one_owns() -> None:
    first, second = by_character(["x" * 12], 8, 3)
    doubtful = Entity(7, 8, "GENE")  # both see it, the second owns it and is silent
    assert merge([first, second], [Extraction((doubtful,)), Extraction()], 1) == [Extraction()]
    assert merge([first, second], [Extraction(), Extraction((doubtful,))], 1) == [Extraction((doubtful,))]


def test_what_a_relation_means_is_sought_near_it_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    entities = [Entity(at, at + 3, "GENE", 0.9) for at in range(0, 4000, 10)]
    ends = [replace(entity, end=entity.end - 1) for entity in entities]
    relations = tuple(Relation(one, other, "INHIBITS") for one, other in pairwise(ends))
    overlap, calls = coherence.overlap_ratio, []

    def watch(left: Entity, right: Entity) -> float:
        calls.append(left)
        return overlap(left, right)

    monkeypatch.setattr(coherence, "overlap_ratio", watch)
    found = cohere(Extraction(tuple(entities), relations), LABELS, Decoding())
    assert {end for relation in found.relations for end in (relation.head, relation.tail)} == set(entities)
    assert len(calls) <= 2 * len(relations), "not 400 for each of 798 ends"


def test_merging_keeps_texts_apart_and_gives_each_one_an_extraction() -> None:
    windows = by_character(["a", "", "b"], 8, 0)
    found = [Extraction((Entity(0, 1, label),)) for label in LABELS.entity]
    assert merge(windows, found, 3) == [found[0], Extraction(), found[1]]
    with pytest.raises(ValueError, match="shorter"):
        merge(windows, found[:1], 3)


@st.composite
def annotated(draw: st.DrawFn) -> tuple[str, Extraction]:
    """A text with random entities, nested and overlapping ones too, and relations between them."""
    text = draw(st.text(alphabet="ab.-( 中é\u0301\u200b😀ש", max_size=30))
    ends = [at for at, char in enumerate(text) if not char.isspace()]
    if not ends:
        return text, Extraction()
    place = st.sampled_from(ends)
    span = st.tuples(place, place).map(sorted)
    entity = st.builds(lambda x, y: Entity(x[0], x[1] + 1, y), span, st.sampled_from(LABELS.entity))
    entities = draw(st.lists(entity, max_size=6))
    if not entities:
        return text, Extraction()
    one = st.sampled_from(entities)
    relations = draw(st.lists(st.builds(Relation, one, one, st.sampled_from(LABELS.relation)), max_size=6))
    return text, Extraction(tuple(entities), tuple(relations))


@settings(max_examples=60)
@given(st.lists(annotated(), min_size=1, max_size=3), st.integers(8, 14), st.data())
def test_whatever_windows_see_is_mirrored(
    items: list[tuple[str, Extraction]], size: int, data: st.DataObject
) -> None:
    texts = [text for text, _ in items]
    windows = by_character(texts, size, data.draw(st.integers(0, size - 5)))
    if not windows:
        return
    expected = []
    for number, (_, gold) in enumerate(items):
        views = [
            {x for x in gold.entities if window.locate(x.start, x.end)}
            for window in windows
            if window.text == number
        ]
        seen = tuple(x for x in gold.entities if any(x in view for view in views))
        linked = tuple(x for x in gold.relations if any({x.head, x.tail} <= view for view in views))
        expected.append(tidy(Extraction(seen, linked)))
    assert there_and_back(windows, [gold for _, gold in items]) == expected


# One span per query


@settings(max_examples=60)
@given(st.integers(1, 9), st.integers(1, 12), st.integers(0, 10_000))
def test_best_spans_are_those_of_a_slow_loop(size: int, longest: int, seed: int) -> None:
    torch.manual_seed(seed)
    spans = Spans(3 * torch.randn(2, 3, size), 3 * torch.randn(2, 3, size), torch.randn(2, 3, 4))
    start, end, label = (x.softmax(-1) for x in spans[:3])
    best = best_spans(spans, Decoding(longest_span=longest))
    for text in range(2):
        for query in range(3):
            first, last, start_p, end_p, best_label, label_p = (x[text, query].item() for x in best[:6])
            pairs = [(i, j) for i in range(size) for j in range(i, min(size, i + longest))]
            products = {(i, j): float(start[text, query, i] * end[text, query, j]) for i, j in pairs}
            assert products[first, last] == max(products.values())
            assert start_p == pytest.approx(float(start[text, query, first]))
            assert end_p == pytest.approx(float(end[text, query, last]))
            # null takes no part: labels count from 0 here
            assert best_label == int(label[text, query, 1:].argmax())
            assert label_p == pytest.approx(float(label[text, query, 1:].max()))


@settings(max_examples=60)
@given(st.integers(1, 40), st.integers(0, 10_000))
def test_spans_and_labels_are_those_of_equations_7_to_9(size: int, seed: int) -> None:
    torch.manual_seed(seed)
    spans = Spans(3 * torch.randn(2, 3, size), 3 * torch.randn(2, 3, size), torch.randn(2, 3, 4))
    best = best_spans(spans, Decoding(type_threshold=None, longest_span=None, span_score="sum"))
    for text in range(2):
        for query in range(3):
            # eq 5, eq 6
            start, end, types = (x[text, query].softmax(-1).tolist() for x in spans[:3])
            score = {}
            for i in range(size):
                for j in range(size):
                    if i <= j:  # eq 8, the best span, prints 0 < j - i
                        score[i, j] = start[i] + end[j]  # eq 7, the score of a span
            label, _ = max(enumerate(types), key=lambda pair: pair[1])  # eq 9, the best label
            found = [x[text, query].item() for x in best[:6]]
            assert score[found[0], found[1]] == pytest.approx(max(score.values()), abs=1e-6)
            assert found[2:4] == pytest.approx([start[found[0]], end[found[1]]])
            assert found[4:] == [label - 1, pytest.approx(types[label])]  # null is -1


def test_the_sum_and_the_product_may_choose_other_spans() -> None:
    # the likeliest end is before the likeliest start: products 0.07 and 0.045, sums 0.8 and 0.95
    spans = Spans(logits(0.1, 0.0, 0.9), logits(0.25, 0.7, 0.05), logits(0.0, 1.0))
    chosen = {
        score: [x.item() for x in best_spans(spans, Decoding(span_score=score))[:2]] for score in SPAN_SCORES
    }
    assert chosen == {"product": [0, 1], "sum": [2, 2]}


def test_pointers_that_contradict_each_other_give_a_span_all_the_same() -> None:
    # the start is surely behind the end: both pointers must give way or the probability is low
    spans = Spans(peak(torch.tensor([[3]]), 5), peak(torch.tensor([[1]]), 5), torch.zeros(1, 1, 3))
    best = best_spans(spans, Decoding(longest_span=5))
    assert 0 <= best.start.item() <= best.end.item() < 5
    assert min(best.start_probability.item(), best.end_probability.item()) < 1e-6


def test_longest_span_counts_positions() -> None:
    spans = Spans(peak(torch.tensor([[0]]), 9), peak(torch.tensor([[4]]), 9), torch.zeros(1, 1, 3))
    lengths = {}
    for longest in (1, 4, 5, 9, 100):
        best = best_spans(spans, Decoding(longest_span=longest))
        lengths[longest] = best.end.item() - best.start.item() + 1
    assert lengths[5] == lengths[9] == lengths[100] == 5
    assert lengths[1] == 1 and lengths[4] <= 4


# Thresholds


def logits(*probabilities: float) -> Tensor:
    """One query's logits with these probabilities. Shape: (1, 1, C)."""
    return torch.tensor(probabilities).log()[None, None]


def spoken(span: Spans | None = None, relation: Tensor | None = None) -> Outputs:
    """One entity query and one relation query that point at the first of two characters."""
    sure = Spans(logits(0.99, 0.01), logits(0.99, 0.01), logits(0.01, 0.98, 0.01))
    span = span or sure
    relation = logits(0.01, 0.01, 0.98) if relation is None else relation
    return Outputs(span, span, span, relation, *[torch.ones(1, 1, dtype=torch.bool)] * 2)


def said(outputs: Outputs, labels: Labels = LABELS, **settings: float | None) -> Extraction:
    (found,) = extract(outputs, by_character(["xy"], 8, 0), labels, Decoding(**settings))  # type: ignore[arg-type]
    return found


def test_scores_are_probabilities() -> None:
    found = said(spoken())
    (entity,), (relation,) = found.entities, found.relations
    assert entity == Entity(0, 1, "GENE") and relation == Relation(entity, entity, "INHIBITS")
    assert entity.score == pytest.approx(0.98 * 0.99)
    assert relation.score == pytest.approx(0.98)


@pytest.mark.parametrize(("threshold", "emitted"), [(0.0, 1), (0.69, 1), (0.71, 0), (1.0, 0)])
def test_the_type_threshold_is_for_entities_only(threshold: float, emitted: int) -> None:
    outputs = spoken(Spans(logits(0.99, 0.01), logits(0.99, 0.01), logits(0.1, 0.2, 0.7)))
    found = said(outputs, type_threshold=threshold)
    assert len(found.entities) == emitted
    assert len(found.relations) == 1


@pytest.mark.parametrize(("threshold", "emitted"), [(0.0, 1), (0.69, 1), (0.71, 0), (1.0, 0)])
def test_the_relation_threshold(threshold: float, emitted: int) -> None:
    found = said(spoken(relation=logits(0.1, 0.2, 0.7)), relation_threshold=threshold)
    assert len(found.relations) == emitted
    assert len(found.entities) == 1


@pytest.mark.parametrize(("threshold", "emitted"), [(0.0, 1), (0.59, 1), (0.61, 0)])
@pytest.mark.parametrize("weak", ["start", "end"])
def test_the_boundary_threshold_is_for_both_ends_and_all_spans(
    weak: str, threshold: float, emitted: int
) -> None:
    ends = {"start": logits(0.99, 0.01), "end": logits(0.99, 0.01), weak: logits(0.6, 0.4)}
    outputs = spoken(Spans(ends["start"], ends["end"], logits(0.01, 0.98, 0.01)))
    found = said(outputs, boundary_threshold=threshold)
    assert (len(found.entities), len(found.relations)) == (emitted, emitted)


def test_a_probability_at_its_threshold_is_enough() -> None:
    # halves are exact
    half = Spans(logits(0.5, 0.5), logits(0.5, 0.5), logits(0.0, 0.5, 0.5))
    thresholds = {"type_threshold": 0.5, "relation_threshold": 0.5, "boundary_threshold": 0.5}
    found = said(spoken(half, logits(0.0, 0.5, 0.5)), **thresholds)
    assert (len(found.entities), len(found.relations)) == (1, 1)


def test_masked_queries_are_silent() -> None:
    silent = torch.zeros(1, 1, dtype=torch.bool)
    found = said(spoken()._replace(entity_mask=silent))
    assert (len(found.entities), len(found.relations)) == (0, 1)
    found = said(spoken()._replace(relation_mask=silent))
    assert (len(found.entities), len(found.relations)) == (1, 0)


def test_a_silent_relation_query_does_not_silence_the_next() -> None:
    one = spoken()
    twice = Spans(*(x.repeat(1, 2, 1) for x in one.head[:3]))
    two = one._replace(head=twice, tail=twice)
    null = torch.cat([logits(0.98, 0.01, 0.01), one.relation], dim=1)
    for relation, mask in ((null, [[True, True]]), (one.relation.repeat(1, 2, 1), [[False, True]])):
        found = said(two._replace(relation=relation, relation_mask=torch.tensor(mask)))
        assert len(found.relations) == 1


@pytest.mark.parametrize("doubtful", ["head", "tail"])
def test_a_relation_needs_both_ends(doubtful: str) -> None:
    span = Spans(logits(0.55, 0.45), logits(0.55, 0.45), logits(0.01, 0.98, 0.01))
    found = said(spoken()._replace(**{doubtful: span}), boundary_threshold=0.6)
    assert (len(found.entities), len(found.relations)) == (1, 0)


@pytest.mark.parametrize(("probabilities", "emitted"), [((0.3, 0.25, 0.45), 1), ((0.4, 0.25, 0.35), 0)])
def test_without_thresholds_the_likeliest_label_counts_null_included(
    probabilities: tuple[float, ...], emitted: int
) -> None:
    doubtful = Spans(logits(0.99, 0.01), logits(0.99, 0.01), logits(*probabilities))
    thresholds = {"type_threshold": None, "relation_threshold": None}
    # an entity query, and an end of a relation, whose likeliest label is null is no entity
    found = said(spoken(doubtful), **thresholds)
    assert (len(found.entities), len(found.relations)) == (emitted, emitted)
    found = said(spoken(relation=logits(*probabilities)), **thresholds)
    assert (len(found.entities), len(found.relations)) == (1, emitted)
    assert [x.label for x in found.relations] == ["INHIBITS"] * emitted


def test_null_is_no_label() -> None:
    null = Spans(logits(0.99, 0.01), logits(0.99, 0.01), logits(0.9, 0.05, 0.05))
    assert said(spoken(null, logits(0.9, 0.05, 0.05))) == Extraction()


def test_nothing_points_at_special_pieces() -> None:
    windows = WindowTokenizer(WORDPIECES, SPECIAL, 64, 0).windows(["x"], [[]])
    first = Spans(peak(torch.tensor([[0]]), 3), peak(torch.tensor([[0]]), 3), logits(0.01, 0.98, 0.01))
    across = first._replace(end=peak(torch.tensor([[1]]), 3))
    for span in (first, across):
        assert extract(spoken(span), windows, LABELS, Decoding()) == [Extraction()]


@pytest.mark.parametrize(
    ("entities", "relations"), [(0, 0), (0, 1), (1, 0)], ids=["nothing", "relations only", "entities only"]
)
def test_a_batch_in_which_only_one_kind_of_query_speaks(entities: int, relations: int) -> None:
    def first(span: Spans, count: int) -> Spans:
        return Spans(span.start[:, :count], span.end[:, :count], span.type[:, :count])

    one = spoken()
    outputs = Outputs(
        first(one.entity, entities), first(one.head, relations), first(one.tail, relations),
        one.relation[:, :relations], one.entity_mask[:, :entities], one.relation_mask[:, :relations],
    )  # fmt: skip
    found = said(outputs)
    assert (len(found.entities), len(found.relations)) == (entities, relations)


def test_outputs_that_do_not_belong_together_are_an_error() -> None:
    one, two = spoken(), torch.ones(1, 2, dtype=torch.bool)
    twice = Spans(*(x.repeat(1, 2, 1) for x in one.head[:3]))
    for outputs in (one._replace(entity_mask=two), one._replace(head=twice), one._replace(tail=twice)):
        with pytest.raises(IndexError, match="shape of the mask"):
            said(outputs)
    with pytest.raises(ValueError, match=r"shorter|longer"):
        extract(one, by_character(["xy", "xy"], 8, 0), LABELS, Decoding())


def test_without_labels_there_is_nothing_to_say() -> None:
    spans = Spans(logits(0.99, 0.01), logits(0.99, 0.01), logits(0.02, 0.98))
    one = torch.zeros(1, 1, 1)
    found = said(spoken(spans, one), Labels(("GENE",)))
    assert found == Extraction((Entity(0, 1, "GENE"),))
    assert said(spoken(Spans(spans.start, spans.end, one), one), Labels()) == Extraction()


# Settings


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        (
            {"type_threshold": 1.5},
            ["type_threshold is 1.5, expected a number (0 to 1) or null: ", "the default is 0.5"],
        ),
        (
            {"relation_threshold": -0.1},
            ["relation_threshold is -0.1, expected a number (0 to 1) or null: ", "the default is 0.4"],
        ),
        (
            {"boundary_threshold": float("nan")},
            ["boundary_threshold is nan, expected a number (0 to 1): ", "the default is 0.1"],
        ),
        (
            {"longest_span": 0},
            ["longest_span is 0, expected a whole number (at least 1) or null: ", "the default is 32"],
        ),
        (
            {"coherence": "hope"},
            [
                'coherence is \'hope\', expected one of "snap", "add", "drop", "off": ',
                'the default is "snap"',
            ],
        ),
        ({"span_score": 1}, ['span_score is 1, expected one of "product", "sum": ', 'default is "product"']),
        ({"remove_overlaps": "no"}, ["remove_overlaps is 'no', expected one of true, false: ", "false"]),
    ],
)
def test_impossible_settings_are_refused(setting: dict[str, float], words: list[str]) -> None:
    with pytest.raises(SettingError) as error:
        Decoding(**setting)  # type: ignore[arg-type]
    assert all(word in str(error.value) for word in words)


def test_the_bounds_of_a_setting_are_possible() -> None:
    for bound in (0, 1):
        Decoding(type_threshold=bound, relation_threshold=bound, boundary_threshold=bound, longest_span=1)


def test_settings_of_a_component_are_made_once_until_they_change() -> None:
    cfg: dict[str, Any] = {**asdict(Decoding()), "entity_labels": ["P"]}
    latest = LatestDecoding()
    first = latest.of(cfg)
    assert first == Decoding() and latest.of({**cfg}) is first
    cfg["entity_thresholds"]["P"] = 0.8  # in place
    changed = latest.of(cfg)
    assert changed.entities.reaches("P", 0.8) and not changed.entities.reaches("P", 0.7)
    cfg["entity_thresholds"]["P"] = 8
    for _ in range(2):
        with pytest.raises(SettingError, match=r"entity_thresholds is .* expected a number .* default"):
            latest.of(cfg)
    cfg["entity_thresholds"] = {}
    cfg["remove_overlaps"] = 1  # which is equal to True, and no value of a switch
    with pytest.raises(SettingError, match="remove_overlaps is 1"):
        latest.of(cfg)
    assert latest.of(asdict(Decoding())) == Decoding()
