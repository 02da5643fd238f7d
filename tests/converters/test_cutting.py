"""Documents cut into sentences: every entity stays whole, relations between sentences are counted."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_bispn.converters import Conversion, FilePosition, ParsedItem
from spacy_bispn.converters.cutting import cut, sentences_of
from spacy_bispn.records import AnnotatedText, Entity, Extraction, Relation, spaces_after
from spacy_bispn.settings import SettingError

TEXT = "ORC binds ATP.  It also binds MCM2.\n"
ORC, ATP, IT, MCM2 = Entity(0, 3, "P"), Entity(10, 13, "C"), Entity(16, 18, "P"), Entity(30, 34, "P")
GOLD = Extraction((ORC, ATP, IT, MCM2), (Relation(ORC, ATP, "binds", 0.5), Relation(MCM2, IT, "binds")))
START = FilePosition(Path("file"), "line 1")
DOCUMENT = AnnotatedText("7", TEXT, GOLD)


def test_each_sentence_is_a_text_with_offsets_of_its_own() -> None:
    (first, second), lost = cut(DOCUMENT, [0, 16])
    assert (first.id, first.text) == ("7:0", "ORC binds ATP.")
    assert (second.id, second.text) == ("7:1", "It also binds MCM2.")
    assert first.extraction == Extraction((ORC, ATP), (Relation(ORC, ATP, "binds"),))
    assert first.extraction.relations[0].score == 0.5
    it, mcm2 = Entity(0, 2, "P"), Entity(14, 18, "P")
    assert second.extraction == Extraction((it, mcm2), (Relation(mcm2, it, "binds"),))
    assert lost == 0 and first.words is None


def test_relations_between_sentences_are_lost_and_counted() -> None:
    crossing = AnnotatedText("7", TEXT, Extraction(GOLD.entities, (Relation(ORC, MCM2, "binds"),)))
    sentences, lost = cut(crossing, [0, 16])
    assert lost == 1 and not any(sentence.extraction.relations for sentence in sentences)
    conversion = Conversion(level="sentence", starts=lambda text: [0, 16])
    conversion.add_item(ParsedItem.add, START, "7", TEXT, GOLD.entities, crossing.extraction.relations)
    assert [text.id for text in conversion.texts] == ["7:0", "7:1"]
    assert conversion.report.dropped == {"relations that join two texts": 1}
    assert (conversion.report.texts, conversion.report.entities, conversion.report.relations) == (2, 4, 0)


def test_sentences_of_the_file_go_before_all_others() -> None:
    for level, texts in (("document", 1), ("sentence", 3), ("2", 2), ("3", 1)):
        conversion = Conversion(level=level, starts=lambda text: [0, 4])
        conversion.add_item(ParsedItem.add, START, "7", TEXT, (), (), sentences=[0, 10, 16])
        assert len(conversion.texts) == texts


def test_a_level_needs_to_know_where_sentences_begin() -> None:
    with pytest.raises(SettingError, match=r"level is '2', expected document, as .* begin: give `starts`"):
        Conversion(level="2").add_item(ParsedItem.add, START, "7", TEXT, (), ())


def test_passages_have_so_many_sentences() -> None:
    text = "A b. C d. E f. G h. I j."
    ends = [Entity(start, start + 1, "P") for start in (0, 5, 10, 15, 20)]
    pairs = [(0, 0), (0, 1), (1, 2), (0, 2), (3, 4)]
    relations = tuple(Relation(ends[head], ends[tail], "binds") for head, tail in pairs)
    document = AnnotatedText("7", text, Extraction(tuple(ends), relations))
    found = {size: cut(document, [0, 5, 10, 15, 20], size) for size in (1, 2, 3, 5, 9)}
    assert {size: [len(one.text.split(".")) - 1 for one in texts] for size, (texts, _) in found.items()} == {
        1: [1, 1, 1, 1, 1], 2: [2, 2, 1], 3: [3, 2], 5: [5], 9: [5],
    }  # fmt: skip
    assert {size: lost for size, (_, lost) in found.items()} == {1: 4, 2: 3, 3: 0, 5: 0, 9: 0}
    assert [one.id for one in found[3][0]] == ["7:0", "7:1"] and found[3][0][1].text == "G h. I j."


@pytest.mark.parametrize("level", ["", "0", "-1", "1.5", "٣", "Sentence", "sentences"])
def test_what_is_no_level(level: str) -> None:
    with pytest.raises(
        SettingError, match=r"level is .*, expected sentence, document, or how .*: choose one"
    ):
        sentences_of(level)
    with pytest.raises(SettingError, match="level is "):
        Conversion(level=level)


def test_no_entity_is_cut() -> None:
    wide = AnnotatedText("7", TEXT, Extraction((Entity(10, 18, "X"),)))
    assert [sentence.text for sentence in cut(wide, [0, 16])[0]] == [TEXT.strip()]
    assert len(cut(wide, [0, 10, 18])[0]) == 3, "at its ends it is not"


@pytest.mark.parametrize("starts", [[], [0], [0, 99], [-3]])
def test_without_a_start_inside_a_text_is_one_sentence(starts: list[int]) -> None:
    (only,), _ = cut(DOCUMENT, starts)
    assert (only.id, only.text, only.extraction) == ("7:0", TEXT.strip(), GOLD)


@pytest.mark.parametrize("text", ["", " \n"])
def test_a_blank_text_stays_what_it_is(text: str) -> None:
    blank = AnnotatedText("7", text, Extraction())
    assert cut(blank, [0, 1]) == ([replace(blank, id="7:0")], 0)


def test_words_go_with_their_sentence() -> None:
    words = ("ORC", "binds", "ATP", ".", "\n", "It", "binds", ".", "\n", "\n")
    text = AnnotatedText("7", "ORC binds ATP. \nIt binds. \n\n", Extraction(), words)
    assert spaces_after(text.text, words) is not None
    first, second = cut(text, [0, 15, 26])[0]
    assert (first.words, second.words) == (words[:4], words[4:8])
    assert (first.text, second.text) == ("ORC binds ATP.", "\nIt binds.")


@st.composite
def documents(draw: st.DrawFn) -> tuple[AnnotatedText, list[int]]:
    words = draw(st.lists(st.text("ab. \n", min_size=1, max_size=4), min_size=1, max_size=12))
    spaces = [draw(st.booleans()) for _ in words[1:]] + [False]
    edges, text = [0], ""
    for word, space in zip(words, spaces, strict=True):
        text += word + " " * space
        edges.append(len(text))
    spans = st.tuples(st.integers(0, len(text) - 1), st.integers(1, 9)).map(
        lambda pair: Entity(pair[0], min(sum(pair), len(text)), "X")
    )
    entities = draw(st.lists(spans, max_size=6, unique=True))
    ends = st.sampled_from(entities) if entities else st.nothing()
    relations = draw(st.lists(st.builds(Relation, ends, ends, st.sampled_from("RS")), max_size=6))
    prescribed = tuple(words) if spaces_after(text, words) is not None and draw(st.booleans()) else None
    starts = draw(st.lists(st.sampled_from(edges), max_size=5))
    return AnnotatedText("d", text, Extraction(tuple(entities), tuple(relations)), prescribed), starts


@given(documents(), st.integers(1, 3))
def test_nothing_but_relations_and_white_space_is_lost(
    drawn: tuple[AnnotatedText, list[int]], size: int
) -> None:
    document, starts = drawn
    sentences, lost = cut(document, starts, size)
    assert "".join("".join(one.text for one in sentences).split()) == "".join(document.text.split())
    assert sum(len(one.extraction.relations) for one in sentences) + lost == len(
        document.extraction.relations
    )

    def said(text: AnnotatedText) -> list[str]:
        return [text.text[entity.start : entity.end] for entity in text.extraction.entities]

    assert sorted(word for one in sentences for word in said(one)) == sorted(said(document))
    for sentence in sentences:
        if sentence.words is not None:
            assert spaces_after(sentence.text, sentence.words) is not None
        for relation in sentence.extraction.relations:
            assert {relation.head, relation.tail} <= set(sentence.extraction.entities)
