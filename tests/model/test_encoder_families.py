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
from encoder_folders import (
    FAMILIES,
    NEWEST,
    ROBERTA_SPECIAL,
    SIZES,
    around,
    byte_pieces,
    make_folder,
    save_model,
)
from hypothesis import given
from hypothesis import strategies as st
from pipelines import demo_texts, initialize, make_nlp, optimizer, pipe_of, said, scores, tiny, train
from spacy.cli.package import package
from tokenizers import processors
from torch import Tensor
from transformers import BertConfig, PreTrainedTokenizerFast

from spacy_bispn.model.architectures import make_token_encoder
from spacy_bispn.model.encoder_families import EncoderFamily, encoder_families, families_like_bert
from spacy_bispn.model.encoders import Encoder, PretrainedEncoder, rebuild, special_pieces
from spacy_bispn.model.skip_init import SkipInit
from spacy_bispn.model.windowing import SpecialPieces, WindowTokenizer
from spacy_bispn.model.wordpieces import plain
from spacy_bispn.nn.encoder import OneWayEncoder, TokenEncoder, group_by_length
from spacy_bispn.settings import SettingError

TEXTS = [
    "Tem2 binds Dal92.",
    "In cells, the Kel7 protein phosphorylates Tem2 and Dal92 strongly.",
    "Kel7 中文 é.",
]
# families that are trained: each kind of tokenizer, of positions and of layout
TRAINED = (
    *("albert", "bart", "big_bird", "convbert", "deberta-v2", "distilbert", "electra"),
    *("modernbert", "mpnet", "t5", "xlm-roberta"),
    *(family for family in NEWEST if family in FAMILIES),
)
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
    return [found[there] for found, there in zip(passed.tokens.padded, inputs.mask, strict=True)]


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
    assert type(again.model) is type(encoder.model)
    assert (again.special, again.longest) == (encoder.special, encoder.longest)
    for one, other in zip(states(encoder, TEXTS), states(again, TEXTS), strict=True):
        assert torch.equal(one, other)
    pointers = [weight.data_ptr() for weight in encoder.model.state_dict().values()]
    assert len(set(pointers)) == len(pointers), "no weight is saved twice"
    if encoder.config.is_encoder_decoder:
        assert not any("decoder" in name for name in encoder.model.state_dict())


@pytest.mark.slow
@pytest.mark.parametrize("family", TRAINED)
@pytest.mark.usefixtures("no_network")
def test_learns_and_is_saved(family: str, tmp_path: Path) -> None:
    nlp = make_nlp(tiny({"encoder": source(make_folder(family, tmp_path / "encoder"))}))
    examples = initialize(nlp, demo_texts(2))
    history = train(nlp, examples, 60, optimizer(encoder_rate=5e-4))
    assert history[-1] < history[0] * 0.6
    assert scores(nlp, examples)[0] > 0.5
    nlp.to_disk(tmp_path / "pipeline")
    shutil.rmtree(tmp_path / "encoder")
    again = spacy.load(tmp_path / "pipeline")
    for example in examples:
        assert said(nlp(example.text)) == said(again(example.text))


@pytest.mark.slow
@pytest.mark.usefixtures("no_network")
def test_is_packaged(folders: dict[str, Path], tmp_path: Path) -> None:
    nlp = make_nlp(tiny({"encoder": source(folders["deberta-v2"])}))
    (example, *_) = initialize(nlp, demo_texts(1))
    train(nlp, [example], 20)
    nlp.to_disk(tmp_path / "pipeline")
    package(tmp_path / "pipeline", tmp_path, name="small", version="1.0.0", create_sdist=False)
    again = spacy.load(tmp_path / "en_small-1.0.0" / "en_small" / "en_small-1.0.0")
    assert said(nlp(example.text)) == said(again(example.text))


def source(folder: Path) -> dict[str, Any]:
    return {"@misc": "spacy-bispn.PretrainedEncoder.v1", "name": str(folder)}


# How the tokens are read


@pytest.mark.parametrize(
    ("family", "longest"),
    [
        ("bert", 130),
        ("roberta", 129),  # its positions start behind the id of padding, 0
        ("mpnet", 129),
        ("longformer", 129),
        ("deberta-v2", 130),
        ("bart", 130),
        ("t5", 512),  # counts distances: as many pieces as models are usually made for
        ("xlnet", 512),
    ],
)
def test_the_longest_window_of_a_family(family: str, longest: int, folders: dict[str, Path]) -> None:
    assert PretrainedEncoder(str(folders[family])).load([]).longest == longest


