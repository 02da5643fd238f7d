"""Plain values and tensors as one safetensors file; reading one runs no code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load, save
from torch import Tensor

KEY = "spacy-bispn"  # in the header, whose values are texts
Parts = tuple[dict[str, Any], dict[str, Tensor]]


def pack(values: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> bytes:
    """One file: the values as JSON in its header, then the tensors."""
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    data: bytes = save(whole, {KEY: json.dumps(values)})
    return data


def unpack(source: bytes | Path) -> Parts:
    """The inverse of `pack`. Tensors of a file stay in it until they are used.

    Raises ValueError for anything that `pack` did not write, and OSError where there is no such file.
    """
    try:
        values, tensors = _from_file(source) if isinstance(source, Path) else _from_bytes(source)
        values = json.loads(values[KEY])
        if not isinstance(values, dict):
            raise TypeError(f"a {type(values).__name__} in the header")
    except OSError:
        raise
    except Exception as error:  # whatever damage may cause
        raise ValueError(
            f"the saved state cannot be read ({type(error).__name__}: {str(error)[:200]}), expected what "
            f"`to_bytes` or `to_disk` wrote: save it again."
        ) from error
    return values, tensors


def _from_file(path: Path) -> Parts:
    path.open("rb").close()  # its error says more
    with safe_open(path, "pt") as file:
        return file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def _from_bytes(data: bytes) -> Parts:
    size = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + size])["__metadata__"], load(data)


def to_tensor(data: bytes) -> Tensor:
    """Bytes as a tensor, to stand among others."""
    return torch.from_numpy(np.frombuffer(data, dtype=np.uint8).copy())


def from_tensor(tensor: Tensor) -> bytes:
    """The inverse of `to_tensor`."""
    return tensor.numpy().tobytes()
