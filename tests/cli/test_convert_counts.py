"""What `spacy bispn convert` counts, renames and leaves out, and the ids that it keeps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import spacy
from samples import PAIR, Run, docs_in, facts
from spacy.tokens import DocBin

from spacy_bispn.corpus import to_doc
from spacy_bispn.doc_utils import text_id
from spacy_bispn.records import AnnotatedText

TEXT = "Orla founded Fenwick. It (Larch) sells 10km maps."
ENTITIES = [
    [0, 4, "PER"],
    [13, 20, "ORG"],
    [26, 31, "ORG"],
    [26, 31, "FIRM"],
    [0, 4, "PER"],
    [33, 36, "UNIT"],
]
RELATIONS = [
    [0, 1, "FOUNDED"], [0, 1, "STARTED"], [1, 2, "NEAR"], [3, 2, "SAME"], [0, 1, "NO"], [2, 5, "SELLS"]
]  # fmt: skip


def item(name: str, text: str = TEXT, **gold: Any) -> dict[str, Any]:
    return {"id": name, "text": text, "entities": ENTITIES, "relations": RELATIONS} | gold


def save(path: Path, *items: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in items), encoding="utf-8")
    return path


def convert(run: Run, source: Path, *options: object) -> tuple[str, dict[str, Any]]:
    """What the command prints, and its counts."""
    report = source.with_name("report.json")
    said = run("convert", source, source.with_name("out.spacy"), "--report", report, *options).output
    return " ".join(said.split()), json.loads(report.read_text("utf8"))


def check(counts: dict[str, Any]) -> None:
    for one in counts.values():
        assert one["read"] == one["written"] + sum(one["lost"].values()), one


@pytest.mark.parametrize(
    "options", [[], ["--punctuation"], ["--level", "sentence"], ["--rename", "FIRM=ORG"]]
)
def test_what_is_read_is_written_or_lost(run: Run, tmp_path: Path, options: list[str]) -> None:
    source = save(
        tmp_path / "in.jsonl", item("a"), item("b", "Orla.", entities=[[0, 4, "PER"]], relations=[])
    )
    said, report = convert(run, source, "--negative", "NO", *options)
    counts = report["counts"]
    check(counts)
    docs = docs_in(tmp_path / "out.spacy")
    assert counts["texts"]["written"] == len(docs)
    assert counts["entities"]["read"] == len(ENTITIES) + 1
    assert counts["entities"]["written"] == sum(len(doc.spans["bispn"]) for doc in docs)
    assert counts["relations"]["read"] == len(RELATIONS)
    assert counts["relations"]["written"] == sum(len(facts(doc)) for doc in docs)
    for kind, one in counts.items():
        assert f"{kind} {one['read']} {one['written']} {one['read'] - one['written']}" in said
        for why, count in one["lost"].items():
            assert f"{count} {why}" in said
    assert counts["relations"]["lost"]["negative relations"] == 1
    assert counts["entities"]["lost"]["duplicate entities"] == 1


def test_every_reason_of_a_loss_is_named(run: Run, tmp_path: Path) -> None:
    _, report = convert(run, save(tmp_path / "in.jsonl", item("a")), "--level", "sentence")
    assert report["counts"]["entities"]["lost"] == {
        "duplicate entities": 1, "entities ending inside a token": 1
    }  # fmt: skip
    assert report["counts"]["relations"]["lost"] == {
        "relations that join two texts": 1, "relations of entities that were lost": 1
    }  # fmt: skip


def test_labels_are_merged(run: Run, tmp_path: Path) -> None:
    source = save(tmp_path / "in.jsonl", item("a"))
    options = (
        "--rename",
        "FIRM=ORG",
        "--rename",
        "STARTED=FOUNDED",
        "--symmetric",
        "SAME",
        "--rename",
        "SAME=IS",
    )
    _, report = convert(run, source, *options)
    (doc,) = docs_in(tmp_path / "out.spacy")
    assert sorted({span.label_ for span in doc.spans["bispn"]}) == ["ORG", "PER"]
    assert sorted(facts(doc)) == [
        ("Fenwick", "NEAR", "Larch"), ("Larch", "IS", "Larch"), ("Orla", "FOUNDED", "Fenwick"),
        ("Orla", "NO", "Fenwick"),
    ]  # fmt: skip
    check(report["counts"])
    lost = {**report["counts"]["entities"]["lost"], **report["counts"]["relations"]["lost"]}
    assert lost["entities that new labels make equal to others"] == 1
    assert lost["relations that new labels make equal to others"] == 1
    assert report["noted"]["labels 'FIRM' renamed to 'ORG'"] == 1


def test_labels_that_no_relation_has_are_noted(run: Run, tmp_path: Path) -> None:
    source = save(tmp_path / "in.jsonl", item("a"))
    _, report = convert(run, source, "--symmetric", "SAMES", "--negative", "PER", "--symmetric", "SAME")
    noted = [what for what in report["noted"] if "no relation has" in what]
    assert sorted(noted) == [
        "label of --negative that no relation has: 'PER'",
        "label of --symmetric that no relation has: 'SAMES'",
    ]


def test_two_labels_change_places(run: Run, tmp_path: Path) -> None:
    source = save(tmp_path / "in.jsonl", item("a", relations=[[0, 1, "A"], [1, 0, "B"]]))
    convert(run, source, "--rename", "A=B", "--rename", "B=A")
    (doc,) = docs_in(tmp_path / "out.spacy")
    assert set(facts(doc)) == {("Orla", "B", "Fenwick"), ("Fenwick", "A", "Orla")}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["FIRMA=ORG"], ["--rename is 'FIRMA'", "labels of entities (FIRM, ORG, PER, UNIT)", "(FOUNDED, N"]),
        (["FIRM"], ["--rename is 'FIRM'", "expected OLD=NEW, two labels", "write --rename OLD=NEW"]),
        (["=ORG"], ["--rename is '=ORG'", "expected OLD=NEW, two labels", "write --rename OLD=NEW"]),
        (["FIRM=A", "FIRM=B"], ["FIRM=A and FIRM=B", "one new label for each", "leave one of them out"]),
    ],
)
def test_renames_that_cannot_be(run: Run, tmp_path: Path, options: list[str], words: list[str]) -> None:
    source = save(tmp_path / "in.jsonl", item("a"))
    given = [word for option in options for word in ("--rename", option)]
    said = " ".join(run("convert", source, tmp_path / "out.spacy", *given, code=1).output.split())
    for word in words:
        assert word in said
    assert list(tmp_path.iterdir()) == [source]


LONG = "Orla and two of her friends founded Fenwick in the year {} near the old mill of Larch by the river"
NONE: dict[str, Any] = {"entities": [], "relations": []}


def test_texts_that_recur_are_left_out(run: Run, tmp_path: Path) -> None:
    dev = save(tmp_path / "dev.jsonl", item("d"), item("e", LONG.format(1999), **NONE))
    run("convert", dev, tmp_path / "dev.spacy")
    near = LONG.format(1999).replace("river", "brook")
    train = save(
        tmp_path / "in.jsonl", item("a"), item("b", near, **NONE), item("c", LONG.format(2001)[40:], **NONE)
    )
    said, report = convert(run, train, "--drop-recurring", tmp_path / "dev.spacy")
    assert [text_id(doc) for doc in docs_in(tmp_path / "out.spacy")] == ["c"]
    check(report["counts"])
    assert report["counts"]["texts"]["lost"] == {"texts that recur (--drop-recurring)": 2}
    assert "2 texts that recur (--drop-recurring)" in said and "no text recurs" not in said
    other = save(tmp_path / "other.jsonl", item("c", LONG.format(2001)[40:], **NONE))
    said, _ = convert(run, other, "--drop-recurring", tmp_path / "dev.spacy")
    assert "--drop-recurring: no text recurs" in said


def test_what_is_held_out_does_not_recur(run: Run, tmp_path: Path) -> None:
    words = ["ten", "six", "two", "one", "old", "new", "red", "big"]
    texts = [f"{word} {' '.join(f'{word}{n}' for n in range(20))} {{}}" for word in words]
    items = [item(f"{n}{end}", text.format(end), **NONE) for n, text in enumerate(texts) for end in "xy"]
    source, dev = save(tmp_path / "in.jsonl", *items), tmp_path / "dev.spacy"
    _, report = convert(run, source, "--dev", dev, "--share", 0.25, "--drop-recurring", dev)
    held = {text_id(doc)[0] for doc in docs_in(dev)}  # type: ignore[index]
    kept = [text_id(doc)[0] for doc in docs_in(tmp_path / "out.spacy")]  # type: ignore[index]
    assert len(docs_in(dev)) == 4 and kept and held.isdisjoint(kept)
    assert report["counts"]["texts"]["read"] == 16 == 4 + len(kept) + report["counts"]["texts"]["lost"][
        "texts that recur (--drop-recurring)"
    ]  # fmt: skip


def test_recurring_wants_a_corpus_and_leaves_something(run: Run, tmp_path: Path) -> None:
    source, out = save(tmp_path / "in.jsonl", item("a")), tmp_path / "out.spacy"
    for path, words in (
        (tmp_path / "none.spacy", ["--drop-recurring", "none.spacy", "expected a .spacy file", "convert it"]),
        (tmp_path / "same.spacy", ["all texts recur", "at least one text that does not", "name the files"]),
    ):
        if path.name == "same.spacy":
            run("convert", source, path)
        said = " ".join(run("convert", source, out, "--drop-recurring", path, code=1).output.split())
        for word in words:
            assert word in said
        assert not out.exists()


def test_ids_are_kept(run: Run, tmp_path: Path) -> None:
    source = save(tmp_path / "in.jsonl", item("doc/7"), item("x", "No id.", **NONE))
    convert(run, source, "--level", "sentence")
    assert [text_id(doc) for doc in docs_in(tmp_path / "out.spacy")] == ["doc/7:0", "doc/7:1", "x:0"]
    run("export", tmp_path / "out.spacy", tmp_path / "back.jsonl")
    lines = (tmp_path / "back.jsonl").read_text("utf8").splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["doc/7:0", "doc/7:1", "x:0"]
    folder = tmp_path / "brat"
    folder.mkdir()
    (folder / "protocol.txt").write_text(TEXT)
    (folder / "protocol.ann").write_text("T1\tPER 0 4\tOrla\n")
    run("convert", folder, tmp_path / "b.spacy")
    assert [text_id(doc) for doc in docs_in(tmp_path / "b.spacy")] == ["protocol"]


def test_an_id_survives_what_spacy_does_with_a_doc() -> None:
    nlp = spacy.blank("en")
    doc, _ = to_doc(nlp, AnnotatedText("a-1", PAIR.text, PAIR.extraction))
    assert text_id(doc) == text_id(doc.copy()) == "a-1"
    assert text_id(spacy.tokens.Doc(nlp.vocab).from_bytes(doc.to_bytes())) == "a-1"
    stored = DocBin(docs=[doc], store_user_data=True).to_bytes()
    (again,) = DocBin().from_bytes(stored).get_docs(nlp.vocab)  # as spaCy's own commands read it
    assert text_id(again) == "a-1"
    assert text_id(nlp.make_doc("x")) is None
