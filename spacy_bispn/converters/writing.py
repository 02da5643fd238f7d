"""Records out: what the writers of several formats share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from spacy_bispn.converters.file_reading import ConversionError
from spacy_bispn.records import AnnotatedText, Entity, Relation, spaces_after


def argument_indices(
    entities: Sequence[Entity], relations: Sequence[Relation[Entity]], text_id: str
) -> list[tuple[int, int]]:
    """Head and tail of each relation as positions in `entities`.

    Raises ConversionError if a head or tail is not among the entities.
    """
    positions = {entity: position for position, entity in reversed(list(enumerate(entities)))}
    for relation in relations:
        for argument in (relation.head, relation.tail):
            if argument not in positions:
                raise ConversionError(
                    f"text {text_id!r}: found a {relation.label!r} relation to {argument}, expected one of "
                    f"the text's {len(positions)} entities. Add the entity or leave out the relation."
                )
    return [(positions[relation.head], positions[relation.tail]) for relation in relations]


def count_spacing(text: AnnotatedText, lost: Counter[str]) -> None:
    """Count a text that is not its words joined by single spaces, which is all that some formats can say."""
    lost["texts whose spaces are lost, as the file has words alone"] += text.text != " ".join(
        text.words or ()
    )


def word_offsets(text: AnnotatedText) -> list[tuple[int, int]]:
    """Where each word starts and ends in the text.

    Raises ConversionError for a text without words, or with words that do not spell it.
    """
    spaces = None if text.words is None else spaces_after(text.text, text.words)
    if text.words is None or spaces is None:
        found = "no words" if text.words is None else "words that do not give the text"
        raise ConversionError(
            f"text {text.id!r}: found {found}, expected the words that the text consists of. "
            "Set `words`: this format counts words."
        )
    offsets, at = [], 0
    for word, space in zip(text.words, spaces, strict=True):
        offsets.append((at, at + len(word)))
        at += len(word) + space
    return offsets


def word_ranges(text: AnnotatedText) -> list[tuple[int, int]]:
    """First word of each entity, and the word behind its last.

    Raises ConversionError as `word_offsets` does, and for an entity that starts or ends inside a word.
    """
    offsets = word_offsets(text)
    firsts = {start: number for number, (start, _) in enumerate(offsets)}
    lasts = {end: number for number, (_, end) in enumerate(offsets)}
    for entity in text.extraction.entities:
        if entity.start not in firsts or entity.end not in lasts:
            raise ConversionError(
                f"text {text.id!r}: found the entity {text.text[entity.start : entity.end]!r} at "
                f"{entity.start} to {entity.end}, expected whole words. Split the words or move its ends."
            )
    return [(firsts[entity.start], lasts[entity.end] + 1) for entity in text.extraction.entities]
