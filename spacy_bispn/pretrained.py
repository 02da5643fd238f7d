"""The only user of transformers: load an encoder, make one, rebuild one without any network."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from safetensors import SafetensorError
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from torch import nn
from transformers import AutoConfig, AutoModel, AutoTokenizer, BertConfig, BertModel

from .bounds import BELOW_1, within

SPECIAL_PIECES = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
FAMILIES = ("bert", "roberta", "xlm-roberta", "electra", "camembert")
OFFSET = ("roberta", "xlm-roberta", "camembert")  # their positions start after the padding id
# Least and most of what a random encoder is made of; a window needs 8 positions.
SIZES = {
    "width": (1, 4096), "layers": (1, 64), "heads": (1, 256), "vocabulary": (1, 1_000_000),
    "positions": (8, 65_536),
}  # fmt: skip


@dataclass(frozen=True)
class Encoder:
    """A loaded encoder: module, fast tokenizer, and the ids that open, close and pad a window."""

    model: nn.Module
    tokenizer: Tokenizer
    special: tuple[int, int, int]

    @property
    def longest(self) -> int:
        """The most pieces, special ones included, that the model has positions for."""
        config: Any = self.model.config
        offset = config.pad_token_id + 1 if config.model_type in OFFSET else 0
        return int(config.max_position_embeddings) - offset

    def describe(self) -> dict[str, Any]:
        """All but the weights, as JSON."""
        config: Any = self.model.config
        values = json.loads(json.dumps(config.to_dict()))
        values.pop("_name_or_path", None)  # where it lay when it was loaded
        return {
            "config": values,
            "tokenizer": self.tokenizer.to_str(),
            "special": list(self.special),
        }


class Source(Protocol):
    """Where an encoder comes from."""

    def load(self, texts: Iterable[str]) -> Encoder:
        """Make the encoder; `texts` are those of the training corpus."""


@dataclass(frozen=True)
class PretrainedEncoder:
    """Weights published for transformers, by hub name or local folder."""

    name: str

    def load(self, texts: Iterable[str]) -> Encoder:
        """Raises ValueError if there is no such model, no fast tokenizer or another kind of model."""
        try:
            config = AutoConfig.from_pretrained(self.name)
        except (OSError, ValueError) as error:
            raise self._unreadable(error) from error
        if config.model_type not in FAMILIES:
            raise ValueError(
                f"the encoder {self.name!r} is a {config.model_type} model, expected one of "
                f"{', '.join(FAMILIES)}: choose a model of BERT's family."
            )
        try:
            tokenizer = AutoTokenizer.from_pretrained(self.name, use_fast=True)
            model = AutoModel.from_pretrained(self.name, **unpooled(config.model_type))
        # without a tokenizer transformers raises ImportError; weights of other sizes are a RuntimeError
        except (OSError, ValueError, ImportError, RuntimeError, SafetensorError) as error:
            raise self._unreadable(error) from error
        if not tokenizer.is_fast:
            raise ValueError(
                f"the encoder {self.name!r} has only a slow tokenizer, expected a fast one with character "
                f"offsets: choose a model with a tokenizer.json."
            )
        special = (tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.pad_token_id)
        return Encoder(model, plain(tokenizer.backend_tokenizer.to_str()), special)

    def _unreadable(self, error: Exception) -> ValueError:
        here = Path(self.name).exists()
        kind = "a folder without a complete model" if here else "neither a folder nor reachable"
        return ValueError(
            f"the encoder {self.name!r} is {kind}, expected a hub name or a folder with config.json, "
            f"weights and tokenizer.json: correct `name` in the encoder block of the config "
            f"({str(error).strip()[:200]})."
        )


@dataclass(frozen=True)
class RandomEncoder:
    """A small BERT with random weights and a wordpiece vocabulary learnt from the training texts.

    Raises ValueError for sizes that are out of bounds or do not fit each other.
    """

    width: int = 192
    layers: int = 3
    heads: int = 6
    vocabulary: int = 4000
    positions: int = 512
    dropout: float = 0.1

    def __post_init__(self) -> None:
        for name, (least, most) in SIZES.items():
            if not within(getattr(self, name), least, most):
                raise ValueError(
                    f"the encoder's {name} is {getattr(self, name)!r}, expected a number from {least} to "
                    f"{most}: correct it in the encoder block of the config."
                )
        if self.width % self.heads:
            raise ValueError(
                f"the encoder's width is {self.width} with {self.heads} heads, expected a multiple: "
                f"choose a width that its heads divide."
            )
        if not within(self.dropout, 0, BELOW_1):
            raise ValueError(
                f"the encoder's dropout is {self.dropout!r}, expected a share from 0 to below 1: "
                f"0.1 is usual."
            )

    def load(self, texts: Iterable[str]) -> Encoder:
        """Learn the vocabulary and make the model."""
        tokenizer = learn_wordpieces(texts, self.vocabulary)
        config = BertConfig(
            vocab_size=tokenizer.get_vocab_size(),
            hidden_size=self.width,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            intermediate_size=4 * self.width,
            max_position_embeddings=self.positions,
            hidden_dropout_prob=self.dropout,
            attention_probs_dropout_prob=self.dropout,
        )
        special = tuple(tokenizer.token_to_id(piece) for piece in ("[CLS]", "[SEP]", "[PAD]"))
        return Encoder(BertModel(config, add_pooling_layer=False), tokenizer, special)


def learn_wordpieces(texts: Iterable[str], size: int) -> Tokenizer:
    """A cased wordpiece tokenizer in BERT's manner; the same texts always give the same vocabulary."""
    texts = list(texts)
    # the trainer numbers `##` pieces of single characters in no fixed order, and breaks ties by number
    inner = sorted({f"##{character}" for text in texts for character in text if not character.isspace()})
    trainer = trainers.WordPieceTrainer(
        vocab_size=size, special_tokens=[*SPECIAL_PIECES, *inner], show_progress=False
    )
    learnt = wordpiece({})
    learnt.train_from_iterator(texts, trainer)
    # a fresh tokenizer, in which those pieces are no special tokens
    tokenizer = wordpiece(learnt.get_vocab())
    tokenizer.add_special_tokens(list(SPECIAL_PIECES))
    return tokenizer


def wordpiece(vocabulary: dict[str, int]) -> Tokenizer:
    """A cased tokenizer over a vocabulary, with BERT's normalization and splitting."""
    model = models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=100)
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


def plain(serialized: str) -> Tokenizer:
    """A tokenizer that neither cuts nor pads, whatever its file says."""
    tokenizer = Tokenizer.from_str(serialized)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def unpooled(family: str) -> dict[str, bool]:
    """What keeps a model of this family from having a pooling layer, which nothing here uses."""
    return {} if family == "electra" else {"add_pooling_layer": False}


def rebuild(description: dict[str, Any]) -> Encoder:
    """An encoder with fresh weights from `Encoder.describe`; reads no file and no network.

    Of the description only what a family's own config has is used: other keys could name code to fetch.
    Raises ValueError for another family.
    """
    family = description["config"]["model_type"]
    if family not in FAMILIES:
        raise ValueError(
            f"the saved encoder is of the family {family!r}, expected one of {', '.join(FAMILIES)}: "
            f"load a model that this component wrote."
        )
    known = AutoConfig.for_model(family).to_dict().keys() - {"model_type", "torch_dtype"}
    values = {name: value for name, value in description["config"].items() if name in known}
    config = AutoConfig.for_model(family, **values)
    model = AutoModel.from_config(config, **unpooled(family))
    return Encoder(model, plain(description["tokenizer"]), tuple(description["special"]))
