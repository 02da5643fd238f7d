"""What is written in a format with ids or concepts is read again, and the rest is counted."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from examples import annotated_texts, unworded_texts
from hypothesis import given
from hypothesis import strategies as st

from spacy_bispn.converters import ConversionError, detect, get_format, get_writer
from spacy_bispn.records import AnnotatedText, Entity, Extraction, Relation

IDS = st.sampled_from(["", "D1", "D2", "D1|D2", "a#0"])
PLAIN = st.text(alphabet="abcéγ1_ -", min_size=1).filter(lambda name: name == name.strip())
LABELS = PLAIN.filter(lambda label: not re.fullmatch("[-0-9.]*", label))
NAMES = st.text(alphabet="abc1é", min_size=1)


def with_ids(text: AnnotatedText, name: str, ids: list[str]) -> AnnotatedText:
    """The same with ids, without relations from an entity to itself, which no concept has."""
    entities = tuple(
        replace(one, kb_id=kb_id) for one, kb_id in zip(text.extraction.entities, ids, strict=False)
    )
    relations = tuple(one for one in text.extraction.relations if one.head != one.tail)
    return replace(text, id=name, extraction=Extraction(entities, relations))


@st.composite
def identified(draw: Any, texts: st.SearchStrategy[AnnotatedText]) -> list[AnnotatedText]:
    ids = st.lists(IDS, min_size=5, max_size=5)
    found = st.lists(st.builds(with_ids, texts, NAMES, ids), min_size=1, max_size=3, unique_by=lambda x: x.id)
    return draw(found)  # type: ignore[no-any-return]


WORDED = identified(annotated_texts(joined=True).map(lambda text: relabelled(text)))
UNWORDED = identified(unworded_texts(LABELS).filter(lambda text: bool(text.text.strip())))


def relabelled(text: AnnotatedText) -> AnnotatedText:
    """With a few labels, so that some entities differ by nothing else."""

    def label(one: Any) -> Any:
        return replace(one, label="ABC"[len(one.label) % 3])

    entities = tuple(dict.fromkeys(map(label, text.extraction.entities)))
    relations = (
        replace(label(one), head=label(one.head), tail=label(one.tail)) for one in text.extraction.relations
    )
    return replace(text, extraction=Extraction(entities, tuple(dict.fromkeys(relations))))


def things(entities: Iterable[Entity]) -> set[frozenset[Entity]]:
    """Which entities are mentions of one thing."""
    found: dict[str, set[Entity]] = {}
    for one in entities:
        for name in filter(None, one.kb_id.split("|")):
            found.setdefault(name, set()).add(one)
    return {frozenset(mentions) for mentions in found.values()}


def again(form: str, texts: list[AnnotatedText], folder: Path, **rules: Any) -> tuple[Any, Counter[str]]:
    lost = +get_writer(form)(folder / f"trip.{form}", texts)
    assert detect(folder / f"trip.{form}") == form
    return get_format(form).read(folder / f"trip.{form}", **rules), lost


def counted(lost: Counter[str], words: str) -> int:
    return sum(count for what, count in lost.items() if words in what)


@given(WORDED)
def test_dygie_gives_documents_back(
    tmp_path_factory: pytest.TempPathFactory, texts: list[AnnotatedText]
) -> None:
    conversion, lost = again("dygie", texts, tmp_path_factory.getbasetemp(), level="document")
    assert not conversion.report.dropped
    for text, read in zip(texts, conversion.texts, strict=True):
        assert (read.id, read.text, read.words) == (text.id, text.text, text.words)
        assert set(read.extraction.entities) == set(text.extraction.entities)
        spans = [(one.start, one.end) for one in text.extraction.entities]
        if len(set(spans)) == len(spans):
            assert set(read.extraction.relations) == set(text.extraction.relations)
            assert things(read.extraction.entities) == things(text.extraction.entities)
    changed = sum(
        len({*text.extraction.relations} - {*read.extraction.relations})
        for text, read in zip(texts, conversion.texts, strict=True)
    )
    assert changed == counted(lost, "another label of a span")


@pytest.mark.parametrize("form", ["docred", "pubtator"])
def test_relations_of_concepts_come_back(tmp_path_factory: pytest.TempPathFactory, form: str) -> None:
    @given(WORDED if form == "docred" else UNWORDED)
    def check(texts: list[AnnotatedText]) -> None:
        conversion, lost = again(form, texts, tmp_path_factory.getbasetemp())
        assert not conversion.report.dropped and not conversion.report.problems
        added = 0
        for text, read in zip(texts, conversion.texts, strict=True):
            whole = text.text if form == "docred" else re.sub("[\r\n]", " ", text.text)
            assert (read.id, read.text) == (text.id, whole)
            assert set(read.extraction.entities) == set(text.extraction.entities)
            relations, wanted = set(read.extraction.relations), set(text.extraction.relations)
            assert wanted <= relations
            added += len(relations - wanted)
            named = {one for one in text.extraction.entities if one.kb_id}
            given_ids = [one for one in read.extraction.entities if one in named]
            assert things(given_ids) == things(text.extraction.entities)
        assert counted(lost, "that reading adds") == added

    check()


@given(UNWORDED)
def test_bioc_gives_texts_back(tmp_path_factory: pytest.TempPathFactory, texts: list[AnnotatedText]) -> None:
    illegal = "[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
    texts = [replace(text, text=re.sub(illegal, "x", text.text)) for text in texts]
    conversion, lost = again("bioc", texts, tmp_path_factory.getbasetemp())
    assert conversion.texts == texts and not lost and not conversion.report.dropped
    ids = [[one.kb_id for one in text.extraction.entities] for text in texts]
    assert [[one.kb_id for one in text.extraction.entities] for text in conversion.texts] == ids


def test_bioc_refuses_what_is_no_xml(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match=r"text 'a': found the character .* XML has.*write bioc-json"):
        get_writer("bioc")(tmp_path / "out", [AnnotatedText("a", "a\x00b", Extraction())])
    assert not any(tmp_path.iterdir())


ORC, ATP, IT = Entity(0, 3, "P", kb_id="a#1"), Entity(4, 7, "C"), Entity(8, 10, "P", kb_id="a#1")
TEXT = "ORC ATP It"


def document(*relations: Relation[Entity], entities: tuple[Entity, ...] = (ORC, ATP, IT)) -> AnnotatedText:
    return AnnotatedText("a", TEXT, Extraction(entities, relations), tuple(TEXT.split()), (0, 8))


def test_sentences_of_one_document_become_one_document_again(tmp_path: Path) -> None:
    texts = [
        AnnotatedText("b:0", "ORC it", Extraction((Entity(0, 3, "P", kb_id="b#0"),)), ("ORC", "it")),
        AnnotatedText("b:1", "ORC", Extraction((Entity(0, 3, "P", kb_id="b#0"),)), ("ORC",)),
        AnnotatedText("PMC:7", "A B", Extraction(), ("A", "B")),
        AnnotatedText("PMC:8", "B A", Extraction(), ("B", "A")),
        AnnotatedText("c:0", "D", Extraction(), ("D",)),
    ]
    conversion, lost = again("dygie", texts, tmp_path)
    assert [text.id for text in conversion.texts] == ["b:0", "b:1", "PMC:7:0", "PMC:8:0", "c:0"]
    assert [text.text for text in conversion.texts] == [text.text for text in texts]
    assert [one.kb_id for text in conversion.texts for one in text.extraction.entities] == ["b#0", "b#0"]
    assert not lost
    lines = (tmp_path / "trip.dygie").read_text("utf-8").splitlines()
    assert json.loads(lines[0]) == {
        "doc_key": "b",
        "sentences": [["ORC", "it"], ["ORC"]],
        "ner": [[[0, 0, "P"]], [[2, 2, "P"]]],
        "relations": [[], []],
        "clusters": [[[0, 0], [2, 2]]],
    }
    _, lost = again("dygie", [texts[0], replace(texts[1], id="b:4")], tmp_path)
    assert counted(lost, "numbered anew") == 1


@pytest.mark.parametrize("form", ["docred", "dygie"])
def test_a_text_has_the_sentences_that_it_says_but_no_entity_is_cut(tmp_path: Path, form: str) -> None:
    wide = Entity(4, 10, "X")
    for entities, starts in (((ORC, ATP, IT), [0, 8]), ((ORC, wide), [0])):
        conversion, _ = again(form, [document(entities=entities)], tmp_path, level="document")
        (text,) = conversion.texts
        assert (text.text, set(text.extraction.entities), list(text.sentences)) == (TEXT, {*entities}, starts)


def test_dygie_counts_relations_across_sentences_and_of_second_labels(tmp_path: Path) -> None:
    other = Entity(0, 3, "Q")
    text = document(Relation(ORC, IT, "is"), Relation(other, ATP, "has"), entities=(ORC, other, ATP, IT))
    conversion, lost = again("dygie", [text], tmp_path, level="document")
    assert set(conversion.texts[0].extraction.relations) == {
        text.extraction.relations[0],
        Relation(ORC, ATP, "has"),
    }
    assert counted(lost, "'is' relations across sentences") == 1
    assert counted(lost, "'has' relations that mean another label of a span") == 1
    alone = document(Relation(other, ATP, "has"), entities=(ORC, other, ATP, IT))
    conversion, lost = again("dygie", [alone], tmp_path, level="document")
    assert conversion.texts[0].extraction.relations == alone.extraction.relations
    assert not counted(lost, "another label"), "the label that relations mean is written first"


@pytest.mark.parametrize("pairs", ["all", "nearest"])
@pytest.mark.parametrize("form", ["docred", "pubtator"])
def test_relations_read_by_pairs_come_back_by_pairs(tmp_path: Path, form: str, pairs: str) -> None:
    both = [Relation(ORC, ATP, "binds"), Relation(IT, ATP, "binds")]
    text = document(*both[: 2 if pairs == "all" else 1])
    conversion, lost = again(form, [text], tmp_path, pairs=pairs)
    assert set(conversion.texts[0].extraction.relations) == set(text.extraction.relations)
    assert counted(lost, "'binds' relations that reading adds between") == (pairs == "nearest")
    assert conversion.report.noted["relations between concepts"] == 1


@pytest.mark.parametrize("form", ["docred", "pubtator"])
def test_symmetric_relations_come_back(tmp_path: Path, form: str) -> None:
    text = document(Relation(ORC, ATP, "binds"), Relation(ATP, IT, "binds"))
    conversion, lost = again(form, [text], tmp_path, symmetric=("binds",))
    assert counted(lost, "adds in the other direction, unless --symmetric") == 2 == counted(lost, "adds")
    assert set(conversion.texts[0].extraction.relations) == set(text.extraction.relations)


def test_what_concepts_cannot_say_is_counted_by_label(tmp_path: Path) -> None:
    text = document(Relation(ORC, ORC, "is"), Relation(ORC, ATP, "binds"))
    for form in ("docred", "pubtator"):
        conversion, lost = again(form, [text], tmp_path)
        assert counted(lost, "'is' relations from an entity to itself") == 1
        assert {one.label for one in conversion.texts[0].extraction.relations} == {"binds"}
    assert counted(lost, "without an id that have a relation") == 1
    named = [one.kb_id for one in conversion.texts[0].extraction.entities]
    assert named == ["a#1", "a#0", "a#1"], "a new id, which no other has"


def test_ids_of_concepts_that_a_file_numbers_are_counted(tmp_path: Path) -> None:
    text = document(entities=(replace(ORC, kb_id="P1"), replace(IT, kb_id="P1")))
    for form in ("docred", "dygie"):
        conversion, lost = again(form, [text], tmp_path, level="document")
        assert [one.kb_id for one in conversion.texts[0].extraction.entities] == ["a#0", "a#0"]
        assert counted(lost, "numbers the clusters") == 2
    text = document(
        entities=(replace(ORC, kb_id="a#0"), replace(ATP, kb_id="a#0|a#1"), replace(IT, kb_id="a#1"))
    )
    for form in ("docred", "dygie"):
        conversion, lost = again(form, [text], tmp_path, level="document")
        assert (
            things(conversion.texts[0].extraction.entities) == things(text.extraction.entities) and not lost
        )


def test_the_title_of_pubtator_is_the_first_sentence(tmp_path: Path) -> None:
    get_writer("pubtator")(tmp_path / "out", [document(), replace(document(), id="b", sentences=())])
    lines = (tmp_path / "out").read_text("utf-8").splitlines()
    assert lines[:3] == ["a|t|ORC ATP", "a|a|It", "a\t0\t3\tORC\tP\ta#1"]
    assert lines[6:8] == ["b|t|ORC ATP It", "b|a|"]


def test_pubtator_names_a_concept_by_the_part_that_its_mentions_share(tmp_path: Path) -> None:
    one, other = replace(ORC, kb_id="D1;D2"), replace(IT, kb_id="D1")
    text = document(Relation(one, ATP, "x"), Relation(other, ATP, "x"), entities=(one, ATP, other))
    conversion, lost = again("pubtator", [text], tmp_path)
    assert conversion.report.noted["relations between concepts"] == 1 and not counted(lost, "adds")
    assert set(conversion.texts[0].extraction.relations) == set(text.extraction.relations)


@pytest.mark.parametrize(
    ("text", "found", "expected", "advice"),
    [
        (replace(document(), id="a|b"), "the id 'a|b'", "printable characters without |", "another id"),
        (document(entities=(replace(ORC, label="a\tb"),)), "the label 'a\\tb'", "without tabs", "Rename it"),
        (document(entities=(replace(ORC, kb_id=" D1"),)), "the id ' D1'", "white space around", "Rename it"),
        (document(entities=(replace(ORC, kb_id=";"),)), "the id ';'", "more than separators", "Rename it"),
        (document(Relation(ORC, ATP, "1.5")), "label '1.5'", "no number", "Rename the label"),
        (
            document(Relation(ORC, replace(ATP, end=6), "x")),
            "a 'x' relation",
            "one of the text's 3",
            "Add the",
        ),
        (document(entities=(replace(ORC, end=99),)), "0 to 99", "<= 10 characters", "Check the offsets"),
    ],
)
def test_what_pubtator_cannot_hold_is_refused(
    tmp_path: Path, text: AnnotatedText, found: str, expected: str, advice: str
) -> None:
    with pytest.raises(ConversionError) as error:
        get_writer("pubtator")(tmp_path / "out", [document(), text])
    for part in (f"text {text.id!r}", found, expected, advice):
        assert part in str(error.value)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("level", ["sentence", "3", "document"])
def test_published_documents_of_scierc_come_back(corpora: Path, tmp_path: Path, level: str) -> None:
    texts = get_format("dygie").read(corpora / "scierc" / "dev.json", level=level).texts
    for form in ("dygie", "docred"):
        chosen = "document" if level == "document" else "sentence"
        conversion, lost = again(form, texts, tmp_path, level=chosen)
        assert [text.id for text in conversion.texts] == [text.id for text in texts]
        for text, read in zip(texts, conversion.texts, strict=True):
            assert read.words == text.words and set(read.extraction.entities) == set(text.extraction.entities)
            assert set(text.extraction.relations) <= set(read.extraction.relations)
            if form == "dygie":
                assert read.extraction == text.extraction
                ids = [[one.kb_id for one in x.extraction.entities] for x in (read, text)]
                assert ids[0] == ids[1]
        assert not conversion.report.problems
        assert not counted(lost, "numbers the clusters") or form == "docred"
