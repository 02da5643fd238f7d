"""Where queries come from: learned slots (the paper), or spans and pairs that the text proposes.

Both modules have one interface: tokens in, `Queries` and (for proposals) `Proposals` out.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from spacy_bispn.nn.heads import widened
from spacy_bispn.nn.mentions import MentionPool
from spacy_bispn.nn.packing import Packed, PackedRows, States, padded, through
from spacy_bispn.nn.pairs import Biaffine
from spacy_bispn.nn.shapes import PROPOSED, Candidates, Inputs, Proposals, Queries, SpanTargets, Targets

COPIES = 2  # a span may carry two types and a pair two relations: each candidate exists twice
WIDTHS = 32  # wider spans share the last width embedding
PRIOR = 0.002  # a candidate's probability before any training; below any useful floor


class LearnedQueries(nn.Module):
    """The paper's queries: a fixed set of learned vectors, the same for every text, which join its tokens in
    the encoder (eq 1).
    """

    def __init__(self, entity_queries: int, relation_queries: int, width: int) -> None:
        super().__init__()
        self.entity = nn.Parameter(torch.randn(entity_queries, width) * 0.5)
        self.relation = nn.Parameter(torch.randn(relation_queries, width) * 0.5)

    def forward(self, tokens: States, inputs: Inputs) -> tuple[Queries, Proposals | None]:
        """Shape: tokens (B, P, d), padded or packed -> queries for B texts, no proposals."""
        batch = len(inputs.mask)
        entity, relation = (x.expand(batch, -1, -1) for x in (self.entity, self.relation))
        entity_mask, relation_mask = (x.new_ones(x.shape[:2], dtype=torch.bool) for x in (entity, relation))
        return Queries(entity, relation, entity_mask, relation_mask), None

    def grow(self, entity_classes: int) -> None:
        """Nothing here depends on the types."""


class ProposedQueries(nn.Module):
    """Two-stage selection: the likeliest spans seed entity queries, the likeliest pairs of them
    relation queries. A text gets as many queries as it has candidates above `floor`, at most the
    limits; in training its gold spans and pairs are always among them. Given entities become queries
    before all others, however many there are.

    given_classes: of given entities, null included, if their types are to join their queries; else 0.
    pool_mentions: whether a span's query knows the spans with the same words.
    """

    def __init__(
        self, entity_queries: int, relation_queries: int, width: int, hidden: int, floor: float,
        given_classes: int = 0, pool_mentions: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.entity_limit = entity_queries
        self.relation_limit = relation_queries
        self.floor = math.log(floor / (1 - floor))
        prior = math.log(PRIOR / (1 - PRIOR))
        self.start = nn.Sequential(nn.Linear(width, hidden), nn.GELU())
        self.end = nn.Sequential(nn.Linear(width, hidden), nn.GELU())
        self.span = Biaffine(hidden, hidden, hidden, COPIES)
        self.span_bias = nn.Parameter(torch.full((COPIES, WIDTHS), prior))
        self.start_score = nn.Linear(hidden, COPIES, bias=False)
        self.end_score = nn.Linear(hidden, COPIES, bias=False)
        self.width = nn.Embedding(WIDTHS, width)
        self.span_copy = nn.Embedding(COPIES, width)
        self.given_type: nn.Module | None = nn.Embedding(given_classes, width) if given_classes else None
        self.span_seed = nn.Linear(3 * width, width)
        self.span_norm = nn.LayerNorm(width)
        self.pool = MentionPool(width) if pool_mentions else None
        self.head = nn.Sequential(nn.Linear(width, hidden), nn.GELU())
        self.tail = nn.Sequential(nn.Linear(width, hidden), nn.GELU())
        self.pair = Biaffine(hidden, hidden, hidden, COPIES)
        self.pair_bias = nn.Parameter(torch.full((COPIES,), prior))
        self.pair_copy = nn.Embedding(COPIES, width)
        self.between_score = nn.Linear(width, COPIES, bias=False)
        self.pair_seed = nn.Linear(3 * width, width)
        self.pair_norm = nn.LayerNorm(width)

    def forward(self, tokens: States, inputs: Inputs) -> tuple[Queries, Proposals | None]:
        """Shape: tokens (B, P, d), padded or packed -> queries, and in training the proposals."""
        gold = inputs.gold
        copy, entity_seed, entity_mask, spans = self._choose_spans(tokens, inputs)
        start, end, _ = entity_seed.unbind(-1)
        states = padded(tokens)
        sums = running_sum(states)
        entity = self._span_states(states, sums, copy, start, end, inputs, entity_mask)

        side = start.shape[1]
        gap = [x.flatten(1) for x in gaps(start, end)]
        # the score of a mean is the mean of scores: K * K vectors as wide as the tokens are never made
        scores = padded(through(self.between_score, tokens))
        between = means(running_sum(scores), *gap).unflatten(1, (side, side))
        pair_logits = self.pair(through(self.head, entity), through(self.tail, entity)).float()
        pair_logits = pair_logits + self.pair_bias[:, None, None] + between.movedim(-1, 1)
        # A span that was chosen twice, for two types, would seed each of its pairs twice or four times. Its
        # first copy stands for it; where only the second one was chosen, that one does. A given entity
        # stands for itself.
        same = (entity_seed[:, :, None] == entity_seed[:, None]).all(-1)
        has_first = (same & (entity_mask & (copy == 0))[:, None]).any(-1)
        first = entity_mask & ((copy == 0) | ~has_first)
        pair_valid = (first[:, :, None] & first[:, None, :])[:, None].expand_as(pair_logits)
        pair_gold = None if gold is None else count_pairs(gold, entity_seed, pair_valid)
        # gold pairs are found among the spans above, which have the gold spans first
        chosen, relation_mask = choose(pair_logits, pair_valid, pair_gold, self.floor, self.relation_limit)
        copy, head, tail = unravel(chosen, side)
        context = means(sums, *(x.gather(1, head * side + tail) for x in gap))
        parts = torch.cat([rows(entity.padded, head), rows(entity.padded, tail), context], dim=-1)
        relation = seeded(self.pair_seed, self.pair_norm, parts, self.pair_copy(copy), relation_mask)

        queries = Queries(
            entity.padded, relation.padded, entity_mask, relation_mask,
            entity_seed, rows(entity_seed, head), rows(entity_seed, tail), inputs.given is not None,
        )  # fmt: skip
        if spans is None or pair_gold is None:
            return queries, None
        return queries, Proposals(spans, Candidates(pair_logits, pair_gold, pair_valid))

    def grow(self, entity_classes: int) -> None:
        """Make room for more types of given entities; those of the others are kept."""
        if self.given_type is not None:
            self.given_type = widened(self.given_type, entity_classes)

    def _choose_spans(
        self, tokens: States, inputs: Inputs
    ) -> tuple[Tensor, Tensor, Tensor, Candidates | None]:
        """Given entities, then the likeliest other spans: their copies, seeds and mask, and in training the
        candidates. Shape: (B, Qe), (B, Qe, 3), (B, Qe).
        """
        given = inputs.given
        # where nothing is to be proposed, one span that is not possible keeps every shape above 0
        pointable = inputs.pointable
        if not inputs.propose:
            tokens, pointable = padded(tokens)[:, :1], torch.zeros_like(pointable[:, :1])
        logits, valid = self._score_spans(tokens, pointable)
        if given is not None and inputs.propose:
            valid = valid & ~count_spans(given, logits)[:, :1]
        taught = None
        if inputs.gold is not None:
            taught = count_spans(inputs.gold.entity, logits) & valid if inputs.propose else valid
        chosen, mask = choose(logits, valid, taught, self.floor, self.entity_limit)
        copy, start, end = unravel(chosen, pointable.shape[1])
        seed = torch.stack([start, end, torch.full_like(start, PROPOSED)], dim=-1)
        if given is not None:
            number = torch.arange(given.start.shape[1], device=seed.device).expand_as(given.start)
            there = torch.stack([given.start.clamp(min=0), given.end.clamp(min=0), number], dim=-1)
            copy = torch.cat([torch.zeros_like(number), copy], dim=1)
            seed = torch.cat([there, seed], dim=1)
            mask = torch.cat([given.start >= 0, mask], dim=1)
        return copy, seed, mask, None if taught is None else Candidates(logits, taught, valid)

    def _score_spans(self, tokens: States, pointable: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of all spans, and which are possible. Shape: (B, P, d), (B, P) -> (B, C, P, P) each."""
        start, end = through(self.start, tokens), through(self.end, tokens)
        logits = self.span(start, end).float()
        logits = logits + padded(through(self.start_score, start)).movedim(-1, 1)[..., :, None]
        logits = logits + padded(through(self.end_score, end)).movedim(-1, 1)[..., None, :]
        position = torch.arange(pointable.shape[1], device=pointable.device)
        distance = position[None, :] - position[:, None]
        logits = logits + self.span_bias[:, distance.clamp(0, WIDTHS - 1)]
        valid = pointable[:, :, None] & pointable[:, None, :] & (distance >= 0)
        return logits, valid[:, None].expand_as(logits)

    def _span_states(
        self, tokens: Tensor, sums: Tensor, copy: Tensor, start: Tensor, end: Tensor,
        inputs: Inputs, mask: Tensor,
    ) -> Packed:  # fmt: skip
        """Queries of spans: ends, mean, width, copy, what spans with the same words say, and the type that
        was given. The first spans are those given.

        Shape: copy, start, end, mask (B, Q) -> (B, Q, d).
        """
        inside = means(sums, start, end + 1)
        parts = torch.cat([rows(tokens, start), rows(tokens, end), inside], dim=-1)
        extra = self.width((end - start).clamp(0, WIDTHS - 1)) + self.span_copy(copy)
        if self.pool is not None:
            assert inputs.words is not None
            extra = extra + self.pool(inside, inputs.words, start, end, mask)
        if self.given_type is not None and inputs.given is not None:
            known = self.given_type(inputs.given.type)
            extra = extra + pad(known, (0, 0, 0, extra.shape[1] - known.shape[1]))
        return seeded(self.span_seed, self.span_norm, parts, extra, mask)


