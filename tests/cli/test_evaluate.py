"""`spacy bispn evaluate`: what it prints and writes, for a pipeline whose mistakes are known."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import spacy
from pipelines import make_nlp, make_text, tiny
from samples import BIORELEX, PAIR, SPERT, Run, text_of, write
from spacy.language import Language
from spacy.tokens import Doc, DocBin

from spacy_bispn import annotations
from spacy_bispn.converters.formats.jsonl import read_jsonl, write_jsonl
from spacy_bispn.corpus import to_docbin
from spacy_bispn.evaluation.scorer import symmetric_labels
from spacy_bispn.records import Extraction

OTHER = "Kel moves Zem."
GOLD = [
    replace(PAIR, id="right"),
    replace(make_text(OTHER, [("Kel", "P"), ("Zem", "P")], [(0, 1, "MOVES")]), id="wrong"),
]
# One of four entities has another label; one of two relations therefore has a wrong end.
SAID = {
    # of two relations that were predicted, one did not join entities and was dropped
    PAIR.text: replace(PAIR.extraction, joined=(1, 2)),
    OTHER: make_text(OTHER, [("Kel", "P"), ("Zem", "C")], [(0, 1, "MOVES")]).extraction,
}


@Language.component("says_what_is_known")
def says_what_is_known(doc: Doc) -> Doc:
    annotations.write(doc, SAID.get(doc.text, Extraction()))
    return doc


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline that makes the mistakes above."""
    nlp = spacy.blank("en")
    nlp.add_pipe("says_what_is_known")
    folder = tmp_path_factory.mktemp("known")
    nlp.to_disk(folder)
    return folder


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    """The texts above as a `.spacy` file."""
    path = tmp_path / "gold.spacy"
    to_docbin(spacy.blank("en"), GOLD)[0].to_disk(path)
    return path


def read(path: Path) -> Any:
    return json.loads(path.read_text("utf8"))


def ratios(scores: dict[str, Any]) -> tuple[float, ...]:
    return tuple(scores[ratio] for ratio in "prf")


def counts(classes: dict[str, Any]) -> dict[str, int]:
    return {kind: found["count"] for kind, found in classes.items() if found["count"]}


def row(output: str, *words: str) -> list[str]:
    """What follows the words in the one line that begins with them."""
    (found,) = (line.split() for line in output.splitlines() if line.split()[: len(words)] == list(words))
    return found[len(words) :]


def test_scores_and_errors_of_docs(run: Run, tmp_path: Path, known: Path, gold: Path) -> None:
    result = run("evaluate", known, gold, "--output", tmp_path / "new" / "report.json")
    report = read(tmp_path / "new" / "report.json")
    assert (report["texts"], report["coherence"], report["symmetric"]) == (2, 1.0, [])
    strict, boundaries = report["scores"]["strict"], report["scores"]["boundaries"]
    assert ratios(strict["entities"]) == (0.75, 0.75, 0.75)
    assert ratios(strict["relations"]) == (0.5, 0.5, 0.5)
    assert ratios(boundaries["entities"]) == ratios(boundaries["relations"]) == (1.0, 1.0, 1.0)
    # Of the two texts one may be drawn twice.
    assert (strict["entities"]["low"], strict["entities"]["high"]) == (0.5, 1.0)
    assert counts(report["errors"]["entities"]) == {"correct": 3, "wrong type": 1}
    assert counts(report["errors"]["relations"]) == {"correct": 1, "wrong ends": 1}
    (example,) = report["errors"]["entities"]["wrong type"]["examples"]
    assert example == {"id": "wrong", "text": OTHER, "gold": "Zem (P)", "predicted": "Zem (C)"}

    overall = ["75.0", "75.0", "75.0", "50.0–100.0", "4", "4"]
    assert row(result.output, "strict", "entities", "all") == overall
    assert row(result.output, "strict", "entities", "P") == ["100.0", "75.0", "85.7", "66.7–100.0", "4", "3"]
    assert row(result.output, "strict", "relations", "MOVES") == ["0.0", "0.0", "0.0", "unknown", "1", "1"]
    moves = strict["relations"]["labels"]["MOVES"]
    assert (moves["f"], moves["low"], moves["high"]) == (0.0, None, None), "only one text has such relations"
    assert "unknown: fewer than two texts have such items" in " ".join(result.output.split())
    assert row(result.output, "boundaries", "relations", "all")[:3] == ["100.0"] * 3
    assert row(result.output, "entities", "wrong", "type") == ["1"]
    assert "gold Zem (P), predicted Zem (C) in text wrong" in " ".join(result.output.split())
    assert report["coherence_interval"] == [1.0, 1.0]
    assert (report["raw_coherence"], report["raw_coherence_interval"]) == (0.5, None)
    assert "Raw coherence: 50.0 % (unknown) did so before" in " ".join(result.output.split())
    assert report["schema"] is None and "Schema" not in result.output
    assert "100.0 % (100.0–100.0) of the predicted relations" in " ".join(result.output.split())


