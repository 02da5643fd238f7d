"""`spacy bispn convert`, `demo`, `published` and `page`, called in this process."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import spacy
from click.testing import Result
from pipelines import demo_texts, initialize, make_examples, make_nlp, make_text, pipe_of, tiny
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from typer.testing import CliRunner

from spacy_bispn.annotations import read
from spacy_bispn.cli import app
from spacy_bispn.cli.page import render_page
from spacy_bispn.converters import jsonl
from spacy_bispn.corpora import to_doc
from spacy_bispn.demo import SIZES

Run = Callable[..., Result]

BIORELEX = [
    {
        "id": "b1",
        "text": "ORC binds Cdc6p_like ATP.",
        "entities": [
            {"label": "complex", "names": {"ORC": {"is_mentioned": True, "mentions": [[0, 3]]}}},
            {"label": "protein", "names": {"Cdc6p": {"is_mentioned": True, "mentions": [[10, 15]]}}},
            {"label": "chemical", "names": {"ATP": {"is_mentioned": True, "mentions": [[21, 24]]}}},
        ],
        "interactions": [{"participants": [1, 0], "type": "bind", "label": 1}],
    }
]
SPERT = [
    {
        "tokens": ["Aspirin", "causes", "rash", "."],
        "entities": [{"type": "Drug", "start": 0, "end": 1}, {"type": "Effect", "start": 2, "end": 3}],
        "relations": [{"type": "Adverse", "head": 0, "tail": 1}],
        "orig_id": number,
    }
    for number in range(4)
]
PAIR = make_text("Tem2 binds Dal92.", [("Tem2", "P"), ("Dal92", "P")], [(0, 1, "BINDS")])


@pytest.fixture
def run() -> Run:
    def call(*words: object, code: int = 0) -> Result:
        result = CliRunner().invoke(app, [str(word) for word in words])
        assert result.exit_code == code, result.output
        return result

    return call


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained pipeline without thresholds; it says a lot and is seldom right."""
    zero = {"type_threshold": 0.0, "relation_threshold": 0.0, "boundary_threshold": 0.0}
    learned = {"queries": "learned", "positional_queries": False, "entity_queries": 6, "relation_queries": 4}
    nlp = make_nlp(tiny(learned, **zero))
    initialize(nlp, [PAIR, make_text("a b", [("a", "P")], [])])
    pipe_of(nlp).cfg["relation_labels"] = ["binds"]
    folder = tmp_path_factory.mktemp("model")
    nlp.to_disk(folder)
    return folder


def write(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content), encoding="utf8")
    return path


def docs_in(path: Path) -> list[Doc]:
    return list(DocBin().from_disk(path).get_docs(spacy.blank("en").vocab))


def facts(doc: Doc) -> list[tuple[str, str, str]]:
    return [(x.head.text, x.label, x.tail.text) for x in doc._.relations]


# convert


def test_convert_jsonl(run: Run, tmp_path: Path) -> None:
    jsonl.write(tmp_path / "in.jsonl", [PAIR])
    result = run("convert", tmp_path / "in.jsonl", tmp_path / "new" / "out.spacy")
    assert "1 texts in" in result.output
    (doc,) = docs_in(tmp_path / "new" / "out.spacy")
    assert facts(doc) == [("Tem2", "BINDS", "Dal92")]


@pytest.mark.parametrize(("options", "found"), [(["--punctuation"], 3), ([], 2)])
def test_convert_biorelex_reports_what_does_not_fit_the_tokens(
    run: Run, tmp_path: Path, options: list[str], found: int
) -> None:
    source, report = write(tmp_path / "in.json", BIORELEX), tmp_path / "made" / "report.json"
    result = run("convert", source, tmp_path / "out.spacy", "-f", "biorelex", "--report", report, *options)
    (doc,) = docs_in(tmp_path / "out.spacy")
    assert len(doc.spans["bispn"]) == found
    said = json.loads(report.read_text("utf8"))
    assert (said["texts"], said["entities"], said["relations"]) == (1, 3, 1)
    if found == 3:
        assert facts(doc) == [("ORC", "binds", "Cdc6p")], "of a symmetric pair the earlier one is the head"
        assert said["unplaced"] == []
    else:
        assert facts(doc) == []
        assert [line.split(":")[0] for line in said["unplaced"]] == ["b1", "b1"]
        assert "'Cdc6p' (protein) at 10 ends inside a token" in said["unplaced"][0]
        assert "2 entities and relations could not be placed" in result.output


