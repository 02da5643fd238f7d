"""Call `spacy bispn train` with the config of a corpus."""

import math
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import srsly
import typer
from provenance import RUN_FILE, TRAINING, this_run
from spacy.tokens import DocBin
from thinc.api import Config

from spacy_bispn.cli.init_config import RANDOM_RATES
from spacy_bispn.files import replace_folder
from spacy_bispn.safetensors_io import unpack
from spacy_bispn.settings import SettingError
from spacy_bispn.training.state import FILE

RANDOM = "random"  # instead of the name of an encoder


def config_of(corpus: str, config: str, encoder: str) -> tuple[str, str]:
    """The config file that was given, or the corpus's own, and the encoder that replaces the config's own.

    Where the encoder is to be random, the config is a copy with random weights and no name of an encoder.
    """
    file = config or f"configs/{corpus}.cfg"
    return (with_random_encoder(file), "") if encoder == RANDOM else (file, encoder)


def with_random_encoder(config: str) -> str:
    """A copy of a config with an encoder of random weights, for where published ones cannot be fetched."""
    written = Config().from_disk(config, interpolate=False)
    component = written["components"]["bispn"]
    component["model"]["encoder"] = {"@misc": "spacy-bispn.RandomEncoder.v1"}
    component.pop("frozen_epochs", None)
    written["training"]["optimizer"].update(RANDOM_RATES)
    written["paths"].pop("encoder", None)
    copy = TRAINING / Path(config).name
    copy.parent.mkdir(exist_ok=True)
    written.to_disk(copy)
    return str(copy)


def encoder_of(config: str, encoder: str = "") -> str:
    """The encoder that was given, or the config's own in `paths.encoder`; "" if that has no name.

    Raises SettingError for an encoder that the config does not use.
    """
    own = str(Config().from_disk(config, interpolate=False).get("paths", {}).get("encoder") or "")
    if encoder and not own:
        raise SettingError(
            "--vars.encoder", encoder, f"nothing, as {config} has no paths.encoder",
            "leave it out, or choose another config by --vars.config",
        )  # fmt: skip
    return encoder or own


def of_length(config: str, epochs: int | str) -> dict[str, str]:
    """Overrides for a training of so many epochs; those with a frozen encoder shrink in proportion."""
    written = Config().from_disk(config, interpolate=False)
    own = written["training"]["max_epochs"]
    frozen = written.get("components", {}).get("bispn", {}).get("frozen_epochs", 0)
    overrides = {"training.max_epochs": str(epochs)}
    if frozen and int(epochs) != own:
        overrides["components.bispn.frozen_epochs"] = f"{frozen * int(epochs) / own:g}"
    return overrides


def train(config: str, data: Path, encoder: str, gpu: str, output: Path, **overrides: str) -> float:
    """Train on DATA/train.spacy and choose the model on DATA/dev.spacy; `overrides` are those of spaCy.

    encoder: "" for the config's own. Raises SettingError for one that the config does not use.

    `output` gets the models, the learning curve (log.jsonl) and the run (run.json). Until the training is
    finished, everything is in `output.part`, and an earlier `output` stays as it is. A training that was
    stopped goes on in `output.part`. Returns the minutes of the training, without its stops.
    """
    run = this_run(gpu)
    part = output.with_name(f"{output.name}.part")
    overrides = {**time_left(config, data, **overrides), **overrides}
    options = {
        "--output": str(part),
        "--paths.train": str(data / "train.spacy"),
        "--paths.dev": str(data / "dev.spacy"),
        **({"--paths.encoder": encoder_of(config, encoder)} if encoder else {}),
        "--training.logger.output_file": str(part / "log.jsonl"),
        "--gpu-id": gpu,
        **{f"--{setting}": value for setting, value in overrides.items()},
    }
    command = [sys.executable, "-m", "spacy", "bispn", "train", config]
    subprocess.run([*command, *(word for pair in options.items() for word in pair)], check=True)
    srsly.write_json(part / RUN_FILE, run)
    replace_folder(part, output)
    return float(unpack(output / FILE)[0]["seconds"]) / 60


def time_left(config: str, data: Path, **overrides: str) -> dict[str, str]:
    """Overrides that make spaCy's progress bar count to the end of the training, not to the next evaluation.

    None if the config has other limits than epochs, no fixed batch size, or another logger.
    """
    training = Config().from_disk(config, interpolate=False)["training"]
    epochs = int(overrides.get("training.max_epochs", training["max_epochs"]))
    size = training["batcher"].get("size")
    other = training["max_steps"] or "progress_bar" not in training["logger"]
    if epochs < 1 or other or not isinstance(size, int):
        return {}
    texts = len(DocBin().from_disk(data / "train.spacy"))
    steps = epochs * math.ceil(texts / size)
    return {"training.max_steps": str(steps), "training.logger.progress_bar": "train"}


def main(
    corpus: Annotated[str, typer.Argument(help="Name of the corpus")],
    config: Annotated[str, typer.Argument(help="Config file, or nothing for the corpus's own")],
    encoder: Annotated[str, typer.Argument(help="Hub name or folder, 'random', or nothing")] = "",
    epochs: Annotated[str, typer.Option(help="Epochs, or nothing for the config's own")] = "",
    gpu: Annotated[str, typer.Option(help="GPU, or -1 for the CPU")] = "-1",
) -> None:
    """Train the model of a corpus."""
    file, encoder = config_of(corpus, config, encoder)
    overrides = of_length(file, epochs) if epochs else {}
    try:
        train(file, Path("corpus", corpus), encoder, gpu, TRAINING / corpus, **overrides)
    except SettingError as error:
        raise typer.BadParameter(str(error)) from error


if __name__ == "__main__":
    typer.run(main)
