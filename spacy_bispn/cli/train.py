"""`spacy bispn train`: `spacy train` that goes on after it was stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from spacy import util
from spacy.cli._util import import_code, parse_config_overrides, setup_gpu, show_validation_error
from spacy.training.initialize import init_nlp
from wasabi import msg

from spacy_bispn.cli.sources import GPU
from spacy_bispn.training.fingerprint import check_same, fingerprint
from spacy_bispn.training.loop import train
from spacy_bispn.training.state import FILE, State, load_state


def train_command(
    ctx: typer.Context,
    config: Annotated[Path, typer.Argument(help="Config file", exists=True, allow_dash=True)],
    output: Annotated[
        Path, typer.Option("--output", "--output-path", "-o", help="Folder for the models and the state")
    ],
    code: Annotated[
        Path | None, typer.Option("--code", "-c", help="Python file that is imported first")
    ] = None,
    gpu_id: GPU = -1,
) -> None:
    """Train like `spacy train`. Call it again after a stop: it goes on at the last evaluation."""
    overrides = parse_config_overrides(ctx.args)
    import_code(code)
    train_config(config, output, gpu_id, overrides)


def train_config(config: Path, output: Path, gpu_id: int, overrides: dict[str, Any]) -> None:
    """Train, go on with what was begun in the folder, or do nothing if it is finished.

    Exits with an error if the folder has a training with other settings or data.
    """
    setup_gpu(gpu_id)
    with show_validation_error(config):
        settings = util.load_config(config, overrides=overrides, interpolate=False)
        wanted = fingerprint(settings, gpu_id)
    try:
        state = load_state(output / FILE)
        if state is not None:
            check_same(state.fingerprint, wanted, output / FILE)
    except ValueError as error:
        msg.fail("The training cannot go on", str(error), exits=1)
    if state is not None and state.finished:
        msg.good(f"This training is finished: its models are in {output}")
        return
    output.mkdir(parents=True, exist_ok=True)
    msg.info(f"Saving to output directory: {output}")
    msg.divider("Initializing pipeline")
    with show_validation_error(config, hint_fill=False):
        nlp = init_nlp(settings, use_gpu=gpu_id)
    msg.good("Initialized pipeline")
    msg.divider("Training pipeline")
    train(nlp, output, state or State(wanted), use_gpu=gpu_id)
