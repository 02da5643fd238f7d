"""Several trainings of one study; each writes a folder in training/ and one in metrics/.

A variant with a file variant.json is finished and not run again, so a stopped study can be continued.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any

import srsly
from evaluate import evaluate
from provenance import METRICS, TRAINING, read_run, write_metrics
from train import config_of, encoder_of, epochs_of, of_length, train
from wasabi import msg

from spacy_bispn.settings import SettingError

DONE = "variant.json"


@dataclass(frozen=True)
class Study:
    """What its trainings share. folder: in training/ and metrics/. config: a file."""

    folder: Path
    corpus: str
    corpora: Path
    config: str
    encoder: str
    gpu: int
    epochs: int


@dataclass(frozen=True)
class Variant:
    """One training. key: its folder. data: folder of its .spacy files. changed: settings of the config.

    texts: how many it has by part, if its files are others than those of the corpus; then the publishers'
        conventions, which score the published file, are left out.
    """

    key: str
    name: str
    data: Path
    changed: dict[str, str] = field(default_factory=dict)
    fold: int = 0
    texts: dict[str, int] = field(default_factory=dict)


def make_study(
    folder: str, corpus: str, corpora: Path, config: str, encoder: str, gpu: int, epochs: str
) -> Study:
    """A study of a corpus; `config`, `encoder` and `epochs` may be empty: those of the corpus or the config.

    Raises SettingError for an encoder that the config does not use.
    """
    file, encoder = config_of(corpus, config, encoder)
    encoder_of(file, encoder)
    return Study(Path(folder), corpus, corpora, file, encoder, gpu, int(epochs or epochs_of(file)))


def run_all(study: Study, variants: Sequence[Variant]) -> None:
    """Train and score the variants that are not finished.

    Raises SettingError, before anything is run, for a variant that was run with other settings.
    """
    left = [variant for variant in variants if not is_done(study, variant)]
    minutes = [
        srsly.read_json(METRICS / study.folder / variant.key / DONE)["minutes"]
        for variant in variants if variant not in left
    ]  # fmt: skip
    for number, variant in enumerate(variants, 1):
        title = f"{study.folder}: {variant.name} ({number} of {len(variants)})"
        if variant not in left:
            msg.good(f"{title} is done")
            continue
        rest = mean(minutes) * (len(variants) - len(minutes)) if minutes else None
        msg.divider(title if rest is None else f"{title}, about {rest:.0f} minutes left")
        minutes.append(run(study, variant))


def is_done(study: Study, variant: Variant) -> bool:
    """Whether a variant is finished. Raises SettingError if it was run with other settings."""
    file = METRICS / study.folder / variant.key / DONE
    if not file.exists():
        return False
    found, wanted = srsly.read_json(file), settings(study, variant)
    other = {key: found[key] for key in wanted if found.get(key, wanted[key]) != wanted[key]}
    if other:
        raise SettingError(
            f"the run of {file}", other, str({key: wanted[key] for key in other}),
            f"repeat the earlier settings, or remove {file.parent} to run it again",
        )  # fmt: skip
    return True


def settings(study: Study, variant: Variant) -> dict[str, Any]:
    """What must be the same in a repeated run; only the names of paths, which may move."""
    encoder = encoder_of(study.config, study.encoder)
    names = {"config": Path(study.config).name, "encoder": Path(encoder).name}
    return {"name": variant.name, "epochs": study.epochs, "fold": variant.fold, **names}


def run(study: Study, variant: Variant) -> float:
    """Train and score a variant, then write its file. Returns the minutes of the training."""
    output, metrics = (folder / study.folder / variant.key for folder in (TRAINING, METRICS))
    overrides = {**of_length(study.config, study.epochs), **variant.changed}
    minutes = train(study.config, variant.data, study.encoder, study.gpu, output, **overrides)
    shutil.rmtree(output / "model-last")  # only the best is used, and each is large
    best = output / "model-best"
    fold = None if variant.texts else variant.fold
    evaluate(study.corpus, study.corpora, variant.data, str(best), study.gpu, fold, metrics)
    development = srsly.read_json(best / "meta.json")["performance"]
    found = {
        "changed": variant.changed, "minutes": minutes, "development": development, "texts": variant.texts,
    }  # fmt: skip
    write_metrics(metrics / DONE, {**settings(study, variant), **found}, read_run(output))
    return minutes


def name_of(folder: Path) -> str:
    """The name of a training: that of its variant, or its folder in training/."""
    key = folder.relative_to(TRAINING) if folder.is_relative_to(TRAINING) else folder
    file = METRICS / key / DONE
    return str(srsly.read_json(file)["name"]) if file.exists() else str(key)


def best_models(folders: str) -> dict[str, Path]:
    """The best models of trainings "one,other", by name. Raises SettingError if two have the same name."""
    paths = [Path(folder) for folder in folders.split(",")]
    found = {name_of(path): path / "model-best" for path in paths}
    if len(found) < len(paths):
        names = ", ".join(map(name_of, paths))
        raise SettingError(
            "--models", folders, f"trainings with different names, not {names}",
            "compare those of one study, each once",
        )  # fmt: skip
    return found
