"""Every registered function that has settings, with its groups of them, and the component's default block."""

from __future__ import annotations

from typing import Any

import spacy
from generate import groups_of, registered

FUNCTIONS = registered()
GROUPS = {name: groups_of(function) for name, function in FUNCTIONS.items() if groups_of(function)}


def default_block() -> dict[str, Any]:
    """The block of a component that was added without any setting, as spaCy fills it in."""
    nlp = spacy.blank("en")
    nlp.add_pipe("bispn")
    block: dict[str, Any] = nlp.config["components"]["bispn"]
    return block
