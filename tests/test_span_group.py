"""A group that finds its members by their characters, and how spaCy lays out groups as bytes."""

from __future__ import annotations

import pytest
import spacy
from spacy.tokens import Doc, Span, SpanGroup

from spacy_bispn.span_group import CharSpan, CharSpanGroup, Member, members

NLP = spacy.blank("en")


def make(kind: type[SpanGroup] = CharSpanGroup) -> Doc:
    doc = NLP.make_doc("a bb ccc dd e")
    spans = [
        Span(doc, 0, 2, label="X", kb_id="Q1", span_id="first"),
        Span(doc, 1, 2, label="Y"),
        Span(doc, 4, 5, label="X"),
    ]
    doc.spans["g"] = kind(doc, name="g", attrs={"by": "hand"}, spans=spans)
    return doc


def merge(doc: Doc, start: int, end: int) -> Doc:
    with doc.retokenize() as retokenizer:
        retokenizer.merge(doc[start:end])
    return doc


@pytest.mark.parametrize("kind", [SpanGroup, CharSpanGroup])
def test_members_are_read_from_bytes_as_spacy_writes_them(kind: type[SpanGroup]) -> None:
    doc = make(kind)
    expected = [Member(x.start_char, x.end_char, x.label, x.kb_id, x.id) for x in doc.spans["g"]]
    assert members(doc.spans["g"]) == expected and expected[0].kb_id and expected[0].id
    assert members(merge(doc, 0, 3).spans["g"]) == expected, "whatever becomes of the tokens"


def test_spacy_s_own_group_does_not_find_them() -> None:
    doc = merge(make(SpanGroup), 0, 3)
    with pytest.raises(IndexError):
        list(doc.spans["g"])  # why there is a group of our own


def test_members_are_found_among_merged_tokens() -> None:
    doc = make()
    untouched = list(doc.spans["g"])
    assert all(type(span) is Span for span in untouched)
    group = merge(doc, 1, 4).spans["g"]
    assert [span.text for span in group] == ["a bb", "bb", "e"]
    assert [(span.start, span.end) for span in group] == [(0, 2), (1, 2), (2, 3)]
    assert (group[0].kb_id_, group[0].id_, group[-1].label_, len(group)) == ("Q1", "first", "X", 3)
    assert repr(group) == "[a bb, bb, e]" and group[2] != group[0]
    for index in (3, -4):
        with pytest.raises(IndexError, match="E856"):
            group[index]


def test_groups_are_copied_added_up_and_saved_among_merged_tokens() -> None:
    doc = merge(make(), 1, 4)
    copied = doc.spans["g"].copy()
    assert isinstance(copied, CharSpanGroup) and members(copied) == members(doc.spans["g"])
    copied.attrs["by"] = "machine"
    assert doc.spans["g"].attrs == {"by": "hand"}
    assert [span.text for span in doc.spans["g"] + copied] == ["a bb", "bb", "e"] * 2
    twin = doc.copy()
    assert [span.text for span in twin.spans["g"]] == ["a bb", "bb", "e"]
    other = Doc(spacy.blank("en").vocab, words=["a", "bb", "ccc", "dd", "e"])
    moved = doc.spans["g"].copy(other)
    assert [(x.text, x.label_, x.kb_id_, x.id_) for x in moved] == [
        ("a bb", "X", "Q1", "first"), ("bb", "Y", "", ""), ("e", "X", "", ""),
    ]  # fmt: skip
    back = Doc(NLP.vocab).from_bytes(doc.to_bytes())
    assert members(back.spans["g"]) == members(doc.spans["g"]) and back.spans["g"][2].text == "e"


@pytest.mark.parametrize("place", [(3, 3), (4, 3), (40, 50)])
def test_characters_that_no_token_has_are_no_span(place: tuple[int, int]) -> None:
    assert Member(*place, label=0).on(make()) is None


def test_a_part_of_a_token_is_a_span_with_its_own_words() -> None:
    span = Member(3, 6, NLP.vocab.strings.add("X")).on(NLP.make_doc("a bbbbbb c"))
    assert isinstance(span, CharSpan) and isinstance(span, Span)
    assert (span.text, str(span), span.start_char, span.end_char) == ("bbb", "bbb", 3, 6)
    assert [token.text for token in span] == ["bbbbbb"]
