"""Drawings: what stands in them, that nothing overlaps, and that no text or label breaks them."""

from __future__ import annotations

import re
from collections import defaultdict
from itertools import combinations
from xml.etree import ElementTree

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from pipelines import make_text

import spacy_bispn
from spacy_bispn.corpus import to_doc
from spacy_bispn.drawing.arcs import Arc
from spacy_bispn.drawing.bars import lanes
from spacy_bispn.drawing.layout import Layout, lay_out
from spacy_bispn.drawing.svg import color, to_svg
from spacy_bispn.drawing.words import break_lines, reads_left
from spacy_bispn.records import AnnotatedText, Entity, Extraction, Relation
from spacy_bispn.settings import SettingError

SVG = "{http://www.w3.org/2000/svg}"
ALPHABET = st.one_of(st.sampled_from(" ab<&\"'\n\t-1شלاא中文。\u0301\u200d😀"), st.characters())
LABELS = st.text(ALPHABET, max_size=12)


def labels_in(svg: str) -> list[str]:
    """The labels that are shown, as XML readers give them."""
    return [node.text or "" for node in ElementTree.fromstring(svg).iter(f"{SVG}text") if node.get("class")]


def shown(label: str) -> str:
    """How a label is shown: without what XML may not hold."""
    return "".join(
        " "
        if x in "\t\r\n"
        else "\ufffd"
        if x < " " or "\ud800" <= x <= "\udfff" or x in "\ufffe\uffff"
        else x
        for x in label
    )


def drawn(text: AnnotatedText, width: float = 800) -> Layout:
    return lay_out(text.text, text.extraction, width)


def arcs_of(layout: Layout) -> dict[int, Arc]:
    return {arc.relation: arc for arc in layout.arcs}


@st.composite
def extractions(draw: st.DrawFn) -> tuple[str, Extraction]:
    """Any text with any entities and relations."""
    text = draw(st.text(ALPHABET, min_size=1, max_size=60))
    ends = st.integers(0, len(text) - 1).flatmap(
        lambda i: st.tuples(st.just(i), st.integers(i + 1, len(text)))
    )
    entities = draw(
        st.lists(st.builds(lambda x, y: Entity(*x, y), ends, LABELS), min_size=1, max_size=6, unique=True)
    )
    pairs = st.builds(Relation, st.sampled_from(entities), st.sampled_from(entities), LABELS)
    return text, Extraction(tuple(entities), tuple(draw(st.lists(pairs, max_size=8, unique=True))))


@settings(max_examples=150)
@given(extractions(), st.sampled_from([100, 180, 800]))
def test_whatever_is_given_is_drawn_and_nothing_overlaps(given: tuple[str, Extraction], width: float) -> None:
    text, extraction = given
    layout = lay_out(text, extraction, width)
    items = [*extraction.entities, *extraction.relations]
    assert sorted(labels_in(to_svg(text, extraction, width))) == sorted(shown(item.label) for item in items)
    assert len(layout.arcs) == len(extraction.relations)
    rooms = defaultdict(list)
    for bar in layout.bars:
        rooms["bar", bar.line, bar.level].append((bar.low, bar.high))
    for arc in layout.arcs:
        for stretch in arc.stretches:
            rooms["lane", stretch.line, stretch.lane].append((stretch.low, stretch.high))
            assert stretch.low <= min(stretch.at, stretch.to) <= max(stretch.at, stretch.to) <= stretch.high
        if arc.side:
            lines = sorted(stretch.line for stretch in arc.stretches)
            rooms[arc.side, 0, arc.channel].append((lines[0] - 0.1, lines[1] + 0.1))
    for where, taken in rooms.items():
        for (low, high), (start, end) in combinations(taken, 2):
            assert high <= start or end <= low, where
    for spot in layout.lines.spots:
        assert 0 <= spot.left <= spot.right <= layout.lines.width + 1e-6
    for number, entity in enumerate(layout.entities):
        parts = [bar for bar in layout.bars if bar.entity == number]
        assert parts and [bar.label is None for bar in parts] == [False] + [True] * (len(parts) - 1)
        assert all(-1e-6 <= bar.left < bar.right for bar in parts), entity


