"""`spacy bispn debug-data`, called in this process."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import spacy
from click.testing import Result
from pipelines import CNN, ENCODER, PUNCTUATION, demo_texts, listening, make_text, tiny
from spacy import util
from spacy.tokens import DocBin
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from thinc.api import Config
from typer.testing import CliRunner

from spacy_bispn.cli import app
from spacy_bispn.cli.debug_data import show_finding
from spacy_bispn.cli.preparing import apply, to_samples
from spacy_bispn.corpus import to_docbin
from spacy_bispn.diagnosis.corpus_checks import Finding
from spacy_bispn.diagnosis.splits import CorpusSettings
from spacy_bispn.settings import SettingError

READER = "spacy-bispn.Corpus.v1"
LOW = {"entity_queries": 1, "relation_queries": 1, "window": 16, "overlap": 4}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A corpus of twelve sentences, and a config in which every setting is too small."""
    docbin, _ = to_docbin(spacy.blank("en", config=PUNCTUATION), demo_texts(12))
    for part in ("train", "dev"):
        docbin.to_disk(tmp_path / f"{part}.spacy")
    bare, _ = to_docbin(spacy.blank("en"), [make_text("Tem2 sleeps.", [("Tem2", "P")], [])])
    bare.to_disk(tmp_path / "bare.spacy")
    write(tmp_path / "config.cfg", {"bispn": {"factory": "bispn", **tiny(LOW, longest_span=1)}})
    return tmp_path


def write(path: Path, components: dict[str, Any], **sections: Any) -> None:
    """A config with comments and references, as people write them."""
    readers = {part: {"@readers": READER, "path": f"${{paths.{part}}}"} for part in ("train", "dev")}
    config = {
        "paths": {"train": None, "dev": None},
        "nlp": {"lang": "en", "pipeline": list(components), **PUNCTUATION["nlp"]},
        "components": components,
        "corpora": readers,
        "training": {
            "max_steps": 1,
            "optimizer": {"@optimizers": "spacy-bispn.AdamW.v1"},
            "batcher": {"@batchers": "spacy.batch_by_sequence.v1", "size": 4},
        },
    }
    Config({**config, **sections}).to_disk(path)


def debug(folder: Path, config: str, *words: object, code: int = 0, dev: str = "dev") -> Result:
    paths = ["--paths.train", folder / "train.spacy", "--paths.dev", folder / f"{dev}.spacy"]
    timing = [] if "--timing" in words else ["--no-timing"]
    arguments = ["debug-data", folder / config, *paths, *timing, *words]
    result = CliRunner().invoke(app, [str(word) for word in arguments])
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def report(folder: Path) -> Callable[..., dict[str, Any]]:
    def call(config: str, *words: object, code: int = 0) -> dict[str, Any]:
        debug(folder, config, "--output", folder / "report.json", *words, code=code)
        found: dict[str, Any] = json.loads((folder / "report.json").read_text("utf8"))
        return found

    return call


def test_it_lists_likely_problems(folder: Path) -> None:
    said = " ".join(debug(folder, "config.cfg", code=1).output.split())
    assert "train: 12 texts" in said and "entities per window" in said and "recommended" in said
    assert "more gold than entity_queries = 1" in said and "training stops with an error." in said
    assert "dev: 12 of 12 texts are nearly the same as one of train" in said
    assert "The recommended settings repair this." in said


def test_it_counts_what_the_schema_forbids(folder: Path, report: Callable[..., dict[str, Any]]) -> None:
    said: dict[str, list[tuple[str, int]]] = {}
    for schema in ("observed", [[None, "BINDS", None]], [["PROTEIN", "NO_LABEL", None]]):
        write(folder / "schema.cfg", {"bispn": {"factory": "bispn", **tiny(schema=schema)}})
        if "NO_LABEL" in str(schema):
            failed = " ".join(debug(folder, "schema.cfg", code=1).output.split())
            assert "schema is ['NO_LABEL'], expected relation labels of the model" in failed
        else:
            found = report("schema.cfg")["findings"]
            said[str(schema)] = [(x["split"], x["count"]) for x in found if x["code"] == "forbidden"]
    relations = [x for text in demo_texts(12) for x in text.extraction.relations]
    others = sum(x.label != "BINDS" for x in relations)
    assert 0 < others < len(relations)
    assert [*said.values()] == [[], [("train", others), ("dev", others)]]


def test_what_it_writes_trains_and_has_nothing_left_to_repair(
    folder: Path, report: Callable[..., dict[str, Any]]
) -> None:
    first = report("config.cfg", "--write", folder / "better.cfg")
    codes = {found["code"] for found in first["findings"] if found["repairable"]}
    assert codes >= {"entity_queries", "relation_queries", "longest_span", "cut_texts"}
    assert first["settings"] == {**LOW, "longest_span": 1, "share_relations": False, "pool_mentions": False}

    second = report("better.cfg")
    assert second["settings"] == second["recommended"] == first["recommended"]
    assert not [x for x in second["findings"] if x["repairable"] or x["level"] == "error"]

    before, after = (
        Config().from_disk(folder / name, interpolate=False) for name in ("config.cfg", "better.cfg")
    )
    assert after["paths"] == {"train": None, "dev": None}, "overrides are not written"
    assert after["corpora"] == before["corpora"], "references stay references"
    assert after["components"]["bispn"]["model"]["encoder"] == ENCODER

    overrides = {f"paths.{part}": str(folder / f"{part}.spacy") for part in ("train", "dev")}
    better = util.load_model_from_config(util.load_config(folder / "better.cfg", overrides), auto_fill=True)
    nlp = init_nlp(better.config)
    trained, _ = train(nlp, None, stdout=io.StringIO(), stderr=io.StringIO())
    assert "bispn" in trained("Tem2 binds Dal92.").spans


