"""Graphs of Docs, read again with the libraries that people read them with."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import networkx
import pandas
import pytest
import rdflib
import spacy
from networkx import MultiDiGraph
from spacy.tokens import Doc, Span

import spacy_bispn.graphs
from spacy_bispn import Entity, Extraction, Relation, SettingError, set_annotations, to_networkx
from spacy_bispn.annotations import write
from spacy_bispn.graphs import write_csv, write_turtle

NLP = spacy.blank("en")
Triple = tuple[str, str, str]


def make(text: str, entities: Iterable[tuple[str, str, str]], links: Iterable[Triple], name: str = "") -> Doc:
    """A Doc with entities, as (words, label, id), and relations between words; each at its first place."""
    doc = NLP.make_doc(text)
    found = {
        words: Entity(text.index(words), text.index(words) + len(words), label, kb_id=kb_id)
        for words, label, kb_id in entities
    }
    set_annotations(doc, found.values(), [Relation(found[x], found[y], label) for x, label, y in links])
    if name:
        doc.user_data["id"] = name
    return doc


def edges(graph: MultiDiGraph) -> list[Triple]:
    return [(head, label, tail) for head, tail, label in graph.edges]


FIRST = make("Tem2 binds Dal and tem2", [("Tem2", "P", "Q1"), ("Dal", "P", ""), ("tem2", "P", "Q1")],
             [("Tem2", "binds", "Dal"), ("tem2", "binds", "Dal")], "a")  # fmt: skip
SECOND = make("Tem2 binds\n Dal and Dal", [("Tem2", "P", "Q1"), ("Dal", "P", "")],
              [("Tem2", "binds", "Dal"), ("Dal", "moves", "Tem2")])  # fmt: skip


def test_mentions_are_merged_by_their_words() -> None:
    graph = to_networkx([FIRST, SECOND])
    assert list(graph) == ["P/Tem2", "P/Dal", "P/tem2"]
    assert edges(graph) == [
        ("P/Tem2", "binds", "P/Dal"),
        ("P/Dal", "moves", "P/Tem2"),
        ("P/tem2", "binds", "P/Dal"),
    ]
    assert graph.nodes["P/Dal"] == {
        "name": "Dal", "label": "P", "kb_id": "", "doc": "a", "start": 11, "end": 14, "score": 1.0,
        "mentions": 2, "docs": 2,
    }  # fmt: skip
    assert graph.edges["P/Tem2", "P/Dal", "binds"] == {
        "label": "binds", "doc": "a", "score": 1.0, "mentions": 2, "docs": 2,
    }  # fmt: skip
    assert graph.graph == {
        "docs": 2, "mentions": 5, "relations": 4, "unannotated": 0, "renamed": 0, "without_id": 0,
        "other_labels": 0,
    }  # fmt: skip


def test_mentions_are_merged_by_their_ids() -> None:
    graph = to_networkx([FIRST, SECOND], merge="id")
    assert list(graph) == ["Q1", "a/11-14/P", "1/12-15/P"]
    assert edges(graph) == [
        ("Q1", "binds", "a/11-14/P"),
        ("Q1", "binds", "1/12-15/P"),
        ("1/12-15/P", "moves", "Q1"),
    ]
    assert graph.nodes["Q1"]["mentions"] == 3 and graph.graph["without_id"] == 2
    assert graph.edges["Q1", "a/11-14/P", "binds"]["mentions"] == 2


def test_mentions_may_be_nodes_of_their_own() -> None:
    graph = to_networkx([FIRST, SECOND], merge="none")
    assert len(graph) == 5 and graph.size() == 4
    assert {found["mentions"] for found in graph.nodes.values()} == {1}


def test_one_doc_is_a_graph_and_none_is_empty() -> None:
    assert edges(to_networkx(FIRST)) == edges(to_networkx([FIRST]))
    assert len(to_networkx([])) == 0
    empty = to_networkx([NLP.make_doc(""), NLP.make_doc("Nobody looked")])
    assert len(empty) == 0 and (empty.graph["docs"], empty.graph["unannotated"]) == (2, 2)


def test_docs_with_one_id_stay_apart() -> None:
    graph = to_networkx([FIRST, FIRST, FIRST], merge="none")
    assert {found["doc"] for found in graph.nodes.values()} == {"a", "a~", "a~~"}
    assert len(graph) == 9 and graph.graph["renamed"] == 2
    assert to_networkx([FIRST, FIRST]).nodes["P/Dal"]["docs"] == 2


def test_ids_do_not_run_into_each_other() -> None:
    slashes = [("c", "a/b"), ("b/c", "a"), ("d", "a%2Fb")]
    docs = [make(words, [(words, label, "")], []) for words, label in slashes]
    for merge in ("text", "none"):
        assert len(to_networkx(docs, merge=merge)) == 3  # type: ignore[arg-type]


def test_unicode_and_white_space_make_no_other_words() -> None:
    docs = [make(f"Caf\u00e9  {end} x", [(f"Caf\u00e9  {end}", "P", "")], []) for end in "nm"]
    docs.append(make("Cafe\u0301\nn x", [("Cafe\u0301\nn", "P", "")], []))
    assert list(to_networkx(docs)) == ["P/Caf\u00e9 n", "P/Caf\u00e9 m"]


def test_nested_entities_and_relations_of_a_thing_with_itself() -> None:
    doc = make("Rov-Dal complex", [("Rov-Dal complex", "C", ""), ("Rov", "P", ""), ("Dal", "P", "")],
               [("Rov", "part", "Rov-Dal complex"), ("Rov", "binds", "Rov"), ("Rov", "binds", "Dal"),
                ("Rov", "moves", "Dal")])  # fmt: skip
    assert edges(to_networkx(doc)) == [
        ("P/Rov", "part", "C/Rov-Dal complex"),
        ("P/Rov", "binds", "P/Rov"),
        ("P/Rov", "binds", "P/Dal"),
        ("P/Rov", "moves", "P/Dal"),
    ]


def test_the_best_score_counts_and_ends_without_an_entity_are_nodes() -> None:
    docs = []
    for score in (0.3, 0.9, 0.5):
        doc = NLP.make_doc("Tem2 binds Dal")
        tem, dal = Entity(0, 4, "P", score), Entity(11, 14, "P", score / 2)
        write(doc, Extraction((tem,), (Relation(tem, dal, "binds", score / 3),)))
        docs.append(doc)
    graph = to_networkx(docs)
    assert graph.nodes["P/Tem2"]["score"] == 0.9 and graph.nodes["P/Dal"]["mentions"] == 3
    assert graph.edges["P/Tem2", "P/Dal", "binds"]["score"] == pytest.approx(0.3)


def test_symmetric_relations_are_one_edge() -> None:
    docs = [make("Tem2 binds Dal", [("Tem2", "P", ""), ("Dal", "P", "")], [(x, "binds", y)])
            for x, y in (("Tem2", "Dal"), ("Dal", "Tem2"))]  # fmt: skip
    assert to_networkx(docs).size() == 2
    assert edges(to_networkx(docs, symmetric=["binds"])) == [("P/Dal", "binds", "P/Tem2")]


def test_mentions_with_another_label_than_their_node_are_counted() -> None:
    docs = [make("Tem2", [("Tem2", label, "Q1")], []) for label in "PQP"]
    graph = to_networkx(docs, merge="id")
    assert graph.nodes["Q1"]["label"] == "P" and graph.graph["other_labels"] == 1


def test_an_unknown_merge_is_an_error() -> None:
    with pytest.raises(SettingError) as error:
        to_networkx(FIRST, merge="label")  # type: ignore[arg-type]
    assert (error.value.value, error.value.expected) == ("label", "text or id or none")
    assert error.value.advice == "choose one of these"


def test_an_entity_without_a_label_is_an_error() -> None:
    doc = NLP.make_doc("Tem2 binds")
    doc.spans["bispn"] = [doc[0:1]]
    with pytest.raises(ValueError, match="'Tem2 binds' has no label, expected a text: give Span"):
        to_networkx(doc)


WORDS = ['say "x", y; z', "a\\b", "NA", "007", "日本語 😀", "<b>&amp;</b>", "  'n\n", "=1+1", "\u202eabc"]


def unusual() -> list[Doc]:
    """Words and labels that files may get wrong, ids that look like numbers, and names of Docs like that."""
    docs = []
    for number, words in enumerate(WORDS):
        text = f"{words} :: Dal"
        doc = NLP.make_doc(text)
        found = doc.char_span(0, len(words), alignment_mode="expand")
        kb_id = f"{number:03}" if number % 2 else "http://a.b/Q?x=1#é"
        one = Span(doc, 0, found.end, label=f"L;{words.strip()}", kb_id=kb_id)
        other = Span(doc, len(doc) - 1, len(doc), label="P", kb_id="12")
        set_annotations(doc, [one, other], [Relation(one, other, f"r {words}"), Relation(other, one, "s;t")])
        doc.user_data["id"] = f'd "{words}"'
        docs.append(doc)
    return docs


def read_csv(folder: Path) -> MultiDiGraph:
    """A graph as docs/graphs.md reads it."""
    names = {"id:ID": str, ":START_ID": str, ":END_ID": str, ":TYPE": str, "name": str, "kb_id": str}
    found = [
        pandas.read_csv(folder / f"{name}.csv", keep_default_na=False, dtype=names)
        for name in ("nodes", "edges")
    ]
    graph = networkx.from_pandas_edgelist(
        found[1], ":START_ID", ":END_ID", edge_attr=True, edge_key=":TYPE", create_using=MultiDiGraph
    )
    graph.add_nodes_from(found[0].set_index("id:ID").to_dict("index").items())
    return graph


def plain(attributes: dict[str, Any]) -> dict[str, Any]:
    """Attributes without the types and the columns that only Neo4j reads."""
    return {name.partition(":")[0]: value for name, value in attributes.items() if not name.startswith(":")}


@pytest.mark.parametrize("merge", ["text", "id", "none"])
def test_pandas_and_networkx_read_the_csv(merge: Any, tmp_path: Path) -> None:
    graph = to_networkx(unusual(), merge=merge)
    write_csv(tmp_path / "graph", graph)
    again = read_csv(tmp_path / "graph")
    assert {node: plain(found) for node, found in again.nodes.items()} == dict(graph.nodes.items())
    assert {ends: plain(found) for ends, found in again.edges.items()} == dict(graph.edges.items())


def typed(path: Path) -> list[dict[str, Any]]:
    """Rows as Neo4j's importer reads a header: NAME:TYPE, with ID, LABEL, START_ID, END_ID and TYPE."""
    kinds = {"int": int, "float": float, "LABEL": lambda value: value.split(";")}
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file, strict=True)
    columns = [column.partition(":")[::2] for column in header]
    return [
        {name or kind: kinds.get(kind, str)(cell) for (name, kind), cell in zip(columns, row, strict=True)}
        for row in rows
    ]


