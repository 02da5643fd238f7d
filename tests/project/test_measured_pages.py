"""The pages with figures: one commit and machine each, every other commit is marked as older."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import srsly
from folders import PROJECT
from formatting import STRICT as STRICT_COLUMNS
from paper import PAPER, TABLE_1
from results import BLOCK, TOP, main
from tables import PUBLISHED
from test_results import NEW, STRICT, SUMMARY, put, put_bench, put_run

DOCS = PROJECT.parent / "docs"
PAGES = ("results.md", "performance.md")
TITLE = r"Commit `([0-9a-f]{7,}\+?)`, (?:no run yet|last run [\d-]{10} [\d:]{5} UTC), on \S.*"
each_page = pytest.mark.parametrize("name", PAGES)


def title(text: str) -> str:
    """The commit that a page names. Fails unless it names one commit and one machine at its top."""
    assert text.count(f"<!-- {TOP} -->") == 1
    start, inside = text.split(f"<!-- {TOP} -->")
    assert re.fullmatch(r"# [\w ]+\n\n", start), "the first thing on the page"
    found = re.fullmatch(TITLE, inside.split("<!--")[0].strip())
    assert found, inside[:200]
    return found[1]


def unmarked(text: str) -> list[str]:
    """The tables that name no commit, or another one than the page without the mark, or a wrong mark."""
    page, wrong = title(text), []
    for _, name, inside, _ in (found.groups() for found in BLOCK.finditer(text)):
        if name == TOP or "|" not in inside or all(map(is_of_paper, rows(inside))):
            continue
        words = " ".join(inside.split())
        commits = re.findall(r"ommit (unknown|`[^`]*`)( \(older\))?", words)
        if not commits or any((commit == f"`{page}`") == bool(mark) for commit, mark in commits):
            wrong.append(name)
    return wrong


def rows(inside: str) -> list[str]:
    """The rows of a table, without header and rule."""
    return [line for line in inside.splitlines() if line.startswith("|")][2:]


def is_of_paper(row: str) -> bool:
    """Whether a row has figures of the paper, by its last cell."""
    return row.rstrip("| ").rpartition(" | ")[2].startswith(PAPER)


def undated(text: str) -> list[str]:
    """The tables of which some commit has no date."""
    found = [(name, " ".join(inside.split())) for _, name, inside, _ in BLOCK.findall(text) if name != TOP]
    dated = r"ommit (unknown|`[^`]*`)( \(older\))?, (\d{4}-\d\d-\d\d|unknown date)"
    commit = r"ommit (unknown|`)"
    return [name for name, words in found if len(re.findall(commit, words)) > len(re.findall(dated, words))]


@each_page
def test_every_table_names_its_commit_and_older_ones_are_marked(name: str) -> None:
    text = (DOCS / name).read_text("utf8")
    assert not unmarked(text)
    assert not undated(text)


@pytest.mark.parametrize(
    ("source", "fine"),
    [
        ("Commit `aaa1111`, 2020-01-01, CPU: `c`", True),
        ("Commit `bbb2222` (older), 2020-01-01, CPU: `c`", True),
        ("Commit unknown (older), unknown date", True),
        ("Commit `bbb2222`, 2020-01-01, CPU: `c`", False),
        ("Commit `aaa1111` (older), 2020-01-01, CPU: `c`", False),
        ("Commit `aaa1111+`, 2020-01-01, CPU: `c`", False),
        ("Commit `aaa1111`, 2020-01-01, CPU, model of commit `bbb2222`, 2020-01-01: `c`", False),
        ("Commit unknown, unknown date", False),
        ("Measured yesterday.", False),
    ],
)
def test_an_unmarked_commit_is_found(source: str, fine: bool) -> None:
    top = f"# Page\n\n<!-- {TOP} -->\n\nCommit `aaa1111`, no run yet, on CPU\n\n<!-- /{TOP} -->\n"
    table = f"<!-- demo scores -->\n| F1 |\n|---|\n| 1.0 |\n\n{source}\n\n<!-- /demo scores -->\n"
    assert unmarked(top + table) == ([] if fine else ["demo scores"])


def test_a_commit_without_a_date_is_found() -> None:
    assert undated("<!-- demo scores -->\nCommit `aaa1111`, CPU: `c`\n<!-- /demo scores -->") == [
        "demo scores"
    ]


@each_page
def test_figures_are_only_in_tables_that_are_filled(name: str) -> None:
    rest = BLOCK.sub("", (DOCS / name).read_text("utf8"))
    assert "<!--" not in rest
    assert not [line for line in rest.splitlines() if line.startswith("|") and re.search(r"\d\.\d", line)]


@each_page
def test_strict_and_published_scores_share_no_table(name: str) -> None:
    published = {column for columns in PUBLISHED.values() for column in columns}
    for _, block, inside, _ in BLOCK.findall((DOCS / name).read_text("utf8")):
        if not inside.strip():
            continue  # never run
        header = inside.strip().splitlines()[0].strip("| ").split(" | ")
        columns = {re.sub("^(test|development): ", "", column) for column in header}
        assert not (columns & published and columns & STRICT_COLUMNS.keys()), block
        if "|" in inside:
            assert bool(columns & published) == block.split()[-1].startswith("published-"), block


@pytest.mark.parametrize("name", [*PAGES, "notes.md"])
def test_lines_are_wrapped(name: str) -> None:
    lines = (DOCS / name).read_text("utf8").splitlines()
    assert not [line for line in lines if len(line) > 120 and not line.startswith("|")]


def put_everything(corpus: str) -> None:
    """Metrics of all kinds for a corpus."""
    spread = {"sentences_per_second": SUMMARY, "times": SUMMARY}
    published = {
        convention: {"entities": {"f": 0.5}, "relations": {"f": 0.5}}
        for convention in ("biorelex", "spert", "text2dt", "symmetric-twice")
    }
    put(f"metrics/{corpus}.json", {**STRICT, "run": NEW})
    put(f"metrics/{corpus}_published.json", {"scores": published, "run": NEW})
    # of each corpus its own runs, and those of other forms, epochs and protocols
    for form in ("", "-released", "-paper", "-transformer", "-5_epochs", "-80_epochs"):
        put_run(f"{corpus}{form}", 1, "seed 1", corpus, 0.3)
        put(f"metrics/runs/{corpus}{form}/1/{corpus}_published.json", {"scores": published})
        variant = {"name": "as configured", "minutes": 1, "development": STRICT, "run": NEW, "texts": {}}
        for study in ("ablation", "density"):
            folder = f"metrics/{study}/{corpus}{form}/0"
            put(f"{folder}/variant.json", variant)
            put(f"{folder}/{corpus}.json", STRICT)
            put(f"{folder}/{corpus}_published.json", {"scores": published})
    put(f"metrics/{corpus}_statistics.json", {"statistics": TABLE_1["ade"]._asdict(), "run": NEW})
    size = {"steps_per_second": SUMMARY, "sentences_per_second": {}, "per_sentence": {"entities": 1.0}}
    memory = {"training": {"resident": 1.0}, "prediction": {"resident": 1.0}}
    for device in ("", "_gpu"):
        put_bench(f"{corpus}_bench{device}", "device")
        put(f"metrics/{corpus}_trade{device}.json", {"settings": {"one": {**STRICT, **spread}}, "run": NEW})
        put(f"metrics/{corpus}_size{device}.json", {**size, **memory, "run": NEW})
    seen = {"entities": [], "relations": [], "joined": None, "others": 0.5}
    for kind, figures in {
        "decoding": {"settings": {"one": STRICT}}, "long": {"readings": {"one": STRICT}},
        "subsets": {"minima": {"0": {"texts": 1, **STRICT}}}, "attention": {"models": {"one": seen}},
        "shapes": {"shapes": {"one": {"floor": spread, "all": {**spread, "of_floor": SUMMARY}}}},
        "cases": {"texts": [{"text": "A.", "found": {"one": {"entities": [], "relations": []}}}]},
    }.items():  # fmt: skip
        put(f"metrics/{corpus}_{kind}.json", {**figures, "run": NEW})
    Path("training", corpus).mkdir()
    srsly.write_json(Path("training", corpus, "run.json"), NEW)
    scores = {key: 100 * value for key, value in STRICT.items()}
    srsly.write_jsonl(Path("training", corpus, "log.jsonl"), [{"epoch": 0, "step": 5, "scores": scores}])


@each_page
def test_every_table_can_be_filled_from_the_metrics_alone(name: str, workspace: Path) -> None:
    page = workspace / name
    # as before the first run: those of this test are older than the page's
    before = re.sub(
        r", last run [\d-]{10} [\d:]{5} UTC, on ", ", no run yet, on ", (DOCS / name).read_text("utf8")
    )
    page.write_text(before, "utf8")
    blocks = [found[2] for found in BLOCK.finditer(page.read_text("utf8"))]
    corpora = {block.split()[0].partition("-")[0] for block in blocks} - {TOP, "speed", "statistics"}
    for corpus in sorted(corpora):
        put_everything(corpus)
    for corpus in sorted(corpora):
        main(page, corpus)
    text = page.read_text("utf8")
    assert title(text) == NEW["commit"]
    assert not unmarked(text) and not undated(text)
    for _, block, inside, _ in BLOCK.findall(text):
        assert block == TOP or f"ommit `{NEW['commit']}`" in inside, f"nothing fills {block}"
    assert not [line for line in text.splitlines() if len(line) > 120 and not line.startswith("|")]
