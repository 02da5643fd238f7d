"""What trainings of the tests import, here and in processes of their own: what stops them, and a reader.

`STOP_STEP` in the environment names the step before which a training raises. `KILL`, "EVENT PART COUNT",
kills the process at the COUNTth audit event of that name whose first argument ends with PART. Beside Python's
own events there are "step", and "half": of a file half is on the disk.
"""

from __future__ import annotations

import os
import random
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from spacy import registry
from spacy.language import Language
from spacy.training import Example

from spacy_bispn.corpus_reader import create_reader


class Stopped(Exception):
    """Instead of a kill, for many of which there is no time."""


@registry.callbacks("stops.v1")
def create_stop() -> Callable[[Language, dict[str, int]], None]:
    def stop(nlp: Language, where: dict[str, int]) -> None:
        sys.audit("step", str(where["step"]))
        if os.environ.get("STOP_STEP") == str(where["step"]):
            raise Stopped

    return stop


@registry.readers("shuffled.v1")
def create_shuffled_reader(path: Path) -> Callable[[Language], Iterator[Example]]:
    """A stream in another order each time, some of whose texts are left out at random."""
    read = create_reader(path)

    def examples(nlp: Language) -> Iterator[Example]:
        found = list(read(nlp))
        random.shuffle(found)
        return (one for one in found if random.random() < 0.9)

    return examples


def kill_at(event: str, part: str, count: int) -> None:
    fsync = os.fsync

    def half(descriptor: int) -> None:
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        if event == "half" and path.endswith(part) and count == 1:
            os.ftruncate(descriptor, os.fstat(descriptor).st_size // 2)
        sys.audit("half", path)
        fsync(descriptor)

    def hook(name: str, args: tuple[Any, ...]) -> None:
        nonlocal count
        if name == event and str(args[0]).endswith(part):
            count -= 1
            if not count:
                os.kill(os.getpid(), signal.SIGKILL)

    os.fsync = half
    sys.addaudithook(hook)


if "KILL" in os.environ:
    name, text, number = os.environ["KILL"].split()
    kill_at(name, text, int(number))
