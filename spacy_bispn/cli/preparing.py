"""Shared by `debug-data` and `init-config`: from a pipeline and its corpora to a diagnosis."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import dot_to_object, resolve_dot_names
from thinc.api import Config

from spacy_bispn.annotations import has_relations, read
from spacy_bispn.cli.sources import find_sentences
from spacy_bispn.component import BiSPN
from spacy_bispn.context import get_context
from spacy_bispn.diagnosis.corpus_checks import Offsets, Sample
from spacy_bispn.diagnosis.diagnose import Diagnosis, diagnose
from spacy_bispn.diagnosis.splits import Constraints, CorpusSettings
from spacy_bispn.doc_utils import text_id
from spacy_bispn.model.gold_checks import collect_labels
from spacy_bispn.model.schema import Schema, observed_triples
from spacy_bispn.model.windowing import WindowSettings, WindowTokenizer
from spacy_bispn.records import Extraction, Labels
from spacy_bispn.settings import SettingError

LONGEST_LISTENER = 512  # positions: nothing limits a window over the vectors of a shared tok2vec


def component_of(nlp: Language) -> str:
    """The name of the first `bispn` component. Raises SettingError if there is none."""
    for name in nlp.pipe_names:
        if nlp.get_pipe_meta(name).factory == "bispn":
            return str(name)
    raise SettingError(
        "nlp.pipeline", nlp.pipe_names, 'a component with factory = "bispn" among them',
        "add one to the config, or write a config with `spacy bispn init-config`",
    )  # fmt: skip


def read_corpora(nlp: Language) -> tuple[list[Doc], list[Doc]]:
    """The training and development Docs that the pipeline's config names.

    Raises SettingError if a corpus is not in the config, ValueError if it cannot be read or has no Docs.
    """
    config = nlp.config.interpolate()
    docs: list[list[Doc]] = []
    for setting in ("train_corpus", "dev_corpus"):
        name = config["training"][setting]
        try:
            dot_to_object(config, str(name))
        except KeyError as error:
            corpora = ", ".join(f"corpora.{corpus}" for corpus in config["corpora"])
            raise SettingError(
                f"training.{setting}", name, f"a corpus of the config ({corpora})",
                "correct the setting or add the section",
            ) from error  # fmt: skip
        (reader,) = resolve_dot_names(config, [name])
        docs.append([example.reference for example in reader(nlp)])
        if not docs[-1]:
            raise ValueError(f"{name} has no Docs, expected at least one: check its path.")
    return docs[0], docs[1]


def load_encoder(pipe: BiSPN, texts: Iterable[str]) -> None:
    """Load the encoder of an untrained component, to cut texts with; a random one learns its vocabulary."""
    source = pipe.model.attrs["source"]
    if pipe.shim.encoder is None and source is not None:
        pipe.shim.encoder = source.load(texts)


def examine(nlp: Language, name: str, train: Sequence[Doc], dev: Sequence[Doc]) -> Diagnosis:
    """Diagnose the component `name` with its corpora; the encoder is loaded, nothing is trained.

    Raises ValueError if the training texts have no relations, or lack labels of the schema, and if the
    encoder cannot be loaded.
    """
    pipe: BiSPN = nlp.get_pipe(name)
    load_encoder(pipe, (doc.text for doc in train))
    shim = pipe.shim
    context = shim.windowing.context
    settings = CorpusSettings(
        **pipe.given.limits(pipe.model.attrs["settings"]),
        window=shim.windowing.window or shim.window_tokenizer().window,
        overlap=shim.windowing.overlap,
        longest_span=pipe.cfg["longest_span"],
        share_relations=pipe.cfg["share_relations"],
        pool_mentions=pipe.model.attrs["settings"].pool_mentions,
    )

    def cutter(window: int, overlap: int) -> WindowTokenizer:
        return shim.window_tokenizer(WindowSettings(window, overlap, context))

    config = nlp.config.interpolate()
    model = config["components"][name]["model"]
    corpus = config["corpora"].get(str(config["training"]["dev_corpus"]).rpartition(".")[2], {})
    dev_file = str(corpus.get("path") or "dev.spacy")
    samples = to_samples(nlp, train)
    gold = [sample.extraction for sample in samples]
    constraints = Constraints(
        cutter,
        longest=shim.encoder.longest - 2 * context if shim.encoder else LONGEST_LISTENER,
        symmetric=tuple(pipe.cfg["symmetric_labels"]),
        proposed=model["queries"] == "proposed",
        skips=pipe.surplus_gold == "skip",
        schema=schema_of(pipe.cfg, gold),
    )
    return diagnose(samples, to_samples(nlp, dev), settings, constraints, dev_file)


def schema_of(cfg: dict[str, Any], gold: Sequence[Extraction]) -> Schema | None:
    """The schema that a component will have when it is trained on some gold, None if it permits all."""
    labels = {f"{kind}_labels": names for kind, names in collect_labels(gold).items()}
    cfg = {**cfg, **labels}
    return Schema.of({**cfg, "observed_triples": observed_triples([], gold, Labels.of(cfg))})


def to_samples(nlp: Language, docs: Iterable[Doc]) -> list[Sample]:
    """Docs with gold, with the tokens that the pipeline makes of their texts, and the sentences of these."""
    return [
        Sample(
            doc.text,
            offsets(doc),
            offsets(nlp.make_doc(doc.text)),
            read(doc),
            not has_relations(doc),
            find_sentences(doc),
            text_id(doc) or "",
            get_context(doc),
        )
        for doc in docs
    ]


def offsets(doc: Doc) -> Offsets:
    """The characters of each token, end exclusive."""
    return tuple((token.idx, token.idx + len(token)) for token in doc)


def apply(config: dict[str, Any], name: str, settings: CorpusSettings) -> None:
    """Write settings into the block of the component `name`.

    Raises SettingError if the config takes the component from a trained pipeline.
    """
    block = config.get("components", {}).get(name, {})
    if "factory" not in block:
        raise SettingError(
            f"components.{name}.source", block.get("source"),
            "a factory, as the settings of a trained component are fixed",
            "leave out --write, or train a new component",
        )  # fmt: skip
    values = asdict(settings)
    block |= {name: values.pop(name) for name in ("longest_span", "share_relations")}
    block["model"] = {**block.get("model", {}), **values}


def with_settings(nlp: Language, name: str, settings: CorpusSettings) -> Config:
    """The config of a pipeline with other settings of the component `name`, unless these are fixed."""
    config = nlp.config.copy()
    with suppress(SettingError):  # a trained component keeps its own
        apply(config, name, settings)
    return config
