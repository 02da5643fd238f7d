"""Graphs of what Docs say: nodes are entities, or things that several mention; edges are relations."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args
from urllib.parse import quote

from spacy.tokens import Doc

from spacy_bispn.annotations import has_relations, read
from spacy_bispn.doc_utils import text_id
from spacy_bispn.files import save
from spacy_bispn.records import Entity
from spacy_bispn.settings import SettingError, Shown

if TYPE_CHECKING:
    from networkx import MultiDiGraph

Merge = Literal["text", "id", "none"]
# The attributes of nodes and edges with their types for Neo4j, where a string needs none.
FOUND = {"doc": "", "score": "float", "mentions": "int", "docs": "int"}
NODE = {"name": "", "label": "", "kb_id": "", "start": "int", "end": "int", **FOUND}
EDGE = {"label": "", **FOUND}

BASE = "urn:spacy-bispn:"  # of names in RDF
IRI = re.compile(r"""https?://[^\s<>"{}|\\^`]+""")  # an id that is such a name already


def to_networkx(
    docs: Doc | Iterable[Doc], merge: Merge = "text", symmetric: Collection[str] = ()
) -> MultiDiGraph:
    """The graph of one Doc or of many, for networkx: entities are nodes, relations are edges.

    merge: which mentions are one node: those with the same words and label ("text"), those with the same
        `kb_id_` ("id"; one without it is a node of its own), or each for itself ("none").
    symmetric: relation labels without a direction: of two opposite relations one edge is made.

    The key of an edge is its label: between two nodes there is one for each label. The id of a node does not
    depend on the rest of the graph: LABEL/WORDS, the `kb_id_`, or DOC/START-END/LABEL. White space, and how
    Unicode composes a letter, make no other words.

    Nodes have the `name`, `label`, `kb_id`, `start` and `end` of their first mention, edges a `label`; both
    have the first `doc`, the best `score`, and the number of `mentions` and of their `docs`. `graph.graph`
    has counts of the whole: see [Graphs](graphs.md#what-is-counted).

    Raises SettingError for an unknown `merge`, ValueError for an entity without a label.
    """
    from networkx import MultiDiGraph

    if merge not in get_args(Merge):
        raise SettingError("merge", merge, " or ".join(get_args(Merge)), "choose one of these")
    counts = ("docs", "mentions", "relations", "unannotated", "renamed", "without_id", "other_labels")
    graph = MultiDiGraph(**dict.fromkeys(counts, 0))
    said = graph.graph
    names: set[str] = set()
    for number, doc in enumerate([docs] if isinstance(docs, Doc) else docs):
        given = text_id(doc) or str(number)
        name = _unused(given, names)
        names.add(name)
        said["docs"] += 1
        said["renamed"] += name != given
        said["unannotated"] += not has_relations(doc)
        found, text = read(doc).closed(), doc.text
        nodes: dict[Entity, str] = {}
        for entity in found.entities:
            words = entity.words(text)
            node = nodes[entity] = _node_id(entity, words, name, merge)
            graph.add_node(node)
            first = {"name": words, "kb_id": entity.kb_id, "start": entity.start, "end": entity.end}
            _count(graph.nodes[node], name, entity, first)
            said["mentions"] += 1
            said["without_id"] += merge == "id" and not entity.kb_id
            said["other_labels"] += graph.nodes[node]["label"] != entity.label
        for relation in found.relations:
            head, tail = nodes[relation.head], nodes[relation.tail]
            if relation.label in symmetric:
                head, tail = sorted((head, tail))
            graph.add_edge(head, tail, key=relation.label)
            _count(graph.edges[head, tail, relation.label], name, relation, {})
            said["relations"] += 1
    for _, attributes in [*graph.nodes.items(), *graph.edges.items()]:
        attributes["docs"] = len(attributes["docs"])
    return graph


def _unused(name: str, names: Collection[str]) -> str:
    """The name, or what nobody has yet: two Docs with one id have mentions of their own."""
    while name in names:
        name += "~"
    return name


def _node_id(entity: Entity, words: str, doc: str, merge: Merge) -> str:
    label = entity.label.replace("%", "%25").replace("/", "%2F")  # a slash ends or begins it
    if merge == "text":
        return f"{label}/{words}"
    return (merge == "id" and entity.kb_id) or f"{doc}/{entity.start}-{entity.end}/{label}"


