"""Several trainings that belong together; each gives a folder in training/ and one in metrics/.

A variant that has its file variant.json is not run again, so a stopped run goes on where it was.
"""

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any

import srsly
from evaluate import evaluate
from thinc.api import Config
from train import config_of, train
from wasabi import msg

TRAINING, METRICS = Path("training"), Path("metrics")
DONE = "variant.json"


@dataclass(frozen=True)
class Study:
    """What its trainings share. place: their folder in training/ and metrics/; config: a file."""

    place: Path
    corpus: str
    corpora: Path
    config: str
    encoder: str
    gpu: str
    epochs: int


@dataclass(frozen=True)
class Variant:
    """One training. key: its folder; changed: settings of the config; data: its *.spacy files."""

    key: str
    name: str
    data: Path
    changed: dict[str, str] = field(default_factory=dict)
    fold: int = 0


def make_study(
    place: str, corpus: str, corpora: Path, config: str, encoder: str, gpu: str, epochs: str
) -> Study:
    """A study of a corpus; without `config` by the corpus's own, without `epochs` as long as that says."""
    file = config_of(corpus, config)
    length = int(epochs or Config().from_disk(file, interpolate=False)["training"]["max_epochs"])
    return Study(Path(place), corpus, corpora, file, encoder, gpu, length)


def run_all(study: Study, variants: Sequence[Variant]) -> None:
    """Train and score what is not done yet.

    Raises ValueError, before anything is run, for a variant that was run with other settings.
    """
    left = [variant for variant in variants if not is_done(study, variant)]
    minutes = [
        srsly.read_json(METRICS / study.place / variant.key / DONE)["minutes"]
        for variant in variants if variant not in left
    ]  # fmt: skip
    for number, variant in enumerate(variants, 1):
        title = f"{study.place}: {variant.name} ({number} of {len(variants)})"
        if variant not in left:
            msg.good(f"{title} is done")
            continue
        rest = mean(minutes) * (len(variants) - len(minutes)) if minutes else None
        msg.divider(title if rest is None else f"{title}, about {rest:.0f} minutes left")
        minutes.append(run(study, variant))


def is_done(study: Study, variant: Variant) -> bool:
    """Whether a variant has its file. Raises ValueError if that says other settings."""
    file = METRICS / study.place / variant.key / DONE
    if not file.exists():
        return False
    found, wanted = srsly.read_json(file), settings(study, variant)
    other = {key: found[key] for key in wanted if found.get(key, wanted[key]) != wanted[key]}
    if other:
        raise ValueError(
            f"{file} was made with {other}, expected {({key: wanted[key] for key in other})}: ask for what "
            f"is there, or remove {file.parent} to run it again."
        )
    return True


def settings(study: Study, variant: Variant) -> dict[str, Any]:
    """What tells one run of a variant from another; of paths only the last name, which moves with them."""
    names = {"config": Path(study.config).name, "encoder": Path(study.encoder).name}
    return {"name": variant.name, "epochs": study.epochs, "fold": variant.fold, **names}


def run(study: Study, variant: Variant) -> float:
    """Train on the variant's data, score the best model, then write the file; minutes of training."""
    output, metrics = (folder / study.place / variant.key for folder in (TRAINING, METRICS))
    overrides = {**variant.changed, "training.max_epochs": str(study.epochs)}
    started = time.monotonic()
    train(study.config, variant.data, study.encoder, study.gpu, output, **overrides)
    minutes = (time.monotonic() - started) / 60
    shutil.rmtree(output / "model-last")  # only the best is used, and each is large
    best = output / "model-best"
    evaluate(
        study.corpus, study.corpora, variant.data, str(best), study.gpu, variant.fold, metrics
    )
    development = srsly.read_json(best / "meta.json")["performance"]
    told = {"changed": variant.changed, "minutes": minutes, "development": development}
    srsly.write_json(metrics / DONE, {**settings(study, variant), **told})
    return minutes


def name_of(folder: Path) -> str:
    """What a training is called: the name of its variant, or its folder in training/."""
    place = folder.relative_to(TRAINING) if folder.is_relative_to(TRAINING) else folder
    file = METRICS / place / DONE
    return str(srsly.read_json(file)["name"]) if file.exists() else str(place)


def named(folders: str) -> dict[str, Path]:
    """The best models of trainings "one,other", by name. Raises ValueError where two have the same name."""
    paths = [Path(folder) for folder in folders.split(",")]
    found = {name_of(path): path / "model-best" for path in paths}
    if len(found) < len(paths):
        raise ValueError(
            f"the trainings {folders!r} have the names {', '.join(map(name_of, paths))}, expected different "
            f"ones: compare those of one study, each once."
        )
    return found