def seeded(layer: nn.Module, norm: nn.Module, parts: Tensor, extra: Tensor, mask: Tensor) -> Packed:
    """Queries of the states they stem from. Shape: parts (B, Q, 3 d), extra (B, Q, d), mask (B, Q)."""
    rows = PackedRows.of(mask)
    return Packed(norm(layer(rows.pack(parts)) + rows.pack(extra)), rows)


def choose(
    logits: Tensor, valid: Tensor, gold: Tensor | None, floor: float, limit: int
) -> tuple[Tensor, Tensor]:
    """The best candidates of each text: gold ones first, then those above `floor`.

    Shape: logits, valid, gold (B, C, X, Y) -> flat indices (B, Q) and mask (B, Q), where Q is the
    largest number of candidates of any text, at least 1 and at most `limit`.
    """
    # detached: which candidates are chosen has no gradient, they learn by their own loss alone
    scores = logits.detach().masked_fill(~valid, -torch.inf)
    wanted = scores > floor
    if gold is not None:
        wanted = wanted | gold
        scores = scores.masked_fill(gold, torch.inf)  # first in the order, however unlikely
    flat = scores.flatten(1)
    counts = wanted.flatten(1).sum(1).clamp(max=limit)
    most = min(max(int(counts.max()), 1), flat.shape[1])
    chosen = flat.topk(most, dim=1).indices
    return chosen, torch.arange(most, device=flat.device) < counts[:, None]


