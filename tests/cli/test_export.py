"""`spacy bispn export`: what was converted comes back."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import pytest
import spacy
import srsly
from pipelines import demo_texts
from samples import BIORELEX, PAIR, Run, docs_in, facts, write
from spacy.tokens import DocBin

from spacy_bispn.annotations import read
from spacy_bispn.converters.formats.jsonl import read_jsonl, write_jsonl
from spacy_bispn.corpus import to_doc


@pytest.mark.parametrize("form", ["bioc", "brat", "docred", "dygie", "jsonl", "prodigy", "pubtator", "spert"])
def test_export_gives_back_what_was_converted(run: Run, tmp_path: Path, form: str) -> None:
    texts = demo_texts(4)
    write_jsonl(tmp_path / "in.jsonl", texts)
    made, written, again = (tmp_path / name for name in ("a.spacy", "new/out", "b.spacy"))
    run("convert", tmp_path / "in.jsonl", made, "--punctuation")
    assert f"{len(texts)} texts in" in run("export", made, written, "--format", form).output
    run("convert", written, again, "--punctuation", "--level", "document")
    for before, after in zip(docs_in(made), docs_in(again), strict=True):
        if form not in ("bioc", "brat", "pubtator"):  # which have no tokens
            assert [token.text for token in after] == [token.text for token in before]
        if form in ("docred", "dygie", "spert"):  # which keep no spaces
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
    assert (sentence["id"], sentence["text"]) == ("b1", BIORELEX[0]["text"])
    assert sentence["interactions"] == [{"participants": [0, 1], "type": "bind", "label": 1}]


def test_export_of_docs_without_relations_warns(run: Run, tmp_path: Path) -> None:
    DocBin(docs=[spacy.blank("en")("Tem2 sleeps")]).to_disk(tmp_path / "a.spacy")
    said = run("export", tmp_path / "a.spacy", tmp_path / "out.jsonl").output
    assert "1 Docs do not say whether they have relations" in " ".join(said.split())
    assert read_jsonl(tmp_path / "out.jsonl").texts[0].words == ("Tem2", "sleeps")


def test_ids_that_a_format_has_no_place_for_are_counted(run: Run, tmp_path: Path) -> None:
    source = write(tmp_path / "in.json", BIORELEX)
    run("convert", source, tmp_path / "a.spacy", "--punctuation")
    said = " ".join(run("export", tmp_path / "a.spacy", tmp_path / "out", "-f", "brat").output.split())
    assert "3 entities have an id, for which brat has no place" in said
    assert "have an id" not in run("export", tmp_path / "a.spacy", tmp_path / "out.jsonl").output


def test_export_of_a_graph(run: Run, tmp_path: Path) -> None:
    source = write(tmp_path / "in.json", [BIORELEX[0], BIORELEX[0]])
    run("convert", source, tmp_path / "a.spacy", "--punctuation")
    options = ["-f", "graph-csv", "--merge", "id", "--symmetric", "binds"]
    said = " ".join(run("export", tmp_path / "a.spacy", tmp_path / "new" / "graph", *options).output.split())
    assert "6 mentions are 3 nodes, 2 relations are 1 edges" in said and "2 texts in" in said
    assert "1 Docs have an id that an earlier one has" in said
    edges = (tmp_path / "new" / "graph" / "edges.csv").read_text("utf-8").splitlines()
    assert edges == [
        ":START_ID,:END_ID,:TYPE,label,doc,score:float,mentions:int,docs:int",
        '"b1#0","b1#1","binds","binds","b1",1.0,2,2',
    ]
    run("export", tmp_path / "a.spacy", tmp_path / "graph.ttl", "-f", "turtle")
    assert (tmp_path / "graph.ttl").exists()


PACKED = {"number": 5, "keys": {"a": 1}}  # of the kind of a DocBin, and none


def test_export_does_not_write_over_what_it_reads(run: Run, tmp_path: Path) -> None:
    DocBin(docs=[to_doc(spacy.blank("en"), PAIR)[0]]).to_disk(tmp_path / "a.spacy")
    said = " ".join(run("export", tmp_path / "a.spacy", tmp_path / "a.spacy", code=1).output.split())
    for word in ("SOURCE and OUTPUT are both", "a place for each", "another name"):
        assert word in said
    assert len(docs_in(tmp_path / "a.spacy")) == 1


@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        (
            "PAIR",
            ["-f", "conll"],
            ["'conll'", "pubtator, spert, graph-csv, turtle", "choose one"],
        ),
        ("PAIR", ["-f", "biorelex"], ["'BINDS'", "binds, not_binds, may_bind", "Use the labels"]),
        ("PAIR", ["-f", "turtle", "--merge", "x"], ["merge is 'x'", "text or id or none", "choose one"]),
        ("PAIR", ["--merge", "id"], ["--merge is given for jsonl", "graph-csv, turtle", "leave it out"]),
        (
            "PAIR",
            ["--symmetric", "a"],
            ["--symmetric is given for jsonl", "turtle", "leave it out"],
        ),
        ("text", [], ["no DocBin", "expected a .spacy file", "spacy bispn convert"]),
        ("number", [], ["no DocBin", "expected a .spacy file", "spacy bispn convert"]),
        ("keys", [], ["no DocBin", "expected a .spacy file", "spacy bispn convert"]),
        ("none", [], ["no Docs", "at least one", "Check the path"]),
    ],
)
def test_export_says_what_is_wrong(
    run: Run, tmp_path: Path, content: str, options: list[str], words: list[str]
) -> None:
    source, output = tmp_path / "a.spacy", tmp_path / "out"
    if content == "text":
        source.write_text("Tem2 binds Dal92.", encoding="utf8")
    elif content in PACKED:
        source.write_bytes(zlib.compress(srsly.msgpack_dumps(PACKED[content])))
    else:
        docs = [to_doc(spacy.blank("en"), PAIR)[0]] if content == "PAIR" else []
        DocBin(docs=docs).to_disk(source)
    said = " ".join(run("export", source, output, *options, code=1).output.split())
    assert "cannot be exported" in said
    for word in words:
        assert word in said
    assert not output.exists()
