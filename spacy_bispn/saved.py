"""What a saved component is: one safetensors file, whose every part is looked at before any is used."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

from spacy.vocab import Vocab
from thinc.api import Model

from .bridge import NetworkShim
from .decode import Decoding
from .safe import Parts, from_tensor, pack, to_tensor, unpack

FILE = "bispn.safetensors"
FORMAT = 1  # raised when what `pack_component` writes changes
LABELS = ("entity_labels", "relation_labels", "symmetric_labels")
NETWORK = "network/"  # before the names of its tensors
ADVICE = "load a folder or bytes that this component wrote, or save the pipeline again"


class Saved(NamedTuple):
    """A component's state.

    cfg: its settings of decoding, its labels and the number of its training texts.
    configured: the settings of decoding in the config that it was made with.
    network: what `NetworkShim.dump` gives. sublayer, vocab: bytes, where there are any.
    """

    cfg: dict[str, Any]
    configured: dict[str, Any]
    network: Parts
    sublayer: bytes | None
    vocab: bytes | None


def pack_component(
    model: Model[Any, Any], cfg: dict[str, Any], configured: dict[str, Any], vocab: bytes | None
) -> bytes:
    """A component as one file. `vocab` is None where it is saved elsewhere."""
    shim: NetworkShim = model.shims[0]
    description, weights = shim.dump()
    tensors = {f"{NETWORK}{name}": weight for name, weight in weights.items()}
    sublayer = model.get_ref("tok2vec").to_bytes() if model.has_ref("tok2vec") else None
    for name, data in (("sublayer", sublayer), ("vocab", vocab)):
        if data is not None:
            tensors[name] = to_tensor(data)
    values = {"format": FORMAT, "cfg": cfg, "configured": configured, "network": description}
    return pack(values, tensors)


def unpack_component(source: bytes | Path) -> Saved:
    """The inverse of `pack_component`.

    Raises ValueError for what is none of ours, for another format, and for impossible values; OSError where
    there is no such file.
    """
    values, tensors = unpack(source)
    if values.get("format") != FORMAT:
        raise ValueError(
            f"the saved component has format {values.get('format')!r}, expected {FORMAT}: "
            f"install the version of spacy-bispn that wrote it, or train again."
        )
    try:
        check(values["cfg"])
        Decoding(**values["configured"])
        weights = {name[len(NETWORK) :]: x for name, x in tensors.items() if name.startswith(NETWORK)}
        blobs = (from_tensor(tensors[name]) if name in tensors else None for name in ("sublayer", "vocab"))
        saved = Saved(values["cfg"], values["configured"], (values["network"], weights), *blobs)
        if saved.vocab is not None:
            Vocab().from_bytes(saved.vocab)  # once here, so that no half of it comes into the real one
    except Exception as error:  # whatever damage may cause
        raise ValueError(
            f"the saved component has impossible values ({error}), expected the settings and labels of a "
            f"component: {ADVICE}."
        ) from error
    return saved


def check(cfg: dict[str, Any]) -> None:
    """Raises ValueError, TypeError or KeyError unless these are a component's settings and labels."""
    decoding = {field.name for field in fields(Decoding)}
    if set(cfg) != {*decoding, *LABELS, "train_texts"}:
        raise ValueError(f"settings {', '.join(map(str, cfg))}")
    Decoding(**{name: cfg[name] for name in decoding})
    for kind in LABELS:
        labels = cfg[kind]
        if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
            raise ValueError(f"{kind} is {str(labels)[:80]}")
        if len(set(labels)) < len(labels):
            raise ValueError(f"{kind} names a label twice")
    if not isinstance(cfg["train_texts"], int) or cfg["train_texts"] < 0:
        raise ValueError(f"train_texts is {cfg['train_texts']!r}")


def load_model(model: Model[Any, Any], saved: Saved) -> None:
    """Take over the saved weights. If they are not in order the model stays as it was.

    Raises ValueError where they are damaged, fit another config or other labels.
    """
    shim: NetworkShim = model.shims[0]
    state = shim.fresh(*saved.network)
    labels = len(saved.cfg["entity_labels"]), len(saved.cfg["relation_labels"])
    if state.network is not None and state.sizes[1:] != labels:
        raise ValueError(
            f"the saved weights know {state.sizes[1]} entity and {state.sizes[2]} relation labels, expected "
            f"{labels[0]} and {labels[1]}, which the saved settings name: {ADVICE}."
        )
    if model.has_ref("tok2vec"):
        load_sublayer(model.get_ref("tok2vec"), saved.sublayer)
    shim.take(state)


def load_sublayer(sublayer: Model[Any, Any], data: bytes | None) -> None:
    """Take over the saved sublayer. Raises ValueError, and changes nothing, where it does not fit."""
    before = sublayer.to_bytes()
    try:
        sublayer.from_bytes(data or b"")
    except Exception as error:  # whatever damage may cause
        sublayer.from_bytes(before)
        raise ValueError(
            f"the saved sublayer does not fit ({type(error).__name__}: {error}), expected the bytes of "
            f"{sublayer.name!r} of this config: {ADVICE}."
        ) from error
