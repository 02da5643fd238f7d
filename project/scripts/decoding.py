"""Score one trained model under other settings of decoding, on the development set: they cost no training."""

from pathlib import Path
from typing import Annotated, Any

import srsly
import typer
from spacy.cli._util import setup_gpu
from spacy.util import load_model
from wasabi import msg

from spacy_bispn.corpora import create_reader

SETTINGS: dict[str, dict[str, Any]] = {
    "as configured": {},
    'coherence = "snap"': {"coherence": "snap"},
    'coherence = "add"': {"coherence": "add"},
    'coherence = "drop"': {"coherence": "drop"},
    **{f"type_threshold = {x}": {"type_threshold": x} for x in (0.2, 0.3, 0.4, 0.5, 0.6, 0.7)},
    **{f"relation_threshold = {x}": {"relation_threshold": x} for x in (0.2, 0.3, 0.4, 0.5, 0.6, 0.7)},
    **{f"boundary_threshold = {x}": {"boundary_threshold": x} for x in (0.0, 0.1, 0.3)},
    **{f"longest_span = {x}": {"longest_span": x} for x in (11, 26, 64)},
    "remove_overlaps = true": {"remove_overlaps": True},
}


def main(
    corpus: Annotated[str, typer.Argument(help="Name of the corpus")],
    model: Annotated[Path, typer.Argument(help="Trained pipeline", exists=True)],
    gpu: Annotated[int, typer.Option(help="GPU, or -1 for the CPU")] = -1,
) -> None:
    """Evaluate a model with one setting of decoding changed at a time."""
    setup_gpu(gpu, silent=True)
    nlp = load_model(model)
    pipe: Any = nlp.get_pipe("bispn")
    kept = dict(pipe.cfg)
    found = {}
    for name, changed in SETTINGS.items():
        pipe.cfg = {**kept, **changed}
        scores = nlp.evaluate(list(create_reader(Path("corpus", corpus, "dev.spacy"))(nlp)))
        found[name] = {key: value for key, value in scores.items() if isinstance(value, float)}
        msg.text(f"{name}: {100 * scores['ents_f']:.1f} {100 * scores['rel_micro_f']:.1f}")
    srsly.write_json(Path("metrics", f"{corpus}_decoding.json"), found)


if __name__ == "__main__":
    typer.run(main)
