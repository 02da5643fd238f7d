"""What `debug-data` and `init-config` share: from a pipeline and its corpora to a diagnosis."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import dot_to_object, resolve_dot_names

from ..annotations import has_relations, read
from ..bridge import NetworkShim
from ..component import BiSPN
from ..diagnose import Diagnosis, Fixed, Settings, diagnose
from ..findings import Offsets, Sample
from ..pieces import Piecer

LONGEST_LISTENER = 512  # a window over token vectors has no limit of its own


def component_of(nlp: Language) -> str:
    """The name of the first `bispn` component. Raises ValueError if there is none."""
    for name in nlp.pipe_names:
        if nlp.get_pipe_meta(name).factory == "bispn":
            return str(name)
    raise ValueError(
        f"the pipeline has the components {', '.join(nlp.pipe_names) or '(none)'}, expected one with "
        f'factory = "bispn": add it to the config, or write a config with `spacy bispn init-config`.'
    )


def read_corpora(nlp: Language) -> tuple[list[Doc], list[Doc]]:
    """The training and development Docs that the pipeline's config names.

    Raises ValueError if a corpus is not in the config, cannot be read or has no Docs.
    """
    config = nlp.config.interpolate()
    docs: list[list[Doc]] = []
    for setting in ("train_corpus", "dev_corpus"):
        name = config["training"][setting]
        try:
            dot_to_object(config, str(name))
        except KeyError as error:
            corpora = ", ".join(f"corpora.{corpus}" for corpus in config["corpora"])
            raise ValueError(
                f"training.{setting} is {name!r}, expected a corpus of the config ({corpora}): correct the "
                f"setting or add the section."
            ) from error
        (reader,) = resolve_dot_names(config, [name])
        docs.append([example.reference for example in reader(nlp)])
        if not docs[-1]:
            raise ValueError(f"{name} has no Docs, expected at least one: check its path.")
    return docs[0], docs[1]


def load_encoder(pipe: BiSPN, texts: Iterable[str]) -> None:
    """Give an untrained component its encoder, to cut texts with; a random one learns its vocabulary."""
    source = pipe.model.attrs["source"]
    if pipe.shim.encoder is None and source is not None:
        pipe.shim.encoder = source.load(texts)


def examine(nlp: Language, name: str, train: Sequence[Doc], dev: Sequence[Doc]) -> Diagnosis:
    """Hold the component `name` against its corpora; the encoder is loaded, nothing is trained.

    Raises ValueError if the training texts have no relations or the encoder cannot be loaded.
    """
    pipe: BiSPN = nlp.get_pipe(name)
    load_encoder(pipe, (doc.text for doc in train))
    shim = pipe.shim
    settings = Settings(
        entity_queries=pipe.model.attrs["entity_queries"],
        relation_queries=pipe.model.attrs["relation_queries"],
        window=shim.cut[0],
        overlap=shim.cut[1],
        longest_span=pipe.cfg["longest_span"],
    )

    def cutter(window: int, overlap: int) -> Piecer:
        other = NetworkShim(shim.build, shim.precision, (window, overlap))
        other.encoder = shim.encoder
        return other.piecer()

    model = nlp.config.interpolate()["components"][name]["model"]
    fixed = Fixed(
        cutter,
        longest=shim.encoder.longest if shim.encoder else LONGEST_LISTENER,
        symmetric=tuple(pipe.cfg["symmetric_labels"]),
        proposed=model["queries"] == "proposed",
    )
    return diagnose(to_samples(nlp, train), to_samples(nlp, dev), settings, fixed)


def to_samples(nlp: Language, docs: Iterable[Doc]) -> list[Sample]:
    """Docs with gold, beside the tokens that the pipeline makes of their texts."""
    return [
        Sample(doc.text, offsets(doc), offsets(nlp.make_doc(doc.text)), read(doc), not has_relations(doc))
        for doc in docs
    ]


def offsets(doc: Doc) -> Offsets:
    """The characters of each token, end exclusive."""
    return tuple((token.idx, token.idx + len(token)) for token in doc)


def apply(config: dict[str, Any], name: str, settings: Settings) -> None:
    """Write settings into the block of the component `name`.

    Raises ValueError if the config takes the component from a trained pipeline.
    """
    block = config.get("components", {}).get(name, {})
    if "factory" not in block:
        raise ValueError(
            f"the component {name!r} comes from the trained pipeline {block.get('source')!r}, which has its "
            f"settings: leave out --write, or train a component of your own."
        )
    values = asdict(settings)
    block["longest_span"] = values.pop("longest_span")
    block["model"] = {**block.get("model", {}), **values}
