"""The script of a page in Chromium: its filters leave what the attributes say."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import pytest
from pages_of_reports import Parsed, judged, page_of
from test_html_report import MIXED, NASTY, ONE, PAIR

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


def left_in_browser(
    html: str, tries: list[dict[str, str]], folder: Path
) -> list[tuple[list[list[str]], int, str]]:
    """For each try the items of the texts that are shown, how many are folded away, and the status."""
    script = DRIVER.replace("TRIES", json.dumps(tries).replace("<", "\\u003c"))
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
    return [(items, closed, status) for items, closed, status in json.loads(unescape(found))]


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
