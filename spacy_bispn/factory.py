"""What spaCy loads for every pipeline, blank ones too: neither transformers nor scipy is imported here."""

from collections.abc import Callable
from typing import Any

from spacy.language import Language
from thinc.api import Model

from . import annotations as annotations  # doc._.relations is there behind any pipeline
from .defaults import DEFAULTS, SCORE_WEIGHTS


@Language.factory("bispn", assigns=["doc.ents", "doc.spans", "doc._.relations"],
                  default_config=DEFAULTS, default_score_weights=SCORE_WEIGHTS)  # type: ignore[untyped-decorator]  # fmt: skip
def make_bispn(
    nlp: Language,
    name: str,
    model: Model[Any, Any],
    objective: Any,
    scorer: Callable[..., dict[str, Any]] | None,
    type_threshold: float,
    relation_threshold: float,
    boundary_threshold: float,
    longest_span: int,
    coherence: str,
    remove_overlaps: bool,
    symmetric_labels: list[str],
    frozen_epochs: float,
    batch_pieces: int | None,
    bad_loss: str,
) -> Any:
    """Make the component from its config block; every setting is explained in docs/configuration.md."""
    from .component import BiSPN

    decoding = {
        "type_threshold": type_threshold,
        "relation_threshold": relation_threshold,
        "boundary_threshold": boundary_threshold,
        "longest_span": longest_span,
        "coherence": coherence,
        "remove_overlaps": remove_overlaps,
    }
    return BiSPN(
        nlp.vocab, model, name, objective=objective, scorer=scorer, decoding=decoding,
        symmetric_labels=symmetric_labels, frozen_epochs=frozen_epochs, batch_pieces=batch_pieces,
        bad_loss=bad_loss,
    )  # fmt: skip