def test_held_out_texts_may_lack_a_label_that_is_renamed(run: Run, tmp_path: Path, known: Path) -> None:
    write_jsonl(tmp_path / "in.jsonl", GOLD)
    output = tmp_path / "report.json"
    renames = ("--rename", "RARE=P", "--rename", "C=P")
    run("evaluate", known, tmp_path / "in.jsonl", "--samples", 5, "--output", output, *renames)
    assert read(output)["scores"]["strict"]["entities"]["labels"].keys() == {"P", "C"}
    labels = read(output)["scores"]["strict"]["entities"]["labels"]
    assert labels["C"]["tp"] + labels["C"]["fn"] == 0, "gold has the new label"


def test_corpus_files_are_judged_in_their_own_offsets(run: Run, tmp_path: Path, known: Path) -> None:
    write_jsonl(tmp_path / "in.jsonl", GOLD)
    output, predictions = tmp_path / "report.json", tmp_path / "new" / "predictions.jsonl"
    run(
        "evaluate", known, tmp_path / "in.jsonl", "-f", "jsonl", "-c", "spert", "--samples", 5,
        "--output", output, "--predictions", predictions,
    )  # fmt: skip
    report = read(output)
    assert report["scores"].keys() == {"spert"}
    # P: 1, 3/4, 6/7; C: 0, 0, 0
    assert ratios(report["scores"]["spert"]["entities"]) == pytest.approx((1 / 2, 3 / 8, 3 / 7))
    assert report["errors"]["entities"]["wrong type"]["examples"][0]["id"] == "wrong"
    found = read_jsonl(predictions).texts
    assert [(text.id, text.text) for text in found] == [("right", PAIR.text), ("wrong", OTHER)]
    assert [set(text.extraction.relations) for text in found] == [
        set(SAID[text.text].relations) for text in found
    ]


def test_the_page_has_the_scores_and_texts_with_errors_first(
    run: Run, tmp_path: Path, known: Path, gold: Path
) -> None:
    page = tmp_path / "new" / "page.html"
    said = run("evaluate", known, gold, "--page", page, "--samples", 5).output
    assert "2 of 2 texts in" in said and "pipeline 0.0.0 on gold.spacy" in said
    html = page.read_text("utf8")
    shown = text_of(html)
    assert "<title>pipeline 0.0.0 on gold.spacy</title>" in html
    assert f"{known} Data {gold}, 2 texts" in shown
    assert "strict: spans and labels" in shown and "boundaries: spans" in shown
    assert "strict entities all 75.0 75.0 75.0" in shown
    assert "entities wrong type 1" in shown
    assert re.findall(r"Text \d \w+", shown) == ["Text 1 wrong", "Text 0 right"]
    assert "Zem (C) (wrong type, gold: Zem (P))" in shown
    assert "Kel (P) — MOVES → Zem (C) (wrong ends, gold: Kel (P) — MOVES → Zem (P))" in shown
    assert "in text wrong: “Kel moves Zem.”" in shown


def test_the_page_of_a_corpus_shows_gold_that_tokens_cannot_hold(
    run: Run, tmp_path: Path, known: Path
) -> None:
    write_jsonl(tmp_path / "in.jsonl", [make_text("Kel-like Zem", [("Kel-li", "P")], [])])
    run("evaluate", known, tmp_path / "in.jsonl", "--page", tmp_path / "page.html", "--samples", 5)
    assert "Kel-li (P) (missed)" in text_of((tmp_path / "page.html").read_text("utf8"))


