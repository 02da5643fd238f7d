"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The folder with the published corpora: `$BISPN_CORPORA`, or `../shared/corpora` beside the checkout."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "corpora"
    folder = Path(os.environ.get("BISPN_CORPORA", beside))
    if not folder.is_dir():
        pytest.skip(f"corpora may not be redistributed, and there are none in {folder}: set BISPN_CORPORA")
    return folder
