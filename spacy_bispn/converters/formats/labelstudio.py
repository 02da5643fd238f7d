"""Label Studio's JSON export: a list of tasks, each with the results of its annotators.

    [{"id": 1, "data": {"text": "ORC binds ATP."}, "annotations": [{"was_cancelled": false, "result": [
      {"id": "a", "type": "labels", "value": {"start": 0, "end": 3, "text": "ORC", "labels": ["protein"]}},
      {"id": "b", "type": "labels", "value": {"start": 10, "end": 13, "text": "ATP", "labels": ["chemical"]}},
      {"type": "relation", "from_id": "a", "to_id": "b", "direction": "right", "labels": ["binds"]}]}]}]

Offsets count characters, in older versions UTF-16 units, ends exclusive. For hypertext and dialogues see
`labelstudio_texts`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Unpack

from spacy_bispn.converters import Conversion, FilePosition, ParsedItem, Rules, corpus_format, read_items
from spacy_bispn.converters.annotators import FURTHER, OTHER_ANNOTATORS, Annotator, check_annotator
from spacy_bispn.converters.labelstudio_texts import KINDS, View, choose_view, find_content
from spacy_bispn.converters.offsets import Offsets
from spacy_bispn.converters.standoff import check_claims
from spacy_bispn.records import Entity, Relation

Regions = Mapping[str, list[Entity]]  # one entity for each label of a region, by the region's id
TextKey = Annotated[str | None, "The key of the texts"]


def is_labelstudio(item: Any) -> bool:
    return isinstance(item, dict) and {"data", "annotations"} <= item.keys()


@corpus_format("labelstudio", about="Label Studio", recognizes=is_labelstudio, counts=None)
def read_labelstudio(
    path: Path,
    *,
    annotator: Annotator = None,
    offsets: Offsets = "auto",
    text_key: TextKey = None,
    **rules: Unpack[Rules],
) -> Conversion:
    """Read one annotation of each task that was not cancelled: one marked as ground truth, or else the first.

    Regions and relations with several labels count once for each. Dropped and counted: tasks without an
    annotation, cancelled and further annotations, predictions, results that are neither text labels nor
    relations, regions and relations without a label, relations to regions that are not there. Reported as
    problems: the last of these, and regions whose text is not the one at their place. Raises ConversionError
    where these are most of a task's, for a task none of whose regions can be read, and on malformed input.

    annotator: whose annotations are read, by number or address in `completed_by`.
    offsets: what they count; "auto": in each task what fits the texts of its regions better.
    text_key: the key of the texts in `data`; else `text`, or the only one that holds a text.
    """
    conversion = Conversion(**rules)
    found: set[str] = set()
    numbered = ((*item, number) for number, item in enumerate(read_items(path)))
    conversion.add_items(_parse, numbered, text_key, offsets, annotator, found)
    check_annotator(path, annotator, found)
    return conversion


def _parse(
    parsed: ParsedItem,
    position: FilePosition,
    item: Any,
    number: int,
    text_key: str | None,
    offsets: Offsets,
    annotator: str | None,
    found: set[str],
) -> None:
    text_id = position.get_id(item, "id", number)
    data = position.get(item, "data", dict)
    annotations = position.get(item, "annotations", list)
    valid = [x for x in annotations if not position.get(x, "was_cancelled", bool, False)]
    found.update(name for each in valid for name in _names(each))
    chosen = [x for x in valid if annotator is None or annotator in _names(x)]
    chosen.sort(key=lambda x: not position.get(x, "ground_truth", bool, False))
    parsed.drop("cancelled annotations", len(annotations) - len(valid))
    parsed.drop(OTHER_ANNOTATORS, len(valid) - len(chosen))
    parsed.drop(FURTHER, len(chosen[1:]))
    parsed.drop("tasks without an annotation", not chosen)
    parsed.drop("predictions", len(position.get(item, "predictions", list, [])))
    if chosen:
        results = position.get(chosen[0], "result", list)
        content = find_content(position, data, text_key)
        _parse_results(parsed, position, text_id, choose_view(position, content, results, offsets), results)


def _names(annotation: Mapping[str, Any]) -> set[str]:
    """The number of an annotator and, in some exports, the address."""
    whose = annotation.get("completed_by")
    values = [whose.get("id"), whose.get("email")] if isinstance(whose, dict) else [whose]
    return {str(value) for value in values if value is not None}


def _parse_results(
    parsed: ParsedItem, position: FilePosition, text_id: str, view: View, results: list[Any]
) -> None:
    """Add the text as one annotator sees it."""
    regions: dict[str, list[Entity]] = {}
    unread: dict[str, int] = defaultdict(int)
    links, claims = [], []
    for result in results:
        kind = position.get(result, "type", str)
        if kind == "relation":
            links.append(result)
            continue
        name = position.get_name(result, "id")
        region = regions.setdefault(name, [])
        if kind not in KINDS:
            parsed.drop(f"results of type {kind!r}")
            unread[kind] += kind.endswith("labels")
            continue
        start, end, marked = view.place(position, result)
        if marked:
            claims.append((position, view.marks(start, end), marked))
        value = result["value"]
        entities = (
            [Entity(start, end, label) for label in position.strings(value, kind)] if kind in value else []
        )
        parsed.drop("regions without a label", not entities, "entities")
        # Two sets of labels give one region two results, but never two places.
        if len({(entity.start, entity.end) for entity in (*region, *entities)}) > 1:
            raise position.error(f"two regions with the id {name!r}", "one", "Give each an id of its own.")
        region += entities
    if sum(unread.values()) and not any(result["type"] in KINDS for result in results):
        found = f"{sum(unread.values())} regions, none of which marks a text ({', '.join(sorted(unread))})"
        advice = "Label texts with <Labels>, <HyperTextLabels> or <ParagraphLabels>, or leave the task out."
        raise position.error(found, f"regions of type {', '.join(KINDS)}", advice)
    view.check(position, claims)
    check_claims(parsed, text_id, claims, spaces=False)
    relations = [one for link in links for one in _relations(parsed, position, text_id, link, regions)]
    view.add(parsed, position, text_id, [x for region in regions.values() for x in region], relations)


def _relations(
    parsed: ParsedItem, position: FilePosition, text_id: str, link: Any, regions: Regions
) -> Iterator[Relation[Entity]]:
    names = [position.get_name(link, key) for key in ("from_id", "to_id")]
    labels = position.strings(link, "labels") if link.get("labels") is not None else []
    direction = position.get(link, "direction", str, "right")
    if direction not in ("right", "left", "bi"):
        expected, advice = "one of right, left, bi", "Correct the direction."
        raise position.error(f"the direction {direction!r}", expected, advice)
    missing = [name for name in names if name not in regions]
    if missing:
        parsed.drop("relations to regions that are not there", of="relations")
        what = f"the relation {'/'.join(labels)!r} was dropped, there is no region {missing[0]!r}"
        parsed.problem(text_id, f"{position.item}: {what}")
        return
    ends = [regions[name] for name in names]
    orders = {"right": [ends], "left": [ends[::-1]], "bi": [ends, ends[::-1]]}
    parsed.drop("relations without a label", not labels, "relations")
    parsed.drop("relations of regions without a text label", not all(ends) and bool(labels), "relations")
    for label, (heads, tails) in product(labels, orders[direction]):
        for head, tail in product(heads, tails):
            yield Relation(head, tail, label)
