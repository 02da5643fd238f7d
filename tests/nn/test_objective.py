"""The objective: which losses there are, what weighs them, and what they teach."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from builders import make_targets, random_outputs, sure_spans
from spacy.util import registry
from thinc.config import ConfigValidationError
from torch import Tensor

from spacy_bispn.nn.assignment import Assignment
from spacy_bispn.nn.objective import LOSSES, WEIGHT, Loss, Losses, Objective, loss
from spacy_bispn.nn.shapes import NULL, Candidates, Outputs, Proposals, Targets
from spacy_bispn.settings import SettingError, default_of, settings_of

TWO_ENTITIES = [(0, 0, 1), (2, 3, 2)]
POSITIONS = 5
IN_PAPER = {"related_entities": "hard", "argument_queries": "all", "reduction": "mean"}


def answering(entities: list[tuple[int, int, int]], relations: list[tuple[int, int, int]]) -> Outputs:
    """One text's outputs, certain of what each query says; relations name places among `entities`."""
    arguments = [[entities[ends[side]] for ends in relations] for side in (0, 1)]
    return Outputs(
        entity=sure_spans(entities, POSITIONS),
        head=sure_spans(arguments[0], POSITIONS),
        tail=sure_spans(arguments[1], POSITIONS),
        relation=20.0 * torch.eye(3)[[kind for _, _, kind in relations]][None],
        entity_mask=torch.ones(1, len(entities)).bool(),
        relation_mask=torch.ones(1, len(relations)).bool(),
        has_relation=torch.randn(1, len(entities)),
        link=torch.randn(1, len(entities), len(relations)),
    )


def some_outputs(entities: int = 4, relations: int = 3, seed: int = 3) -> Outputs:
    torch.manual_seed(seed)
    masks = (torch.ones(2, n).bool() for n in (entities, relations, POSITIONS))
    return random_outputs(*masks)


def side_by_side(*records: Any) -> Any:
    """The batches of some records, one after the other."""
    if isinstance(records[0], Tensor):
        return torch.cat(records)
    return type(records[0])(
        *(None if part[0] is None else side_by_side(*part) for part in zip(*records, strict=True))
    )


def some_targets() -> Targets:
    return make_targets([TWO_ENTITIES, [(1, 1, 3)]], [[(0, 1, 2), (1, 0, 1)], []])


def link_targets(objective: Objective, out: Outputs, gold: Targets) -> Tensor:
    """What linking is taught: its gradient is the probability minus the target."""
    link = out.link.clone().requires_grad_()
    objective(out._replace(link=link), None, gold).parts["linking"].backward()
    return (link.sigmoid() - link.grad).round().detach()[0].int()


def relation_takers(objective: Objective, out: Outputs, gold: Targets) -> list[int]:
    """What has-relation is taught, read off its gradient likewise."""
    logits = out.has_relation.clone().requires_grad_()
    objective(out._replace(has_relation=logits), None, gold).parts["consistency"].backward()
    return (logits.sigmoid() - logits.grad).round().detach()[0].int().tolist()


@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [
        ("alpha", -1.0, "a number (0 to 1000000)"),
        ("beta", float("nan"), "a number (0 to 1000000)"),
        ("proposals", -0.1, "a number (0 to 1000000)"),
        ("null_weight", -1.0, "a number (0 to 1000000)"),
        ("null_weight", "even", "a number (0 to 1000000)"),
        ("related_entities", "most", 'one of "soft", "hard"'),
        ("argument_queries", "some", 'one of "matched", "all"'),
        ("reduction", "average", 'one of "sum", "mean"'),
    ],
)
def test_an_impossible_setting_is_named_with_its_value_and_a_way_out(
    setting: str, value: object, expected: str
) -> None:
    with pytest.raises(SettingError) as error:
        Objective(**{setting: value})
    assert str(error.value).startswith(f"{setting} is {value!r}, expected {expected}: the default is ")


def test_zero_is_a_weight() -> None:
    Objective(alpha=0, beta=0, null_weight=0, proposals=0)