def test_a_point_within_a_number_ends_no_sentence_where_each_symbol_is_a_token() -> None:
    punctuated = spacy.blank("en", config=PUNCTUATION)
    text = make_text(
        "Mg2Si0.45 binds Dal92. Tem2 sleeps.", [("Mg2Si0.45", "P"), ("Dal92", "P")], [(0, 1, "B")]
    )
    docs = list(to_docbin(punctuated, [text])[0].get_docs(punctuated.vocab))
    assert [token.text for token in docs[0]][:3] == ["Mg2Si0", ".", "45"]
    (sample,) = to_samples(punctuated, docs)
    assert sample.sentences == (0, 23)


def test_documents_are_told_apart_from_sentences(folder: Path, report: Callable[..., dict[str, Any]]) -> None:
    assert report("config.cfg", code=1)["levels"]["recommended"] == "document"
    text = "Tem2 binds Dal92. " * 20
    pairs = [("Tem2", "P"), ("Dal92", "P")]
    to_docbin(spacy.blank("en"), [make_text(text, pairs, [(0, 1, "BINDS")])])[0].to_disk(
        folder / "train.spacy"
    )
    output = " ".join(debug(folder, "config.cfg", "--output", folder / "report.json", code=1).output.split())
    levels = json.loads((folder / "report.json").read_text("utf8"))["levels"]
    assert levels["recommended"] == "sentence" and levels["distances"] == {"0": 1}
    assert "0 of 1 relations (0.0%) cross sentences" in output and "recommended: --level sentence" in output
    assert levels["compared"][0]["texts"] == 20 and levels["compared"][-1]["texts"] == 1


def test_positions_may_be_tokens(folder: Path, report: Callable[..., dict[str, Any]]) -> None:
    write(folder / "cnn.cfg", {"bispn": {"factory": "bispn", **listening(CNN)}})
    found = report("cnn.cfg")
    docs = DocBin().from_disk(folder / "train.spacy").get_docs(spacy.blank("en").vocab)
    assert found["measures"]["train"]["pieces"]["most"] == max(map(len, docs))
    assert found["settings"]["window"] == 256 and found["recommended"]["window"] == 64
    assert "inside_piece" not in {x["code"] for x in found["findings"]}


def test_a_trained_component_keeps_its_settings() -> None:
    config = {"components": {"bispn": {"source": "model-best"}}}
    with pytest.raises(
        SettingError, match=r"bispn\.source is 'model-best', expected a factory, .*: leave out --write"
    ):
        apply(config, "bispn", CorpusSettings(16, 16, 64, 16, 16))


def test_a_long_list_of_labels_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    labels = tuple(f"L{number}: 1" for number in range(15))
    show_finding(Finding("warning", "few_entities", "train", 15, 15, "labels are few.", labels))
    said = capsys.readouterr().out
    assert "train: 15 of 15 labels are few." in said and "L11: 1" in said
    assert "and 3 more" in said and "L12" not in said


def test_settings_are_overridden_as_in_spacy(folder: Path, report: Callable[..., dict[str, Any]]) -> None:
    found = report("config.cfg", "--components.bispn.model.entity_queries", 20, code=1)
    assert found["settings"]["entity_queries"] == 20
    assert "entity_queries" not in {x["code"] for x in found["findings"]}


@pytest.mark.parametrize(
    ("words", "dev", "said"),
    [
        (
            ["--component.bispn.longest_span", "3"],
            "dev",
            [
                "--component.bispn.longest_span is 3",
                "expected a setting in a section",
                "components",
                "correct",
            ],
        ),
        (["--paths.train", "bare.spacy"], "dev", ["none of the 1 training texts", "expected", "convert"]),
        (
            ["--training.dev_corpus", "corpora.test"],
            "dev",
            ["training.dev_corpus is 'corpora.test'", "corpora.dev", "correct"],
        ),
        ([], "none", ["none.spacy", "expected a .spacy file", "convert"]),
    ],
)
def test_bad_input(folder: Path, words: list[str], dev: str, said: list[str]) -> None:
    given = [str(folder / word) if word.endswith(".spacy") else word for word in words]
    output = " ".join(
        debug(folder, "config.cfg", *given, "--write", folder / "w.cfg", code=1, dev=dev).output.split()
    )
    assert "cannot be checked" in output
    for part in said:
        assert part in output
    assert not (folder / "w.cfg").exists()


def test_bad_configs(folder: Path) -> None:
    output = " ".join(debug(folder, "none.cfg", code=1).output.split())
    assert "none.cfg" in output and "expected a file" in output and "init-config" in output
    write(folder / "other.cfg", {"sentencizer": {"factory": "sentencizer"}})
    output = " ".join(debug(folder, "other.cfg", code=1).output.split())
    assert "sentencizer" in output and 'expected a component with factory = "bispn"' in output
