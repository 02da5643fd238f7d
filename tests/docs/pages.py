"""The pages for people as the tests read them: headings, links, tables and fenced blocks of Markdown."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

REPOSITORY = Path(__file__).resolve().parents[2]
DOCS = REPOSITORY / "docs"
ROOT_PAGES = [REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
PAGES = [*ROOT_PAGES, *sorted(DOCS.glob("*.md"))]
PARSER = MarkdownIt("commonmark").enable("table")

Row = dict[str, str]  # a table's row: the cell under each header, as it is written


class Block(NamedTuple):
    """A fenced block: the section it stands in, its language and what it holds."""

    section: str
    language: str
    content: str


def tokens(path: Path) -> Iterator[tuple[str, Token]]:
    """All tokens of a page, each with the heading it stands under."""
    section, inside = "", False
    for token in PARSER.parse(path.read_text("utf-8")):
        if inside and token.type == "inline":
            section = token.content
        inside = token.type == "heading_open"
        yield section, token


def blocks(path: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    return [Block(at, token.info, token.content) for at, token in tokens(path) if token.type == "fence"]


def inline(path: Path, kind: str) -> list[Token]:
    """The inline tokens of a kind: `code_inline`, `link_open`."""
    found = (child for _, token in tokens(path) for child in token.children or ())
    return [token for token in found if token.type == kind]


def tables(path: Path) -> dict[str, list[Row]]:
    """The rows of the tables of a page, by the heading that they stand under."""
    found: dict[str, list[Row]] = {}
    header: list[str] = []
    cells: list[str] = []
    cell = False
    for section, token in tokens(path):
        if token.type == "tr_open":
            cells = []
        elif cell:
            cells.append(token.content)
        elif token.type == "thead_close":
            header = cells
        elif token.type == "tr_close" and header:
            found.setdefault(section, []).append(dict(zip(header, cells, strict=True)))
        elif token.type == "table_close":
            header = []
        cell = token.type in ("th_open", "td_open")
    return found


def quoted(cell: str) -> list[str]:
    """What stands in a cell as code."""
    return re.findall(r"`([^`]*)`", cell)


def anchors(path: Path) -> set[str]:
    """The names by which links find the headings of a page, made as GitHub makes them."""
    headings = {at for at, _ in tokens(path)} - {""}
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(script: str) -> Iterator[list[str] | str]:
    """The commands of a bash block in order: words behind `python -m spacy`, anything else as it stands."""
    lines = iter(script.replace("\\\n", " ").splitlines())
    for line in lines:
        words = shlex.split(line, comments=True)
        if words[:3] == ["python", "-m", "spacy"]:
            yield words[3:]
        elif here := re.search(r"<<'?(\w+)'?$", line):
            yield "\n".join([line, *takewhile(here[1].__ne__, lines), here[1]])
        elif words:
            yield line
