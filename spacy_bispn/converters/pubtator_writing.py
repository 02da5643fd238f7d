"""Texts out to PubTator: title, abstract, mentions with their concepts, relations between concepts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import count
from pathlib import Path

from spacy_bispn.converters.file_reading import FilePosition, short_repr
from spacy_bispn.converters.parsed_item import cluster_id
from spacy_bispn.converters.standoff import concept_names, link_concepts
from spacy_bispn.converters.writing import argument_indices
from spacy_bispn.files import save
from spacy_bispn.records import NO_ID, AnnotatedText, Entity, Relation, distinct

NUMBER = re.compile(r"\s*-?[0-9.]*\s*")  # the second column of a mention
INVENTED = "entities without an id that have a relation, which get one of their own"
LINE_ENDS = "texts whose line ends are written as spaces"


def write_pubtator(path: Path, texts: Iterable[AnnotatedText]) -> Counter[str]:
    """Write a file of texts. The first sentence is the title if a space follows it, else all of the text.

    Relations lead from concept to concept. Counted: what `read_pubtator` does not give back, or adds.

    Raises ConversionError, before anything is written, for an id with `|` or characters that cannot be
    printed, for labels and ids of concepts with tabs, line ends or white space around them, for relation
    labels that are numbers, and for a relation to what is not among the entities.
    """
    lost: Counter[str] = Counter()
    blocks = [_to_block(FilePosition(path, f"text {text.id!r}"), text, lost) for text in texts]
    save(path, "\n".join(blocks))
    return lost


def _to_block(position: FilePosition, text: AnnotatedText, lost: Counter[str]) -> str:
    entities, relations = distinct(text.extraction.entities), text.extraction.relations
    argument_indices(entities, relations, text.id)  # raises
    if not text.id.isprintable() or "|" in text.id or not text.id:
        expected = "an id of printable characters without |"
        raise position.error(f"the id {text.id!r}", expected, "Give the text another id.")
    for entity in entities:
        position.check_span(entity.start, entity.end, len(text.text), "characters")
    for label in [*(one.label for one in entities), *(one.label for one in relations)]:
        _check_cell(position, "label", label)
    for relation in relations:
        if NUMBER.fullmatch(relation.label):
            found, expected = f"the relation label {relation.label!r}", "a label that is no number"
            raise position.error(found, expected, "Rename the label.")
    ids = _concept_ids(position, text.id, entities, relations, lost)
    mentions: dict[str, list[Entity]] = {}
    for entity, concepts in ids.items():
        names = concept_names(entity.label, concepts)
        for name in sorted(names, key=lambda name: (name != concepts, name)):
            mentions.setdefault(name, []).append(entity)

    plain = re.sub("[\r\n]", " ", text.text)
    lost[LINE_ENDS] += plain != text.text
    title = next((start - 1 for start in sorted(text.sentences) if start > 0), len(plain))
    if plain[title : title + 1] != " ":
        title = len(plain)
    rows = [f"{text.id}|t|{plain[:title]}", f"{text.id}|a|{plain[title + 1 :]}"]
    for entity in entities:
        marked = re.sub(r"\s", " ", plain[entity.start : entity.end])
        cells = (entity.start, entity.end, marked, entity.label, ids.get(entity, "-"))
        rows.append("\t".join(map(str, (text.id, *cells))))
    for head, tail, label in link_concepts(relations, mentions, lost):
        rows.append("\t".join((text.id, label, head, tail)))
    return "".join(f"{row}\n" for row in rows)


def _concept_ids(
    position: FilePosition,
    text_id: str,
    entities: Sequence[Entity],
    relations: Sequence[Relation[Entity]],
    lost: Counter[str],
) -> dict[Entity, str]:
    """The ids of entities; those without one that have a relation get one, as relations join concepts."""
    ids = {entity: entity.kb_id for entity in entities if entity.kb_id not in NO_ID}
    for entity, name in ids.items():
        _check_cell(position, "id", name)
        if not concept_names(entity.label, name):
            raise position.error(f"the id {name!r}", "an id of more than separators", "Rename it.")
    taken = set(ids.values())
    unused = (name for number in count() if (name := cluster_id(text_id, number)) not in taken)
    arguments = {end for relation in relations for end in (relation.head, relation.tail)}
    for entity in entities:
        if entity in arguments and entity not in ids:
            ids[entity] = next(unused)
            lost[INVENTED] += 1
    return ids


def _check_cell(position: FilePosition, what: str, value: str) -> None:
    if not value or value != value.strip() or set("\t\n") & set(value):
        expected = "one without tabs, line ends and white space around it"
        raise position.error(f"the {what} {short_repr(value)}", expected, "Rename it.")
