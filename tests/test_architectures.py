"""Impossible settings are refused by an error that says what was given, what was expected, what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import spacy
from pipelines import CNN, demo_texts, initialize, listening, make_nlp, pipe_of, tiny

from spacy_bispn.bridge import NetworkShim
from spacy_bispn.decode import Decoding
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
        ("entity_queries", 0, ["entity_queries is 0", "at least 1", "raise it"]),
        ("relation_queries", -3, ["relation_queries is -3", "at least 1", "raise it"]),
        ("shared_layers", 0, ["shared_layers is 0", "at least 1", "raise it"]),
        ("supervised_layers", 0, ["supervised_layers is 0", "at least 1", "raise it"]),
        ("supervised_layers", 9, ["supervised_layers is 9", "at most shared_layers", "lower it"]),
        ("entity_layers", -1, ["entity_layers is -1", "at least 0", "raise it"]),
        ("relation_layers", -1, ["relation_layers is -1", "at least 0", "raise it"]),
        ("heads", 0, ["heads is 0", "at least 1", "raise it"]),
        ("feedforward", 0, ["feedforward is 0", "at least 1", "raise it"]),
        ("entity_queries", 2**40, ["entity_queries is 1099", "at most 4096", "lower it"]),
        ("relation_queries", 4097, ["relation_queries is 4097", "at most 4096", "lower it"]),
        ("shared_layers", 65, ["shared_layers is 65", "at most 64", "lower it"]),
        ("heads", 257, ["heads is 257", "at most 256", "lower it"]),
        ("feedforward", 2**40, ["feedforward is 1099", "at most 65536", "lower it"]),
        ("queries", "both", ["queries is 'both'", "proposed, learned", "correct it"]),
        ("pointer", "dot", ["pointer is 'dot'", "biaffine, additive", "correct it"]),
        ("linking", "dot", ["linking is 'dot'", "biaffine, additive", "correct it"]),
        ("split", "never", ["split is 'never'", "after, before", "correct it"]),
        ("proposal_floor", 0.0, ["proposal_floor is 0", "between 0 and 1", "0.02"]),
        ("proposal_floor", 1.0, ["proposal_floor is 1", "between 0 and 1", "0.02"]),
        ("dropout", 1.0, ["dropout is 1", "from 0 to below 1", "0.1"]),
        ("window", 4, ["window is 4", "at least 8"]),
        ("overlap", 400, ["overlap is 400", "from 0 to"]),
    ],
)
def test_settings_of_the_model(setting: str, value: Any, words: list[str]) -> None:
    refused(tiny({setting: value}), *words)
    listener = listening(CNN)
    listener["model"][setting] = value
    refused(listener, *words)


def test_positions_need_learned_queries() -> None:
    settings = {"positional_queries": True, "queries": "proposed"}
    refused(tiny(settings), "positional_queries is true", 'queries = "proposed"', 'set queries = "learned"')


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("type_threshold", 1.5, ["type_threshold is 1.5", "from 0 to 1"]),
        ("relation_threshold", -0.1, ["relation_threshold is -0.1", "from 0 to 1"]),
        ("boundary_threshold", 2, ["boundary_threshold is 2", "from 0 to 1"]),
        ("longest_span", 0, ["longest_span is 0", "at least 1"]),
        ("coherence", "hope", ["coherence is 'hope'", "snap, add, drop"]),
        ("frozen_epochs", -1, ["frozen_epochs is -1", "at least 0", "correct the config"]),
        ("batch_pieces", 0, ["batch_pieces is 0", "at least 1", "use null"]),
        ("bad_loss", "hope", ["bad_loss is 'hope'", "one of stop, skip", "correct it"]),
    ],
)
def test_settings_of_the_component(setting: str, value: Any, words: list[str]) -> None:
    refused(tiny(**{setting: value}), *words)


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("alpha", -1.0, ["alpha is -1", "at least 0"]),
        ("alpha", 1e300, ["alpha is 1e+300", "at most 1000000"]),
        ("null_weight", 2e6, ["null_weight is 2000000.0", "at most 1000000"]),
        ("entity_targets", 10**9, ["entity_targets is 1000000000", "at most 4096"]),
        ("boundary", "focal", ["boundary is 'focal'", "cross_entropy, binary, both"]),
        ("null_weight", "light", ["null_weight is 'light'", "balanced"]),
    ],
)
def test_settings_of_the_objective(setting: str, value: Any, words: list[str]) -> None:
    refused(tiny(objective={setting: value}), *words)


def test_a_quoted_number_is_no_number() -> None:
    # older versions of spaCy take it for the number, newer ones let it pass as it stands
    with pytest.raises(ValueError, match=r"alpha is '0\.1': give a number of at least 0"):
        Objective(alpha="0.1")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"type_threshold is '0\.5': give a probability"):
        Decoding(type_threshold="0.5")  # type: ignore[arg-type]


def test_a_setting_that_does_not_exist() -> None:
    refused(tiny({"entity_querys": 3}), "entity_querys")


def test_heads_divide_the_encoder_s_width() -> None:
    with pytest.raises(
        ValueError, match=r"heads is 5, but the encoder's width is 48: choose a number that divides"
    ):
        initialize(make_nlp(tiny({"heads": 5})), demo_texts(1))


def test_queries_enter_at_a_layer_that_exists() -> None:
    with pytest.raises(ValueError, match=r"query_layer is 7, but the encoder has 2 layers: choose 0"):
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
            ["is a gpt2 model", "expected one of bert", "choose a model"],
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
