"""Attention between the entity and relation queries of a text, with what each query predicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from spacy.tokens import Doc
from torch import Tensor

from spacy_bispn.component import BiSPN
from spacy_bispn.model.decoding import Given, extract
from spacy_bispn.model.doc_batch import DocBatch
from spacy_bispn.nn.query_attention import bipartite_attention
from spacy_bispn.nn.shapes import Outputs
from spacy_bispn.records import Entity, Extraction, Relation


@dataclass(frozen=True)
class AttentionMap:
    """Attention between entity and relation queries. Queries that predict something come first.

    text: the text.
    entities: what each entity query predicts, None for nothing.
    relations: what each relation query predicts, None for nothing.
    weights: entity queries by relation queries, numbers from 0 to 1; those of a relation query add up to 1.
    """

    text: str
    entities: list[Entity | None]
    relations: list[Relation[Entity] | None]
    weights: list[list[float]]

    def joined(self, entity: int, relation: int) -> bool:
        """Whether the entity of an entity query is head or tail of the relation of a relation query.

        entity: a position in `entities`.
        relation: a position in `relations`.
        """
        one, other = self.entities[entity], self.relations[relation]
        return one is not None and other is not None and one in (other.head, other.tail)


def attention_map(pipe: BiSPN, doc: Doc) -> AttentionMap:
    """The attention between the queries of one text, in the last block of the shared decoder.

    The weights are means over heads and over both directions. Those of each relation query are divided by
    their sum, so that they show which entity queries it looks at, however much it looks at relation queries.

    Queries are decoded with the component's thresholds; relations are not made coherent with entities.

    pipe: the trained component, `nlp.get_pipe("bispn")`.
    doc: a Doc as `nlp(text)` returns it. It must fit into one window.

    Given entities have a query each, which stands for them.

    Raises ValueError for a text that is read in several windows, and if it has no queries of one kind.
    """
    batch = DocBatch(pipe.model, [doc], is_train=False)
    if len(batch.windows) != 1:
        raise ValueError(
            f"the text is read in {len(batch.windows)} windows, expected 1: give a text of 1 to "
            f"{batch.window_tokenizer.window} pieces."
        )
    batch.given = pipe.given.of([doc], batch.windows, pipe.label_sets)
    (given,) = batch.given.of_windows([0])
    network = batch.shim.require().eval()
    with batch.shim.autocast():
        outputs, weights = bipartite_attention(network, batch.inputs([0]))
    extract_one = partial(_extract_one, pipe, batch, given, outputs)
    # the queries of what is given come first, and are not among the outputs
    predicted = range(len(weights) - len(given))
    entities = [*given, *(next(iter(extract_one(row, None).entities), None) for row in predicted)]
    relations = [next(iter(extract_one(None, row).relations), None) for row in range(weights.shape[1])]
    if not entities or not relations:
        raise ValueError(
            f"the text has {len(entities)} entity and {len(relations)} relation queries, expected some of "
            f"each: give a text in which the model finds at least one relation, or lower proposal_floor."
        )
    rows, columns = order(entities), order(relations)
    return AttentionMap(
        doc.text,
        [entities[row] for row in rows],
        [relations[column] for column in columns],
        (weights / weights.sum(0))[rows][:, columns].tolist(),
    )


def order(predicted: Sequence[object | None]) -> list[int]:
    """Indices of queries, those that predict something first."""
    return sorted(range(len(predicted)), key=lambda row: predicted[row] is None)


def _extract_one(
    pipe: BiSPN, batch: DocBatch, given: Given, outputs: Outputs, entity: int | None, relation: int | None
) -> Extraction:
    """The prediction of a single query, by its index: all others are masked."""
    one = outputs._replace(
        entity_mask=_only(outputs.entity_mask, entity), relation_mask=_only(outputs.relation_mask, relation)
    )
    (found,) = extract(one, batch.windows, pipe.label_sets, pipe.decoding, given=[given])
    return found


def _only(mask: Tensor, index: int | None) -> Tensor:
    """A mask with one query, or with none. Shape: (1, Q) -> (1, Q)."""
    only = torch.zeros_like(mask)
    if index is not None:
        only[0, index] = True
    return only
