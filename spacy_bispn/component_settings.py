"""The component's own block: its settings, the blocks inside it, and the weights of its scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from spacy_bispn.settings import Settings, Values, setting


@dataclass(frozen=True)
class ComponentSettings(Settings):
    """How the component learns, and how much it reads at once; see `Decoding` for how it predicts."""

    symmetric_labels: list[str] = setting(
        Values(words="a list of relation labels"),
        "Relation labels without a direction: stored once, trained in both directions, scored in either. A "
        "label that the training data does not have is refused at initialization.",
        default=[],
    )
    entities: str = setting(
        Values(choices=("predicted", "given", "both")),
        'Where entities come from. `"given"`: they are on the Doc already, and relations join exactly these. '
        '`"both"`: these are kept, and others may be found. In training they are those that other components '
        "put on the Docs (`annotating_components`) or the reader (`given_spans`), or else those of the gold: "
        "[Relations between given entities](pipelines.md#relations-between-given-entities).",
        default="predicted",
    )
    given_spans: str = setting(
        Values(words="the name of a span group"),
        "The span group whose spans are given beside those of `doc.ents`. No effect where all entities are "
        "predicted.",
        default="given",
    )
    frozen_epochs: float = setting(
        Values(least=0),
        "Epochs in which the encoder rests while everything else learns; may be a fraction. For long "
        "trainings of a pretrained encoder. No effect with the listener.",
        default=0,
    )
    batch_pieces: int | None = setting(
        Values(least=1, whole=True, choices=(None,)),
        "Padded positions that the network reads at once, in training and prediction. `null`: 1024 on CPU, "
        "8192 on GPU. Lower it where memory runs out.",
        default=None,
    )
    bad_loss: str = setting(
        Values(choices=("stop", "skip")),
        'What happens in training where a loss or a gradient is NaN or infinite. `"stop"`: an error. '
        '`"skip"`: the batch is skipped, with a warning. For long trainings that nobody watches.',
        default="stop",
    )
    surplus_gold: str = setting(
        Values(choices=("stop", "skip")),
        'What happens at initialization where a text has more gold than the model has queries. `"stop"`: an '
        'error. `"skip"`: a warning; what finds no query is not learnt from, and is counted in '
        '`losses["bispn_surplus"]`. For numbers of queries that are fixed beforehand.',
        default="stop",
    )
    extension: str = setting(
        Values(words="the name of an attribute"),
        "The attribute of a Doc that has its relations, `doc._.relations`. Another name where another "
        "library has an attribute of this name.",
        default="relations",
    )


# The blocks of other registered functions; what they leave out is filled in from those functions' settings.
BLOCKS: dict[str, dict[str, Any]] = {
    "model": {
        "@architectures": "spacy-bispn.BiSPN.v1",
        "encoder": {"@misc": "spacy-bispn.RandomEncoder.v1"},
    },
    "objective": {"@misc": "spacy-bispn.Objective.v1"},
    "scorer": {"@scorers": "spacy-bispn.scorer.v1"},
}
SCORE_WEIGHTS = {
    "ents_f": 0.5, "ents_p": 0.0, "ents_r": 0.0, "rel_micro_f": 0.5, "rel_micro_p": 0.0,
    "rel_micro_r": 0.0, "ents_macro_f": 0.0, "ents_boundary_f": 0.0, "rel_macro_f": 0.0,
    "rel_boundary_f": 0.0, "ents_per_type": None, "rel_per_type": None, "bispn_coherence": 0.0,
    "bispn_raw_coherence": 0.0,
}  # fmt: skip
