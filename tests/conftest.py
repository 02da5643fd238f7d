"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

# a busy machine draws slowly, which says nothing about a test
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")
# mutation tests ask only whether a case fails, not for the smallest one that does
settings.register_profile(
    "mutation", derandomize=True, database=None, deadline=None, phases=[Phase.explicit, Phase.generate]
)


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The folder with the published corpora: `$BISPN_CORPORA`, or `../shared/corpora` beside the checkout."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "corpora"
    folder = Path(os.environ.get("BISPN_CORPORA", beside))
    if not folder.is_dir():
        pytest.skip(f"corpora may not be redistributed, and there are none in {folder}: set BISPN_CORPORA")
    return folder


@pytest.fixture(scope="session")
def encoders() -> Path:
    """The folder with pretrained encoders: `$BISPN_ENCODERS`, or `../shared/encoders` beside the checkout."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "encoders"
    folder = Path(os.environ.get("BISPN_ENCODERS", beside))
    if not (folder / "minilm-l6").is_dir():
        pytest.skip(f"there is no pretrained encoder minilm-l6 in {folder}: set BISPN_ENCODERS")
    return folder
