"""Models that were saved by older versions, and by other versions of transformers, and what they said.

Every later version must say the same. `python tests/kept.py` adds a model of the versions at hand; those that
are there are never made again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import srsly
import transformers
from pipelines import demo_texts, initialize, make_nlp, tiny, train
from spacy.language import Language

import spacy_bispn
from spacy_bispn import annotations

KEPT = Path(__file__).parent / "data" / "kept"
SMALL = {
    "@misc": "spacy-bispn.RandomEncoder.v1",
    "width": 16,
    "layers": 1,
    "heads": 2,
    "vocabulary": 150,
    "positions": 64,
}
TEXTS = [*(x.text for x in demo_texts(4)), "", "Tem2 😀\u200b binds Dal92."]


def said(nlp: Language, texts: list[str]) -> list[dict[str, Any]]:
    """What a pipeline finds in some texts, as plain values."""
    found = []
    for text in [*texts, " ".join(texts)]:
        extraction = annotations.read(nlp(text))
        entities = [[x.start, x.end, x.label, x.score] for x in extraction.entities]
        index = {entity: number for number, entity in enumerate(extraction.entities)}
        relations = [[index[x.head], index[x.tail], x.label, x.score] for x in extraction.relations]
        found.append({"text": text, "entities": entities, "relations": relations})
    return found


def keep(folder: Path) -> None:
    """Train a very small model, save it and what it says."""
    nlp = make_nlp(tiny({"encoder": SMALL, "feedforward": 16, "heads": 2}))
    train(nlp, initialize(nlp, demo_texts(4)), 200)
    folder.mkdir(parents=True)  # raises where the model is there already
    nlp.to_disk(folder / "model")
    srsly.write_json(folder / "said.json", said(nlp, TEXTS))


if __name__ == "__main__":
    keep(KEPT / f"{spacy_bispn.__version__}-transformers-{transformers.__version__}")
