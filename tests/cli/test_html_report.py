"""The page of a report: what it shows, marks and escapes, and what its filters hide."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import pytest
import spacy
from jinja2 import UndefinedError
from pages_of_reports import NAMES, Parsed, judged, page_of, silent
from pipelines import make_text
from samples import text_of
from test_render import contrast_with_white

from spacy_bispn.cli.evaluate import make_report
from spacy_bispn.cli.html_report import TEMPLATES, PageSource, render_page
from spacy_bispn.cli.page_filters import ERROR, compare
from spacy_bispn.drawing.svg import SHADES, color
from spacy_bispn.evaluation.confidence import ScoredItems, precision_recall
from spacy_bispn.evaluation.conventions import Judged
from spacy_bispn.evaluation.error_analysis import ENTITY_CLASSES, RELATION_CLASSES
from spacy_bispn.records import AnnotatedText, Extraction

PAIR = NAMES[:2]
FACT, TURNED = "Tem2 (P) — BINDS → Dal92 (P)", "Dal92 (P) — BINDS → Tem2 (P)"
ONE, BACK = (0, 1, "BINDS"), (1, 0, "BINDS")

# Together they have every class of error.
MIXED = [
    judged("right", (PAIR, [ONE]), (PAIR, [ONE])),
    judged("turned", (PAIR, [ONE]), (PAIR, [BACK])),
    judged("label", (PAIR, [ONE]), (PAIR, [(0, 1, "MOVES")])),
    judged("ends", (PAIR, [ONE]), ([("Tem2", "C"), ("Dal92", "P")], [ONE])),
    judged("boundary", (NAMES, [(2, 3, "IN")]), ([*PAIR, ("Kel Zem in", "C"), ("Zem in water", "P")], [])),
    judged("missed", (PAIR, [ONE]), ([*PAIR, ("water", "C")], [])),
    judged("end", (PAIR, [ONE]), (PAIR[:1], [])),
    judged("more", (PAIR, []), (PAIR, [ONE])),
]


def shown_as(gold: Any, predicted: Any, symmetric: tuple[str, ...] = ()) -> str:
    """The words of the page for one sentence, in which gold and prediction have these relations."""
    return text_of(page_of(judged("x", (PAIR, gold), (PAIR, predicted)), symmetric=symmetric))


def classes_in(html: str) -> list[list[str]]:
    """The classes of what the drawing of gold and that of the prediction consist of, without repetition."""
    drawings = re.findall("<svg.*?</svg>", html)
    return [list(dict.fromkeys(re.findall('<g class="([^"]*)"', svg))) for svg in drawings]


def test_page_marks_what_is_wrong_or_missed() -> None:
    assert not re.search(r"\((wrong|missed|spurious)", shown_as([ONE], [ONE]))
    assert f"{FACT} (missed)" in shown_as([ONE], [])
    assert f"{FACT} (spurious)" in shown_as([], [ONE])
    assert f"{TURNED} (wrong direction, gold: {FACT})" in shown_as([ONE], [BACK])
    right = shown_as([ONE], [ONE])
    assert "Text 0 x 0 errors" in right and "3 correct" in right and FACT in right


def test_drawings_mark_what_is_missed_or_wrong() -> None:
    other = judged("x", (PAIR, [ONE, (1, 0, "LIKES")]), (PAIR, [ONE, (1, 0, "MOVES")]))
    gold, predicted = classes_in(page_of(other))
    assert gold == ["entity", "relation", "relation missed"]
    assert predicted == ["entity", "relation", "relation wrong"]
    assert classes_in(page_of(MIXED[0])) == [["entity", "relation"]] * 2


def test_what_gold_says_nothing_about_is_not_wrong() -> None:
    text = make_text("Tem2 binds Dal92.", PAIR, [ONE])
    html = page_of(silent(text.text, text.extraction))
    assert classes_in(html) == [[], ["entity", "relation"]]
    shown = text_of(html)
    assert FACT in shown and "spurious" not in shown
    assert "0 errors" in shown and "3 not annotated" in shown and "correct" not in shown


def test_drawings_mark_relations_without_a_direction_whichever_way_they_are() -> None:
    for way in (ONE, BACK):
        gold, predicted = classes_in(page_of(judged("x", (PAIR, [way]), (PAIR, [])), symmetric=("BINDS",)))
        assert (gold, predicted) == (["entity", "relation missed"], ["entity"])


def test_page_marks_entities() -> None:
    html = page_of(judged("x", ([("Tem2", "P"), ("Dal92", "P")], []), ([("Tem2", "C"), ("binds", "P")], [])))
    assert classes_in(html) == [["entity missed"], ["entity wrong"]]
    shown = text_of(html)
    assert "Tem2 (C) (wrong type, gold: Tem2 (P))" in shown
    assert "Dal92 (P) (missed)" in shown and "binds (P) (spurious)" in shown


def test_page_knows_symmetric_labels() -> None:
    assert "(wrong direction" in shown_as([ONE], [BACK])
    shown = shown_as([ONE], [BACK], symmetric=("BINDS",))
    assert "(wrong direction" not in shown and "Symmetric labels BINDS" in shown


def test_the_head_says_what_the_page_is_of() -> None:
    html = page_of(*MIXED)
    (title,) = re.findall(r"<head>.*<title>(.*)</title>\n<style>", html, flags=re.S)
    assert title == "pipeline 0.0.0 on dev.spacy" and f"<h1>{title}</h1>" in html
    shown = text_of(html)
    assert "Pipeline pipeline 0.0.0 (en), my/model Data my/dev.spacy, 8 texts" in shown
    assert "Conventions strict: spans and labels" in shown and "Symmetric labels none" in shown
    assert re.search(r"Written 20\d\d-\d\d-\d\d \d\d:\d\d UTC by spacy-bispn \d", shown)
    nlp = spacy.blank("en")
    source = PageSource.of(nlp, "m", Path("."), 1, ["strict", "boundaries"], ())
    assert source.title.endswith("on .") and "; boundaries: " in source.facts["Conventions"]


def test_every_class_is_a_filter_and_each_option_counts_the_texts_that_it_leaves() -> None:
    parsed = Parsed(page_of(*MIXED, report=True))
    found = {(group, words) for of, group, words in parsed.options if of == "class" and group}
    assert found == {*product(["entities"], ENTITY_CLASSES), *product(["relations"], RELATION_CLASSES)}
    assert [words for of, group, words in parsed.options if of == "label" and group == "relations"] == [
        "BINDS", "IN", "MOVES",
    ]  # fmt: skip
    for option, (_, count) in parsed.options.items():
        left = parsed.chosen(option)
        assert len(left) == count > 0, option
        assert all(left), "no text without an item that was asked for"


def test_filters_leave_the_items_that_are_of_a_label_and_of_a_class() -> None:
    parsed = Parsed(page_of(*MIXED))
    binds, moves = ("label", "relations", "BINDS"), ("label", "relations", "MOVES")
    wrong = ("class", "relations", "wrong label")
    assert parsed.chosen(moves) == [[f"Tem2 (P) — MOVES → Dal92 (P) (wrong label, gold: {FACT})"]]
    assert parsed.chosen(binds, wrong) == parsed.chosen(moves), "the labels of both sides count"
    assert parsed.chosen(("label", "entities", "C"), ("class", "entities", "wrong type")) == [
        ["Tem2 (C) (wrong type, gold: Tem2 (P))"]
    ]
    assert parsed.chosen(moves, ("class", "relations", "missed")) == [], "both have to hold for one item"
    assert parsed.chosen(binds, ("class", "entities", "missed")) == []
    assert len(parsed.chosen(("class", "", "any error"))) == len(MIXED) - 1
    assert len(parsed.chosen()) == len(MIXED)


def test_an_error_is_what_is_neither_correct_nor_without_gold() -> None:
    text = make_text("Tem2 binds Dal92.", PAIR, [ONE])
    texts = [*MIXED, silent(text.text, text.extraction)]
    parsed = Parsed(page_of(*texts))
    for text, items in zip(texts, parsed.items, strict=True):
        wrong = [item for item in compare(text) if item.case.kind not in ("correct", "not annotated")]
        assert len([keys for keys, _ in items if ERROR in keys]) == len(wrong)
        assert len(items) == len(compare(text)), "everything is listed"


def test_search_finds_words_of_texts_and_ids() -> None:
    texts = [*MIXED, judged("PMID-7", (PAIR, []), (PAIR, []), text="Tem2 and\nDal92, élan")]
    parsed = Parsed(page_of(*texts))
    assert len(parsed.chosen(search="kel zem")) == len(MIXED)
    assert len(parsed.chosen(search="pmid-7")) == len(parsed.chosen(search="ÉLAN")) == 1
    assert parsed.chosen(search="Predicted") == [], "only what the texts have"


def test_the_id_of_a_text_is_beside_its_number() -> None:
    (heading,) = re.findall("<h3[^>]*>(.*?)</h3>", page_of(MIXED[0]), flags=re.S)
    assert re.sub("<[^>]*>", "", heading).split() == ["Text", "0", "right", "0", "errors"], (
        "as it is read aloud"
    )
    assert "Text 0 0 errors" in text_of(page_of(judged("0", (PAIR, [ONE]), (PAIR, [ONE]))))


def test_the_script_knows_nothing_but_keys() -> None:
    html = page_of(*MIXED, report=True)
    (script,) = re.findall("<script>(.*?)</script>", html, flags=re.S)
    assert script.strip() == TEMPLATES.get_template("page.js").render().strip()
    assert '<form id="filters" role="search" aria-label="Filter the texts" hidden>' in html
    assert "hidden" not in re.sub(
        "<form [^>]*hidden>|<style>.*?</style>|<script>.*?</script>", "", html, flags=re.S
    )
    keys = {key for key, _ in Parsed(html).options.values()}
    assert keys and all(re.fullmatch(r"k\d+|error", key) for key in keys)


NASTY = [
    '"><svg onload=alert(1)>',
    "</script><script>x</script>",
    "O'N & <b>",
    "k0",
    "error",
    "a b",
    "פ",
    "\u202e",
]


@pytest.mark.parametrize("name", [*NASTY, "\ud800\x00"])
def test_names_are_text_wherever_they_are(name: str) -> None:
    words = f"{name} & binds {name}2"
    text = make_text(words, [(name, name), (f"{name}2", name)], [(0, 1, name)])
    other = Judged(replace(text, id=name), make_text(words, [(name, name)], []).extraction)
    html, _ = render_page(PageSource(name, {name: name}, 1, (name,)), [other])
    html.encode("utf8")
    parsed, usual = Parsed(html), Parsed(page_of(judged("t", (PAIR, [ONE]), (PAIR[:1], []))))
    assert parsed.elements == usual.elements, "no name has become an element or an attribute"
    shown = "\ufffd\ufffd" if "\x00" in name else name
    assert parsed.chosen(("label", "relations", shown), ("class", "relations", "missed with an end")) == [
        [f"{shown} ({shown}) — {shown} → {shown}2 ({shown}) (missed with an end)"]
    ]


def test_what_a_template_lacks_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        TEMPLATES.get_template("text.html").render()


def test_nothing_is_loaded_from_elsewhere() -> None:
    html = page_of(*MIXED, report=True)
    loading = {"src", "srcset", "data", "poster", "action", "ping", "xlink:href"}
    parsed = Parsed(html)
    assert not [name for _, name, _ in parsed.attributes if name in loading]
    links = [value for _, name, value in parsed.attributes if name == "href"]
    assert links == ["#texts", "#scores", "#errors"], "nothing has scores"
    assert "url(" not in html and "@import" not in html and "fetch(" not in html


def test_drawings_come_before_the_long_table() -> None:
    html = page_of(*MIXED, report=True)
    places = [
        html.index(part) for part in ('id="overall"', 'id="texts"', "<svg", 'id="scores"', 'id="errors"')
    ]
    assert places == sorted(places)
    overall = html[: html.index('id="texts"')]
    assert "<bdi>all</bdi>" in overall and "<bdi>MOVES</bdi>" not in overall
    assert "<bdi>MOVES</bdi>" in html[html.index('id="scores"') :]


def test_an_interval_from_one_text_is_unknown_on_the_page() -> None:
    shown = text_of(page_of(*MIXED, report=True))
    table = shown[shown.index("Scores by label, in percent") :]
    assert "strict relations MOVES 0.0 0.0 0.0 unknown 0 1" in table
    assert re.search(r"strict relations BINDS [\d.]+ [\d.]+ [\d.]+ [\d.]+–[\d.]+ 6 4", table)
    note = "unknown: fewer than two texts have such items, so the interval cannot be estimated."
    assert shown.count(note) == 1
    one = text_of(page_of(MIXED[1], report=True))
    assert one.count(note) == 2, "of all labels too"
    assert "Coherence: 100.0 % (unknown) of the predicted relations" in one
    assert note not in text_of(page_of(*[MIXED[0]] * 2, report=True))


def test_texts_with_errors_come_first_in_a_report_only() -> None:
    for report, first in ((True, "Text 1 turned"), (False, "Text 0 right")):
        assert re.findall(r"Text \d+ \w+", text_of(page_of(*MIXED, report=report)))[0] == first


def test_a_page_that_would_be_too_large_says_what_is_left_out() -> None:
    html = page_of(*MIXED, report=True)
    assert "8 of 8 texts are shown, those with errors first." in text_of(html)
    assert "Left out" not in html
    size = len(html[html.index("<article") : html.rindex("</article>")].encode())
    some = page_of(*MIXED, report=True, room=size // 2)
    count = some.count("<article")
    assert 1 < count < 8 and len(some) < len(html)
    said = f"Left out, as the page would be too large: {8 - count}, {7 - count} of them with errors."
    assert f"{count} of 8 texts are shown, those with errors first. {said}" in text_of(some)
    parsed = Parsed(some)
    assert all(len(parsed.chosen(option)) == texts for option, (_, texts) in parsed.options.items())
    assert page_of(*MIXED, room=0).count("<article") == 1


def test_page_can_be_used_with_a_keyboard_and_read_aloud() -> None:
    html = page_of(*MIXED, report=True)
    parsed = Parsed(html)
    named = {value for tag, name, value in parsed.attributes if tag == "label" and name == "for"}
    fields = {value for tag, name, value in parsed.attributes if tag in ("select", "input") and name == "id"}
    assert named == fields == {"label", "class", "search"}
    assert html.count("<svg") == html.count('role="img" aria-label="') == 16
    assert 'aria-label="Prediction for text 1: entities 2, relations 1"' in html
    levels = [int(level) for level in re.findall(r"<h(\d)", html)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(here - before <= 1 for before, here in pairwise(levels)), "no level is skipped"
    assert html.count("<th scope=") == html.count("<th ") and html.count("<caption>") == 3
    assert len(re.findall('<div class="wide" role="region" tabindex="0" aria-label="[^"]', html)) == 3
    assert "<output" in html, "what a filter leaves is announced"


def test_page_fits_a_telephone() -> None:
    html = page_of(MIXED[0], report=True)
    assert 'name="viewport" content="width=device-width' in html
    assert "overflow-wrap: anywhere" in html, "long names break"
    assert re.search(r"\.wide {[^}]*overflow-x: auto", html), "a wide table scrolls, not the page"
    assert re.search(r"body {[^}]*padding: 0 1rem", html), "the text does not touch the edge"


def luminance_contrast(one: str, other: str) -> float:
    """As WCAG 2 counts it."""
    low, high = sorted(contrast_with_white(shade) for shade in (one, other))
    return high / low


def in_the_dark(shade: str) -> str:
    """What `invert(0.92) hue-rotate(180deg)` makes of a colour, by the matrix of the CSS filter effects."""
    red, green, blue = (0.92 - 0.84 * int(shade[at : at + 2], 16) / 255 for at in (1, 3, 5))
    # hue-rotate by 180 degrees: cos = -1, sin = 0
    grey = 2 * (0.213 * red + 0.715 * green + 0.072 * blue)
    return "#" + "".join(f"{round(255 * min(max(grey - part, 0), 1)):02x}" for part in (red, green, blue))


def test_colours_can_be_read_in_the_light_and_in_the_dark() -> None:
    style = TEMPLATES.get_template("page.css").render()
    schemes = [
        dict(re.findall(r"--(\w+): (#\w+);", block)) for block in re.findall(r":root {(.*?)}", style, re.S)
    ]
    assert len(schemes) == 2
    for scheme in schemes:
        shades = {
            name: shade if len(shade) == 7 else "#" + "".join(2 * x for x in shade[1:])
            for name, shade in scheme.items()
        }
        for name in ("ink", "pale", "link", "wrong", "missed"):
            assert luminance_contrast(shades[name], shades["paper"]) >= 4.5, name
    assert in_the_dark("#ffffff") == schemes[1]["paper"], "drawings have the colour of the page"
    drawn = ["#222222", *SHADES.values(), *(color(str(number)) for number in range(2000))]
    assert min(luminance_contrast(in_the_dark(shade), in_the_dark("#ffffff")) for shade in drawn) >= 4.5


def test_names_from_right_to_left_do_not_turn_arrows() -> None:
    text = make_text("שלום עולם", [("שלום", "א"), ("עולם", "ב")], [(0, 1, "ג")])
    html = page_of(Judged(text, Extraction()))
    isolated = "<bdi>שלום</bdi> (<bdi>א</bdi>) — <bdi>ג</bdi> → <bdi>עולם</bdi> (<bdi>ב</bdi>)"
    assert isolated in html and '<p dir="auto" data-search>שלום עולם</p>' in html


def test_page_of_empty_texts_and_self_relations() -> None:
    loop = make_text("Tem2 dimers", [("Tem2", "P")], [(0, 0, "BINDS")])
    empty = Judged(AnnotatedText("none", "", Extraction()), Extraction())
    html = page_of(Judged(loop, loop.extraction), empty)
    assert "Tem2 (P) — BINDS → Tem2 (P)" in text_of(html) and "Text 1 none 0 errors" in text_of(html)
    assert "0 of 0 texts are shown." in text_of(page_of())


def with_curves(texts: tuple[Judged, ...]) -> tuple[str, dict[str, Any]]:
    """The page of texts whose predictions have scores, and its report."""
    report = make_report(list(texts), ["strict"], (), 5)
    found = {kind: ScoredItems.of(texts, kind, ()) for kind in ("entities", "relations")}
    report["precision_recall"] = {kind: precision_recall(items, items) for kind, items in found.items()}
    source = PageSource("t", {}, len(texts))
    return render_page(source, list(texts), report)[0], report


def scored(number: int, score: float) -> Judged:
    """A text of which the first entity and the relation are right and all predictions have a score."""
    text = judged(str(number), (PAIR, [ONE]), ([PAIR[0], ("Dal92", "P")], [ONE, BACK]))
    entities = tuple(replace(x, score=score) for x in text.predicted.entities)
    relations = tuple(replace(x, score=score) for x in text.predicted.relations)
    return replace(text, predicted=Extraction(entities, relations))


def test_scores_are_drawn_as_probabilities() -> None:
    html, report = with_curves((scored(0, 0.9), scored(1, 0.35)))
    shown = text_of(html)
    assert '<a href="#calibration">Calibration</a>' in html and '<h2 id="calibration">' in html
    # the score of each of four relations is 0.9 or 0.35; half of them are right
    assert report["calibration"]["relations"]["ece"] == pytest.approx((0.4 + 0.15) / 2)
    assert re.search(r"relations 4 0\.275 0\.\d+–0\.\d+ 0\.341 ", shown)
    charts = re.findall(r'<svg class="chart".*?</svg>', html, flags=re.S)
    assert len(charts) == 4, "of each kind the reliability and the curve"
    for chart in charts:
        points = re.findall(r'c?[xy][12]?="([\d.]+)"', chart)
        assert points and all(0 <= float(x) <= 324 for x in points)
        assert 'role="img" aria-label="' in chart
    # 46 + 260 * 0.9 across and 270 - 260 * 0.5 up
    assert re.search('<circle class="dot" cx="280.0" cy="140.0"', charts[2])
    assert "2 predictions with a mean score of 0.900: 0.500 correct" in charts[2]
    assert 'points="' in charts[3] and 'class="now"' in charts[3]
    assert "0.3–0.4 2 0.350 0.500" in shown and "as set 50.0 100.0 66.7" in shown
    assert "url(" not in html


def test_without_scores_nothing_is_drawn() -> None:
    html = page_of(*MIXED, report=True)
    assert '<h2 id="calibration">' not in html and 'class="chart"' not in html
    silent_too = [silent("Tem2 binds Dal92.", scored(0, 0.5).predicted)]
    assert 'class="chart"' not in page_of(*silent_too, report=True)


def test_without_a_curve_the_reliability_is_drawn() -> None:
    html = page_of(scored(0, 0.9), report=True)
    assert html.count('<svg class="chart"') == 2 and "0.9–1.0 2 0.900" in text_of(html)
