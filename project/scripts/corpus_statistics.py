"""Count sentences, entities and relations of a corpus as it was converted (table 1 of the paper)."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import spacy
import typer
from options import Corpus
from paper import Statistics
from provenance import METRICS, this_run, write_metrics
from spacy.tokens import Doc, DocBin
from wasabi import msg

from spacy_bispn import annotations

PARTS = ("train", "dev", "test")  # together they are the corpus; "unseen" of the demo corpus is not counted


def count(docs: Iterable[Doc]) -> Statistics:
    """The statistics of some texts; lengths are in tokens. Raises ValueError without any text."""
    tokens, found = [], []
    for doc in docs:
        tokens.append(len(doc))
        found.append(annotations.read(doc))
    if not found:
        raise ValueError("the corpus has 0 texts, expected some: convert it by the workflow `statistics`.")
    entities = [entity for one in found for entity in one.entities]
    relations = [relation for one in found for relation in one.relations]
    size = len(found)
    return Statistics(
        sentences=size,
        length=sum(tokens) / size,
        entity_types=len({entity.label for entity in entities}),
        relation_types=len({relation.label for relation in relations}),
        entities=len(entities),
        relations=len(relations),
        entities_each=len(entities) / size,
        relations_each=len(relations) / size,
    )


def main(
    corpus: Corpus,
    data: Annotated[Path, typer.Argument(help="Folder of its .spacy files", exists=True)],
) -> None:
    """Count what all parts of a corpus have together."""
    run = this_run()
    vocab = spacy.blank("xx").vocab
    files = [file for part in PARTS if (file := data / f"{part}.spacy").exists()]
    try:
        counted = count(doc for file in files for doc in DocBin().from_disk(file).get_docs(vocab))
    except ValueError as error:
        msg.fail("There is nothing to count", str(error), exits=1)
    write_metrics(METRICS / f"{corpus}_statistics.json", {"statistics": counted._asdict()}, run)
    msg.good(f"{corpus}: {counted.sentences} texts, {counted.relations} relations")


if __name__ == "__main__":
    typer.run(main)
