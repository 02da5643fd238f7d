"""The component's factory, which spaCy loads for every pipeline: it imports nothing heavy."""

from collections.abc import Callable
from typing import Any

from confection import RESERVED_FIELDS  # type: ignore[attr-defined]
from spacy.language import Language
from thinc.api import Model

from spacy_bispn import annotations as annotations  # doc._.relations is there behind any pipeline
from spacy_bispn.component_settings import BLOCKS, SCORE_WEIGHTS, ComponentSettings
from spacy_bispn.model.decoding import Decoding
from spacy_bispn.settings import defaults, distribute, takes

# confection 0.1 reads the arguments as fields of a pydantic model. A field cannot have the name of one of the
# model's attributes, unless this table has another name for it. Later versions have no such model.
if "model_config" not in RESERVED_FIELDS:
    RESERVED_FIELDS["schema"] = "schema "


@Language.factory(
    "bispn",
    assigns=["doc.ents", "doc.spans", "doc._.relations"],
    default_config={**defaults(Decoding, ComponentSettings), **BLOCKS},
    default_score_weights=SCORE_WEIGHTS,
)  # type: ignore[untyped-decorator]
@takes(Decoding, ComponentSettings)
def make_bispn(
    nlp: Language,
    name: str,
    model: Model[Any, Any],
    objective: Any,
    scorer: Callable[..., dict[str, Any]] | None,
    **settings: Any,
) -> Any:
    """Make the component from its config block; every setting is explained in docs/configuration.md."""
    from spacy_bispn.component import BiSPN

    decoding, own = distribute(settings, Decoding, ComponentSettings)
    return BiSPN(nlp.vocab, model, name, objective=objective, decoding=decoding, settings=own, scorer=scorer)