def test_lanes_are_shared_where_there_is_room_and_shorter_ones_are_lower() -> None:
    assert lanes([(0, 9), (0, 3), (4, 8), (9, 12)], [9, 3, 4, 3]) == [1, 0, 0, 0]
    assert lanes([], []) == []


NESTED = make_text(
    "the Tem2 antibody binds Dal92",
    [("Tem2", "P"), ("Tem2 antibody", "C"), ("Dal92", "P")],
    [(0, 2, "B"), (1, 2, "B"), (1, 2, "C"), (2, 2, "S")],
)


def test_nested_entities_are_stacked_and_arcs_stand_on_their_own() -> None:
    layout = drawn(NESTED)
    inner, outer, other = layout.bars
    assert (inner.level, outer.level, other.level) == (0, 1, 0)
    arcs = arcs_of(layout)
    assert inner.left < arcs[0].stretches[0].at < inner.right < arcs[1].stretches[0].at < outer.right


def test_two_relations_of_one_pair_have_lanes_of_their_own() -> None:
    arcs = arcs_of(drawn(NESTED))
    (one,), (two,) = arcs[1].stretches, arcs[2].stretches
    assert one.lane != two.lane
    low, high = sorted((one, two), key=lambda stretch: stretch.lane)
    assert high.at < low.at < low.to < high.to, "the lower lies inside the higher: they do not cross"


def test_a_self_relation_is_a_loop() -> None:
    layout = drawn(NESTED)
    (loop,) = arcs_of(layout)[3].stretches
    bar = layout.bars[2]
    assert bar.left <= min(loop.at, loop.to) < max(loop.at, loop.to) <= bar.right


def test_a_label_wider_than_its_arc_stands_above_the_line_and_does_not_hide_it() -> None:
    for text, above in (("Tem2 Dal92", True), (f"Tem2 {'and so on ' * 4}Dal92", False)):
        found = make_text(text, [("Tem2", "P"), ("Dal92", "P")], [(0, 1, "INHIBITS_STRONGLY")])
        svg = ElementTree.fromstring(to_svg(found.text, found.extraction, 800))
        label = svg.find(f"{SVG}g[@class='relation']/{SVG}rect")
        path = svg.find(f"{SVG}g[@class='relation']/{SVG}path")
        assert label is not None and path is not None
        corners = [float(y) for y in re.findall(r"Q[-\d.]+ ([-\d.]+)", path.attrib["d"])]
        bottom = float(label.attrib["y"]) + float(label.attrib["height"])
        assert (min(corners) > bottom) is above


