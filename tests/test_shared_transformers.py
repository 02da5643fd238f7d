"""One transformer for `ner` and `bispn`: spacy-transformers and spacy-curated-transformers."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
import torch
from pipelines import (
    PUNCTUATION,
    demo_texts,
    initialize,
    listening,
    make_examples,
    said,
    save_bert,
    scores,
    train,
)
from spacy.language import Language
from spacy.util import is_package, load_model_from_config
from transformers import BertConfig

from spacy_bispn.model.optimizers import create_adamw

WIDTH = 48
CURATED = "spacy-curated-transformers"


def reason(library: str) -> str:
    """Why a library cannot be tried here; nothing if it can."""
    if not is_package(library):
        return f"{library} is not installed"
    if library == CURATED and tuple(map(int, np.__version__.split(".")[:2])) >= (2, 4):
        return (
            f"{library} {version(library)} cannot train with numpy {np.__version__}, only with 2.3 or below"
        )
    return ""


LIBRARIES = [
    pytest.param(name, marks=pytest.mark.skipif(bool(reason(name)), reason=reason(name)))
    for name in ("spacy-transformers", CURATED)
]


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small BERT with random weights."""
    folder = tmp_path_factory.mktemp("bert")
    save_bert(folder)
    return folder


def transformer_of(library: str, bert: Path) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """A transformer's block, that of a listener, and what initializes the transformer."""
    spans: dict[str, Any] = {"window": 128, "stride": 96}
    if library == "spacy-transformers":
        model = {
            "@architectures": "spacy-transformers.TransformerModel.v3", "name": str(bert),
            "tokenizer_config": {"use_fast": True},
            "get_spans": {"@span_getters": "spacy-transformers.strided_spans.v1", **spans},
        }  # fmt: skip
        listener = {"@architectures": "spacy-transformers.TransformerListener.v1", "grad_factor": 1.0}
        return {"factory": "transformer", "model": model}, listener, {}
    config = BertConfig.from_pretrained(bert)
    model = {
        "@architectures": "spacy-curated-transformers.BertTransformer.v1", "vocab_size": config.vocab_size,
        "hidden_width": WIDTH, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_width": 96,
        "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0,
        "piece_encoder": {"@architectures": "spacy-curated-transformers.BertWordpieceEncoder.v1"},
        "with_spans": {"@architectures": "spacy-curated-transformers.WithStridedSpans.v1", **spans},
    }  # fmt: skip
    listener = {
        "@architectures": "spacy-curated-transformers.LastTransformerLayerListener.v1", "width": WIDTH,
        "grad_factor": 1.0,
    }  # fmt: skip
    loaders = {
        f"{part}_loader": {
            "@model_loaders": f"spacy-curated-transformers.HF{kind}Loader.v1",
            "name": str(bert),
        }
        for part, kind in (("encoder", "TransformerEncoder"), ("piecer", "PieceEncoder"))
    }
    return {"factory": "curated_transformer", "model": model}, listener, loaders


def make_pipeline(library: str, bert: Path, *names: str) -> Language:
    """An uninitialized pipeline of a transformer and components that listen to it."""
    transformer, listener, loaders = transformer_of(library, bert)
    tok2vec = {**listener, "pooling": {"@layers": "reduce_mean.v1"}, "upstream": "transformer"}
    ner = {
        "@architectures": "spacy.TransitionBasedParser.v2", "state_type": "ner", "hidden_width": 64,
        "extra_state_tokens": False, "maxout_pieces": 2, "use_upper": False, "nO": None, "tok2vec": tok2vec,
    }  # fmt: skip
    components = {
        "transformer": transformer, "ner": {"factory": "ner", "model": ner},
        "bispn": {"factory": "bispn", **listening(tok2vec)},
    }  # fmt: skip
    pipeline = ["transformer", *names]
    config = {
        "nlp": {"lang": "en", "pipeline": pipeline, **PUNCTUATION["nlp"]},
        "components": {name: components[name] for name in pipeline},
        "initialize": {"components": {"transformer": loaders}},
    }
    return load_model_from_config(config, auto_fill=True)


