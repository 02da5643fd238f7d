"""The only user of transformers: load an encoder, make one, rebuild one without any network."""

import inspect
import json
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from tokenizers import Tokenizer
from torch import nn
from transformers import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    MODEL_FOR_MASKED_LM_MAPPING,
    MODEL_FOR_TEXT_ENCODING_MAPPING,
    MODEL_MAPPING,
    AutoConfig,
    AutoModel,
    AutoModelForTextEncoding,
    AutoTokenizer,
    BertConfig,
    PreTrainedModel,
)
from transformers.utils import logging

from spacy_bispn.model.encoder_checks import trouble_with
from spacy_bispn.model.encoder_configs import portable, readable
from spacy_bispn.model.encoder_families import EncoderFamily, encoder_families, family_of
from spacy_bispn.model.windowing import LONGEST_WINDOW, SpecialPieces
from spacy_bispn.model.wordpieces import learn_wordpieces, plain
from spacy_bispn.nn.encoder import TokenEncoder
from spacy_bispn.settings import SHARE, SettingError, Settings, Shown, Values, setting

USUAL_LIMIT = 512  # pieces, where neither config nor tokenizer has a limit


@dataclass(frozen=True)
class Encoder:
    """A loaded encoder.

    model: what reads the pieces, without a decoder and without a pooling layer.
    tokenizer: a fast tokenizer.
    special: what opens, closes and pads a window.
    config: the transformers config of the whole model.
    limit: the most pieces where the config has no number of positions.
    """

    model: nn.Module
    tokenizer: Tokenizer
    special: SpecialPieces
    config: Any
    limit: int = USUAL_LIMIT

    @property
    def family(self) -> EncoderFamily:
        """The registered family, or the one without anything special."""
        return family_of(self.config.model_type)

    @property
    def longest(self) -> int:
        """The most pieces, special ones included, that the model reads at once."""
        return self.family.positions(self.config) or self.limit

    def describe(self) -> dict[str, Any]:
        """All but the weights, as JSON."""
        parts = {
            "config": portable(json.loads(json.dumps(self.config.to_dict()))),
            "tokenizer": self.tokenizer.to_str(),
            "special": self.special,
            "limit": self.limit,
        }
        plain_values: dict[str, Any] = json.loads(json.dumps(parts))
        return plain_values


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
        "An encoder of transformers with a fast tokenizer ([encoders.md](encoders.md)). The paper has "
        "BERT-base for news, BioBERT-base for BioRelEx and ADE, SciBERT for SciERC: take one that was "
        "trained on texts like yours.",
        advice="correct `name` in the encoder block of the config",
    )

    def load(self, texts: Iterable[str]) -> Encoder:
        """Raises ValueError if there is no such model, no fast tokenizer or a model that is no encoder.

        Warns of weights that the files do not have, and that would be random. What they have beyond an
        encoder (a pooling layer, a decoder, heads of other tasks) is not used, and nothing is said of it.
        """
        try:
            config = AutoConfig.from_pretrained(self.name, trust_remote_code=False)
        except Exception as error:  # which ones a damaged file raises differs by version of transformers
            raise self._unreadable(error) from error
        check_config(config, self.name)
        family = family_of(config.model_type)
        config.update({name: value for name, value in family.config.items() if hasattr(config, name)})
        try:
            tokenizer = AutoTokenizer.from_pretrained(self.name, use_fast=True, trust_remote_code=False)
            with _without_load_report(self.name):
                # 32 bits, whatever the files have: transformers 5 would take their dtype
                whole, found = auto_class(config).from_pretrained(
                    self.name, config=config, output_loading_info=True, torch_dtype=torch.float32,
                    trust_remote_code=False, **loading_options(config),
                )  # fmt: skip
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
        part, model = encoder_part(whole)
        if missing := sorted(name for name in found["missing_keys"] if name.startswith(part)):
            warnings.warn(
                f"{len(missing)} weights of the encoder {self.name!r} are not in its files and are random "
                f"({', '.join(missing[:3])}...), expected all of them: fetch the files again, or choose a "
                f"complete model.",
                stacklevel=1,
            )
        special = special_pieces(tokenizer, config)
        limit = tokenizer.model_max_length if tokenizer.model_max_length <= LONGEST_WINDOW else USUAL_LIMIT
        made = Encoder(model, plain(tokenizer.backend_tokenizer.to_str()), special, config, limit)
        reader = TokenEncoder(model, family.masks_padding)
        if trouble := trouble_with(reader, special, made.tokenizer.get_vocab_size()):
            raise no_encoder(config, self.name, trouble)
        return made

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
        opening, closing, padding = (tokenizer.token_to_id(piece) for piece in ("[CLS]", "[SEP]", "[PAD]"))
        special = SpecialPieces((opening,), (closing,), padding)
        return Encoder(make_model(config), tokenizer, special, config)


