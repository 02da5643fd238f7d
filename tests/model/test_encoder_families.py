"""Every family of encoders: loaded, rebuilt without a network, trained, saved; and what is no encoder."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import spacy
import torch
from encoder_folders import FAMILIES, ROBERTA_SPECIAL, SIZES, byte_pieces, make_folder
from hypothesis import given
from hypothesis import strategies as st
from pipelines import demo_texts, initialize, make_nlp, pipe_of, said, scores, tiny, train
from tokenizers import processors
from torch import Tensor
from transformers import AutoConfig, AutoModel, BertConfig, BertModel, PreTrainedTokenizerFast

from spacy_bispn.model.architectures import make_token_encoder
from spacy_bispn.model.encoder_families import EncoderFamily, encoder_families, families_like_bert
from spacy_bispn.model.encoders import Encoder, PretrainedEncoder, RandomEncoder, rebuild, special_pieces
from spacy_bispn.model.shim import SkipInit
from spacy_bispn.model.windowing import SpecialPieces, WindowTokenizer
from spacy_bispn.nn.encoder import OneWayEncoder, TokenEncoder, group_by_length
from spacy_bispn.settings import SettingError

TEXTS = [
    "Tem2 binds Dal92.",
    "In cells, the Kel7 protein phosphorylates Tem2 and Dal92 strongly.",
    "Kel7 中文 é.",
]
# families that are trained: each kind of tokenizer, of positions and of layout
TRAINED = [
    "albert", "bart", "big_bird", "convbert", "deberta-v2", "distilbert", "electra", "longformer", "modernbert",
    "mpnet", "t5", "xlm-roberta",
]  # fmt: skip
each_family = pytest.mark.parametrize("family", FAMILIES)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the network was asked for")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """A folder of each family, made when it is first needed."""

    class Made(dict[str, Path]):
        def __missing__(self, family: str) -> Path:
            self[family] = make_folder(family, tmp_path_factory.mktemp(family))
            return self[family]

    yield Made()


def states(encoder: Encoder, texts: list[str]) -> list[Tensor]:
    """The states of each text, read in one batch."""
    window_tokenizer = WindowTokenizer(encoder.tokenizer, encoder.special, 64, 8)
    inputs = window_tokenizer.batch(window_tokenizer.windows(texts, [[]] * len(texts)), torch.device("cpu"))
    assert inputs.ids is not None
    with torch.inference_mode():
        passed = make_token_encoder(encoder, -1).eval()(inputs.ids, inputs.mask)
    return [found[there] for found, there in zip(passed.rows.pad(passed.states), inputs.mask, strict=True)]


@each_family
def test_states_depend_on_the_text_alone(family: str, folders: dict[str, Path]) -> None:
    encoder = PretrainedEncoder(str(folders[family])).load([])
    together = states(encoder, TEXTS)
    for text, found in zip(TEXTS, together, strict=True):
        (alone,) = states(encoder, [text])
        assert torch.allclose(alone, found, atol=1e-4)
    assert together[0].std() > 0.01


@each_family
@pytest.mark.usefixtures("no_network")
def test_is_rebuilt_from_its_description_and_weights(family: str, folders: dict[str, Path]) -> None:
    encoder = PretrainedEncoder(str(folders[family])).load([])
    description = json.loads(json.dumps(encoder.describe()))
    assert description == encoder.describe() and str(folders[family]) not in json.dumps(description)
    with SkipInit():
        again = rebuild(description)
    again.model.load_state_dict(encoder.model.state_dict())
    assert type(again.model) is type(encoder.model) and again.describe() == description
    assert (again.special, again.longest) == (encoder.special, encoder.longest)
    for one, other in zip(states(encoder, TEXTS), states(again, TEXTS), strict=True):
        assert torch.equal(one, other)
    pointers = [weight.data_ptr() for weight in encoder.model.state_dict().values()]
    assert len(set(pointers)) == len(pointers), "no weight is saved twice"
    assert not any("pooler" in name or "decoder.layers" in name for name in encoder.model.state_dict())


@pytest.mark.slow
@pytest.mark.parametrize("family", TRAINED)
@pytest.mark.usefixtures("no_network")
def test_learns_and_is_saved(family: str, tmp_path: Path) -> None:
    source = {
        "@misc": "spacy-bispn.PretrainedEncoder.v1",
        "name": str(make_folder(family, tmp_path / "encoder")),
    }
    nlp = make_nlp(tiny({"encoder": source}))
    examples = initialize(nlp, demo_texts(2))
    history = train(nlp, examples, 40)
    assert history[-1] < history[0] / 4
    assert scores(nlp, examples)[0] > 0.8
    nlp.to_disk(tmp_path / "pipeline")
    shutil.rmtree(tmp_path / "encoder")
    again = spacy.load(tmp_path / "pipeline")
    for example in examples:
        assert said(nlp(example.text)) == said(again(example.text))
    assert pipe_of(again).shim.window_tokenizer().window == min(
        256, FAMILIES[family][2].get("max_position_embeddings", 256), pipe_of(nlp).shim.encoder.longest
    )
