"""Scoring conventions of the field: what is one item, which items agree, and how labels are averaged.

A convention counts one text at a time; scores, averages and intervals are the same for all of them. One is
registered by a decorator on its counting function:

    @convention("heads", about="Relation labels and the last words of both ends agree.")
    def heads(text: Judged, symmetric: Collection[str]) -> Counts: ...

Another package does the same, and names the result as an entry point of the group `spacy_bispn_conventions`:

    [project.entry-points.spacy_bispn_conventions]
    heads = "a_package.scores:heads"
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

import catalogue

from spacy_bispn.converters.formats.biorelex import Sentence, to_official
from spacy_bispn.evaluation.biorelex_official import official_counts
from spacy_bispn.evaluation.bootstrap import Interval, intervals
from spacy_bispn.evaluation.scoring import (
    ANY,
    PRF,
    View,
    add_up,
    boundary,
    count_units,
    entity_units,
    macro_average,
    relation_units,
    typed,
)
from spacy_bispn.records import AnnotatedText, Entity, Extraction, Relation
from spacy_bispn.settings import SettingError

CONVENTIONS = catalogue.create("spacy_bispn", "conventions", entry_points=True)


@dataclass(frozen=True)
class Judged:
    """A text with gold, and what was predicted for it.

    A text whose gold is not annotated with entities (or relations) is left out of that part's scores.
    official: the text's gold as BioRelEx has it; only that says which mentions form a cluster.
    edges: where its sentences begin and it ends, in characters; without any, it is one sentence.
    """

    gold: AnnotatedText
    predicted: Extraction
    entities_annotated: bool = True
    relations_annotated: bool = True
    official: Sentence | None = None
    edges: tuple[int, ...] = ()


Counts = dict[str, dict[str, PRF]]  # "entities" and "relations", or one of them, then labels
Counter = Callable[[Judged, Collection[str]], Counts]


@dataclass(frozen=True)
class Convention:
    """A scoring convention.

    count: the counts of one text, given the relation labels without a direction.
    about: which items are counted, and which agree. used_by: who scores that way, on which corpus.
    macro: whether the overall score is the mean over labels; otherwise it is that of all items together.
    by_place: whether relations are compared by the places of their ends, so that those inside one sentence
    and those across sentences can be scored apart.
    """

    name: str
    count: Counter
    about: str
    used_by: str = ""
    macro: bool = False
    by_place: bool = True


def convention(
    name: str, *, about: str, used_by: str = "", macro: bool = False, by_place: bool = True
) -> Callable[[Counter], Convention]:
    """Register a counting function as a convention, see `Convention`; the function's name then means that.

    Raises SettingError if a function of another module has this name.
    """

    def register(count: Counter) -> Convention:
        # Not CONVENTIONS.get: that may be importing the entry point which registers itself here.
        earlier = _registered().get(name)
        if earlier is not None and earlier.count.__module__ != count.__module__:
            expected = f"another name than that of the one in {earlier.count.__module__}"
            raise SettingError(f"a convention of {count.__module__}", name, expected, "rename it")
        found = Convention(name, count, about, used_by, macro, by_place)
        CONVENTIONS.register(name, func=found)
        return found

    return register


def convention_names() -> list[str]:
    """All names: of conventions registered so far, then of those in other packages, which stay unloaded."""
    points = entry_points(group=CONVENTIONS.entry_point_namespace)
    return list(dict.fromkeys([*_registered(), *(point.name for point in points)]))


def convention_rows() -> Iterator[dict[str, str]]:
    """The table of this package's conventions in docs/reports.md: each row by the headings of its columns."""
    for found in _registered().values():
        if found.count.__module__.startswith("spacy_bispn."):
            yield {
                "`--convention`": f"`{found.name}`",
                "what counts": found.about,
                "where it is used": found.used_by,
            }


def get_convention(name: str) -> Convention:
    """A convention by its name. Raises SettingError for an unknown one, or one that cannot be loaded."""
    names = convention_names()
    if name not in names:
        raise SettingError("the convention", name, f"one of {', '.join(names)}", "choose one of these")
    try:
        found = CONVENTIONS.get(name)
    except Exception as error:  # whatever the other package does when it is imported
        expected = f"one that can be imported, not {type(error).__name__}: {error}"
        raise SettingError("the convention", name, expected, "update or uninstall its package") from error
    if not isinstance(found, Convention):
        expected = f"a function below @convention as its entry point, not {found!r:.60}"
        raise SettingError("the convention", name, expected, "correct its package")
    return found


def _registered() -> dict[str, Convention]:
    """What decorators have registered, in their order; no entry points are loaded."""
    namespace = CONVENTIONS.namespace
    found = catalogue.REGISTRY.items()
    return {keys[-1]: value for keys, value in found if keys[:-1] == namespace and len(keys) > 2}


def score(
    name: str, texts: Iterable[Judged], symmetric: Collection[str] = (), samples: int = 1000, seed: int = 0
) -> dict[str, dict[str, Any] | None]:
    """Score texts by a convention; ratios are floats from 0 to 1.

    symmetric: relation labels without a direction. samples: how many the bootstrap draws.

    Returns for "entities" and "relations", as far as the convention has them, `p`, `r`, `f`, the 95 %
    interval of `f` as `low` and `high` (None where it is unknown, see `intervals`), and `labels` (label to
    the same with `tp`, `fp` and `fn`); or None where no text has gold annotation of that kind. Raises
    SettingError for an unknown convention, ValueError for one that needs to know more about the texts.
    """
    chosen = get_convention(name)
    parts: dict[str, list[dict[str, PRF]]] = {}
    for text in texts:
        annotated = {"entities": text.entities_annotated, "relations": text.relations_annotated}
        for part, counts in chosen.count(text, symmetric).items():
            found = parts.setdefault(part, [])
            if annotated[part]:
                found.append(counts)
    return {
        part: _summary(counts, chosen.macro, samples, seed) if counts else None
        for part, counts in parts.items()
    }


