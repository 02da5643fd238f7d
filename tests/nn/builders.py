"""Small tensors and networks for the tests of spacy_bispn.nn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from torch import Tensor
from transformers import BertConfig, BertModel

from spacy_bispn.model.architectures import NetworkSettings, build_network
from spacy_bispn.model.encoders import Encoder
from spacy_bispn.model.lexical import ATTRIBUTES, KEYS
from spacy_bispn.model.windowing import SpecialPieces
from spacy_bispn.nn.heads import mask_positions
from spacy_bispn.nn.matching import Match
from spacy_bispn.nn.network import Network
from spacy_bispn.nn.shapes import NULL, Inputs, Outputs, Spans, SpanTargets, Targets, Words

Gold = tuple[int, int, int]  # an entity: start, end, type; or a relation: head, tail, type

ENTITY_TYPES, RELATION_TYPES = 3, 2
TINY = {
    "entity_queries": 5, "relation_queries": 4, "shared_layers": 2, "supervised_layers": 1,
    "entity_layers": 1, "relation_layers": 1, "heads": 2, "feedforward": 24, "dropout": 0.0,
}  # fmt: skip


def make_targets(entities: Sequence[Sequence[Gold]], relations: Sequence[Sequence[Gold]]) -> Targets:
    """Padded gold of several texts; relations name their head and tail by place among the entities."""
    ends = [
        [
            tuple(text[place] if text else (-1, -1, NULL) for text, place in ((gold, head), (gold, tail)))
            for head, tail, _ in links
        ]
        for gold, links in zip(entities, relations, strict=True)
    ]
    return Targets(
        entity=SpanTargets(*columns(entities)),
        head=SpanTargets(*columns([[head for head, _ in text] for text in ends])),
        tail=SpanTargets(*columns([[tail for _, tail in text] for text in ends])),
        relation=columns([[(0, 0, kind) for _, _, kind in text] for text in relations])[2],
        head_entity=columns([[(head, 0, 1) for head, _, _ in text] for text in relations])[0],
        tail_entity=columns([[(tail, 0, 1) for _, tail, _ in text] for text in relations])[0],
    )


def columns(texts: Sequence[Sequence[Gold]]) -> list[Tensor]:
    most = max(len(text) for text in texts)
    full = [[*text, *[(-1, -1, NULL)] * (most - len(text))] for text in texts]
    return list(torch.tensor(full, dtype=torch.long).view(len(texts), most, 3).unbind(-1))


def make_match(*found: tuple[int, int, int]) -> Match:
    """A match from (text, query, gold) triples."""
    text, query, gold = torch.tensor(found, dtype=torch.long).view(-1, 3).unbind(-1)
    return Match(text, query, gold, surplus=0)


def random_spans(queries: int, pointable: Tensor, types: int = ENTITY_TYPES) -> Spans:
    batch, positions = pointable.shape
    start, end = (torch.randn(batch, queries, positions, dtype=torch.double) for _ in range(2))
    kind = torch.randn(batch, queries, types + 1, dtype=torch.double)
    return Spans(mask_positions(start, pointable), mask_positions(end, pointable), kind)


def random_outputs(entity_mask: Tensor, relation_mask: Tensor, pointable: Tensor) -> Outputs:
    """Outputs in double precision, as one supervised layer of a network in training gives them."""
    (batch, entities), relations = entity_mask.shape, relation_mask.shape[1]
    return Outputs(
        entity=random_spans(entities, pointable),
        head=random_spans(relations, pointable),
        tail=random_spans(relations, pointable),
        relation=torch.randn(batch, relations, RELATION_TYPES + 1, dtype=torch.double),
        entity_mask=entity_mask,
        relation_mask=relation_mask,
        has_relation=torch.randn(batch, entities, dtype=torch.double),
        link=torch.randn(batch, entities, relations, dtype=torch.double),
    )


def sure_spans(spans: Sequence[Gold], positions: int, types: int = ENTITY_TYPES) -> Spans:
    """Spans of one text whose queries are certain of what they say."""
    start, end, kind = torch.tensor(spans).unbind(-1)
    sizes = (positions, positions, types + 1)
    sure = [20.0 * torch.eye(n)[index][None] for n, index in zip(sizes, (start, end, kind), strict=True)]
    return Spans(*sure)


def random_bert(width: int = 16, layers: int = 2) -> BertModel:
    config = BertConfig(
        vocab_size=30, hidden_size=width, num_hidden_layers=layers, num_attention_heads=2,
        intermediate_size=24, max_position_embeddings=24,
    )  # fmt: skip
    return BertModel(config, add_pooling_layer=False)


def make_network(encoder: bool = True, width: int = 15, **settings: Any) -> Network:
    """A tiny network in evaluation mode: the component's defaults, small sizes, then `settings`."""
    bert = random_bert()
    special = SpecialPieces((1,), (2,), 0)
    source = Encoder(bert, Tokenizer(WordPiece()), special, bert.config) if encoder else None
    layer, given = settings.pop("query_layer", 0 if encoder else -1), settings.pop("given_types", False)
    network = NetworkSettings(**{**TINY, **settings})
    types = (ENTITY_TYPES, RELATION_TYPES)
    return build_network(source, width, *types, network=network, query_layer=layer, given_types=given).eval()


def make_inputs(lengths: Sequence[int], width: int | None = None) -> Inputs:
    """Texts of some lengths, with words; the first and the last piece of each are special. With a
    width: vectors.
    """
    most = max(lengths)
    position = torch.arange(most)
    size = torch.tensor(lengths)[:, None]
    mask = position < size
    pointable = (position > 0) & (position < size - 1)
    ids = vectors = None
    if width:
        vectors = torch.randn(len(lengths), most, width) * mask[..., None]
    else:
        ids = torch.randint(3, 30, mask.shape) * mask
    every = torch.ones_like(mask)
    words = Words(
        torch.randint(2**32, (9, len(ATTRIBUTES), KEYS)), torch.randint(9, mask.shape), every, every
    )
    return Inputs(ids, vectors, mask, pointable, words=words)


def member(inputs: Inputs, text: int) -> Inputs:
    """One text of a batch, without padding."""
    length = int(inputs.mask[text].sum())
    ids, vectors, mask, pointable, *where = (
        x if x is None else x[text : text + 1, :length] for x in (*inputs[:4], *inputs.words[1:])
    )
    return Inputs(ids, vectors, mask, pointable, words=Words(inputs.words.keys, *where))
