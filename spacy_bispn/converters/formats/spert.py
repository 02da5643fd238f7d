"""The JSON format of SpERT (Eberts and Ulges, 2020), in which ADE and CoNLL04 are shared.

One list with one object per sentence: `tokens`; `entities` with `type`, `start` and `end` (tokens,
end exclusive); `relations` with `type`, `head` and `tail` (positions in `entities`); maybe `orig_id`.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Unpack

from spacy_bispn.converters import (
    Conversion,
    ConversionError,
    FilePosition,
    ParsedItem,
    Rules,
    Words,
    argument_indices,
    corpus_format,
    count_spacing,
    read_items,
    read_json,
    word_ranges,
)
from spacy_bispn.files import save
from spacy_bispn.records import AnnotatedText, Relation

Splits = Annotated[Path | None, "folds of the file, as JSON"]
Fold = Annotated[int, "which fold, counted from 0; else the first"]
Part = Annotated[Literal["train", "test"], "part of the fold"]

Item = tuple[FilePosition, Any, str]  # with its id


def is_spert(item: Any) -> bool:
    return isinstance(item, dict) and {"tokens", "entities", "relations"} <= item.keys()


def write_spert(path: Path, texts: Iterable[AnnotatedText]) -> Counter[str]:
    """Write a list of sentences; the spaces of a text that is not its words joined by spaces are lost, and
    counted.

    Raises ConversionError for a text without words, an entity that starts or ends inside a word, and
    a relation to what is not among the entities.
    """
    lost: Counter[str] = Counter()
    save(path, json.dumps([_to_item(text, lost) for text in texts], ensure_ascii=False))
    return lost


@corpus_format(
    "spert", about="SpERT: ADE, CoNLL04", recognizes=is_spert, write=write_spert, tokens="prescribed"
)
def read_spert(
    path: Path, *, splits: Splits = None, fold: Fold = 0, part: Part = "train", **rules: Unpack[Rules]
) -> Conversion:
    """Read a file, or one part of one fold of a cross-validation.

    splits: a JSON object whose list `folds` holds, for each fold, the `orig_id`s of its `train` and `test`
    sentences in order. A sentence without `orig_id` has its position in the file, counted from 0, as its id.

    Raises ConversionError on malformed input, for a fold that is not there, and for an id that is not in the
    file.
    """
    chosen: Iterable[Item] = (
        (position, item, _item_id(item, number)) for number, (position, item) in enumerate(read_items(path))
    )
    if splits is not None:
        chosen = _choose(path, chosen, _ids(splits, fold, part))
    return Conversion(**rules).add_items(_parse, chosen)


def _ids(splits: Path, fold: int, part: str) -> list[str]:
    """The ids of one part of a fold, in order."""
    position, content = read_json(splits)
    folds = position.get(content, "folds", list)
    if not 0 <= fold < len(folds):
        raise ConversionError(
            f"{splits}: asked for fold {fold}, expected 0 to {len(folds) - 1}. Choose one of these folds."
        )
    return [str(wanted) for wanted in position.get(folds[fold], part, list)]


def _choose(path: Path, items: Iterable[Item], ids: Sequence[str]) -> list[Item]:
    """The items with these ids, in the order of the ids."""
    asked = set(ids)
    by_id = defaultdict(list)  # several have one id where a file repeats it, which is then a problem
    for item in items:
        if item[2] in asked:
            by_id[item[2]].append(item)
    missing = [wanted for wanted in ids if wanted not in by_id]
    if missing:
        found = f"no sentence with id {', '.join(missing[:5])}" + (", ..." if len(missing) > 5 else "")
        raise FilePosition(path, "whole file").error(
            found, "every id asked for", "Check ids against `orig_id`."
        )
    return [item for wanted in ids for item in by_id[wanted]]


def _item_id(item: Any, number: int) -> str:
    return str(number) if not isinstance(item, dict) or item.get("orig_id") is None else str(item["orig_id"])


def _parse(parsed: ParsedItem, position: FilePosition, item: Any, text_id: str) -> None:
    words = Words(position.strings(item, "tokens"))
    entities = [
        words.entity(
            position,
            position.get(entity, "start", int),
            position.get(entity, "end", int),
            position.get(entity, "type", str),
        )
        for entity in position.get(item, "entities", list)
    ]
    relations = [
        Relation(
            position.pick(entities, position.get(relation, "head", int), "entity"),
            position.pick(entities, position.get(relation, "tail", int), "entity"),
            position.get(relation, "type", str),
        )
        for relation in position.get(item, "relations", list)
    ]
    parsed.add(position, text_id, words.text, entities, relations, words.words)


def _to_item(text: AnnotatedText, lost: Counter[str]) -> dict[str, Any]:
    count_spacing(text, lost)
    entities, relations = text.extraction.entities, text.extraction.relations
    ranges = word_ranges(text)
    arguments = argument_indices(entities, relations, text.id)
    return {
        "tokens": list(text.words or ()),
        "entities": [
            {"type": entity.label, "start": start, "end": end}
            for entity, (start, end) in zip(entities, ranges, strict=True)
        ],
        "relations": [
            {"type": relation.label, "head": head, "tail": tail}
            for relation, (head, tail) in zip(relations, arguments, strict=True)
        ],
        "orig_id": text.id,
    }