def test_a_model_that_counts_distances_reads_as_much_as_its_tokenizer_says(tmp_path: Path) -> None:
    file = make_folder("t5", tmp_path) / "tokenizer_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "model_max_length": 200}))
    encoder = PretrainedEncoder(str(tmp_path)).load([])
    assert encoder.longest == 200 and rebuild(encoder.describe()).longest == 200


@pytest.mark.parametrize(("window", "expected"), [(None, 130), (64, 64), (400, 130)])
def test_the_window_follows_the_encoder(window: int | None, expected: int, folders: dict[str, Path]) -> None:
    nlp = make_nlp(tiny({"encoder": source(folders["modernbert"]), "window": window, "overlap": 8}))
    initialize(nlp, demo_texts(1))
    assert pipe_of(nlp).shim.window_tokenizer().window == expected
    words = "Tem2 binds Dal92 . " * 60
    sizes = [len(one.ids) for one in pipe_of(nlp).shim.windows([nlp.make_doc(words)], is_train=True)]
    assert max(sizes) == expected and len(sizes) > 1


def test_layers_like_bert_s_have_the_states_of_the_untouched_model(folders: dict[str, Path]) -> None:
    for family in ("bert", "xlm-roberta"):
        encoder = PretrainedEncoder(str(folders[family])).load([])
        ids = torch.randint(5, 200, (3, 9), generator=torch.Generator().manual_seed(1))
        mask = torch.arange(9) < torch.tensor([[9], [4], [2]])
        ids = ids.masked_fill(~mask, encoder.special.padding)
        assert families_like_bert().count(family) == 1
        one = OneWayEncoder(encoder.model, -1).eval()(ids, mask).tokens.states
        other = TokenEncoder(encoder.model).eval()(ids, mask).tokens.states
        assert torch.allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("cost", [0.0, 4.0, float("inf")])
def test_reading_in_groups_changes_nothing(cost: float, folders: dict[str, Path]) -> None:
    encoder = TokenEncoder(PretrainedEncoder(str(folders["deberta-v2"])).load([]).model).eval()
    mask = torch.arange(20) < torch.tensor([[3], [20], [3], [18], [1]])
    ids = torch.randint(5, 200, mask.shape).masked_fill(~mask, 0)
    whole = encoder.model(input_ids=ids, attention_mask=mask.long()).last_hidden_state
    assert torch.allclose(encoder.read(ids, mask, cost)[mask], whole[mask], atol=1e-5)


@given(st.lists(st.integers(1, 30), min_size=1, max_size=7), st.integers(0, 40))
def test_groups_have_the_least_cost(lengths: list[int], cost: int) -> None:
    groups = group_by_length(lengths, cost)
    assert sorted(text for _, texts in groups for text in texts) == list(range(len(lengths)))
    assert all(length == max(lengths[text] for text in texts) for length, texts in groups)

    def price(parts: list[int]) -> int:
        """Of the texts by length, cut into groups of these sizes."""
        rest, total = sorted(lengths, reverse=True), 0
        for size in parts:
            total += size * rest[0] + cost
            rest = rest[size:]
        return total

    every = [[1]]
    for _ in lengths[1:]:
        every = [[*cut[:-1], cut[-1] + 1] for cut in every] + [[*cut, 1] for cut in every]
    assert price([len(texts) for _, texts in groups]) == min(map(price, every))


def test_groups_of_one_length_have_no_padding() -> None:
    assert group_by_length([3, 5, 3, 1], 0) == [(5, [1]), (3, [0, 2]), (1, [3])]


# Special pieces


@pytest.mark.parametrize(
    ("template", "names", "expected"),
    [
        ("$A </s>", {}, ((), (2,), 0)),
        ("<s> $A", {}, ((1,), (), 0)),
        ("<s> <mask> $A </s>", {}, ((1, 4), (2,), 0)),
        ("<s> $A </s>", {"cls_token": "<mask>"}, ((1,), (2,), 0)),  # what is really added
        ("", {}, ((), (), 0)),
        ("", {"cls_token": "<s>", "sep_token": "</s>"}, ((1,), (2,), 0)),
        ("", {"pad_token": "<mask>"}, ((), (), 4)),
    ],
)
def test_windows_open_and_close_as_the_tokenizer_does_it(
    template: str, names: dict[str, str], expected: tuple[Any, ...]
) -> None:
    tokenizer = plain(byte_pieces().to_str())
    tokenizer.post_processor = processors.ByteLevel()
    if template:
        around(tokenizer, template)
    config = BertConfig(pad_token_id=0)
    assert special_pieces(PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names), config) == expected


