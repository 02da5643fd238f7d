"""Networks whose weights are loaded are built without random ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

# by name: transformers 5 replaces the functions of torch.nn.init by its own, which have the same names
RANDOM_INIT = {"normal_", "uniform_", "kaiming_uniform_"}


class SkipInit(TorchFunctionMode):
    """Skips the random initialization of weights that are about to be loaded; memory is 0 until then.

    Left as it is, it could keep torch's `trunc_normal_` waiting for values within its bounds forever.
    The 0 come from numpy, which has the system write them when memory is first used: most never are.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call every function but those that fill a tensor at random."""
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") in RANDOM_INIT:
            return args[0] if args else kwargs["tensor"]
        if func is torch.empty:
            made = torch.zeros(*args, **{**kwargs, "device": "meta"})
            return torch.from_numpy(np.zeros(made.shape, np.float32)).to(made.dtype)
        made = func(*args, **kwargs)
        return made.zero_() if func in (torch.empty_like, Tensor.new_empty) else made
