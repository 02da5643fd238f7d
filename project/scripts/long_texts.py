"""Read all test texts as one long text, and score each part as the text that it was."""

from collections.abc import Sequence

import typer
from formatting import summary
from options import Corpus, Gpu, Model, Texts
from provenance import METRICS, this_run, write_metrics
from spacy.cli._util import setup_gpu
from spacy.util import load_model
from wasabi import msg

from spacy_bispn import annotations
from spacy_bispn.corpus_reader import create_reader
from spacy_bispn.evaluation.scorer import symmetric_labels
from spacy_bispn.evaluation.scoring import Pair, score_extractions
from spacy_bispn.records import Entity, Extraction, Relation


def main(
    corpus: Corpus,
    model: Model,
    data: Texts,
    gpu: Gpu = -1,
) -> None:
    """Score a model on each test text alone, and on all of them joined by spaces."""
    setup_gpu(gpu, silent=True)
    run = this_run(gpu, model)
    nlp = load_model(model)
    docs = [example.reference for example in create_reader(data)(nlp)]
    texts = [doc.text for doc in docs]
    gold = [annotations.read(doc) for doc in docs]
    alone = [annotations.read(doc) for doc in nlp.pipe(texts)]
    joined = split_joined(annotations.read(nlp(" ".join(texts))), texts)
    symmetric = symmetric_labels(nlp)
    found = {
        name: score_extractions([Pair(*pair) for pair in zip(*sides, strict=True)], symmetric=symmetric)
        for name, sides in {
            "each alone": (gold, alone), "as one text": (gold, joined),
            "as one text, against each alone": (alone, joined),
        }.items()
    }  # fmt: skip
    for name, scores in found.items():
        msg.text(f"{name}: {summary(scores)}")
    write_metrics(METRICS / f"{corpus}_long.json", {"readings": found}, run)


def split_joined(found: Extraction, texts: Sequence[str]) -> list[Extraction]:
    """What lies within each of the texts that were joined by spaces, with offsets into that text."""
    parts, start = [], 0
    for text in texts:
        end = start + len(text)
        inside = {
            x: Entity(x.start - start, x.end - start, x.label, x.score)
            for x in found.entities if start <= x.start and x.end <= end
        }  # fmt: skip
        relations = [
            Relation(inside[x.head], inside[x.tail], x.label, x.score)
            for x in found.relations if x.head in inside and x.tail in inside
        ]  # fmt: skip
        parts.append(Extraction(tuple(inside.values()), tuple(relations)))
        start = end + 1
    return parts


if __name__ == "__main__":
    typer.run(main)
