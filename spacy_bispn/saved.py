"""What a saved component is: one message of plain values and the bytes of its model, read with suspicion."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, NamedTuple

import srsly
from spacy.vocab import Vocab
from thinc.api import Model

from .bridge import NetworkShim
from .decode import Decoding

FILE = "bispn"
FORMAT = 1  # raised when what `pack` writes changes
LABELS = ("entity_labels", "relation_labels", "symmetric_labels")
ADVICE = "load a folder or bytes that this component wrote, or save the pipeline again"


class Saved(NamedTuple):
    """A component's state: its settings and labels, the settings of the config it was made with, the
    bytes of its model, and those of its vocabulary where they were wanted.
    """

    cfg: dict[str, Any]
    configured: dict[str, Any]
    model: bytes
    vocab: bytes | None


def pack(saved: Saved) -> bytes:
    """The message as bytes."""
    data: bytes = srsly.msgpack_dumps({"format": FORMAT, **saved._asdict()})
    return data


def unpack(data: bytes) -> Saved:
    """The inverse of `pack`; nothing in the bytes is executed.

    Raises ValueError for bytes that are none of ours, for another format, and for impossible values.
    """
    try:
        message = srsly.msgpack_loads(data)
        version = message.pop("format")
    except Exception as error:  # whatever damaged bytes may cause
        raise ValueError(
            f"the saved component cannot be read ({type(error).__name__}: {error}), expected what `to_bytes` "
            f"or `to_disk` wrote: {ADVICE}."
        ) from error
    if version != FORMAT:
        raise ValueError(
            f"the saved component has format {version!r}, expected {FORMAT}: "
            f"install the version of spacy-bispn that wrote it, or train again."
        )
    try:
        saved = Saved(**message)
        if not (isinstance(saved.model, bytes) and isinstance(saved.vocab, bytes | None)):
            raise TypeError("model and vocab are no bytes")
        if saved.vocab is not None:
            Vocab().from_bytes(saved.vocab)  # once here, so that no half of it comes into the real one
        check(saved.cfg)
        Decoding(**saved.configured)
    except Exception as error:
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

    Raises ValueError where the bytes are damaged, fit another config or other labels.
    """
    before = model.to_bytes()
    shim: NetworkShim = model.shims[0]
    epochs = shim.epoch, shim.since
    try:
        model.from_bytes(saved.model)
        labels = len(saved.cfg["entity_labels"]), len(saved.cfg["relation_labels"])
        if shim.network is not None and shim.sizes[1:] != labels:
            raise ValueError(
                f"its weights know {shim.sizes[1]} entity and {shim.sizes[2]} relation labels, "
                f"its settings name {labels[0]} and {labels[1]}"
            )
    except Exception as error:  # whatever damaged bytes may cause
        model.from_bytes(before)
        shim.epoch, shim.since = epochs
        raise ValueError(
            f"the saved model cannot be loaded ({type(error).__name__}: {error}), "
            f"expected the bytes of a model with this config and these labels: {ADVICE}."
        ) from error
