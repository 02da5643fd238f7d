"""Atomic writes: a file or folder is replaced only when its new content is complete."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path


def save(path: Path, content: str | bytes) -> None:
    """Write beside the file, then rename: whoever finds it finds all of the old or all of the new.

    Text is written as UTF-8 with `\\n` at the ends of lines. A killed process may leave `NAME.part`,
    which the next call writes over. Raises OSError, of the kind that the system gave, where nothing can
    be written.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())  # a rename may otherwise outlive what it names
            part.replace(path)
        except OSError:
            part.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OSError(
            error.errno,
            f"{error.strerror}: could not write {len(data)} bytes, expected room for them in a folder that "
            f"may be written to; free space or name another place (what was there before is as it was)",
            str(path),
        ) from error


def sync_folder(folder: Path) -> None:
    """Wait until the files of a folder are on the disk, so that a crash of the machine cannot cut them."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb+") as file:
                os.fsync(file.fileno())


def replace_folder(new: Path, folder: Path) -> None:
    """Move a finished folder to a path; an earlier one there is `NAME.old` until then."""
    old = folder.with_name(f"{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    new.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def check_apart(places: Mapping[str, Path | None]) -> None:
    """Raise ValueError where two of the places, by the names of their options, are one.

    What is written there second would be all that is left.
    """
    given = [(name, path) for name, path in places.items() if path is not None]
    for (one, first), (other, second) in combinations(given, 2):
        if first.resolve() == second.resolve():
            raise ValueError(
                f"{one} and {other} are both {second}, expected a place for each: give one of them another "
                f"name."
            )
