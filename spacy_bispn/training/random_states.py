"""States of the random generators of Python and numpy, and the batches that depend on them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any, cast

import numpy as np

RandomStates = dict[str, Any]  # by generator, as plain values


def get_states() -> RandomStates:
    """The present state of each generator."""
    kind, keys, *others = cast(Any, np.random.get_state())
    return {"python": list(random.getstate()), "numpy": [kind, tuple(keys.tolist()), *others]}


def set_states(states: Mapping[str, Any]) -> None:
    """Set the generators that `states` has, also after a detour through JSON."""
    if "python" in states:
        version, values, gauss = states["python"]
        random.setstate((version, tuple(values), gauss))
    if "numpy" in states:
        kind, keys, *others = states["numpy"]
        np.random.set_state((kind, np.array(keys, np.uint32), *others))


class ReplayedBatches:
    """An iterator of batches that can be brought to the same position again.

    Batches depend on the order of the texts, and the order on random states. Replaying gives the same
    batches again if only the iterator draws random numbers. Where something else drew some in between, the
    state before the iterator's next draw is kept in `draws`: that is once an epoch for a pipeline whose other
    components draw, and never for `bispn` alone.

    draws: the states kept so far, by number of the batch. replayed: how many batches are replayed.
    """

    def __init__(self, batches: Iterator[Any], draws: dict[int, RandomStates], replayed: int) -> None:
        self.batches = batches
        self.draws = draws
        self.replayed = replayed
        self.number = 0
        self._left: RandomStates = {}  # the states that the iterator itself left behind

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if self.number < self.replayed:
            set_states({**self._left, **self.draws.get(self.number, {})})
        before = get_states()
        batch = next(self.batches)
        after = get_states()
        if self.number >= self.replayed:
            drawn = {x: before[x] for x in before if before[x] != after[x] and before[x] != self._left.get(x)}
            if drawn:
                self.draws[self.number] = drawn
        self._left = after
        self.number += 1
        return batch
