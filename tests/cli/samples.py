"""Small corpora for the tests of the commands, and what was made of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import spacy
from click.testing import Result
from pipelines import make_text
from spacy.tokens import Doc, DocBin

Run = Callable[..., Result]  # the fixture `run`

BIORELEX = [
    {
        "id": "b1",
        "text": "ORC binds Cdc6p_like ATP.",
        "entities": [
            {"label": "complex", "names": {"ORC": {"is_mentioned": True, "mentions": [[0, 3]]}}},
            {"label": "protein", "names": {"Cdc6p": {"is_mentioned": True, "mentions": [[10, 15]]}}},
            {"label": "chemical", "names": {"ATP": {"is_mentioned": True, "mentions": [[21, 24]]}}},
        ],
        "interactions": [{"participants": [1, 0], "type": "bind", "label": 1}],
    }
]
SPERT = [
    {
        "tokens": ["Aspirin", "causes", "rash", "."],
        "entities": [{"type": "Drug", "start": 0, "end": 1}, {"type": "Effect", "start": 2, "end": 3}],
        "relations": [{"type": "Adverse", "head": 0, "tail": 1}],
        "orig_id": number,
    }
    for number in range(4)
]
PAIR = make_text("Tem2 binds Dal92.", [("Tem2", "P"), ("Dal92", "P")], [(0, 1, "BINDS")])


def write(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content), encoding="utf8")
    return path


def docs_in(path: Path) -> list[Doc]:
    """The Docs of a `.spacy` file."""
    return list(DocBin().from_disk(path).get_docs(spacy.blank("en").vocab))


def facts(doc: Doc) -> list[tuple[str, str, str]]:
    """The relations of a Doc in words."""
    return [(x.head.text, x.label, x.tail.text) for x in doc._.relations]


def text_of(html: str) -> str:
    """The words that a page shows."""
    code = r"<style>.*?</style>|<script>.*?</script>"
    return " ".join(
        unescape(
            re.sub(f"{code}|<[^>]*>", " ", html.replace("<bdi>", "").replace("</bdi>", ""), flags=re.S)
        ).split()
    )
