"""Predictors that workers import: one is killed, one measures memory, one waits for another."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from spacy_bispn import BatchPredictor
from spacy_bispn.settings import Values, setting

FOLDER = Values(words="a folder")


@dataclass(frozen=True)
class Killed(BatchPredictor):
    """The first worker that comes to the text `FATAL` is killed when a part of the batch is done."""

    notes: str = setting(FOLDER, "", default="")

    def predict(self, texts: Any) -> Iterator[Any]:
        mark = Path(self.notes, "killed")
        for text, found in zip(texts, super().predict(texts), strict=True):
            if text.text == FATAL and not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            yield found


@dataclass(frozen=True)
class Measured(BatchPredictor):
    """Each worker writes down its resident memory in bytes after each batch."""

    notes: str = setting(FOLDER, "", default="")

    def predict(self, texts: Any) -> Iterator[Any]:
        yield from super().predict(texts)
        with Path(self.notes, str(os.getpid())).open("a") as file:
            file.write(f"{psutil.Process().memory_info().rss}\n")


@dataclass(frozen=True)
class Awaited(BatchPredictor):
    """Each worker waits for a second one, for a minute."""

    notes: str = setting(FOLDER, "", default="")

    def predict(self, texts: Any) -> Iterator[Any]:
        notes = Path(self.notes)
        (notes / str(os.getpid())).touch()
        end = time.monotonic() + 60
        while len(list(notes.iterdir())) < 2 and time.monotonic() < end:
            time.sleep(0.1)
        yield from super().predict(texts)


FATAL = "Tem3 binds Dal21, twice."
