"""The page of `page` and `evaluate --page`: gold beside predicted, with filters, in one HTML file."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from spacy.language import Language
from wasabi import msg

from spacy_bispn import __version__
from spacy_bispn.cli.page_filters import Item, Keys, compare, count_errors
from spacy_bispn.cli.tables import (
    BIN_HEADER,
    CALIBRATION_HEADER,
    CURVE_HEADER,
    ERROR_HEADER,
    SCORE_HEADER,
    bin_rows,
    calibration_rows,
    curve_rows,
    error_rows,
    examples_in_words,
    report_in_words,
    score_rows,
    unknown_in_words,
)
from spacy_bispn.drawing.svg import Marks, printable, to_svg
from spacy_bispn.evaluation.conventions import Judged, get_convention
from spacy_bispn.files import save
from spacy_bispn.records import Entity, Extraction, Relation

WIDTH = 460  # of a drawing in pixels: two fit side by side on a desk, one on a telephone (at 75 %)
ROOM = 20_000_000  # bytes of texts on a page; larger ones are slow to open


def _finalize(value: Any) -> Any:
    """What a template shows: characters that HTML does not permit, or UTF-8 does not have, are replaced."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


TEMPLATES = Environment(
    loader=PackageLoader("spacy_bispn.cli"),
    autoescape=True,
    undefined=StrictUndefined,
    finalize=_finalize,
    trim_blocks=True,
)


@dataclass(frozen=True)
class PageSource:
    """What a page is made from.

    facts: what the head of the page says, by name. total: how many texts the data has.
    symmetric: relation labels without a direction.
    """

    title: str
    facts: Mapping[str, str]
    total: int
    symmetric: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        nlp: Language,
        model: str,
        data: Path,
        total: int,
        conventions: Iterable[str],
        symmetric: tuple[str, ...],
    ) -> PageSource:
        """The source of a page: a pipeline and data, with the paths that the user gave."""
        name = f"{nlp.meta['name']} {nlp.meta['version']}"
        facts = {
            "Pipeline": f"{name} ({nlp.lang}), {model}",
            "Data": f"{data}, {total} texts",
            "Conventions": "; ".join(f"{each}: {get_convention(each).about}" for each in conventions),
            "Symmetric labels": ", ".join(symmetric) or "none",
            "Written": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC by spacy-bispn {__version__}",
        }
        return cls(f"{name} on {data.name or data}", facts, total, symmetric)


def write_page(
    path: Path, source: PageSource, texts: Sequence[Judged], report: dict[str, Any] | None = None
) -> None:
    """Write a page and say how large it is; for the arguments see `render_page`."""
    page, shown = render_page(source, texts, report)
    save(path, page)
    size = len(page.encode("utf-8")) / 1e6
    msg.good(f"{shown} of {source.total} texts in {path} ({size:.1f} MB)")


def render_page(
    source: PageSource,
    texts: Sequence[Judged],
    report: dict[str, Any] | None = None,
    room: int = ROOM,
) -> tuple[str, int]:
    """A page of gold beside predicted, and how many texts it shows.

    texts: those that were predicted, all of the data or the first ones.
    report: the scores and errors of `make_report`; with them texts with errors come first.
    room: bytes for texts; at least one text is shown.
    """
    compared = [(number, text, compare(text, source.symmetric)) for number, text in enumerate(texts)]
    if report is not None:
        compared.sort(key=lambda entry: not count_errors(entry[2]))
    keys, articles = Keys(), list[Markup]()
    for number, text, items in compared:
        items = keys.assign(items)
        article = _render_text(number, text, items, source.symmetric)
        room -= len(article.encode("utf-8"))
        if articles and room < 0:
            break
        keys.count(items)
        articles.append(article)
    wrong = sum(count_errors(items) > 0 for *_, items in compared[len(articles) :])
    page = TEMPLATES.get_template("page.html").render(
        title=source.title,
        facts=source.facts,
        shown=_shown(len(articles), len(texts), source.total, wrong, report is not None),
        filters=keys.filters(),
        articles=articles,
        report=report and _tables(report),
    )
    return page, len(articles)