def test_spacy_fills_in_what_a_config_leaves_out() -> None:
    block = {"objective": {"@misc": "spacy-bispn.Objective.v1", "beta": 0.5}}
    filled = registry.fill(block, validate=True)["objective"]
    defaults = {each.name: default_of(each) for each in settings_of(Objective)}
    assert filled == {"@misc": "spacy-bispn.Objective.v1", **defaults, "beta": 0.5}
    assert registry.resolve(block, validate=True)["objective"] == Objective(beta=0.5)
    wrong = {"objective": {"@misc": "spacy-bispn.Objective.v1", "beta": "perhaps"}}
    with pytest.raises(ConfigValidationError, match="beta"):
        registry.resolve(wrong, validate=True)


# Links


def test_an_entity_query_is_linked_to_the_relations_its_entity_is_an_end_of() -> None:
    out = answering([*TWO_ENTITIES, (4, 4, 3)], [(1, 0, 1), (2, 2, 2)])
    gold = make_targets([[TWO_ENTITIES[1], (4, 4, 3), TWO_ENTITIES[0]]], [[(0, 2, 1), (1, 1, 2)]])
    assert link_targets(Objective(), out, gold).tolist() == [[1, 0], [1, 0], [0, 1]]


def test_an_entity_of_a_relation_takes_part_in_one() -> None:
    out = answering([*TWO_ENTITIES, (4, 4, 3), (4, 4, NULL)], [(1, 0, 2)])
    gold = make_targets([[*TWO_ENTITIES, (4, 4, 3)]], [[(1, 0, 2)]])
    assert relation_takers(Objective(), out, gold) == [1, 1, 0, 0]


def test_unmatched_queries_are_linked_to_nothing() -> None:
    out = answering([*TWO_ENTITIES, (4, 4, NULL)], [(0, 1, 2), (2, 2, NULL)])
    gold = make_targets([TWO_ENTITIES], [[(0, 1, 2)]])
    assert link_targets(Objective(), out, gold).tolist() == [[1, 0], [1, 0], [0, 0]]
    nothing = make_targets([[]], [[]])
    assert not link_targets(Objective(), out, nothing).any()
    assert relation_takers(Objective(), out, nothing) == [0, 0, 0]


# Parts and weights


def test_the_total_is_the_weighted_sum_of_its_parts() -> None:
    result = Objective(alpha=0.5, beta=0.25)(some_outputs(), None, some_targets())
    weights = {"consistency": 0.5, "linking": 0.25}
    assert set(result.parts) >= {
        "entity_type", "entity_boundary", "relation_type", "argument_type", "argument_boundary",
        "consistency", "linking",
    }  # fmt: skip
    other = {name: weight for name, weight in Objective().weights.items() if name not in weights}
    expected = sum(float(value) * {**other, **weights}[name] for name, value in result.parts.items())
    assert result.total.item() == pytest.approx(expected)


def test_proposals_of_weight_zero_are_left_out() -> None:
    proposals = Proposals(*[Candidates(torch.randn(2, 2, 3, 3), *[torch.ones(2, 2, 3, 3).bool()] * 2)] * 2)
    parts = [Objective(proposals=x)(some_outputs(), proposals, some_targets()).parts for x in (1.0, 0.0)]
    assert parts[0].keys() - parts[1].keys() == {"proposals"}


@pytest.mark.parametrize(("weight", "part"), [("alpha", "consistency"), ("beta", "linking")])
def test_a_weight_of_zero_switches_its_part_off(weight: str, part: str) -> None:
    with_it = Objective()(some_outputs(), None, some_targets())
    without = Objective(**{weight: 0.0})(some_outputs(), None, some_targets())
    assert set(with_it.parts) - set(without.parts) == {part}
    expected = with_it.total.item() - 1e-4 * with_it.parts[part].item()
    assert without.total.item() == pytest.approx(expected, rel=1e-9)


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> dict[str, Loss]:
    """The table of losses, to which a test may add."""
    copy = dict(LOSSES)
    monkeypatch.setattr("spacy_bispn.nn.objective.LOSSES", copy)
    return copy


