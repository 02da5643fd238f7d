"""The last attention between a text's entity and relation queries, with what each query says."""

from __future__ import annotations

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
    with reading.shim.precision():
        outputs, weights = bipartite_attention(network, reading.inputs([0]))
    entities = [_said(pipe, reading, outputs, "entity_mask", row).entities for row in range(len(weights))]
    relations = [
        _said(pipe, reading, outputs, "relation_mask", row).relations for row in range(weights.shape[1])
    ]
    if not entities or not relations:
        raise ValueError(
            f"the text has {len(entities)} entity and {len(relations)} relation queries, expected some of "
            f"each: give a text in which the model sees at least one relation, or lower proposal_floor."
        )
    first, second = (
        sorted(range(len(said)), key=lambda row, said=said: not said[row]) for said in (entities, relations)
    )
    return AttentionMap(
        doc.text,
        [next(iter(entities[row]), None) for row in first],
        [next(iter(relations[row]), None) for row in second],
        weights[first][:, second].tolist(),
    )


def _said(pipe: BiSPN, reading: Reading, outputs: Outputs, kind: str, row: int) -> Extraction:
    """What a single query says: decoding with all others masked."""
    masks = {name: torch.zeros_like(getattr(outputs, name)) for name in ("entity_mask", "relation_mask")}
    masks[kind][0, row] = True
    (found,) = extract(outputs._replace(**masks), reading.windows, pipe.label_sets, pipe.decoding)
    return found
