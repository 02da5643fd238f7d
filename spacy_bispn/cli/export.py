"""`spacy bispn export`: what `.spacy` files say, gold or predicted, in a format of other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from spacy.tokens import Doc
from spacy.vocab import Vocab
from wasabi import msg

from spacy_bispn.annotations import has_relations
from spacy_bispn.converters import all_formats, get_writer
from spacy_bispn.corpus import to_text
from spacy_bispn.corpus_reader import find_files, load
from spacy_bispn.files import check_apart

WRITERS = [one.name for one in all_formats().values() if one.write]


def export_command(
    source: Annotated[Path, typer.Argument(help="A .spacy file, or a folder of some", exists=True)],
    output: Annotated[Path, typer.Argument(help="What to write")],
    form: Annotated[str, typer.Option("--format", "-f", help=f"One of {', '.join(WRITERS)}")] = "jsonl",
) -> None:
    """Write Docs with entities and relations in another format; without an id a Doc gets its position."""
    try:
        check_apart({"SOURCE": source, "OUTPUT": output})
        write = get_writer(form)
        docs = read_docs(source)
        write(output, [to_text(doc, str(number)) for number, doc in enumerate(docs)])
    except ValueError as error:
        msg.fail("The Docs cannot be exported", str(error), exits=1)
    silent = sum(not has_relations(doc) for doc in docs)
    if silent:
        msg.warn(f"{silent} Docs do not say whether they have relations: they are written as having none")
    msg.good(f"{len(docs)} texts in {output}")


def read_docs(source: Path) -> list[Doc]:
    """The Docs of one or more `.spacy` files. Raises ValueError where there are none."""
    vocab = Vocab()
    docs = [doc for file in find_files(source) for doc in load(file, vocab)]
    if not docs:
        raise ValueError(f"{source}: found no Docs, expected at least one. Check the path.")
    return docs