def _summary(texts: Sequence[dict[str, PRF]], by_label: bool, samples: int, seed: int) -> dict[str, Any]:
    parts = [{label: found.f1_parts for label, found in counts.items()} for counts in texts]
    whole, each = intervals(parts, by_label, samples, seed)
    total = add_up(texts)
    labels = {
        label: {**found.ratios(), **_ends(each[label]), **vars(found)}
        for label, found in sorted(total.items())
    }
    overall = macro_average(total) if by_label else sum(total.values(), PRF()).ratios()
    return {**overall, **_ends(whole), "labels": labels}


def _ends(interval: Interval) -> dict[str, float | None]:
    return dict(zip(("low", "high"), interval or (None, None), strict=True))


def _count(text: Judged, view: View, symmetric: Collection[str]) -> Counts:
    gold, predicted = text.gold.extraction, text.predicted
    return {
        "entities": count_units(entity_units(gold, view), entity_units(predicted, view)),
        "relations": count_units(
            relation_units(gold, view, symmetric), relation_units(predicted, view, symmetric)
        ),
    }


def _changed(text: Judged, change: Callable[[Extraction], Extraction]) -> Judged:
    gold = AnnotatedText(text.gold.id, text.gold.text, change(text.gold.extraction))
    return Judged(gold, change(text.predicted))


@convention(
    "strict",
    about="spans and labels; a symmetric relation once, in whatever order",
    used_by="the usual one; SciERC in Eberts and Ulges (2020)",
)
def strict(text: Judged, symmetric: Collection[str]) -> Counts:
    return _count(text, typed, symmetric)


@convention("boundaries", about="spans and relation labels, but no entity labels")
def boundaries(text: Judged, symmetric: Collection[str]) -> Counts:
    return _count(text, boundary, symmetric)


@convention(
    "symmetric-twice",
    about="as `strict`, a symmetric relation in both directions, in gold and in predictions",
    used_by="SciERC (format `dygie`) in Wang et al. (2021, UniRE) and Ye et al. (2022, PL-Marker)",
)
def symmetric_twice(text: Judged, symmetric: Collection[str]) -> Counts:
    def doubled(extraction: Extraction) -> Extraction:
        turned = (Relation(x.tail, x.head, x.label) for x in extraction.relations if x.label in symmetric)
        return Extraction(extraction.entities, (*extraction.relations, *turned))

    return _count(_changed(text, doubled), typed, ())


@convention(
    "biorelex",
    about="mentions by name and position, without types; an interaction is found if all pairs of its names "
    "are, whatever its label",
    used_by="the official script of Khachatrian et al. (2019); needs the published file",
    by_place=False,
)
def official(text: Judged, symmetric: Collection[str]) -> Counts:
    if text.official is None:
        raise ValueError(
            f"the convention 'biorelex' was given text {text.gold.id!r} without clusters and interactions, "
            "expected a file of BioRelEx: pass the published JSON file with --format biorelex."
        )
    (predicted,) = to_official([(text.gold.id, text.gold.text, text.predicted.closed())])
    mentions, interactions = official_counts(text.official, predicted)
    return {"entities": {ANY: mentions}, "relations": {ANY: interactions}}


@convention(
    "clusters",
    about="things, not mentions: an entity or relation counts once for all mentions that have the same "
    "id in gold, and is found if one of them is; relations do not compare labels of entities",
    used_by="corpora of documents, such as BC5CDR, BioRED and DocRED",
    by_place=False,
)
def clusters(text: Judged, symmetric: Collection[str]) -> Counts:
    ids = {boundary(one): one.kb_id for one in text.gold.extraction.entities if one.kb_id}

    def thing(entity: Entity) -> tuple[int | str, ...]:
        place = boundary(entity)
        return (-1, -1, ids[place]) if place in ids else (*place, "")

    return _count(text, thing, symmetric)


@convention(
    "spert",
    about="as `strict`, mean over labels",
    used_by="ADE in Eberts and Ulges (2020), as the mean over ten folds",
    macro=True,
)
def spert(text: Judged, symmetric: Collection[str]) -> Counts:
    return _count(text, typed, symmetric)


@convention(
    "spert-no-overlapping",
    about="as `spert`, without entities that overlap another one and relations whose head and tail overlap, "
    "in gold and in predictions",
    used_by="ADE in Eberts and Ulges (2020), with their option of this name",
    macro=True,
)
def no_overlapping(text: Judged, symmetric: Collection[str]) -> Counts:
    def apart(one: Entity, other: Entity) -> bool:
        return one == other or one.end <= other.start or other.end <= one.start

    def flat(extraction: Extraction) -> Extraction:
        entities = extraction.entities
        return Extraction(
            tuple(one for one in entities if all(apart(one, other) for other in entities)),
            tuple(relation for relation in extraction.relations if apart(relation.head, relation.tail)),
        )

    return _count(_changed(text, flat), typed, symmetric)


@convention(
    "text2dt",
    about="relations by label and the words of head and tail, wherever they occur; no entities",
    used_by="Text2DT (format `text2dt`) in He and Tang (2023)",
    by_place=False,
)
def by_words(text: Judged, symmetric: Collection[str]) -> Counts:
    def words(entity: Entity) -> tuple[str]:
        return (text.gold.text[entity.start : entity.end],)

    gold, predicted = (
        relation_units(extraction, words, symmetric) for extraction in (text.gold.extraction, text.predicted)
    )
    return {"relations": count_units(gold, predicted)}
