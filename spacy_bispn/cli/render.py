"""`spacy bispn render`: what a pipeline finds in one text or in some, drawn."""

from __future__ import annotations

import os
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Annotated

import typer
from spacy.cli._util import setup_gpu
from spacy.util import load_model
from wasabi import msg

from spacy_bispn.cli.sources import GPU
from spacy_bispn.cli.texts import SUFFIXES, stream_texts
from spacy_bispn.drawing import Drawing, render
from spacy_bispn.files import save
from spacy_bispn.settings import SettingError, Shown

# without it telephones show a page as wide as a desk, and small
VIEWPORT = '<meta name="viewport" content="width=device-width, initial-scale=1">'
STYLE = "body { margin: 2rem 1rem; } div { border-top: 1px solid #ddd; padding: 0.5rem 0; }"


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
    drawings = [render(doc) for doc in nlp.pipe(texts)]
    if output is None:
        typer.echo(to_page(drawings, nlp.meta["name"]), nl=False)
        return
    drawn = to_page(drawings, nlp.meta["name"]) if output.suffix == ".html" else f"{drawings[0]}\n"
    save(output, drawn)
    msg.good(f"{len(drawings)} texts in {output}")


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


def to_page(drawings: Sequence[Drawing], title: str) -> str:
    """An HTML page with all drawings."""
    shown = "\n".join(drawing._repr_html_() for drawing in drawings)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">{VIEWPORT}'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>\n{shown}\n</body></html>\n"
    )
