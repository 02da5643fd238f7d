"""`spacy bispn page`: sentences with predicted entities and relation arcs beside gold, as HTML."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Annotated, Any

import typer
from spacy import displacy
from spacy.cli._util import setup_gpu
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.util import load_model
from wasabi import msg

from .. import annotations
from ..corpora import create_reader
from ..records import Relation

STYLE = """
body { font-family: system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; color: #222; }
article { border-top: 1px solid #ccc; padding: 1rem 0; }
h3 { font-size: 0.9rem; color: #666; margin: 1rem 0 0; text-transform: uppercase; }
.arcs { overflow-x: auto; }
ul { margin: 0.3rem 0; } .wrong { color: #b00020; } .missed { color: #a05a00; }
"""


PALETTE = ("#8dd3c7", "#fdb462", "#bebada", "#fb8072", "#80b1d3", "#b3de69", "#fccde5", "#ffed6f")


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
    """An HTML page: for each example entities and arcs, gold first; what is wrong or missed is marked."""
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
        f"<article><h3>Gold</h3>{_entities(gold)}{_arcs(gold)}{_list([('', fact) for fact in right])}"
        f"<h3>Predicted</h3>{_entities(predicted)}{_arcs(predicted)}{_list(marked)}</article>"
    )


def _facts(doc: Doc) -> list[str]:
    return [
        f"{x.head.text} ({x.head.label_}) — {x.label} → {x.tail.text} ({x.tail.label_})"
        for x in doc._.relations
    ]


def _list(marked: Sequence[tuple[str, str]]) -> str:
    items = (f'<li class="{mark}">{escape(fact)}{mark and f" ({mark})"}</li>' for mark, fact in marked)
    return f"<ul>{''.join(items)}</ul>"


def _entities(doc: Doc) -> str:
    group = doc.spans.get(annotations.KEY, ())
    if not len(group):  # displaCy would warn
        return f"<p>{escape(doc.text)}</p>"
    # displaCy escapes texts, but no labels
    spans = [{"start_token": x.start, "end_token": x.end, "label": escape(x.label_)} for x in group]
    parsed = {"text": doc.text, "spans": spans, "tokens": [token.text for token in doc]}
    colors = {x["label"]: PALETTE[sum(map(ord, x["label"])) % len(PALETTE)] for x in spans}
    return str(displacy.render(parsed, style="span", manual=True, options={"colors": colors}, jupyter=False))


def _arcs(doc: Doc) -> str:
    """Arcs over outermost entities; displaCy draws no arc from a word to itself, so those are only listed."""
    outer = outermost([end for relation in doc._.relations for end in (relation.head, relation.tail)])
    place: dict[int, int] = {}
    words: list[dict[str, str]] = []
    token = 0
    for span in outer:
        if doc[token : span.start].text:
            words.append({"text": _shorten(doc[token : span.start].text), "tag": ""})
        place |= {inside: len(words) for inside in range(span.start, span.end)}
        words.append({"text": span.text, "tag": escape(span.label_)})
        token = span.end
    arcs = [arc for relation in doc._.relations if (arc := _arc(relation, place))]
    if not arcs:
        return ""
    options = {"compact": True, "distance": 190, "word_spacing": 30, "offset_x": 90}
    drawn = displacy.render(
        {"words": words, "arcs": arcs}, style="dep", manual=True, options=options, jupyter=False
    )
    return f'<div class="arcs">{drawn}</div>'


def outermost(spans: Sequence[Span]) -> list[Span]:
    """The longest spans that overlap none of the others chosen, in order of the text."""
    chosen = annotations.flat(list(spans), [float(len(span)) for span in spans], [])
    return sorted(chosen, key=lambda span: span.start)


def _arc(relation: Relation[Span], place: dict[int, int]) -> dict[str, Any] | None:
    head, tail = place.get(relation.head.start), place.get(relation.tail.start)
    if head is None or tail is None or head == tail:
        return None
    direction = "right" if head < tail else "left"
    ends = {"start": min(head, tail), "end": max(head, tail)}
    return {**ends, "label": escape(relation.label), "dir": direction}


def _shorten(text: str, longest: int = 22) -> str:
    return text if len(text) <= longest else f"{text[: longest // 2]}…{text[-longest // 2 :]}"
