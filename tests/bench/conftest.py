"""Pipelines to be measured."""

from __future__ import annotations

import pytest
from pipelines import demo_texts, initialize, make_nlp, tiny
from spacy.language import Language

ZERO = {"type_threshold": 0.0, "relation_threshold": 0.0, "boundary_threshold": 0.0}


@pytest.fixture(scope="module")
def nlp() -> Language:
    """Untrained, but without thresholds, so that there are answers to compare."""
    nlp = make_nlp(tiny({"queries": "learned", "entity_queries": 6, "relation_queries": 4}, **ZERO))
    initialize(nlp, [text for text in demo_texts(4) if len(text.extraction.relations) <= 2][:2])
    return nlp


@pytest.fixture(scope="module")
def proposing() -> Language:
    """With proposals, so that no loss is without anything to learn from."""
    nlp = make_nlp(tiny())
    initialize(nlp, demo_texts(16))
    return nlp
