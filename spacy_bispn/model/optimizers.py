"""AdamW with one rate for the pretrained encoder and one for all that is new.

thinc's own optimizer knows one rate and clips every tensor by itself; a fine-tuned encoder wants two
rates, no decay on biases and norms, and one norm over all gradients.
"""

import math
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from thinc.api import Optimizer

from spacy_bispn.files import save
from spacy_bispn.model.optimizer_settings import AdamWSettings
from spacy_bispn.safetensors_io import Parts, pack, unpack
from spacy_bispn.settings import distribute, takes

Role = Literal["encoder", "decoder"]
Moments = dict[str, torch.Tensor]


@takes(AdamWSettings)
def create_adamw(**given: Any) -> "AdamW":
    """`spacy-bispn.AdamW.v1`: the optimizer for `[training.optimizer]`; see `AdamWSettings`.

    Raises SettingError where a value cannot be used.
    """
    epochs = given.get("epochs")
    # variables stay when spaCy makes the optimizer by itself
    unresolved = epochs if isinstance(epochs, str) and epochs.startswith("${") else ""
    if unresolved:
        given = {**given, "epochs": None}
    (settings,) = distribute(given, AdamWSettings)
    return AdamW(
        settings.decoder_rate,
        encoder_rate=settings.encoder_rate,
        epochs=settings.epochs,
        unresolved=unresolved,
        warmup=settings.warmup,
        continued_rate=settings.continued_rate,
        continued_steps=settings.continued_steps,
        continued_warmup=settings.continued_warmup,
        L2=settings.weight_decay,
        grad_clip=settings.max_norm,
        beta1=settings.beta1,
        beta2=settings.beta2,
        eps=settings.eps,
    )


def clip(params: Iterable[torch.nn.Parameter], most: float) -> None:
    """Shrink all gradients together to the norm `most`.

    Raises FloatingPointError if theirs is no finite number.
    """
    norm = torch.nn.utils.clip_grad_norm_(params, most)
    if not norm.isfinite():
        raise FloatingPointError(
            f"the gradients have the norm {norm.item()}, expected a finite number: "
            f"lower the learning rates, or set the model's mixed_precision = false"
        )


