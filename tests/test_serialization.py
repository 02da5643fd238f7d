"""Saved components that are damaged, foreign or hostile: refused, not executed, and never half loaded."""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import spacy
import srsly
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pipelines import CNN, demo_texts, initialize, listening, make_nlp, pipe_of, tiny
from spacy.language import Language

from spacy_bispn.component import BiSPN
from spacy_bispn.safetensors_io import KEY, from_tensor, pack, to_tensor, unpack
from spacy_bispn.serialization import FILE, FORMAT, NETWORK

TEXTS = demo_texts(4)
Values = dict[str, Any]
Tensors = dict[str, torch.Tensor]
Damage = Callable[[Values, Tensors], None]


@pytest.fixture(scope="module")
def nlp() -> Language:
    nlp = make_nlp()
    initialize(nlp, TEXTS)
    return nlp


@pytest.fixture(scope="module")
def data(nlp: Language) -> bytes:
    return pipe_of(nlp).to_bytes(exclude=["vocab"])


@pytest.fixture(scope="module")
def other() -> BiSPN:
    """A component with weights of its own, on which loading is tried."""
    nlp = make_nlp()
    initialize(nlp, demo_texts(8))
    pipe_of(nlp).shim.epoch = 3.0
    return pipe_of(nlp)


def refused(pipe: BiSPN, data: bytes) -> str:
    """What the error says; the component is as it was before."""
    before = pipe.to_bytes(), pipe.shim.epoch
    with pytest.raises(ValueError) as error:
        pipe.from_bytes(data)
    assert (pipe.to_bytes(), pipe.shim.epoch) == before
    return str(error.value)


class Exploit:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.path,)


def test_a_pickle_is_not_run(other: BiSPN, tmp_path: Path) -> None:
    hostile = pickle.dumps(Exploit(tmp_path / "ran"))
    header = json.dumps({"__metadata__": {KEY: hostile.decode("latin-1")}}).encode()
    torch.save({"weights": Exploit(tmp_path / "ran")}, tmp_path / "saved.bin")
    for data in (hostile, (tmp_path / "saved.bin").read_bytes(), len(header).to_bytes(8, "little") + header):
        assert "cannot be read" in refused(other, data)

    def smuggle(values: Values, tensors: Tensors) -> None:
        tensors["vocab"] = to_tensor(hostile)

    assert "impossible values" in refused(other, damaged(other.to_bytes(), smuggle))
    assert not (tmp_path / "ran").exists()
    pickle.loads(hostile)
    assert (tmp_path / "ran").exists(), "the attack would have worked"


def damaged(data: bytes, damage: Damage) -> bytes:
    """The saved component with something changed."""
    values, tensors = unpack(data)
    damage(values, tensors)
    return pack(values, tensors)


def newer(values: Values, tensors: Tensors) -> None:
    values["format"] = FORMAT + 1


def fewer_labels(values: Values, tensors: Tensors) -> None:
    values["cfg"]["entity_labels"].pop()


def twice_a_label(values: Values, tensors: Tensors) -> None:
    values["cfg"]["entity_labels"][0] = values["cfg"]["entity_labels"][1]


def a_label_that_is_no_text(values: Values, tensors: Tensors) -> None:
    values["cfg"]["relation_labels"][0] = 7


def no_labels(values: Values, tensors: Tensors) -> None:
    del values["cfg"]["entity_labels"]


def a_setting_of_its_own(values: Values, tensors: Tensors) -> None:
    values["cfg"]["__class__"] = "os.system"


def an_impossible_threshold(values: Values, tensors: Tensors) -> None:
    values["cfg"]["type_threshold"] = "high"


def a_negative_count(values: Values, tensors: Tensors) -> None:
    values["cfg"]["train_texts"] = -1


def a_broken_vocabulary(values: Values, tensors: Tensors) -> None:
    tensors["vocab"] = to_tensor(b"\xff\x00")


def a_missing_part(values: Values, tensors: Tensors) -> None:
    del values["network"]


VALUES = ["expected the settings and labels of a component", "save the pipeline again"]
WEIGHTS = ["do not fit the model of this config", "expected the tensors", "load them with the config"]
BIAS = f"{NETWORK}relation_type.bias"


def a_weight_of_another_shape(values: Values, tensors: Tensors) -> None:
    tensors[BIAS] = torch.zeros(99)


def a_weight_named_like_a_path(values: Values, tensors: Tensors) -> None:
    tensors[f"{NETWORK}../../relation_type.bias"] = torch.zeros(9)


def a_weight_too_few(values: Values, tensors: Tensors) -> None:
    del tensors[BIAS]


def more_types(values: Values, tensors: Tensors) -> None:
    values["network"]["sizes"][2] += 1


def endless_types(values: Values, tensors: Tensors) -> None:
    values["network"]["sizes"][1] = 10**15


def another_family(values: Values, tensors: Tensors) -> None:
    values["network"]["encoder"]["config"]["model_type"] = "gpt2"


def an_unknown_family(values: Values, tensors: Tensors) -> None:
    values["network"]["encoder"]["config"]["model_type"] = "berd"


def a_broken_tokenizer(values: Values, tensors: Tensors) -> None:
    values["network"]["encoder"]["tokenizer"] = "{}"


def no_encoder(values: Values, tensors: Tensors) -> None:
    values["network"]["encoder"] = None


def no_lengths(values: Values, tensors: Tensors) -> None:
    values["network"]["seen"] = ["long", "short"]


