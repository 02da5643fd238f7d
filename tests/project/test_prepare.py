"""Corpora as published become train, dev and test files."""

from __future__ import annotations

import json
import math
from pathlib import Path

import prepare
import pytest
import spacy
from folders import PROJECT
from published import CORPORA, UNSPLIT, parts
from spacy.tokens import DocBin
from thinc.api import Config
from typer.testing import CliRunner

from spacy_bispn.cli import app

DOCUMENT = {
    "doc_key": "d", "sentences": [["ORC", "binds", "ATP", "."], ["It", "does", "."]],
    "ner": [[[0, 0, "Method"], [2, 2, "Task"]], []], "relations": [[[0, 0, 2, 2, "CONJUNCTION"]], []],
}  # fmt: skip
LINE = {"text": "哮喘@沙丁胺醇。", "relations": [([0, 2, "哮喘"], "治疗药物", [3, 7, "沙丁胺醇"])],
        "entities": [(0, 2, "哮喘", "病患"), (3, 7, "沙丁胺醇", "药物")]}  # fmt: skip


def texts_in(path: Path) -> list[str]:
    return [doc.text for doc in DocBin().from_disk(path).get_docs(spacy.blank("zh").vocab)]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that would have been run, from the word after `convert`."""
    found: list[list[str]] = []
    monkeypatch.setattr(prepare.subprocess, "run", lambda command, check: found.append(command[5:]))
    return found


def published(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(DOCUMENT) + "\n", "utf8")
    return folder


def test_a_corpus_without_a_development_file_gives_a_part_of_its_training_data(
    workspace: Path, calls: list[list[str]]
) -> None:
    corpora = published(workspace / "assets", "scierc/train.json", "scierc/dev.json")
    prepare.prepare("scierc", corpora, workspace / "corpus")
    train, test = calls
    assert train[:2] == [str(corpora / "scierc/train.json"), str(workspace / "corpus/train.spacy")]
    assert train[train.index("--dev") + 1] == str(workspace / "corpus/dev.spacy")
    # the published development file is all there is to test on
    assert test[:2] == [str(corpora / "scierc/dev.json"), str(workspace / "corpus/test.spacy")]
    assert "--dev" not in test
    reading = ["--format", "dygie", "--symmetric", "COMPARE", "--symmetric", "CONJUNCTION"]
    assert train[2:8] == test[2:8] == reading


def test_published_splits_stay_as_they_are(workspace: Path, calls: list[list[str]]) -> None:
    corpora = published(workspace / "assets", *(f"ace05/{name}.json" for name in ("train", "dev", "test")))
    prepare.prepare("ace05", corpora, workspace / "corpus")
    made = {Path(call[1]).stem: Path(call[0]).name for call in calls}
    assert made == {"train": "train.json", "dev": "dev.json", "test": "test.json"}
    assert not any("--dev" in call for call in calls)


def test_the_released_protocol_chooses_models_on_the_test_file(
    workspace: Path, calls: list[list[str]]
) -> None:
    prepare.prepare("biorelex", workspace, workspace / "corpus", protocol="released")
    sources = {Path(call[1]).stem: Path(call[0]) for call in calls}
    assert sources["dev"] == sources["test"] == workspace / "biorelex/dev.json"
    assert not any("--dev" in call for call in calls)  # and trains on all there is


def test_folds_of_ade_come_from_the_splits_or_from_files_of_their_own(workspace: Path) -> None:
    assert parts("ade", workspace, workspace, 3)["test"].file == workspace / "ade/ade_split_3_test.json"
    published(workspace, "ade/splits.json")
    train = parts("ade", workspace, workspace, 3)["train"]
    assert train.file == workspace / "ade/ade_full.json"
    assert train.reading[-4:] == ("--fold", "3", "--part", "train")


@pytest.mark.slow
def test_a_fifth_of_text2dt_tests_and_no_text_is_in_two_parts(workspace: Path) -> None:
    lines = [{**LINE, "text": f"哮喘@沙丁胺醇{number}。"} for number in range(20)]
    file = workspace / "assets/text2dt/train_dev.txt"
    file.parent.mkdir(parents=True)
    file.write_text("".join(f"{line}\n" for line in lines), "utf8")
    prepare.prepare("text2dt", workspace / "assets", workspace / "corpus")
    texts = {name: texts_in(workspace / f"corpus/{name}.spacy") for name in ("train", "dev", "test")}
    assert {name: len(found) for name, found in texts.items()} == {"train": 14, "dev": 2, "test": 4}
    assert len(set().union(*texts.values())) == 20
    # the lines themselves are kept for scores that need them
    test = parts("text2dt", workspace / "assets", workspace / "corpus", 0)["test"].file
    assert [line for line in test.read_text("utf8").splitlines()] == [
        str(line) for line in lines if line["text"] in texts["test"]
    ]


@pytest.mark.slow
def test_a_fifth_of_the_prodigy_sample_tests_and_binding_has_no_direction(
    workspace: Path, corpora: Path
) -> None:
    prepare.prepare("prodigy", corpora, workspace / "corpus")
    found = {name: texts_in(workspace / f"corpus/{name}.spacy") for name in ("train", "dev", "test")}
    assert {name: len(texts) for name, texts in found.items()} == {"train": 107, "dev": 12, "test": 30}
    assert len(set().union(*found.values())) == 149
    assert parts("prodigy", corpora, workspace, 0)["train"].reading == (
        "--format", "prodigy", "--symmetric", "Binds",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("corpus", "protocol", "words"),
    [
        ("ace06", "held-out", ["the corpus is 'ace06'", f"one of {', '.join(CORPORA)}", "published.py"]),
        ("ade", "best", ["--protocol is 'best'", "expected 'held-out' or 'released'", "choose 'held-out'"]),
    ],
)
def test_unknown_names(workspace: Path, corpus: str, protocol: str, words: list[str]) -> None:
    with pytest.raises(ValueError) as error:
        prepare.prepare(corpus, workspace, workspace, protocol=protocol)
    for word in words:
        assert word in str(error.value)


def test_the_published_files_are_where_they_are_looked_for(corpora: Path) -> None:
    for corpus in ("biorelex", "ade", "scierc"):
        for part in parts(corpus, corpora, corpora, 0).values():
            assert part.file.exists()
    for corpus, name in UNSPLIT.items():
        assert (corpora / corpus / name).exists()


@pytest.mark.slow
@pytest.mark.parametrize("corpus", ["biorelex", "ade", "text2dt", "scierc", "prodigy"])
def test_nearly_all_of_a_training_is_evaluated(
    corpus: str, workspace: Path, corpora: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # spaCy evaluates where a multiple of `eval_frequency` begins, and no step begins behind the last one
    def convert(command: list[str], check: bool) -> None:
        result = CliRunner().invoke(app, command[4:])
        assert result.exit_code == 0 or not check, result.output

    monkeypatch.setattr(prepare.subprocess, "run", convert)
    prepare.prepare(corpus, corpora, workspace / "corpus")
    texts = len(DocBin().from_disk(workspace / "corpus" / "train.spacy"))
    for form in ("", "paper_") if corpus != "prodigy" else ("",):
        config = Config().from_disk(PROJECT / "configs" / f"{form}{corpus}.cfg", interpolate=False)
        training = config["training"]
        epoch = math.ceil(texts / training["batcher"]["size"])
        unseen = (training["max_epochs"] * epoch - 1) % training["eval_frequency"]
        assert unseen <= max(epoch / 2, training["max_epochs"]), f"{texts} texts are {epoch} steps an epoch"
