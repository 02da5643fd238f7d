"""What makes two trainings the same: the settings of their configs, and the contents of their corpora."""

from __future__ import annotations

import os
from collections.abc import Mapping
from hashlib import blake2b, file_digest
from pathlib import Path
from typing import Any

from spacy.util import dict_to_dot
from thinc.api import Config

from spacy_bispn.settings import SettingError, Shown

DATA = ("corpora.", "initialize.")  # a path in these sections stands for what is there
FREE = ("paths.", "training.logger.")  # where things are, and where the log goes
NOT_SET = "not set"


def fingerprint(config: Config, use_gpu: int) -> dict[str, Any]:
    """Each setting of a config by its dotted name, and the kind of device.

    Paths of corpora have a checksum of their contents beside them, so that files may move but not change.
    """
    settings = {
        name: {"path": value, "checksum": checksum(Path(value))} if _is_data(name, value) else value
        for name, value in dict_to_dot(config.interpolate()).items()
        if not name.startswith(FREE)
    }
    return {**settings, "--gpu-id": "a GPU" if use_gpu >= 0 else "the CPU"}


def _is_data(name: str, value: Any) -> bool:
    return name.startswith(DATA) and "@" not in name and isinstance(value, str) and os.path.exists(value)


def checksum(path: Path) -> str:
    """A checksum of a file, or of the names and contents of all files in a folder."""
    if path.is_file():
        with path.open("rb") as file:
            return file_digest(file, "blake2b").hexdigest()[:32]
    names = sorted(inner.relative_to(path) for inner in path.rglob("*") if inner.is_file())
    parts = (f"{name.as_posix()} {checksum(path / name)}\n" for name in names)
    return blake2b("".join(parts).encode()).hexdigest()[:32]


def check_same(started: Mapping[str, Any], now: Mapping[str, Any], state: Path) -> None:
    """Raise SettingError if a training was started with other settings or data than those of now.

    state: the file of its state.
    """
    names = dict.fromkeys([*now, *started])
    other = [name for name in names if _compared(started, name) != _compared(now, name)]
    if not other:
        return
    name, *more = other
    others = f" (so do {', '.join(more)})" if more else ""
    raise SettingError(
        name,
        Shown(_shown(now, name)),
        f"{_shown(started, name)}, with which the training in {state.parent} was started{others}",
        f"repeat the earlier settings and data, name another --output, or remove {state.name} from there to "
        "start anew",
    )


def _compared(settings: Mapping[str, Any], name: str) -> Any:
    value = settings.get(name, NOT_SET)
    return value["checksum"] if isinstance(value, dict) and "checksum" in value else value


def _shown(settings: Mapping[str, Any], name: str) -> str:
    value = settings.get(name, Shown(NOT_SET))
    if isinstance(value, dict) and "checksum" in value:
        return f"{value['path']!r} with the checksum {value['checksum'][:8]}"
    return str(value) if isinstance(value, Shown) else repr(value)
