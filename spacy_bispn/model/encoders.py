"""The only user of transformers: load an encoder, make one, rebuild one without any network."""

import json
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

import catalogue
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from torch import nn
from transformers import AutoConfig, AutoModel, AutoTokenizer, BertConfig
from transformers.utils import logging

from spacy_bispn.model.encoder_configs import portable, readable
from spacy_bispn.settings import SHARE, SettingError, Settings, Shown, Values, setting

SPECIAL_PIECES = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
# Another package adds a family by an entry point of the group `spacy_bispn_encoder_families`.
encoder_families = catalogue.create("spacy_bispn", "encoder_families", entry_points=True)


@encoder_families.register("bert")
class EncoderFamily:
    """What a family of encoders has that others do not; this is BERT's."""

    loading: ClassVar[dict[str, Any]] = {"add_pooling_layer": False}  # nothing here uses a pooling layer

    def positions(self, config: Any) -> int:
        """The most pieces, special ones included, that a model has positions for."""
        return int(config.max_position_embeddings)


@encoder_families.register("electra")
class ElectraFamily(EncoderFamily):
    """ELECTRA, which never has a pooling layer."""

    loading: ClassVar[dict[str, Any]] = {}


@encoder_families.register("roberta")
@encoder_families.register("xlm-roberta")
@encoder_families.register("camembert")
class RobertaFamily(EncoderFamily):
    """RoBERTa and its like, whose positions start after the padding id."""

    def positions(self, config: Any) -> int:
        """As in BERT, without the positions up to that of padding."""
        return super().positions(config) - int(config.pad_token_id) - 1


def family_of(model_type: str, encoder: str = "") -> EncoderFamily:
    """The registered family of an encoder, by its model type. Raises SettingError where there is none."""
    families = encoder_families.get_all()
    if model_type not in families:
        expected = f"one of the families {', '.join(sorted(families))}"
        name = f"the encoder {encoder!r}" if encoder else "the encoder"
        raise SettingError(name, Shown(f"a {model_type} model"), expected, "choose another encoder")
    family: EncoderFamily = families[model_type]()
    return family


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
        return family_of(config.model_type).positions(config)

    def describe(self) -> dict[str, Any]:
        """All but the weights, as JSON."""
        config: Any = self.model.config
        return {
            "config": portable(json.loads(json.dumps(config.to_dict()))),
            "tokenizer": self.tokenizer.to_str(),
            "special": list(self.special),
        }


@runtime_checkable
class Source(Protocol):
    """Where an encoder comes from."""

    def load(self, texts: Iterable[str]) -> Encoder:
        """Make the encoder; `texts` are those of the training corpus."""


@dataclass(frozen=True)
class PretrainedEncoder(Settings):
    """Weights published for transformers, by hub name or local folder."""

    name: str = setting(
        Values(words="a hub name or a folder"),
        "A BERT, RoBERTa, XLM-R, CamemBERT or ELECTRA model with a fast tokenizer. The paper has BERT-base "
        "for news, BioBERT-base for BioRelEx and ADE, SciBERT for SciERC: take one that was trained on "
        "texts like yours.",
        advice="correct `name` in the encoder block of the config",
    )

    def load(self, texts: Iterable[str]) -> Encoder:
        """Raises ValueError if there is no such model, no fast tokenizer or another kind of model.

        Warns of weights that the files do not have, and that would be random. What they have beyond an
        encoder (a pooling layer, heads of other tasks) is not used, and nothing is said of it.
        """
        try:
            config = AutoConfig.from_pretrained(self.name)
        except Exception as error:  # which ones a damaged file raises differs by version of transformers
            raise self._unreadable(error) from error
        family = family_of(config.model_type, self.name)
        try:
            tokenizer = AutoTokenizer.from_pretrained(self.name, use_fast=True)
            with _without_load_report(self.name):
                # 32 bits, whatever the files have: transformers 5 would take their dtype
                model, found = AutoModel.from_pretrained(
                    self.name, output_loading_info=True, torch_dtype=torch.float32, **family.loading
                )
        except Exception as error:  # as above
            raise self._unreadable(error) from error
        # transformers 5 makes a tokenizer without a vocabulary where there is no file of one
        if not tokenizer.get_vocab().keys() - {*tokenizer.get_added_vocab(), *tokenizer.all_special_tokens}:
            raise self._unreadable("its tokenizer has no vocabulary")
        if not tokenizer.is_fast:
            raise ValueError(
                f"the encoder {self.name!r} has only a slow tokenizer, expected a fast one with character "
                f"offsets: choose a model with a tokenizer.json."
            )
        if missing := sorted(found["missing_keys"]):
            warnings.warn(
                f"{len(missing)} weights of the encoder {self.name!r} are not in its files and are random "
                f"({', '.join(missing[:3])}...), expected all of them: fetch the files again, or choose a "
                f"complete model.",
                stacklevel=1,
            )
        special = (tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.pad_token_id)
        return Encoder(model, plain(tokenizer.backend_tokenizer.to_str()), special)

    def _unreadable(self, error: Exception | str) -> ValueError:
        here = Path(self.name).exists()
        kind = "a folder without a complete model" if here else "neither a folder nor reachable"
        return ValueError(
            f"the encoder {self.name!r} is {kind}, expected a hub name or a folder with config.json, "
            f"weights and tokenizer.json: correct `name` in the encoder block of the config "
            f"({str(error).strip()[:200]})."
        )


@contextmanager
def _without_load_report(name: str) -> Iterator[None]:
    """Keep transformers from listing, at every loading, the weights that nobody needs.

    Progress is shown of downloads alone, not of reading a folder.
    """
    before, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    if hide := bars and Path(name).exists():
        logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(before)
        if hide:
            logging.enable_progress_bar()


@dataclass(frozen=True)
class RandomEncoder(Settings):
    """A small BERT with random weights and a wordpiece vocabulary learnt from the training texts.

    Raises SettingError for sizes that are out of bounds or do not fit each other.
    """

    width: int = setting(
        Values(least=1, most=4096, whole=True),
        "Width of the encoder, and with it of the network. A multiple of its `heads`.",
        default=192,
    )
    layers: int = setting(Values(least=1, most=64, whole=True), "Layers of the encoder.", default=3)
    heads: int = setting(
        Values(least=1, most=256, whole=True),
        "Attention heads of the encoder. A divisor of its `width`.",
        default=6,
    )
    vocabulary: int = setting(
        Values(least=1, most=1_000_000, whole=True),
        "The most wordpieces that are learnt; single characters of the texts are always among them. Small "
        "corpora want fewer (the demo's two thousand sentences 800).",
        default=4000,
    )
    positions: int = setting(
        Values(least=8, most=65_536, whole=True),
        "The longest window that the encoder can read, two special pieces included.",
        default=512,
    )
    dropout: float = setting(SHARE, "Dropout of the encoder.", default=0.1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width % self.heads:
            raise SettingError(
                "width", self.width, f"a multiple of the encoder's {self.heads} heads", "change one of them"
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
        return Encoder(AutoModel.from_config(config, add_pooling_layer=False), tokenizer, special)


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


def rebuild(description: dict[str, Any]) -> Encoder:
    """An encoder with fresh weights from `Encoder.describe`; reads no file and no network.

    Raises ValueError for another family, and for a config that the installed transformers cannot read.
    """
    name = description["config"]["model_type"]
    family = family_of(name)
    known = AutoConfig.for_model(name).to_dict()
    config = AutoConfig.for_model(name, **readable(description["config"], known))
    model = AutoModel.from_config(config, **family.loading)
    return Encoder(model, plain(description["tokenizer"]), tuple(description["special"]))