def test_the_official_scores_of_biorelex(run: Run, tmp_path: Path, model: Path) -> None:
    source = write(tmp_path / "in.json", BIORELEX)
    output, predictions = tmp_path / "report.json", tmp_path / "predictions.json"
    options = ("-c", "biorelex", "-c", "strict", "--output", output, "--predictions", predictions)
    result = run("evaluate", model, source, "-f", "biorelex", *options)
    assert "biorelex" in result.output
    report = read(output)
    assert list(report["scores"]) == ["biorelex", "strict"]
    assert report["symmetric"] == ["binds", "not_binds", "may_bind"]
    (sentence,) = read(predictions)
    assert (sentence["id"], sentence["text"]) == ("b1", BIORELEX[0]["text"])
    assert sentence["entities"]
    errors = counts(report["errors"]["entities"])
    assert sum(errors.values()) - errors.get("spurious", 0) == 3
    assert sum(errors.values()) - errors.get("missed", 0) == len(sentence["entities"])


def test_a_fold_of_spert(run: Run, tmp_path: Path, model: Path) -> None:
    source = write(tmp_path / "in.json", SPERT)
    splits = write(tmp_path / "splits.json", {"folds": [{"train": [0], "test": [1, 2, 3]}]})
    output = tmp_path / "report.json"
    run("evaluate", model, source, "-f", "spert", "--splits", splits, "-c", "spert", "--output", output)
    report = read(output)
    assert report["texts"] == 3
    assert report["scores"]["spert"]["relations"]["f"] == 0.0, "the model knows none of these labels"


def test_gold_without_relations_has_no_relation_scores(run: Run, tmp_path: Path, known: Path) -> None:
    nlp = spacy.blank("en")
    doc = nlp(OTHER)
    doc.set_ents([doc.char_span(0, 3, label="P")])
    DocBin(docs=[doc]).to_disk(tmp_path / "gold.spacy")
    result = run("evaluate", known, tmp_path / "gold.spacy", "--output", tmp_path / "report.json")
    report = read(tmp_path / "report.json")
    assert report["scores"]["strict"]["relations"] is None
    assert ratios(report["scores"]["strict"]["entities"]) == (0.5, 1.0, pytest.approx(2 / 3))
    assert counts(report["errors"]["relations"]) == {}
    assert row(result.output, "strict", "relations")[:2] == ["no", "gold"]


def test_symmetric_labels_are_those_of_the_component() -> None:
    assert symmetric_labels(make_nlp(tiny(symmetric_labels=["BINDS"]))) == ("BINDS",)
    assert symmetric_labels(spacy.blank("en")) == ()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-f", "dygie"], ["line 1: found", "Check the file's format"]),
        (["--splits", "in.json"], ["expected an object with the key 'folds'", "Check the file's format"]),
        (
            ["-f", "biorelex", "--level", "sentence"],
            ["'sentence', expected document", "clusters are", "leave out --level"],
        ),
        (
            ["--level", "word"],
            ["level is 'word'", "expected sentence, document, or how many sentences", "choose one"],
        ),
        (["--pairs", "all"], ["'spert'", "expected 'bioc' or 'bioc-json'", "leave out --pairs"]),
        (["-f", "spert", "-c", "muc"], ["the convention is 'muc'", "expected one of strict", "choose one"]),
        (["-f", "spert", "-c", "biorelex"], ["text '0' without clusters", "expected a file", "pass"]),
        (["-f", "biorelex"], ["expected the key 'text'", "check the file's format"]),
        (["--output", "in.json"], ["DATA and --output are both", "a place for each", "another name"]),
        (["--part", "train"], ["--part is train without --splits", "both or neither", "add --splits"]),
    ],
)
def test_what_is_wrong_is_said(
    run: Run, tmp_path: Path, known: Path, options: list[str], words: list[str]
) -> None:
    source = write(tmp_path / "in.json", SPERT)
    filled = [str(source) if option == "in.json" else option for option in options]
    output = " ".join(run("evaluate", known, source, *filled, code=1).output.split())
    assert "cannot be evaluated" in output
    for word in words:
        assert word in output


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--level", "document"], ["'.spacy', expected the file of a corpus", "leave out --level"]),
        (["--negative", "MOVES"], ["'.spacy', expected the file of a corpus", "leave out --negative"]),
    ],
)
def test_docs_have_no_options_of_formats(
    run: Run, known: Path, gold: Path, options: list[str], words: list[str]
) -> None:
    for path in (gold, gold.parent):
        output = " ".join(run("evaluate", known, path, *options, code=1).output.split())
        for word in words:
            assert word in output


