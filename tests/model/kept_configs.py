"""Configs of encoders that versions of transformers made, and states of tiny models with them.

`python tests/model/kept_configs.py` adds those of the version at hand; those that are there are never made
again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import srsly
import torch
import transformers
from transformers import AutoConfig, AutoModel

from spacy_bispn.model.encoder_configs import portable

CONFIGS = Path(__file__).parents[1] / "data" / "encoder_configs"
SIZES = {
    "vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 4, "num_attention_heads": 2,
    "intermediate_size": 24, "max_position_embeddings": 64, "pad_token_id": 0,
}  # fmt: skip
T5 = {"vocab_size": 40, "d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 2, "num_heads": 2}
# every value that is not a default must arrive
FAMILIES: dict[str, dict[str, Any]] = {
    "bert": SIZES | {"hidden_act": "relu", "layer_norm_eps": 0.01},
    "roberta": SIZES | {"pad_token_id": 2},
    "xlm-roberta": SIZES | {"pad_token_id": 1},
    "camembert": SIZES | {"type_vocab_size": 1},
    "electra": SIZES | {"embedding_size": 8},
    "distilbert": {
        "vocab_size": 40, "dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 24, "activation": "relu",
    },
    "albert": SIZES | {"embedding_size": 8, "num_hidden_groups": 2},
    "mpnet": SIZES | {"pad_token_id": 1, "layer_norm_eps": 0.01},
    "deberta": SIZES | {"relative_attention": True, "pos_att_type": ["c2p"]},
    "deberta-v2": SIZES | {
        "relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_buckets": 4,
        "share_att_key": True, "norm_rel_ebd": "layer_norm", "conv_kernel_size": 3, "conv_act": "gelu",
        "position_biased_input": False,
    },
    "modernbert": SIZES | {
        "global_rope_theta": 12.0, "local_rope_theta": 7.0, "global_attn_every_n_layers": 2,
        "local_attention": 4,
    },
    "longformer": SIZES | {"attention_window": [4, 4, 8, 8]},
    "t5": T5 | {"feed_forward_proj": "gated-gelu", "relative_attention_num_buckets": 8},
    "umt5": T5 | {"feed_forward_proj": "gated-relu"},
    "rembert": SIZES | {"input_embedding_size": 8},
    "roformer": SIZES | {"rotary_value": True},
    "ernie": SIZES | {"use_task_id": True},
    "nomic_bert": SIZES | {"rope_theta": 9.0},  # since transformers 5
}  # fmt: skip


def states(config: Any) -> list[float]:
    """What a model of this config with certain weights makes of some pieces, a number a piece."""
    model = AutoModel.from_config(config).eval()
    with torch.inference_mode():
        for index, (_, weight) in enumerate(sorted(model.named_parameters())):
            weight.copy_((torch.arange(weight.numel()) * 0.7 + index).sin().view(weight.shape) / 2)
        encoder = model.encoder if config.is_encoder_decoder else model
        found: list[float] = (
            encoder(input_ids=torch.arange(3, 27)[None]).last_hidden_state[0].mean(1).tolist()
        )
    return found


def keep(path: Path) -> None:
    """Write configs and states of all families that the installed transformers has."""
    kept = {}
    for name in sorted(FAMILIES.keys() & transformers.CONFIG_MAPPING.keys()):
        config = AutoConfig.for_model(name, **FAMILIES[name])
        values = portable(json.loads(json.dumps(config.to_dict())))
        kept[name] = {"config": values, "states": [round(state, 6) for state in states(config)]}
    with path.open("x") as file:
        file.write(srsly.json_dumps(kept))


if __name__ == "__main__":
    keep(CONFIGS / f"{transformers.__version__}.json")
