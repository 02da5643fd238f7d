"""Call `spacy bispn train` with the config of a corpus."""

import json
import math
import subprocess
import sys
from pathlib import Path

import srsly
import typer
from options import ConfigFile, Corpus, Encoder, Epochs, Gpu
from provenance import RUN_FILE, TRAINING, this_run
from spacy.tokens import DocBin
from spacy.util import dict_to_dot, dot_to_dict
from thinc.api import Config

from spacy_bispn.cli.init_config import RANDOM_RATES
from spacy_bispn.files import replace_folder
from spacy_bispn.safetensors_io import unpack
from spacy_bispn.settings import SettingError
from spacy_bispn.training.state import FILE

RANDOM = "random"  # instead of the name of an encoder
LOGGER = {"@loggers": "spacy.ConsoleLogger.v3", "progress_bar": "eval"}  # unless a config has another


def config_of(corpus: str, config: str, encoder: str) -> tuple[str, str]:
    """The config file that was given, or the corpus's own, and the encoder that replaces the config's own.

    A config without a language is for any corpus: the file is a copy of the corpus's own with its changes.
    Where the encoder is to be random, the file is a copy with random weights and no name of an encoder.
    Raises SettingError for a random transformer.
    """
    own = f"configs/{corpus}.cfg"
    file = config or own
    if config and "lang" not in read(config).get("nlp", {}):
        file = write(with_changes(read(own), read(config)), f"{corpus}_{Path(config).name}")
    if encoder == RANDOM:
        file, encoder = write(with_random_encoder(read(file)), Path(file).name), ""
    return file, encoder


def read(config: str) -> Config:
    """A config as it is written, with its variables."""
    return Config().from_disk(config, interpolate=False)


def write(config: Config, name: str) -> str:
    """Write a config beside the trainings; returns its file."""
    TRAINING.mkdir(exist_ok=True)
    config.to_disk(TRAINING / name)
    return str(TRAINING / name)


def with_changes(config: Config, changes: Config) -> Config:
    """A config with changed settings; a `tok2vec` takes the place of the encoder."""
    values = {**dict_to_dot(config), **dict_to_dot(changes)}
    if "components.bispn.model.tok2vec.@architectures" in values:
        encoder = "components.bispn.model.encoder."
        values = {key: value for key, value in values.items() if not key.startswith(encoder)}
    return Config(dot_to_dict(values))


def with_random_encoder(config: Config) -> Config:
    """A config with an encoder of random weights, for where published ones cannot be fetched.

    Raises SettingError for a transformer, which needs its name.
    """
    if "transformer" in config["components"]:
        raise SettingError(
            "--vars.encoder",
            RANDOM,
            "the name of a transformer",
            "leave --vars.config out for a random encoder",
        )
    component = config["components"]["bispn"]
    component["model"]["encoder"] = {"@misc": "spacy-bispn.RandomEncoder.v1"}
    component.pop("frozen_epochs", None)
    config["training"]["optimizer"].update(RANDOM_RATES)
    config["paths"].pop("encoder", None)
    return config


def encoder_of(config: str, encoder: str = "") -> str:
    """The encoder that was given, or the config's own in `paths.encoder`; "" if that has no name.

    Raises SettingError for an encoder that the config does not use.
    """
    own = str(read(config).get("paths", {}).get("encoder") or "")
    if encoder and not own:
        raise SettingError(
            "--vars.encoder", encoder, f"nothing, as {config} has no paths.encoder",
            "leave it out, or choose another config by --vars.config",
        )  # fmt: skip
    return encoder or own


def epochs_of(config: str) -> int:
    """How many epochs a config trains."""
    return int(read(config)["training"]["max_epochs"])


def of_length(config: str, epochs: int | str) -> dict[str, str]:
    """Overrides for a training of so many epochs; those with a frozen encoder shrink in proportion."""
    own = epochs_of(config)
    frozen = read(config).get("components", {}).get("bispn", {}).get("frozen_epochs", 0)
    overrides = {"training.max_epochs": str(epochs)}
    if frozen and int(epochs) != own:
        overrides["components.bispn.frozen_epochs"] = f"{frozen * int(epochs) / own:g}"
    return overrides


def train(config: str, data: Path, encoder: str, gpu: int, output: Path, **overrides: str) -> float:
    """Train on DATA/train.spacy and choose the model on DATA/dev.spacy; `overrides` are those of spaCy.

    encoder: "" for the config's own. Raises SettingError for one that the config does not use.

    `output` gets the models, the learning curve (log.jsonl) and the run (run.json). Until the training is
    finished, everything is in `output.part`, and an earlier `output` stays as it is. A training that was
    stopped goes on in `output.part`. Returns the minutes of the training, without its stops.
    """
    run = this_run(gpu)
    part = output.with_name(f"{output.name}.part")
    overrides = {**logging(config, data, part / "log.jsonl", **overrides), **overrides}
    options = {
        "--output": str(part),
        "--paths.train": str(data / "train.spacy"),
        "--paths.dev": str(data / "dev.spacy"),
        **({"--paths.encoder": encoder_of(config, encoder)} if encoder else {}),
        "--gpu-id": str(gpu),
        **{f"--{setting}": value for setting, value in overrides.items()},
    }
    command = [sys.executable, "-m", "spacy", "bispn", "train", config]
    subprocess.run([*command, *(word for pair in options.items() for word in pair)], check=True)
    srsly.write_json(part / RUN_FILE, run)
    replace_folder(part, output)
    return float(unpack(output / FILE)[0]["seconds"]) / 60


def logging(config: str, data: Path, log: Path, **overrides: str) -> dict[str, str]:
    """Overrides for the learning curve in `log`, and a progress bar to the end of the training.

    The bar ends at the next evaluation if the config has other limits than epochs or no fixed batch size;
    there is none if the config has a logger without it.
    """
    training = read(config)["training"]
    logger = {**training.get("logger", LOGGER), "output_file": str(log)}
    epochs = int(overrides.get("training.max_epochs", training["max_epochs"]))
    size = training["batcher"].get("size")
    found = {}
    if epochs >= 1 and not training["max_steps"] and isinstance(size, int) and "progress_bar" in logger:
        texts = len(DocBin().from_disk(data / "train.spacy"))
        found["training.max_steps"] = str(epochs * math.ceil(texts / size))
        logger["progress_bar"] = "train"
    if "logger" not in training:  # spaCy overrides settings one by one only in blocks of the file
        return {**found, "training.logger": json.dumps(logger)}
    return {**found, **{f"training.logger.{key}": str(value) for key, value in logger.items()}}


def main(
    corpus: Corpus,
    config: ConfigFile,
    encoder: Encoder = "",
    epochs: Epochs = "",
    gpu: Gpu = -1,
) -> None:
    """Train the model of a corpus."""
    try:
        file, encoder = config_of(corpus, config, encoder)
        overrides = of_length(file, epochs) if epochs else {}
        train(file, Path("corpus", corpus), encoder, gpu, TRAINING / corpus, **overrides)
    except SettingError as error:
        raise typer.BadParameter(str(error)) from error


if __name__ == "__main__":
    typer.run(main)
