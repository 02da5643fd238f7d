"""Small encoders of many families with random weights, and tokenizers of each kind, as folders."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch
from pipelines import demo_texts
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import CONFIG_MAPPING, AutoConfig, AutoModel, PreTrainedTokenizerFast

from spacy_bispn.model.wordpieces import learn_wordpieces

TEXTS = [text.text for text in demo_texts(40)]
WIDTH = 32
BERT_SPECIAL = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
ROBERTA_SPECIAL = {"pad_token": "<pad>", "unk_token": "<unk>", "cls_token": "<s>", "sep_token": "</s>"}
T5_SPECIAL = {"pad_token": "<pad>", "unk_token": "<unk>", "eos_token": "</s>"}


def around(tokenizer: Tokenizer, template: str) -> Tokenizer:
    """Add a post-processor that puts special pieces around a text, such as "[CLS] $A [SEP]"."""
    names = [name for name in template.split() if name != "$A"]
    special = [(name, tokenizer.token_to_id(name)) for name in names]
    tokenizer.post_processor = processors.TemplateProcessing(single=template, special_tokens=special)
    return tokenizer


@cache
def wordpieces() -> Tokenizer:
    """WordPiece, as in BERT, MPNet, DistilBERT."""
    return around(learn_wordpieces(TEXTS, 300), "[CLS] $A [SEP]")


@cache
def byte_pieces() -> Tokenizer:
    """Byte-level BPE, as in RoBERTa, ModernBERT, Longformer."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False,
        special_tokens=["<pad>", "<s>", "</s>", "<unk>", "<mask>"],
    )  # fmt: skip
    tokenizer.train_from_iterator(TEXTS, trainer)
    return around(tokenizer, "<s> $A </s>")


@cache
def unigram_pieces(template: str = "<s> $A </s>") -> Tokenizer:
    """Unigram behind NFKC with `▁` for spaces, as in XLM-R, DeBERTa-v3, ALBERT, T5."""
    tokenizer = Tokenizer(models.Unigram())
    steps = [normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=300, unk_token="<unk>", show_progress=False,
        special_tokens=["<pad>", "<s>", "</s>", "<unk>", "<mask>"],
    )  # fmt: skip
    tokenizer.train_from_iterator(TEXTS, trainer)
    return around(tokenizer, template)


def eos_pieces() -> Tokenizer:
    """As in T5, which closes a text and does not open it."""
    return unigram_pieces("$A </s>")


