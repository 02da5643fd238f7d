"""AdamW with one rate for the pretrained encoder and one for all that is new.

thinc's own optimizer knows one rate and clips every tensor by itself; a fine-tuned encoder wants two
rates, no decay on biases and norms, and one norm over all gradients.
"""

import math
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from thinc.api import Optimizer

from spacy_bispn.files import save
from spacy_bispn.model.learners import Learner, Role, require_fit, role_of
from spacy_bispn.model.optimizer_settings import AdamWSettings
from spacy_bispn.safetensors_io import Parts, pack, unpack
from spacy_bispn.settings import distribute, takes


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
        use_averages=settings.use_averages,
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

    Called as any thinc optimizer it serves the other components of a pipeline; what it knows about their
    weights is not saved, as thinc identifies these by numbers that change.
    """

    learn_rate: float  # the decoder's
    L2: float
    averages: dict[Any, Any] | None

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
        use_averages: bool,
        **adam: float,
    ) -> None:
        super().__init__(decoder_rate, use_averages=use_averages, **adam)
        self.encoder_rate = encoder_rate
        self.epochs = epochs
        self.unresolved = unresolved
        self.warmup = warmup
        self.continued_rate = continued_rate
        self.continued_steps = continued_steps
        self.continued_warmup = continued_warmup
        self._learners: dict[str | int, Learner] = {}
        self._saved: list[Learner] = []  # loaded, and not claimed by a module yet
        self._rates: dict[Role, float] | None = None  # of the last step of a module

    def __call__(
        self, key: tuple[int, str], weights: Any, gradient: Any, *, lr_scale: float = 1.0
    ) -> tuple[Any, Any]:
        """Change one weight of another component; returns it with its gradient, which is set to zero.

        key: thinc's number for its layer or shim, and its name. A weight inside a torch module, such as a
        transformer that several components share, has the encoder's rate, one of a thinc layer the decoder's.

        The rates are those of the last step of a module, so that all parts of a pipeline keep one schedule.
        spaCy calls the components in their order, so a first step is not taken: it would come before the
        module's. If no module follows the rates are constant.
        """
        rates = self._rates
        if rates is None:
            taken = float(key in self.nr_update)
            rates = {"encoder": taken * self.encoder_rate, "decoder": taken * self.learn_rate}
        own = self.learn_rate, self.L2, self.averages
        self.learn_rate = rates[
            "encoder" if "." in key[1] else "decoder"
        ]  # names of nested modules have dots
        self.L2 = self.L2 if weights.ndim > 1 else 0.0
        self.averages = None
        try:
            changed: tuple[Any, Any] = super().__call__(key, weights, gradient, lr_scale=lr_scale)
        finally:
            self.learn_rate, self.L2, self.averages = own
        return changed

    def step_module(
        self,
        key: str | int,
        module: torch.nn.Module,
        epoch: float,
        since: float = 0.0,
        new_labels: bool = False,
        averaged: bool = True,
    ) -> None:
        """Change the weights of `module` once and set its gradients to None.

        key: what identifies the module from step to step, such as the id of its shim.
        epoch: passes over the training data so far, with their fraction.
        since: the epoch of its last step with another optimizer, or of its loading: above 0 if it was trained
            before, so that it goes on at `continued_rates`. A loaded state brings its own, so that a resumed
            training stays on its schedule.
        new_labels: whether it has labels that it did not know when it was loaded.
        averaged: whether its weights are averaged where `use_averages` is set. `averages` then has theirs
            under `key`, by parameter name.

        Parameters without a gradient are left alone. The encoder's warm-up starts at the epoch of its first
        gradient, so that it may be frozen before. Raises ValueError if a loaded state does not fit, and
        FloatingPointError, before any weight changes, if the gradients are no finite numbers.
        """
        if key not in self._learners:
            self._learners[key] = self._claim(key, module, since)
        learner = self._learners[key]
        learner.follow(module, betas=(self.b1, self.b2), eps=self.eps, decay=self.L2)
        trained = {name: param for name, param in learner.params.items() if param.grad is not None}
        if any(role_of(name) == "encoder" for name in trained):
            learner.unfrozen = epoch if learner.unfrozen is None else min(epoch, learner.unfrozen)
        clip(trained.values(), self.grad_clip or math.inf)
        learner.steps += 1
        learner.new_labels |= new_labels
        if learner.since:
            self._rates = self.continued_rates(learner.steps, new_labels=learner.new_labels)
        else:
            self._rates = self.rates(epoch, unfrozen=learner.unfrozen or 0.0)
        learner.step(self._rates)
        if averaged and self.averages is not None:
            self.averages[key] = learner.average()

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

    def _claim(self, key: str | int, module: torch.nn.Module, since: float) -> "Learner":
        """The saved state that belongs to a new module, or a fresh one."""
        # Numbers differ between processes while the order of the modules does not; names are lasting.
        for learner in self._saved:
            if (learner.key == key) if isinstance(key, str) else isinstance(learner.key, int):
                require_fit(learner, module)
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
        return Learner(key, since)

    def dump(self) -> Parts:
        """What was learned about all modules; the settings are not part of it."""
        learners = [*self._learners.values(), *self._saved]
        names = ("key", "since", "unfrozen", "steps", "new_labels", "averaged_since")
        scalars = [{name: getattr(learner, name) for name in names} for learner in learners]
        tensors = {
            f"{index}/{kind}/{name}": tensor
            for index, learner in enumerate(learners)
            for name, moments in learner.moments().items()
            for kind, tensor in moments.items()
        }
        return {"learners": scalars, "rates": self._rates}, tensors

    def take(self, values: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> None:
        """Take over what `dump` gave: modules claim theirs at their next step, by name or else in order."""
        learners = [Learner(**record) for record in values["learners"]]
        self._rates = values.get("rates")  # earlier versions did not have them
        for path, tensor in tensors.items():
            index, kind, name = path.split("/", 2)
            learners[int(index)].saved.setdefault(name, {})[kind] = tensor
        self._learners, self._saved = {}, learners
        if self.averages:
            self.averages.clear()  # those of a state are there after its next step

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
