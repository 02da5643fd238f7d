"""Encoders: made, loaded from a folder, described, and rebuilt without file or network."""

from __future__ import annotations

import json
import shutil
import socket
import warnings
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import (
    BertConfig,
    BertModel,
    CamembertConfig,
    ElectraConfig,
    ElectraModel,
    GPT2Config,
    PreTrainedTokenizerFast,
    RobertaConfig,
)

from spacy_bispn.demo.corpus import generate
from spacy_bispn.model.encoders import (
    Encoder,
    PretrainedEncoder,
    RandomEncoder,
    Source,
    rebuild,
)
from spacy_bispn.model.windowing import SpecialPieces, WindowTokenizer
from spacy_bispn.model.wordpieces import learn_wordpieces, plain

TEXTS = ["ORC and Cdc6p bind ATP.", "IL-2 bindet 中文。", "un nai\u0308ve café"]
SIZES = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
RANDOM = RandomEncoder(width=24, layers=2, heads=2, vocabulary=150, positions=48, dropout=0.2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tiny BERT as transformers saves it, with a tokenizer that cuts and pads."""
    tokenizer = learn_wordpieces(TEXTS, 150)
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=4)
    names = {"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "unk_token": "[UNK]"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(tmp_path / "bert")
    torch.manual_seed(0)
    config = BertConfig(vocab_size=tokenizer.get_vocab_size(), max_position_embeddings=64, **SIZES)
    BertModel(config).save_pretrained(tmp_path / "bert")
    return tmp_path / "bert"


def states(encoder: Encoder, text: str = TEXTS[0]) -> Tensor:
    """What the encoder makes of a text."""
    windows = WindowTokenizer(encoder.tokenizer, encoder.special, 32, 8).windows([text], [[]])
    inputs = WindowTokenizer(encoder.tokenizer, encoder.special, 32, 8).batch(windows, torch.device("cpu"))
    with torch.inference_mode():
        found: Tensor = encoder.model.eval()(inputs.ids, inputs.mask.long()).last_hidden_state
    return found


def copied(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> Encoder:
    """The encoder rebuilt from JSON and weights, while the network is out of reach."""

    def refuse(*_: object) -> None:
        raise AssertionError("the network was asked for")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    description = json.loads(json.dumps(encoder.describe()))
    again = rebuild(description)
    again.model.load_state_dict(encoder.model.state_dict())
    return again


@pytest.mark.parametrize("text", TEXTS)
def test_a_random_encoder_is_rebuilt_from_its_description(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = RANDOM.load(TEXTS)
    again = copied(encoder, monkeypatch)
    assert torch.allclose(states(encoder, text), states(again, text), atol=1e-5)
    assert (again.special, again.longest) == (encoder.special, encoder.longest)
    assert again.describe() == encoder.describe()


def test_a_random_encoder_has_the_sizes_of_its_settings() -> None:
    encoder = RANDOM.load(TEXTS)
    config = encoder.model.config
    assert (config.hidden_size, config.num_hidden_layers, config.num_attention_heads) == (24, 2, 2)
    assert config.hidden_dropout_prob == config.attention_probs_dropout_prob == 0.2
    assert encoder.longest == 48
    assert config.vocab_size == encoder.tokenizer.get_vocab_size() <= 150
    assert states(encoder).shape[-1] == 24


def test_a_pretrained_encoder_is_rebuilt_without_its_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = PretrainedEncoder(str(folder)).load([])
    before = states(encoder)
    shutil.rmtree(folder)
    assert torch.allclose(states(copied(encoder, monkeypatch)), before, atol=1e-5)


def test_a_pretrained_encoder_has_the_weights_of_its_folder(folder: Path) -> None:
    encoder = PretrainedEncoder(str(folder)).load([])
    original = BertModel.from_pretrained(folder).state_dict()
    for name, weight in encoder.model.state_dict().items():
        assert torch.equal(weight, original[name])
        assert "pooler" not in name, "nothing is built that is not used"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_any_dtype_become_32_bits(folder: Path, dtype: torch.dtype) -> None:
    before = PretrainedEncoder(str(folder)).load([]).describe()
    original = BertModel.from_pretrained(folder).state_dict()
    stored = {name: value.to(dtype) for name, value in original.items()}
    other = folder.with_name("other")
    shutil.copytree(folder, other)
    BertModel.from_pretrained(folder).to(dtype).save_pretrained(other)
    assert {value.dtype for value in load_file(other / "model.safetensors").values()} == {dtype}
    encoder = PretrainedEncoder(str(other)).load([])
    assert encoder.describe() == before
    for name, weight in encoder.model.state_dict().items():
        assert weight.dtype == torch.float32 and torch.equal(weight, stored[name].float())


@pytest.mark.parametrize(("gone", "missing"), [("", 0), ("pooler", 0), ("encoder.layer.0.output", 4)])
def test_only_weights_that_are_missing_are_reported(
    folder: Path, gone: str, missing: int, capfd: pytest.CaptureFixture[str]
) -> None:
    weights = load_file(folder / "model.safetensors")
    assert any("pooler" in name for name in weights), "more than an encoder needs"
    kept = {name: value for name, value in weights.items() if not gone or gone not in name}
    kept["cls.predictions.bias"] = torch.zeros(3)  # as if it had been trained for another task
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        PretrainedEncoder(str(folder)).load([])
    said = [str(one.message) for one in found]
    assert capfd.readouterr() == ("", "")
    assert len(said) == (1 if missing else 0)
    for part in (f"{missing} weights of the encoder", "expected all of them", "fetch the files again"):
        assert not missing or part in said[0]


def test_the_tokenizer_neither_cuts_nor_pads(folder: Path) -> None:
    encoder = PretrainedEncoder(str(folder)).load([])
    for tokenizer in (encoder.tokenizer, rebuild(encoder.describe()).tokenizer):
        assert tokenizer.truncation is None and tokenizer.padding is None
        assert len(tokenizer.encode("a " * 50, add_special_tokens=False).ids) == 50
        assert len(tokenizer.encode("a", add_special_tokens=False).ids) == 1


def test_special_pieces_open_close_and_pad(folder: Path) -> None:
    for source in (RANDOM, PretrainedEncoder(str(folder))):
        encoder = source.load(TEXTS)
        (opening,), (closing,), padding = encoder.special
        names = [encoder.tokenizer.id_to_token(number) for number in (opening, closing, padding)]
        assert names == ["[CLS]", "[SEP]", "[PAD]"]


def test_a_description_is_plain_json_and_forgets_where_the_model_lay(folder: Path) -> None:
    sources: list[Source] = [RANDOM, PretrainedEncoder(str(folder))]
    for source in sources:
        description = source.load(TEXTS).describe()
        assert json.loads(json.dumps(description)) == description
        assert str(folder) not in json.dumps(description)


def test_minilm(encoders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = PretrainedEncoder(str(encoders / "minilm-l6")).load([])
    assert encoder.longest == 512 and encoder.special == ((101,), (102,), 0)
    assert encoder.tokenizer.encode("Cdc6p binds", add_special_tokens=False).tokens[-1] == "binds"
    assert torch.allclose(states(copied(encoder, monkeypatch)), states(encoder), atol=1e-5)


def test_electra_has_no_pooler_to_leave_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = RANDOM.load(TEXTS)
    config = ElectraConfig(vocab_size=encoder.tokenizer.get_vocab_size(), embedding_size=12, **SIZES)
    electra = Encoder(ElectraModel(config), encoder.tokenizer, encoder.special, config)
    assert torch.equal(states(copied(electra, monkeypatch)), states(electra))


@pytest.mark.parametrize(
    ("config", "longest"),
    [
        (BertConfig(max_position_embeddings=512, **SIZES), 512),
        (ElectraConfig(max_position_embeddings=512, **SIZES), 512),
        # the positions of these start behind the id of padding
        (RobertaConfig(max_position_embeddings=514, pad_token_id=1, **SIZES), 512),
        (CamembertConfig(max_position_embeddings=514, pad_token_id=1, **SIZES), 512),
    ],
    ids=lambda value: getattr(value, "model_type", None),
)
def test_the_longest_window_is_what_the_positions_suffice_for(config: BertConfig, longest: int) -> None:
    special = SpecialPieces((), (), 0)
    assert Encoder(torch.nn.Module(), learn_wordpieces(["a"], 10), special, config).longest == longest


# Errors


def refused(name: Path | str) -> str:
    with pytest.raises(ValueError) as error:
        PretrainedEncoder(str(name)).load([])
    assert repr(str(name)) in str(error.value)
    return str(error.value)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    message = refused(tmp_path / "nowhere")
    assert "neither a folder nor reachable" in message
    assert "expected a hub name or a folder with config.json" in message and "correct `name`" in message


@pytest.mark.parametrize("missing", ["*", "config.json", "model.safetensors", "tokenizer*"])
def test_a_folder_without_a_complete_model(folder: Path, missing: str) -> None:
    for path in folder.glob(missing):
        path.unlink()
    message = refused(folder)
    assert "a folder without a complete model" in message
    assert "expected a hub name or a folder with config.json, weights and tokenizer.json" in message


@pytest.mark.parametrize("broken", ["config.json", "model.safetensors", "tokenizer.json"])
@pytest.mark.parametrize("content", ["", "{", "{}", "[]", "123", "null", '{"model_type": ["bert"]}'])
def test_a_folder_with_a_broken_file(folder: Path, broken: str, content: str) -> None:
    (folder / broken).write_text(content)
    assert "a folder without a complete model" in refused(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"hidden_size": "24"}, {"hidden_size": -1}, {"hidden_size": 26}, {"num_attention_heads": 0},
        {"num_hidden_layers": None}, {"hidden_act": "none"}, {"vocab_size": 7}, {"pad_token_id": 10_000},
        {"hidden_dropout_prob": "much"}, {"auto_map": 5},
    ],
    ids=str,
)  # fmt: skip
def test_a_config_with_a_wrong_value(folder: Path, change: dict[str, object]) -> None:
    """Which error transformers raises for it, and when, differs by version."""
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | change))
    assert "a folder without a complete model" in refused(folder)


def test_a_model_of_another_family(tmp_path: Path) -> None:
    GPT2Config(vocab_size=10, n_embd=8, n_layer=1, n_head=1).save_pretrained(tmp_path)
    message = refused(tmp_path)
    assert "is a gpt2 model, in which no piece sees those behind it" in message
    assert "expected an encoder of text" in message and "choose another encoder" in message


def test_a_width_that_its_heads_do_not_divide() -> None:
    with pytest.raises(ValueError, match="width is 25, expected a multiple of the encoder's 2 heads: change"):
        RandomEncoder(width=25, heads=2)


# Tokenizers


def test_learnt_wordpieces_are_cased_and_cover_their_texts() -> None:
    tokenizer = learn_wordpieces(TEXTS, 300)
    assert tokenizer.encode(TEXTS[0]).tokens == ["ORC", "and", "Cdc6p", "bind", "ATP", "."]
    for text in TEXTS:
        assert "[UNK]" not in tokenizer.encode(text).tokens
    assert tokenizer.encode("orc").tokens != tokenizer.encode("ORC").tokens
    assert tokenizer.encode("ž").tokens == ["[UNK]"]


def test_plain_tokenizers_keep_their_pieces() -> None:
    tokenizer = learn_wordpieces(TEXTS, 300)
    expected = tokenizer.encode(TEXTS[0]).ids
    tokenizer.enable_truncation(2)
    assert plain(tokenizer.to_str()).encode(TEXTS[0]).ids == expected


def test_the_same_texts_always_give_the_same_vocabulary() -> None:
    texts = [text.text for text in generate(sizes={"train": 40})["train"]]
    first, *others = [learn_wordpieces(texts, 300).get_vocab() for _ in range(4)]
    assert all(other == first for other in others)
