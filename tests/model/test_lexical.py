"""What words look like: which word a position is in, and what a model makes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
import torch
from pipelines import CNN, PUNCTUATION, initialize, listening, make_nlp, make_text, pipe_of, save_bert, tiny
from spacy.language import Language
from spacy.tokens import Doc

from spacy_bispn.model.doc_batch import DocBatch
from spacy_bispn.model.lexical import ATTRIBUTES, KEYS, DocWords
from spacy_bispn.model.windowing import Window

UPPER, LOWER = "The POLISH of POLISH wood.", "The polish of Polish wood."
TEXTS = [make_text(text, [(text.split()[3], "L")], []) for text in (UPPER, LOWER)]
MODELS: dict[str, Any] = {"wordpieces": tiny({"lexical": True}), "tokens": listening(CNN)}
MODELS["tokens"]["model"]["lexical"] = True


def batch_of(nlp: Language, *texts: str) -> DocBatch:
    return DocBatch(pipe_of(nlp).model, [nlp.make_doc(text) for text in texts], is_train=False)


@pytest.mark.parametrize("kind", MODELS)
def test_each_position_has_the_keys_of_its_word(kind: str) -> None:
    nlp = make_nlp(MODELS[kind])
    if kind == "tokens":
        nlp.add_pipe("tok2vec", first=True)
    initialize(nlp, TEXTS)
    docs = [nlp.make_doc(text) for text in (UPPER, LOWER)]
    for name, pipe in nlp.pipeline:
        docs = [pipe(doc) for doc in docs] if name == "tok2vec" else docs
    batch = DocBatch(pipe_of(nlp).model, docs, is_train=False)
    words = batch.inputs([0, 1]).words
    assert words is not None and words.keys.shape[1:] == (len(ATTRIBUTES), KEYS)
    assert len(words.keys) == len({token.orth for doc in batch.docs for token in doc})
    of_word: dict[tuple[int, int], set[Any]] = {}
    for row, window in enumerate(batch.windows):
        for place, start in enumerate(window.start):
            if start < 0:
                continue
            key = words.keys[words.number[row, place]]
            (token,) = (t for t in batch.docs[row] if t.idx <= start < t.idx + len(t))
            end = token.idx + len(token)
            assert words.begins[row, place] == (start == token.idx) and words.ends[row, place] == (
                window.end[place] == end
            )
            of_word.setdefault((row, token.i), set()).add(tuple(key.flatten().tolist()))
    assert len(of_word) == sum(map(len, batch.docs)) and all(len(x) == 1 for x in of_word.values())
    shape = (len(ATTRIBUTES), KEYS)
    shown = {place: np.reshape(next(iter(found)), shape) for place, found in of_word.items()}
    for attribute, same in (("NORM", True), ("SHAPE", False), ("PREFIX", False), ("SUFFIX", False)):
        upper, lower = (shown[row, 1][ATTRIBUTES.index(attribute)] for row in (0, 1))
        assert (upper == lower).all() == same, attribute
    assert (shown[0, 1] == shown[0, 3]).all(), "the same word twice"


def test_an_uncased_encoder_tells_words_by_their_looks(tmp_path: Path) -> None:
    save_bert(tmp_path / "uncased", lowercase=True)
    encoder = {"@misc": "spacy-bispn.PretrainedEncoder.v1", "name": str(tmp_path / "uncased")}

    def states(lexical: bool) -> tuple[torch.Tensor, torch.Tensor]:
        spacy.util.fix_random_seed(0)
        nlp = make_nlp(tiny({"encoder": encoder, "lexical": lexical}))
        initialize(nlp, TEXTS)
        batch, network = batch_of(nlp, UPPER, LOWER), pipe_of(nlp).shim.require().eval()
        first, second = (network.encode(batch.inputs([row]))[0].padded[0] for row in (0, 1))
        return first, second

    assert torch.equal(*states(lexical=False))
    upper, lower = states(lexical=True)
    assert upper.shape == lower.shape and not torch.allclose(upper, lower)


def test_a_saved_model_looks_at_words_as_before(tmp_path: Path) -> None:
    # untrained, no span is likely: nearly all of them are to be queries
    nlp = make_nlp(tiny({"lexical": True, "proposal_floor": 1e-6}))
    initialize(nlp, TEXTS)
    nlp.to_disk(tmp_path / "model")

    def types(nlp: Language) -> torch.Tensor:
        return batch_of(nlp, UPPER, LOWER).outputs([0, 1], 0.0, 0.0).entity.type

    there, again = types(nlp), types(spacy.load(tmp_path / "model"))
    assert there.numel() and torch.equal(there, again)
    with torch.no_grad():
        pipe_of(nlp).shim.require().lexical.mix[-1].weight.zero_()
    assert not torch.equal(types(nlp), there), "the looks count in it"


def test_a_doc_is_looked_through_once_however_many_windows_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    nlp = make_nlp(tiny({"lexical": True, "window": 12, "overlap": 2}))
    initialize(nlp, TEXTS)
    batch, seen = batch_of(nlp, " ".join([UPPER, LOWER] * 6)), list[str]()
    monkeypatch.setattr(batch.words, "_docs", Seen(batch.docs, seen))
    inputs = [batch.inputs(indices) for indices in batch.batches(24)]
    assert len(inputs) > 3 and len(seen) == 1


class Seen(list[Doc]):
    """Docs that note each look at one of them."""

    def __init__(self, docs: Any, seen: list[str]) -> None:
        super().__init__(docs)
        self.seen = seen

    def __getitem__(self, index: Any) -> Any:
        doc = super().__getitem__(index)
        self.seen.append(doc.text)
        return doc


def test_words_of_a_text_with_spaces_and_symbols() -> None:
    doc = spacy.blank("en", config=PUNCTUATION)("  Cdc6p-like\n\t naïve — 𝒳y ")

    def keys(doc: Doc) -> torch.Tensor:
        starts = np.array([token.idx for token in doc])
        window = Window(0, starts, starts, starts + 1, (0, len(doc.text)))
        words = DocWords([doc]).of([window], torch.zeros(1, len(doc)))
        return words.keys[words.number[0]]

    alone = torch.cat([keys(doc[token.i : token.i + 1].as_doc()) for token in doc])
    assert torch.equal(keys(doc), alone)