def test_a_window_has_as_many_special_pieces_as_the_tokenizer_adds() -> None:
    special = SpecialPieces((), (2,), 0)
    short, *more = WindowTokenizer(byte_pieces(), special, 10, 2).windows(
        ["a", "a b c d e f g h i j k l m"], [[]] * 2
    )
    assert short.ids.tolist()[1:] == [2] and short.start.tolist() == [0, -1]
    assert len(more) > 1 and all(len(one.ids) <= 10 and one.ids[-1] == 2 for one in more)


def test_special_pieces_of_older_models() -> None:
    assert SpecialPieces.of([101, 102, 0]) == SpecialPieces.of([[101], [102], 0]) == ((101,), (102,), 0)


# Families


def test_what_families_change_in_the_config(folders: dict[str, Path]) -> None:
    for family, name, value in (
        ("big_bird", "attention_type", "original_full"),
        ("modernbert", "reference_compile", False),
    ):
        config = PretrainedEncoder(str(folders[family])).load([]).config
        assert getattr(config, name, value) == value


def test_another_package_adds_a_family(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    class Short(EncoderFamily):
        def positions(self, config: Any) -> int:
            return 40

    monkeypatch.setattr(encoder_families, "get_all", lambda: {"mpnet": Short})
    encoder = PretrainedEncoder(str(folders["mpnet"])).load([])
    assert encoder.longest == 40 and rebuild(encoder.describe()).longest == 40


# Errors


def refused(family: str, folder: Path, **sizes: Any) -> str:
    save_model(family, byte_pieces(), ROBERTA_SPECIAL, sizes, folder)
    with pytest.raises(SettingError) as error:
        PretrainedEncoder(str(folder)).load([])
    assert "expected an encoder of text" in str(error.value) and "choose another encoder" in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("family", "sizes"),
    [
        ("gpt2", {"n_embd": 32, "n_layer": 1, "n_head": 4}),
        ("llama", {**SIZES, "num_key_value_heads": 4}),
        ("bert", {**SIZES, "is_decoder": True}),
        ("roberta", {**SIZES, "is_decoder": True}),
    ],
)
def test_a_model_that_sees_only_what_came_before(family: str, sizes: dict[str, Any], tmp_path: Path) -> None:
    message = refused(family, tmp_path, **sizes)
    assert f"is a {family} model, in which no piece sees those behind it" in message


def test_a_model_of_images(tmp_path: Path) -> None:
    sizes = {"image_size": 8, "patch_size": 4, **SIZES}
    assert "is a vit model, which cannot read pieces" in refused("vit", tmp_path, **sizes)


def test_a_model_whose_states_depend_on_padding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder_families, "get_all", dict)
    folder = make_folder("convbert", tmp_path / "convbert")
    with pytest.raises(SettingError, match=r"padding changes the states of a text \(register its family"):
        PretrainedEncoder(str(folder)).load([])


@pytest.mark.parametrize("family", ["deberta-v2", "modernbert", "t5", "relative bert"])
def test_queries_enter_layers_like_bert_s_only(family: str, folders: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path
    if family == "relative bert":
        sizes = {**SIZES, "position_embedding_type": "relative_key"}
        save_model("bert", byte_pieces(), ROBERTA_SPECIAL, sizes, folder)
    else:
        folder = folders[family]
    with pytest.raises(SettingError) as error:
        initialize(make_nlp(tiny({"encoder": source(folder), "query_layer": 0})), demo_texts(1))
    for part in (
        "query_layer is 0",
        f"expected -1 with this {family.split()[-1]} encoder",
        "set query_layer = -1",
    ):
        assert part in str(error.value)
    initialize(make_nlp(tiny({"encoder": source(folder)})), demo_texts(1))


def test_an_unknown_model_may_not_bring_its_code(tmp_path: Path) -> None:
    code = {"AutoConfig": "code.Config", "AutoModel": "code.Model"}
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "unheard-of", "auto_map": code}))
    (tmp_path / "code.py").write_text("raise SystemExit('code of a model was run')")
    with pytest.raises(ValueError, match="without a complete model, expected"):
        PretrainedEncoder(str(tmp_path)).load([])
