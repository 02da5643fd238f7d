"""`spacy bispn page`: texts with predicted entities and relations drawn beside gold, as HTML."""

from collections.abc import Collection, Sequence
from html import escape
from pathlib import Path
from typing import Annotated

import typer
from spacy.cli._util import setup_gpu
from spacy.training import Example
from spacy.util import load_model
from wasabi import msg

from .. import annotations
from ..drawing import draw
from ..errors import CORRECT, Case, compare_entities, compare_relations, describe
from ..files import save
from ..records import Entity, Relation
from .options import GPU
from .render import VIEWPORT
from .sources import predict_docs, symmetric_labels

STYLE = """
body { font-family: system-ui, sans-serif; margin: 2rem auto; max-width: 75rem;
  padding: 0 1rem; color: #222; overflow-wrap: anywhere; }
article { border-top: 1px solid #ccc; padding: 1rem 0; }
h2 { font-size: 1rem; } h3 { font-size: 0.9rem; color: #666; margin: 1rem 0 0; text-transform: uppercase; }
ul { margin: 0.3rem 0; } .wrong { color: #b00020; } .missed { color: #a05a00; }
table { display: block; overflow-x: auto; overflow-wrap: normal;
  border-collapse: collapse; margin: 1rem 0; font-size: 0.9rem; }
th, td { padding: 0.1rem 0.8rem 0.1rem 0; text-align: left; vertical-align: top; }
"""


def page_command(
    model: Annotated[str, typer.Argument(help="Trained pipeline")],
    data: Annotated[Path, typer.Argument(help="A .spacy file with gold", exists=True)],
    output: Annotated[Path, typer.Argument(help="The HTML file to write")],
    limit: Annotated[int, typer.Option(help="How many texts are shown")] = 12,
    gpu_id: GPU = -1,
) -> None:
    """Show what a pipeline finds beside what was annotated."""
    setup_gpu(gpu_id, silent=True)
    nlp = load_model(model)
    examples = predict_docs(nlp, data, limit)
    page = render_page(examples, f"{nlp.meta['name']}: {data.name}", symmetric_labels(nlp))
    save(output, page)
    msg.good(f"{len(examples)} texts in {output}")


def render_page(
    examples: Sequence[Example],
    title: str,
    symmetric: Collection[str] = (),
    report: str = "",
    names: Sequence[str] | None = None,
) -> str:
    """An HTML page: for each example entities and arcs, gold first; what is wrong or missed is marked.

    symmetric: relation labels without a direction; report: HTML that stands above the examples;
    names: what the examples are called, their numbers if None.
    """
    named = zip(names or map(str, range(len(examples))), examples, strict=True)
    articles = "\n".join(_article(name, example, symmetric) for name, example in named)
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">{VIEWPORT}'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><h1>{escape(title)}</h1>{report}"
        f'<p>Under "predicted" stand all relations and the entities with errors; <span class="wrong">wrong'
        f'</span> and <span class="missed">missed</span> ones are marked.</p>{articles}</body></html>'
    )


def mistakes(example: Example, symmetric: Collection[str] = ()) -> int:
    """How many entities and relations of an example are wrong or missed."""
    entities, relations = _cases(example, symmetric)
    kinds = [case.kind for case in entities] + [case.kind for case in relations]
    return len(kinds) - kinds.count(CORRECT)


def _article(name: str, example: Example, symmetric: Collection[str]) -> str:
    gold, predicted = example.reference, example.predicted
    right = [("", describe(relation, gold.text)) for relation in annotations.read(gold).relations]
    entities, relations = _cases(example, symmetric)
    marked = [_mark(case, gold.text) for case in relations]
    marked += [_mark(case, gold.text) for case in entities if case.kind != CORRECT]
    return (
        f"<article><h2>Text {escape(name)}</h2><h3>Gold</h3>{draw(gold)._repr_html_()}{_list(right)}"
        f"<h3>Predicted</h3>{draw(predicted)._repr_html_()}{_list(marked)}</article>"
    )


def _cases(
    example: Example, symmetric: Collection[str]
) -> tuple[list[Case[Entity]], list[Case[Relation[Entity]]]]:
    gold, predicted = annotations.read(example.reference), annotations.read(example.predicted)
    return compare_entities(gold.entities, predicted.entities), compare_relations(gold, predicted, symmetric)


def _mark(case: Case[Entity] | Case[Relation[Entity]], text: str) -> tuple[str, str]:
    """The mark and the words of a case."""
    gold = describe(case.gold, text) if case.gold else ""
    predicted = describe(case.predicted, text) if case.predicted else ""
    if case.kind == CORRECT:
        return "", predicted
    if not predicted:
        return "missed", f"{gold} ({case.kind})"
    return "wrong", f"{predicted} ({case.kind}{gold and f', gold: {gold}'})"


def _list(marked: Sequence[tuple[str, str]]) -> str:
    items = (f'<li class="{mark}">{escape(fact)}</li>' for mark, fact in marked)
    return f"<ul>{''.join(items)}</ul>"
