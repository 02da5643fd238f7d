"""From config block to model: the whole tree is put together on this page."""

from collections.abc import Callable
from functools import partial
from typing import Any

from spacy.tokens import Doc
from thinc.api import Model
from torch import nn

from .bounds import ABOVE_0, BELOW_1, within
from .bridge import NO_SPECIAL, NetworkShim, Precision, Reading
from .nn.decoder import QueryBlock, SetDecoder, SharedBlock, Split
from .nn.encoder import OneWayEncoder
from .nn.heads import SpanHead
from .nn.network import Network
from .nn.pairs import SCORERS
from .nn.queries import LearnedQueries, ProposedQueries
from .nn.shapes import Outputs
from .pieces import Piecer
from .pretrained import Encoder, Source

QUERIES = ("proposed", "learned")
SPLIT = ("after", "before")
# Least and most of every count. The most is beyond any use; what exceeds it would exhaust the memory.
BOUNDS = {
    **dict.fromkeys(("entity_queries", "relation_queries"), (1, 4096)),
    **dict.fromkeys(("shared_layers", "supervised_layers"), (1, 64)),
    **dict.fromkeys(("entity_layers", "relation_layers"), (0, 64)),
    "heads": (1, 256),
    "feedforward": (1, 65_536),
    "query_layer": (-1, 64),
}


def build_bispn(
    encoder: Source,
    entity_queries: int,
    relation_queries: int,
    queries: str,
    proposal_floor: float,
    query_layer: int,
    shared_layers: int,
    supervised_layers: int,
    entity_layers: int,
    relation_layers: int,
    heads: int,
    feedforward: int,
    dropout: float,
    pointer: str,
    inside_pointer: bool,
    linking: str,
    split: str,
    views: bool,
    positional_queries: bool,
    window: int,
    overlap: int,
    mixed_precision: bool,
    cpu_precision: str = "full",
) -> Model[Any, Any]:
    """`spacy-bispn.BiSPN.v1`: BiSPN with its own encoder.

    encoder: a registered source, pretrained or random.
    entity_queries, relation_queries: the most entities and relations a window can have (M_e, M_r).
    queries: "proposed" by the text, or "learned" slots (the paper).
    proposal_floor: least probability of a candidate that seeds a query.
    query_layer: encoder layer at which queries enter; 0 is the paper, -1 the shared decoder.
    shared_layers, entity_layers, relation_layers: blocks of the three decoders (paper: 4, 1, 1).
    supervised_layers: shared blocks, counted from the last, that deliver losses (paper: 1).
    heads, feedforward, dropout: of the decoders' blocks.
    pointer, linking: "biaffine" or "additive" scores (paper: additive pointers, biaffine links).
    inside_pointer: a third pointer at all parts of an entity; its loss weight is the objective's.
    split: relation queries become three "after" (paper) or "before" the shared decoder.
    views: linear views of the tokens for the entity and the relation decoder (paper).
    positional_queries: learned positions averaged with the content of learned queries.
    window, overlap: longest stretch of pieces read at once, and what neighbouring windows share.
    mixed_precision: bf16 on a GPU.
    cpu_precision: at prediction on a CPU, "full" (32 bits), "bf16" or "int8".

    Raises ValueError for impossible values.
    """
    other = ("encoder", "window", "overlap", "mixed_precision", "cpu_precision")
    settings = {name: value for name, value in locals().items() if name not in (*other, "other")}
    return make_model(settings, encoder, None, (window, overlap), Precision(mixed_precision, cpu_precision))


def build_bispn_listener(
    tok2vec: Model[list[Doc], list[Any]],
    entity_queries: int,
    relation_queries: int,
    queries: str,
    proposal_floor: float,
    shared_layers: int,
    supervised_layers: int,
    entity_layers: int,
    relation_layers: int,
    heads: int,
    feedforward: int,
    dropout: float,
    pointer: str,
    inside_pointer: bool,
    linking: str,
    split: str,
    views: bool,
    positional_queries: bool,
    window: int,
    overlap: int,
    mixed_precision: bool,
    cpu_precision: str = "full",
) -> Model[Any, Any]:
    """`spacy-bispn.BiSPNListener.v1`: the same network over a `tok2vec` sublayer's token vectors.

    The sublayer may listen to a shared transformer or be spaCy's small CNN; positions are tokens, and
    queries enter at the shared decoder. Settings as in `build_bispn`.
    """
    other = ("tok2vec", "window", "overlap", "mixed_precision", "cpu_precision")
    settings = {name: value for name, value in locals().items() if name not in (*other, "other")}
    settings["query_layer"] = -1
    return make_model(settings, None, tok2vec, (window, overlap), Precision(mixed_precision, cpu_precision))


def make_model(
    settings: dict[str, Any],
    source: Source | None,
    tok2vec: Model[list[Doc], list[Any]] | None,
    cut: tuple[int, int],
    precision: Precision,
) -> Model[Any, Any]:
    """The thinc model around a network that is built once its labels are known."""
    check(settings)
    Piecer(None, NO_SPECIAL, *cut)  # raises on an impossible cut before any training
    shim = NetworkShim(partial(build_network, **settings), precision, cut)
    limits = {name: settings[name] for name in ("entity_queries", "relation_queries")}
    return Model(
        "bispn",
        forward,
        init=init,
        layers=[tok2vec] if tok2vec else [],
        refs={"tok2vec": tok2vec} if tok2vec else {},
        shims=[shim],
        attrs={"source": source, **limits},
    )


