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


@pytest.mark.parametrize("form", ["brat", "jsonl", "prodigy", "spert"])
def test_export_gives_back_what_was_converted(run: Run, tmp_path: Path, form: str) -> None:
    texts = demo_texts(4)
    write_jsonl(tmp_path / "in.jsonl", texts)
    made, written, again = (tmp_path / name for name in ("a.spacy", "new/out", "b.spacy"))
    run("convert", tmp_path / "in.jsonl", made, "--punctuation")
    assert f"{len(texts)} texts in" in run("export", made, written, "--format", form).output
    run("convert", written, again, "--punctuation")
    for before, after in zip(docs_in(made), docs_in(again), strict=True):
        if form != "brat":  # which has no tokens
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
    assert (sentence["id"], sentence["text"]) == ("b1", BIORELEX[0]["text"])
    assert sentence["interactions"] == [{"participants": [0, 1], "type": "bind", "label": 1}]


def test_export_of_docs_without_relations_warns(run: Run, tmp_path: Path) -> None:
    DocBin(docs=[spacy.blank("en")("Tem2 sleeps")]).to_disk(tmp_path / "a.spacy")
    said = run("export", tmp_path / "a.spacy", tmp_path / "out.jsonl").output
    assert "1 Docs do not say whether they have relations" in " ".join(said.split())
    assert read_jsonl(tmp_path / "out.jsonl").texts[0].words == ("Tem2", "sleeps")


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
        ("PAIR", ["-f", "conll"], ["'conll'", "biorelex, brat, jsonl, prodigy, spert", "choose one"]),
        ("PAIR", ["-f", "biorelex"], ["'BINDS'", "binds, not_binds, may_bind", "Use the labels"]),
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
