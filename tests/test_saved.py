"""Saved components that are damaged, foreign or hostile: refused, not executed, and never half loaded."""

from __future__ import annotations

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
from safetensors.torch import load, save
from spacy.language import Language

from spacy_bispn.component import BiSPN
from spacy_bispn.saved import FILE, FORMAT

TEXTS = demo_texts(4)
Message = dict[str, Any]


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
    for data in (hostile, srsly.msgpack_dumps({"format": FORMAT, "cfg": hostile})):
        assert "load a folder or bytes that this component wrote" in refused(other, data)
    weights = {**srsly.msgpack_loads(other.to_bytes(exclude=["vocab"])), "model": hostile}
    assert "load a folder or bytes" in refused(other, srsly.msgpack_dumps(weights))
    assert not (tmp_path / "ran").exists()
    pickle.loads(hostile)
    assert (tmp_path / "ran").exists(), "the attack would have worked"


def newer(message: Message) -> None:
    message["format"] = FORMAT + 1


def fewer_labels(message: Message) -> None:
    message["cfg"]["entity_labels"].pop()


def twice_a_label(message: Message) -> None:
    message["cfg"]["entity_labels"][0] = message["cfg"]["entity_labels"][1]


def a_label_that_is_no_text(message: Message) -> None:
    message["cfg"]["relation_labels"][0] = 7


def no_labels(message: Message) -> None:
    del message["cfg"]["entity_labels"]


def a_setting_of_its_own(message: Message) -> None:
    message["cfg"]["__class__"] = "os.system"


def an_impossible_threshold(message: Message) -> None:
    message["cfg"]["type_threshold"] = "high"


def a_negative_count(message: Message) -> None:
    message["cfg"]["train_texts"] = -1


def no_bytes(message: Message) -> None:
    message["model"] = ["weights"]


def a_broken_vocabulary(message: Message) -> None:
    message["vocab"] = b"\xff\x00"


def a_missing_part(message: Message) -> None:
    del message["model"]


VALUES = "the settings and labels of a component"
CASES = {
    newer: [f"format {FORMAT + 1}", f"expected {FORMAT}", "install the version"],
    fewer_labels: ["know 5 entity", "settings name 4", "these labels", "save the pipeline again"],
    twice_a_label: ["entity_labels names a label twice", VALUES, "save the pipeline again"],
    a_label_that_is_no_text: ["relation_labels is [7", VALUES, "save the pipeline again"],
    no_labels: ["settings", VALUES, "save the pipeline again"],
    a_setting_of_its_own: ["__class__", VALUES, "save the pipeline again"],
    an_impossible_threshold: ["'<=' not supported", VALUES, "save the pipeline again"],
    a_negative_count: ["train_texts is -1", VALUES, "save the pipeline again"],
    no_bytes: ["model and vocab are no bytes", VALUES, "save the pipeline again"],
    a_broken_vocabulary: [VALUES, "save the pipeline again"],
    a_missing_part: ["'model'", VALUES, "save the pipeline again"],
}


@pytest.mark.parametrize("damage", CASES, ids=lambda damage: damage.__name__)
def test_what_is_not_in_order_is_refused(
    damage: Callable[[Message], None], data: bytes, other: BiSPN
) -> None:
    message = srsly.msgpack_loads(data)
    damage(message)
    said = refused(other, srsly.msgpack_dumps(message))
    assert all(words in said for words in CASES[damage]), said


def with_shim(data: bytes, change: Callable[[Message], None]) -> bytes:
    """The saved component with its network's own message changed."""
    message = srsly.msgpack_loads(data)
    model = srsly.msgpack_loads(message["model"])
    shim = srsly.msgpack_loads(model["shims"][0][0])
    change(shim)
    model["shims"][0][0] = srsly.msgpack_dumps(shim)
    return bytes(srsly.msgpack_dumps({**message, "model": srsly.msgpack_dumps(model)}))


def weights_cut_short(shim: Message) -> None:
    shim["weights"] = shim["weights"][:-10]


def a_weight_of_another_shape(shim: Message) -> None:
    tensors = load(shim["weights"])
    shim["weights"] = save({**tensors, "relation_type.bias": torch.zeros(99)})


