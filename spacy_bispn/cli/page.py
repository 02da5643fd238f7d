"""`spacy bispn page`: texts with predicted entities and relations drawn beside gold, as HTML."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Annotated

import typer
from spacy.cli._util import setup_gpu
from spacy.training import Example
from spacy.util import load_model
from wasabi import msg

from spacy_bispn import annotations
from spacy_bispn.cli.render import VIEWPORT
from spacy_bispn.cli.sources import GPU, predict_docs
from spacy_bispn.drawing.svg import to_svg
from spacy_bispn.evaluation.error_analysis import CORRECT, Case, compare_entities, compare_relations, describe
from spacy_bispn.evaluation.scorer import symmetric_labels
from spacy_bispn.files import save
from spacy_bispn.records import Entity, Relation

WIDTH = 560  # of a drawing in pixels, two of which stand side by side

STYLE = """
body { font-family: system-ui, sans-serif; margin: 2rem auto; max-width: 84rem;
  padding: 0 1rem; color: #222; overflow-wrap: anywhere; }
article { border-top: 1px solid #ccc; padding: 1rem 0; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(36rem, 100%), 1fr)); gap: 0 1rem; }
.drawn { overflow-x: auto; }
h2 { font-size: 1rem; } h3 { font-size: 0.9rem; color: #666; margin: 1rem 0 0; text-transform: uppercase; }
ul { margin: 0.3rem 0; padding-left: 1.2rem; } .wrong { color: #b00020; } .missed { color: #a05a00; }
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
    """An HTML page: for each example gold beside predicted; what is wrong or missed is marked.

    symmetric: relation labels without a direction; report: HTML that stands above the examples;
    names: what the examples are called, their numbers if None.
    """
    named = zip(names or map(str, range(len(examples))), examples, strict=True)
    articles = "\n".join(_article(name, example, symmetric) for name, example in named)
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">{VIEWPORT}'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><h1>{escape(title)}</h1>{report}"
        f'<p>Dashed is what was <span class="missed">missed</span> of gold and what is predicted '
        f'<span class="wrong">wrong</span>. "Predicted" lists all relations, and entities with errors.'
        f"</p>{articles}</body></html>"
    )


def mistakes(example: Example, symmetric: Collection[str] = ()) -> int:
    """How many entities and relations of an example are wrong or missed."""
    entities, relations = _cases(example, symmetric)
    kinds = [case.kind for case in entities] + [case.kind for case in relations]
    return len(kinds) - kinds.count(CORRECT)


def _article(name: str, example: Example, symmetric: Collection[str]) -> str:
    gold, predicted = annotations.read(example.reference), annotations.read(example.predicted)
    text = example.reference.text
    right = [("", describe(relation, text)) for relation in gold.relations]
    entities, relations = _cases(example, symmetric)
    wrong_entities = [case for case in entities if case.kind != CORRECT]
    listed: list[Case[Entity] | Case[Relation[Entity]]] = [*relations, *wrong_entities]
    marked = [_mark(case, text) for case in listed]
    incorrect = [case for case in listed if case.kind != CORRECT]
    missed = _marks("missed", [case.gold for case in incorrect], symmetric)
    wrong = _marks("wrong", [case.predicted for case in incorrect], symmetric)
    return (
        f'<article><h2>Text {escape(name)}</h2><div class="pair">'
        f"{_side('Gold', to_svg(text, gold, WIDTH, missed), right)}"
        f"{_side('Predicted', to_svg(text, predicted, WIDTH, wrong), marked)}</div></article>"
    )


def _marks(
    mark: str, items: Iterable[Entity | Relation[Entity] | None], symmetric: Collection[str]
) -> dict[Entity | Relation[Entity], str]:
    """The mark of each item. What has no direction was turned to be compared, and may stand either way."""
    marks: dict[Entity | Relation[Entity], str] = {}
    for item in items:
        if item is not None:
            marks[item] = mark
        if isinstance(item, Relation) and item.label in symmetric:
            marks[replace(item, head=item.tail, tail=item.head)] = mark
    return marks


def _side(title: str, svg: str, marked: Sequence[tuple[str, str]]) -> str:
    items = "".join(f'<li class="{mark}">{escape(fact)}</li>' for mark, fact in marked)
    return f'<section><h3>{title}</h3><div class="drawn">{svg}</div><ul>{items}</ul></section>'


def _cases(
    example: Example, symmetric: Collection[str]
) -> tuple[list[Case[Entity]], list[Case[Relation[Entity]]]]:
    """Gold beside predicted; what gold says nothing about is not wrong."""
    gold, predicted = annotations.read(example.reference), annotations.read(example.predicted)
    entities = compare_entities(gold.entities, predicted.entities)
    relations = compare_relations(gold, predicted, symmetric)
    if not annotations.has_entities(example.reference):
        entities = [Case(CORRECT, None, case.predicted) for case in entities]
    if not annotations.has_relations(example.reference):
        relations = [Case(CORRECT, None, case.predicted) for case in relations]
    return entities, relations


def _mark(case: Case[Entity] | Case[Relation[Entity]], text: str) -> tuple[str, str]:
    """The mark and the words of a case."""
    gold = describe(case.gold, text) if case.gold else ""
    predicted = describe(case.predicted, text) if case.predicted else ""
    if case.kind == CORRECT:
        return "", predicted
    if not predicted:
        return "missed", f"{gold} ({case.kind})"
    return "wrong", f"{predicted} ({case.kind}{gold and f', gold: {gold}'})"
