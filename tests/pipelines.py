"""Tiny pipelines and examples for the tests of the component and of what surrounds it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import spacy
import torch
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from transformers import BertConfig, BertModel, BertTokenizerFast

from spacy_bispn import annotations
from spacy_bispn.component import BiSPN
from spacy_bispn.corpus import to_doc
from spacy_bispn.corpus_reader import bare
from spacy_bispn.demo.corpus import generate
from spacy_bispn.model.encoders import learn_wordpieces
from spacy_bispn.model.optimizers import AdamW, create_adamw
from spacy_bispn.records import AnnotatedText, Entity, Extraction, Relation

PUNCTUATION = {"nlp": {"tokenizer": {"@tokenizers": "spacy-bispn.PunctuationTokenizer.v1"}}}
ENCODER = {"@misc": "spacy-bispn.RandomEncoder.v1", "width": 48, "layers": 2, "heads": 4, "dropout": 0.0}
NETWORK = {"heads": 4, "feedforward": 96, "shared_layers": 1, "supervised_layers": 1, "dropout": 0.0}
# What decoding does is not left to the defaults, which are measured and may change.
DECODING = {
    "type_threshold": 0.5, "relation_threshold": 0.5, "boundary_threshold": 0.1, "longest_span": 32,
    "coherence": "snap", "remove_overlaps": False, "frozen_epochs": 0,
}  # fmt: skip
CNN = {
    "@architectures": "spacy.HashEmbedCNN.v2", "pretrained_vectors": None, "width": 48, "depth": 2,
    "embed_size": 500, "window_size": 1, "maxout_pieces": 2, "subword_features": True,
}  # fmt: skip
LISTENER = {"@architectures": "spacy.Tok2VecListener.v1", "width": 48, "upstream": "*"}


def tiny(model: dict[str, Any] | None = None, **settings: Any) -> dict[str, Any]:
    """A small component's config: the defaults, small sizes, then what is given."""
    return {**DECODING, **settings, "model": {"encoder": ENCODER, **NETWORK, **(model or {})}}


def listening(tok2vec: dict[str, Any], **settings: Any) -> dict[str, Any]:
    """A small component's config over a `tok2vec` sublayer; what its architecture has no default for."""
    model = {
        "@architectures": "spacy-bispn.BiSPNListener.v1", "tok2vec": tok2vec, "entity_queries": 30,
        "relation_queries": 25, "queries": "proposed", "proposal_floor": 0.01, "entity_layers": 1,
        "relation_layers": 1, "pointer": "biaffine", "predictors": "shared",
        "window": 256, "overlap": 64,
        "mixed_precision": True,
    }  # fmt: skip
    return {**DECODING, **settings, "model": {**model, **NETWORK}}


def make_nlp(config: dict[str, Any] | None = None, name: str = "bispn") -> Language:
    """A blank pipeline with the component."""
    nlp = spacy.blank("en", config=PUNCTUATION)
    nlp.add_pipe("bispn", name=name, config=tiny() if config is None else config)
    return nlp


def save_bert(place: Path, lowercase: bool = False) -> None:
    """A very small BERT with random weights and without dropout, of width 48, in a folder of its own.

    lowercase: whether its tokenizer is blind to case.
    """
    tokenizer = learn_wordpieces([text.text for text in demo_texts(12)], 300)
    names = {"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "unk_token": "[UNK]"}
    BertTokenizerFast(tokenizer_object=tokenizer, do_lower_case=lowercase, **names).save_pretrained(place)
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(), hidden_size=48, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=96, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    torch.manual_seed(0)
    BertModel(config).save_pretrained(place)


def demo_texts(count: int = 8) -> list[AnnotatedText]:
    """Sentences of the demo corpus; among eight are nested entities and all of its labels' kinds."""
    return generate(sizes={"train": count})["train"]


def make_text(
    text: str, entities: Sequence[tuple[str, str]], relations: Sequence[tuple[int, int, str]]
) -> AnnotatedText:
    """Gold by first occurrence: entities as (mention, label), relations as (head, tail, label) by index."""
    found = [Entity(text.index(words), text.index(words) + len(words), label) for words, label in entities]
    linked = [Relation(found[head], found[tail], label) for head, tail, label in relations]
    return AnnotatedText("made", text, Extraction(tuple(found), tuple(linked)))


def make_examples(nlp: Language, texts: Sequence[AnnotatedText]) -> list[Example]:
    """Examples with a bare Doc to predict on, as the reader for `spacy train` makes them."""
    docs = [to_doc(nlp, text)[0] for text in texts]
    return [Example(bare(nlp, doc), doc) for doc in docs]


def initialize(nlp: Language, texts: Sequence[AnnotatedText]) -> list[Example]:
    """Initialize the pipeline with gold; returns the examples."""
    spacy.util.fix_random_seed(0)
    examples = make_examples(nlp, texts)
    nlp.initialize(lambda: examples)
    return examples


def optimizer(**settings: Any) -> AdamW:
    """Constant and high rates, for a few sentences to be learnt by heart."""
    return create_adamw(**{"encoder_rate": 2e-3, "decoder_rate": 2e-3, **settings})


def train(nlp: Language, examples: list[Example], steps: int = 40, sgd: Any = None) -> list[float]:
    """Update on all examples at once; returns the component's loss at each step."""
    sgd = sgd or optimizer()
    history = []
    for _ in range(steps):
        losses: dict[str, float] = {}
        nlp.update(examples, sgd=sgd, losses=losses)
        history.append(sum(losses.values()))
    return history


def pipe_of(nlp: Language, name: str = "bispn") -> BiSPN:
    """The component."""
    pipe: BiSPN = nlp.get_pipe(name)
    return pipe


def said(doc: Doc) -> tuple[set[Entity], set[Relation[Entity]]]:
    """What stands on a Doc, as sets that compare equal whatever their scores."""
    extraction = annotations.read(doc)
    return set(extraction.entities), set(extraction.relations)


def scores(nlp: Language, examples: list[Example]) -> tuple[float, float]:
    """Strict F1 of entities and of relations."""
    found = nlp.evaluate([Example(bare(nlp, example.reference), example.reference) for example in examples])
    return found["ents_f"], found["rel_micro_f"]
