"""`spacy bispn page`: what the page shows, and how it marks mistakes."""

from __future__ import annotations

import re
from pathlib import Path

from pipelines import demo_texts, make_examples, make_nlp, make_text
from samples import Run, text_of
from spacy.training import Example

from spacy_bispn.cli.page import mistakes, render_page
from spacy_bispn.converters.formats.jsonl import write_jsonl


def test_page_shows_gold_and_predicted(run: Run, tmp_path: Path, model: Path) -> None:
    texts = demo_texts(4)
    write_jsonl(tmp_path / "in.jsonl", texts)
    run("convert", tmp_path / "in.jsonl", tmp_path / "in.spacy", "--punctuation")
    page = tmp_path / "new" / "page.html"
    result = run("page", model, tmp_path / "in.spacy", page, "--limit", 3)
    assert "3 texts in" in result.output
    html = page.read_text("utf8")
    shown = text_of(html)
    for text in texts[:3]:
        # labels stand between the words of an entity
        assert re.search(".*?".join(re.findall(r"\w+", text.text)), shown)
        for relation in text.extraction.relations:
            head, tail = (text.text[end.start : end.end] for end in (relation.head, relation.tail))
            assert f"{head} ({relation.head.label}) — {relation.label} → {tail}" in shown
    assert html.count("Predicted</h3>") == html.count("Gold</h3>") == 3
    assert "(spurious)" in shown and "(missed" in shown
    assert html.count("<svg") == 6 and 'class="relation missed"' in html


def page_of(
    gold: list[tuple[int, int, str]], predicted: list[tuple[int, int, str]], symmetric: tuple[str, ...] = ()
) -> str:
    """The page for one sentence, of which gold and prediction say different things."""
    ends = [("Tem2", "P"), ("Dal92", "P")]
    nlp = make_nlp()
    (one,), (other,) = (
        make_examples(nlp, [make_text("Tem2 binds Dal92.", ends, relations)])
        for relations in (gold, predicted)
    )
    return render_page([Example(other.reference, one.reference)], "title", symmetric)


def shown_as(
    gold: list[tuple[int, int, str]], predicted: list[tuple[int, int, str]], symmetric: tuple[str, ...] = ()
) -> str:
    """Its text."""
    return text_of(page_of(gold, predicted, symmetric))


def classes_in(html: str) -> list[list[str]]:
    """The classes of what the drawing of gold and that of the prediction consist of, without repetition."""
    drawings = re.findall("<svg.*?</svg>", html)
    return [list(dict.fromkeys(re.findall('<g class="([^"]*)"', svg))) for svg in drawings]


def test_page_marks_what_is_wrong_or_missed() -> None:
    fact, turned = "Tem2 (P) — BINDS → Dal92 (P)", "Dal92 (P) — BINDS → Tem2 (P)"
    assert not re.search(r"\((wrong|missed|spurious)", shown_as([(0, 1, "BINDS")], [(0, 1, "BINDS")]))
    assert f"{fact} (missed)" in shown_as([(0, 1, "BINDS")], [])
    assert f"{fact} (spurious)" in shown_as([], [(0, 1, "BINDS")])
    shown = shown_as([(0, 1, "BINDS")], [(1, 0, "BINDS")])
    assert f"{turned} (wrong direction, gold: {fact})" in shown


def test_gold_stands_beside_predicted_and_drawings_mark_what_is_missed_or_wrong() -> None:
    html = page_of([(0, 1, "BINDS"), (1, 0, "LIKES")], [(0, 1, "BINDS"), (1, 0, "MOVES")])
    assert html.count('<div class="pair">') == 1 and html.count("<section>") == 2
    gold, predicted = classes_in(html)
    assert gold == ["entity", "relation", "relation missed"]
    assert predicted == ["entity", "relation", "relation wrong"]
    assert classes_in(page_of([(0, 1, "BINDS")], [(0, 1, "BINDS")])) == [["entity", "relation"]] * 2


def test_what_gold_says_nothing_about_is_not_wrong() -> None:
    nlp = make_nlp()
    text = make_text("Tem2 binds Dal92.", [("Tem2", "P"), ("Dal92", "P")], [(0, 1, "BINDS")])
    (example,) = make_examples(nlp, [text])
    silent = Example(example.reference, nlp.make_doc(text.text))
    assert mistakes(silent) == 0
    html = render_page([silent], "title")
    assert classes_in(html) == [[], ["entity", "relation"]]
    assert "Tem2 (P) — BINDS → Dal92 (P)" in text_of(html) and "spurious" not in html


def test_drawings_mark_relations_without_a_direction_whichever_way_they_stand() -> None:
    for way in ((0, 1, "BINDS"), (1, 0, "BINDS")):
        gold, predicted = classes_in(page_of([way], [], symmetric=("BINDS",)))
        assert (gold, predicted) == (["entity", "relation missed"], ["entity"])


def test_page_marks_entities() -> None:
    gold, other = (
        make_examples(make_nlp(), [make_text("Tem2 binds Dal92.", ends, [])])[0].reference
        for ends in ([("Tem2", "P"), ("Dal92", "P")], [("Tem2", "C"), ("binds", "P")])
    )
    html = render_page([Example(other, gold)], "title")
    assert classes_in(html) == [["entity missed"], ["entity wrong"]]
    shown = text_of(html)
    assert "Tem2 (C) (wrong type, gold: Tem2 (P))" in shown
    assert "Dal92 (P) (missed)" in shown and "binds (P) (spurious)" in shown


def test_page_knows_symmetric_labels() -> None:
    fact, turned = ((0, 1, "BINDS"), (1, 0, "BINDS"))
    assert "(wrong direction" in shown_as([fact], [turned])
    assert "(wrong direction" not in shown_as([fact], [turned], symmetric=("BINDS",))


def test_page_escapes_what_it_shows() -> None:
    text = make_text("a <b> & c <script> d", [("<b>", "<i>"), ("<script>", "<u>")], [(0, 1, "<s>")])
    (example,) = make_examples(make_nlp(), [text])
    html = render_page([example], "<title>")
    for tag in ("<b>", "<i>", "<u>", "<s>", "<script", "<title></title>", "<title><title>"):
        assert tag not in html
    assert "&lt;script&gt;" in html


def test_page_fits_a_telephone() -> None:
    html = render_page([], "t", report="<table></table>")
    assert 'name="viewport" content="width=device-width' in html
    assert "overflow-wrap: anywhere" in html, "long names break"
    assert re.search(r"\btable {[^}]*overflow-x: auto", html), "a wide table scrolls, not the page"
    assert re.search(r"body {[^}]*padding: 0 1rem", html), "the text does not touch the edge"


def test_page_of_empty_texts_and_self_relations() -> None:
    nlp = make_nlp()
    loop = make_text("Tem2 dimers", [("Tem2", "P")], [(0, 0, "BINDS")])
    examples = make_examples(nlp, [loop])
    examples.append(Example(nlp.make_doc(""), nlp.make_doc("")))
    shown = text_of(render_page(examples, "t"))
    assert "Tem2 (P) — BINDS → Tem2 (P)" in shown
