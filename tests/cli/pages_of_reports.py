"""Pages of reports for tests, and what their filters leave, computed from the attributes alone."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import spacy
from pipelines import make_text

from spacy_bispn.cli.evaluate import make_report
from spacy_bispn.cli.html_report import PageSource, render_page
from spacy_bispn.evaluation.conventions import Judged
from spacy_bispn.records import AnnotatedText, Extraction

Entities, Relations = list[tuple[str, str]], list[tuple[int, int, str]]
NAMES: Entities = [("Tem2", "P"), ("Dal92", "P"), ("Kel Zem", "C"), ("water", "C")]
TEXT = "Tem2 binds Dal92 and Kel Zem in water."


def judged(
    id_: str, gold: tuple[Entities, Relations], predicted: tuple[Entities, Relations], text: str = TEXT
) -> Judged:
    """A text with gold and a prediction, both by first occurrence."""
    found, other = (make_text(text, *side).extraction for side in (gold, predicted))
    return Judged(AnnotatedText(id_, text, found), other)


def page_of(*texts: Judged, symmetric: tuple[str, ...] = (), report: bool = False, room: int = 10**9) -> str:
    """The page of some texts, with scores if there is to be a report."""
    source = PageSource.of(
        spacy.blank("en"), "my/model", Path("my/dev.spacy"), len(texts), ["strict"], symmetric
    )
    scores = make_report(list(texts), ["strict"], symmetric, 5) if report else None
    return render_page(source, texts, scores, room)[0]


def silent(text: str, predicted: Extraction) -> Judged:
    """A text of which gold says nothing."""
    return Judged(AnnotatedText("silent", text, Extraction()), predicted, False, False)


FITTING = ("direction", "textlength", "lengthadjust")  # of words in a drawing, as far as they need it


class Parsed(HTMLParser):
    """Of a page: the options of its filters; for each text its items with their keys, what is searched."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.options: dict[tuple[str, str, str], tuple[str, int]] = {}  # filter, group, words: key, texts
        self.items: list[list[tuple[set[str], str]]] = []
        self.words: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.elements: set[tuple[str, ...]] = set()  # a name, and those of its attributes
        self._select = self._group = self._key = ""
        self._open: list[tuple[str, str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.elements.add((tag, *(name for name in given if name not in FITTING)))
        self.attributes += [(tag, *pair) for pair in attrs]
        self._open.append((tag, "search" if "data-search" in given else ""))
        if tag == "select":
            self._select, self._group = given["id"] or "", ""
        elif tag == "optgroup":
            self._group = given["label"] or ""
        elif tag == "option":
            self._key = given["value"] or ""
        elif tag == "article":
            self.items.append([])
            self.words.append("")
        elif tag == "li" and "data-keys" in given:
            self.items[-1].append((set((given["data-keys"] or "").split()), ""))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        tags = [tag for tag, _ in self._open]
        if "option" in tags and self._key:
            words, _, count = data.rpartition(" (")
            self.options[self._select, self._group, words] = (self._key, int(count.rstrip(")")))
        if "search" in [kind for _, kind in self._open]:
            self.words[-1] += f" {data}"
        if "li" in tags and "article" in tags:
            keys, words = self.items[-1][-1]
            self.items[-1][-1] = (keys, words + data)

    def chosen(self, *options: tuple[str, str, str], search: str = "") -> list[list[str]]:
        """What filters leave, as `templates/page.js` says: for each text that is shown, its items."""
        keys = {self.options[option][0] for option in options}
        left = []
        for items, words in zip(self.items, self.words, strict=True):
            found = [item for has, item in items if keys <= has]
            if search.lower() in words.lower() and (found or not keys):
                left.append(found)
        return left