def _count(attributes: dict[str, Any], doc: str, item: Any, first: Mapping[str, Any]) -> None:
    """Add an entity or a relation to the attributes of its node or edge; `first` are those of a new one."""
    if not attributes:
        attributes.update(first, label=item.label, doc=doc, score=item.score, mentions=0, docs=set())
    attributes["score"] = max(attributes["score"], item.score)
    attributes["mentions"] += 1
    attributes["docs"].add(doc)


def write_csv(path: Path, graph: MultiDiGraph) -> dict[str, int]:
    """Write a folder of `nodes.csv` and `edges.csv`, with the headers of `neo4j-admin database import`.

    Returns what is written otherwise, in words, and how many there are. Raises SettingError for a file in the
    folder's place.
    """
    if path.is_file():
        raise SettingError("OUTPUT", Shown(f"{path}, a file"), "a folder, new or not", "give it another name")
    nodes = [
        [node, *map(found.get, NODE), found["label"].replace(";", ",")] for node, found in graph.nodes.items()
    ]
    edges = [[*ends, *map(found.get, EDGE)] for ends, found in graph.edges.items()]
    _save_csv(path / "nodes.csv", ["id:ID", *_typed(NODE), ":LABEL"], nodes)
    _save_csv(path / "edges.csv", [":START_ID", ":END_ID", ":TYPE", *_typed(EDGE)], edges)
    cells = (cell for row in [*nodes, *edges] for cell in row)
    return {
        "labels with ; have , in the column :LABEL": sum(";" in row[2] for row in nodes),
        "cells have line breaks, which Neo4j reads with --multiline-fields=true": sum(
            isinstance(cell, str) and not {"\n", "\r"}.isdisjoint(cell) for cell in cells
        ),
    }


def _typed(attributes: Mapping[str, str]) -> list[str]:
    return [f"{name}:{kind}" if kind else name for name, kind in attributes.items()]


def _save_csv(path: Path, header: list[str], rows: Iterable[list[Any]]) -> None:
    # quoted strings: Neo4j strips others
    content = io.StringIO()
    csv.writer(content, lineterminator="\n").writerow(header)
    csv.writer(content, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC).writerows(rows)
    save(path, content.getvalue())


def write_turtle(path: Path, graph: MultiDiGraph) -> dict[str, int]:
    """Write RDF as Turtle: a resource with `rdf:type` and `rdfs:label` for each node, a triple for each edge.

    Ids that are web addresses name the resource themselves. Returns what is left out, in words, and how many
    there are. Raises SettingError where rdflib is missing.
    """
    if find_spec("rdflib") is None:
        shown, advice = Shown("turtle, but there is no rdflib"), "pip install 'spacy-bispn[rdf]'"
        raise SettingError("the format", shown, "it to be installed", advice)
    from rdflib import RDF, RDFS, Graph, Literal, URIRef

    written = Graph()

    def named(kind: str, name: str) -> Any:
        """The resource for a label, whose `rdfs:label` it is."""
        resource = URIRef(f"{BASE}{kind}/{quote(name, safe='')}")
        written.add((resource, RDFS.label, Literal(name)))
        return resource

    resources = {
        node: URIRef(node if IRI.fullmatch(node) else f"{BASE}node/{quote(node)}") for node in graph.nodes
    }
    for node, found in graph.nodes.items():
        written.add((resources[node], RDF.type, named("label", found["label"])))
        written.add((resources[node], RDFS.label, Literal(found["name"])))
    for head, tail, label in graph.edges:
        written.add((resources[head], named("relation", label), resources[tail]))
    # a triple a line is Turtle too, and rdflib takes long to shorten the names of many nodes
    save(path, "\n".join(sorted(written.serialize(format="nt").split("\n"))).lstrip() + "\n")
    return {"nodes and edges are written without scores, counts and places": len(graph) + graph.size()}


GRAPH_FORMATS: dict[str, Callable[[Path, MultiDiGraph], dict[str, int]]] = {
    "graph-csv": write_csv,
    "turtle": write_turtle,
}