def a_weight_named_like_a_path(shim: Message) -> None:
    shim["weights"] = save({**load(shim["weights"]), "../../relation_type.bias": torch.zeros(9)})


def a_weight_too_few(shim: Message) -> None:
    tensors = load(shim["weights"])
    del tensors["relation_type.bias"]
    shim["weights"] = save(tensors)


def more_types(shim: Message) -> None:
    shim["sizes"][2] += 1


def endless_types(shim: Message) -> None:
    shim["sizes"][1] = 10**15


def another_family(shim: Message) -> None:
    shim["encoder"]["config"]["model_type"] = "gpt2"


def a_broken_tokenizer(shim: Message) -> None:
    shim["encoder"]["tokenizer"] = "{}"


def no_encoder(shim: Message) -> None:
    shim["encoder"] = None


SHIM_CASES = (
    weights_cut_short, a_weight_of_another_shape, a_weight_named_like_a_path, a_weight_too_few, more_types,
    endless_types, another_family, a_broken_tokenizer, no_encoder,
)  # fmt: skip


@pytest.mark.parametrize("damage", SHIM_CASES)
def test_a_network_that_is_not_in_order_is_refused(
    damage: Callable[[Message], None], data: bytes, other: BiSPN
) -> None:
    said = refused(other, with_shim(data, damage))
    assert "expected" in said and ("load" in said), said


def test_code_that_an_encoder_names_is_not_fetched(data: bytes, other: BiSPN) -> None:
    def name_code(shim: Message) -> None:
        shim["encoder"]["config"] |= {
            "auto_map": {"AutoModel": "evil/code--model.Evil"}, "attn_implementation": "evil/kernels:run",
            "torch_dtype": "float16", "quantization_config": {"quant_method": "gptq"},
        }  # fmt: skip

    before = other.to_bytes()
    other.from_bytes(with_shim(data, name_code))
    network = other.shim.require()
    assert not hasattr(network.encoder.model.config, "auto_map")
    assert {value.dtype for value in network.parameters()} == {torch.float32}
    other.from_bytes(before)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.data())
def test_no_damage_half_loads_a_component(data: bytes, other: BiSPN, draw: st.DataObject) -> None:
    place = draw.draw(st.integers(0, len(data) - 1))
    if draw.draw(st.booleans()):
        damaged = data[:place]
    else:
        damaged = data[:place] + bytes([data[place] ^ draw.draw(st.integers(1, 255))]) + data[place + 1 :]
    before = other.to_bytes()
    trouble = None
    try:
        other.from_bytes(damaged)  # a flipped bit of a weight is a weight
    except ValueError as error:
        trouble = str(error)
    assert trouble is None or ("expected" in trouble and other.to_bytes() == before)
    other.from_bytes(before)


def test_a_sublayer_is_not_half_loaded_either() -> None:
    pipes = []
    for count in (4, 6):
        nlp = make_nlp(listening(CNN))
        initialize(nlp, demo_texts(count))
        pipes.append(pipe_of(nlp))
    saved, other = pipes
    refused(other, with_shim_of_sublayer(saved.to_bytes(exclude=["vocab"])))


def with_shim_of_sublayer(data: bytes) -> bytes:
    message = srsly.msgpack_loads(data)
    model = srsly.msgpack_loads(message["model"])
    model["params"][-1] = {name: None for name in model["params"][-1]}
    return bytes(srsly.msgpack_dumps({**message, "model": srsly.msgpack_dumps({**model, "shims": []})}))


def test_a_folder_without_the_file_says_what_is_missing(other: BiSPN, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=FILE):
        other.from_disk(tmp_path)


def test_a_model_file_holds_all_and_is_one(nlp: Language, tmp_path: Path) -> None:
    nlp.to_disk(tmp_path / "nlp")
    assert os.listdir(tmp_path / "nlp" / "bispn") == [FILE]
    (tmp_path / "nlp" / "bispn" / FILE).write_bytes(b"half a fil")
    with pytest.raises(ValueError, match=r"cannot be read.*expected what `to_bytes` or .* wrote.*save"):
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
