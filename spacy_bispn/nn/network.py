"""The whole network. `forward` reads like figure 2 of the paper, from left to right."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from spacy_bispn.nn.attention import PackedRows
from spacy_bispn.nn.decoder import SetDecoder, SharedBlock, Split
from spacy_bispn.nn.encoder import OneWayEncoder, TokenEncoder, TokenPass
from spacy_bispn.nn.heads import SpanHead, widened
from spacy_bispn.nn.queries import LearnedQueries, ProposedQueries, rows
from spacy_bispn.nn.shapes import NULL, PROPOSED, Inputs, Outputs, Proposals, Queries, map_tensors, repeated


class Decoded(NamedTuple):
    """States behind the decoders. Shape: entity (B, Qe, d), relation, head, tail (B, Qr, d),
    views (B, P, d), and the shared decoder's queries for linking (B, Q, d).
    """

    entity: Tensor
    relation: Tensor
    head: Tensor
    tail: Tensor
    entity_view: Tensor
    relation_view: Tensor
    shared_entity: Tensor
    shared_relation: Tensor


class Network(nn.Module):
    """BiSPN: one pass from tokens to an entity set and a relation set.

    encoder: reads piece ids, or None where another component delivers vectors; `project` then
        brings them to the network's width.
    spans, arguments: predict entities, and heads and tails; without `arguments`, `spans` predicts all.
    supervised_layers: how many of the last shared blocks deliver outputs to learn from.
    """

    def __init__(
        self,
        *,
        encoder: TokenEncoder | None,
        project: nn.Module,
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
        tokens, states = self.share(tokens, queries)
        queries, pointable = (repeated(x, self.delivering) for x in (queries, inputs.pointable))
        return self.point(self.decode(tokens, states, queries), queries, pointable), proposals

    @torch.inference_mode()
    def forward_pruned(
        self, inputs: Inputs, entity_threshold: float | None, relation_threshold: float | None
    ) -> Outputs:
        """Prediction: types first; pointers only for the queries whose label is likely, see `likely`.

        Shape: of the outputs, Qe and Qr are the most queries that are left in any text.
        """
        tokens, queries, _ = self.encode(inputs)
        tokens, states = self.share(tokens, queries)
        decoded = self.decode(tokens, states, queries)
        # what was given need not be found
        found = queries.entity_mask
        if queries.has_given and queries.entity_seed is not None:
            found = found & (queries.entity_seed[..., 2] == PROPOSED)
        entity = likely(self.spans.entity_type(decoded.entity), found, entity_threshold)
        relation = likely(self.relation_type(decoded.relation), queries.relation_mask, relation_threshold)
        decoded, queries = prune(decoded, queries, *entity, *relation)
        return self.point(decoded, queries, inputs.pointable, links=False)

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

    def encode(self, inputs: Inputs) -> tuple[TokenPass, Queries, Proposals | None]:
        """Tokens and queries behind the encoder (eq 1). Tokens come first: no token attends to a query, so
        queries may be made from the text.
        """
        tokens = self._tokens(inputs)
        queries, proposals = self.queries(tokens.rows.pad(tokens.states), inputs)
        if isinstance(self.encoder, OneWayEncoder) and self.encoder.query_layer < self.encoder.depth:
            rows = PackedRows.of(torch.cat([queries.entity_mask, queries.relation_mask], dim=1))
            states = rows.pack(torch.cat([queries.entity, queries.relation], dim=1))
            states = rows.pad(self.encoder.pass_queries(states, rows, tokens))
            entity, relation = states.split([queries.entity.shape[1], queries.relation.shape[1]], dim=1)
            queries = queries._replace(entity=entity, relation=relation)
        return tokens, queries, proposals

    def _tokens(self, inputs: Inputs) -> TokenPass:
        if self.encoder is not None and inputs.ids is not None:
            passed: TokenPass = self.encoder(inputs.ids, inputs.mask)
            return passed
        assert inputs.vectors is not None
        rows = PackedRows.of(inputs.mask)
        return TokenPass(rows.pack(self.project(inputs.vectors)), rows, {}, {})

    @property
    def delivering(self) -> int:
        """How many of the last shared blocks deliver outputs now."""
        return self.supervised_layers if self.training else 1

    def share(self, tokens: TokenPass, queries: Queries) -> tuple[TokenPass, Tensor]:
        """3.2.2: tokens and queries (B, Q, d) behind the shared blocks. The blocks that deliver outputs are
        concatenated along the batch, the last one at its end.
        """
        rows = PackedRows.of(torch.cat([queries.entity_mask, queries.relation_mask], dim=1))
        token_states = tokens.states
        states = rows.pack(torch.cat([queries.entity, queries.relation], dim=1))
        behind = []
        for block in self.shared:
            token_states, states = block(token_states, tokens.rows, states, rows)
            behind.append((token_states, states))
        token_states, states = (torch.cat(x) for x in zip(*behind[-self.delivering :], strict=True))
        token_rows, rows = (x.repeated(self.delivering) for x in (tokens.rows, rows))
        return TokenPass(token_states, token_rows, {}, {}), rows.pad(states)

    def decode(self, tokens: TokenPass, states: Tensor, queries: Queries) -> Decoded:
        """The entity decoder over its view (eq 2-3), and behind the split into heads and tails (eq 10) the
        relation decoder over its view (eq 11-12). Shape: states (B, Q, d).
        """
        entity_count, relation_count = queries.entity.shape[1], queries.relation.shape[1]
        shared_entity, shared_relation = states[:, :entity_count], states[:, entity_count:]
        entity_rows = PackedRows.of(queries.entity_mask)
        triple_rows = PackedRows.of(queries.relation_mask.repeat(1, 3))
        entity, entity_view = self.entity_decoder(shared_entity, entity_rows, tokens.states, tokens.rows)
        triple, relation_view = self.relation_decoder(
            self.split(shared_relation), triple_rows, tokens.states, tokens.rows
        )
        relation, head, tail = triple.unflatten(1, (3, relation_count)).unbind(1)
        return Decoded(
            entity, relation, head, tail, entity_view, relation_view, shared_entity, shared_relation
        )

    def point(self, decoded: Decoded, queries: Queries, pointable: Tensor, links: bool = True) -> Outputs:
        """Pointers (eq 4-5) and types (eq 6) of entities, heads and tails, types of relations (eq 13),
        has-relation (eq 19), links (eq 23-25).
        """
        entity = self.spans(decoded.entity, decoded.entity_view, pointable, queries.entity_seed)
        # heads and tails as one set of queries, so that the tokens are projected once for both
        states, seeds = (
            map_tensors(lambda head, tail: torch.cat([head, tail], dim=1), *both)
            for both in ((decoded.head, decoded.tail), (queries.head_seed, queries.tail_seed))
        )
        arguments = self.argument_head(states, decoded.relation_view, pointable, seeds)
        if queries.has_given:
            entity, arguments = entity._replace(seed=queries.entity_seed), arguments._replace(seed=seeds)
        count = decoded.head.shape[1]
        head = map_tensors(lambda part: part[:, :count], arguments)
        tail = map_tensors(lambda part: part[:, count:], arguments)
        return Outputs(
            entity=entity,
            head=head,
            tail=tail,
            relation=self.relation_type(decoded.relation).float(),
            entity_mask=queries.entity_mask,
            relation_mask=queries.relation_mask,
            has_relation=self.has_relation(decoded.entity)[..., 0].float() if links else None,
            link=self.link(decoded.shared_entity, decoded.shared_relation)[:, 0].float() if links else None,
        )


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

    def taken(states: Tensor | None, index: Tensor) -> Any:
        return map_tensors(lambda tensor: rows(tensor, index), states)

    decoded = decoded._replace(
        entity=taken(decoded.entity, entity),
        relation=taken(decoded.relation, relation),
        head=taken(decoded.head, relation),
        tail=taken(decoded.tail, relation),
    )
    return decoded, queries._replace(
        entity_mask=entity_mask,
        relation_mask=relation_mask,
        entity_seed=taken(queries.entity_seed, entity),
        head_seed=taken(queries.head_seed, relation),
        tail_seed=taken(queries.tail_seed, relation),
    )