def test_convert_a_fold_of_spert(run: Run, tmp_path: Path) -> None:
    source = write(tmp_path / "in.json", SPERT)
    splits = write(tmp_path / "splits.json", {"folds": [{"train": [0, 1, 2], "test": [3]}]})
    base = ["convert", source, tmp_path / "out.spacy", "--format", "spert", "--splits", splits]
    for part, count in (("train", 3), ("test", 1)):
        run(*base, "--part", part)
        docs = docs_in(tmp_path / "out.spacy")
        assert [facts(doc) for doc in docs] == [[("Aspirin", "Adverse", "rash")]] * count
        assert [token.text for token in docs[0]] == SPERT[0]["tokens"]


def test_convert_holds_out_a_share(run: Run, tmp_path: Path) -> None:
    texts = demo_texts(20)
    jsonl.write(tmp_path / "in.jsonl", texts)

    def convert(seed: int) -> tuple[list[str], list[str]]:
        parts = tmp_path / "train.spacy", tmp_path / "dev.spacy"
        run("convert", tmp_path / "in.jsonl", parts[0], "--dev", parts[1], "--share", 0.25, "--seed", seed)
        return tuple([doc.text for doc in docs_in(part)] for part in parts)  # type: ignore[return-value]

    rest, held = convert(seed=1)
    assert (len(rest), len(held)) == (15, 5)
    assert sorted(rest + held) == sorted(text.text for text in texts)
    assert convert(seed=1) == (rest, held)
    assert convert(seed=2) != (rest, held)


def test_a_small_corpus_has_something_to_hold_out(run: Run, tmp_path: Path) -> None:
    jsonl.write(tmp_path / "in.jsonl", demo_texts(3))
    run("convert", tmp_path / "in.jsonl", tmp_path / "train.spacy", "--dev", tmp_path / "dev.spacy")
    assert len(docs_in(tmp_path / "dev.spacy")) == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-f", "conll"], ["'conll'", "biorelex, doccano, dygie, glirel, jsonl", "Choose one"]),
        (["-f", "spert"], ["expected a list", "Check the file's format"]),
        (["--splits", "SOURCE"], ["'jsonl'", "expected 'spert'", "leave out --splits"]),
        (
            ["-f", "spert", "--splits", "SOURCE", "--part", "dev"],
            ["'dev'", "'train' or 'test'", "correct --part"],
        ),
        (["--dev", "dev.spacy", "--share", "2"], ["2.0", "between 0 and 1", "0.1 is usual"]),
        (["--level", "document"], ["'jsonl'", "expected 'dygie'", "leave out --level"]),
    ],
)
def test_convert_says_what_is_wrong(run: Run, tmp_path: Path, options: list[str], words: list[str]) -> None:
    source = tmp_path / "in.jsonl"
    jsonl.write(source, [PAIR])
    filled = [str(source) if option == "SOURCE" else option for option in options]
    output = " ".join(run("convert", source, tmp_path / "out.spacy", *filled, code=1).output.split())
    assert "cannot be converted" in output
    for word in words:
        assert word in output
    assert not (tmp_path / "out.spacy").exists()


def dygie(*relations: list[object]) -> str:
    """One document of two sentences as a line."""
    ner = [[[0, 0, "P"], [2, 2, "P"]], [[3, 3, "P"]]]
    words = [["Tem2", "binds", "Dal92"], ["Rok5", "sleeps"]]
    item = {"doc_key": "a", "sentences": words, "ner": ner, "relations": [list(relations), []]}
    return json.dumps(item) + "\n"


def test_convert_finds_the_format_by_the_content(run: Run, tmp_path: Path) -> None:
    source, output, report = (tmp_path / name for name in ("in.json", "out.spacy", "report.json"))
    source.write_text(dygie([0, 0, 2, 2, "BINDS"], [3, 3, 0, 0, "LIKES"]), encoding="utf8")
    run("convert", source, output, "--report", report)
    assert [facts(doc) for doc in docs_in(output)] == [[("Tem2", "BINDS", "Dal92")], []]
    assert json.loads(report.read_text("utf8"))["dropped"] == {"relations across sentences": 1}
    run("convert", source, output, "--level", "document", "--negative", "BINDS", "--symmetric", "LIKES")
    assert [facts(doc) for doc in docs_in(output)] == [[("Tem2", "LIKES", "Rok5")]]


def test_convert_says_which_formats_it_cannot_tell_apart(run: Run, tmp_path: Path) -> None:
    source = write(tmp_path / "in.json", {"words": ["Tem2"]})
    output = " ".join(run("convert", source, tmp_path / "out.spacy", code=1).output.split())
    for part in ("the keys 'words'", "biorelex, doccano, dygie", "Pass --format"):
        assert part in output


