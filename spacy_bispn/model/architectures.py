"""From config block to model: the settings of the network, and how its parts are put together."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from spacy.tokens import Doc
from thinc.api import Model
from torch import nn

from spacy_bispn.model.doc_batch import DocBatch
from spacy_bispn.model.encoder_families import families_like_bert
from spacy_bispn.model.encoders import Encoder, Source
from spacy_bispn.model.lexical import ATTRIBUTES
from spacy_bispn.model.shim import NetworkShim, Precision
from spacy_bispn.model.windowing import WindowSettings
from spacy_bispn.nn.decoder import QueryBlock, SetDecoder, SharedBlock, Split
from spacy_bispn.nn.encoder import OneWayEncoder, TokenEncoder
from spacy_bispn.nn.heads import SpanHead, classifier
from spacy_bispn.nn.lexical import LexicalEmbedding
from spacy_bispn.nn.network import Network
from spacy_bispn.nn.pairs import SCORERS, Biaffine
from spacy_bispn.nn.queries import LearnedQueries, ProposedQueries
from spacy_bispn.nn.shapes import Outputs
from spacy_bispn.settings import (
    SHARE,
    SWITCH,
    SettingError,
    Settings,
    Values,
    distribute,
    retired,
    setting,
    takes,
)

# The most of every count is beyond any use; what exceeds it would exhaust the memory.
QUERIES, BLOCKS, LAYERS = (Values(least=a, most=b, whole=True) for a, b in ((1, 4096), (1, 64), (0, 64)))


@dataclass(frozen=True)
class NetworkSettings(Settings):
    """What the network behind an encoder is made of, with either architecture."""

    entity_queries: int = setting(
        QUERIES,
        "The most entities of one window. Training texts with more are refused. The cost grows with the "
        "queries that a text uses.",
        default=30,
    )
    relation_queries: int = setting(
        QUERIES,
        "The most relations of one window, both directions of symmetric ones as far as there is room. The "
        "paper has 25 for BioRelEx; 48 hold every training text with its inverses.",
        default=25,
    )
    queries: str = setting(
        Values(choices=("proposed", "learned")),
        "Queries made from the text's likeliest spans and pairs, or learned vectors that are the same for "
        "every text, as in the paper; these learn slowly.",
        default="proposed",
    )
    proposal_floor: float = setting(
        Values(above=0, below=1),
        "Least probability of a span or a pair that becomes a query. Higher is a little faster and misses "
        "more. No effect on learned queries.",
        default=0.02,
    )
    shared_layers: int = setting(
        BLOCKS,
        "Blocks of the shared decoder. A second one learns no more in the same time "
        "([notes](notes.md#one-shared-block)), and prediction takes longer.",
        default=1,
    )
    supervised_layers: int = setting(
        BLOCKS,
        "The last shared blocks that deliver losses in training; at most `shared_layers`. More make a step "
        "slower.",
        default=1,
    )
    entity_layers: int = setting(LAYERS, "Blocks of the entity decoder.", default=1)
    relation_layers: int = setting(LAYERS, "Blocks of the relation decoder.", default=1)
    heads: int = setting(
        Values(least=1, most=256, whole=True),
        "Attention heads of the decoders. Must divide the encoder's width; as many as the encoder has is a "
        "good choice.",
        default=6,
    )
    feedforward: int = setting(
        Values(least=1, most=65_536, whole=True),
        "Width of the decoders' feed-forward layers. `init-config` takes eight thirds of the encoder's "
        "width.",
        default=768,
    )
    dropout: float = setting(SHARE, "Dropout of the decoders. The encoder has its own.", default=0.1)
    pointer: str = setting(
        Values(choices=tuple(SCORERS)),
        'How a query scores the positions where its span may start and end. `"additive"` is the paper\'s, a '
        "perceptron over the sum of two projections, which costs more.",
        default="biaffine",
    )
    predictors: str = setting(
        Values(choices=("shared", "separate")),
        "One predictor for entities, heads and tails, with linear classifiers, or, as in the paper, one for "
        "entities and one for heads and tails, with MLPs as classifiers.",
        default="shared",
    )
    lexical: bool = setting(
        SWITCH,
        "Whether the network sees what words look like beside the encoder's states: hashed embeddings of "
        "spaCy's `NORM`, `PREFIX`, `SUFFIX` and `SHAPE`. With an encoder that does not see case it helps if "
        "entities are names, and may hurt if they are terms ([notes](notes.md#what-words-look-like)).",
        default=False,
    )
    pool_mentions: bool = setting(
        SWITCH,
        "Whether the query of a span knows the other likely spans of its window with the same words: the "
        "mean of their states joins it. For corpora that relate things rather than mentions "
        "([notes](notes.md#mentions-of-one-thing)). No effect on learned queries.",
        default=False,
    )
    inside_pointer: bool = retired(False)
    linking: str = retired("biaffine")
    split: str = retired("after")
    views: bool = retired(True)
    positional_queries: bool = retired(False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.supervised_layers > self.shared_layers:
            raise SettingError(
                "supervised_layers",
                self.supervised_layers,
                f"at most shared_layers ({self.shared_layers})",
                "lower it in the model's config",
            )

    @property
    def reads_words(self) -> bool:
        """Whether the network needs the words, beside pieces or vectors."""
        return self.lexical or (self.pool_mentions and self.queries == "proposed")


@dataclass(frozen=True)
class QueryEntry(Settings):
    """Where queries enter, with an encoder of the component's own."""

    query_layer: int = setting(
        Values(least=-1, most=64, whole=True),
        "Encoder layer at which queries enter. 0 is the paper; -1 is the shared decoder, which is faster and "
        "learns sooner ([results.md](results.md#ablation)). Must be below the encoder's number of layers. "
        "All but -1 need an encoder with BERT's layers ([encoders.md](encoders.md#query_layer)).",
        default=-1,
    )


