"""The state of a training, as one safetensors file that is replaced in one go."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from spacy.language import Language
from torch import Tensor

from spacy_bispn.files import save
from spacy_bispn.model.optimizers import AdamW
from spacy_bispn.safetensors_io import from_tensor, pack, to_tensor, unpack
from spacy_bispn.settings import SettingError
from spacy_bispn.training.optimizer_state import dump_optimizer, load_optimizer
from spacy_bispn.training.random_states import RandomStates, get_states, set_states

FILE = "training-state.safetensors"  # in the folder of the models
FORMAT = 1  # raised when the file changes


@dataclass
class Evaluation:
    """What an evaluation gave. losses: since the one before. seconds: of training until then."""

    score: float
    other_scores: dict[str, Any]
    losses: dict[str, float]
    seconds: float


@dataclass
class State:
    """How far a training is.

    fingerprint: its settings and data. step: the last one that is in the state, -1 before the first.
    history: all evaluations so far. draws: see `ReplayedBatches`. seconds: of training so far.
    log: the logger's file, None if it was there before. finished: whether the final models are written.
    tensors: all that takes much memory; `restore` and `save` use it up.
    """

    fingerprint: dict[str, Any]
    step: int = -1
    history: list[Evaluation] = field(default_factory=list)
    draws: dict[int, RandomStates] = field(default_factory=dict)
    seconds: float = 0.0
    log: str | None = None
    finished: bool = False
    random: RandomStates = field(default_factory=dict)
    optimizer: dict[str, Any] = field(default_factory=dict)
    adamw: dict[str, Any] = field(default_factory=dict)
    tensors: dict[str, Tensor] = field(default_factory=dict)

    def capture(self, nlp: Language, optimizer: Any, frozen: list[str]) -> None:
        """Take the weights, the optimizer and the random generators as they are now."""
        self.random = get_states()
        parts: dict[str, Mapping[str, Tensor]] = {"random": _torch_states()}
        parts["vocab"] = {"strings": to_tensor(json.dumps(list(nlp.vocab.strings)).encode())}
        parts["pipe"] = {
            name: to_tensor(nlp.get_pipe(name).to_bytes(exclude=["vocab"])) for name in _learning(nlp, frozen)
        }
        self.optimizer, arrays = dump_optimizer(optimizer, nlp)
        parts["optimizer"] = {name: torch.from_numpy(array) for name, array in arrays.items()}
        if isinstance(optimizer, AdamW):
            self.adamw, parts["adamw"] = optimizer.dump()
        self.tensors = {f"{part}/{name}": x for part, found in parts.items() for name, x in found.items()}

    def restore(self, nlp: Language, optimizer: Any, frozen: list[str]) -> None:
        """Put back what `capture` took. The pipeline is initialized, and schedules are where they were."""
        for name in _learning(nlp, frozen):
            nlp.get_pipe(name).from_bytes(from_tensor(self.tensors[f"pipe/{name}"]), exclude=["vocab"])
        for string in json.loads(from_tensor(self.tensors["vocab/strings"])):
            nlp.vocab.strings.add(string)
        arrays = {name: tensor.numpy() for name, tensor in self._part("optimizer").items()}
        load_optimizer(optimizer, nlp, self.optimizer, arrays)
        if isinstance(optimizer, AdamW):
            optimizer.take(self.adamw, self._part("adamw"))
        set_states(self.random)
        _set_torch_states(self._part("random"))
        self.tensors = {}

    def _part(self, part: str) -> dict[str, Tensor]:
        begin = f"{part}/"
        return {name[len(begin) :]: x for name, x in self.tensors.items() if name.startswith(begin)}

    def save(self, path: Path) -> None:
        """Write everything into one file, which is replaced in one go."""
        values = {key: x for key, x in vars(self).items() if key != "tensors"}
        history = [asdict(one) for one in self.history]
        save(path, pack({**values, "format": FORMAT, "history": history}, self.tensors))
        self.tensors = {}  # they may be as large as four models

    def finish(self, path: Path, seconds: float) -> None:
        """Mark the training as finished; what was only needed to go on is dropped."""
        self.seconds = seconds
        self.finished, self.draws, self.random, self.optimizer, self.adamw = True, {}, {}, {}, {}
        self.save(path)


def load_state(path: Path) -> State | None:
    """The state in a file, None where there is none. Raises ValueError for a damaged or another file."""
    if not path.exists():
        return None
    values, tensors = unpack(path)
    if values.pop("format", None) != FORMAT:
        raise SettingError(
            str(path), "a state of another format", f"format {FORMAT}",
            "install the version of spacy-bispn that wrote it, or remove it to start anew",
        )  # fmt: skip
    values["history"] = [Evaluation(**one) for one in values["history"]]
    values["draws"] = {int(number): states for number, states in values["draws"].items()}
    return State(**values, tensors=tensors)


def _learning(nlp: Language, frozen: list[str]) -> list[str]:
    """The names of components that change in a training, as spaCy's loop chooses them."""
    return [
        name
        for name, pipe in nlp.pipeline
        if name not in frozen
        and getattr(pipe, "is_trainable", False)
        and pipe.model not in (True, False, None)
    ]


def _torch_states() -> dict[str, Tensor]:
    gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {"cpu": torch.get_rng_state(), **{f"cuda{number}": x for number, x in enumerate(gpus)}}


def _set_torch_states(states: Mapping[str, Tensor]) -> None:
    torch.set_rng_state(states["cpu"])
    for number in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        if f"cuda{number}" in states:
            torch.cuda.set_rng_state(states[f"cuda{number}"], number)