class AdamW(Optimizer):  # type: ignore[misc]
    """A thinc optimizer that takes a whole torch module in one step.

    Called as any thinc optimizer it serves the other components of a pipeline, at the decoder's rate; what
    it knows about those is not saved, as thinc identifies their weights by numbers that change.
    """

    def __init__(
        self,
        decoder_rate: float,
        *,
        encoder_rate: float,
        epochs: float | None,
        unresolved: str = "",  # a variable where `epochs` should be
        warmup: float,
        continued_rate: float,
        continued_steps: int | None,
        continued_warmup: int,
        **adam: float,
    ) -> None:
        super().__init__(decoder_rate, use_averages=False, **adam)
        self.encoder_rate = encoder_rate
        self.epochs = epochs
        self.unresolved = unresolved
        self.warmup = warmup
        self.continued_rate = continued_rate
        self.continued_steps = continued_steps
        self.continued_warmup = continued_warmup
        self._learners: dict[str | int, _Learner] = {}
        self._saved: list[_Learner] = []  # loaded, and not claimed by a module yet

    def step_module(
        self,
        key: str | int,
        module: torch.nn.Module,
        epoch: float,
        since: float = 0.0,
        new_labels: bool = False,
    ) -> None:
        """Change the weights of `module` once and set its gradients to None.

        key: what identifies the module from step to step, such as the id of its shim.
        epoch: passes over the training data so far, with their fraction.
        since: the epoch of its last step with another optimizer, or of its loading: above 0 if it was trained
            before, so that it goes on at `continued_rates`. A loaded state brings its own, so that a resumed
            training stays on its schedule.
        new_labels: whether it has labels that it did not know when it was loaded.

        Parameters without a gradient are left alone. The encoder's warm-up starts at the epoch of its first
        gradient, so that it may be frozen before. Raises ValueError if a loaded state does not fit, and
        FloatingPointError, before any weight changes, if the gradients are no finite numbers.
        """
        if key not in self._learners:
            self._learners[key] = self._claim(key, module, since)
        learner = self._learners[key]
        learner.follow(module, betas=(self.b1, self.b2), eps=self.eps, decay=self.L2)
        trained = {name: param for name, param in learner.params.items() if param.grad is not None}
        if any(_role(name) == "encoder" for name in trained):
            learner.unfrozen = epoch if learner.unfrozen is None else min(epoch, learner.unfrozen)
        clip(trained.values(), self.grad_clip or math.inf)
        learner.steps += 1
        learner.new_labels |= new_labels
        if learner.since:
            learner.step(self.continued_rates(learner.steps, new_labels=learner.new_labels))
        else:
            learner.step(self.rates(epoch, unfrozen=learner.unfrozen or 0.0))

    def rates(self, epoch: float, *, unfrozen: float = 0.0) -> dict[Role, float]:
        """The learning rates at `epoch` of a training whose encoder began to learn at epoch `unfrozen`."""
        return {
            "encoder": self.encoder_rate * self._share(epoch, unfrozen),
            "decoder": self.learn_rate * self._share(epoch, 0.0),
        }

    def continued_rates(self, step: int, *, new_labels: bool = False) -> dict[Role, float]:
        """The learning rates at a step, counted from 1, of a module that was trained before.

        With new labels the full rates are reached: these start from nothing, as in a first training.

        They count steps: how many texts there are now is not known, so epochs cannot be counted.
        """
        share = (1.0 if new_labels else self.continued_rate) * min(step / (self.continued_warmup + 1), 1.0)
        if self.continued_steps is not None:
            share *= max(1 - (step - 1) / self.continued_steps, 0.0)
        return {"encoder": self.encoder_rate * share, "decoder": self.learn_rate * share}

    def _share(self, epoch: float, start: float) -> float:
        """The part of a full rate that holds at `epoch` for weights that began to learn at `start`."""
        if self.epochs is None:
            return 1.0
        if epoch >= self.epochs:
            return 0.0
        peak = start + self.warmup * self.epochs
        if epoch < peak:
            return (epoch - start) / (peak - start)
        return (self.epochs - epoch) / (self.epochs - peak)

    def _claim(self, key: str | int, module: torch.nn.Module, since: float) -> "_Learner":
        """The saved state that belongs to a new module, or a fresh one."""
        # Numbers differ between processes while the order of the modules does not; names are lasting.
        for learner in self._saved:
            if (learner.key == key) if isinstance(key, str) else isinstance(learner.key, int):
                _require_fit(learner, module)
                self._saved.remove(learner)
                learner.key = key
                return learner
        if self.unresolved and not since:
            warnings.warn(
                f"the optimizer's epochs is {self.unresolved}, expected a number: nobody says how long this "
                f"training lasts, so its rates stay constant; pass an optimizer of your own as sgd for a "
                f"schedule.",
                stacklevel=2,
            )
        return _Learner(key, since)

    def dump(self) -> Parts:
        """What was learned about all modules; the settings are not part of it."""
        learners = [*self._learners.values(), *self._saved]
        names = ("key", "since", "unfrozen", "steps", "new_labels")
        scalars = [{name: getattr(learner, name) for name in names} for learner in learners]
        tensors = {
            f"{index}/{kind}/{name}": tensor
            for index, learner in enumerate(learners)
            for name, moments in learner.moments().items()
            for kind, tensor in moments.items()
        }
        return {"learners": scalars}, tensors

    def take(self, values: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> None:
        """Take over what `dump` gave: modules claim theirs at their next step, by name or else in order."""
        learners = [_Learner(**record) for record in values["learners"]]
        for path, tensor in tensors.items():
            index, kind, name = path.split("/", 2)
            learners[int(index)].saved.setdefault(name, {})[kind] = tensor
        self._learners, self._saved = {}, learners

    def to_bytes(self) -> bytes:
        """What `dump` gives, for `from_bytes`."""
        return pack(*self.dump())

    def from_bytes(self, data: bytes) -> "AdamW":
        """Take over a saved state, as `take` does.

        Raises ValueError, and changes nothing, where the bytes are not in order.
        """
        try:
            self.take(*unpack(data))
        except Exception as error:  # whatever damaged bytes may cause
            raise ValueError(
                f"The saved optimizer state cannot be read ({type(error).__name__}: {error}), expected what "
                f"`to_bytes` or `to_disk` wrote: save it again, or start a new optimizer."
            ) from error
        return self

    def to_disk(self, path: str | Path) -> None:
        """Write what `to_bytes` holds to a file, which is replaced in one go."""
        save(Path(path), self.to_bytes())

    def from_disk(self, path: str | Path) -> "AdamW":
        """Take over the state in a file, as `from_bytes` does."""
        return self.from_bytes(Path(path).read_bytes())


@dataclass(eq=False)
class _Learner:
    """One module under training: torch's optimizer for it, and when it and its encoder began to learn."""

    key: str | int
    since: float
    unfrozen: float | None = None
    steps: int = 0
    new_labels: bool = False
    saved: dict[str, Moments] = field(default_factory=dict)  # by parameter name; until `follow` uses them
    adam: torch.optim.AdamW | None = None
    params: dict[str, torch.nn.Parameter] = field(default_factory=dict)
    places: list[tuple[str, int, torch.device]] = field(default_factory=list)

    def follow(
        self, module: torch.nn.Module, *, betas: tuple[float, float], eps: float, decay: float
    ) -> None:
        """Have torch's optimizer at hand for the parameters that the module has now, where they are now."""
        params = dict(module.named_parameters())
        places = [(name, id(param), param.device) for name, param in params.items()]
        if self.adam is not None and places == self.places:
            return
        moments = self.moments()
        groups = [
            {
                "params": [p for name, p in params.items() if (_role(name), p.ndim > 1) == (role, decays)],
                "weight_decay": decay if decays else 0.0,
                "role": role,
            }
            for role in ("encoder", "decoder")
            for decays in (True, False)
        ]
        fused = all(p.device.type in ("cpu", "cuda") and p.is_floating_point() for p in params.values())
        how = {"fused": True} if fused else {"foreach": True}
        self.adam = torch.optim.AdamW(groups, betas=betas, eps=eps, **how)
        self.params, self.places, self.saved = params, places, {}
        for name, param in params.items():
            # A parameter that changed its shape, such as a head for more labels, starts anew.
            if name in moments and moments[name]["exp_avg"].shape == param.shape:
                self.adam.state[param] = _like(moments[name], param, step_on=param.device if fused else "cpu")

    def step(self, rates: dict[Role, float]) -> None:
        """Change the weights at the rate of their group; afterwards no parameter has a gradient."""
        assert self.adam is not None
        for group in self.adam.param_groups:
            group["lr"] = rates[group["role"]]
        self.adam.step()
        self.adam.zero_grad(set_to_none=True)

    def moments(self) -> dict[str, Moments]:
        """What is known about every parameter that ever had a gradient, by its name."""
        if self.adam is None:
            return self.saved
        return {name: self.adam.state[p] for name, p in self.params.items() if p in self.adam.state}


def _role(name: str) -> Role:
    return "encoder" if name.startswith("encoder.") else "decoder"


def _like(moments: Moments, param: torch.Tensor, *, step_on: torch.device | str) -> Moments:
    """The moments as torch wants them: in the memory layout and on the device of their parameter."""
    averages = {name: torch.empty_like(param).copy_(moments[name]) for name in ("exp_avg", "exp_avg_sq")}
    return {"step": moments["step"].to(step_on), **averages}


def _require_fit(learner: _Learner, module: torch.nn.Module) -> None:
    """Raise ValueError unless every saved moment has a parameter of its name and shape."""
    shapes = {name: tuple(param.shape) for name, param in module.named_parameters()}
    for name, moments in sorted(learner.saved.items()):
        saved = tuple(moments["exp_avg"].shape)
        if shapes.get(name) != saved:
            found = f"shape {shapes[name]}" if name in shapes else "no parameter of that name"
            raise ValueError(
                f"The saved optimizer state holds {name} with shape {saved}, but the model has {found}: "
                "expected the model that the state was saved with; load that one, or start a new optimizer."
            )
