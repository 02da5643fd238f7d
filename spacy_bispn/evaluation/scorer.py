"""The registered scorer: compares predicted Docs with their references, by the rules of scoring.py."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from spacy.language import Language
from spacy.training import Example

from spacy_bispn import annotations
from spacy_bispn.doc_storage import KEY, RELATIONS
from spacy_bispn.evaluation.scoring import Pair, score_extractions

# The span group, and the scores that `spacy evaluate --spans-key` prints for it.
REPORTED = ((KEY, "ents", "ents_per_type"), (RELATIONS, "rel_micro", "rel_per_type"))


def make_scorer() -> Callable[..., dict[str, Any]]:
    """`spacy-bispn.scorer.v1`: scores of entities from the span group, and of relations."""
    return score


def score(examples: Iterable[Example], *, symmetric_labels: Sequence[str] = (), **_: Any) -> dict[str, Any]:
    """Strict, boundary-only, micro, macro and per-label scores of predicted Docs, see `score_extractions`.

    The strict ones are also there under the names by which spaCy reports span groups, `spans_bispn_f` for
    entities and `spans_bispn-relations_f` for relations: `spacy evaluate --spans-key` prints no others, and
    no other component of a pipeline has them.

    symmetric_labels: relation labels without a direction.
    """
    scores = score_extractions(
        (
            Pair(
                annotations.read(example.reference),
                annotations.read(example.predicted),
                annotations.has_entities(example.reference),
                annotations.has_relations(example.reference),
            )
            for example in examples
        ),
        symmetric_labels,
    )
    for key, strict, per_type in REPORTED:
        scores |= {f"spans_{key}_{ratio}": scores[f"{strict}_{ratio}"] for ratio in "prf"}
        scores[f"spans_{key}_per_type"] = scores[per_type]
    return scores


def symmetric_labels(nlp: Language) -> tuple[str, ...]:
    """The relation labels that the pipeline holds to have no direction."""
    ours = [nlp.get_pipe(name) for name in nlp.pipe_names if nlp.get_pipe_meta(name).factory == "bispn"]
    return tuple(dict.fromkeys(label for pipe in ours for label in pipe.cfg["symmetric_labels"]))
