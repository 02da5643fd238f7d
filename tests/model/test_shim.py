"""The seam between thinc and torch: what is saved and refused, steps of optimizers, vectors and gradients."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import spacy
import torch
from pipelines import (
    CNN,
    demo_texts,
    initialize,
    listening,
    make_examples,
    make_nlp,
    make_text,
    optimizer,
    pipe_of,
    said,
    tiny,
)
from spacy.language import Language
from thinc.api import SGD

from spacy_bispn.model.doc_batch import DocBatch
from spacy_bispn.model.shim import NetworkShim, Precision
from spacy_bispn.model.skip_init import SkipInit
from spacy_bispn.model.windowing import WindowSettings
from spacy_bispn.nn.shapes import Outputs
from spacy_bispn.safetensors_io import pack, unpack
from spacy_bispn.settings import SettingError

PAIR = make_text("Tem2 binds Dal92.", [("Tem2", "P"), ("Dal92", "P")], [(0, 1, "BINDS")])


def ready(config: dict[str, Any] | None = None) -> Language:
    nlp = make_nlp(config)
    initialize(nlp, [PAIR])
    return nlp


def shim_of(nlp: Language) -> NetworkShim:
    return pipe_of(nlp).shim


Parts = tuple[dict[str, Any], dict[str, torch.Tensor]]


def saved(nlp: Language) -> Parts:
    return unpack(shim_of(nlp).to_bytes())


def weights(shim: NetworkShim) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in shim.require().state_dict().items()}


def test_what_is_saved_is_plain_values_and_tensors() -> None:
    values, tensors = saved(ready())
    assert values["sizes"][1:] == [1, 1]
    assert values["encoder"]["config"]["model_type"] == "bert"
    assert {type(value) for value in values.values()} <= {int, float, list, dict}
    assert tensors.keys() == shim_of(ready()).require().state_dict().keys()


def test_the_epoch_is_saved_so_that_training_can_go_on() -> None:
    nlp, other = ready(), ready()
    pipe_of(nlp).update(initialize(nlp, [PAIR]))
    shim_of(other).from_bytes(shim_of(nlp).to_bytes())
    assert shim_of(other).epoch == 1.0


def too_few(values: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
    del tensors["relation_type.bias"]


def more_labels(values: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
    values["sizes"][1] += 1


def no_sizes(values: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
    del values["sizes"]


@pytest.mark.parametrize(
    ("damage", "words"),
    [(too_few, "Missing key"), (more_labels, "size mismatch"), (no_sizes, "KeyError: 'sizes'")],
)
def test_damaged_bytes_are_refused_and_nothing_changes(damage: Any, words: str) -> None:
    nlp = ready()
    before, parts = weights(shim_of(nlp)), saved(ready())
    damage(*parts)
    with pytest.raises(ValueError) as error:
        shim_of(nlp).from_bytes(pack(*parts))
    for part in ("weights do not fit", words, "expected the tensors", "load them with the config"):
        assert part in str(error.value)
    assert all(torch.equal(value, before[name]) for name, value in weights(shim_of(nlp)).items())
    assert nlp(PAIR.text).text == PAIR.text


def test_loading_draws_no_random_numbers() -> None:
    data, other = shim_of(ready()).to_bytes(), ready()
    torch.manual_seed(3)
    shim_of(other).from_bytes(data)
    after = torch.rand(3)
    assert torch.equal(after, torch.rand(3, generator=torch.Generator().manual_seed(3)))
    assert shim_of(other).to_bytes() == data


@pytest.mark.parametrize("bounds", [(-2.0, 2.0), (1.0, 2.0)])
def test_a_skipped_initialization_ends_whatever_was_in_memory(bounds: tuple[float, float]) -> None:
    torch.full((64, 64), 1e9)  # memory that is likely to be used again
    with SkipInit():
        layer = torch.nn.Linear(64, 64)
        torch.nn.init.normal_(layer.weight)
        half = torch.nn.Embedding(64, 64, dtype=torch.bfloat16)
        others = torch.empty_like(layer.weight), layer.weight.new_empty(64, 64)
        assert not any(x.any() for x in (layer.weight, layer.bias, half.weight, *others))
        torch.nn.init.trunc_normal_(layer.weight, std=1.0, a=bounds[0], b=bounds[1])
    assert layer.weight.abs().max() <= bounds[1] and half.weight.dtype == torch.bfloat16


def test_weights_of_another_config_are_refused() -> None:
    data = shim_of(ready(tiny({"feedforward": 64}))).to_bytes()
    with pytest.raises(ValueError, match=r"(?s)do not fit the model of this config.*load them"):
        shim_of(make_nlp(tiny({"feedforward": 32}))).from_bytes(data)


def test_bytes_cut_short_are_refused() -> None:
    nlp = ready()
    with pytest.raises(ValueError):
        shim_of(nlp).from_bytes(shim_of(nlp).to_bytes()[:-1000])
    assert nlp(PAIR.text).text == PAIR.text


def test_our_optimizer_takes_the_whole_network_in_one_step(monkeypatch: pytest.MonkeyPatch) -> None:
    nlp, sgd = ready(), optimizer()
    steps = []
    step = sgd.step_module
    monkeypatch.setattr(sgd, "step_module", lambda *args, **at: (steps.append(args[2]), step(*args, **at)))
    for _ in range(2):
        pipe_of(nlp).update(initialize(nlp, [PAIR]) if not steps else [], sgd=sgd)
    assert steps == [1.0, 1.0], "the schedule goes by passes over the training data"


def learnt(config: dict[str, Any] | None = None) -> tuple[Language, Any]:
    """A pipeline after some steps, and their optimizer."""
    nlp, sgd = ready(config), optimizer()
    for _ in range(3):
        nlp.update(make_examples(nlp, [PAIR]), sgd=sgd)
    return nlp, sgd


def test_averages_are_used_and_saved_and_put_away_again(tmp_path: Path) -> None:
    nlp, sgd = learnt()
    shim = shim_of(nlp)
    last, averages = weights(shim), {name: x.clone() for name, x in sgd.averages[shim.id].items()}
    with pytest.raises(KeyError), nlp.use_params(sgd.averages):
        nlp.to_disk(tmp_path)
        assert averages and all(torch.equal(x, weights(shim)[name]) for name, x in averages.items())
        raise KeyError("whatever may happen")
    assert all(torch.equal(x, weights(shim)[name]) for name, x in last.items())
    assert not all(torch.equal(x, last[name]) for name, x in averages.items())
    loaded = weights(shim_of(spacy.load(tmp_path)))
    assert all(torch.equal(x, loaded[name]) for name, x in averages.items())
    nlp.update(make_examples(nlp, [PAIR]), sgd=sgd)
    assert not all(torch.equal(x, weights(shim)[name]) for name, x in last.items()), "training goes on"


def test_averages_of_other_networks_and_of_earlier_labels_are_not_used() -> None:
    nlp, sgd = learnt()
    shim = shim_of(nlp)
    averages = sgd.averages[shim.id]
    other = ready()
    for params in ({}, sgd.averages):
        before = weights(shim_of(other))
        with other.use_params(params):
            assert all(torch.equal(x, before[name]) for name, x in weights(shim_of(other)).items())

    shim.grow(4, 2)
    grown = weights(shim)
    with nlp.use_params(sgd.averages):
        nlp(PAIR.text)
        now = weights(shim)
    changed = {name for name, x in grown.items() if not torch.equal(x, now[name])}
    fits = {name for name, x in averages.items() if x.shape == grown[name].shape}
    assert changed <= fits < {*averages} and len(changed) > 9

    shim.from_bytes(shim_of(other).to_bytes())
    with nlp.use_params(sgd.averages):
        assert all(torch.equal(x, before[name]) for name, x in weights(shim).items()), "loaded since"


def test_training_inside_goes_on_with_the_last_weights() -> None:
    nlp, sgd = learnt()
    shim = shim_of(nlp)
    last = weights(shim)
    left_open = nlp.use_params(sgd.averages)
    left_open.__enter__()  # such as one whose exception is still held
    assert not all(torch.equal(x, last[name]) for name, x in weights(shim).items())
    batch = DocBatch(pipe_of(nlp).model, [nlp.make_doc(PAIR.text)], is_train=True)
    shim.begin_update(batch.inputs([0]))
    assert all(torch.equal(x, last[name]) for name, x in weights(shim).items())
    with nlp.use_params(sgd.averages):
        inside = weights(shim)
        left_open.__exit__(None, None, None)
        assert all(torch.equal(x, inside[name]) for name, x in weights(shim).items())
    assert all(torch.equal(x, last[name]) for name, x in weights(shim).items())


def test_what_listens_has_no_averages() -> None:
    _, sgd = learnt(listening(CNN))
    assert sgd.averages == {}


def test_another_optimizer_steps_parameter_by_parameter() -> None:
    nlp = ready()
    shim = shim_of(nlp)
    before = weights(shim)
    pipe_of(nlp).update(initialize(nlp, [PAIR]))
    before = weights(shim)
    gradients = {name: weight.grad.clone() for name, weight in shim.require().named_parameters()}
    shim.finish_update(SGD(0.1, L2=0.0, grad_clip=0.0, use_averages=False))
    after = dict(shim.require().named_parameters())
    for name, gradient in gradients.items():
        torch.testing.assert_close(after[name].data, before[name] - 0.1 * gradient, msg=name)
    assert all(weight.grad is None for weight in after.values())


def test_no_optimizer_takes_gradients_that_are_no_numbers() -> None:
    nlp = ready()
    pipe_of(nlp).update(initialize(nlp, [PAIR]))
    before = weights(shim_of(nlp))
    next(shim_of(nlp).require().parameters()).grad.fill_(torch.nan)
    with pytest.raises(FloatingPointError, match=r"have the norm nan, expected a finite number: lower the"):
        shim_of(nlp).finish_update(SGD(0.1))
    assert all(torch.equal(value, before[name]) for name, value in weights(shim_of(nlp)).items())


def test_the_device_is_where_the_network_is_whatever_holds_in_another_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nlp = ready()
    before = said(nlp(PAIR.text))
    monkeypatch.setattr("spacy_bispn.model.shim.get_torch_default_device", lambda: torch.device("meta"))
    assert said(nlp(PAIR.text)) == before


@pytest.mark.parametrize(("capability", "exact"), [((7, 5), True), ((8, 0), False), ((9, 0), False)])
def test_gpus_without_bf16_compute_in_32_bits(
    capability: tuple[int, int], exact: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NetworkShim, "device", torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    shim = NetworkShim(lambda *sizes: None, Precision(True, "full"), WindowSettings(16, 4))
    assert shim.exact is exact


def test_attention_plans_no_kernel_for_every_new_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    nlp, allowed = ready(), []
    torch.backends.cuda.enable_cudnn_sdp(True)
    attention = torch.nn.functional.scaled_dot_product_attention

    def noted(*args: Any, **kwargs: Any) -> torch.Tensor:
        allowed.append(torch.backends.cuda.cudnn_sdp_enabled())
        return attention(*args, **kwargs)

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", noted)
    pipe_of(nlp).update(make_examples(nlp, [PAIR]))
    nlp(PAIR.text)
    assert allowed and not any(allowed)
    assert torch.backends.cuda.cudnn_sdp_enabled(), "others keep what they had"


def test_a_step_without_gradients_changes_nothing() -> None:
    shim = shim_of(ready())
    before = weights(shim)
    for sgd in (optimizer(), SGD(0.1)):
        shim.finish_update(sgd)
    assert all(torch.equal(value, before[name]) for name, value in weights(shim).items())


def test_mixed_precision_needs_a_gpu_to_matter() -> None:
    nlp = ready(tiny({"mixed_precision": True}))
    examples = initialize(nlp, [PAIR])
    mixed, plain = [], []
    for found, flag in ((mixed, True), (plain, False)):
        shim_of(nlp).precision = Precision(flag, "full")
        found += [said(nlp(PAIR.text)), pipe_of(nlp).update(examples)]
    if shim_of(nlp).device.type == "cpu":
        assert mixed == plain


def at_precision(nlp: Language, on_cpu: str) -> Outputs:
    """What the network says of a sentence, without thresholds."""
    shim = shim_of(nlp)
    shim.precision = Precision(False, on_cpu)
    batch = DocBatch(pipe_of(nlp).model, [nlp.make_doc(PAIR.text)], is_train=False)
    return batch.outputs([0], 0.0, 0.0)


@pytest.mark.parametrize("config", [tiny(), listening(CNN)])
@pytest.mark.parametrize(("on_cpu", "off"), [("bf16", 0.05), ("int8", 0.1)])
def test_fewer_bits_on_a_cpu_say_nearly_the_same(config: dict[str, Any], on_cpu: str, off: float) -> None:
    nlp = ready({**config, "model": {**config["model"], "queries": "learned"}})
    full, reduced = at_precision(nlp, "full"), at_precision(nlp, on_cpu)
    assert full.relation.dtype == reduced.relation.dtype == torch.float32
    assert not torch.equal(full.relation, reduced.relation)
    for one, other in ((full.entity.type, reduced.entity.type), (full.relation, reduced.relation)):
        torch.testing.assert_close(other.softmax(-1), one.softmax(-1), atol=off, rtol=0.0)


def test_eight_bits_follow_the_weights() -> None:
    nlp = ready(tiny({"queries": "learned"}))
    examples, kept = make_examples(nlp, [PAIR]), shim_of(nlp).to_bytes()
    before = at_precision(nlp, "int8").relation
    pipe_of(nlp).update(examples, sgd=optimizer())
    after = at_precision(nlp, "int8").relation
    shim_of(nlp).from_bytes(kept)
    assert not torch.equal(after, before)
    torch.testing.assert_close(at_precision(nlp, "int8").relation, before)


def test_eight_bits_follow_the_averages() -> None:
    nlp, sgd = learnt(tiny({"cpu_precision": "int8"}))
    shim = shim_of(nlp)
    nlp(PAIR.text)
    own = shim.quantized
    with nlp.use_params(sgd.averages):
        nlp(PAIR.text)
        averaged = shim.quantized
    nlp(PAIR.text)
    assert own and averaged and shim.quantized and len({id(own), id(averaged), id(shim.quantized)}) == 3


def test_eight_bits_copy_no_other_weights() -> None:
    nlp = ready()
    at_precision(nlp, "int8")
    shim = shim_of(nlp)
    own = {weight.data_ptr() for weight in shim.require().parameters()}
    assert shim.quantized is not None
    assert own >= {weight.data_ptr() for weight in shim.quantized.parameters()}
    assert all(type(weight) is torch.nn.Parameter for weight in shim.require().parameters())


def test_an_unknown_precision_is_refused() -> None:
    expected = """cpu_precision is 'int4', expected one of "full", "bf16", "int8": the default is "full"."""
    with pytest.raises(SettingError, match=f"^{re.escape(expected)}$"):
        make_nlp(tiny({"cpu_precision": "int4"}))


def test_a_network_without_weights_says_what_to_do() -> None:
    with pytest.raises(
        ValueError, match=r"no weights yet, expected .*nlp.initialize\(get_examples\) or load"
    ):
        shim_of(make_nlp()).require()


def test_gradients_of_overlapping_windows_add_up_on_their_tokens() -> None:
    nlp = make_nlp(listening(CNN))
    pipe = pipe_of(nlp)
    initialize(nlp, demo_texts(2))
    pipe.shim.windowing = WindowSettings(8, 3)
    doc = nlp.make_doc(" ".join("abcdefghijkl"))
    docs = DocBatch(pipe.model, [doc], is_train=True)
    batch = list(range(len(docs.windows)))
    assert [window.ids.tolist() for window in docs.windows] == [[*range(8)], [*range(5, 12)]]
    inputs = docs.inputs(batch)
    assert inputs.ids is None and inputs.vectors is not None and docs.vectors is not None
    torch.testing.assert_close(inputs.vectors[1, :7], torch.as_tensor(docs.vectors.vectors[0][5:12]))
    docs.add_gradient(batch, torch.ones_like(inputs.vectors))
    assert docs.vectors.gradient[0][:, 0].tolist() == [1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1]
    before = pipe.model.get_ref("tok2vec").to_bytes()
    docs.backprop()
    pipe.model.finish_update(SGD(0.1))
    assert pipe.model.get_ref("tok2vec").to_bytes() != before, "the sublayer has learnt"


def test_a_batch_without_a_sublayer_has_no_gradient_to_send_back() -> None:
    nlp = ready()
    docs = DocBatch(pipe_of(nlp).model, [nlp.make_doc(PAIR.text)], is_train=True)
    docs.add_gradient([0], None)
    docs.backprop()
    assert docs.vectors is None and docs.inputs([0]).ids is not None


def test_texts_can_be_cut_by_other_settings_than_the_models_own() -> None:
    shim = shim_of(ready(tiny({"window": 64, "overlap": 8})))
    other = shim.window_tokenizer(WindowSettings(16, 4))
    own = shim.window_tokenizer()
    assert (other.window, other.overlap, own.window, own.overlap) == (16, 4, 64, 8)
    assert other.tokenizer is own.tokenizer is not None


def test_a_window_never_exceeds_what_the_encoder_has_positions_for() -> None:
    encoder = {"@misc": "spacy-bispn.RandomEncoder.v1", "width": 48, "heads": 4, "layers": 1, "positions": 32}
    nlp = ready(tiny({"encoder": encoder, "window": 256, "overlap": 64}))
    window_tokenizer = shim_of(nlp).window_tokenizer()
    assert window_tokenizer.window == 32 and window_tokenizer.overlap <= 16
    assert nlp("Tem2 binds Dal92. " * 20).text
