"""A config that was saved under any version of transformers means the same under every other one."""

from __future__ import annotations

import json
from typing import Any

import pytest
import srsly
from kept_configs import CONFIGS, FAMILIES, states
from transformers import CONFIG_MAPPING, AutoConfig

from spacy_bispn.model.encoder_configs import portable, readable

KEPT = {path.stem: srsly.read_json(path) for path in CONFIGS.iterdir()}
MODERN = KEPT["5.24.0"]["modernbert"]["config"]


def read(values: dict[str, Any]) -> Any:
    """A config of the installed transformers from a saved one."""
    name = values["model_type"]
    return AutoConfig.for_model(name, **readable(values, AutoConfig.for_model(name).to_dict()))


def test_each_kind_of_version_is_kept() -> None:
    assert {version.rpartition(".")[0] for version in KEPT} >= {"4.49", "4.53", "5.24"}
    assert KEPT["5.24.0"].keys() == FAMILIES.keys()


@pytest.mark.parametrize(
    ("version", "name"), [(version, name) for version, kept in KEPT.items() for name in kept], ids=str
)
def test_the_same_states_under_any_version(version: str, name: str) -> None:
    if name not in CONFIG_MAPPING:
        pytest.skip(f"the installed transformers has no {name}")
    kept = KEPT[version][name]
    assert max(kept["states"]) - min(kept["states"]) > 1e-3, "worth comparing"
    config = read(kept["config"])
    assert states(config) == pytest.approx(kept["states"], abs=1e-5)
    again = read(portable(json.loads(json.dumps(config.to_dict()))))
    assert states(again) == pytest.approx(kept["states"], abs=1e-5), "saved and read again"


@pytest.mark.parametrize(
    "words",
    [
        {"auto_map": {"AutoModel": "somewhere--code.Model"}}, {"_attn_implementation": "somewhere/kernel"},
        {"attn_implementation": "somewhere/kernel"}, {"_name_or_path": "somewhere"}, {"others": ["a", "b"]},
        {"_hidden": 5}, {"dtype": "float16"}, {"torch_dtype": "float16"},
        {"quantization_config": {"bits": 4}},
    ],
    ids=str,
)  # fmt: skip
def test_what_could_name_code_is_not_read(words: dict[str, Any]) -> None:
    known = AutoConfig.for_model("modernbert").to_dict()
    assert readable(MODERN | words, known) == readable(MODERN, known)


@pytest.mark.parametrize(
    "change",
    [
        {"layer_types": ["full_attention", "full_attention", "sliding_attention", "full_attention"]},
        {"layer_types": ["sliding_attention"] * 4},
        {"rope_parameters": {"rope_type": "yarn", "factor": 4.0, "rope_theta": 5.0}},
    ],
    ids=str,
)
def test_positions_that_an_older_version_cannot_compute_are_refused(change: dict[str, Any]) -> None:
    values = {name: value for name, value in MODERN.items() if not name.startswith(("global_", "local_rope"))}
    changed = portable(values | change)
    assert readable(changed, {"rope_parameters", "layer_types"})["layer_types"]
    with pytest.raises(ValueError, match=r"rope_parameters are .*, expected .* with transformers 4: install"):
        readable(changed, {"global_rope_theta"})


@pytest.mark.parametrize("rotary", [None, {}, {"factor": 2.0}, {"chunked_attention": {"rope_theta": 5.0}}])
def test_other_positions_are_saved_as_they_are(rotary: dict[str, Any] | None) -> None:
    values = {"model_type": "other", "rope_parameters": rotary}
    assert portable(values) == values


def test_a_file_of_transformers_4_keeps_its_rotary_positions() -> None:
    older = KEPT["4.49.0"]["modernbert"]["config"]
    assert (older["global_rope_theta"], older["local_rope_theta"]) == (12.0, 7.0)
    for name in ("global_rope_theta", "local_rope_theta", "global_attn_every_n_layers"):
        assert MODERN[name] == older[name]
    assert portable(older | {"local_rope_theta": None})["local_rope_theta"] == 12.0, "as it is computed there"
