"""The component's settings as spaCy fills them in, and the weights of its scores."""

from __future__ import annotations

from thinc.api import Config

DEFAULT_CONFIG = """
[bispn]
type_threshold = 0.5
relation_threshold = 0.5
boundary_threshold = 0.1
longest_span = 32
coherence = "snap"
remove_overlaps = false
symmetric_labels = []
frozen_epochs = 0
batch_pieces = null
bad_loss = "stop"

[bispn.model]
@architectures = "spacy-bispn.BiSPN.v1"
entity_queries = 30
relation_queries = 25
queries = "proposed"
proposal_floor = 0.02
query_layer = -1
shared_layers = 2
supervised_layers = 2
entity_layers = 1
relation_layers = 1
heads = 6
feedforward = 768
dropout = 0.1
pointer = "biaffine"
inside_pointer = false
linking = "biaffine"
split = "after"
views = true
positional_queries = false
window = 256
overlap = 64
mixed_precision = true
cpu_precision = "full"

[bispn.model.encoder]
@misc = "spacy-bispn.RandomEncoder.v1"
width = 192
layers = 3
heads = 6
vocabulary = 4000
positions = 512
dropout = 0.1

[bispn.objective]
@misc = "spacy-bispn.Objective.v1"
alpha = 0.0001
beta = 0.0001
null_weight = 1.0
boundary = "cross_entropy"
inside = 0.0
entity_targets = 0
relation_targets = 0
consistent_queries = "all"
reverse_consistency = false
proposals = 1.0

[bispn.scorer]
@scorers = "spacy-bispn.scorer.v1"
"""
DEFAULTS = Config().from_str(DEFAULT_CONFIG)["bispn"]
SCORE_WEIGHTS = {
    "ents_f": 0.5, "ents_p": 0.0, "ents_r": 0.0, "rel_micro_f": 0.5, "rel_micro_p": 0.0,
    "rel_micro_r": 0.0, "ents_macro_f": 0.0, "ents_boundary_f": 0.0, "rel_macro_f": 0.0,
    "rel_boundary_f": 0.0, "ents_per_type": None, "rel_per_type": None, "bispn_coherence": 0.0,
}  # fmt: skip

