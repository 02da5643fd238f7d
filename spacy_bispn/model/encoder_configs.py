"""Configs of encoders as they are saved: each version of transformers reads those of the others."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

# where the encoder lay when it was loaded, and the dtype of its files (renamed in transformers 4.56)
NOT_SAVED = ("_name_or_path", "torch_dtype", "dtype")
# words that models of transformers read, though their config classes do not have them
WORDS = ("norm_rel_ebd", "conv_act")
FULL, SLIDING = "full_attention", "sliding_attention"


def portable(values: Mapping[str, Any]) -> dict[str, Any]:
    """What to save of a config, with rotary positions in the spellings of transformers 4 and 5."""
    saved = {name: value for name, value in values.items() if name not in NOT_SAVED}
    if saved.get("local_rope_theta", 0) is None:  # transformers 5 would take its default
        saved["local_rope_theta"] = saved["global_rope_theta"]
    return saved | _older_spelling(saved)


def readable(values: Mapping[str, Any], known: Collection[str]) -> dict[str, Any]:
    """What the installed transformers may use of a saved config.

    known: what its config class has. Of the rest only numbers are used, and `WORDS`: other words could name
    code to fetch. Raises ValueError for rotary positions that this version cannot compute.
    """
    if "rope_parameters" in values and "rope_parameters" not in known and not _older_spelling(values):
        raise ValueError(
            f"the encoder's rope_parameters are {values['rope_parameters']}, expected 'rope_type': 'default' "
            f"and layers in one pattern with transformers 4: install transformers 5."
        )
    return {
        name: value
        for name, value in values.items()
        if name not in ("model_type", *NOT_SAVED)
        and (name in known or name in WORDS or (name[0] != "_" and _is_number(value)))
    }


def _is_number(value: object) -> bool:
    members = value if isinstance(value, list) else [value]
    return all(isinstance(member, int | float) for member in members)


def _older_spelling(values: Mapping[str, Any]) -> dict[str, Any]:
    """Rotary positions as transformers 4 spells them; empty where there are none, or no such spelling."""
    rotary = values.get("rope_parameters") or {}
    layered = bool(rotary) and rotary.keys() <= {FULL, SLIDING}
    for kind in rotary.values() if layered else [rotary]:
        if "rope_theta" not in kind or kind.get("rope_type", "default") != "default":
            return {}
    if not layered:
        return {"rope_theta": rotary["rope_theta"]}
    layers = values["layer_types"]  # ModernBERT's
    every = layers.index(FULL, 1) if FULL in layers[1:] else len(layers)
    if layers != [SLIDING if index % every else FULL for index in range(len(layers))]:
        return {}
    return {
        "global_rope_theta": rotary[FULL]["rope_theta"],
        "local_rope_theta": rotary.get(SLIDING, rotary[FULL])["rope_theta"],
        "global_attn_every_n_layers": every,
    }
