"""`spacy bispn init-config`, called in this process."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import spacy
from click.testing import Result
from pipelines import PUNCTUATION, demo_texts, make_text, save_bert
from spacy import util
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from thinc.api import Config
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast
from typer.testing import CliRunner

from spacy_bispn.cli import app
from spacy_bispn.corpus import to_docbin
from spacy_bispn.model.optimizers import AdamW
from spacy_bispn.model.wordpieces import learn_wordpieces
from spacy_bispn.records import AnnotatedText, Entity, Extraction, Relation

TEXTS = demo_texts(20)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Corpora in both tokenizations, one without relations, and a BERT of width 48 with 2 heads."""
    place = tmp_path_factory.mktemp("init")
    to_docbin(spacy.blank("en", config=PUNCTUATION), TEXTS)[0].to_disk(place / "train.spacy")
    to_docbin(spacy.blank("en"), TEXTS)[0].to_disk(place / "plain.spacy")
    none = [make_text("Tem2 sleeps.", [("Tem2", "P")], [])]
    to_docbin(spacy.blank("en"), none)[0].to_disk(place / "none.spacy")
    tokenizer = learn_wordpieces([text.text for text in TEXTS], 300)
    names = {"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "unk_token": "[UNK]"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(place / "bert")
    sizes = {"hidden_size": 48, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 96}
    BertModel(BertConfig(vocab_size=tokenizer.get_vocab_size(), **sizes)).save_pretrained(place / "bert")
    return place


def init(folder: Path, *words: object, corpus: str = "train", code: int = 0) -> Result:
    timing = [] if "--timing" in words else ["--no-timing"]
    arguments = [
        "init-config",
        folder / "config.cfg",
        "--corpus",
        folder / f"{corpus}.spacy",
        *timing,
        *words,
    ]
    result = CliRunner().invoke(app, [str(word) for word in arguments])
    assert result.exit_code == code, result.output
    return result


def written(folder: Path, *words: object, corpus: str = "train") -> Config:
    init(folder, "--force", *words, corpus=corpus)
    return Config().from_disk(folder / "config.cfg", interpolate=False)


def test_without_an_encoder_it_fits_the_corpus(folder: Path) -> None:
    config = written(folder, "--symmetric", "BINDS")
    model = config["components"]["bispn"]["model"]
    assert config["components"]["bispn"]["symmetric_labels"] == ["BINDS"]
    assert config["nlp"]["tokenizer"]["@tokenizers"] == "spacy-bispn.PunctuationTokenizer.v1"
    assert model["encoder"]["@misc"] == "spacy-bispn.RandomEncoder.v1"
    assert (model["encoder"]["vocabulary"], model["encoder"]["width"], model["heads"]) == (800, 192, 6)
    assert (model["entity_queries"], model["relation_queries"]) == (16, 16)
    assert model["overlap"] * 4 == model["window"]
    assert config["paths"]["train"] == str(folder / "train.spacy") and config["paths"]["dev"] is None
    assert config["training"]["optimizer"]["decoder_rate"] == 1e-3
    # 20 texts are 3 steps; 500 epochs would make 1500 of them
    assert (config["training"]["max_epochs"], config["training"]["eval_frequency"]) == (100, 2)
    assert config["training"]["optimizer"]["epochs"] == "${training.max_epochs}"


def test_nothing_is_left_to_fill_and_it_trains(folder: Path) -> None:
    config = written(folder, "--encoder", folder / "bert", "--symmetric", "BINDS")
    filled = util.load_model_from_config(util.load_config(folder / "config.cfg"), auto_fill=True).config
    assert filled.to_str() == (folder / "config.cfg").read_text("utf8")
    model = config["components"]["bispn"]["model"]
    assert (model["heads"], model["feedforward"], model["encoder"]["name"]) == (2, 128, "${paths.encoder}")
    assert config["paths"]["encoder"] == str(folder / "bert")
    overrides = {"paths.dev": str(folder / "train.spacy"), "training.max_steps": 1}
    nlp = init_nlp(util.load_config(folder / "config.cfg", overrides, interpolate=True))
    trained, _ = train(nlp, None, stdout=io.StringIO(), stderr=io.StringIO())
    assert "bispn" in trained(TEXTS[0].text).spans
    optimizer = config.interpolate()["training"]["optimizer"]
    assert (optimizer["encoder_rate"], optimizer["decoder_rate"], optimizer["epochs"]) == (1e-4, 4e-4, 100)
    assert isinstance(util.registry.resolve({"it": optimizer})["it"], AdamW)


def test_the_command_to_train_names_the_user_s_own_files(folder: Path) -> None:
    shown = "".join(init(folder, "--force").output.split())
    assert shown.endswith("--paths.devDEV"), "nothing lies beside the corpus"
    (folder / "dev.spacy").write_bytes((folder / "train.spacy").read_bytes())
    shown = "".join(init(folder, "--force").output.split())
    (folder / "dev.spacy").unlink()
    assert shown.endswith(f"--paths.dev{folder / 'dev.spacy'}")


@pytest.mark.parametrize("lowercase", [False, True])
def test_an_encoder_that_does_not_see_case_gets_what_words_look_like(folder: Path, lowercase: bool) -> None:
    place = folder / f"lowercase {lowercase}"
    save_bert(place, lowercase)
    assert written(folder, "--encoder", place)["components"]["bispn"]["model"]["lexical"] == lowercase


def test_a_corpus_that_relates_things_gets_settings_for_it(folder: Path) -> None:
    text = "Tem2 binds Dal92 and Tem2."
    tem, dal, again = Entity(0, 4, "P"), Entity(11, 16, "P"), Entity(21, 25, "P")
    both = (Relation(tem, dal, "BINDS"), Relation(again, dal, "BINDS"))
    for name, relations in (("things", both), ("mentions", both[:1])):
        texts = [AnnotatedText(str(at), text, Extraction((tem, dal, again), relations)) for at in range(10)]
        to_docbin(spacy.blank("en"), texts)[0].to_disk(folder / f"{name}.spacy")
        block = written(folder, corpus=name)["components"]["bispn"]
        assert block["share_relations"] == block["model"]["pool_mentions"] == (name == "things")


def test_for_a_gpu(folder: Path) -> None:
    config = written(folder, "--encoder", folder / "bert", "--gpu")
    assert config["system"]["gpu_allocator"] == "pytorch"


@pytest.mark.parametrize(
    ("corpus", "words", "tokenizer"),
    [
        ("plain", [], "spacy.Tokenizer.v1"),
        ("plain", ["--punctuation"], "spacy-bispn.PunctuationTokenizer.v1"),
        ("train", ["--no-punctuation"], "spacy.Tokenizer.v1"),
    ],
)
def test_the_tokenizer_is_that_of_the_corpus(
    folder: Path, corpus: str, words: list[str], tokenizer: str
) -> None:
    assert written(folder, *words, corpus=corpus)["nlp"]["tokenizer"]["@tokenizers"] == tokenizer


def test_an_evaluation_falls_close_before_the_last_step(folder: Path) -> None:
    training = written(folder)["training"]
    last = training["max_epochs"] * 3 - 1
    assert last % training["eval_frequency"] < training["max_epochs"]


@pytest.mark.parametrize(
    ("corpus", "words", "said"),
    [
        ("missing", [], ["missing.spacy", "expected a .spacy file", "convert"]),
        ("none", [], ["none of the 1 training texts", "expected doc._.relations", "convert"]),
        ("train", ["--symmetric", "LIKES"], ["'LIKES'", "BINDS", "correct"]),
        ("train", ["--lang", "qqq"], ["--lang is 'qqq'", "expected the code of a language", "correct"]),
        ("train", ["--lang", "qqq", "--punctuation"], ["--lang is 'qqq'", "expected", "correct"]),
        ("train", ["--encoder", "FOLDER"], ["without a complete model", "expected a hub name", "correct"]),
    ],
)
def test_bad_input(folder: Path, corpus: str, words: list[str], said: list[str]) -> None:
    (folder / "config.cfg").unlink(missing_ok=True)
    given = [str(folder) if word == "FOLDER" else word for word in words]
    output = " ".join(init(folder, *given, corpus=corpus, code=1).output.split())
    assert "cannot be written" in output
    for part in said:
        assert part in output
    assert not (folder / "config.cfg").exists()


def test_a_config_is_not_overwritten_unasked(folder: Path) -> None:
    (folder / "config.cfg").write_text("mine", encoding="utf8")
    output = " ".join(init(folder, code=1).output.split())
    assert (
        "the output is" in output and "expected a file that does not exist" in output and "--force" in output
    )
    assert (folder / "config.cfg").read_text("utf8") == "mine"
