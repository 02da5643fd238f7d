"""Fixtures of the tests of the commands."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import Result
from pipelines import initialize, make_nlp, make_text, pipe_of, tiny
from samples import PAIR, Run
from typer.testing import CliRunner

from spacy_bispn.cli import app


@pytest.fixture
def run() -> Run:
    """`spacy bispn ...` in this process."""

    def call(*words: object, code: int = 0) -> Result:
        result = CliRunner().invoke(app, [str(word) for word in words])
        assert result.exit_code == code, result.output
        return result

    return call


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained pipeline without thresholds; it says a lot and is seldom right."""
    zero = {"type_threshold": 0.0, "relation_threshold": 0.0, "boundary_threshold": 0.0}
    learned = {"queries": "learned", "positional_queries": False, "entity_queries": 6, "relation_queries": 4}
    nlp = make_nlp(tiny(learned, **zero))
    initialize(nlp, [PAIR, make_text("a b", [("a", "P")], [])])
    pipe_of(nlp).cfg["relation_labels"] = ["binds"]
    folder = tmp_path_factory.mktemp("model")
    nlp.to_disk(folder)
    return folder
