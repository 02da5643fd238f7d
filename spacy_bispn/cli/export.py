"""`spacy bispn export`: what `.spacy` files say, gold or predicted, in a format of other tools."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, get_args

import typer
from spacy.tokens import Doc
from spacy.vocab import Vocab
from wasabi import msg

from spacy_bispn.annotations import has_relations
from spacy_bispn.converters import all_formats, get_format, get_writer
from spacy_bispn.corpus import to_text
from spacy_bispn.corpus_reader import find_files, load
from spacy_bispn.files import check_apart
from spacy_bispn.graphs import GRAPH_FORMATS, Merge, to_networkx
from spacy_bispn.settings import SettingError, Shown

FORMS = [*(one.name for one in all_formats().values() if one.write), *GRAPH_FORMATS]
SILENT = "Docs do not say whether they have relations: they are written as having none"
# what a graph counts and does not show, in words
UNSHOWN = {
    "unannotated": SILENT,
    "renamed": "Docs have an id that an earlier one has, and get another: ~ behind it",
    "without_id": "mentions have no id: each is a node of its own",
    "other_labels": "mentions have another label than the first one of their id, which their node has",
}


def export_command(
    source: Annotated[Path, typer.Argument(help="A .spacy file, or a folder of some", exists=True)],
    output: Annotated[Path, typer.Argument(help="What to write")],
    form: Annotated[str, typer.Option("--format", "-f", help=f"One of {', '.join(FORMS)}")] = "jsonl",
    merge: Annotated[
        str | None,
        typer.Option(help=f"Of graphs, what makes mentions one node: {', '.join(get_args(Merge))}"),
    ] = None,
    symmetric: Annotated[
        list[str] | None, typer.Option(help="Of graphs, a relation label without a direction (repeatable)")
    ] = None,
) -> None:
    """Write Docs with entities and relations in another format; without an id a Doc gets its position."""
    try:
        check_apart({"SOURCE": source, "OUTPUT": output})
        if form not in FORMS:
            raise SettingError("the format", form, f"one of {', '.join(FORMS)}", "choose one of these")
        if form in GRAPH_FORMATS:
            _export_graph(read_docs(source), output, form, merge, symmetric or ())
            return
        for option, value in (("--merge", merge), ("--symmetric", symmetric)):
            if value is not None:
                shown, expected = Shown(f"given for {form}"), f"one of the formats {', '.join(GRAPH_FORMATS)}"
                raise SettingError(option, shown, expected, "leave it out, or choose one of these")
        _export_texts(read_docs(source), output, form)
    except ValueError as error:
        msg.fail("The Docs cannot be exported", str(error), exits=1)


def _export_texts(docs: list[Doc], output: Path, form: str) -> None:
    write = get_writer(form)
    texts = [to_text(doc, str(number)) for number, doc in enumerate(docs)]
    lost = write(output, texts)
    _warn(SILENT, sum(not has_relations(doc) for doc in docs))
    if not get_format(form).ids:
        ids = sum(bool(entity.kb_id) for text in texts for entity in text.extraction.entities)
        _warn(f"entities have an id, for which {form} has no place", ids)
    for what, count in lost.items():
        _warn(what, count)
    msg.good(f"{len(docs)} texts in {output}")


def _export_graph(docs: list[Doc], output: Path, form: str, merge: Any, symmetric: Sequence[str]) -> None:
    graph = to_networkx(docs, merge or "text", symmetric)
    found = graph.graph
    changes = GRAPH_FORMATS[form](output, graph)
    for what, count in [*((UNSHOWN[name], found[name]) for name in UNSHOWN), *changes.items()]:
        _warn(what, count)
    nodes, edges = f"{len(graph)} nodes", f"{graph.size()} edges"
    msg.info(f"{found['mentions']} mentions are {nodes}, {found['relations']} relations are {edges}")
    msg.good(f"{found['docs']} texts in {output}")


def _warn(what: str, count: int) -> None:
    if count:
        msg.warn(f"{count} {what}")


def read_docs(source: Path) -> list[Doc]:
    """The Docs of one or more `.spacy` files. Raises ValueError where there are none."""
    vocab = Vocab()
    docs = [doc for file in find_files(source) for doc in load(file, vocab)]
    if not docs:
        raise ValueError(f"{source}: found no Docs, expected at least one. Check the path.")
    return docs
