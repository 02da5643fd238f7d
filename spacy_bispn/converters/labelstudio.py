"""Label Studio's JSON export: a list of tasks, each with the results of its annotators.

    [{"id": 1, "data": {"text": "ORC binds ATP."}, "annotations": [{"was_cancelled": false, "result": [
      {"id": "a", "type": "labels", "value": {"start": 0, "end": 3, "text": "ORC", "labels": ["protein"]}},
      {"id": "b", "type": "labels", "value": {"start": 10, "end": 13, "text": "ATP", "labels": ["chemical"]}},
      {"type": "relation", "from_id": "a", "to_id": "b", "direction": "right", "labels": ["binds"]}]}]}]

Offsets count characters, ends exclusive.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any, Unpack

from spacy_bispn.converters import Conversion, Place, Rules, read_items
from spacy_bispn.records import Entity, Relation

Regions = Mapping[str, list[Entity]]  # one entity for each label of a region, by the region's id


def recognizes(item: Any) -> bool:
    return isinstance(item, dict) and {"data", "annotations"} <= item.keys()


def read(path: Path, **rules: Unpack[Rules]) -> Conversion:
    """Read the first annotation of each task that was not cancelled.

    The text is the task's `data.text`. Regions and relations with several labels count once for each.
    Dropped and counted: tasks without an annotation, cancelled and further annotations, results that are
    neither text labels nor relations, regions and relations without a label. Raises ConversionError on
    malformed input. Reported as problems: regions whose text is not the one at their place.
    """
    conversion = Conversion(**rules)
    for place, item in read_items(path):
        with conversion.attempt():
            _add(conversion, place, item)
    return conversion


def _add(conversion: Conversion, place: Place, item: Any) -> None:
    text_id = str(place.get(item, "id", int))
    text = place.get(place.get(item, "data", dict), "text", str)
    annotations = place.get(item, "annotations", list)
    chosen = [x for x in annotations if not place.get(x, "was_cancelled", bool, False)]
    dropped = Counter(
        {
            "cancelled annotations": len(annotations) - len(chosen),
            "further annotations of a text": len(chosen[1:]),
            "tasks without an annotation": int(not chosen),
        }
    )
    if chosen:
        dropped += _add_annotation(conversion, place, text_id, text, chosen[0])
    conversion.drop(dropped)


def _add_annotation(
    conversion: Conversion, place: Place, text_id: str, text: str, annotation: Any
) -> Counter[str]:
    """Add the text as one annotator sees it; returns what was left out."""
    dropped: Counter[str] = Counter()
    regions: dict[str, list[Entity]] = {}
    problems: list[str] = []
    links = []
    for result in place.get(annotation, "result", list):
        kind = place.get(result, "type", str)
        if kind == "relation":
            links.append(result)
            continue
        region = regions.setdefault(place.get(result, "id", str), [])
        if kind != "labels":
            dropped[f"results of type {kind!r}"] += 1
            continue
        entities = list(_entities(place, result, text, problems))
        dropped["regions without a label"] += not entities
        # Two sets of labels give one region two results, but never two places.
        if len({(entity.start, entity.end) for entity in (*region, *entities)}) > 1:
            found = f"two regions with the id {result['id']!r}"
            raise place.error(found, "one", "Give each an id of its own.")
        region += entities
    relations = [relation for link in links for relation in _relations(place, link, regions, dropped)]
    conversion.add(place, text_id, text, [x for region in regions.values() for x in region], relations)
    for problem in problems:
        conversion.problem(text_id, problem)
    return dropped


def _entities(place: Place, result: Any, text: str, problems: list[str]) -> Iterator[Entity]:
    value = place.get(result, "value", dict)
    start, end = place.get(value, "start", int), place.get(value, "end", int)
    marked = place.get(value, "text", str, text[start:end])
    if 0 <= start < end and text[start:end] != marked and _in_utf16(text, start, end) == marked:
        # Older versions count as JavaScript does: a character outside the basic plane is two.
        start, end = (len(_in_utf16(text, 0, offset)) for offset in (start, end))
    place.check_span(start, end, len(text), "characters")
    if text[start:end] != marked:
        problems.append(f"the region {marked!r} marks {text[start:end]!r} at {start} to {end}")
    for label in place.strings(value, "labels") if "labels" in value else ():
        yield Entity(start, end, label)


def _in_utf16(text: str, start: int, end: int) -> str:
    """A part of a text by offsets that count UTF-16 units."""
    return text.encode("utf-16-le")[2 * start : 2 * end].decode("utf-16-le", errors="replace")


def _relations(
    place: Place, link: Any, regions: Regions, dropped: Counter[str]
) -> Iterator[Relation[Entity]]:
    ends = [place.find(regions, place.get(link, key, str), "region") for key in ("from_id", "to_id")]
    labels = place.strings(link, "labels") if "labels" in link else []
    direction = place.get(link, "direction", str, "right")
    orders = {"right": [ends], "left": [ends[::-1]], "bi": [ends, ends[::-1]]}
    if direction not in orders:
        raise place.error(f"the direction {direction!r}", "one of right, left, bi", "Correct the direction.")
    dropped["relations without a label"] += not labels
    dropped["relations of regions without a text label"] += not all(ends) and bool(labels)
    for label, (heads, tails) in product(labels, orders[direction]):
        for head, tail in product(heads, tails):
            yield Relation(head, tail, label)