def special_pieces(tokenizer: Any, config: Any) -> SpecialPieces:
    """What a tokenizer puts around a text, as its post-processor does it, and what pads.

    A tokenizer that has no post-processor is taken to mean its `cls_token` and `sep_token`, if it has these.
    """
    encoded = plain(tokenizer.backend_tokenizer.to_str()).encode("a", add_special_tokens=True)
    real = [index for index, special in enumerate(encoded.special_tokens_mask) if not special]
    opening, closing = encoded.ids[: real[0]] if real else [], encoded.ids[real[-1] + 1 :] if real else []
    if not opening and not closing:
        named = (tokenizer.cls_token_id, tokenizer.sep_token_id)
        opening, closing = ([] if one is None else [one] for one in named)
    padding = (tokenizer.pad_token_id, config.pad_token_id, 0)
    return SpecialPieces(tuple(opening), tuple(closing), next(one for one in padding if one is not None))


def auto_class(config: Any) -> Any:
    """The class that makes a model from its config: without a decoder where transformers has such a class."""
    return AutoModelForTextEncoding if type(config) in MODEL_FOR_TEXT_ENCODING_MAPPING else AutoModel


def loading_options(config: Any) -> dict[str, Any]:
    """Keyword arguments for making a model: those of its family, and no pooling layer, which nobody uses."""
    text = type(config) in MODEL_FOR_TEXT_ENCODING_MAPPING
    kind = (MODEL_FOR_TEXT_ENCODING_MAPPING if text else MODEL_MAPPING)[type(config)]
    pools = isinstance(kind, type) and "add_pooling_layer" in inspect.signature(kind).parameters
    return {**family_of(config.model_type).loading, **({"add_pooling_layer": False} if pools else {})}


def encoder_part(whole: PreTrainedModel) -> tuple[str, nn.Module]:
    """What reads the pieces in a model, and how the names of its weights start there.

    That is the model itself unless it has an encoder that is a model of pieces: then it has a decoder, too.
    """
    inner = getattr(whole, "encoder", None)
    if isinstance(inner, PreTrainedModel) and "input_ids" in inspect.signature(inner.forward).parameters:
        return "encoder.", inner
    return "", whole


def make_model(config: Any) -> nn.Module:
    """An encoder with fresh weights."""
    return encoder_part(auto_class(config).from_config(config, **loading_options(config)))[1]


def check_config(config: Any, name: str) -> None:
    """Raise SettingError for a model that generates text, and for one of no text, before it is fetched."""
    kind, alone = type(config), not getattr(config, "is_encoder_decoder", False)
    known = config.model_type in encoder_families.get_all()
    if (
        kind in MODEL_FOR_CAUSAL_LM_MAPPING
        and kind not in MODEL_FOR_MASKED_LM_MAPPING
        and alone
        and not known
    ):
        raise no_encoder(config, name, "in which no piece sees those behind it")
    if kind not in MODEL_MAPPING:
        raise no_encoder(config, name, "which is made of other models")


def no_encoder(config: Any, name: str, why: str) -> SettingError:
    """The error for a model that cannot be used."""
    return SettingError(
        f"the encoder {name!r}", Shown(f"a {config.model_type} model, {why}"),
        "an encoder of text, in which pieces see each other in both directions",
        "choose another encoder, such as BERT, DeBERTa, ModernBERT or the encoder of T5",
    )  # fmt: skip


def rebuild(description: dict[str, Any]) -> Encoder:
    """An encoder with fresh weights from `Encoder.describe`; reads no file and no network.

    Raises ValueError for a model or a config that the installed transformers cannot read.
    """
    name = description["config"]["model_type"]
    known = AutoConfig.for_model(name).to_dict()
    config = AutoConfig.for_model(name, **readable(description["config"], known))
    special = SpecialPieces.of(description["special"])
    limit = description.get("limit", USUAL_LIMIT)  # older models were limited by their positions
    return Encoder(make_model(config), plain(description["tokenizer"]), special, config, limit)
