"""The whole network. `forward` reads like figure 2 of the paper, from left to right."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from spacy_bispn.nn.attention import Keys, OneWayRows
from spacy_bispn.nn.decoder import SetDecoder, SharedBlock, Split
from spacy_bispn.nn.encoder import OneWayEncoder, TokenEncoder, TokenPass
from spacy_bispn.nn.heads import SpanHead, widened
from spacy_bispn.nn.lexical import LexicalEmbedding
from spacy_bispn.nn.packing import Packed, PackedRows, padded, through
from spacy_bispn.nn.queries import LearnedQueries, ProposedQueries, rows
from spacy_bispn.nn.shapes import NULL, PROPOSED, Inputs, Outputs, Proposals, Queries, map_tensors, repeated


class Shared(NamedTuple):
    """States behind the shared decoder. Shape: tokens (B, P, d), entity (B, Qe, d), relation (B, Qr, d)."""

    tokens: Packed
    entity: Packed
    relation: Packed


class Decoded(NamedTuple):
    """States behind the decoders; heads and tails have not conferred yet, see `SetDecoder`.

    Shape: entity (B, Qe, d), relation (B, Qr, d), arguments (B, 2 Qr, d), heads first, views (B, P, d).
    """

    entity: Packed
    relation: Packed
    arguments: Packed
    others: Keys | None
    entity_view: Packed
    relation_view: Packed


class Network(nn.Module):
    """BiSPN: one pass from tokens to an entity set and a relation set.

    encoder: reads piece ids, or None where another component delivers vectors; `project` then
        brings them to the network's width.
    lexical: what words look like, added to the states of their pieces; None where that is left out.
    spans, arguments: predict entities, and heads and tails; without `arguments`, `spans` predicts all.
    supervised_layers: how many of the last shared blocks deliver outputs to learn from.
    """

    def __init__(
        self,
        *,
        encoder: TokenEncoder | None,
        project: nn.Module,
        lexical: LexicalEmbedding | None,
        queries: LearnedQueries | ProposedQueries,
        shared: list[SharedBlock],
        entity_decoder: SetDecoder,
        relation_decoder: SetDecoder,
        split: Split,
        spans: SpanHead,
        arguments: SpanHead | None,
        relation_type: nn.Module,
        has_relation: nn.Module,
        link: nn.Module,
        supervised_layers: int,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.project = project
        self.lexical = lexical
        self.queries = queries
        self.shared = nn.ModuleList(shared)
        self.entity_decoder = entity_decoder
        self.relation_decoder = relation_decoder
        self.split = split
        self.spans = spans
        self.arguments = arguments
        self.relation_type = relation_type
        self.has_relation = has_relation
        self.link = link
        self.supervised_layers = supervised_layers

    def forward(self, inputs: Inputs) -> tuple[Outputs, Proposals | None]:
        """Outputs of all supervised layers side by side in the batch, and the proposals in training."""
        tokens, queries, proposals = self.encode(inputs)
        shared = self.share(tokens, queries)
        queries, pointable = (repeated(x, self.delivering) for x in (queries, inputs.pointable))
        decoded = self.decode(shared)
        outputs = self.point(decoded, queries, pointable)._replace(
            has_relation=padded(through(self.has_relation, decoded.entity))[..., 0].float(),
            link=self.link(shared.entity, shared.relation)[:, 0].float(),
        )
        return outputs, proposals

    @torch.inference_mode()
    def forward_pruned(
        self, inputs: Inputs, entity_threshold: float | None, relation_threshold: float | None
    ) -> Outputs:
        """Prediction: types first; pointers only for the queries whose label is likely, see `likely`.

        Shape: of the outputs, Qe and Qr are the most queries that are left in any text.
        """
        tokens, queries, _ = self.encode(inputs)
        decoded = self.decode(self.share(tokens, queries))
        # what was given need not be found
        found = queries.entity_mask
        if queries.has_given and queries.entity_seed is not None:
            found = found & (queries.entity_seed[..., 2] == PROPOSED)
        entity = likely(padded(through(self.spans.entity_type, decoded.entity)), found, entity_threshold)
        relation = likely(
            padded(through(self.relation_type, decoded.relation)), queries.relation_mask, relation_threshold
        )
        return self.point(*prune(decoded, queries, *entity, *relation), inputs.pointable)

    def grow(self, entity_types: int, relation_types: int) -> None:
        """Make room for more types; the weights of those that are there are kept.

        entity_types, relation_types: the new numbers, without null, at least as large as the present ones.
        """
        for head in {self.spans, self.argument_head}:
            head.entity_type = widened(head.entity_type, entity_types + 1)
        self.relation_type = widened(self.relation_type, relation_types + 1)
        self.queries.grow(entity_types + 1)

    @property
    def argument_head(self) -> SpanHead:
        """What predicts heads and tails."""
        return self.spans if self.arguments is None else self.arguments

    def encode(self, inputs: Inputs) -> tuple[Packed, Queries, Proposals | None]:
        """Tokens and queries behind the encoder (eq 1). Tokens come first: no token attends to a query, so
        queries may be made from the text.
        """
        passed = self._with_lexical(self._tokens(inputs), inputs)
        queries, proposals = self.queries(passed.tokens, inputs)
        if isinstance(self.encoder, OneWayEncoder) and self.encoder.query_layer < self.encoder.depth:
            entity, relation = packed(queries)
            passed_queries = self.encoder.pass_queries(Packed.joined(entity, relation), passed)
            states = passed_queries.padded.split([x.rows.mask.shape[1] for x in (entity, relation)], dim=1)
            queries = queries._replace(entity=states[0], relation=states[1])
        return passed.tokens, queries, proposals

    def _tokens(self, inputs: Inputs) -> TokenPass:
        if self.encoder is not None and inputs.ids is not None:
            passed: TokenPass = self.encoder(inputs.ids, inputs.mask)
            return passed
        assert inputs.vectors is not None
        rows = PackedRows.of(inputs.mask)
        return TokenPass(Packed(rows.pack(self.project(inputs.vectors)), rows), {})

    def _with_lexical(self, passed: TokenPass, inputs: Inputs) -> TokenPass:
        """The same with what the words look like, where a piece is one that can be pointed at."""
        if self.lexical is None:
            return passed
        assert inputs.words is not None
        states, where = passed.tokens
        index, real = (where.pack(x[..., None])[:, 0] for x in (inputs.words.number, inputs.pointable))
        looks = self.lexical(inputs.words.keys).index_select(0, index) * real[:, None]
        return passed._replace(tokens=Packed(states + looks, where))

    @property
    def delivering(self) -> int:
        """How many of the last shared blocks deliver outputs now."""
        return self.supervised_layers if self.training else 1

    def share(self, tokens: Packed, queries: Queries) -> Shared:
        """3.2.2: tokens and queries behind the shared blocks. Those of the blocks that deliver outputs are
        concatenated along the batch, the last one at its end. Texts without any query are left out.
        """
        tokens = tokens.of_texts(torch.cat([queries.entity_mask, queries.relation_mask], dim=1).any(1))
        kinds = tokens, *packed(queries)
        token_states, states = tokens.states, torch.cat([kind.states for kind in kinds[1:]])
        rows = OneWayRows.of(tokens.rows, PackedRows.joined(*(kind.rows for kind in kinds[1:])))
        behind = []
        for block in self.shared:
            token_states, states = block(token_states, states, rows)
            behind.append((token_states, *states.split([len(kind.rows) for kind in kinds[1:]])))
        delivered = (torch.cat(x) for x in zip(*behind[-self.delivering :], strict=True))
        each = zip(delivered, kinds, strict=True)
        return Shared(*(Packed(x, kind.rows.repeated(self.delivering)) for x, kind in each))

    def decode(self, shared: Shared) -> Decoded:
        """The entity decoder over its view (eq 2-3), and behind the split into heads and tails (eq 10) the
        relation decoder over its view (eq 11-12).
        """
        entity_view, relation_view = (
            through(decoder.view, shared.tokens) for decoder in (self.entity_decoder, self.relation_decoder)
        )
        entity = self.entity_decoder.begin(shared.entity, entity_view)
        triple, others = self.relation_decoder.begin(self.split(shared.relation), relation_view)
        rows = shared.relation.rows
        relation, arguments = triple.states.split([len(rows), 2 * len(rows)])
        return Decoded(
            entity=self.entity_decoder.finish(*entity),
            relation=self.relation_decoder.finish(Packed(relation, rows), others),
            arguments=Packed(arguments, PackedRows.joined(rows, rows)),
            others=others,
            entity_view=entity_view,
            relation_view=relation_view,
        )

    def point(self, decoded: Decoded, queries: Queries, pointable: Tensor) -> Outputs:
        """Pointers (eq 4-5) and types (eq 6) of entities, heads and tails, types of relations (eq 13)."""
        entity = self.spans(decoded.entity, decoded.entity_view, pointable, queries.entity_seed)
        # heads and tails as one set of queries, so that the tokens are projected once for both
        seeds = map_tensors(
            lambda head, tail: torch.cat([head, tail], dim=1), queries.head_seed, queries.tail_seed
        )
        states = self.relation_decoder.finish(decoded.arguments, decoded.others)
        arguments = self.argument_head(states, decoded.relation_view, pointable, seeds)
        if queries.has_given:
            entity, arguments = entity._replace(seed=queries.entity_seed), arguments._replace(seed=seeds)
        count = queries.relation_mask.shape[1]
        head = map_tensors(lambda part: part[:, :count], arguments)
        tail = map_tensors(lambda part: part[:, count:], arguments)
        return Outputs(
            entity=entity,
            head=head,
            tail=tail,
            relation=padded(through(self.relation_type, decoded.relation)).float(),
            entity_mask=queries.entity_mask,
            relation_mask=queries.relation_mask,
        )


def packed(queries: Queries) -> tuple[Packed, Packed]:
    """Entity and relation queries without padding."""
    rows = (PackedRows.of(mask) for mask in (queries.entity_mask, queries.relation_mask))
    both = zip((queries.entity, queries.relation), rows, strict=True)
    entity, relation = (Packed(where.pack(states), where) for states, where in both)
    return entity, relation


def likely(logits: Tensor, mask: Tensor, threshold: float | None) -> tuple[Tensor, Tensor]:
    """The queries whose best label reaches `threshold`, or without one is likelier than null (eq 9).

    They are moved to the front.

    Shape: logits (B, Q, C), mask (B, Q) -> index (B, K), mask (B, K), K the most of any text.
    """
    types = logits.float().softmax(-1)
    best = types[..., NULL + 1 :]
    if not best.shape[-1]:
        wanted = torch.zeros_like(mask)
    elif threshold is None:
        wanted = (best.amax(-1) > types[..., NULL]) & mask
    else:
        wanted = (best.amax(-1) >= threshold) & mask
    order = wanted.int().argsort(dim=1, descending=True, stable=True)
    most = int(wanted.sum(1).max()) if len(wanted) else 0
    return order[:, :most], wanted.gather(1, order)[:, :most]


def prune(
    decoded: Decoded, queries: Queries, entity: Tensor, entity_mask: Tensor, relation: Tensor,
    relation_mask: Tensor,
) -> tuple[Decoded, Queries]:  # fmt: skip
    """Only the chosen queries. Shape: indices and masks (B, K)."""
    count = queries.relation_mask.shape[1]
    both = torch.cat([relation, relation + count], dim=1), relation_mask.repeat(1, 2)
    decoded = decoded._replace(
        entity=decoded.entity.select(entity, entity_mask),
        relation=decoded.relation.select(relation, relation_mask),
        arguments=decoded.arguments.select(*both),
    )
    seeds = {
        name: map_tensors(lambda seed, index=index: rows(seed, index), getattr(queries, name))
        for name, index in (("entity_seed", entity), ("head_seed", relation), ("tail_seed", relation))
    }
    return decoded, queries._replace(entity_mask=entity_mask, relation_mask=relation_mask, **seeds)
