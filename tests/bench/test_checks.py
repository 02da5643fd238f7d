"""What the bench refuses: batches that say, or teach, something else than their texts one by one."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pipelines import demo_texts, initialize, make_examples, make_nlp, said, tiny
from spacy.language import Language
from spacy.tokens import Doc

from spacy_bispn.bench.checks import bispn_of, check_answers, check_steps, disagreement
from spacy_bispn.evaluation.scoring import Pair
from spacy_bispn.model.shim import Precision
from spacy_bispn.nn.assignment import Assignment
from spacy_bispn.nn.objective import LOSSES, Loss, Objective
from spacy_bispn.nn.packing import PackedRows
from spacy_bispn.records import Entity, Extraction


def test_answers_that_depend_on_the_batch_are_refused(nlp: Language, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [text.text for text in demo_texts(8)]
    assert any(entities for entities, _ in (said(nlp(text)) for text in texts))
    check_answers(nlp, texts, 4)
    monkeypatch.setattr(type(nlp), "pipe", lambda self, texts, batch_size: (self.make_doc(t) for t in texts))
    with pytest.raises(ValueError, match=r"in batches of 4 the text '.*has None as score of .*, expected"):
        check_answers(nlp, texts, 4)


def test_what_only_batches_find_is_refused(nlp: Language, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [text.text for text in demo_texts(8)]
    alone = type(nlp).__call__
    monkeypatch.setattr(type(nlp), "__call__", lambda self, text: self.make_doc(text))
    monkeypatch.setattr(type(nlp), "pipe", lambda self, texts, batch_size: (alone(self, t) for t in texts))
    with pytest.raises(ValueError, match=r"in batches of 4 the text '.*has .* as score of .*, expected None"):
        check_answers(nlp, texts, 4)


def test_where_nothing_is_found_all_answers_in_fewer_bits_agree() -> None:
    nothing, some = Extraction(), Extraction((Entity(0, 1, "CELL"),))
    assert disagreement([Pair(nothing, nothing)]) is None
    assert disagreement([Pair(some, some)]) is None
    assert disagreement([Pair(nothing, some)]) == (
        "the answers agree with those alone by {'ents_f': 0.0}, expected F1 of 0.9"
    )


def test_answers_in_fewer_bits_are_held_against_those_alone_by_f1(
    nlp: Language, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [text.text for text in demo_texts(8)]
    monkeypatch.setattr(bispn_of(nlp).shim, "precision", Precision(False, "bf16"))
    check_answers(nlp, texts, 4)
    monkeypatch.setattr(type(nlp), "pipe", lambda self, texts, batch_size: (self.make_doc(t) for t in texts))
    with pytest.raises(ValueError, match=r"in batches of 4 the answers agree .*'ents_f': 0.0.*, expected F1"):
        check_answers(nlp, texts, 4)


@pytest.fixture
def dropout(proposing: Language, monkeypatch: pytest.MonkeyPatch) -> list[torch.nn.Dropout]:
    """The dropout layers of the pipeline, which drop a fifth."""
    found = [x for x in bispn_of(proposing).shim.require().modules() if isinstance(x, torch.nn.Dropout)]
    for module in found:
        monkeypatch.setattr(module, "p", 0.2)
    return found


def docs_of(nlp: Language) -> list[Doc]:
    return [example.reference for example in make_examples(nlp, demo_texts(8))]


def test_steps_teach_what_texts_one_by_one_teach_and_change_nothing(
    proposing: Language, dropout: list[torch.nn.Dropout]
) -> None:
    pipe = bispn_of(proposing)
    network = pipe.shim.require()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    kept = pipe.frozen_epochs, pipe.shim.epoch, pipe.objective
    check_steps(proposing, docs_of(proposing))
    assert (pipe.frozen_epochs, pipe.shim.epoch, pipe.objective) == kept
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(x.grad is None and x.requires_grad for x in network.parameters())
    assert {module.p for module in dropout} == {0.2}


def test_the_paper_s_form_teaches_what_its_texts_teach() -> None:
    paper = {"queries": "learned", "query_layer": 0, "pointer": "additive", "predictors": "separate"}
    nlp = make_nlp(tiny({**paper, "shared_layers": 2}))
    initialize(nlp, demo_texts(16))
    bispn_of(nlp).objective = Objective(related_entities="hard", argument_queries="all", reduction="mean")
    check_steps(nlp, docs_of(nlp))


class Steeper(torch.autograd.Function):
    """What it is given, with a gradient that is ten percent larger."""

    @staticmethod
    def forward(_: Any, states: torch.Tensor) -> torch.Tensor:
        return states.clone()

    @staticmethod
    def backward(_: Any, gradient: torch.Tensor) -> torch.Tensor:
        return 1.1 * gradient


def test_gradients_that_depend_on_the_batch_are_refused(
    proposing: Language, monkeypatch: pytest.MonkeyPatch
) -> None:
    pad = PackedRows.pad
    monkeypatch.setattr(
        PackedRows, "pad",
        lambda self, rows: Steeper.apply(pad(self, rows)) if len(self.mask) > 1 else pad(self, rows),
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"a gradient differs by 0\.\d+, expected no more than 0\.001"):
        check_steps(proposing, docs_of(proposing))


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_is_checked(proposing: Language, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Each loss of the table, however small its weight, is missed where a batch of several texts lacks it."""
    kept, pipe = LOSSES[name], bispn_of(proposing)
    settings = {each.weight for each in LOSSES.values() if isinstance(each.weight, str)}
    monkeypatch.setattr(pipe, "objective", Objective(**dict.fromkeys(settings, 1e-9)))

    def missing(settings: Objective, assigned: Assignment) -> torch.Tensor:
        return kept.compute(settings, assigned) * (len(assigned.out.relation) == layers)

    layers = pipe.shim.require().supervised_layers
    monkeypatch.setitem(LOSSES, name, Loss(missing, kept.weight))
    with pytest.raises(ValueError, match="a fast path that changes what is learnt"):
        check_steps(proposing, docs_of(proposing))


def test_losses_that_depend_on_the_batch_are_refused(
    proposing: Language, dropout: list[torch.nn.Dropout], monkeypatch: pytest.MonkeyPatch
) -> None:
    pad = PackedRows.pad
    monkeypatch.setattr(
        PackedRows, "pad", lambda self, rows: pad(self, rows) * (1 + 0.1 * (len(self.mask) > 1))
    )
    said = r"a batch of 8 has the loss .*, its texts one by one .*, expected no more than 0.001: a fast path"
    with pytest.raises(ValueError, match=said):
        check_steps(proposing, docs_of(proposing))
    assert {module.p for module in dropout} == {0.2}