def test_neo4j_reads_the_headers(tmp_path: Path) -> None:
    graph = to_networkx(unusual())
    changes = write_csv(tmp_path, graph)
    nodes, relationships = typed(tmp_path / "nodes.csv"), typed(tmp_path / "edges.csv")
    ids = [node["id"] for node in nodes]
    assert ids == list(graph) and len(set(ids)) == len(ids)
    assert all(len(node["LABEL"]) == 1 and node["LABEL"][0] for node in nodes), "no label is cut at a ;"
    assert {one[end] for one in relationships for end in ("START_ID", "END_ID")} <= set(ids)
    assert [one["TYPE"] for one in relationships] == [label for *_, label in graph.edges]
    assert [one["score"] for one in relationships] == [1.0] * graph.size()
    assert changes["labels with ; have , in the column :LABEL"] == len(WORDS)
    assert changes["cells have line breaks, which Neo4j reads with --multiline-fields=true"] > 0


def test_a_file_is_written_the_same_each_time(tmp_path: Path) -> None:
    for name in "ab":
        write_csv(tmp_path / name, to_networkx(unusual()))
    for name in ("nodes.csv", "edges.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_csv_needs_a_folder(tmp_path: Path) -> None:
    (tmp_path / "graph").write_text("mine")
    with pytest.raises(SettingError, match=r"graph, a file, expected a folder, new or not: give it another"):
        write_csv(tmp_path / "graph", to_networkx(FIRST))
    assert (tmp_path / "graph").read_text() == "mine"


@pytest.mark.parametrize("merge", ["text", "id", "none"])
def test_rdflib_reads_the_turtle(merge: Any, tmp_path: Path) -> None:
    graph = to_networkx(unusual(), merge=merge)
    changes = write_turtle(tmp_path / "graph.ttl", graph)
    read = rdflib.Graph().parse(tmp_path / "graph.ttl")
    name = {subject: str(label) for subject, label in read.subject_objects(rdflib.RDFS.label)}
    types = dict(read.subject_objects(rdflib.RDF.type))
    nodes = sorted((name[node], name[kind]) for node, kind in types.items())
    assert nodes == sorted((found["name"], found["label"]) for found in graph.nodes.values())
    said = sorted((name[x], name[label], name[y]) for x, label, y in read if x in types and y in types)
    assert said == sorted(
        (graph.nodes[x]["name"], label, graph.nodes[y]["name"]) for x, y, label in graph.edges
    )
    assert (rdflib.URIRef("http://a.b/Q?x=1#é") in types) == (merge == "id")
    assert sum(changes.values()) == len(graph) + graph.size()


def test_turtle_without_rdflib_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(spacy_bispn.graphs, "find_spec", lambda _: None)
    with pytest.raises(SettingError, match=r"no rdflib, expected it .*: pip install 'spacy-bispn\[rdf\]'"):
        write_turtle(tmp_path / "graph.ttl", to_networkx(FIRST))


def test_networkx_is_imported_when_it_is_needed() -> None:
    code = "import sys, spacy_bispn.graphs; print({'networkx', 'rdflib', 'pandas'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
