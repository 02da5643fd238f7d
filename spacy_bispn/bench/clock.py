"""Reading the clock: medians with spread, turns that share the noise, time by part."""

from __future__ import annotations

import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import torch

Place = tuple[Any, str]  # an object and the name of its function


def now() -> float:
    """Seconds, once the device has done what it was told."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
    return time.perf_counter()


def in_turns(works: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each piece of work, all of them once a round, after one round that is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds + 1):
        for name, work in works.items():
            started = now()
            work()
            if number:
                seconds[name].append(now() - started)
    return seconds


def summarize(values: Sequence[float]) -> dict[str, float]:
    """Median, least and most."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


class Stopwatch:
    """Adds up the seconds spent in some functions while it runs; they are put back afterwards."""

    def __init__(self, parts: Mapping[str, Sequence[Place]]) -> None:
        self.seconds = dict.fromkeys(parts, 0.0)
        self.parts = parts
        self.kept: list[tuple[Any, str, Any]] = []

    def __enter__(self) -> Stopwatch:
        for part, places in self.parts.items():
            for owner, name in places:
                self.kept.append((owner, name, getattr(owner, name)))
                setattr(owner, name, self._timed(part, getattr(owner, name)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for owner, name, function in reversed(self.kept):
            setattr(owner, name, function)

    def _timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            started = now()
            result = function(*args, **kwargs)
            self.seconds[part] += now() - started
            return result

        return timed


def forget_peak() -> None:
    """What `peak_memory` tells is from now on. Only Linux forgets what was resident in a process."""
    with suppress(OSError):  # other systems, and containers that forbid it
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # 5 is the resident peak
    if torch.cuda.is_initialized():
        torch.cuda.reset_peak_memory_stats()


def peak_memory() -> dict[str, float]:
    """Megabytes: the most that was resident since `forget_peak`, and on a GPU the most allocated."""
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux kilobytes
    peak = {"resident": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6}
    if torch.cuda.is_initialized():
        peak["allocated"] = torch.cuda.max_memory_allocated() / 1e6
    return peak
