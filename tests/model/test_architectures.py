"""Impossible settings are refused by an error that says what was given, what was expected, what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import spacy
from pipelines import CNN, LISTENER, demo_texts, initialize, listening, make_nlp, pipe_of, tiny

from spacy_bispn.model.decoding import Decoding
from spacy_bispn.model.shim import NetworkShim
from spacy_bispn.nn.network import Network
from spacy_bispn.nn.objective import Objective


def refused(config: dict[str, Any], *words: str) -> None:
    """Adding the component raises, and says all of these words."""
    nlp = spacy.blank("en")
    with pytest.raises(ValueError) as error:
        nlp.add_pipe("bispn", config=config)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("entity_queries", 0, ["entity_queries is 0", "a whole number (1 to 4096)", "the default is 30"]),
        ("heads", 257, ["heads is 257", "a whole number (1 to 256)", "the default is 6"]),
        ("supervised_layers", 9, ["supervised_layers is 9", "at most shared_layers", "lower it"]),
        (
            "pointer",
            "dot",
            ["pointer is 'dot'", 'one of "biaffine", "additive"', 'the default is "biaffine"'],
        ),
        ("proposal_floor", 1.0, ["proposal_floor is 1.0", "a number (above 0, below 1)", "0.02"]),
        ("window", 4, ["window is 4", "at least 8", "256"]),
        ("overlap", 400, ["overlap is 400", "0 to"]),
    ],
)
def test_settings_of_the_model(setting: str, value: Any, words: list[str]) -> None:
    refused(tiny({setting: value}), *words)
    listener = listening(CNN)
    listener["model"][setting] = value
    refused(listener, *words)


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("type_threshold", 1.5, ["type_threshold is 1.5", "0 to 1", "0.5"]),
        ("longest_span", 0, ["longest_span is 0", "at least 1", "32"]),
        ("coherence", "hope", ["coherence is 'hope'", '"snap", "add", "drop", "off"', "the default"]),
        ("frozen_epochs", -1, ["frozen_epochs is -1", "at least 0", "the default is 0"]),
        (
            "batch_pieces",
            0,
            ["batch_pieces is 0", "a whole number (at least 1) or null", "default"],
        ),
        ("bad_loss", "hope", ["bad_loss is 'hope'", 'one of "stop", "skip"', 'the default is "stop"']),
        ("symmetric_labels", [" "], ["symmetric_labels is [' ']", "strings and not blank", "hash"]),
    ],
)
def test_settings_of_the_component(setting: str, value: Any, words: list[str]) -> None:
    refused(tiny(**{setting: value}), *words)


def test_a_symmetric_label_that_is_named_twice_counts_once(caplog: pytest.LogCaptureFixture) -> None:
    pipe = make_nlp(tiny(symmetric_labels=["BINDS", "JOINS", "BINDS"])).get_pipe("bispn")
    assert pipe.cfg["symmetric_labels"] == ["BINDS", "JOINS"]
    assert "symmetric_labels names BINDS more than once: each is used once" in caplog.text


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("alpha", -1.0, ["alpha is -1", "a number (0 to 1000000)", "0.0001"]),
        ("null_weight", -1.0, ["null_weight is -1", "a number (0 to 1000000)"]),
    ],
)
def test_settings_of_the_objective(setting: str, value: Any, words: list[str]) -> None:
    refused(tiny(objective={setting: value}), *words)


def test_a_quoted_number_is_no_number() -> None:
    # older versions of spaCy take it for the number, newer ones let it pass as it stands
    with pytest.raises(ValueError, match=r"alpha is '0\.1', expected a number"):
        Objective(alpha="0.1")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"type_threshold is '0\.5', expected a number"):
        Decoding(type_threshold="0.5")  # type: ignore[arg-type]


def test_a_setting_that_does_not_exist() -> None:
    refused(tiny({"entity_querys": 3}), "entity_querys")


def test_heads_divide_the_encoder_s_width() -> None:
    with pytest.raises(
        ValueError, match=r"heads is 5, expected a divisor of the encoder's width, 48: choose"
    ):
        initialize(make_nlp(tiny({"heads": 5})), demo_texts(1))


def test_queries_enter_at_a_layer_that_exists() -> None:
    with pytest.raises(ValueError, match=r"query_layer is 7, expected -1 to 1 with an encoder of 2 layers: "):
        initialize(make_nlp(tiny({"query_layer": 7})), demo_texts(1))


def pretrained(name: object) -> dict[str, Any]:
    return tiny({"encoder": {"@misc": "spacy-bispn.PretrainedEncoder.v1", "name": str(name)}})


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.mark.usefixtures("offline")
def test_a_missing_encoder_folder(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    with pytest.raises(ValueError) as error:
        initialize(make_nlp(pretrained(missing)), demo_texts(1))
    for words in (
        str(missing),
        "neither a folder nor reachable",
        "expected a hub name or a folder",
        "correct `name`",
    ):
        assert words in str(error.value)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({}, ["a folder without a", "model, expected", "config.json", "correct `name`"]),
        (
            {"config.json": '{"model_type": "gpt2"}'},
            ["is a gpt2 model", "expected an encoder of text", "choose another encoder"],
        ),
        (
            {"config.json": '{"model_type": "bert"}'},
            ["expected a hub name or a folder with config.json", "correct"],
        ),
    ],
)
def test_a_wrong_encoder_folder(tmp_path: Path, content: dict[str, str], words: list[str]) -> None:
    for name, text in content.items():
        (tmp_path / name).write_text(text, encoding="utf8")
    with pytest.raises(ValueError) as error:
        initialize(make_nlp(pretrained(tmp_path)), demo_texts(1))
    for word in (str(tmp_path), *words):
        assert word in str(error.value)


def test_a_listener_is_projected_to_a_width_that_heads_divide() -> None:
    config = listening({**CNN, "width": 50})
    nlp = make_nlp(config)
    initialize(nlp, demo_texts(2))
    shim: NetworkShim = pipe_of(nlp).shim
    network: Network = shim.require()
    assert shim.sizes[0] == 50
    assert network.spans.entity_type.in_features == 52
    assert nlp(demo_texts(1)[0].text).spans["bispn"] is not None


@pytest.mark.parametrize("config", [tiny(), listening(CNN)], ids=["own encoder", "listener"])
def test_the_model_alone_gives_outputs(config: dict[str, Any]) -> None:
    nlp = make_nlp(config)
    examples = initialize(nlp, demo_texts(2))
    docs = [example.predicted for example in examples]
    (outputs,) = pipe_of(nlp).model.predict(docs)
    assert outputs.entity.start.shape[0] == 2
    assert outputs.entity.type.shape[-1] == len(pipe_of(nlp).label_data["entity"]) + 1


def test_a_listener_without_its_tok2vec_is_an_error_and_a_copy_of_it_is_not() -> None:
    source = spacy.blank("en")
    source.add_pipe("tok2vec", config={"model": CNN})
    source.add_pipe("bispn", config=listening(LISTENER))
    initialize(source, demo_texts(2))
    alone = spacy.blank("en")
    alone.add_pipe("bispn", source=source)
    with pytest.raises(ValueError) as error:
        alone("Tem2 binds Dal92.")
    for word in ("have no vectors", "expected those of the tok2vec component", "replace_listeners"):
        assert word in str(error.value)
    assert not alone(""), "an empty text has none"
    source.replace_listeners("tok2vec", "bispn", ["model.tok2vec"])
    moved = spacy.blank("en")
    moved.add_pipe("bispn", source=source)
    text = "Tem2 binds Dal92."
    assert moved(text).spans["bispn"].attrs == source(text).spans["bispn"].attrs
