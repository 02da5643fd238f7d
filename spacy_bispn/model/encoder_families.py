"""What single families of encoders have that others do not; most families need nothing."""

from __future__ import annotations

from typing import Any, ClassVar

import catalogue

# Another package adds a family by an entry point of the group `spacy_bispn_encoder_families`.
encoder_families = catalogue.create("spacy_bispn", "encoder_families", entry_points=True)
POSITIONS = ("max_position_embeddings", "max_encoder_position_embeddings", "n_positions")


class EncoderFamily:
    """A family without anything special; the base of those that have something.

    masks_padding: whether the states of a text stay the same when it is padded. If not, texts are
    padded to no other length than their own.
    config: values of the model's config that replace those of its files.
    loading: keyword arguments for making a model.
    """

    masks_padding: ClassVar[bool] = True
    config: ClassVar[dict[str, Any]] = {}
    loading: ClassVar[dict[str, Any]] = {}

    def positions(self, config: Any) -> int | None:
        """The most pieces, special ones included, that a model has positions for; None if it counts none."""
        found = (getattr(config, name, None) for name in POSITIONS)
        return next((int(count) for count in found if count and count > 0), None)

    def has_bert_layers(self, config: Any) -> bool:
        """Whether the layers of a model are built like BERT's, so that queries can pass through them."""
        return False


@encoder_families.register("bert")
@encoder_families.register("electra")
class BertFamily(EncoderFamily):
    """BERT and its like. Their own code leaves out padding and lets queries enter (`nn/encoder.py`)."""

    def has_bert_layers(self, config: Any) -> bool:
        """With absolute positions; relative ones need the distances of pieces inside each layer."""
        return bool(getattr(config, "position_embedding_type", "absolute") == "absolute")


@encoder_families.register("data2vec-text")
@encoder_families.register("ibert")
@encoder_families.register("lilt")
@encoder_families.register("longformer")
@encoder_families.register("luke")
@encoder_families.register("mpnet")
@encoder_families.register("roberta-prelayernorm")
@encoder_families.register("xlm-roberta-xl")
@encoder_families.register("xmod")
class PositionsBehindPadding(EncoderFamily):
    """Models whose positions start after the id of padding."""

    def positions(self, config: Any) -> int | None:
        """Without the positions up to that of padding."""
        return int(config.max_position_embeddings) - int(config.pad_token_id) - 1


@encoder_families.register("camembert")
@encoder_families.register("roberta")
@encoder_families.register("xlm-roberta")
class RobertaFamily(PositionsBehindPadding, BertFamily):
    """RoBERTa and its like: BERT's layers, other positions."""


@encoder_families.register("modernbert")
class ModernBertFamily(EncoderFamily):
    """ModernBERT, which takes flash-attn and compiles itself where it can.

    flash-attn rejects 32-bit weights, and a compiled model is compiled again for each shape of a batch.
    """

    config: ClassVar[dict[str, Any]] = {"reference_compile": False}
    loading: ClassVar[dict[str, Any]] = {"attn_implementation": "sdpa"}


@encoder_families.register("big_bird")
@encoder_families.register("bigbird_pegasus")
class BigBirdFamily(EncoderFamily):
    """BigBird, which otherwise gives up its sparse attention for good at the first short text."""

    config: ClassVar[dict[str, Any]] = {"attention_type": "original_full"}


@encoder_families.register("xlnet")
class XLNetFamily(EncoderFamily):
    """XLNet, which reads in both directions although transformers has it among the models that generate."""


@encoder_families.register("convbert")
@encoder_families.register("fnet")
@encoder_families.register("funnel")
class PaddingMatters(EncoderFamily):
    """Models that mix padding into the states of a text."""

    masks_padding: ClassVar[bool] = False


def family_of(model_type: str) -> EncoderFamily:
    """The registered family of a `model_type` of transformers, or else one without anything special."""
    kind = encoder_families.get_all().get(model_type, EncoderFamily)
    family: EncoderFamily = kind()
    return family


def families_like_bert() -> list[str]:
    """The model types of the families that have BERT's layers."""
    return sorted(name for name, kind in encoder_families.get_all().items() if issubclass(kind, BertFamily))
