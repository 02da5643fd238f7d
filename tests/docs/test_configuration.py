"""docs/configuration.md names every setting that there is, with its true default, and no other."""

from __future__ import annotations

import inspect
import json
import re
import tomllib
from collections.abc import Iterable, Iterator
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import spacy
from pages import DOCS, REPOSITORY, Row, blocks, inline, quoted, tables
from spacy.util import dot_to_object, registry
from thinc.api import Config

from spacy_bispn.architectures import QUERIES, SPLIT
from spacy_bispn.component import BAD_LOSS, BiSPN
from spacy_bispn.decode import COHERENCE
from spacy_bispn.defaults import SCORE_WEIGHTS
from spacy_bispn.nn.objective import BOUNDARY, CONSISTENT
from spacy_bispn.nn.pairs import SCORERS
from spacy_bispn.scoring import score_extractions

PAGE = DOCS / "configuration.md"
GIVEN = ("nlp", "name")  # what spaCy hands to a factory
REQUIRED = "*required*"
NONE = object()  # no default
# Settings that are only permitted beside others; their rows say so.
BESIDE = {
    "shared_layers": {"supervised_layers": 1},
    "positional_queries": {"queries": "learned"},
    "window": {"overlap": 0},
    "width": {"heads": 1},
}
NUMBERS = {  # what is said of a number, with numbers that are permitted and that are not
    "0 to 1": ([0, 1], [-0.1, 1.1]),
    "0 to below 1": ([0, 0.9], [-0.1, 1]),
    "above 0, below 1": ([0.1, 0.9], [0, 1]),
    "above 0": ([0.1], [0]),
    "at least -1": ([-1], [-2]),
    "at least 0": ([0], [-1]),
    "at least 1": ([1], [0]),
    "at least 8": ([8], [7]),
}


def registered() -> dict[str, str]:
    """What the package registers with spaCy and thinc but its commands: name to `module:function`."""
    groups = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]["entry-points"]
    return dict(chain.from_iterable(groups[name].items() for name in groups if name != "spacy_cli"))


FUNCTIONS = registered()
TABLES = {quoted(heading)[0]: rows for heading, rows in tables(PAGE).items() if quoted(heading)}
LISTENER = "spacy-bispn.BiSPNListener.v1"
NLP = spacy.blank("en")


def parameters(name: str) -> dict[str, inspect.Parameter]:
    """The settings of a registered function."""
    module, _, function = FUNCTIONS[name].partition(":")
    found = inspect.signature(getattr(import_module(module), function)).parameters
    return {key: value for key, value in found.items() if key not in GIVEN}


@pytest.fixture(scope="module")
def filled() -> dict[str, dict[str, Any]]:
    """The blocks of a component that was added without any setting, by the function that each names."""
    nlp = spacy.blank("en")
    nlp.add_pipe("bispn")
    return by_name(nlp.config["components"]["bispn"])


@pytest.fixture(scope="module")
def paper() -> dict[str, dict[str, Any]]:
    """The blocks of the paper's config."""
    config = Config().from_disk(REPOSITORY / "project" / "configs" / "paper_biorelex.cfg")
    optimizer = {"optimizer": config["training"]["optimizer"]}
    return by_name(config["components"]["bispn"]) | by_name(optimizer)


