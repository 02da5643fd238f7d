"""A saved component: one safetensors file, checked as a whole before any part is used."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from spacy.vocab import Vocab
from thinc.api import Model

from spacy_bispn.model.decoding import Decoding
from spacy_bispn.model.schema import is_triple
from spacy_bispn.model.shim import NetworkShim
from spacy_bispn.records import LABEL_LISTS
from spacy_bispn.safetensors_io import Parts, from_tensor, pack, to_tensor, unpack
from spacy_bispn.settings import SettingError, Shown, defaults

FILE = "bispn.safetensors"
OTHERS = ("train_texts", "observed_triples")  # in `cfg`, beside labels and settings of decoding
FORMAT = 1  # raised when what `pack_component` writes changes
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
    """A component as one file. `vocab` is None where it is saved elsewhere.

    Raises ValueError for what could not be loaded again.
    """
    check(cfg, configured)
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
        cfg, configured = check(values["cfg"], values["configured"])
        weights = {name[len(NETWORK) :]: x for name, x in tensors.items() if name.startswith(NETWORK)}
        blobs = (from_tensor(tensors[name]) if name in tensors else None for name in ("sublayer", "vocab"))
        saved = Saved(cfg, configured, (values["network"], weights), *blobs)
        if saved.vocab is not None:
            Vocab().from_bytes(saved.vocab)  # once here, so that no half of it comes into the real one
    except Exception as error:  # whatever damage may cause
        raise ValueError(
            f"the saved component has impossible values ({error}), expected the settings and labels of a "
            f"component: {ADVICE}."
        ) from error
    return saved


def check(cfg: dict[str, Any], configured: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A component's `cfg` and `configured`; settings that an older version did not have get their defaults.

    Raises ValueError, with the name, for a setting that this version does not know or a value that cannot be.
    """
    decoding = defaults(Decoding)
    for name in cfg.keys() - {*decoding, *LABEL_LISTS, *OTHERS} | configured.keys() - decoding.keys():
        raise SettingError(
            name,
            {**configured, **cfg}[name],
            "a setting that this version knows",
            "install the version of spacy-bispn that has it, or remove it from the component's cfg",
        )
    cfg, configured = {**decoding, **cfg}, {**decoding, **configured}
    cfg.setdefault("observed_triples", None)  # earlier versions did not collect them
    for values in (cfg, configured):
        Decoding(**{name: values[name] for name in decoding})
    for kind in LABEL_LISTS:
        labels = cfg[kind]
        if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
            raise SettingError(kind, Shown(str(labels)[:80]), "a list of strings", ADVICE)
        if len(set(labels)) < len(labels):
            raise SettingError(kind, Shown(str(labels)[:80]), "each label once", "remove the second one")
    if not isinstance(cfg["train_texts"], int) or cfg["train_texts"] < 0:
        raise SettingError("train_texts", cfg["train_texts"], "a count", ADVICE)
    triples = cfg["observed_triples"]
    if triples is not None and not (isinstance(triples, list) and all(map(is_triple, triples))):
        raise SettingError(
            "observed_triples", Shown(str(triples)[:80]), "a list of triples of labels", ADVICE
        )
    return cfg, configured


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
