"""Let the models of several seeds vote: an entity or relation is elected by more than half of them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer
from options import ConfigFile, Corpus, Epochs, Gpu, Protocol
from prepare import HELD_OUT
from provenance import METRICS, TRAINING, this_run, write_metrics
from published import CONVENTIONS
from runs import RUNS, study_name
from spacy.cli._util import setup_gpu
from spacy.util import load_model
from variants import DONE
from wasabi import msg

from spacy_bispn import annotations
from spacy_bispn.cli.evaluate import make_report
from spacy_bispn.cli.sources import predict_docs
from spacy_bispn.corpus import to_text
from spacy_bispn.evaluation.conventions import Judged
from spacy_bispn.evaluation.scorer import symmetric_labels
from spacy_bispn.records import Extraction

SHARED = ("strict", "boundaries")  # conventions of all corpora


def vote(voters: Sequence[Extraction]) -> Extraction:
    """What more than half of the voters predict, with the mean of their scores (0 where one does not).

    A relation includes its ends with their labels, so the ends of an elected relation are elected too, if the
    voters have them as entities.
    """
    entities = elect([one.entities for one in voters])
    elected = {entity: entity for entity in entities}
    relations = elect([one.relations for one in voters])
    return Extraction(
        tuple(entities),
        tuple(
            replace(found, head=elected.get(found.head, found.head), tail=elected.get(found.tail, found.tail))
            for found in relations
        ),
    )


def elect(ballots: Sequence[Sequence[Any]]) -> list[Any]:
    """The items on more than half of the ballots, in order."""
    scores: dict[Any, list[float]] = defaultdict(list)
    for ballot in ballots:
        for item in set(ballot):
            scores[item].append(item.score)
    return [
        replace(item, score=sum(given) / len(ballots))
        for item, given in sorted(scores.items(), key=lambda pair: pair[0])
        if 2 * len(given) > len(ballots)
    ]


def judge(models: Sequence[Path], data: Path, conventions: Sequence[str]) -> dict[str, Any]:
    """The report of `spacy bispn evaluate` on what the models elect for the texts of a .spacy file."""
    ballots, symmetric = [], ()
    for number, model in enumerate(models, 1):
        msg.info(f"{model} reads {data} ({number} of {len(models)})")
        nlp = load_model(model)
        symmetric = symmetric_labels(nlp)
        examples = predict_docs(nlp, data)
        ballots.append([annotations.read(example.predicted) for example in examples])
    gold = [to_text(example.reference, str(number)) for number, example in enumerate(examples)]
    annotated = [
        (annotations.has_entities(x.reference), annotations.has_relations(x.reference)) for x in examples
    ]
    texts = [
        Judged(text, vote(votes), *flags)
        for text, flags, *votes in zip(gold, annotated, *ballots, strict=True)
    ]
    return make_report(texts, list(conventions), symmetric, samples=1000)


def main(
    corpus: Corpus,
    config: ConfigFile = "",
    gpu: Gpu = -1,
    epochs: Epochs = "",
    protocol: Protocol = HELD_OUT,
) -> None:
    """Score the vote of all finished runs of a corpus."""
    name = study_name(corpus, config, protocol, epochs)
    folder = Path(RUNS, name)
    done = sorted((METRICS / folder).glob(f"*/{DONE}"))
    models = [TRAINING / folder / file.parent.name / "model-best" for file in done]
    if len(models) < 2:
        msg.warn(
            f"{TRAINING / folder} has {len(models)} trained models, expected at least 2: there is no vote "
            f"until more seeds of {corpus!r} are run."
        )
        return
    setup_gpu(gpu, silent=True)
    run = this_run(gpu, *models)
    # Docs have no clusters, which the convention of BioRelEx needs
    own = [name for name in CONVENTIONS.get(corpus, ()) if name not in (*SHARED, "biorelex")]
    data = Path("corpus", study_name(corpus, protocol=protocol), "test.spacy")
    report = judge(models, data, [*SHARED, *own])
    voters = [model.parent.name for model in models]
    report = {**report, "voters": voters}
    write_metrics(METRICS / folder / "ensemble.json", report, run)
    strict = report["scores"]["strict"]
    scores = ", ".join(f"{part} {100 * found['f']:.1f}" for part, found in strict.items())
    msg.good(f"{len(models)} voters: {scores}")


if __name__ == "__main__":
    typer.run(main)
