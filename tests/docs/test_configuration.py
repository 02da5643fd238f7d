"""docs/configuration.md has a section for every registered function, and its tables are those of the code."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest
import spacy
from generate import MARKED, filled, registered, stale
from groups import FUNCTIONS, GROUPS
from pages import DOCS, REPOSITORY, Row, blocks, inline, quoted, tables
from spacy.util import dot_to_object, load_model_from_config
from thinc.api import Config

from spacy_bispn.component import BiSPN
from spacy_bispn.component_settings import SCORE_WEIGHTS
from spacy_bispn.evaluation.scorer import score
from spacy_bispn.evaluation.scoring import score_extractions
from spacy_bispn.settings import defaults, is_retired, settings_of

PAGE = DOCS / "configuration.md"
RETIRED = tables(PAGE)["Retired settings"]
TABLES = {quoted(heading)[0]: rows for heading, rows in tables(PAGE).items() if quoted(heading)}
LISTENER = "spacy-bispn.BiSPNListener.v1"
PAPER = REPOSITORY / "project" / "configs" / "paper_biorelex.cfg"


def read(cell: str) -> Any:
    """The value that a cell shows."""
    (code,) = quoted(cell)
    return json.loads(code)


def paper_config() -> dict[str, Any]:
    """The paper's config with everything that spaCy fills in."""
    written = Config().from_disk(PAPER, interpolate=False)
    config: dict[str, Any] = load_model_from_config(written, auto_fill=True).config
    return config


def test_no_generated_table_is_stale() -> None:
    found = stale([*DOCS.rglob("*.md"), REPOSITORY / "README.md"])
    assert not found, "python docs/generate.py makes these pages anew"


def test_a_changed_default_makes_the_page_stale() -> None:
    text = PAGE.read_text("utf-8")
    changed = text.replace("| `type_threshold` | `0.5` |", "| `type_threshold` | `0.4` |")
    assert changed != text and filled(changed) == text


def test_every_registered_function_has_a_section_and_its_table() -> None:
    text = PAGE.read_text("utf-8")
    assert all(re.search(rf"^## \w+: `{re.escape(name)}`$", text, re.M) for name in FUNCTIONS)
    assert set(re.findall(r"`(spacy-bispn\.\w+\.v\d+)`", text)) <= FUNCTIONS.keys()
    marked = {found["name"].removeprefix("settings ") for found in MARKED.finditer(text)}
    assert GROUPS.keys() - marked == {LISTENER}
    for name in GROUPS.keys() - {LISTENER}:
        shown = {quoted(row["setting"])[0]: row for row in TABLES[name]}
        each = [each for group in GROUPS[name] for each in settings_of(group)]
        assert [*shown] == [x.name for x in each if not is_retired(x)]
        gone = (row for row in RETIRED if quoted(row["function"]) == [name])
        retired = {quoted(row["setting"])[0]: row["value"] for row in gone}
        assert [*retired] == [x.name for x in each if is_retired(x)]
        for setting, default in defaults(*GROUPS[name]).items():
            assert read(retired.get(setting) or shown[setting]["default"]) == default


def test_the_setting_of_initialization() -> None:
    found = inspect.signature(BiSPN.initialize).parameters
    own = {name: x.default for name, x in found.items() if name not in ("self", "get_examples", "nlp")}
    rows = TABLES["[initialize.components.bispn]"]
    assert {quoted(row["setting"])[0]: read(row["default"]) for row in rows} == own


def test_the_listener_s_block_is_whole_and_can_be_used() -> None:
    (block,) = (x.content for x in blocks(PAGE) if x.language == "ini")
    config = Config().from_str(f"[components]\n\n[components.bispn]\n\n{block}")["components"]["bispn"]
    assert config["model"]["@architectures"] == LISTENER
    nlp = spacy.blank("en")
    nlp.add_pipe("bispn", config=config)
    model = nlp.config["components"]["bispn"]["model"]
    assert {name: model[name] for name in defaults(*GROUPS[LISTENER])} == defaults(*GROUPS[LISTENER])


def test_the_difference_between_the_two_models_is_as_the_page_says() -> None:
    own, listener = (
        inspect.signature(registered()[name]).parameters for name in ("spacy-bispn.BiSPN.v1", LISTENER)
    )
    assert own.keys() ^ listener.keys() == {"encoder", "query_layer", "tok2vec"}


def test_scores_and_their_weights() -> None:
    rows = TABLES["spacy-bispn.scorer.v1"]
    assert {quoted(row["score"])[0]: read(row["weight"]) for row in rows} == SCORE_WEIGHTS
    beside = re.search(r"Written beside them, without a weight: (.*?)\.", PAGE.read_text("utf-8"), re.S)
    assert beside is not None
    assert {*SCORE_WEIGHTS, *quoted(beside[1])} == score_extractions([]).keys()


def test_spacy_s_own_settings_exist() -> None:
    config = paper_config()
    for row in tables(PAGE)["What spaCy's own settings mean here"]:
        dot_to_object(config, quoted(row["setting"])[0])


def test_no_name_on_the_page_is_one_that_the_code_does_not_have() -> None:
    known = {key for function in FUNCTIONS.values() for key in inspect.signature(function).parameters}
    known |= score([]).keys() | paper_config()["training"].keys()
    named = {token.content.split(" = ")[0] for token in inline(PAGE, "code_inline")}
    assert {name for name in named if re.fullmatch(r"[a-z]+(_[a-z]+)+", name)} <= known


def test_the_python_of_the_page_changes_how_is_predicted(tmp_path: Path) -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("bispn")
    nlp.to_disk(tmp_path)
    (block,) = (x for x in blocks(PAGE) if x.language == "python")
    names: dict[str, Any] = {"nlp": nlp, "spacy": spacy, "path": tmp_path}
    exec(block.content, names)
    thresholds = [x.get_pipe("bispn").decoding.relation_threshold for x in (nlp, names["nlp"])]
    assert thresholds == [0.3, pytest.approx(0.7)]


def test_the_few_settings_of_the_start_page_are_this_page_s() -> None:
    rows = (row for name in FUNCTIONS for row in TABLES.get(name, ()) if "setting" in row)
    settings = {quoted(row["setting"])[0]: row for row in rows}
    few: list[Row] = tables(DOCS / "index.md")["Settings"]
    assert 4 < len(few) < 8
    for row in few:
        for name in quoted(row["setting"]):
            if name in settings:
                assert row["default"] == settings[name]["default"], name
            else:  # a block, which the page describes below the table
                assert f"- `{name}`, by default {row['default']}:" in PAGE.read_text("utf-8")
