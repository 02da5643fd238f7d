"""The component as spaCy calls it: from `add_pipe` to a pipeline that is loaded in another process."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import weakref
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy
import pytest
import spacy
import srsly
import torch
from pipelines import (
    CNN,
    LISTENER,
    PUNCTUATION,
    demo_texts,
    initialize,
    listening,
    make_examples,
    make_nlp,
    make_text,
    optimizer,
    pipe_of,
    said,
    scores,
    tiny,
    train,
)
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example
from thinc.api import Adam

from spacy_bispn import annotations
from spacy_bispn.records import AnnotatedText, Extraction, Relation

STEPS = 120
KINASE = make_text(
    "KV-487 activates Tem2.", [("KV-487", "PROTEIN"), ("Tem2", "PROTEIN")], [(0, 1, "ACTIVATES")]
)
SILENT = make_text("Nothing binds here.", [("here", "CELL")], [])


@pytest.fixture(scope="module")
def texts() -> list[AnnotatedText]:
    return demo_texts()


@pytest.fixture(scope="module")
def trained(texts: list[AnnotatedText]) -> Language:
    """A pipeline that knows the demo's first sentences by heart. Tests leave it as it is."""
    nlp = make_nlp()
    train(nlp, initialize(nlp, texts), STEPS)
    return nlp


@pytest.fixture(params=["own encoder", "listener"])
def config(request: pytest.FixtureRequest) -> dict[str, Any]:
    return tiny() if request.param == "own encoder" else listening(CNN)


def weights(nlp: Language, name: str = "bispn") -> dict[str, torch.Tensor]:
    network = pipe_of(nlp, name).shim.require()
    return {key: value.clone() for key, value in network.state_dict().items()}


def same(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[key], right[key]) for key in left)


def test_works_without_any_setting(texts: list[AnnotatedText]) -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("bispn")
    initialize(nlp, texts[:2])
    doc = nlp(texts[0].text)
    assert "bispn" in doc.spans
    assert isinstance(doc._.relations, tuple)


@pytest.mark.slow
def test_learns_a_few_sentences_by_heart(config: dict[str, Any], texts: list[AnnotatedText]) -> None:
    nlp = make_nlp(config)
    examples = initialize(nlp, texts)
    history = train(nlp, examples, STEPS)
    assert history[-1] < history[0] / 10
    assert scores(nlp, examples) == (1.0, 1.0)
    for example in examples:
        assert said(nlp(example.reference.text)) == said(example.reference)


def test_nested_entities_stand_in_the_group_and_the_best_of_them_in_ents(
    trained: Language, texts: list[AnnotatedText]
) -> None:
    for text in texts:
        doc = trained(text.text)
        taken = [token.i for ent in doc.ents for token in ent]
        assert len(taken) == len(set(taken))
        assert {(ent.start, ent.end) for ent in doc.ents} <= {(x.start, x.end) for x in doc.spans["bispn"]}
    assert len(doc.ents) < len(doc.spans["bispn"]), "the last sentence has a name within a name"
    assert all(0 <= score <= 1 for score in doc.spans["bispn"].attrs["scores"])


def test_labels_come_from_the_data(texts: list[AnnotatedText]) -> None:
    nlp = make_nlp()
    initialize(nlp, texts)
    entity = {x.label for text in texts for x in text.extraction.entities}
    relation = {x.label for text in texts for x in text.extraction.relations}
    assert pipe_of(nlp).label_data == {"entity": sorted(entity), "relation": sorted(relation)}
    assert pipe_of(nlp).labels == (*sorted(entity), *sorted(relation))