def _shown(shown: int, predicted: int, total: int, wrong: int, errors_first: bool) -> str:
    """How many texts there are on the page, which, and why others are not."""
    said = f"{shown} of {total} texts are shown{', those with errors first' if errors_first else ''}."
    if shown < predicted:
        said += (
            f" Left out, as the page would be too large: {predicted - shown}, {wrong} of them with errors."
        )
    if predicted < total:
        said += f" Left out by --limit: {total - predicted}."
    return said


def _tables(report: dict[str, Any]) -> dict[str, Any]:
    """What the template shows of a report."""
    rows, overall = score_rows(report["scores"]), score_rows(report["scores"], labels=False)
    return {
        "header": SCORE_HEADER,
        "overall": overall,
        "overall_note": unknown_in_words(overall),
        "scores": rows,
        "scores_note": unknown_in_words(rows),
        "said": report_in_words(report),
        "calibration_header": CALIBRATION_HEADER,
        "calibration": calibration_rows(report["calibration"]),
        "bin_header": BIN_HEADER,
        "curve_header": CURVE_HEADER,
        "charts": list(_charts(report)),
        "error_header": ERROR_HEADER,
        "errors": error_rows(report["errors"]),
        "examples": list(examples_in_words(report["errors"])),
    }


def _charts(report: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Of each kind that has scores: its reliability diagram and, where it was drawn, its curve."""
    for kind, found in report["calibration"].items():
        curve = report.get("precision_recall", {}).get(kind)
        bins = found["bins"] if found else []
        if bins or curve:
            yield {
                "kind": kind,
                "bins": bins,
                "bin_rows": bin_rows(bins),
                "most": max((x["items"] for x in bins), default=1),
                "curve": curve,
                "curve_rows": curve_rows(curve) if curve else [],
            }


def _render_text(number: int, text: Judged, items: Sequence[Item], symmetric: Collection[str]) -> Markup:
    """The part of a page that shows a text."""
    words, id_, errors = text.gold.text, text.gold.id, count_errors(items)
    incorrect = [item.case for item in items if item.is_error]
    gold = _marks("missed", [case.gold for case in incorrect], symmetric)
    predicted = _marks("wrong", [case.predicted for case in incorrect], symmetric)
    drawings = {
        "Gold": _draw(f"Gold of text {number}", words, text.gold.extraction, gold),
        "Predicted": _draw(f"Prediction for text {number}", words, text.predicted, predicted),
    }
    kinds = dict.fromkeys(item.case.kind for item in items if not item.is_error)
    html = TEMPLATES.get_template("text.html").render(
        number=number,
        id="" if id_ == str(number) else id_,
        text=words,
        said=f"{errors} {'error' if errors == 1 else 'errors'}",
        drawings=drawings,
        errors=[item for item in items if item.is_error],
        others={kind: [item for item in items if item.case.kind == kind] for kind in kinds},
    )
    return Markup(html)


def _draw(name: str, text: str, extraction: Extraction, marks: Marks) -> dict[str, str]:
    """A drawing, and a label for those who do not see it."""
    label = f"{name}: entities {len(extraction.entities)}, relations {len(extraction.relations)}"
    return {"label": label, "svg": Markup(to_svg(text, extraction, WIDTH, marks))}


def _marks(
    mark: str, items: Iterable[Entity | Relation[Entity] | None], symmetric: Collection[str]
) -> dict[Entity | Relation[Entity], str]:
    """The mark of each item. A symmetric relation was oriented to be compared, so both directions get it."""
    marks: dict[Entity | Relation[Entity], str] = {}
    for item in items:
        if item is not None:
            marks[item] = mark
        if isinstance(item, Relation) and item.label in symmetric:
            marks[replace(item, head=item.tail, tail=item.head)] = mark
    return marks
