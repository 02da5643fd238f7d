"""The state of a thinc optimizer under names that are the same in every process.

thinc identifies weights by numbers that count the models of a process.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from spacy.language import Language
from thinc.api import Model, Optimizer, get_current_ops

from spacy_bispn.settings import SettingError

Key = tuple[int, str]
Address = tuple[str, int, int | None, str]  # component, node of its model, shim of the node, weight
Arrays = dict[str, np.ndarray[Any, Any]]
AVERAGES = ("mom1", "mom2", "averages")


class WeightNames:
    """The address of each weight in a pipeline, by the key that thinc gives it, and the reverse."""

    def __init__(self, nlp: Language) -> None:
        self.weights: dict[Key, Address] = {}
        self.shims: dict[int, Address] = {}  # they have keys for weights that thinc does not know
        for name, pipe in nlp.pipeline:
            model = getattr(pipe, "model", None)
            for number, node in enumerate(model.walk() if isinstance(model, Model) else ()):
                for weight in node.param_names:
                    self.weights.setdefault((node.id, weight), (name, number, None, weight))
                for place, shim in enumerate(node.shims):
                    self.shims.setdefault(shim.id, (name, number, place, ""))
        self._numbers = {found[:3]: number for number, found in self.shims.items()}
        self._keys = {found: key for key, found in self.weights.items()}

    def address(self, key: Key) -> Address:
        """Where the weight of a key is. Raises SettingError if it is in no component."""
        if key in self.weights:
            return self.weights[key]
        if key[0] in self.shims:
            return (*self.shims[key[0]][:3], key[1])
        raise SettingError(
            "the optimizer", key, "weights of the pipeline's components alone",
            "use `spacy train`, which cannot go on after a stop",
        )  # fmt: skip

    def key(self, address: Address) -> Key:
        """The inverse of `address`. Raises KeyError if there is no such weight."""
        return self._keys[address] if address[2] is None else (self._numbers[address[:3]], address[3])


def dump_optimizer(optimizer: Optimizer, nlp: Language) -> tuple[dict[str, Any], Arrays]:
    """Counts and moments of all weights, as plain values and arrays; schedules are not part of it."""
    names, arrays, records = WeightNames(nlp), {}, []
    for number, (key, updates) in enumerate(optimizer.nr_update.items()):
        on_gpu = []
        for kind in AVERAGES:
            array = (getattr(optimizer, kind) or {}).get(key)
            if array is not None:
                if hasattr(array, "get"):  # cupy's
                    on_gpu.append(kind)
                    array = array.get()
                arrays[f"{number}/{kind}"] = array
        records.append({"weight": names.address(key), "updates": updates, "on_gpu": on_gpu})
    return {"weights": records, "radam": optimizer._radam_buffer}, arrays


def load_optimizer(optimizer: Optimizer, nlp: Language, values: dict[str, Any], arrays: Arrays) -> None:
    """Take over what `dump_optimizer` gave."""
    names, ops = WeightNames(nlp), get_current_ops()
    optimizer._radam_buffer = [list(one) for one in values["radam"]]
    for number, record in enumerate(values["weights"]):
        key = names.key(tuple(record["weight"]))
        optimizer.nr_update[key] = record["updates"]
        for kind in AVERAGES:
            if f"{number}/{kind}" in arrays:
                array = arrays[f"{number}/{kind}"].copy()
                getattr(optimizer, kind)[key] = ops.asarray(array) if kind in record["on_gpu"] else array
