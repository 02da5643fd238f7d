"""The script of a page in Chromium: its filters leave what the attributes say."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import spacy
from pages_of_reports import Parsed, judged, page_of
from test_html_report import MIXED, NASTY, ONE, PAIR

from spacy_bispn.annotations import write
from spacy_bispn.cli.render import to_page
from spacy_bispn.records import Entity, Extraction, Relation

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_a_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium in PATH")

# Sets the fields of each try, and notes the items of the texts that are then shown.
DRIVER = """<script>
const seen = (node) => !node.closest("[hidden]");
const left = TRIES.map((fields) => {
  document.getElementById("filters").reset();
  for (const [id, value] of Object.entries(fields)) document.getElementById(id).value = value;
  document.getElementById("filters").dispatchEvent(new Event("input"));
  const texts = [...document.querySelectorAll("article")].filter(seen);
  const items = texts.map((text) => [...text.querySelectorAll("li")].filter(seen));
  const closed = items.flat().filter((item) => item.closest("details:not([open])"));
  return [items.map((found) => found.map((item) => item.textContent)), closed.length,
    document.getElementById("status").textContent];
});
const shown = document.createElement("pre");
shown.id = "left";
shown.textContent = JSON.stringify(left);
document.body.append(shown);
</script>"""


def left_in_browser(html: str, tries: list[dict[str, str]], folder: Path, driver: str = DRIVER) -> list[Any]:
    """For each try the items of the texts that are shown, how many are folded away, and the status."""
    script = driver.replace("TRIES", json.dumps(tries).replace("<", "\\u003c"))
    (folder / "page.html").write_text(html.replace("</body>", f"{script}</body>"), "utf8")
    options = (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={folder / 'profile'}",
        "--dump-dom",
    )
    command = [str(BROWSER), *options, (folder / "page.html").as_uri()]
    dom = subprocess.run(command, capture_output=True, text=True, encoding="utf8", timeout=120).stdout
    (found,) = re.findall('<pre id="left">(.*?)</pre>', dom, flags=re.S)
    left: list[Any] = json.loads(unescape(found))
    return left


@pytest.mark.slow
@needs_a_browser
def test_filters_leave_what_the_attributes_say(tmp_path: Path) -> None:
    nasty = [
        judged(name, ([(name, name), *PAIR], [ONE]), ([(name, "P"), *PAIR], []), text=f"{name} Tem2 Dal92")
        for name in NASTY
    ]
    html = page_of(*MIXED, *nasty, report=True)
    parsed = Parsed(html)
    alone = [(option, {option[0]: key}) for option, (key, _) in parsed.options.items()]
    cases = [([option], fields, "") for option, fields in alone]
    cases += [
        ([one, other], {**fields, **more}, "")
        for one, fields in alone
        for other, more in alone
        if (one[0], other[0]) == ("label", "class")
    ]
    cases += [([], {"search": words}, words) for words in ("", "kel zem", "TURNED", *NASTY, "in no text")]
    cases += [([option], {**fields, "search": "kel"}, "kel") for option, fields in alone]
    found = left_in_browser(html, [fields for _, fields, _ in cases], tmp_path)
    for (options, _, search), (items, closed, status) in zip(cases, found, strict=True):
        expected = parsed.chosen(*options, search=search)
        assert items == expected, (options, search)
        assert status == f"{len(expected)} of {len(MIXED) + len(nasty)} texts"
        assert not options or not closed, "what was asked for is not folded away"


CHOOSE = """{
    const field = document.getElementById(id);
    if (id === "label") field.selectedIndex = [...field.options].findIndex(
      (option) => `${option.dataset.kind} ${option.value}` === value);
    else field.value = value;
  }"""
# The texts that are shown, each with the items that are not faded.
ITEMS = """texts.map((text) => [text.dataset.search,
  [...text.querySelectorAll("g[data-label]:not(.faded)")].map(
    (item) => `${item.classList[0]} ${item.dataset.label}`)])"""


@pytest.mark.slow
@needs_a_browser
def test_filters_of_drawings_leave_what_was_chosen(tmp_path: Path) -> None:
    nlp = spacy.blank("en")
    docs = [
        nlp.make_doc(text) for text in ("Tem2 binds Dal92", "Tem2 sleeps", f"{NASTY[0]} rests", "Nothing")
    ]
    sure, unsure, other = Entity(0, 4, "P", 0.9), Entity(11, 16, "P", 0.4), Entity(0, 4, NASTY[0], 0.7)
    write(docs[0], Extraction((sure, unsure), (Relation(sure, unsure, "P", 0.3),)))
    write(docs[1], Extraction((other,)))
    write(docs[2], Extraction(tuple(Entity(0, len(docs[2][0]), label, 0.8) for label in ("P", *NASTY[1:]))))
    write(docs[3], Extraction())
    driver = (
        DRIVER[: DRIVER.index("  const items")]
        + f"""  const items = {ITEMS};
  return [items, document.getElementById("status").textContent];"""
        + DRIVER[DRIVER.index("\n});") :]
    )
    driver = driver.replace("document.getElementById(id).value = value", CHOOSE)
    tries = [{}, {"label": "entity P"}, {"label": "relation P"}, {"score": "0.5"}, {"score": "0.85"},
             {"label": "entity P", "score": "0.5"}, {"search": "SLEEPS"},
             *({"label": f"entity {name}"} for name in NASTY)]  # fmt: skip
    found = left_in_browser(to_page(docs, "a < b"), tries, tmp_path, driver)
    texts = [doc.text for doc in docs]
    said = [{text: sorted(set(items)) for text, items in shown} for shown, _ in found]
    assert [*said[0]] == texts and said[0][texts[0]] == ["entity P", "relation P"]
    assert said[1] == {texts[0]: ["entity P"], texts[2]: ["entity P"]}
    assert said[2] == {texts[0]: ["relation P"]}
    assert [*said[3]] == texts[:3] and said[3][texts[0]] == ["entity P"]
    assert said[4] == {texts[0]: ["entity P"]} and said[5] == said[1]
    assert [len(items) for _, items in found[5][0]] == [1, 1], "the unsure one is faded"
    assert [*said[6]] == [texts[1]] and found[6][1] == "1 of 4 texts"
    for name, chosen in zip(NASTY, said[7:], strict=True):
        assert chosen == {texts[1 if name == NASTY[0] else 2]: [f"entity {name}"]}