SIZES = {
    "hidden_size": WIDTH, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64,
    "max_position_embeddings": 130,
}  # fmt: skip
T5_SIZES = {"d_model": WIDTH, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4}
BART_SIZES = {
    "d_model": WIDTH, "encoder_layers": 2, "decoder_layers": 1, "encoder_attention_heads": 4,
    "decoder_attention_heads": 4, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64,
    "max_position_embeddings": 130,
}  # fmt: skip
Kind = tuple[Callable[[], Tokenizer], dict[str, str], dict[str, Any]]
# Model types with their kind of tokenizer, its special pieces, and the sizes of the model.
FAMILIES: dict[str, Kind] = {
    "bert": (wordpieces, BERT_SPECIAL, SIZES),
    "electra": (wordpieces, BERT_SPECIAL, {**SIZES, "embedding_size": 16}),
    "distilbert": (
        wordpieces, BERT_SPECIAL,
        {"dim": WIDTH, "n_layers": 2, "n_heads": 4, "hidden_dim": 64, "max_position_embeddings": 130},
    ),
    "convbert": (wordpieces, BERT_SPECIAL, {**SIZES, "embedding_size": WIDTH, "conv_kernel_size": 3}),
    "fnet": (wordpieces, BERT_SPECIAL, SIZES),
    "mobilebert": (
        wordpieces, BERT_SPECIAL,
        {**SIZES, "embedding_size": 16, "intra_bottleneck_size": 32, "true_hidden_size": 32},
    ),
    "squeezebert": (wordpieces, BERT_SPECIAL, {**SIZES, "embedding_size": WIDTH}),
    "mpnet": (wordpieces, BERT_SPECIAL, SIZES),
    "funnel": (
        wordpieces, BERT_SPECIAL,
        {
            "d_model": WIDTH, "d_head": 8, "n_head": 4, "d_inner": 64, "block_sizes": [1, 1],
            "num_decoder_layers": 1, "architectures": ["FunnelModel"],
        },
    ),
    "roberta": (byte_pieces, ROBERTA_SPECIAL, SIZES),
    "modernbert": (byte_pieces, ROBERTA_SPECIAL, {**SIZES, "local_attention": 16}),
    "longformer": (byte_pieces, ROBERTA_SPECIAL, {**SIZES, "attention_window": [16, 16]}),
    "bart": (byte_pieces, ROBERTA_SPECIAL, BART_SIZES),
    "xlm-roberta": (unigram_pieces, ROBERTA_SPECIAL, SIZES),
    "deberta": (
        byte_pieces, ROBERTA_SPECIAL,
        {**SIZES, "relative_attention": True, "pos_att_type": ["c2p", "p2c"]},
    ),
    "deberta-v2": (
        unigram_pieces, ROBERTA_SPECIAL,
        {
            **SIZES, "relative_attention": True, "pos_att_type": ["c2p", "p2c"], "position_buckets": 16,
            "share_att_key": True, "norm_rel_ebd": "layer_norm", "position_biased_input": False,
            "type_vocab_size": 0,
        },
    ),
    "albert": (unigram_pieces, ROBERTA_SPECIAL, {**SIZES, "embedding_size": 16}),
    "big_bird": (unigram_pieces, ROBERTA_SPECIAL, {**SIZES, "block_size": 4}),
    "rembert": (unigram_pieces, ROBERTA_SPECIAL, {**SIZES, "input_embedding_size": 16}),
    "xlnet": (unigram_pieces, ROBERTA_SPECIAL, {"d_model": WIDTH, "n_layer": 2, "n_head": 4, "d_inner": 64}),
    "t5": (eos_pieces, T5_SPECIAL, T5_SIZES),
    "mt5": (eos_pieces, T5_SPECIAL, T5_SIZES),
    "umt5": (eos_pieces, T5_SPECIAL, T5_SIZES),
    "longt5": (eos_pieces, T5_SPECIAL, {**T5_SIZES, "local_radius": 7}),
}  # fmt: skip
NEWEST: dict[str, Kind] = {  # of transformers 5 alone
    "eurobert": (byte_pieces, ROBERTA_SPECIAL, {**SIZES, "num_key_value_heads": 2}),
    "nomic_bert": (wordpieces, BERT_SPECIAL, SIZES),
}
FAMILIES |= {family: kind for family, kind in NEWEST.items() if family in CONFIG_MAPPING}


def make_folder(family: str, folder: Path) -> Path:
    """Save a model of a family with random weights, and its tokenizer."""
    make_tokenizer, special, sizes = FAMILIES[family]
    return save_model(family, make_tokenizer(), special, sizes, folder)


def save_model(
    family: str, tokenizer: Tokenizer, special: dict[str, str], sizes: dict[str, Any], folder: Path
) -> Path:
    """Save a model of these sizes with random weights, and a tokenizer with these special pieces."""
    saved = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)
    saved.save_pretrained(folder)
    ids = {f"{name}_token_id": saved.convert_tokens_to_ids(special.get(f"{name}_token", special["pad_token"]))
           for name in ("pad", "bos", "eos", "cls", "sep")}  # fmt: skip
    torch.manual_seed(0)
    config = AutoConfig.for_model(family, vocab_size=tokenizer.get_vocab_size(), **ids, **sizes)
    AutoModel.from_config(config).save_pretrained(folder)
    return folder