def test_labels_may_be_given(
    texts: list[AnnotatedText], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    labels = {"entity": ["CELL", "PROTEIN"], "relation": ["BINDS", "EXPRESSED_IN"]}
    srsly.write_json(tmp_path / "labels.json", labels)
    nlp = make_nlp()
    given = {"labels": {"@readers": "spacy.read_labels.v1", "path": str(tmp_path / "labels.json")}}
    nlp.config["initialize"]["components"]["bispn"] = given
    initialize(nlp, texts)
    assert pipe_of(nlp).label_data == labels
    unseen = sum(x.label == "CHEMICAL" for text in texts for x in text.extraction.entities)
    assert f"{unseen} gold items have the label 'CHEMICAL'" in caplog.text
    assert "add it to the labels file" in caplog.text
    losses = nlp.update(make_examples(nlp, texts), sgd=optimizer())
    assert losses["bispn"] > 0, "texts with unknown labels are learnt from without them"


@pytest.mark.parametrize("labels", [["PROTEIN"], {"entity": ["PROTEIN"]}, {}])
def test_labels_of_another_shape_are_refused(labels: Any) -> None:
    nlp = make_nlp()
    examples = make_examples(nlp, [KINASE])
    with pytest.raises(ValueError, match=r"labels is .*expected .*entity and relation: .*spacy init labels"):
        pipe_of(nlp).initialize(lambda: examples, nlp=nlp, labels=labels)


def test_gold_without_relations_is_refused(texts: list[AnnotatedText]) -> None:
    nlp = make_nlp()
    examples = make_examples(nlp, texts[:2])
    for example in examples:
        del example.reference.spans["bispn"]
    with pytest.raises(
        ValueError, match=r"none of the 2 training texts.*expected\s+doc._.relations.*bispn convert"
    ):
        nlp.initialize(lambda: examples)


def test_a_text_that_says_nothing_about_relations_is_not_learnt_from(
    caplog: pytest.LogCaptureFixture,
) -> None:
    nlp = make_nlp()
    examples = make_examples(nlp, [KINASE, SILENT])
    del examples[1].reference.spans["bispn"]
    nlp.initialize(lambda: examples)
    assert "texts that say nothing about relations, 1. Assign doc._.relations = []" in caplog.text
    before = weights(nlp)
    assert nlp.update(examples[1:], sgd=optimizer())["bispn"] == 0.0
    assert same(weights(nlp), before)
    examples[1].reference._.relations = []
    assert nlp.update(examples[1:], sgd=optimizer())["bispn"] > 0.0


def test_gold_that_no_window_sees_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    nlp = make_nlp(tiny({"window": 8, "overlap": 2}))
    far = make_text(f"Tem2 {'x ' * 30}binds Dal92.", [("Tem2", "P"), ("Dal92", "P")], [(0, 1, "BINDS")])
    initialize(nlp, [far, KINASE])
    assert "1 of 2 gold relations lie in no window" in caplog.text
    assert "model.window" in caplog.text


def test_update_takes_neither_losses_nor_an_optimizer_for_granted(config: dict[str, Any]) -> None:
    nlp = make_nlp(config)
    examples = initialize(nlp, [KINASE])
    before, pipe = weights(nlp), pipe_of(nlp)
    for sgd in (None, False):
        assert pipe.update(examples, sgd=sgd)["bispn"] > 0
    assert same(weights(nlp), before), "gradients wait for finish_update"
    pipe.finish_update(optimizer())
    assert not same(weights(nlp), before)
    losses = {"other": 1.0}
    assert pipe.update(examples, sgd=optimizer(), losses=losses) is losses
    assert losses["other"] == 1.0


@pytest.mark.parametrize("chunks", [False, True])
def test_losses_and_gradients_of_sub_batches_add_up(texts: list[AnnotatedText], chunks: bool) -> None:
    """Sub-batches of the caller, or those of one window each that `batch_pieces` makes."""
    nlp = make_nlp(tiny())
    examples = initialize(nlp, texts[:4])
    pipe = pipe_of(nlp)
    network = pipe.shim.require()
    whole = pipe.update(examples)
    gradients = {name: weight.grad.clone() for name, weight in network.named_parameters()}
    network.zero_grad()
    parts: dict[str, float] = {}
    if chunks:
        pipe.batch_pieces = 1
    for part in [examples] if chunks else [[example] for example in examples]:
        pipe.update(part, losses=parts)
    assert parts["bispn"] == pytest.approx(whole["bispn"], rel=1e-5)
    for name, weight in network.named_parameters():
        torch.testing.assert_close(weight.grad, gradients[name], rtol=1e-3, atol=1e-3, msg=name)


def test_empty_docs_and_no_docs_are_no_obstacle(config: dict[str, Any]) -> None:
    nlp = make_nlp(config)
    initialize(nlp, [KINASE])
    empty = [Example(Doc(nlp.vocab), Doc(nlp.vocab)), Example(nlp.make_doc("  "), nlp.make_doc("  "))]
    for example in empty:
        example.reference._.relations = []
    before, sgd = weights(nlp), optimizer()
    assert pipe_of(nlp).update([], sgd=sgd) == pipe_of(nlp).update(empty, sgd=sgd) == {"bispn": 0.0}
    assert same(weights(nlp), before)
    mixed = nlp.update([*empty, *make_examples(nlp, [KINASE])], sgd=sgd)
    assert mixed["bispn"] > 0
    assert pipe_of(nlp).predict([]) == []
    assert [len(doc.spans["bispn"]) for doc in nlp.pipe(["", " "])] == [0, 0]


def test_predicting_before_initialize_says_what_to_do(config: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"no weights yet, expected an initialized.*call nlp.initialize"):
        make_nlp(config)("KV-487 activates Tem2.")


def test_initialize_again_starts_anew() -> None:
    nlp = make_nlp()
    examples = initialize(nlp, [KINASE])
    first = weights(nlp)
    train(nlp, examples, 3)
    assert pipe_of(nlp).shim.epoch == 3.0
    initialize(nlp, [KINASE])
    assert same(weights(nlp), first)
    assert pipe_of(nlp).shim.epoch == 0.0, "or the optimizer's schedule would have run out"


# Saving and loading


def by_disk(nlp: Language, folder: Path) -> Language:
    nlp.to_disk(folder / "nlp")
    return spacy.load(folder / "nlp")


def by_bytes(nlp: Language, folder: Path) -> Language:
    return spacy.util.load_model_from_config(nlp.config).from_bytes(nlp.to_bytes())


def by_component_disk(nlp: Language, folder: Path) -> Language:
    pipe_of(nlp).to_disk(folder / "pipe")
    fresh = spacy.util.load_model_from_config(nlp.config)
    pipe_of(fresh).from_disk(folder / "pipe")
    return fresh


def by_component_bytes(nlp: Language, folder: Path) -> Language:
    fresh = spacy.util.load_model_from_config(nlp.config)
    pipe_of(fresh).from_bytes(pipe_of(nlp).to_bytes())
    return fresh


def by_source(nlp: Language, folder: Path) -> Language:
    fresh = spacy.blank("en", config=PUNCTUATION)
    fresh.add_pipe("bispn", source=nlp)
    return fresh


def forbid_pickle(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a model file must not be able to run code")

    for module, name in [(pickle, "dumps"), (pickle, "loads"), (torch, "save"), (torch, "load")]:
        monkeypatch.setattr(module, name, refuse)


def by_pickle(nlp: Language, folder: Path) -> Language:
    again: Language = pickle.loads(pickle.dumps(nlp))
    return again


WAYS = [by_disk, by_bytes, by_component_disk, by_component_bytes, by_source, by_pickle]


@pytest.mark.parametrize("way", WAYS)
def test_comes_back_as_it_was(
    way: Callable[[Language, Path], Language],
    trained: Language,
    texts: list[AnnotatedText],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if way is not by_pickle:
        forbid_pickle(monkeypatch)
    again = way(trained, tmp_path)
    for left, right in zip(*(nlp.pipe(text.text for text in texts) for nlp in (trained, again)), strict=True):
        assert said(left) == said(right)
        assert left.spans["bispn"].attrs["scores"] == pytest.approx(right.spans["bispn"].attrs["scores"])
    assert pipe_of(again).labels == pipe_of(trained).labels


def test_a_setting_given_at_loading_overrides_what_was_saved(trained: Language, tmp_path: Path) -> None:
    nlp = by_source(trained, tmp_path)
    pipe_of(nlp).cfg = pipe_of(nlp).cfg | {"type_threshold": 0.4}  # tuned, while the config says 0.5
    nlp.to_disk(tmp_path / "nlp")
    given = {"components": {"bispn": {"relation_threshold": 0.9, "coherence": "drop"}}}
    again = pipe_of(spacy.load(tmp_path / "nlp", config=given)).decoding
    assert (again.type_threshold, again.relation_threshold, again.coherence) == (0.4, 0.9, "drop")


def test_an_untrained_component_comes_back_untrained(tmp_path: Path) -> None:
    again = by_disk(make_nlp(), tmp_path)
    with pytest.raises(ValueError, match="no weights yet"):
        again("KV-487 activates Tem2.")


LOAD = """
import sys, spacy
nlp = spacy.load(sys.argv[1])
doc = nlp(sys.argv[2])
print([[x.head.text, x.label, x.tail.text] for x in doc._.relations])
"""


@pytest.mark.slow
def test_loads_in_another_process_without_network(
    trained: Language, texts: list[AnnotatedText], tmp_path: Path
) -> None:
    trained.to_disk(tmp_path / "nlp")
    command = [sys.executable, "-c", LOAD, str(tmp_path / "nlp"), texts[0].text]
    closed = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "none"), "https_proxy": "http://127.0.0.1:9"}
    result = subprocess.run(command, env=os.environ | closed, capture_output=True, text=True, check=True)
    here = [[x.head.text, x.label, x.tail.text] for x in trained(texts[0].text)._.relations]
    assert here and result.stdout.strip() == str(here)


def test_a_loaded_pipeline_goes_on_learning_with_the_optimizer_of_its_config(
    trained: Language, texts: list[AnnotatedText], tmp_path: Path
) -> None:
    optimizer = {"@optimizers": "spacy-bispn.AdamW.v1", "epochs": "${training.max_epochs}"}
    config = trained.config.copy()
    config["training"]["optimizer"] = optimizer
    trained.to_disk(tmp_path / "nlp")
    config.to_disk(tmp_path / "nlp" / "config.cfg", interpolate=False)
    nlp = spacy.load(tmp_path / "nlp")
    sgd = nlp.resume_training()
    examples, rates = make_examples(nlp, texts[:4]), []
    losses = []
    for _ in range(12):
        losses.append(nlp.update(examples, sgd=sgd)["bispn"])
        (learner,) = sgd._learners.values()
        rates.append(learner.adam.param_groups[-1]["lr"])
    assert rates == [sgd.continued_rates(step)["decoder"] for step in range(1, 13)]
    assert rates[0] < rates[-1] == pytest.approx(0.1 * 4e-4)
    first, *_, last = losses
    assert last < first


# Streams and processes


def test_batches_do_not_change_answers(trained: Language, texts: list[AnnotatedText]) -> None:
    many = [text.text for text in texts] + [
        "",
        "KV-487 activates Tem2.",
        " ".join(text.text for text in texts),
    ]
    alone = [said(trained(text)) for text in many]
    for size in (1, 3, 100):
        assert [said(doc) for doc in trained.pipe(many, batch_size=size)] == alone
    assert [said(doc) for doc in trained.pipe(reversed(many))] == alone[::-1]


def test_windows_are_batched_by_length(trained: Language, monkeypatch: pytest.MonkeyPatch) -> None:
    shim = pipe_of(trained).shim
    infer, shapes = shim.infer, []

    def watch(inputs: Any, *thresholds: float) -> Any:
        shapes.append(tuple(inputs.ids.shape))
        return infer(inputs, *thresholds)

    monkeypatch.setattr(shim, "infer", watch)
    monkeypatch.setattr(pipe_of(trained), "batch_pieces", 100)
    list(trained.pipe(["a " * 60, "a", "a " * 62, "a a"]))
    assert len(shapes) == 3 and shapes[-1] == (2, 4), (
        "the short texts share a batch, without padding to the long"
    )


@pytest.mark.slow
def test_two_processes_give_the_same_answers(trained: Language, texts: list[AnnotatedText]) -> None:
    many = [text.text for text in texts]
    alone = [(said(doc), doc.spans["bispn"].attrs) for doc in trained.pipe(many)]
    both = [(said(doc), doc.spans["bispn"].attrs) for doc in trained.pipe(many, n_process=2, batch_size=2)]
    for (left, left_attrs), (right, right_attrs) in zip(alone, both, strict=True):
        assert left == right
        assert left_attrs["scores"] == pytest.approx(right_attrs["scores"])


# Beside other components


def test_a_frozen_component_does_not_learn(texts: list[AnnotatedText]) -> None:
    nlp = make_nlp()
    examples = initialize(nlp, texts[:2])
    before = weights(nlp)
    with nlp.select_pipes(disable=["bispn"]):
        nlp.update(examples, sgd=optimizer())
    nlp.update(examples, sgd=optimizer(), exclude=["bispn"])
    assert same(weights(nlp), before)


@pytest.mark.parametrize("way", ["saved", "another optimizer"])
def test_what_was_trained_goes_on_at_lower_rates_whatever_the_schedule(
    texts: list[AnnotatedText], way: str
) -> None:
    nlp = make_nlp()
    examples = initialize(nlp, texts[:2])
    train(nlp, examples, 2, sgd := optimizer(epochs=2))
    before = weights(nlp)
    train(nlp, examples, 1, sgd)
    assert same(weights(nlp), before), "its schedule has ended"
    if way == "saved":
        data, nlp = nlp.to_bytes(), make_nlp()
        initialize(nlp, texts[:2])
        nlp.from_bytes(data)
    sgd = optimizer(epochs=2, continued_rate=0.5, continued_warmup=0)
    train(nlp, examples, 1, sgd)
    (learner,) = sgd._learners.values()
    assert {group["lr"] for group in learner.adam.param_groups} == {1e-3}
    assert not same(weights(nlp), before)


@pytest.mark.parametrize("stop", [1, 3])
def test_a_training_that_stopped_and_went_on_equals_one_that_never_stopped(
    texts: list[AnnotatedText], stop: int
) -> None:
    settings = {"epochs": 5}
    straight, stopped = (make_nlp(tiny(frozen_epochs=2)) for _ in range(2))
    for nlp, steps in ((straight, 5), (stopped, stop)):
        sgd = optimizer(**settings)
        train(nlp, initialize(nlp, texts[:4]), steps, sgd)
    weights_then, state_then = stopped.to_bytes(), sgd.to_bytes()

    resumed = make_nlp(tiny(frozen_epochs=2))
    resumed.from_bytes(weights_then)
    sgd = optimizer(**settings).from_bytes(state_then)
    train(resumed, make_examples(resumed, texts[:4]), 5 - stop, sgd)
    assert same(weights(resumed), weights(straight))


@pytest.mark.parametrize("model", [{}, {"queries": "learned"}])
def test_the_same_seed_gives_the_same_weights(model: dict[str, Any]) -> None:
    found = []
    for _ in range(2):
        nlp = make_nlp(tiny({**model, "dropout": 0.2}))
        train(nlp, initialize(nlp, demo_texts(4)), 6, optimizer(epochs=6))
        found.append(weights(nlp))
    assert same(*found)


def test_annotates_for_the_next_component_while_training(
    trained: Language, texts: list[AnnotatedText]
) -> None:
    nlp = spacy.blank("en", config=PUNCTUATION)
    nlp.add_pipe("bispn", source=trained)
    seen: list[int] = []

    @Language.component("looks_at_relations")
    def look(doc: Doc) -> Doc:
        seen.append(len(doc._.relations))
        return doc

    nlp.add_pipe("looks_at_relations")
    examples = make_examples(nlp, texts[:2])
    nlp.update(examples, sgd=None, exclude=["bispn"], annotates=["bispn", "looks_at_relations"])
    assert seen == [len(text.extraction.relations) for text in texts[:2]]


def test_a_frozen_encoder_rests_and_then_learns(texts: list[AnnotatedText]) -> None:
    nlp = make_nlp(tiny(frozen_epochs=2))
    examples = initialize(nlp, texts[:4])
    sgd, shim = optimizer(), pipe_of(nlp).shim
    start = weights(nlp)
    encoder = [name for name in start if name.startswith("encoder.")]

    def epoch() -> None:
        for half in (examples[:2], examples[2:]):
            nlp.update(half, sgd=sgd)

    epoch()
    pipe_of(nlp).update(examples[:1])
    assert all(param.grad is None for param in shim.require().encoder.parameters()), (
        "nor is a gradient computed"
    )
    epoch()
    assert all(torch.equal(weights(nlp)[name], start[name]) for name in encoder)
    assert not same(weights(nlp), start), "all else learns"
    epoch()
    changed = [name for name in encoder if not torch.equal(weights(nlp)[name], start[name])]
    assert any("query" in name for name in changed) and any("embeddings" in name for name in changed)


def test_may_have_another_name(texts: list[AnnotatedText], tmp_path: Path) -> None:
    nlp = make_nlp(name="interactions")
    examples = initialize(nlp, texts[:2])
    losses = nlp.update(examples, sgd=optimizer())
    assert list(losses) == ["interactions"]
    again = by_disk(nlp, tmp_path)
    assert again.pipe_names == ["interactions"]
    assert pipe_of(again, "interactions").labels == pipe_of(nlp, "interactions").labels


def test_two_models_in_one_pipeline_are_saved_apart(texts: list[AnnotatedText], tmp_path: Path) -> None:
    nlp = make_nlp()
    nlp.add_pipe("bispn", name="second", config=tiny())
    train(nlp, initialize(nlp, texts[:2]), 2)
    again = by_disk(nlp, tmp_path)
    for name in ("bispn", "second"):
        assert same(weights(again, name), weights(nlp, name))
    assert not same(weights(again), weights(again, "second"))


@pytest.mark.slow
def test_listens_to_a_shared_tok2vec(texts: list[AnnotatedText], tmp_path: Path) -> None:
    nlp = spacy.blank("en", config=PUNCTUATION)
    nlp.add_pipe("tok2vec", config={"model": CNN})
    nlp.add_pipe("bispn", config=listening(LISTENER))
    examples = initialize(nlp, texts)
    before = nlp.get_pipe("tok2vec").model.to_bytes()
    train(nlp, examples, STEPS)
    assert nlp.get_pipe("tok2vec").model.to_bytes() != before, "the gradient reaches the shared component"
    assert scores(nlp, examples) == (1.0, 1.0)
    again = by_disk(nlp, tmp_path)
    assert scores(again, examples) == (1.0, 1.0)
    again.replace_listeners("tok2vec", "bispn", ["model.tok2vec"])
    again.remove_pipe("tok2vec")
    assert scores(again, examples) == (1.0, 1.0), "the component may take the sublayer with it"


def test_gradients_that_are_no_numbers_do_not_reach_a_sublayer() -> None:
    nlp = make_nlp(listening(CNN, bad_loss="skip"))
    examples = initialize(nlp, [KINASE])
    shim, sublayer = pipe_of(nlp).shim, pipe_of(nlp).model.get_ref("tok2vec")
    hook = shim.require().project.register_forward_pre_hook(
        lambda _, given: given[0].register_hook(lambda gradient: gradient * torch.nan) and None
    )
    assert nlp.update(examples, sgd=optimizer())["bispn_skipped"] == 1
    hook.remove()
    assert "bispn_skipped" not in nlp.update(examples, sgd=optimizer())
    params = [node.get_param(name) for node in sublayer.walk() for name in node.param_names]
    assert params and all(numpy.isfinite(values).all() for values in params)


def test_what_is_skipped_leaves_no_gradients_for_the_next_step() -> None:
    nlp = make_nlp(listening(CNN, bad_loss="skip"))
    examples = initialize(nlp, [KINASE])
    pipe_of(nlp).shim.require().relation_type.bias.register_hook(lambda gradient: gradient * torch.nan)
    nlp.update(examples, sgd=optimizer())
    nodes = list(pipe_of(nlp).model.get_ref("tok2vec").walk())
    left = [node.get_grad(name) for node in nodes for name in node.param_names if node.has_grad(name)]
    assert left and not any(gradient.any() for gradient in left)


@pytest.mark.parametrize("drop", [0.0, 0.3])
def test_dropout_reaches_a_sublayer(drop: float) -> None:
    nlp = make_nlp(listening(CNN))
    examples = initialize(nlp, [KINASE])
    pipe_of(nlp).update(examples, drop=drop)
    rates = {node.attrs["dropout_rate"] for node in pipe_of(nlp).model.walk() if "dropout_rate" in node.attrs}
    assert rates == {drop}


def test_the_gradient_reaches_a_sublayer() -> None:
    nlp = make_nlp(listening(CNN))
    examples = initialize(nlp, [KINASE])
    tok2vec = pipe_of(nlp).model.get_ref("tok2vec")
    before = tok2vec.to_bytes()
    nlp.update(examples, sgd=optimizer())
    assert tok2vec.to_bytes() != before


# What can be said


@pytest.mark.slow
def test_learns_self_relations_and_several_labels_on_one_pair() -> None:
    both = make_text(
        "Tem2 dimers bind Dal92.", [("Tem2", "P"), ("Dal92", "P")], [(0, 1, "A"), (0, 1, "B"), (0, 0, "SELF")]
    )
    one = make_text("Keldal78 meets Paltem31.", [("Keldal78", "P"), ("Paltem31", "P")], [(1, 0, "A")])
    nlp = make_nlp()
    examples = initialize(nlp, [both, one])
    train(nlp, examples, STEPS)
    for example in examples:
        assert said(nlp(example.reference.text)) == said(example.reference)


@pytest.mark.slow
def test_symmetric_relations_are_learnt_both_ways_and_stored_once() -> None:
    turned = make_text("Tem2 binds Dal92.", [("Tem2", "P"), ("Dal92", "P")], [(1, 0, "BINDS")])
    nlp = make_nlp(tiny(symmetric_labels=["BINDS"]))
    examples = initialize(nlp, [turned])
    train(nlp, examples, STEPS)
    doc = nlp(turned.text)
    (relation,) = doc._.relations
    assert (relation.head.text, relation.tail.text) == ("Tem2", "Dal92"), "the earlier one is the head"
    assert nlp.evaluate(examples)["rel_micro_f"] == 1.0


def test_symmetric_labels_are_labels() -> None:
    nlp = make_nlp(tiny(symmetric_labels=["BINDS"]))
    with pytest.raises(
        ValueError, match=r"symmetric_labels is \['BINDS'\], expected .*\(ACTIVATES\): correct"
    ):
        initialize(nlp, [KINASE])


@pytest.mark.parametrize("setting", ["entity_queries", "relation_queries"])
def test_more_gold_than_queries_is_refused_by_initialize(setting: str) -> None:
    nlp = make_nlp(tiny({setting: 1}))
    three = make_text(
        "Tem2, Dal92, EG-75.",
        [("Tem2", "P"), ("Dal92", "P"), ("EG-75", "P")],
        [(0, 1, "B"), (1, 2, "B"), (0, 2, "B")],
    )
    with pytest.raises(ValueError) as error:
        initialize(nlp, [KINASE, three] if setting == "relation_queries" else [three])
    message = str(error.value)
    for words in (
        f"{setting} is 1",
        "at least 3, the gold items",
        f"raise model.{setting}, make model.window smaller, or leave them out by surplus_gold",
        "'Tem2, Dal92, EG-75.'",
    ):
        assert words in message


def test_more_gold_than_queries_may_be_left_out(caplog: pytest.LogCaptureFixture) -> None:
    # of the three relations one finds no query; the entities have enough
    three = make_text(
        "Tem2, Dal92, EG-75.",
        [("Tem2", "P"), ("Dal92", "P"), ("EG-75", "P")],
        [(0, 1, "B"), (1, 2, "B"), (0, 2, "B")],
    )
    nlp = make_nlp(tiny({"relation_queries": 2}, surplus_gold="skip"))
    initialize(nlp, [KINASE, three])
    assert "1 gold items are more than model.relation_queries in their windows" in caplog.text
    assert "entity_queries" not in caplog.text
    assert nlp.update(make_examples(nlp, [three, KINASE]), sgd=optimizer())["bispn_surplus"] == 1.0


@pytest.mark.parametrize("queries", ["proposed", "learned"])
def test_more_gold_than_queries_is_counted_by_update(queries: str) -> None:
    few = {"entity_queries": 2, "relation_queries": 1, "queries": queries, "positional_queries": False}
    nlp = make_nlp(tiny(few))
    initialize(nlp, [KINASE])
    more = make_text(
        "Tem2 activates Dal92, EG-75.",
        [("Tem2", "PROTEIN"), ("Dal92", "PROTEIN"), ("EG-75", "PROTEIN")],
        [(0, 1, "ACTIVATES"), (0, 2, "ACTIVATES")],
    )
    losses = nlp.update(make_examples(nlp, [more, KINASE]), sgd=optimizer())
    assert losses["bispn_surplus"] == 2.0


def test_gold_that_cannot_be_placed_is_counted_by_update() -> None:
    nlp, labels = make_nlp(), {"entity": ["PROTEIN"], "relation": ["ACTIVATES"]}
    pipe_of(nlp).initialize(lambda: make_examples(nlp, [KINASE]), nlp=nlp, labels=labels)
    other = make_text(
        "Tem2 activates Dal92 in liver.", [("Tem2", "PROTEIN"), ("Dal92", "PROTEIN"), ("liver", "ORGAN")],
        [(0, 1, "ACTIVATES"), (0, 2, "ACTIVATES"), (0, 1, "BINDS")],
    )  # fmt: skip
    losses = nlp.update(make_examples(nlp, [other, KINASE]), sgd=optimizer())
    # the organ, the relation to it, and the binding
    assert losses["bispn_unplaced"] == 3.0
    assert "bispn_unplaced" not in nlp.update(make_examples(nlp, [KINASE]), sgd=optimizer())


def test_entities_inside_a_wordpiece_are_counted_by_update(caplog: pytest.LogCaptureFixture) -> None:
    nlp, pair = make_nlp(), [("mortalase", "PROTEIN"), ("Dal", "PROTEIN")]
    initialize(nlp, [make_text("mortalase binds Dal", pair, [(0, 1, "BINDS")])] * 6)
    doc = Doc(nlp.vocab, words=["mor", "talase", "binds", "Dal"], spaces=[False, True, True, False])
    reference = doc.copy()
    inside, whole = Span(reference, 0, 1, "PROTEIN"), Span(reference, 3, 4, "PROTEIN")
    annotations.set_annotations(reference, [inside, whole], [Relation(inside, whole, "BINDS")])
    losses = nlp.update([Example(doc, reference)], sgd=optimizer())
    assert losses["bispn_widened"] == 1.0 and "bispn_unplaced" not in losses
    assert "[bispn] learnt as whole wordpieces (first seen): gold entities that end inside a" in caplog.text
    assert "An encoder with smaller pieces" in caplog.text


# Faults while annotating


def test_a_bad_text_goes_to_the_error_handler_and_all_others_are_read(
    trained: Language, texts: list[AnnotatedText], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe, predict = pipe_of(trained), pipe_of(trained).predict
    stream = [texts[0].text, "unreadable", texts[1].text, texts[2].text]
    expected = [said(doc) for doc in trained.pipe(text for text in stream if text != "unreadable")]

    def refuse(docs: Iterable[Doc]) -> list[Extraction]:
        docs = list(docs)
        if any(doc.text == "unreadable" for doc in docs):
            raise RuntimeError("this text cannot be read")
        return predict(docs)

    monkeypatch.setattr(pipe, "predict", refuse)
    with pytest.raises(RuntimeError, match="this text cannot be read"):
        list(trained.pipe(stream))
    handled: list[list[str]] = []
    handler = lambda name, proc, docs, error: handled.append([doc.text for doc in docs])  # noqa: E731
    monkeypatch.setattr(pipe, "error_handler", handler, raising=False)
    assert [said(doc) for doc in trained.pipe(stream)] == expected
    assert handled == [["unreadable"]]


def test_a_batch_too_large_for_the_memory_is_read_in_halves(
    trained: Language, texts: list[AnnotatedText], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe, predict = pipe_of(trained), pipe_of(trained).predict
    stream = [text.text for text in texts[:5]]
    expected = [said(doc) for doc in trained.pipe(stream)]

    def small(docs: Iterable[Doc]) -> list[Extraction]:
        docs = list(docs)
        if len(docs) > 2:
            raise torch.cuda.OutOfMemoryError("out of memory")
        return predict(docs)

    monkeypatch.setattr(pipe, "predict", small)
    assert [said(doc) for doc in trained.pipe(stream)] == expected


def test_the_halves_of_a_batch_find_the_memory_that_the_whole_had_taken(
    trained: Language, texts: list[AnnotatedText], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe, predict = pipe_of(trained), pipe_of(trained).predict
    activations: list[weakref.ref[torch.Tensor]] = []

    def small(docs: Iterable[Doc]) -> list[Extraction]:
        docs = list(docs)
        assert not any(kept() is not None for kept in activations)
        if len(docs) > 2:
            filled = torch.zeros(8)
            activations.append(weakref.ref(filled))
            raise torch.cuda.OutOfMemoryError("out of memory")
        return predict(docs)

    monkeypatch.setattr(pipe, "predict", small)
    assert len(list(trained.pipe(text.text for text in texts[:5]))) == 5
    assert activations


def test_eight_threads_get_the_answers_of_one(trained: Language, texts: list[AnnotatedText]) -> None:
    stream = [text.text for text in texts] * 8
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda text: said(trained(text)), stream))
    assert found == [said(trained(text)) for text in stream]


# Settings


def test_thresholds_are_read_when_predicting(trained: Language, texts: list[AnnotatedText]) -> None:
    nlp = spacy.blank("en", config=PUNCTUATION)
    nlp.add_pipe("bispn", source=trained)
    pipe = pipe_of(nlp)
    kept = pipe.cfg
    try:
        counts = []
        for threshold in (0.5, 1.0):
            pipe.cfg = kept | {"relation_threshold": threshold}  # as `spacy find-threshold` does
            counts.append(len(nlp(texts[0].text)._.relations))
        assert counts == [len(texts[0].extraction.relations), 0]
        pipe.cfg = kept | {"type_threshold": 1.0}
        assert len(nlp(texts[0].text).spans["bispn"]) == 0
    finally:
        pipe.cfg = kept


@pytest.mark.slow
def test_learns_with_any_thinc_optimizer() -> None:
    nlp = make_nlp()
    examples = initialize(nlp, [KINASE])
    history = train(nlp, examples, 60, Adam(2e-3))
    assert history[-1] < history[0] / 10
    assert scores(nlp, examples) == (1.0, 1.0)


def break_weights(nlp: Language) -> torch.Tensor:
    weight = next(pipe_of(nlp).shim.require().spans.parameters())
    with torch.no_grad():
        weight.fill_(torch.nan)
    return weight


def test_a_reference_with_another_text_is_refused() -> None:
    nlp = make_nlp()
    (example,) = initialize(nlp, [KINASE])
    other = Example(nlp.make_doc(f"  {KINASE.text}"), example.reference)
    with pytest.raises(ValueError, match=r"the reference of .* has the text .*, expected the same: make"):
        nlp.update([other])


def test_a_loss_that_is_no_number_stops_the_training() -> None:
    nlp = make_nlp()
    examples = initialize(nlp, [KINASE])
    break_weights(nlp)
    with pytest.raises(ValueError, match=r"the loss is nan, expected a finite.*learning rates.*KV-487.*skip"):
        pipe_of(nlp).update(examples)


def test_a_loss_that_is_no_number_may_be_skipped_and_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    nlp = make_nlp(tiny(bad_loss="skip", batch_pieces=1))
    examples = initialize(nlp, [KINASE, SILENT])
    break_weights(nlp)
    losses = nlp.update(examples, sgd=optimizer())
    assert losses["bispn_skipped"] == len(examples)
    assert "skipped: the loss is nan" in caplog.text and "KV-487" in caplog.text


@pytest.mark.parametrize("bad_loss", ["stop", "skip"])
@pytest.mark.parametrize("max_norm", [0.0, 1.0])
def test_gradients_that_are_no_numbers_change_no_weight(
    bad_loss: str, max_norm: float, caplog: pytest.LogCaptureFixture
) -> None:
    nlp = make_nlp(tiny(bad_loss=bad_loss))
    examples = initialize(nlp, [KINASE])
    pipe_of(nlp).shim.require().relation_type.bias.register_hook(lambda gradient: gradient * torch.inf)
    before = weights(nlp)
    if bad_loss == "stop":
        with pytest.raises(ValueError, match=r"norm (nan|inf), expected a finite.*learning rates.*mixed"):
            nlp.update(examples, sgd=optimizer(max_norm=max_norm))
    else:
        nlp.update(examples, sgd=optimizer(max_norm=max_norm))
        assert "skipped: the gradients have the norm" in caplog.text
        assert all(weight.grad is None for weight in pipe_of(nlp).shim.require().parameters())
    assert same(weights(nlp), before)


def test_relations_end_in_the_group(trained: Language, texts: list[AnnotatedText]) -> None:
    for doc in trained.pipe(text.text for text in texts):
        members = list(doc.spans[annotations.KEY])
        assert all(x.head in members and x.tail in members for x in doc._.relations)


@pytest.mark.slow
def test_a_component_that_decodes_as_the_paper_prints_it_learns_its_texts() -> None:
    printed: dict[str, Any] = {
        "type_threshold": None, "relation_threshold": None, "boundary_threshold": 0.0, "longest_span": None,
        "span_score": "sum", "coherence": "off", "surplus_gold": "skip",
    }  # fmt: skip
    few = {"queries": "learned", "entity_queries": 8, "relation_queries": 6}
    nlp, texts = make_nlp(tiny(few, **printed)), demo_texts(12)
    train(nlp, initialize(nlp, texts), 60)
    scores = nlp.evaluate(make_examples(nlp, texts))
    assert scores["ents_f"] > 0.9 and scores["rel_micro_f"] > 0.8
    assert scores["bispn_raw_coherence"] == scores["bispn_coherence"] > 0.8
