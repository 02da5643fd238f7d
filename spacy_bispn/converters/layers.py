"""Annotation layers, as INCEpTION and WebAnno have them, made entities and relations.

A span of any layer that people annotate is an entity. Relations and slots (links from a span to others) are
relations. The layers of linguistic preprocessing are not read.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Annotated

from spacy_bispn.converters import FilePosition, ParsedItem
from spacy_bispn.converters.file_reading import folder_error
from spacy_bispn.records import Entity, Relation

LabelFeature = Annotated[str | None, "the feature that holds the labels, in layers that have it"]

# Features that are taken for the label of a layer with several, in this order.
LABELS = ("value", "label", "entity", "type", "entityType", "relation", "relType", "category", "class", "tag")

DKPRO = "de.tudarmstadt.ukp.dkpro.core.api."
STRUCTURE = (  # what a document consists of: neither read nor counted
    "uima.",
    f"{DKPRO}metadata.",
    f"{DKPRO}segmentation.type.Sentence",
    f"{DKPRO}segmentation.type.Token",
    "de.tudarmstadt.ukp.clarin.webanno.api.type.",
    "de.tudarmstadt.ukp.inception.",
    "org.dkpro.core.api.",
)
ANNOTATED = (f"{DKPRO}ner.", f"{DKPRO}semantics.")  # of DKPro's own layers those that are read
NO_LABEL = re.compile(r"true|false|[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?")  # of a flag or a number

Values = Mapping[str, str | None]  # by feature; None where nothing is set


@dataclass(frozen=True)
class Span:
    """A span of a layer, in characters."""

    position: FilePosition
    layer: str
    start: int
    end: int
    values: Values


@dataclass(frozen=True)
class Link:
    """A relation from one span to another; an end that is not found is None."""

    position: FilePosition
    layer: str
    head: Hashable | None
    tail: Hashable | None
    values: Values


@dataclass
class Layers:
    """What is annotated in one text; spans by a key that the links name them by."""

    spans: dict[Hashable, Span] = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)
    features: dict[str, list[str]] = field(default_factory=dict)  # of a layer, as far as a file declares them


class UnitOffsets:
    """Positions in a text by offsets that count UTF-16 units, as Java and JavaScript do."""

    def __init__(self, text: str) -> None:
        self._plain = max(text, default="") <= "\uffff"
        self._bounds = [] if self._plain else [0, *accumulate(1 + (char > "\uffff") for char in text)]

    def characters(self, units: int) -> int:
        """The number of characters in so many units; half of one counts, and so does each unit too many."""
        if self._plain:
            return units
        at = bisect_left(self._bounds, units)
        return at if at < len(self._bounds) else at - 1 + units - self._bounds[-1]


def is_structure(layer: str) -> bool:
    """Whether a type belongs to what a document consists of, not to what is annotated in it."""
    return layer.startswith(STRUCTURE)


def short_name(layer: str) -> str:
    return layer.rpartition(".")[2]


def extract(
    parsed: ParsedItem, text_id: str, layers: Layers, label_feature: str | None
) -> tuple[list[Entity], list[Relation[Entity]]]:
    """The entities and relations of a text; what is left out is counted.

    label_feature: the feature that holds the labels, in layers that have it; else the first of `LABELS`,
        or the layer's first feature that is neither a flag nor a number. What has no value is labelled by
        its layer's name.
    """
    read = [one for one in layers.spans.values() if not _is_linguistic(one.layer)]
    arcs = [one for one in layers.links if not _is_linguistic(one.layer)]
    for layer in [*(one.layer for one in layers.spans.values()), *(one.layer for one in layers.links)]:
        if _is_linguistic(layer) and not is_structure(layer):
            parsed.drop(f"annotations of the layer {short_name(layer)}")
    chosen = _label_features([*read, *arcs], layers.features, label_feature)
    label = _Labeller(parsed, chosen)

    entities: dict[Hashable, Entity] = {}
    for key, span in layers.spans.items():
        if _is_linguistic(span.layer):
            continue
        if span.start == span.end:
            parsed.drop("annotations of no characters", of="entities")
            continue
        entities[key] = Entity(span.start, span.end, label(span))
    relations = []
    for arc in arcs:
        ends = [end for end in (arc.head, arc.tail) if end is not None]
        known = [entities[end] for end in ends if end in entities]
        if len(known) == 2:
            relations.append(Relation(known[0], known[1], label(arc)))
        elif len(ends) == 2 and all(end in layers.spans for end in ends):
            parsed.drop("relations of annotations that are not read", of="relations")
        else:
            parsed.drop("relations of annotations that are not there", of="relations")
            what = f"a relation of {short_name(arc.layer)} was dropped, an annotation it joins is not there"
            parsed.problem(text_id, f"{arc.position.item}: {what}")
    return list(entities.values()), relations


class _Labeller:
    """Gives labels, and reports where they are from and what else is left out."""

    def __init__(self, parsed: ParsedItem, chosen: Mapping[str, str | None]) -> None:
        self._parsed, self._chosen = parsed, chosen

    def __call__(self, one: Span | Link) -> str:
        feature = self._chosen[one.layer]
        others = sum(value is not None for name, value in one.values.items() if name != feature)
        self._parsed.drop("features beside the label", others)
        value = None if feature is None else one.values.get(feature)
        if feature is not None and feature != LABELS[0] and value:
            self._parsed.note(f"labels from the feature {feature!r} of {short_name(one.layer)}")
        if feature is not None and not value:
            self._parsed.note("annotations without a value, labelled by their layer")
        return value or short_name(one.layer)


def _is_linguistic(layer: str) -> bool:
    return is_structure(layer) or (layer.startswith(DKPRO) and not layer.startswith(ANNOTATED))


def _label_features(
    annotations: Iterable[Span | Link], declared: Mapping[str, Sequence[str]], wanted: str | None
) -> dict[str, str | None]:
    """The feature that holds the labels, by layer; None for a layer that has no such feature."""
    values: dict[str, dict[str, set[str]]] = {}
    for one in annotations:
        seen = values.setdefault(one.layer, {name: set() for name in declared.get(one.layer, ())})
        for name, value in one.values.items():
            seen.setdefault(name, set()).update([] if value is None else [value])
    chosen: dict[str, str | None] = {}
    for layer, seen in values.items():
        named = [name for name in (wanted, *LABELS) if name in seen]
        others = [
            name for name, texts in seen.items() if not texts or not all(map(NO_LABEL.fullmatch, texts))
        ]
        chosen[layer] = next(iter([*named, *others]), None)
    return chosen


def document_files(path: Path, pattern: str) -> list[Path]:
    """The documents of a folder by name, or the one file. Raises ConversionError for a folder without one."""
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.glob(f"[!.]{pattern}") if file.is_file())
    if not found:
        raise folder_error(path, "none", f"files named {pattern}")
    return found