def network_of(nlp: Language) -> torch.nn.Module:
    """The torch module of the transformer."""
    (shim,) = (shim for node in nlp.get_pipe("transformer").model.walk() for shim in node.shims)
    network: torch.nn.Module = shim._model
    return network


def gradients(nlp: Language, examples: Any, *silent: str) -> np.ndarray[Any, Any]:
    """The gradient of the transformer's weights; components of `silent` send theirs in vain."""
    for name in ("ner", "bispn"):
        for node in nlp.get_pipe(name).model.walk():
            if "grad_factor" in node.attrs:
                node.attrs["grad_factor"] = float(name not in silent)
    network = network_of(nlp)
    network.zero_grad()
    spacy.util.fix_random_seed(0)
    nlp.update(examples, sgd=False, drop=0.0)
    parts = [param.grad.flatten() for param in network.parameters() if param.grad is not None]
    return torch.cat(parts).numpy().copy()


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("order", [("ner", "bispn"), ("bispn", "ner")], ids=" before ".join)
def test_gradients_of_both_reach_the_transformer(library: str, order: tuple[str, str], bert: Path) -> None:
    nlp = make_pipeline(library, bert, *order)
    examples = initialize(nlp, demo_texts(4))
    ner, bispn = (gradients(nlp, examples, silent) for silent in ("bispn", "ner"))
    assert np.linalg.norm(ner) > 0.01 and np.linalg.norm(bispn) > 0.01
    np.testing.assert_allclose(gradients(nlp, examples), ner + bispn, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("library", LIBRARIES)
def test_both_learn_over_one_transformer_and_are_saved(library: str, bert: Path, tmp_path: Path) -> None:
    nlp = make_pipeline(library, bert, "ner", "bispn")
    texts = demo_texts(3)[1:]
    examples = initialize(nlp, texts)
    train(nlp, examples, 80, create_adamw(encoder_rate=1e-3, decoder_rate=2e-3))
    nlp.to_disk(tmp_path / "model")
    again = spacy.load(tmp_path / "model")
    for one in (nlp, again):
        assert scores(one, examples) == (1.0, 1.0)
        found = one.evaluate(make_examples(one, texts))
        assert found["spans_bispn_f"] == found["spans_bispn-relations_f"] == 1.0
        with one.select_pipes(disable=["bispn"]):
            assert one.evaluate(make_examples(one, texts))["ents_f"] == 1.0, "of the NER alone"


@pytest.mark.parametrize("library", LIBRARIES)
def test_without_its_transformer_it_is_an_error_and_with_a_copy_of_it_is_not(
    library: str, bert: Path
) -> None:
    nlp = make_pipeline(library, bert, "bispn")
    train(nlp, initialize(nlp, demo_texts(2)), 10)
    (text, *_) = demo_texts(1)
    expected = said(nlp(text.text))
    with nlp.select_pipes(disable=["transformer"]), pytest.raises(ValueError) as error:
        nlp(text.text)
    for word in ("have no vectors", "expected those of the transformer component", "replace_listeners"):
        assert word in str(error.value)
    nlp.replace_listeners("transformer", "bispn", ["model.tok2vec"])
    nlp.remove_pipe("transformer")
    assert said(nlp(text.text)) == expected


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_transformer_learns_at_the_encoder_s_rate(library: str, bert: Path) -> None:
    nlp = make_pipeline(library, bert, "bispn")
    examples = initialize(nlp, demo_texts(2))
    optimizer = create_adamw(encoder_rate=1e-3, decoder_rate=1e-2, weight_decay=0.0, continued_rate=1.0)
    before = {name: param.detach().clone() for name, param in network_of(nlp).named_parameters()}
    for _ in range(2):  # its first step is not taken, the second of Adam moves each weight by the rate
        nlp.update(examples, sgd=optimizer)
    moved = [(param - before[name]).abs().max().item() for name, param in network_of(nlp).named_parameters()]
    assert max(moved) == pytest.approx(1e-3, rel=0.2)