def test_symmetric_relations_of_a_dygie_file_count_twice(
    run: Run, tmp_path: Path, known: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In one of two sentences the direction differs; without a direction all is right, twice each.
    ner = [[[0, 0, "P"], [2, 2, "P"]], [[4, 4, "P"], [6, 6, "C"]]]
    words, moves = [["Tem2", "binds", "Dal92", "."], ["Kel", "moves", "Zem", "."]], [6, 6, 4, 4, "MOVES"]
    item = {"doc_key": "a", "sentences": words, "ner": ner, "relations": [[[0, 0, 2, 2, "BINDS"]], [moves]]}
    source, output = write(tmp_path / "scierc.jsonl", item), tmp_path / "report.json"
    for text, ends, label in (
        ("Tem2 binds Dal92 .", [("Tem2", "P"), ("Dal92", "P")], "BINDS"),
        ("Kel moves Zem .", [("Kel", "P"), ("Zem", "C")], "MOVES"),
    ):
        monkeypatch.setitem(SAID, text, make_text(text, ends, [(0, 1, label)]).extraction)
    options = ("-c", "symmetric-twice", "--samples", 5, "--output", output)
    for form, symmetric, counted in (
        (["-f", "dygie"], [], {"tp": 1, "fp": 1, "fn": 1}),
        ([], ["--symmetric", "BINDS", "--symmetric", "MOVES"], {"tp": 4, "fp": 0, "fn": 0}),
    ):
        run("evaluate", known, source, *form, *symmetric, *options)
        report = read(output)
        assert (report["texts"], report["symmetric"]) == (2, symmetric[1::2])
        labels = report["scores"]["symmetric-twice"]["relations"]["labels"].values()
        assert {kind: sum(label[kind] for label in labels) for kind in counted} == counted


def test_a_tiny_model_is_scored_on_a_dygie_file(run: Run, tmp_path: Path, model: Path) -> None:
    item = {"doc_key": "a", "sentences": [["Tem2", "binds", "Dal92"]], "relations": [[[0, 0, 2, 2, "binds"]]]}
    source = write(tmp_path / "scierc.jsonl", item | {"ner": [[[0, 0, "P"], [2, 2, "P"]]]})
    output, conventions = tmp_path / "report.json", ("-c", "symmetric-twice", "-c", "text2dt")
    run("evaluate", model, source, "-f", "dygie", *conventions, "--output", output)
    scores = read(output)["scores"]
    assert scores.keys() == {"symmetric-twice", "text2dt"} and scores["text2dt"].keys() == {"relations"}


def test_a_file_without_texts_is_an_error(run: Run, tmp_path: Path, known: Path) -> None:
    DocBin().to_disk(tmp_path / "empty.spacy")
    output = " ".join(run("evaluate", known, tmp_path / "empty.spacy", code=1).output.split())
    assert "found no texts" in output and "expected at least one" in output


def test_what_a_schema_did_is_reported(
    run: Run, tmp_path: Path, known: Path, gold: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SAID, PAIR.text, replace(PAIR.extraction, joined=(1, 4), forbidden=(1, 2)))
    monkeypatch.setitem(SAID, OTHER, replace(SAID[OTHER], joined=(1, 3), forbidden=(0, 1)))
    result = run("evaluate", known, gold, "--output", tmp_path / "report.json")
    assert read(tmp_path / "report.json")["schema"] == {"predicted": 7, "changed": 1, "dropped": 3}
    said = " ".join(result.output.split())
    assert "Schema: of 7 predicted relations 1 were given other labels, 3 were dropped." in said


def test_relations_without_entities_are_scored_and_written(
    run: Run, tmp_path: Path, known: Path, gold: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # as predicted with coherence = "off"
    first, *_ = PAIR.extraction.entities
    monkeypatch.setitem(SAID, PAIR.text, replace(PAIR.extraction, entities=(first,), joined=(0, 1)))
    output = ["--output", tmp_path / "report.json", "--predictions", tmp_path / "predictions.jsonl"]
    run("evaluate", known, gold, *output)
    report = read(tmp_path / "report.json")
    assert report["coherence"] == 0.5 and report["raw_coherence"] == 0.0
    assert report["scores"]["strict"]["relations"]["labels"][PAIR.extraction.relations[0].label]["tp"] == 1
    written = read_jsonl(tmp_path / "predictions.jsonl").texts[0].extraction
    assert {*written.entities} == {*PAIR.extraction.entities}, "a file has ends of relations as entities"
