"""Score one trained model under other decoding settings, on the development set, without any training."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer
from formatting import ratios, summary
from options import Corpus, Gpu, Model
from provenance import METRICS, this_run, write_metrics
from spacy.cli._util import setup_gpu
from spacy.util import load_model
from wasabi import msg

from spacy_bispn.corpus_reader import create_reader

Changes = Mapping[str, Any]  # settings and their values

VALUES: dict[str, tuple[Any, ...]] = {
    "coherence": ("snap", "add", "drop", "off"),
    "type_threshold": (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, None),
    "relation_threshold": (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, None),
    "boundary_threshold": (0.0, 0.1, 0.3),
    "longest_span": (11, 26, 64, None),
    "span_score": ("product", "sum"),
    "remove_overlaps": (True,),
    "schema": ("observed",),
    "self_relations": (False,),
    "share_relations": (False, True),
}


def one_at_a_time(values: Mapping[str, tuple[Any, ...]]) -> list[Changes]:
    """No change, then each value of each setting alone."""
    return [{}, *({name: value} for name, some in values.items() for value in some)]


def in_words(changes: Changes) -> str:
    """The changes as a config file has them."""
    return ", ".join(f"{name} = {json.dumps(value)}" for name, value in changes.items()) or "as configured"


def main(
    corpus: Corpus,
    model: Model,
    gpu: Gpu = -1,
) -> None:
    """Evaluate a model with one decoding setting changed at a time."""
    setup_gpu(gpu, silent=True)
    run = this_run(gpu, model)
    nlp = load_model(model)
    pipe: Any = nlp.get_pipe("bispn")
    configured = dict(pipe.cfg)
    found = {}
    for changes in one_at_a_time(VALUES):
        pipe.cfg = {**configured, **changes}
        scores = nlp.evaluate(list(create_reader(Path("corpus", corpus, "dev.spacy"))(nlp)))
        found[in_words(changes)] = ratios(scores)
        msg.text(f"{in_words(changes)}: {summary(scores)}")
    write_metrics(METRICS / f"{corpus}_decoding.json", {"settings": found}, run)


if __name__ == "__main__":
    typer.run(main)
