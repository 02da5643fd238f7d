"""The shared encoder: the untouched model for tokens, one more reader of it for queries."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import (
    BertConfig,
    BertModel,
    ElectraConfig,
    ElectraModel,
    RobertaConfig,
    RobertaModel,
    XLMRobertaConfig,
    XLMRobertaModel,
)  # fmt: skip

from spacy_bispn.nn.dropout import Dropout
from spacy_bispn.nn.encoder import OneWayEncoder, TokenPass
from spacy_bispn.nn.packing import Packed, PackedRows
from spacy_bispn.settings import SettingError

SIZES = {
    "vocab_size": 30, "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2,
    "intermediate_size": 24, "max_position_embeddings": 24, "initializer_range": 0.3,
}  # fmt: skip
MODELS = {
    "bert": lambda: BertModel(BertConfig(**SIZES), add_pooling_layer=False),
    "roberta": lambda: RobertaModel(RobertaConfig(**SIZES), add_pooling_layer=False),
    "xlm-roberta": lambda: XLMRobertaModel(XLMRobertaConfig(**SIZES), add_pooling_layer=False),
    "electra": lambda: ElectraModel(ElectraConfig(**SIZES, embedding_size=16)),
    "narrow electra": lambda: ElectraModel(ElectraConfig(**SIZES, embedding_size=6)),
}
MASK = torch.arange(7) < torch.tensor([[7], [4], [1]])
QUERY_MASK = torch.tensor([[1, 1, 1, 1], [1, 0, 1, 0], [0, 0, 1, 1]]).bool()
each_model = pytest.mark.parametrize("name", MODELS)


def make(name: str, query_layer: int = 0) -> OneWayEncoder:
    torch.manual_seed(7)
    return OneWayEncoder(MODELS[name](), query_layer).eval()


def ids(encoder: OneWayEncoder) -> Tensor:
    drawn = torch.randint(3, 30, MASK.shape, generator=torch.Generator().manual_seed(8))
    return torch.where(MASK, drawn, encoder.model.config.pad_token_id)


def some_queries() -> Tensor:
    return torch.randn(3, 4, 16, generator=torch.Generator().manual_seed(9))


def passed(encoder: OneWayEncoder, tokens: TokenPass, queries: Tensor, there: Tensor = QUERY_MASK) -> Tensor:
    """Padded queries behind the encoder, padded again."""
    rows = PackedRows.of(there)
    return encoder.pass_queries(Packed(rows.pack(queries), rows), tokens).padded


@each_model
def test_token_states_are_those_of_the_untouched_model(name: str) -> None:
    encoder = make(name)
    expected = encoder.model(input_ids=ids(encoder), attention_mask=MASK.long()).last_hidden_state
    found = encoder(ids(encoder), MASK).tokens.states
    assert torch.allclose(found, expected[MASK], atol=1e-5)
    assert found.std() > 0.1


@each_model
def test_a_query_passes_the_same_layers_behind_a_one_way_mask(name: str) -> None:
    """The reference runs transformers' own layers over `[tokens; queries]` at once."""
    encoder = make(name)
    model: Any = encoder.model
    tokens = encoder(ids(encoder), MASK)
    found = passed(encoder, tokens, some_queries())

    embedded = model.embeddings(input_ids=ids(encoder))
    embedded = model.embeddings_project(embedded) if name == "narrow electra" else embedded
    seen = torch.cat([MASK, QUERY_MASK], dim=1)[:, None, :].repeat(1, 11, 1)
    seen[:, :7, 7:] = False  # no token sees a query
    additive = torch.zeros(seen.shape).masked_fill(~seen, torch.finfo(torch.float).min)[:, None]
    states = torch.cat([embedded, some_queries()], dim=1)
    whole = model.encoder(states, attention_mask=additive).last_hidden_state

    assert torch.allclose(found[QUERY_MASK], whole[:, 7:][QUERY_MASK], atol=1e-5)
    assert torch.allclose(tokens.tokens.states, whole[:, :7][MASK], atol=1e-5)
    assert (found - some_queries())[QUERY_MASK].abs().mean() > 0.1


