"""Which mentions are of one thing: read by the formats that say it, kept on Docs, written again."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.tokens import DocBin

from spacy_bispn.converters import ConversionError, all_formats, get_format, get_writer
from spacy_bispn.corpus import to_docbin, to_text
from spacy_bispn.records import AnnotatedText, Entity, Extraction, Relation

TEXT = "ORC binds ATP as Orc does"
ORC, ATP, AGAIN = Entity(0, 3, "protein"), Entity(10, 13, "chemical"), Entity(17, 20, "protein")

PUBTATOR = f"""a|t|{TEXT}
a|a|
a\t0\t3\tORC\tprotein\tP1;P2
a\t10\t13\tATP\tchemical\t-
a\t17\t20\tOrc\tprotein\tP1;P2
a\t17\t20\tOrc\tprotein\tP3
"""


def _infon(key: str, value: str) -> str:
    return f'<infon key="{key}">{value}</infon>'


def _bioc(*infons: str) -> str:
    annotations = "".join(
        f'<annotation id="{number}"><infon key="type">{one.label}</infon>{infon}'
        f'<location offset="{one.start}" length="{one.end - one.start}"/></annotation>'
        for number, (one, infon) in enumerate(zip((ORC, ATP, AGAIN), infons, strict=True))
    )
    passage = f"<passage><offset>0</offset><text>{TEXT}</text>{annotations}</passage>"
    return f"<collection><document><id>a</id>{passage}</document></collection>"


def _names(*mentions: tuple[str, int, int]) -> dict[str, Any]:
    return {name: {"is_mentioned": True, "mentions": [[start, end]]} for name, start, end in mentions}


BIORELEX = [
    {
        "id": "a",
        "text": TEXT,
        "entities": [
            {"label": "protein", "names": _names(("ORC", 0, 3), ("Orc", 17, 20))},
            {"label": "chemical", "names": _names(("ATP", 10, 13))},
        ],
        "interactions": [{"participants": [0, 1], "type": "bind", "label": 1}],
    }
]
WORDS = TEXT.split()
DYGIE = {
    "doc_key": "a",
    "sentences": [WORDS[:3], WORDS[3:]],
    "ner": [[[0, 0, "protein"], [2, 2, "chemical"]], [[4, 4, "protein"]]],
    "relations": [[], []],
    "clusters": [[[0, 0], [4, 4]]],
}
VERTICES = [[(0, 0, "protein"), (1, 1, "protein")], [(0, 2, "chemical")]]
DOCRED = {
    "title": "a",
    "sents": DYGIE["sentences"],
    "vertexSet": [
        [{"sent_id": sentence, "pos": [at, at + 1], "type": label} for sentence, at, label in mentions]
        for mentions in VERTICES
    ],
    "labels": [],
}
JSONL = {
    "id": "a",
    "text": TEXT,
    "entities": [[0, 3, "protein", "P1"], [10, 13, "chemical"], [17, 20, "protein", "P1"]],
    "relations": [[0, 1, "binds"]],
}
P1 = _infon("identifier", "P1")

EXAMPLES = [
    ("pubtator", PUBTATOR, ["P1;P2", "", "P1;P2|P3"]),
    ("bioc", _bioc(P1, "", _infon("MESH", "P1")), ["P1", "", "P1"]),
    ("bioc", _bioc(P1 + _infon("MESH", "D1"), _infon("valid", "true"), P1), ["P1", "", "P1"]),
    (
        "bioc",
        _bioc(_infon("MESH", "D1") + _infon("OMIM", "7"), _infon("identifier", "-"), ""),
        ["D1|7", "", ""],
    ),
    ("bioc", _bioc(_infon("NCBI Gene identifier", "1"), _infon("id", "2"), ""), ["1", "2", ""]),
    ("biorelex", json.dumps(BIORELEX), ["a#0", "a#0", "a#1"]),
    ("dygie", json.dumps(DYGIE), ["a#0", "", "a#0"]),
    ("docred", json.dumps([DOCRED]), ["a#0", "a#0", "a#1"]),
    ("jsonl", json.dumps(JSONL), ["P1", "", "P1"]),
]


def read(form: str, content: str, folder: Path, **rules: Any) -> Any:
    (folder / "corpus").write_text(content, encoding="utf-8")
    return get_format(form).read(folder / "corpus", **rules)


@pytest.mark.parametrize(("form", "content", "ids"), EXAMPLES)
def test_ids_are_read_and_kept_on_docs(form: str, content: str, ids: list[str], tmp_path: Path) -> None:
    assert get_format(form).ids
    (text,) = read(form, content, tmp_path, level="document").texts
    assert [entity.kb_id for entity in text.extraction.entities] == ids
    docbin, problems = to_docbin(spacy.blank("en"), [text])
    assert not problems
    (doc,) = DocBin().from_bytes(docbin.to_bytes()).get_docs(spacy.blank("en").vocab)
    named = {(span.text, span.kb_id_) for span in doc.spans["bispn"]}
    assert named == {(text.text[one.start : one.end], one.kb_id) for one in text.extraction.entities}, (
        "behind a file, in a process with other strings"
    )


def test_formats_that_know_no_ids_say_so() -> None:
    assert {form for form, *_ in EXAMPLES} | {"bioc-json"} == {
        one.name for one in all_formats().values() if one.ids
    }


def test_an_id_is_the_same_in_each_sentence_of_a_document(tmp_path: Path) -> None:
    texts = read("dygie", json.dumps(DYGIE), tmp_path, level="sentence").texts
    assert [[one.kb_id for one in text.extraction.entities] for text in texts] == [["a#0", ""], ["a#0"]]


def test_new_labels_that_make_entities_equal_keep_all_ids(tmp_path: Path) -> None:
    item = JSONL | {"entities": [[0, 3, "protein", "P1"], [0, 3, "gene", "G1"]], "relations": []}
    (text,) = read("jsonl", json.dumps(item), tmp_path, rename={"gene": "protein"}).texts
    assert [one.kb_id for one in text.extraction.entities] == ["P1|G1"]


TEXTS = [
    AnnotatedText(
        "a",
        TEXT,
        Extraction(
            (Entity(0, 3, "protein", kb_id='P"1, é'), ATP, Entity(17, 20, "protein", kb_id='P"1, é')),
            (Relation(ORC, ATP, "binds"), Relation(ATP, AGAIN, "binds")),
        ),
    )
]


@pytest.mark.parametrize("form", ["jsonl", "bioc-json"])
def test_ids_are_written_and_read_again(form: str, tmp_path: Path) -> None:
    get_writer(form)(tmp_path / "out", TEXTS)
    (text,) = get_format(form).read(tmp_path / "out").texts
    assert [one.kb_id for one in text.extraction.entities] == ['P"1, é', "", 'P"1, é']


def test_bioc_refuses_ids_with_white_space_around_them(tmp_path: Path) -> None:
    text = AnnotatedText("a", TEXT, Extraction((Entity(0, 3, "protein", kb_id=" P1"),)))
    with pytest.raises(
        ConversionError, match=r"found ' P1', expected ids and labels without white .*Rename it"
    ):
        get_writer("bioc-json")(tmp_path / "out", [text])


def test_clusters_of_biorelex_are_written_and_read_again(tmp_path: Path) -> None:
    (text,) = read("biorelex", json.dumps(BIORELEX), tmp_path).texts
    get_writer("biorelex")(tmp_path / "out", [text])
    (written,) = json.loads((tmp_path / "out").read_text("utf-8"))
    assert [[*one["names"]] for one in written["entities"]] == [["ORC", "Orc"], ["ATP"]]
    assert written["interactions"] == BIORELEX[0]["interactions"]
    (again,) = get_format("biorelex").read(tmp_path / "out").texts
    assert again == text
    assert [one.kb_id for one in again.extraction.entities] == ["a#0", "a#0", "a#1"]


def test_a_cluster_of_biorelex_whose_mentions_have_other_relations_is_split(tmp_path: Path) -> None:
    (text,) = read("biorelex", json.dumps(BIORELEX), tmp_path).texts
    one = AnnotatedText("a", TEXT, Extraction(text.extraction.entities, text.extraction.relations[:1]))
    get_writer("biorelex")(tmp_path / "out", [one])
    (again,) = get_format("biorelex").read(tmp_path / "out").texts
    assert again == one, "else an interaction would relate all of them"
    assert [one.kb_id for one in again.extraction.entities] == ["a#0", "a#1", "a#2"]


def test_published_clusters_of_biorelex_come_back(corpora: Path, tmp_path: Path) -> None:
    texts = get_format("biorelex").read(corpora / "biorelex" / "dev.json").texts
    get_writer("biorelex")(tmp_path / "out", texts)
    again = get_format("biorelex").read(tmp_path / "out").texts
    clusters = [[one.kb_id for one in text.extraction.entities] for text in texts]
    assert [[one.kb_id for one in text.extraction.entities] for text in again] == clusters
    # a relation of two mentions has no direction there, and which came first is not kept
    assert [Counter(text.extraction.relations) for text in again] == [
        Counter(text.extraction.relations) for text in texts
    ]


def test_docs_give_their_ids_back() -> None:
    docbin, _ = to_docbin(spacy.blank("en"), TEXTS)
    (doc,) = docbin.get_docs(spacy.blank("en").vocab)
    assert [one.kb_id for one in to_text(doc, "0").extraction.entities] == ['P"1, é', "", 'P"1, é']