def build_network(
    encoder: Encoder | None, width: int, entity_types: int, relation_types: int, *, entity_queries: int,
    relation_queries: int, queries: str, proposal_floor: float, query_layer: int, shared_layers: int,
    supervised_layers: int, entity_layers: int, relation_layers: int, heads: int, feedforward: int,
    dropout: float, pointer: str, inside_pointer: bool, linking: str, split: str, views: bool,
    positional_queries: bool,
) -> Network:  # fmt: skip
    """The network, once its encoder and its labels are known. Raises ValueError if widths do not fit."""
    one_way: OneWayEncoder | None = None
    project: nn.Module = nn.Identity()
    if encoder is not None:
        one_way = OneWayEncoder(encoder.model, query_layer)
        width = one_way.width
    elif width % heads:
        project = nn.Linear(width, width := -(-width // heads) * heads)
    if width % heads:
        raise ValueError(
            f"heads is {heads}, but the encoder's width is {width}: choose a number that divides it."
        )
    block = (width, heads, feedforward, dropout)
    return Network(
        encoder=one_way,
        project=project,
        queries=LearnedQueries(entity_queries, relation_queries, width, positional_queries)
        if queries == "learned"
        else ProposedQueries(entity_queries, relation_queries, width, width // 2, proposal_floor),
        shared=[SharedBlock(*block) for _ in range(shared_layers)],
        entity_decoder=SetDecoder([QueryBlock(*block) for _ in range(entity_layers)], width, views),
        relation_decoder=SetDecoder([QueryBlock(*block) for _ in range(relation_layers)], width, views),
        split=Split(width),
        split_before=split == "before",
        spans=SpanHead(width, entity_types, pointer, inside_pointer, seeded=queries == "proposed"),
        relation_type=nn.Linear(width, relation_types + 1),
        has_relation=nn.Linear(width, 1),
        link=SCORERS[linking](width, width, width),
        supervised_layers=supervised_layers,
    )


def check(settings: dict[str, Any]) -> None:
    """Raises ValueError where a setting is impossible: what was given, expected, what to do."""
    for name, (least, most) in BOUNDS.items():
        if not within(settings[name], least):
            raise ValueError(
                f"{name} is {settings[name]!r}, expected at least {least}: raise it in the model's config."
            )
        if not within(settings[name], least, most):
            raise ValueError(
                f"{name} is {settings[name]!r}, expected at most {most}: lower it in the model's config."
            )
    if settings["supervised_layers"] > settings["shared_layers"]:
        raise ValueError(
            f"supervised_layers is {settings['supervised_layers']}, expected at most shared_layers "
            f"({settings['shared_layers']}): lower it in the model's config."
        )
    choices = {"queries": QUERIES, "split": SPLIT, "pointer": tuple(SCORERS), "linking": tuple(SCORERS)}
    for name, allowed in choices.items():
        if settings[name] not in allowed:
            raise ValueError(
                f"{name} is {settings[name]!r}, expected one of {', '.join(allowed)}: "
                f"correct it in the model's config."
            )
    if not within(settings["proposal_floor"], ABOVE_0, BELOW_1):
        raise ValueError(
            f"proposal_floor is {settings['proposal_floor']!r}, expected a probability between 0 and 1: "
            f"0.02 is a good start."
        )
    if not within(settings["dropout"], 0, BELOW_1):
        raise ValueError(
            f"dropout is {settings['dropout']!r}, expected a share from 0 to below 1: 0.1 is usual."
        )
    if settings["positional_queries"] and settings["queries"] != "learned":
        raise ValueError(
            'positional_queries is true with queries = "proposed", expected learned ones: '
            'set queries = "learned" or positional_queries = false.'
        )


def init(model: Model[Any, Any], X: Any = None, Y: Any = None) -> None:
    """Build the network. X: sample Docs; Y: the numbers of entity and of relation types."""
    if Y is None:
        return
    shim: NetworkShim = model.shims[0]
    if model.attrs["source"] is None:
        tok2vec = model.get_ref("tok2vec")
        tok2vec.initialize(X=X[:10])
        shim.create(None, tok2vec.get_dim("nO"), *Y)
    else:
        shim.create(model.attrs["source"].load(doc.text for doc in X), 0, *Y)


def forward(
    model: Model[Any, Any], docs: list[Doc], is_train: bool
) -> tuple[list[Outputs], Callable[[Any], Any]]:
    """Outputs of each window of some Docs, unfiltered, for those who look at the model alone.

    The component trains and predicts through `bridge.Reading`, which keeps windows and gold together.
    """
    reading = Reading(model, docs, is_train=False)
    outputs = [reading.predict(batch, 0.0, 0.0) for batch in reading.batches(1024)]
    return outputs, lambda gradient: docs
