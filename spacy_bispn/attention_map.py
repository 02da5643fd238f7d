"""The last attention between a text's entity and relation queries, with what each query says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from spacy.tokens import Doc

from .bridge import Reading
from .component import BiSPN
from .decode import extract
from .nn.bipartite import bipartite_attention
from .nn.shapes import Outputs
from .records import Entity, Extraction, Relation


@dataclass(frozen=True)
class AttentionMap:
    """Queries that say something come first, those that say nothing have None.

    weights: a row for each entity query with a number for each relation query, from 0 to 1.
    """

    text: str
    entities: list[Entity | None]
    relations: list[Relation[Entity] | None]
    weights: list[list[float]]

    def joined(self, entity: int, relation: int) -> bool:
        """Whether what the entity query says is head or tail of what the relation query says."""
        one, other = self.entities[entity], self.relations[relation]
        return one is not None and other is not None and one in (other.head, other.tail)


def attention_map(pipe: BiSPN, doc: Doc) -> AttentionMap:
    """Look at one text; thresholds are those of the component, relations are not made coherent yet.

    doc: what the components before `pipe` have seen, as `nlp(text)` gives it.
    Raises ValueError for a text that is not read in one window, and where there are no queries of a kind.
    """
    reading = Reading(pipe.model, [doc], is_train=False)
    if len(reading.windows) != 1:
        raise ValueError(
            f"the text is read in {len(reading.windows)} windows, expected 1: give a text of 1 to "
            f"{reading.piecer.window} pieces."
        )
    network = reading.shim.require().eval()
    with reading.shim.computing():
        outputs, weights = bipartite_attention(network, reading.inputs([0]))
    size = weights.shape
    entities = [_said(pipe, reading, outputs, row, relations=False).entities for row in range(size[0])]
    relations = [_said(pipe, reading, outputs, row, relations=True).relations for row in range(size[1])]
    if not entities or not relations:
        raise ValueError(
            f"the text has {len(entities)} entity and {len(relations)} relation queries, expected some of "
            f"each: give a text in which the model sees at least one relation, or lower proposal_floor."
        )
    first, second = order(entities), order(relations)
    return AttentionMap(
        doc.text,
        [next(iter(entities[row]), None) for row in first],
        [next(iter(relations[row]), None) for row in second],
        weights[first][:, second].tolist(),
    )


def order(said: Sequence[Sequence[object]]) -> list[int]:
    """Those that say something first."""
    return sorted(range(len(said)), key=lambda row: not said[row])


def _said(pipe: BiSPN, reading: Reading, outputs: Outputs, row: int, relations: bool) -> Extraction:
    """What a single query says: decoding with all others masked."""
    masks = torch.zeros_like(outputs.entity_mask), torch.zeros_like(outputs.relation_mask)
    masks[relations][0, row] = True
    one = outputs._replace(entity_mask=masks[0], relation_mask=masks[1])
    (found,) = extract(one, reading.windows, pipe.label_sets, pipe.decoding)
    return found