COMMON = (NetworkSettings, WindowSettings, Precision)


@takes(QueryEntry, *COMMON)
def build_bispn(encoder: Source, **settings: Any) -> Model[Any, Any]:
    """`spacy-bispn.BiSPN.v1`: BiSPN with its own encoder, a registered source, pretrained or random.

    The settings are those of `QueryEntry`, `NetworkSettings`, `WindowSettings` and `Precision`.
    Input of the model: Docs; output: `Outputs` of each window. Raises SettingError for impossible values.
    """
    return make_model(encoder, None, *distribute(settings, QueryEntry, *COMMON))


@takes(*COMMON)
def build_bispn_listener(tok2vec: Model[list[Doc], list[Any]], **settings: Any) -> Model[Any, Any]:
    """`spacy-bispn.BiSPNListener.v1`: the same network over a `tok2vec` sublayer's token vectors.

    The sublayer may listen to a shared transformer or be spaCy's small CNN; positions are tokens, and
    queries enter at the shared decoder. Other settings as in `build_bispn`, but no `context`.
    """
    if settings.get("context"):
        expected = "0 with the listener, whose vectors have seen what the other component reads"
        advice = "remove it, or give the component an encoder of its own (spacy-bispn.BiSPN.v1)"
        raise SettingError("context", settings["context"], expected, advice)
    return make_model(None, tok2vec, QueryEntry(), *distribute(settings, *COMMON))


def make_model(
    source: Source | None,
    tok2vec: Model[list[Doc], list[Any]] | None,
    entry: QueryEntry,
    network: NetworkSettings,
    windows: WindowSettings,
    precision: Precision,
) -> Model[Any, Any]:
    """The thinc model around a network that is built once its labels are known."""
    build = partial(build_network, network=network, query_layer=entry.query_layer)
    return Model(
        "bispn",
        forward,
        init=init,
        layers=[tok2vec] if tok2vec else [],
        refs={"tok2vec": tok2vec} if tok2vec else {},
        shims=[NetworkShim(build, precision, windows)],
        attrs={"source": source, "settings": network},
    )


def build_network(
    encoder: Encoder | None,
    width: int,
    entity_types: int,
    relation_types: int,
    *,
    network: NetworkSettings,
    query_layer: int,
    given_types: bool,
) -> Network:
    """The network, once its encoder and its labels are known. Raises SettingError if widths do not fit.

    given_types: whether the types of given entities join their queries.
    """
    token_encoder: TokenEncoder | None = None
    project: nn.Module = nn.Identity()
    heads = network.heads
    if encoder is not None:
        token_encoder = make_token_encoder(encoder, query_layer)
        width = token_encoder.width
    elif width % heads:
        project = nn.Linear(width, width := -(-width // heads) * heads)
    if width % heads:
        raise SettingError(
            "heads", heads, f"a divisor of the encoder's width, {width}", "choose a number that divides it"
        )
    block = (width, heads, network.feedforward, network.dropout)
    seeded, separate = network.queries == "proposed", network.predictors == "separate"
    limits = (network.entity_queries, network.relation_queries)

    def decoder(layers: int) -> SetDecoder:
        return SetDecoder([QueryBlock(*block) for _ in range(layers)], width)

    def span_head() -> SpanHead:
        return SpanHead(width, entity_types, network.pointer, seeded, separate)

    return Network(
        encoder=token_encoder,
        project=project,
        lexical=LexicalEmbedding(len(ATTRIBUTES), width, network.dropout) if network.lexical else None,
        queries=ProposedQueries(
            *limits,
            width,
            width // 2,
            network.proposal_floor,
            (entity_types + 1) * given_types,
            network.pool_mentions,
        )
        if seeded
        else LearnedQueries(*limits, width),
        shared=[SharedBlock(*block) for _ in range(network.shared_layers)],
        entity_decoder=decoder(network.entity_layers),
        relation_decoder=decoder(network.relation_layers),
        split=Split(width),
        spans=span_head(),
        arguments=span_head() if separate else None,
        relation_type=classifier(width, relation_types + 1, separate),
        has_relation=classifier(width, 1, separate),
        link=Biaffine(width, width, width),
        supervised_layers=network.supervised_layers,
    )


def make_token_encoder(encoder: Encoder, query_layer: int) -> TokenEncoder:
    """What reads the tokens. Raises SettingError for queries that are to enter other layers than BERT's."""
    if encoder.family.has_bert_layers(encoder.config):
        return OneWayEncoder(encoder.model, query_layer)
    if query_layer >= 0:
        raise SettingError(
            "query_layer", query_layer, f"-1 with this {encoder.config.model_type} encoder, as only layers "
            "like BERT's, with absolute positions, let queries in",
            f"set query_layer = -1, or choose an encoder of the families {', '.join(families_like_bert())}",
        )  # fmt: skip
    return TokenEncoder(encoder.model, encoder.family.masks_padding)


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

    The component trains and predicts through `doc_batch.DocBatch`, which keeps windows and gold together.
    """
    reading = DocBatch(model, docs, is_train=False)
    outputs = [reading.outputs(batch, 0.0, 0.0) for batch in reading.batches(1024)]
    return outputs, lambda gradient: docs