def by_name(block: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """A block and all blocks inside it, by the function that each names."""
    found = {name_of(block): block}
    for inner in block.values():
        found |= by_name(inner) if isinstance(inner, dict) else {}
    return found


def name_of(block: dict[str, Any]) -> str:
    return next((str(block[key]) for key in block if key.startswith("@")), str(block.get("factory")))


def plain(value: Any) -> Any:
    """A value as the page shows it: the registered name for a block."""
    return name_of(value) if isinstance(value, dict) else value


def read(cell: str) -> Any:
    """The value that a cell shows."""
    if cell == REQUIRED:
        return NONE
    (code,) = quoted(cell)
    return code if code in FUNCTIONS else json.loads(code)


def test_every_registered_function_has_a_section_and_no_other() -> None:
    documented = {name for heading in tables(PAGE) for name in quoted(heading)}
    headed = {name for block in blocks(PAGE) for name in quoted(block.section)}
    bare = {name for name in FUNCTIONS if not parameters(name)}
    text = PAGE.read_text("utf-8")
    assert FUNCTIONS.keys() - bare <= documented | headed
    assert all(re.search(rf"^## \w+: `{re.escape(name)}`$", text, re.M) for name in FUNCTIONS)
    assert set(re.findall(r"`(spacy-bispn\.\w+\.v\d+)`", text)) <= FUNCTIONS.keys()


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if parameters(name) and name != LISTENER])
def test_every_setting_is_there_with_its_default(name: str, filled: dict[str, dict[str, Any]]) -> None:
    shown = {quoted(row["setting"])[0]: read(row["default"]) for row in TABLES[name]}
    signature = {key: value.default for key, value in parameters(name).items()}
    true = {key: NONE if value is inspect.Parameter.empty else value for key, value in signature.items()}
    true |= {key: plain(value) for key, value in filled.get(name, {}).items() if key in true}
    assert shown == true


def test_a_block_that_is_filled_in_has_the_defaults_of_the_function(
    filled: dict[str, dict[str, Any]],
) -> None:
    for name in ("spacy-bispn.Objective.v1", "spacy-bispn.RandomEncoder.v1"):
        signature = {key: value.default for key, value in parameters(name).items()}
        assert {key: filled[name][key] for key in signature} == signature


def test_the_setting_of_initialization() -> None:
    found = inspect.signature(BiSPN.initialize).parameters
    own = {name: x.default for name, x in found.items() if name not in ("self", "get_examples", "nlp")}
    rows = TABLES["[initialize.components.bispn]"]
    assert {quoted(row["setting"])[0]: read(row["default"]) for row in rows} == own


@pytest.mark.parametrize(
    "name", ["bispn", *(f"spacy-bispn.{x}.v1" for x in ("BiSPN", "PretrainedEncoder", "Objective", "AdamW"))]
)
def test_the_paper_s_value_stands_where_it_is_another(name: str, paper: dict[str, dict[str, Any]]) -> None:
    for row in TABLES[name]:
        (setting,) = quoted(row["setting"])
        there, default = plain(paper[name][setting]), read(row["default"])
        assert (read(row["paper"]) if row["paper"] else default) == there, setting
        assert bool(row["paper"]) == (there != default), f"{setting}: only what differs is shown"


def permitted() -> Iterator[tuple[str, str, list[Any], list[Any]]]:
    """Function, setting, some values that the page permits and some that it does not."""
    for name, rows in TABLES.items():
        for row in rows if name in FUNCTIONS else ():
            good, bad = examples(row.get("values", ""))
            if good:
                yield name, quoted(row["setting"])[0], good, bad


def examples(cell: str) -> tuple[list[Any], list[Any]]:
    words = re.sub(r",? ?`[^`]*`", "", cell)
    choices = [json.loads(code) for code in quoted(cell) if re.fullmatch(r'"\w+"|true|false|null', code)]
    good, bad = NUMBERS.get(words, ([], []))
    if not good and (counts := re.fullmatch(r"(\d+) to (\d+)", words)):
        good, bad = [int(counts[1]), int(counts[2])], [int(counts[1]) - 1, int(counts[2]) + 1]
    return [*good, *choices], [*bad, "no such value"] if good or not words else []


@pytest.mark.parametrize(("name", "setting", "good", "bad"), permitted())
def test_permitted_values_are_accepted_and_others_refused(
    name: str, setting: str, good: list[Any], bad: list[Any]
) -> None:
    for value in good:
        make(name, {setting: value, **BESIDE.get(setting, {})})
    for value in bad:
        with pytest.raises((ValueError, TypeError)):
            make(name, {setting: value, **BESIDE.get(setting, {})})


