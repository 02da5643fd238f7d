"""What F1 buys in speed: one trained model with fewer queries or fewer bits, on the development set."""

from pathlib import Path
from typing import Annotated, Any

import srsly
import typer
from spacy.cli._util import setup_gpu
from spacy.language import Language
from spacy.util import load_model
from wasabi import msg

from spacy_bispn.bench.clock import in_turns, summarize
from spacy_bispn.corpora import create_reader

SETTINGS: dict[str, dict[str, Any]] = {
    "as configured": {},
    **{f"proposal_floor = {x}": {"proposal_floor": x} for x in (0.05, 0.1, 0.2, 0.4)},
    'cpu_precision = "bf16"': {"cpu_precision": "bf16"},
    'cpu_precision = "int8"': {"cpu_precision": "int8"},
    'proposal_floor = 0.1, cpu_precision = "int8"': {"proposal_floor": 0.1, "cpu_precision": "int8"},
}


def main(
    corpus: Annotated[str, typer.Argument(help="Name of the corpus")],
    model: Annotated[Path, typer.Argument(help="Trained pipeline", exists=True)],
    data: Annotated[Path, typer.Argument(help="Development texts, a .spacy file", exists=True)],
    rounds: Annotated[int, typer.Option(help="How often each setting is timed")] = 5,
    gpu: Annotated[int, typer.Option(help="GPU, or -1 for the CPU")] = -1,
) -> None:
    """Score and time a model under settings of its network that need no other weights."""
    setup_gpu(gpu, silent=True)
    pipelines = {name: with_settings(model, changed) for name, changed in SETTINGS.items()}
    found = measure(pipelines, data, rounds)
    for name, one in found.items():
        scores = " ".join(f"{100 * one[key]:.1f}" for key in ("ents_f", "rel_micro_f"))
        msg.text(f"{name}: {scores}, {one['times']['median']:.2f} times as fast")
    srsly.write_json(Path("metrics", f"{corpus}_trade.json"), found)


def with_settings(model: Path, changed: dict[str, Any]) -> Language:
    """A trained pipeline, loaded with other settings of its network."""
    return load_model(model, config={f"components.bispn.model.{name}": x for name, x in changed.items()})


def measure(pipelines: dict[str, Language], data: Path, rounds: int) -> dict[str, dict[str, Any]]:
    """Scores of each pipeline, and its speed beside the first one's in the same round."""
    first = next(iter(pipelines))
    texts = [example.reference.text for example in create_reader(data)(pipelines[first])]
    works = {name: lambda nlp=nlp: list(nlp.pipe(texts)) for name, nlp in pipelines.items()}
    seconds = in_turns(works, rounds)
    found = {}
    for name, nlp in pipelines.items():
        scores = nlp.evaluate(list(create_reader(data)(nlp)))
        found[name] = {
            **{key: value for key, value in scores.items() if isinstance(value, float)},
            "sentences_per_second": summarize([len(texts) / one for one in seconds[name]]),
            "times": summarize([a / b for a, b in zip(seconds[first], seconds[name], strict=True)]),
        }
    return found


if __name__ == "__main__":
    typer.run(main)
