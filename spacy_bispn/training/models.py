"""The folders model-best and model-last of a training, which are replaced whole."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.training.loop import (
    DIR_MODEL_BEST,
    DIR_MODEL_LAST,
    clean_output_dir,
    create_before_to_disk_callback,
)

from spacy_bispn.files import replace_folder, sync_folder
from spacy_bispn.training.state import FILE, State

MODELS = (DIR_MODEL_LAST, DIR_MODEL_BEST)


class ModelFolders:
    """Writes models under the number of their step, and gives them their names once the state knows them.

    settings: the resolved block `[training]`.
    """

    def __init__(self, nlp: Language, output: Path, settings: Mapping[str, Any]) -> None:
        self.nlp = nlp
        self.output = output
        self.averages = settings["optimizer"].averages
        self.before_to_disk = create_before_to_disk_callback(settings["before_to_disk"])

    def write(self, step: int, is_best: bool) -> None:
        """Write model-last, and model-best if it is the best."""
        last, best = (self.output / f"{name}.{step}" for name in MODELS)
        with self.nlp.use_params(self.averages):
            self.before_to_disk(self.nlp).to_disk(last)
        sync_folder(last)
        if is_best:
            shutil.copytree(last, best)
            sync_folder(best)


def publish(output: Path, step: int) -> None:
    """Give the models of a step their final names."""
    for name in MODELS:
        new = output / f"{name}.{step}"
        if new.exists():
            replace_folder(new, output / name)


def prepare_output(output: Path, state: State, log: str | Path | None) -> None:
    """Bring models and log to what the state says: a stop may have come before or after any of them.

    log: the logger's file. If it is of this training it is written anew, with its earlier lines.
    """
    log = str(log) if log else None
    if not (output / FILE).exists():
        clean_output_dir(output)
        state.log = None if log is None or Path(log).exists() else log
        state.save(output / FILE)
    elif log is not None and log == state.log:
        Path(log).unlink(missing_ok=True)
    publish(output, state.step)
    for path in list(output.iterdir()):
        if re.fullmatch(rf"({'|'.join(MODELS)})\.(\d+|old)", path.name):
            shutil.rmtree(path)