def one_each(settings: Objective, assigned: Assignment) -> Tensor:
    """A made-up loss: the number of relation queries."""
    return assigned.out.relation_mask.sum().float()


@pytest.mark.parametrize(("weight", "expected"), [("beta", 0.25), (2.5, 2.5)])
def test_a_loss_in_the_table_is_weighted_and_added(
    weight: str | float, expected: float, table: dict[str, Loss]
) -> None:
    settings = Objective(beta=0.25)
    before = settings(some_outputs(), None, some_targets())
    assert loss(weight=weight)(one_each) is one_each
    after = settings(some_outputs(), None, some_targets())
    assert after.parts["one_each"].item() == 6 and list(table)[-1] == "one_each"
    assert after.total.item() == pytest.approx(before.total.item() + 6 * expected)


def test_a_loss_without_a_weight_is_an_error_where_it_is_defined(table: dict[str, Loss]) -> None:
    with pytest.raises(TypeError, match="weight"):
        loss()  # type: ignore[call-arg]
    for weight in ("gamma", "reduction", 0.0, None):
        with pytest.raises(ValueError) as error:
            loss(weight=weight)(one_each)  # type: ignore[arg-type]
        assert f"the loss one_each has the weight {weight!r}, expected one of " in str(error.value)
        assert "alpha, beta, proposals or a number above 0: add a setting" in str(error.value)
    loss(weight="alpha")(one_each)
    with pytest.raises(ValueError, match="the loss one_each is there already, expected another name: rename"):
        loss(weight="alpha")(one_each)
    assert table.keys() - LOSSES.keys() == {"one_each"}


def test_every_weight_of_the_table_can_be_seen_and_every_weight_setting_has_a_loss() -> None:
    named = {each.weight for each in LOSSES.values() if isinstance(each.weight, str)}
    assert named == {each.name for each in settings_of(Objective) if each.metadata["values"] is WEIGHT}


def test_full_weight_raises_all_weights_but_those_that_are_zero(table: dict[str, Loss]) -> None:
    loss(weight=1e-6)(one_each)
    small = Objective(alpha=1e-4, beta=0.0, proposals=3.0, reduction="mean")
    full = small.at_full_weight()
    assert full.weights == {name: float(name != "linking") for name in table}
    assert isinstance(full, Objective) and (full.reduction, full.null_weight) == ("mean", 1.0)
    result = full(some_outputs(), None, some_targets())
    assert result.total.item() == pytest.approx(sum(float(value) for value in result.parts.values()))


def test_every_supervised_layer_is_matched_by_itself_and_adds_its_losses() -> None:
    layers, gold = [some_outputs(entities=1, seed=seed) for seed in (3, 4, 5)], some_targets()
    alone = [Objective()(out, None, gold) for out in layers]
    together = Objective()(side_by_side(*layers), None, gold)
    assert together.total.item() == pytest.approx(sum(result.total.item() for result in alone))
    assert together.surplus == alone[-1].surplus == 1  # gold is counted once, not once a layer


def test_proposals_have_a_weight_of_their_own() -> None:
    logits = torch.randn(2, 2, 3, 3)
    gold, valid = logits > 0.5, logits < 1
    proposals = Proposals(*[Candidates(logits, gold, valid)] * 2)
    without = Objective(proposals=3.0)(some_outputs(), None, some_targets())
    with_them = Objective(proposals=3.0)(some_outputs(), proposals, some_targets())
    expected = without.total.item() + 3 * with_them.parts["proposals"].item()
    assert with_them.total.item() == pytest.approx(expected) and with_them.parts["proposals"] > 0


def test_the_null_weight_scales_unmatched_queries_only() -> None:
    def types(null_weight: float) -> float:
        objective = Objective(null_weight=null_weight)
        return objective(some_outputs(), None, some_targets()).parts["entity_type"].item()

    assert types(0.0) > 0
    assert types(0.5) - types(0.0) == pytest.approx((types(1.0) - types(0.0)) / 2)
    assert types(1.0) > types(0.5)


