"""`spacy bispn render`: what a pipeline finds in one text or in some, drawn."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer
from markupsafe import Markup
from spacy.cli._util import setup_gpu
from spacy.tokens import Doc
from spacy.util import load_model
from wasabi import msg

from spacy_bispn.annotations import read
from spacy_bispn.cli.html_report import TEMPLATES
from spacy_bispn.cli.sources import GPU
from spacy_bispn.cli.texts import SUFFIXES, stream_texts
from spacy_bispn.drawing import render
from spacy_bispn.files import save
from spacy_bispn.records import Entity, Relation
from spacy_bispn.settings import SettingError, Shown


def render_command(
    model: Annotated[str, typer.Argument(help="Trained pipeline")],
    text: Annotated[str, typer.Argument(help="A text, or a .txt or .jsonl file of texts")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help=".html or .svg; without, HTML is printed")
    ] = None,
    gpu_id: GPU = -1,
) -> None:
    """Draw entities and relations of a text; a file's texts go onto one page."""
    try:
        texts = read_texts(text)
        if output is not None and output.suffix not in (".html", ".svg"):
            name = f"the suffix of {output}"
            raise SettingError(
                name, output.suffix, ".html or .svg", "name another, the suffix chooses what is written"
            )
        if output is not None and output.suffix == ".svg" and len(texts) != 1:
            shown = Shown(f"for {len(texts)} texts")
            raise SettingError(str(output), shown, "one text for an image", "write .html, which holds many")
    except ValueError as error:
        msg.fail("The text cannot be drawn", str(error), exits=1)
    setup_gpu(gpu_id, silent=True)
    nlp = load_model(model)
    docs = list(nlp.pipe(texts))
    is_image = output is not None and output.suffix == ".svg"
    drawn = f"{render(docs[0])}\n" if is_image else to_page(docs, nlp.meta["name"])
    if output is None:
        typer.echo(drawn, nl=False)
        return
    save(output, drawn)
    msg.good(f"{len(docs)} texts in {output}")


def read_texts(text: str) -> list[str]:
    """The text, or the texts of the file that it names. Raises ValueError where there are none to read."""
    if not os.path.isfile(text):  # unlike Path's, at ease with names of any length
        if text.endswith(SUFFIXES) and not any(map(str.isspace, text)):
            raise SettingError(text, Shown("no file"), "one with texts", "check the path")
        return [text]
    sources = list(stream_texts(Path(text)))
    for source in sources:
        if source.error:
            raise ValueError(source.error)
    if not sources:
        raise ValueError(f"{text}: found an empty file, expected at least one text: check the path.")
    return [source.text for source in sources]


def to_page(docs: Sequence[Doc], title: str) -> str:
    """An HTML page with drawings of all Docs, and filters by label, least score and words."""
    found = [read(doc) for doc in docs]
    return TEMPLATES.get_template("drawings.html").render(
        title=title,
        kinds={
            "entity": _texts_by_label(one.entities for one in found),
            "relation": _texts_by_label(one.relations for one in found),
        },
        drawings=[(doc.text, Markup(render(doc))) for doc in docs],
    )


def _texts_by_label(found: Iterable[Sequence[Entity | Relation[Entity]]]) -> list[tuple[str, int]]:
    """Each label with how many texts have it."""
    return sorted(Counter(label for items in found for label in {item.label for item in items}).items())