def test_convert_refuses_a_folder_of_nothing_it_knows(run: Run, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for options in ([], ["--format", "jsonl"]):
        output = run("convert", tmp_path / "in", tmp_path / "out.spacy", *options, code=1).output
        assert "cannot be converted" in output and not (tmp_path / "out.spacy").exists()


def test_a_bad_item_stops_convert_unless_it_is_lenient(run: Run, tmp_path: Path) -> None:
    source, output, report = (tmp_path / name for name in ("in.json", "out.spacy", "report.json"))
    source.write_text(dygie() + dygie([0, 0, 1, 1, "BINDS"]), encoding="utf8")
    said = " ".join(run("convert", source, output, code=1).output.split())
    assert "line 2: found a relation to the span (1, 1)" in said and not output.exists()
    said = run("convert", source, output, "--lenient", "--report", report).output
    assert "1 items could not be read and are missing from the output" in said
    assert len(docs_in(output)) == 2
    (error,) = json.loads(report.read_text("utf8"))["errors"]
    assert "in.json, line 2" in error


def test_a_lenient_convert_that_can_read_nothing_fails(run: Run, tmp_path: Path) -> None:
    source = tmp_path / "in.json"
    source.write_text(dygie([0, 0, 1, 1, "BINDS"]), encoding="utf8")
    said = " ".join(run("convert", source, tmp_path / "out.spacy", "--lenient", code=1).output.split())
    assert "expected at least one text" in said and "line 1: found a relation" in said
    assert not (tmp_path / "out.spacy").exists()


# export


@pytest.mark.parametrize("form", ["jsonl", "prodigy", "spert"])
def test_export_gives_back_what_was_converted(run: Run, tmp_path: Path, form: str) -> None:
    texts = demo_texts(4)
    jsonl.write(tmp_path / "in.jsonl", texts)
    made, written, again = (tmp_path / name for name in ("a.spacy", "new/out", "b.spacy"))
    run("convert", tmp_path / "in.jsonl", made, "--punctuation")
    assert f"{len(texts)} texts in" in run("export", made, written, "--format", form).output
    run("convert", written, again)
    for before, after in zip(docs_in(made), docs_in(again), strict=True):
        assert [token.text for token in after] == [token.text for token in before]
        if form == "spert":  # which keeps no spaces
            assert [[x.replace(" ", "") for x in fact] for fact in facts(after)] == [
                [x.replace(" ", "") for x in fact] for fact in facts(before)
            ]
        else:
            assert (after.text, read(after)) == (before.text, read(before))


def test_export_biorelex(run: Run, tmp_path: Path) -> None:
    source = write(tmp_path / "in.json", BIORELEX)
    run("convert", source, tmp_path / "a.spacy", "--punctuation")
    run("export", tmp_path / "a.spacy", tmp_path / "out.json", "-f", "biorelex")
    (sentence,) = json.loads((tmp_path / "out.json").read_text("utf8"))
    assert (sentence["id"], sentence["text"]) == ("0", BIORELEX[0]["text"])
    assert sentence["interactions"] == [{"participants": [0, 1], "type": "bind", "label": 1}]


def test_export_of_docs_without_relations_warns(run: Run, tmp_path: Path) -> None:
    DocBin(docs=[spacy.blank("en")("Tem2 sleeps")]).to_disk(tmp_path / "a.spacy")
    said = run("export", tmp_path / "a.spacy", tmp_path / "out.jsonl").output
    assert "1 Docs do not say whether they have relations" in " ".join(said.split())
    assert jsonl.read(tmp_path / "out.jsonl").texts[0].words == ("Tem2", "sleeps")


@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        ("PAIR", ["-f", "conll"], ["'conll'", "biorelex, jsonl, prodigy, spert", "Choose one"]),
        ("PAIR", ["-f", "biorelex"], ["'BINDS'", "binds, not_binds, may_bind", "Use the labels"]),
        ("text", [], ["no DocBin", "expected a .spacy file", "spacy bispn convert"]),
        ("none", [], ["no Docs", "at least one", "Check the path"]),
    ],
)
def test_export_says_what_is_wrong(
    run: Run, tmp_path: Path, content: str, options: list[str], words: list[str]
) -> None:
    source, output = tmp_path / "a.spacy", tmp_path / "out"
    if content == "text":
        source.write_text("Tem2 binds Dal92.", encoding="utf8")
    else:
        docs = [to_doc(spacy.blank("en"), PAIR)[0]] if content == "PAIR" else []
        DocBin(docs=docs).to_disk(source)
    said = " ".join(run("export", source, output, *options, code=1).output.split())
    assert "cannot be exported" in said
    for word in words:
        assert word in said
    assert not output.exists()


def test_convert_wants_a_file_that_exists(run: Run, tmp_path: Path) -> None:
    output = run("convert", tmp_path / "none", tmp_path / "out.spacy", code=2).output
    assert "does not exist" in " ".join(output.replace("│", " ").split())


# demo