def unravel(flat: Tensor, side: int) -> tuple[Tensor, Tensor, Tensor]:
    """Copy, row and column of flat indices into (C, side, side). Shape: each (B, Q)."""
    return flat // (side * side), flat // side % side, flat % side


def running_sum(tokens: Tensor) -> Tensor:
    """Sums of all tokens before each position. Shape: (B, P, d) -> (B, P + 1, d)."""
    return pad(tokens.float().cumsum(1), (0, 0, 1, 0))


def gaps(start: Tensor, end: Tensor) -> tuple[Tensor, Tensor]:
    """Where the tokens between each two spans begin, and where they have ended; overlapping spans have none.

    Shape: start and end, inclusive, (B, K) -> first and last, exclusive, (B, K, K).
    """
    first = torch.minimum(end[:, :, None], end[:, None, :]) + 1
    last = torch.maximum(start[:, :, None], start[:, None, :])
    return first, last


def means(sums: Tensor, first: Tensor, last: Tensor) -> Tensor:
    """Means of the tokens from `first` to before `last`, 0 where there are none.

    Shape: sums (B, P + 1, d), first and last (B, N) -> (B, N, d).
    """
    count = (last - first).clamp(min=0)[..., None]
    inner = (rows(sums, last) - rows(sums, first)) / count.clamp(min=1)
    return inner.masked_fill(count == 0, 0.0)


def rows(states: Tensor, index: Tensor) -> Tensor:
    """Shape: states (B, P, x), index (B, Q) -> (B, Q, x)."""
    return states.gather(1, index[..., None].expand(-1, -1, states.shape[-1]))


def count_spans(gold: SpanTargets, like: Tensor) -> Tensor:
    """Gold of the span scores: copy c of a span is gold if more than c gold entities have it.

    Shape: (B, N) -> (B, C, P, P) bool.
    """
    batch, copies, side, _ = like.shape
    counts = torch.zeros(batch, side * side + 1, dtype=torch.long, device=like.device)
    # padding is counted in one cell behind the square, which is cut off
    cell = torch.where(gold.start >= 0, gold.start * side + gold.end, side * side)
    counts.scatter_add_(1, cell, torch.ones_like(cell))
    square = counts[:, :-1].unflatten(1, (side, side))
    return torch.stack([square > copy for copy in range(copies)], dim=1)


def count_pairs(gold: Targets, seed: Tensor, valid: Tensor) -> Tensor:
    """Gold of the pair scores, likewise: a given entity is known by its number, others by their positions.

    Shape: seed (B, K, 3), valid (B, C, K, K) -> (B, C, K, K) bool.
    """

    def at(span: SpanTargets) -> Tensor:
        start, end, number = seed[:, :, None].unbind(-1)
        same = (start == span.start[:, None]) & (end == span.end[:, None])
        return (
            same
            if span.given is None
            else torch.where(number == PROPOSED, same, number == span.given[:, None])
        )

    at_head, at_tail = at(gold.head), at(gold.tail)
    counts = at_head.float() @ at_tail.float().transpose(1, 2)
    return torch.stack([counts > copy for copy in range(valid.shape[1])], dim=1) & valid