@pytest.mark.parametrize(
    ("setting", "choices"),
    [
        ("coherence", COHERENCE), ("bad_loss", BAD_LOSS), ("queries", QUERIES), ("split", SPLIT),
        ("pointer", SCORERS), ("linking", SCORERS), ("boundary", BOUNDARY),
        ("consistent_queries", CONSISTENT),
    ],
)  # fmt: skip
def test_every_choice_is_there(setting: str, choices: Iterable[str]) -> None:
    shown = {name: good for _, name, good, _ in permitted()}
    assert sorted(shown[setting]) == sorted(choices)


def make(name: str, settings: dict[str, Any]) -> None:
    """Use a block with some settings changed."""
    if name == "spacy-bispn.AdamW.v1":
        registry.resolve({"it": {"@optimizers": name, **settings}})
    elif name == "spacy-bispn.RandomEncoder.v1":
        registry.resolve({"it": {"@misc": name, **settings}})["it"].load(["ORC binds ATP."])
    else:
        place = {"bispn": (), "spacy-bispn.BiSPN.v1": ("model",), "spacy-bispn.Objective.v1": ("objective",)}
        for part in place[name]:
            settings = {part: settings}
        NLP.create_pipe("bispn", config=settings)


def test_the_values_that_are_tried_are_those_of_most_settings() -> None:
    tried = {(name, setting) for name, setting, _, _ in permitted()}
    assert len(tried) > 45
    assert ("spacy-bispn.Objective.v1", "null_weight") in tried
    assert examples('at least 0, `"balanced"`') == ([0, "balanced"], [-1, "no such value"])


def test_the_listener_s_block_is_whole_and_can_be_used(filled: dict[str, dict[str, Any]]) -> None:
    (block,) = (x.content for x in blocks(PAGE) if x.language == "ini")
    config = Config().from_str(f"[components]\n\n[components.bispn]\n\n{block}")["components"]["bispn"]
    model = config["model"]
    assert name_of(model) == LISTENER
    assert model.keys() - {"@architectures"} == parameters(LISTENER).keys()
    shared = parameters(LISTENER).keys() - {"tok2vec"}
    assert {key: model[key] for key in shared} == {
        key: filled["spacy-bispn.BiSPN.v1"][key] for key in shared
    }
    optional = {key for key, x in parameters(LISTENER).items() if x.default is not inspect.Parameter.empty}
    assert optional == {"cpu_precision"}
    spacy.blank("en").add_pipe("bispn", config=config)


def test_the_difference_between_the_two_models_is_as_the_page_says() -> None:
    assert parameters("spacy-bispn.BiSPN.v1").keys() ^ parameters(LISTENER).keys() == {
        "encoder", "query_layer", "tok2vec",
    }  # fmt: skip


def test_scores_and_their_weights() -> None:
    rows = TABLES["spacy-bispn.scorer.v1"]
    assert {quoted(row["score"])[0]: read(row["weight"]) for row in rows} == SCORE_WEIGHTS
    beside = re.search(r"Written beside them, without a weight: (.*?)\.", PAGE.read_text("utf-8"), re.S)
    assert beside is not None
    assert {*SCORE_WEIGHTS, *quoted(beside[1])} == score_extractions([]).keys()


def test_spacy_s_own_settings_exist() -> None:
    config = Config().from_disk(REPOSITORY / "project" / "configs" / "paper_biorelex.cfg", interpolate=False)
    for row in tables(PAGE)["What spaCy's own settings mean here"]:
        dot_to_object(config, quoted(row["setting"])[0])


def test_no_name_on_the_page_is_one_that_the_code_does_not_have() -> None:
    config = Config().from_disk(REPOSITORY / "project" / "configs" / "paper_biorelex.cfg", interpolate=False)
    known = {key for name in FUNCTIONS for key in parameters(name)} | score_extractions([]).keys()
    known |= config["training"].keys()
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


def test_the_readme_s_few_settings_are_the_page_s() -> None:
    rows = (row for name in FUNCTIONS for row in TABLES.get(name, ()) if "setting" in row)
    settings = {quoted(row["setting"])[0]: row for row in rows}
    few: list[Row] = tables(REPOSITORY / "README.md")["Settings"]
    assert 4 < len(few) < 8
    for row in few:
        for name in quoted(row["setting"]):
            assert row["default"] == settings[name]["default"], name