def contrast_with_white(shade: str) -> float:
    """As WCAG 2 counts it, from 1 to 21."""
    parts = [int(shade[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
    return 1.05 / (0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05)


def test_labels_of_every_colour_can_be_read_on_white() -> None:
    shades = {color(str(number)) for number in range(2000)}
    assert len(shades) > 300
    assert min(map(contrast_with_white, shades)) >= 4.5, "what WCAG 2 asks for (AA)"


def test_eight_relations_in_a_sentence_have_feet_of_their_own() -> None:
    words = [(f"word{number}", "W") for number in range(9)]
    text = make_text(" ".join(word for word, _ in words), words, [(0, tail, "R") for tail in range(1, 9)])
    arcs = drawn(text).arcs
    assert len({arc.stretches[0].at for arc in arcs}) == len({arc.stretches[0].lane for arc in arcs}) == 8


def test_long_text_is_wrapped_and_arcs_between_lines_leave_to_the_margin() -> None:
    text = make_text(
        f"Alpha {'fills the line ' * 4}Omega", [("Alpha", "A"), ("Omega", "O")], [(0, 1, "R"), (1, 0, "Q")]
    )
    layout = drawn(text, 200)
    assert layout.lines.width <= 200 < drawn(text).lines.width
    first, last = layout.arcs[0].stretches
    assert (first.line, last.line) == (0, layout.lines.count - 1)
    assert {arc.channel for arc in layout.arcs} == {0, 1}
    assert all(arc.side in ("left", "right") for arc in layout.arcs)
    lines: dict[int, str] = defaultdict(str)
    for index, spot in enumerate(layout.lines.spots):
        lines[spot.line] += text.text[index]
    assert "".join(lines.values()) == text.text
    assert all(line.endswith(" ") for line in list(lines.values())[:-1]), "lines break at blanks"


def test_a_word_longer_than_a_line_is_cut_and_line_breaks_are_kept() -> None:
    assert break_lines("a" * 50, 100, 0).count == 5
    assert break_lines("a\nb", 100, 0).count == 2
    assert {x.line for x in break_lines("他汀类药物可以降低", 100, 0).spots} == {0, 1}


def test_text_from_right_to_left_is_mirrored() -> None:
    text = "שלום ORC abc לכולם"
    assert reads_left(text) and not reads_left("ORC binds") and not reads_left("123")
    lines = break_lines(text, 800, 0)
    spots = lines.spots
    assert spots[0].right == lines.width, "it begins at the right"
    assert spots[0].left > spots[1].left > spots[text.index("לכולם")].left
    assert spots[5].left < spots[6].left < spots[9].left, "Latin words keep their order among themselves"
    assert [word.rtl for word in lines.words] == [True, False, False, True]
    mirrored = [spot.left for spot in break_lines("ORC שלום עולם binds", 800, 0).spots]
    assert mirrored[0] < mirrored[9] < mirrored[4] < mirrored[15]


def test_what_is_marked_is_dashed_and_has_a_colour_of_its_own() -> None:
    text = make_text("Tem2 binds Dal92.", [("Tem2", "P"), ("Dal92", "P")], [(0, 1, "BINDS")])
    relation, extraction = text.extraction.relations[0], text.extraction
    plain = to_svg(text.text, extraction, 800)
    marked = to_svg(text.text, extraction, 800, {relation: "wrong", relation.tail: "missed"})
    assert "stroke-dasharray" not in plain and marked.count("stroke-dasharray") == 2
    assert (marked.count("#b00020"), marked.count("#a05a00")) == (3, 2), "arc, its tip and label; bar, label"
    assert labels_in(marked) == labels_in(plain)


def test_markup_in_texts_and_labels_is_text() -> None:
    text = make_text("a <b> & c <script> d", [("<b>", "<i>&"), ("<script>", "<u>")], [(0, 1, "<s>")])
    svg = str(spacy_bispn.render(to_doc(spacy.blank("en"), text)[0]))
    assert "<script" not in svg and "<i>" not in svg
    assert labels_in(svg) == ["<i>&", "<u>", "<s>"]
    assert {"<b>", "<script>"} <= {node.text for node in ElementTree.fromstring(svg).iter(f"{SVG}text")}


def test_render_gives_what_a_notebook_shows() -> None:
    doc, _ = to_doc(spacy.blank("en"), NESTED)
    drawing = spacy_bispn.render(doc)
    assert str(drawing) in drawing._repr_html_() and str(drawing).startswith("<svg")
    assert str(drawing) == str(spacy_bispn.render(doc)) != str(spacy_bispn.render(doc, width=100))
    assert color("P") == color("P") != color("C")
    titles = [node.text for node in ElementTree.fromstring(str(drawing)).iter(f"{SVG}title")]
    assert "B: Tem2 (P) → Dal92 (P)" in titles
    assert labels_in(str(spacy_bispn.render(spacy.blank("en")("")))) == []


def test_render_says_what_is_wrong() -> None:
    with pytest.raises(SettingError, match=r"rendered is \['x'\], expected a Doc: pass nlp\(text\)"):
        spacy_bispn.render(["x"])
    for width in (9, float("nan"), float("inf"), "800"):
        said = rf"width is {width!r}, expected pixels as a number \(at least 100\): 800 suits"
        with pytest.raises(SettingError, match=said):
            spacy_bispn.render(spacy.blank("en")("x"), width=width)
