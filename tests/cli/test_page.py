"""`spacy bispn page`, called in this process; what a page shows is in test_html_report.py."""

from __future__ import annotations

import re
from pathlib import Path

import spacy
from pipelines import PUNCTUATION, demo_texts
from samples import Run, text_of

from spacy_bispn.corpus import to_docbin


def test_page_shows_gold_beside_predicted(run: Run, tmp_path: Path, model: Path) -> None:
    texts = demo_texts(4)
    to_docbin(spacy.blank("en", config=PUNCTUATION), texts)[0].to_disk(tmp_path / "in.spacy")
    page = tmp_path / "new" / "page.html"
    said = run("page", model, tmp_path / "in.spacy", page, "--limit", 3).output
    assert re.search(r"3 of 4 texts in .*page\.html \(0\.\d MB\)", " ".join(said.split()))
    html = page.read_text("utf8")
    shown = text_of(html)
    assert "<title>pipeline 0.0.0 on in.spacy</title>" in html
    assert f"{model} Data {tmp_path / 'in.spacy'}, 4 texts Conventions strict: spans and labels" in shown
    assert "3 of 4 texts are shown. Left out by --limit: 1." in shown
    for number, text in enumerate(texts[:3]):
        assert f"Text {number} {text.id}" in shown
        assert text.text in shown
        for relation in text.extraction.relations:
            head, tail = (text.text[end.start : end.end] for end in (relation.head, relation.tail))
            assert f"{head} ({relation.head.label}) — {relation.label} → {tail}" in shown
    assert html.count("Predicted</h4>") == html.count("Gold</h4>") == 3
    assert "(spurious)" in shown and "(missed" in shown
    assert html.count("<svg") == 6 and 'class="relation missed"' in html
    assert "Scores" not in shown, "they are in the page of `evaluate`"


def test_without_a_limit_all_texts_are_shown(run: Run, tmp_path: Path, model: Path) -> None:
    to_docbin(spacy.blank("en"), demo_texts(13))[0].to_disk(tmp_path / "in.spacy")
    for options, shown in ((["--limit", 0], 13), ([], 12)):
        run("page", model, tmp_path / "in.spacy", tmp_path / "page.html", *options)
        assert (tmp_path / "page.html").read_text("utf8").count("<article") == shown