def test_queries_may_enter_at_a_later_layer() -> None:
    encoder = make("bert", query_layer=2)
    model: Any = encoder.model
    tokens = encoder(ids(encoder), MASK)
    assert set(tokens.keys) == {2}, "nobody looks at the layers before"
    found = passed(encoder, tokens, some_queries())
    every = model(input_ids=ids(encoder), attention_mask=MASK.long(), output_hidden_states=True)
    before = every.hidden_states[2]
    seen = torch.cat([MASK, QUERY_MASK], dim=1)[:, None, None, :].expand(-1, -1, 11, -1)
    additive = torch.zeros(seen.shape).masked_fill(~seen, torch.finfo(torch.float).min)
    out = model.encoder.layer[2](torch.cat([before, some_queries()], dim=1), attention_mask=additive)
    whole = out if isinstance(out, Tensor) else out[0]  # a tuple before transformers 5
    assert torch.allclose(found[QUERY_MASK], whole[:, 7:][QUERY_MASK], atol=1e-5)


def test_queries_may_enter_behind_the_encoder() -> None:
    encoder = make("bert", query_layer=-1)
    found = passed(encoder, encoder(ids(encoder), MASK), some_queries())
    assert torch.equal(found[QUERY_MASK], some_queries()[QUERY_MASK])


def test_a_query_sees_the_tokens_and_the_other_queries() -> None:
    encoder = make("bert")
    tokens = encoder(ids(encoder), MASK)
    there = torch.ones_like(QUERY_MASK)
    found = passed(encoder, tokens, some_queries(), there)
    other_text = ids(encoder).clone()
    other_text[:, 0] = 29
    changed = some_queries()
    changed[:, 3] += 1
    moved_by_text = found - passed(encoder, encoder(other_text, MASK), some_queries(), there)
    moved_by_query = found - passed(encoder, tokens, changed, there)
    assert moved_by_text.abs().amin() > 0 and moved_by_query[:, :3].abs().amin() > 0


def learns(module: nn.Module) -> set[str]:
    return {name for name, weight in module.named_parameters() if weight.grad is not None}


def test_a_frozen_encoder_computes_no_gradient_but_lets_that_of_queries_through() -> None:
    encoder = make("bert").train()
    encoder.model.requires_grad_(False)
    assert encoder.frozen()
    queries = some_queries().requires_grad_()
    tokens = encoder(ids(encoder), MASK)
    assert not tokens.tokens.states.requires_grad and not tokens.keys[0].key.requires_grad
    (passed(encoder, tokens, queries)[QUERY_MASK] ** 3).sum().backward()
    assert learns(encoder) == set() and queries.grad.abs().max() > 0.01


def test_an_encoder_that_learns_gets_gradients_from_tokens_and_from_queries_alone() -> None:
    for from_queries in (False, True):
        encoder = make("bert").train()
        assert not encoder.frozen()
        tokens = encoder(ids(encoder), MASK)
        states = tokens.tokens.states
        if from_queries:
            states = passed(encoder, tokens, some_queries())
        (states**3).sum().backward()
        assert learns(encoder) == {name for name, _ in encoder.named_parameters()}


@pytest.mark.parametrize("query_layer", [-2, 3])
def test_an_impossible_query_layer_is_named_with_what_there_is(query_layer: int) -> None:
    expected = (
        rf"query_layer is {query_layer}, expected -1 to 2 with an encoder of 3 layers: give 0 as .*or -1"
    )
    with pytest.raises(SettingError, match=expected):
        make("bert", query_layer)


def test_an_encoder_has_the_cheap_dropout_alone() -> None:
    kinds = {type(layer) for layer in make("bert").modules() if isinstance(layer, nn.Dropout)}
    assert kinds == {Dropout}


def test_dropout_of_the_encoder_works_in_training_only() -> None:
    encoder = make("bert")
    still = [encoder(ids(encoder), MASK).tokens.states for _ in range(2)]
    moving = [encoder.train()(ids(encoder), MASK).tokens.states for _ in range(2)]
    assert torch.equal(*still) and not torch.equal(*moving)
