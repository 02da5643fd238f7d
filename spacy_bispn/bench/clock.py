"""Time and memory: alternating rounds, medians with spread, seconds by part, peak memory."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import torch

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

Timed = tuple[Any, str]  # a module, class or object, and the name of its function


def now() -> float:
    """Seconds on the clock, after the GPU has finished what was queued."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
    return time.perf_counter()


def describe_device(device: torch.device) -> str:
    """A device in words: the name of a GPU, or with how many threads the CPU computes."""
    if device.type == "cuda":
        return f"the GPU ({torch.cuda.get_device_name(device)})"
    threads = torch.get_num_threads()
    return f"the CPU ({threads} thread{'s' * (threads > 1)})"


def in_turns(works: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each piece of work in each round, after one round to warm up.

    A round has all of them once, so that whatever else the machine does slows all of them alike.
    """
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds + 1):
        for name, work in works.items():
            started = now()
            work()
            if number:
                seconds[name].append(now() - started)
    return seconds


def summarize(values: Sequence[float]) -> dict[str, float]:
    """Median, minimum and maximum."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


class Stopwatch:
    """Adds up the seconds spent in some functions; on exit it restores the functions it has wrapped."""

    def __init__(self, parts: Mapping[str, Sequence[Timed]]) -> None:
        self.seconds = dict.fromkeys(parts, 0.0)
        self.parts = parts
        self.kept: list[tuple[Any, str, Any]] = []

    def __enter__(self) -> Stopwatch:
        for part, functions in self.parts.items():
            for owner, name in functions:
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


def reset_peak_memory() -> None:
    """Let `peak_memory` start anew. Only Linux can reset the resident peak of a process."""
    with suppress(OSError):  # other systems, and containers that forbid it
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # 5 is the resident peak
    if torch.cuda.is_initialized():
        torch.cuda.reset_peak_memory_stats()


def peak_memory() -> dict[str, float]:
    """Megabytes since `reset_peak_memory`: `resident` in RAM, and with a GPU `allocated` there.

    A peak that the system does not tell is left out; Windows tells none of RAM.
    """
    peak: dict[str, float] = {}
    if resource is not None:
        unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux kilobytes
        peak["resident"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
    if torch.cuda.is_initialized():
        peak["allocated"] = torch.cuda.max_memory_allocated() / 1e6
    return peak
