"""`spacy bispn page`: texts with predicted entities and relations drawn beside gold, as HTML."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Annotated

import typer
from spacy.cli._util import setup_gpu
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import load_model
from wasabi import msg

from ..corpora import create_reader
from ..drawing import draw

STYLE = """
body { font-family: system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; color: #222; }
article { border-top: 1px solid #ccc; padding: 1rem 0; }
h3 { font-size: 0.9rem; color: #666; margin: 1rem 0 0; text-transform: uppercase; }
ul { margin: 0.3rem 0; } .wrong { color: #b00020; } .missed { color: #a05a00; }
"""


def page_command(
    model: Annotated[str, typer.Argument(help="Trained pipeline")],
    data: Annotated[Path, typer.Argument(help="A .spacy file with gold", exists=True)],
    output: Annotated[Path, typer.Argument(help="The HTML file to write")],
    limit: Annotated[int, typer.Option(help="How many texts are shown")] = 12,
    gpu_id: Annotated[int, typer.Option("--gpu-id", "-g", help="GPU, or -1 for the CPU")] = -1,
) -> None:
    """Show what a pipeline finds beside what was annotated."""
    setup_gpu(gpu_id, silent=True)
    nlp = load_model(model)
    examples = list(create_reader(data, limit=limit)(nlp))
    for example, doc in zip(examples, nlp.pipe(example.predicted for example in examples), strict=True):
        example.predicted = doc
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(render_page(examples, f"{nlp.meta['name']}: {data.name}"), encoding="utf8")
    msg.good(f"{len(examples)} texts in {output}")


def render_page(examples: Sequence[Example], title: str) -> str:
    """An HTML page: for each example a drawing and a list, gold first; what is wrong or missed is marked."""
    articles = "\n".join(_article(example) for example in examples)
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head><body><h1>{escape(title)}</h1>"
        f'<p>Under "predicted", <span class="wrong">wrong</span> relations and '
        f'<span class="missed">missed</span> ones are marked.</p>{articles}</body></html>'
    )


def _article(example: Example) -> str:
    gold, predicted = example.reference, example.predicted
    right, found = _facts(gold), _facts(predicted)
    marked = [("", fact) if fact in right else ("wrong", fact) for fact in found]
    marked += [("missed", fact) for fact in right if fact not in found]
    return (
        f"<article><h3>Gold</h3>{draw(gold)._repr_html_()}{_list([('', fact) for fact in right])}"
        f"<h3>Predicted</h3>{draw(predicted)._repr_html_()}{_list(marked)}</article>"
    )


def _facts(doc: Doc) -> list[str]:
    return [
        f"{x.head.text} ({x.head.label_}) — {x.label} → {x.tail.text} ({x.tail.label_})"
        for x in doc._.relations
    ]


def _list(marked: Sequence[tuple[str, str]]) -> str:
    items = (f'<li class="{mark}">{escape(fact)}{mark and f" ({mark})"}</li>' for mark, fact in marked)
    return f"<ul>{''.join(items)}</ul>"
