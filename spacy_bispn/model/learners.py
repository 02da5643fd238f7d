"""One module under training: torch's AdamW for it, with a group of weights for each rate."""

from dataclasses import dataclass, field
from typing import Literal

import torch

from spacy_bispn.model.averages import average

Role = Literal["encoder", "decoder"]
Moments = dict[str, torch.Tensor]
AVERAGE = "average"  # of the weight, beside what torch's optimizer knows of it


@dataclass(eq=False)
class Learner:
    """One module under training: torch's optimizer for it, and when it and its encoder began to learn."""

    key: str | int
    since: float
    unfrozen: float | None = None
    steps: int = 0
    new_labels: bool = False
    averaged_since: dict[str, int] = field(default_factory=dict)  # the first step of each average
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
                "params": [p for name, p in params.items() if (role_of(name), p.ndim > 1) == (role, decays)],
                "weight_decay": decay if decays else 0.0,
                "role": role,
            }
            for role in ("encoder", "decoder")
            for decays in (True, False)
        ]
        fused = all(p.device.type in ("cpu", "cuda") and p.is_floating_point() for p in params.values())
        how = {"fused": True} if fused else {"foreach": True}
        self.adam = torch.optim.AdamW(groups, betas=betas, eps=eps, **how)
        earlier, self.params, self.places, self.saved = self.params, params, places, {}
        for name, param in params.items():
            # A parameter that changed its shape, such as a head for more labels, starts anew.
            if name in moments and moments[name]["exp_avg"].shape == param.shape:
                known = _like(moments[name], param, step_on=param.device if fused else "cpu")
                self.adam.state[param] = known
                if earlier.get(name, param) is not param:  # the average is of other weights
                    known.pop(AVERAGE, None)

    def step(self, rates: dict[Role, float]) -> None:
        """Change the weights at the rate of their group; afterwards no parameter has a gradient."""
        assert self.adam is not None
        for group in self.adam.param_groups:
            group["lr"] = rates[group["role"]]
        self.adam.step()
        self.adam.zero_grad(set_to_none=True)

    def average(self) -> Moments:
        """Take the weights into their averages, which it returns, by parameter name."""
        averages = {}
        by_step: dict[int, list[str]] = {}
        for name, known in self.moments().items():
            if AVERAGE not in known:
                known[AVERAGE] = self.params[name].detach().clone()
                self.averaged_since[name] = self.steps
            averages[name] = known[AVERAGE]
            by_step.setdefault(self.steps - self.averaged_since[name] + 1, []).append(name)
        for step, names in by_step.items():
            average([averages[name] for name in names], [self.params[name] for name in names], step)
        return averages

    def moments(self) -> dict[str, Moments]:
        """What is known about every parameter that ever had a gradient, by its name."""
        if self.adam is None:
            return self.saved
        return {name: self.adam.state[p] for name, p in self.params.items() if p in self.adam.state}


def role_of(name: str) -> Role:
    """Whose rate a parameter of a network has."""
    return "encoder" if name.startswith("encoder.") else "decoder"


def _like(moments: Moments, param: torch.Tensor, *, step_on: torch.device | str) -> Moments:
    """The moments as torch wants them: in the memory layout and on the device of their parameter."""
    like = {name: torch.empty_like(param).copy_(x) for name, x in moments.items() if name != "step"}
    return {"step": moments["step"].to(step_on), **like}


def require_fit(learner: Learner, module: torch.nn.Module) -> None:
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
