"""The configs are complete, and have the paper's hyperparameters for their corpus (its table 5)."""

from __future__ import annotations

from typing import Any

import pytest
from folders import PROJECT
from spacy.util import load_model_from_config
from thinc.api import Config

# entity and relation queries, weights of consistency and linking, epochs of the paper
PAPER: dict[str, tuple[int, int, float, float, int]] = {
    "ace05": (40, 35, 1e-4, 1e-3, 70),
    "biorelex": (30, 25, 1e-4, 1e-4, 75),
    "ade": (30, 25, 1e-3, 1e-4, 70),
    "text2dt": (30, 30, 1e-4, 1e-3, 80),
    "scierc": (35, 30, 1e-4, 1e-4, 70),
}
# more relation queries than in the paper, for texts with more relations
MORE = {"biorelex": 48}
NAMES = sorted(path.stem for path in (PROJECT / "configs").glob("*.cfg"))


def load(name: str) -> Any:
    return Config().from_disk(PROJECT / "configs" / f"{name}.cfg")


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_left_to_be_filled_in(name: str) -> None:
    config = load(name)
    filled = load_model_from_config(config, auto_fill=True).config.interpolate()
    assert {key: filled[key] for key in config} == config


@pytest.mark.parametrize("name", PAPER)
def test_hyperparameters_of_the_paper(name: str) -> None:
    entities, relations, alpha, beta, epochs = PAPER[name]
    component = load(name)["components"]["bispn"]
    assert component["model"]["entity_queries"] == entities
    assert component["model"]["relation_queries"] == MORE.get(name, relations)
    assert (component["objective"]["alpha"], component["objective"]["beta"]) == (alpha, beta)
    head = (PROJECT / "configs" / f"{name}.cfg").read_text("utf8").split("[paths]")[0]
    assert f"{epochs} epochs" in head.replace("\n# ", " ")


@pytest.mark.parametrize("name", NAMES)
def test_models_are_chosen_on_a_development_set(name: str) -> None:
    config = Config().from_disk(PROJECT / "configs" / f"{name}.cfg", interpolate=False)
    assert config["corpora"]["dev"]["path"] == "${paths.dev}"
    assert config["training"]["dev_corpus"] == "corpora.dev"
