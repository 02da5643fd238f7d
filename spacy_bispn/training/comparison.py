"""A pipeline before and after it went on learning, on the same texts: what it has forgotten."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from spacy_bispn.context import set_context_by_id
from spacy_bispn.corpus_reader import bare, predict_examples
from spacy_bispn.evaluation.scorer import score, symmetric_labels

LIMIT = 1.0  # points of F1 that may be lost without a warning
PARTS = {"entities": "ents", "relations": "rel_micro"}  # the names of their scores
Scores = dict[str, tuple[float, float, float]]


@dataclass(frozen=True)
class Comparison:
    """Strict scores of two pipelines on the same texts.

    before, after: precision, recall and F1 in percent, of "entities" and "relations"; without those that the
        texts do not annotate.
    """

    before: Scores
    after: Scores

    @property
    def lost(self) -> dict[str, float]:
        """Points of F1 that were lost; below 0 for a gain."""
        return {part: scores[2] - self.after[part][2] for part, scores in self.before.items()}

    @property
    def forgotten(self) -> str:
        """What is to be said where more than a point was lost, else nothing."""
        said = [
            f"{part} from {self.before[part][2]:.1f} to {self.after[part][2]:.1f} F1"
            for part, points in self.lost.items()
            if points > LIMIT
        ]
        if not said:
            return ""
        return (
            f"the pipeline has forgotten {' and '.join(said)}, expected to lose at most {LIMIT:g}: go on "
            f"with more of the old texts (replay, replay_share), a lower continued_rate or fewer epochs."
        )


def compare_pipelines(before: Language, after: Language, docs: Iterable[Doc]) -> Comparison:
    """Score a pipeline before and after it went on learning, usually on the old development set.

    docs: Docs with gold, of any vocabulary; their tokens are used.

    Warns (UserWarning) where more than one point of F1 of entities or of relations was lost. Raises
    ValueError where there are no Docs.
    """
    gold = list(docs)
    if not gold:
        raise ValueError("found no Docs to compare on, expected at least one: check the file.")
    comparison = Comparison(_scores(before, gold), _scores(after, gold))
    if comparison.forgotten:
        warnings.warn(comparison.forgotten, stacklevel=2)
    return comparison


def _scores(nlp: Language, gold: Sequence[Doc]) -> Scores:
    set_context_by_id(nlp, gold)
    examples = predict_examples(nlp, [Example(bare(nlp, doc), doc) for doc in gold])
    found = score(examples, symmetric_labels=symmetric_labels(nlp))
    return {
        part: (100 * found[f"{name}_p"], 100 * found[f"{name}_r"], 100 * found[f"{name}_f"])
        for part, name in PARTS.items()
        if found[f"{name}_f"] is not None
    }
