"""Gold that nobody should write: every mention and relation is trained on or reported, and it adds up."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from pipelines import demo_texts, initialize, make_nlp, optimizer, tiny
from spacy.language import Language
from spacy.tokens import DocBin
from spacy.training import Example
from tries import cases

from spacy_bispn import annotations
from spacy_bispn.converters.formats.jsonl import read_jsonl
from spacy_bispn.corpus import to_doc, to_docbin
from spacy_bispn.corpus_reader import bare
from spacy_bispn.model.encoders import RandomEncoder
from spacy_bispn.model.shim import NO_SPECIAL
from spacy_bispn.model.targets import (
    CoverageReport,
    WindowGold,
    assign_to_windows,
    make_targets,
    with_inverses,
)
from spacy_bispn.model.windowing import Window, WindowTokenizer
from spacy_bispn.nn import assignment
from spacy_bispn.nn.matching import Match
from spacy_bispn.nn.shapes import NULL
from spacy_bispn.records import AnnotatedText, Entity, Extraction, Labels, Relation, trimmed

NLP = make_nlp()
WORD = re.compile(r"\w+|[^\w\s]")
KNOWN = Labels(("A", "B"), ("r", "s"), ("s",))
CPU = torch.device("cpu")
QUERIES = 12
PIECES = RandomEncoder(width=4, heads=1).load(text.text for text in demo_texts(20))
# by wordpieces and by tokens, with windows that are shorter than most texts
WINDOW_TOKENIZERS = (
    WindowTokenizer(PIECES.tokenizer, PIECES.special, 12, 4),
    WindowTokenizer(None, NO_SPECIAL, 8, 2),
)

TEXTS = st.one_of(
    st.sampled_from(["", " ", "Tem2-Dal92 binds EG-75.", "蛋白质结合。", "a\u0301\u200bb \x00c", "x" * 200]),
    st.lists(st.sampled_from(["Tem2", "-", "binds", "\u200b", "\n", "蛋白", "."]), max_size=30).map(" ".join),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
)
ENTITY_LABELS = st.sampled_from(["A", "B", "A", "B", "C", "", "Ω"])
RELATION_LABELS = st.sampled_from(["r", "s", "r", "s", "t", ""])
FAR = (-1, -(2**31), 2**31, 2**63, 10**30)
HALVES = st.integers(0, 2**16)  # which of the places of a text an offset is


@st.composite
def golds(draw: st.DrawFn) -> AnnotatedText:
    """A text with entities that nest, cross and repeat, and relations between any two of them."""
    text = draw(TEXTS)
    # mostly between words, else anywhere, now and then far outside; sorted, but for one entity in ten
    seams = [end for match in WORD.finditer(text) for end in match.span()]
    places = [*range(len(text) + 2), *seams * 9, *FAR]
    entities = []
    for first, second, label in draw(st.lists(st.tuples(HALVES, HALVES, ENTITY_LABELS), max_size=8)):
        ends = places[first % len(places)], places[second % len(places)]
        entities.append(Entity(*(ends if first % 10 == 0 else sorted(ends)), label))
    ends = st.sampled_from([*entities, *entities, Entity(0, 1, "A"), Entity(1, 0, "A")])
    relations = draw(st.lists(st.builds(Relation, ends, ends, RELATION_LABELS), max_size=8))
    return AnnotatedText("made", text, Extraction(tuple(entities), tuple(relations)))


def as_item(text: AnnotatedText, number: int) -> dict[str, Any]:
    """What a careless annotator would write down; arguments that are no entity get a number of no entity."""
    entities = list(text.extraction.entities)
    numbers = {entity: index for index, entity in enumerate(entities)}
    return {
        "id": str(number), "text": text.text,
        "entities": [[x.start, x.end, x.label] for x in entities],
        "relations": [
            [numbers.get(x.head, -1), numbers.get(x.tail, 99), x.label] for x in text.extraction.relations
        ],
    }  # fmt: skip


# From a file: the report of the conversion


def convert_all(texts: list[AnnotatedText], folder: Path) -> None:
    """Every row of the file is in a text, counted as a duplicate, or in a text that an error names."""
    path = folder / "gold.jsonl"
    items = [as_item(text, number) for number, text in enumerate(texts)]
    path.write_text("".join(json.dumps(item) + "\n" for item in items), encoding="utf8")
    conversion = read_jsonl(path, lenient=True)
    report = conversion.report
    kept = {text.id: text.extraction for text in conversion.texts}
    skipped = [number for number in range(1, len(items) + 1) if str(number - 1) not in kept]
    assert [error.split(": ")[0].rsplit(" ", 1)[1] for error in report.errors] == [str(n) for n in skipped]
    assert report.texts == len(items) - len(report.errors)
    for kind, left, twice in (
        ("entities", report.entities, report.duplicate_entities),
        ("relations", report.relations, report.duplicate_relations),
    ):
        rows = sum(len(item[kind]) for item in items if item["id"] in kept)
        assert rows == left + twice
        assert left == sum(len(getattr(extraction, kind)) for extraction in kept.values())
    assert not report.dropped
    for text in conversion.texts:
        fit_all(text)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gold")


FILES = st.lists(golds(), min_size=1, max_size=3)


@cases("conversions")
@given(FILES)
def test_conversions_add_up(folder: Path, texts: list[AnnotatedText]) -> None:
    convert_all(texts, folder)


@pytest.mark.slow
@cases("many conversions")
@given(FILES)
def test_many_conversions_add_up(folder: Path, texts: list[AnnotatedText]) -> None:
    convert_all(texts, folder)


# From records: what the tokens of a Doc cannot hold


def without_blanks(text: AnnotatedText) -> Extraction:
    """The gold of a text without white space at the ends of its entities."""

    def cut(entity: Entity) -> Entity:
        return replace(entity, start=(ends := trimmed(text.text, entity.start, entity.end))[0], end=ends[1])

    relations = (Relation(cut(x.head), cut(x.tail), x.label) for x in text.extraction.relations)
    return Extraction(tuple(map(cut, text.extraction.entities)), tuple(relations))


def fit_all(text: AnnotatedText) -> Extraction:
    """Each item is on the Doc, or has a line among the problems; a DocBin keeps what is on the Doc."""
    gold = without_blanks(text)
    doc, problems = to_doc(NLP, text)
    said = annotations.read(doc)
    there, linked = set(said.entities), set(said.relations)
    assert there <= set(gold.entities) and linked <= set(gold.relations)
    assert len(said.entities) == len(there) and len(said.relations) == len(linked)
    lines = Counter(line.split()[0] for line in problems)
    assert lines["entity"] == sum(entity not in there for entity in gold.entities)
    assert lines["relation"] == sum(relation not in linked for relation in gold.relations)
    assert lines.total() == lines["entity"] + lines["relation"]
    docbin, same = to_docbin(NLP, [text])
    assert same == [f"{text.id}: {line}" for line in problems]
    (back,) = DocBin().from_bytes(docbin.to_bytes()).get_docs(NLP.vocab)
    assert annotations.read(back) == said
    return said


@cases("records")
@given(golds())
# an empty span, spaCy's IndexError and its OverflowError
@example(AnnotatedText("made", "a-b", Extraction((Entity(1, 1, "A"),))))
@example(AnnotatedText("made", "a-b", Extraction((Entity(2, 1, "A"),))))
@example(AnnotatedText("made", "a-b", Extraction((Entity(0, 2**40, "A"),))))
def test_records_add_up(text: AnnotatedText) -> None:
    fit_all(text)


@pytest.mark.slow
@cases("many records")
@given(golds())
def test_many_records_add_up(text: AnnotatedText) -> None:
    fit_all(text)


# From Docs or any extraction: what no window sees and no label covers


@dataclass
class Placed:
    """The windows of one text, their shares of its gold, and the report."""

    windows: list[Window]
    shares: list[WindowGold]
    report: CoverageReport


def place_in(window_tokenizer: WindowTokenizer, text: str, gold: Extraction) -> Placed:
    doc = NLP.make_doc(text)
    windows = window_tokenizer.windows([text], [[(token.idx, token.idx + len(token)) for token in doc]])
    return Placed(windows, *assign_to_windows(windows, [gold], KNOWN))


def place_all(text: AnnotatedText, window_tokenizers: Sequence[WindowTokenizer] = WINDOW_TOKENIZERS) -> None:
    """Distinct items are trained on, unplaced, or of an unknown label; no item is two of these."""
    gold = text.extraction
    for window_tokenizer in window_tokenizers:
        placed = place_in(window_tokenizer, text.text, gold)
        report, shares = placed.report, placed.shares
        taught = {entity for share in shares for entity, _ in share.entities}
        linked = {relation for share in shares for relation in share.relations}
        entities, relations = set(gold.entities), set(gold.relations)
        assert taught <= entities and linked <= relations
        labels = [item.label for item in (*entities, *relations)]
        unknown = [label for label in labels if label not in (*KNOWN.entity, *KNOWN.relation)]
        assert report.unknown_labels == Counter(unknown)
        assert report.entities + report.relations + len(unknown) == len(entities) + len(relations)
        assert report.entities == len(taught) + report.unplaced_entities
        assert report.relations == len(linked) + report.unplaced_relations
        assert 0 <= report.widened_entities <= len(taught)
        check_targets(placed)


def check_targets(placed: Placed) -> None:
    """The tensors say what the shares say, at the pieces that cover each entity."""
    shares = placed.shares
    targets = make_targets(shares, KNOWN, QUERIES, CPU)
    assert (targets.entity.type != NULL).sum(1).tolist() == [len(share.entities) for share in shares]
    both = [with_inverses(share.relations, KNOWN.symmetric, QUERIES) for share in shares]
    assert (targets.relation != NULL).sum(1).tolist() == [len(relations) for relations in both]
    for row, (window, share) in enumerate(zip(placed.windows, shares, strict=True)):
        for number, (entity, _) in enumerate(share.entities):
            first, last = int(targets.entity.start[row, number]), int(targets.entity.end[row, number])
            assert first <= last and 0 <= window.start[first] < entity.end and entity.start < window.end[last]
            assert KNOWN.entity[int(targets.entity.type[row, number]) - 1] == entity.label
        for number, relation in enumerate(both[row]):
            head, tail = (int(index[row, number]) for index in (targets.head_entity, targets.tail_entity))
            assert (share.entities[head][0], share.entities[tail][0]) == (relation.head, relation.tail)
            assert KNOWN.relation[int(targets.relation[row, number]) - 1] == relation.label


@cases("placements")
@given(golds())
def test_placements_add_up(text: AnnotatedText) -> None:
    place_all(text)


@pytest.mark.slow
@cases("many placements")
@given(golds())
def test_many_placements_add_up(text: AnnotatedText) -> None:
    place_all(text)


def test_thousands_of_entities_add_up() -> None:
    words = ["Tem2"] * 2000
    starts = range(0, 5 * len(words), 5)
    entities = tuple(Entity(start, start + 4, "AB"[start % 2]) for start in starts)
    nested = tuple(Entity(start, start + 49, "A") for start in starts[:-10])
    tails = (*entities[1:3], *entities[5:])
    links = tuple(Relation(head, tail, "s") for head, tail in zip(entities, tails, strict=False))
    text = AnnotatedText("made", " ".join(words), Extraction((*entities, *nested), links))
    said = fit_all(text)
    assert len(said.entities) == 3990 and len(said.relations) == len(links)
    place_all(
        text,
        tuple(replace(window_tokenizer, window=256, overlap=64) for window_tokenizer in WINDOW_TOKENIZERS),
    )


# Into the network: what finds no query


@pytest.fixture(scope="module")
def nlp() -> Language:
    """A model with far too few queries, whose component was initialized with other texts."""
    few = {"entity_queries": 4, "relation_queries": 3, "window": 16, "overlap": 4}
    made = make_nlp(tiny(few, symmetric_labels=["s"]))
    pair = Entity(0, 4, "A"), Entity(5, 9, "B")
    golds = [Extraction(pair, (Relation(*pair, label),)) for label in "rs"]
    initialize(made, [AnnotatedText("made", "Tem2 Dal9 binds", gold) for gold in golds])
    made.get_pipe("bispn").grows = False  # every case begins with the same labels
    return made


def update_all(nlp: Language, texts: list[AnnotatedText]) -> None:
    """Gold in windows is matched with a query, or counted as surplus; the loss is a number."""
    pipe: Any = nlp.get_pipe("bispn")
    docs = [to_doc(nlp, text)[0] for text in texts]
    windows = pipe.shim.windows(docs, is_train=True)
    shares, _ = assign_to_windows(windows, [annotations.read(doc) for doc in docs], pipe.label_sets)
    both = [with_inverses(share.relations, ["s"], 3) for share in shares]
    solved: list[tuple[int, int]] = []
    solve = assignment.match

    def recorded(costs: Any, queries: Any, gold: Any) -> list[Match]:
        found = solve(costs, queries, gold)
        # the last two problems are those of the layer whose surplus is reported
        last = zip(gold[-2:], found[-2:], strict=True)
        solved.extend((int(mask.sum()), len(match.query)) for mask, match in last)
        return found

    losses: dict[str, float] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assignment, "match", recorded)
        nlp.update([Example(bare(nlp, doc), doc) for doc in docs], sgd=optimizer(), losses=losses)
    wanted = sum(len(share.entities) + len(relations) for share, relations in zip(shares, both, strict=True))
    assert sum(gold for gold, _ in solved) == wanted
    assert wanted == sum(matched for _, matched in solved) + losses.get("bispn_surplus", 0)
    assert losses["bispn"] >= 0


@cases("updates")
@given(FILES)
def test_updates_add_up(nlp: Language, texts: list[AnnotatedText]) -> None:
    update_all(nlp, texts)


@pytest.mark.slow
@cases("many updates")
@given(FILES)
def test_many_updates_add_up(nlp: Language, texts: list[AnnotatedText]) -> None:
    update_all(nlp, texts)


def test_gold_beyond_the_queries_is_counted(nlp: Language) -> None:
    names = [Entity(5 * number, 5 * number + 4, "A") for number in range(7)]
    gold = Extraction(tuple(names), tuple(Relation(names[0], name, "r") for name in names[1:]))
    losses: dict[str, float] = {}
    doc, _ = to_doc(nlp, AnnotatedText("made", "Tem2 " * 7, gold))
    nlp.update([Example(bare(nlp, doc), doc)], sgd=optimizer(), losses=losses)
    assert losses["bispn_surplus"] >= 3 + 3