@pytest.mark.parametrize(
    ("queries", "null_weight", "taught"),
    # as many as there are gold relations, or relation queries
    [("matched", 1.0, [2, 0]), ("all", 1.0, [3, 3]), ("all", 0.0, [2, 0])],
)
def test_which_relation_queries_teach_a_type_to_their_ends(
    queries: str, null_weight: float, taught: list[int]
) -> None:
    out = some_outputs()
    kind = out.head.type.clone().requires_grad_()
    objective = Objective(alpha=0.0, beta=0.0, null_weight=null_weight, argument_queries=queries)
    result = objective(out._replace(head=out.head._replace(type=kind)), None, some_targets())
    result.parts["argument_type"].backward()
    assert kind.grad.any(-1).sum(1).tolist() == taught


def test_certain_and_right_outputs_cost_next_to_nothing() -> None:
    out = answering(TWO_ENTITIES, [(0, 1, 2)])
    right = make_targets([TWO_ENTITIES], [[(0, 1, 2)]])
    wrong = make_targets([[(0, 1, 1), (2, 3, 3)]], [[(1, 0, 2)]])
    alike = Objective(alpha=0.0, beta=0.0)
    assert alike(out, None, right).total < 1e-6
    assert alike(out, None, wrong).total > 50


@pytest.mark.parametrize("settings", [{}, IN_PAPER], ids=["default", "paper"])
def test_a_batch_costs_as_much_as_its_texts(settings: dict[str, str]) -> None:
    out, gold = some_outputs(), some_targets()
    objective = Objective(null_weight=0.2, alpha=1.0, beta=1.0, **settings)

    def text(number: int, record: tuple) -> tuple:
        def cut(x: Any) -> Any:
            return text(number, x) if isinstance(x, tuple) else x if x is None else x[number : number + 1]

        return type(record)(*map(cut, record))

    alone = [objective(text(number, out), None, text(number, gold)).total.item() for number in (0, 1)]
    assert objective(out, None, gold).total.item() == pytest.approx(sum(alone))


def test_a_batch_without_gold_has_a_finite_loss_and_gradient() -> None:
    out = some_outputs()
    kind = out.entity.type.clone().requires_grad_()
    nothing = make_targets([[], []], [[], []])
    result = Objective(**IN_PAPER)(out._replace(entity=out.entity._replace(type=kind)), None, nothing)
    result.total.backward()
    assert result.total.isfinite() and kind.grad.isfinite().all() and kind.grad.any()
    assert result.surplus == 0


def scaled(record: tuple, scale: float, leaves: list[Tensor]) -> tuple:
    """The same outputs in single precision, their logits multiplied; those with a gradient are collected."""

    def one(value: tuple | Tensor | None) -> tuple | Tensor | None:
        if isinstance(value, tuple):
            return scaled(value, scale, leaves)
        if value is None or not value.is_floating_point():
            return value
        leaves.append((value * scale).float().requires_grad_())
        return leaves[-1]

    return type(record)(*map(one, record))


@pytest.mark.parametrize("scale", [1e-30, 1e4, 1e30])
def test_extreme_logits_have_a_finite_loss_and_gradient(scale: float) -> None:
    leaves: list[Tensor] = []
    out = scaled(some_outputs(), scale, leaves)
    objective = Objective(alpha=1.0, beta=1.0)
    for gold in (some_targets(), make_targets([[], []], [[], []])):
        total = objective(out, None, gold).total
        total.backward()
        assert total.isfinite()
    assert all(leaf.grad is not None and not leaf.grad.isnan().any() for leaf in leaves)


# Surplus


def surplus(objective: Objective, entities: int, relations: int) -> Losses:
    return objective(some_outputs(entities=entities, relations=relations), None, some_targets())


def test_gold_without_a_query_is_counted() -> None:
    assert surplus(Objective(), 4, 3).surplus == 0
    assert surplus(Objective(), 1, 3).surplus == 1  # two entities, one query
    assert surplus(Objective(), 1, 1).surplus == 2
