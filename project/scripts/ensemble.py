"""Let the models of several seeds vote on entities and triples: what more than half of them say, is said."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import srsly
import typer
from prepare import HELD_OUT
from published import CONVENTIONS
from runs import PLACE, study_name
from spacy.cli._util import setup_gpu
from spacy.util import load_model
from variants import DONE, METRICS, TRAINING
from wasabi import msg

from spacy_bispn import annotations
from spacy_bispn.cli.evaluate import make_report
from spacy_bispn.cli.sources import predict_docs, symmetric_labels
from spacy_bispn.conventions import Judged
from spacy_bispn.corpora import to_text
from spacy_bispn.records import Extraction

USUAL = ("strict", "boundaries")


def vote(voters: Sequence[Extraction]) -> Extraction:
    """What more than half of the voters say, with the mean of their scores, silence counting 0.

    A relation names its ends with their labels; whoever says it says both, so they are always elected too.
    """
    entities = elect([one.entities for one in voters])
    elected = {entity: entity for entity in entities}
    relations = elect([one.relations for one in voters])
    return Extraction(
        tuple(entities),
        tuple(replace(found, head=elected[found.head], tail=elected[found.tail]) for found in relations),
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
    said = [(annotations.has_entities(x.reference), annotations.has_relations(x.reference)) for x in examples]
    texts = [
        Judged(text, vote(votes), *flags) for text, flags, *votes in zip(gold, said, *ballots, strict=True)
    ]
    return make_report(texts, list(conventions), symmetric, samples=1000)


def main(
    corpus: Annotated[str, typer.Argument(help="Name of the corpus")],
    gpu: Annotated[int, typer.Option(help="GPU, or -1 for the CPU")] = -1,
    protocol: Annotated[str, typer.Option(help="That of the runs")] = HELD_OUT,
) -> None:
    """Score the vote of all runs of a corpus that are there."""
    name = study_name(corpus, protocol)
    place = Path(PLACE, name)
    done = sorted((METRICS / place).glob(f"*/{DONE}"))
    models = [TRAINING / place / file.parent.name / "model-best" for file in done]
    if len(models) < 2:
        msg.warn(
            f"{TRAINING / place} has {len(models)} trained models, expected at least 2: there is no vote "
            f"until more seeds of {corpus!r} are run."
        )
        return
    setup_gpu(gpu, silent=True)
    # clusters of BioRelEx do not stand on Docs
    own = [name for name in CONVENTIONS.get(corpus, ()) if name not in (*USUAL, "biorelex")]
    report = judge(models, Path("corpus", name, "test.spacy"), [*USUAL, *own])
    voters = [model.parent.name for model in models]
    srsly.write_json(METRICS / place / "ensemble.json", {**report, "voters": voters})
    strict = report["scores"]["strict"]
    scores = ", ".join(f"{part} {100 * found['f']:.1f}" for part, found in strict.items())
    msg.good(f"{len(models)} voters: {scores}")


if __name__ == "__main__":
    typer.run(main)