def test_demo_writes_every_split(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spacy_bispn.demo.SIZES", dict.fromkeys(SIZES, 3))
    run("demo", tmp_path / "new", "--seed", 5)
    assert {path.stem for path in (tmp_path / "new").iterdir()} == set(SIZES)
    assert jsonl.read(tmp_path / "new" / "train.jsonl").report.texts > 0


# published


def test_published_scores_biorelex(run: Run, tmp_path: Path, model: Path) -> None:
    source = write(tmp_path / "in.json", BIORELEX)
    output, predictions = tmp_path / "a" / "scores.json", tmp_path / "b" / "predictions.json"
    result = run("published", model, source, "--output", output, "--predictions", predictions)
    assert "official_relation_f" in result.output
    scores = json.loads(output.read_text("utf8"))
    assert scores.keys() >= {
        "official_mention_f",
        "official_relation_f",
        "ents_f",
        "rel_micro_f",
        "bispn_coherence",
    }
    (sentence,) = json.loads(predictions.read_text("utf8"))
    assert (sentence["id"], sentence["text"]) == ("b1", BIORELEX[0]["text"])
    assert sentence["entities"]


def test_published_scores_spert(run: Run, tmp_path: Path, model: Path) -> None:
    run(
        "published",
        model,
        write(tmp_path / "in.json", SPERT),
        "-f",
        "spert",
        "--output",
        tmp_path / "scores.json",
    )
    scores = json.loads((tmp_path / "scores.json").read_text("utf8"))
    assert scores["ents_macro_f"] == scores["rel_macro_f"] == 0.0, "the model knows none of these labels"


def test_published_says_what_is_wrong(run: Run, tmp_path: Path, model: Path) -> None:
    output = run("published", model, write(tmp_path / "in.json", SPERT), "-f", "biorelex", code=1).output
    assert "cannot be read" in output and "'id'" in output


# page


def text_of(html: str) -> str:
    return " ".join(unescape(re.sub(r"<style>.*?</style>|<[^>]*>", " ", html, flags=re.S)).split())


def test_page_shows_gold_and_predicted(run: Run, tmp_path: Path, model: Path) -> None:
    texts = demo_texts(4)
    jsonl.write(tmp_path / "in.jsonl", texts)
    run("convert", tmp_path / "in.jsonl", tmp_path / "in.spacy", "--punctuation")
    page = tmp_path / "new" / "page.html"
    result = run("page", model, tmp_path / "in.spacy", page, "--limit", 3)
    assert "3 texts in" in result.output
    html = page.read_text("utf8")
    shown = text_of(html)
    for text in texts[:3]:
        # labels stand between the words of an entity
        assert re.search(".*?".join(re.findall(r"\w+", text.text)), shown)
        for relation in text.extraction.relations:
            head, tail = (text.text[end.start : end.end] for end in (relation.head, relation.tail))
            assert f"{head} ({relation.head.label}) — {relation.label} → {tail}" in shown
    assert html.count("Predicted</h3>") == html.count("Gold</h3>") == 3
    assert "(wrong)" in shown and "(missed)" in shown
    assert html.count("<svg") == 6 and 'class="relation"' in html


def shown_as(gold: list[tuple[int, int, str]], predicted: list[tuple[int, int, str]]) -> str:
    """The page's text for one sentence, of which gold and prediction say different things."""
    ends = [("Tem2", "P"), ("Dal92", "P")]
    nlp = make_nlp()
    (one,), (other,) = (
        make_examples(nlp, [make_text("Tem2 binds Dal92.", ends, relations)])
        for relations in (gold, predicted)
    )
    return text_of(render_page([Example(other.reference, one.reference)], "title"))


def test_page_marks_what_is_wrong_or_missed() -> None:
    fact = "Tem2 (P) — BINDS → Dal92 (P)"
    assert "(wrong)" not in shown_as([(0, 1, "BINDS")], [(0, 1, "BINDS")])
    assert f"{fact} (missed)" in shown_as([(0, 1, "BINDS")], [])
    assert f"{fact} (wrong)" in shown_as([], [(0, 1, "BINDS")])


def test_page_escapes_what_it_shows() -> None:
    text = make_text("a <b> & c <script> d", [("<b>", "<i>"), ("<script>", "<u>")], [(0, 1, "<s>")])
    (example,) = make_examples(make_nlp(), [text])
    html = render_page([example], "<title>")
    for tag in ("<b>", "<i>", "<u>", "<s>", "<script", "<title></title>", "<title><title>"):
        assert tag not in html
    assert "&lt;script&gt;" in html


def test_page_of_empty_texts_and_self_relations() -> None:
    nlp = make_nlp()
    loop = make_text("Tem2 dimers", [("Tem2", "P")], [(0, 0, "BINDS")])
    examples = make_examples(nlp, [loop])
    examples.append(Example(nlp.make_doc(""), nlp.make_doc("")))
    shown = text_of(render_page(examples, "t"))
    assert "Tem2 (P) — BINDS → Tem2 (P)" in shown