CASES = {
    newer: [f"format {FORMAT + 1}", f"expected {FORMAT}", "install the version"],
    fewer_labels: ["know 5 entity", "expected 4", "the saved settings name", "save the pipeline again"],
    twice_a_label: ["entity_labels is [", "expected each label once", *VALUES],
    a_label_that_is_no_text: ["relation_labels is [7", *VALUES],
    no_labels: ["entity_labels", *VALUES],
    a_setting_of_its_own: ["__class__", *VALUES],
    an_impossible_threshold: ["type_threshold is 'high'", *VALUES],
    a_negative_count: ["train_texts is -1", *VALUES],
    a_broken_vocabulary: VALUES,
    a_missing_part: ["'network'", *VALUES],
    a_weight_of_another_shape: ["size mismatch", *WEIGHTS],
    a_weight_named_like_a_path: ["../../relation_type.bias", *WEIGHTS],
    a_weight_too_few: ["relation_type.bias", *WEIGHTS],
    more_types: ["size mismatch", *WEIGHTS],
    endless_types: WEIGHTS,
    another_family: ["encoder.model.wte.weight", *WEIGHTS],
    an_unknown_family: ["berd", *WEIGHTS],
    a_broken_tokenizer: WEIGHTS,
    no_encoder: WEIGHTS,
    no_lengths: WEIGHTS,
}


@pytest.mark.parametrize("damage", CASES, ids=lambda damage: damage.__name__)
def test_what_is_not_in_order_is_refused(damage: Damage, data: bytes, other: BiSPN) -> None:
    said = refused(other, damaged(data, damage))
    assert all(words in said for words in CASES[damage]), said


def test_code_that_an_encoder_names_is_not_fetched(data: bytes, other: BiSPN) -> None:
    def name_code(values: Values, tensors: Tensors) -> None:
        values["network"]["encoder"]["config"] |= {
            "auto_map": {"AutoModel": "evil/code--model.Evil"}, "attn_implementation": "evil/kernels:run",
            "torch_dtype": "float16", "quantization_config": {"quant_method": "gptq"},
        }  # fmt: skip

    before = other.to_bytes()
    other.from_bytes(damaged(data, name_code))
    network = other.shim.require()
    assert not hasattr(network.encoder.model.config, "auto_map")
    assert {value.dtype for value in network.parameters()} == {torch.float32}
    other.from_bytes(before)


@settings(max_examples=60, derandomize=True, database=None)
@given(draw=st.data())
def test_no_damage_half_loads_a_component(data: bytes, other: BiSPN, draw: st.DataObject) -> None:
    header = int.from_bytes(data[:8], "little") + 8
    place = draw.draw(st.integers(0, header - 1) | st.integers(0, len(data) - 1))
    if draw.draw(st.booleans()):
        changed = data[:place]
    else:
        changed = data[:place] + bytes([data[place] ^ draw.draw(st.integers(1, 255))]) + data[place + 1 :]
    before = other.to_bytes()
    trouble = None
    try:
        other.from_bytes(changed)  # a flipped bit of a weight is a weight
    except ValueError as error:
        trouble = str(error)
    assert trouble is None or ("expected" in trouble and other.to_bytes() == before)
    other.from_bytes(before)


def test_a_sublayer_is_not_half_loaded_either() -> None:
    pipes = []
    for count in (4, 8):
        nlp = make_nlp(listening(CNN))
        initialize(nlp, demo_texts(count))
        pipes.append(pipe_of(nlp))

    def break_last_layer(values: Values, tensors: Tensors) -> None:
        sublayer = srsly.msgpack_loads(from_tensor(tensors["sublayer"]))
        sized = [node for node in sublayer["nodes"] if node["dims"].get("nO")]
        sized[-1]["dims"]["nO"] += 1  # the layers before it are in order
        tensors["sublayer"] = to_tensor(srsly.msgpack_dumps(sublayer))

    said = refused(pipes[1], damaged(pipes[0].to_bytes(exclude=["vocab"]), break_last_layer))
    assert "the saved sublayer does not fit" in said and "expected the bytes of" in said


def test_a_folder_without_the_file_says_what_is_missing(other: BiSPN, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=FILE):
        other.from_disk(tmp_path)


def test_a_model_file_holds_all_and_is_one(nlp: Language, tmp_path: Path) -> None:
    nlp.to_disk(tmp_path / "nlp")
    assert os.listdir(tmp_path / "nlp" / "bispn") == [FILE]
    (tmp_path / "nlp" / "bispn" / FILE).write_bytes(b"half a fil")
    with pytest.raises(ValueError, match=r"cannot be read.*expected what `to_bytes` or.* wrote.*save"):
        spacy.load(tmp_path / "nlp")


def save_for_ever(pipes: list[BiSPN], folder: Path) -> None:
    while True:
        for pipe in pipes:
            pipe.to_disk(folder, exclude=["vocab"])


def test_killed_while_saving_leaves_a_whole_component(nlp: Language, tmp_path: Path) -> None:
    second = make_nlp()
    initialize(second, demo_texts(6))
    pipes = [pipe_of(nlp), pipe_of(second)]
    wholes = [pipe.to_bytes(exclude=["vocab"]) for pipe in pipes]
    pipes[0].to_disk(tmp_path / "saved", exclude=["vocab"])
    rng, found = random.Random(1), set()
    for kills in range(100):
        fork = multiprocessing.get_context("fork")
        writer = fork.Process(target=save_for_ever, args=(pipes, tmp_path / "saved"))
        writer.start()
        time.sleep(rng.uniform(0.02, 0.4))
        writer.kill()
        writer.join()
        found.add((tmp_path / "saved" / FILE).read_bytes())
        assert found <= set(wholes)
        if found == set(wholes) and kills >= 20:
            break
    assert found == set(wholes), "both were saved before a kill"
    fresh = pipe_of(make_nlp(tiny())).from_disk(tmp_path / "saved")
    assert fresh.to_bytes(exclude=["vocab"]) in wholes
