"""An equation of the paper that a docstring, comment, page or config cites is the one its words are about."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
SUFFIXES = (".py", ".md", ".cfg", ".yml")

# What each equation is, as words of which a citation has one: before "(eq 4)", behind "eq 4, ...".
EQUATIONS = {
    1: "encoder|input",
    2: "entit.*view|view.*entit|views",
    3: "entity decoder",
    4: r"pointer|start|Linear\(|perceptron",
    5: "pointer|start",
    6: r"(?<!relation )(?<!other )types?\b(?! of relation)|MLP",
    7: "score of a span",
    8: "best span",
    9: "best label|best type",
    10: "split|heads? and (its )?tails?",
    11: "relation.*view|view.*relation|views",
    12: "relation decoder",
    13: "relation types?|types of relations|other classes|MLP",
    14: r"^(?!.*(heads?|tails?|arguments?|relations?)\b).*entit",
    15: "heads?|tails?",
    16: r"^(?!.*(has.relation|relations? to)).*relation",
    17: "sum|prediction loss",
    18: "relations? to entit",
    19: "has-relation|other classes|MLP",
    20: "has-relation",
    21: "entit(y|ies) to relation",
    22: r"entit(y|ies) to relation|0\.5|\bset\b",
    23: "link|projection",
    24: "link|projection",
    25: "link|biaffine",
    26: "link",
    27: "link",
}
NUMBERS = r"\d+(?:-\d+)?"
CITED = re.compile(rf"\beq(?:uations?)?\.? ({NUMBERS}(?:(?:, | and |, and )(?:eq )?{NUMBERS})*)", re.I)
END = re.compile(r"[.;|](?:\s|$)|\"\"\"|\n\n")


class Citation(NamedTuple):
    """An equation, and the words that say what it is."""

    number: int
    words: str


def citations(text: str) -> Iterator[Citation]:
    """The equations that a text cites, one by one."""
    text = re.sub(r"\n[ \t]*(?:# ?)?(?=\S)", " ", text)
    found = list(CITED.finditer(text))
    for one, before, after in zip(found, [None, *found], [*found[1:], None], strict=False):
        if text[one.start() - 1] == "(":
            ends = [x.end() for x in END.finditer(text, 0, one.start())]
            words = text[max([0, *ends, before.end() if before else 0]) : one.start()]
        else:
            stop = END.search(text, one.end())
            words = text[one.end() : min(x.start() if x else len(text) for x in (stop, after))]
        for part in re.findall(NUMBERS, one[1]):
            first, _, last = part.partition("-")
            for number in range(int(first), int(last or first) + 1):
                yield Citation(number, words.strip("(),:# "))


def wrong(citation: Citation) -> bool:
    """Whether the words are not about the equation."""
    return not re.search(EQUATIONS.get(citation.number, "(?!)"), citation.words, re.I | re.S)


def pages() -> Iterator[Path]:
    for folder in ("spacy_bispn", "tests", "docs", "project"):
        yield from (x for x in sorted((ROOT / folder).rglob("*")) if x.suffix in SUFFIXES)
    yield from ROOT.glob("*.md")


CITING = [path for path in pages() if path != Path(__file__) and CITED.search(path.read_text("utf8"))]


@pytest.mark.parametrize("path", CITING, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_cited_equation_is_what_is_said_of_it(path: Path) -> None:
    assert [x for x in citations(path.read_text("utf8")) if wrong(x)] == []


def test_every_equation_has_its_row_in_the_architecture() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text("utf8")
    rows = "\n".join(re.findall(r"^\| *eq .*", page, re.M))
    assert {x.number for x in citations(rows)} == set(EQUATIONS) == set(range(1, 28))


@pytest.mark.parametrize(
    "words",
    [
        "Labels of the entity queries (eq 16).",
        "Labels of the relation queries (eq 17).",
        "Starts and ends of heads and tails (eq 17).",
        "Labels of heads and tails (eq 14).",
        "Eq 14: minus the probabilities of the gold type, start and end.",
        "Eq 20: an entity that has a relation lies close to some head or tail.",
        "From entities to relations (eq 20).",
        "From relations to entities (eq 17).",
        "Eq 21: binary cross-entropy of takes part in a relation.",
        "The loss of has-relation (eq 21).",
        "Eq 22: both directions and has-relation, added.",
        "A linear view of the tokens (eq 2, 10)",
        "The entity decoder (eq 2).",
        "The relation decoder over its view (eq 10-11).",
        "Types of relations (eq 12).",
        "has-relation (eq 18)",
        "equation 28, links",
    ],
)
def test_a_number_that_is_off_is_found(words: str) -> None:
    assert any(map(wrong, citations(words)))


def test_citations_are_taken_apart() -> None:
    text = (
        "# Pointers (eq 4-5), MLPs\n    # (eq 6, 13 and 19).\n\nEq 27, the links; eq 2, a view of entities."
    )
    assert list(citations(text)) == [
        *[Citation(number, "Pointers") for number in (4, 5)],
        *[Citation(number, "MLPs") for number in (6, 13, 19)],
        Citation(27, "the links"), Citation(2, "a view of entities"),
    ]  # fmt: skip
