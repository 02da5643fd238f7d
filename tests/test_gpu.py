"""A GPU gives the answers of a processor, learns what a processor learns, and may run out of memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from pipelines import (
    CNN,
    demo_texts,
    initialize,
    listening,
    make_examples,
    make_nlp,
    pipe_of,
    said,
    scores,
    tiny,
    train,
)
from spacy.language import Language
from thinc.api import require_cpu, require_gpu

from spacy_bispn import annotations
from spacy_bispn.bench.checks import TOLERANCE, differences, disagreement, gradients
from spacy_bispn.evaluation.scoring import Pair

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")

FULL, MIXED = tiny({"mixed_precision": False}), tiny({"mixed_precision": True})
TEXTS = demo_texts(8)


@pytest.fixture(autouse=True)
def back_on_the_processor() -> Iterator[None]:
    yield
    require_cpu()
    torch.cuda.empty_cache()


@pytest.fixture(scope="module")
def learnt() -> bytes:
    """What a processor has learnt by heart."""
    nlp = make_nlp(FULL)
    train(nlp, initialize(nlp, TEXTS))
    weights: bytes = pipe_of(nlp).to_bytes()
    return weights


def loaded(weights: bytes, config: dict[str, Any], *, gpu: bool) -> Language:
    """The same weights in a pipeline on either device."""
    if gpu:
        require_gpu(0)
    else:
        require_cpu()
    nlp = make_nlp(config)
    pipe_of(nlp).from_bytes(weights)
    assert pipe_of(nlp).shim.device.type == ("cuda" if gpu else "cpu")
    return nlp


def answers(nlp: Language, other: Language) -> list[Pair]:
    """What two pipelines find in the same texts, all of them at once."""
    found = [[annotations.read(doc) for doc in one.pipe(x.text for x in TEXTS)] for one in (nlp, other)]
    return [Pair(*pair) for pair in zip(*found, strict=True)]


def test_in_32_bits_a_gpu_finds_what_a_processor_finds(learnt: bytes) -> None:
    pairs = answers(loaded(learnt, FULL, gpu=False), loaded(learnt, FULL, gpu=True))
    assert sum(len(one.relations) for one, *_ in pairs) > 4
    assert differences([text.text for text in TEXTS], pairs) is None, f"scores within {TOLERANCE}"


def test_in_bf16_it_finds_nearly_the_same(learnt: bytes) -> None:
    on_gpu = loaded(learnt, MIXED, gpu=True)
    assert not pipe_of(on_gpu).shim.exact
    assert disagreement(answers(loaded(learnt, FULL, gpu=False), on_gpu)) is None


def test_losses_and_gradients_are_those_of_a_processor(learnt: bytes) -> None:
    found = {}
    for gpu in (False, True):
        nlp = loaded(learnt, FULL, gpu=gpu)
        found[gpu] = gradients(pipe_of(nlp), make_examples(nlp, TEXTS), len(TEXTS))
    assert found[True][0] == pytest.approx(found[False][0], rel=1e-4)
    assert found[True][1].keys() == found[False][1].keys()
    for name, gradient in found[False][1].items():
        torch.testing.assert_close(found[True][1][name].cpu(), gradient, rtol=1e-3, atol=1e-3, msg=name)


@pytest.mark.parametrize("config", [MIXED, listening(CNN)], ids=["own encoder", "tok2vec"])
def test_what_a_gpu_has_learnt_a_processor_reads(config: dict[str, Any]) -> None:
    require_gpu(0)
    nlp = make_nlp(config)
    examples = initialize(nlp, TEXTS)
    train(nlp, examples, 60)
    assert min(scores(nlp, examples)) > 0.95
    on_processor = loaded(pipe_of(nlp).to_bytes(), config, gpu=False)
    assert min(scores(on_processor, make_examples(on_processor, TEXTS))) > 0.95


def test_a_batch_too_large_for_the_memory_is_read_in_halves(learnt: bytes) -> None:
    nlp = loaded(learnt, FULL, gpu=True)
    pipe_of(nlp).batch_pieces = 2**30
    texts = [text.text for text in TEXTS] * 500
    torch.cuda.reset_peak_memory_stats()
    expected = [said(doc) for doc in nlp.pipe(texts, batch_size=len(texts))]
    needed = torch.cuda.max_memory_allocated()
    torch.cuda.empty_cache()
    share = 0.6 * needed / torch.cuda.get_device_properties(0).total_memory
    before = torch.cuda.memory_stats()["num_ooms"]
    torch.cuda.set_per_process_memory_fraction(share)
    try:
        found = [said(doc) for doc in nlp.pipe(texts, batch_size=len(texts))]
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert torch.cuda.memory_stats()["num_ooms"] > before
    assert found == expected


def test_a_pipeline_moves_between_devices(learnt: bytes) -> None:
    nlp = loaded(learnt, FULL, gpu=False)
    expected = [said(nlp(text.text)) for text in TEXTS]
    require_gpu(0)
    pipe_of(nlp).model.to_gpu(0)
    assert pipe_of(nlp).shim.device.type == "cuda"
    assert [said(nlp(text.text)) for text in TEXTS] == expected
    require_cpu()
    pipe_of(nlp).model.to_cpu()
    assert [said(nlp(text.text)) for text in TEXTS] == expected
