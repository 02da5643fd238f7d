"""Records to DocBin and back."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from spacy.language import Language
from spacy.tokens import Doc, DocBin

from spacy_bispn.annotations import get_relations, has_entities, read, write
from spacy_bispn.doc_utils import ID, sentence_starts, text_id
from spacy_bispn.records import (
    AnnotatedText,
    Entity,
    Extraction,
    Kind,
    Relation,
    is_label,
    spaces_after,
    trimmed,
)

# All that `to_doc` fills of tokens: eight further columns of zeros would be most of a large file's memory.
FILLED = ("ORTH", "ENT_IOB", "ENT_TYPE")
Lost = Counter[tuple[Kind, str]]  # how many of each kind, and why
POSITIONS = 512  # of the usual encoder: what is more tokens apart is in no window of it


def unlabelled(nlp: Language, text: AnnotatedText) -> Doc:
    """A Doc without annotation, with the text's id; the corpus's own tokens where it prescribes them."""
    if text.words is None:
        doc = nlp.make_doc(text.text)
    else:
        doc = Doc(nlp.vocab, words=list(text.words), spaces=spaces_after(text.text, text.words))
    doc.user_data[ID] = text.id
    return doc


def starts_in(nlp: Language, text: AnnotatedText) -> list[int]:
    """The characters at which sentences begin; none where the tokens do not give the text."""
    doc = unlabelled(nlp, text)
    return sentence_starts(doc) if doc.text == text.text else []


def to_text(doc: Doc, name: str) -> AnnotatedText:
    """What a Doc says, with its tokens as words and its sentences: the inverse of `to_doc`.

    name: its id, if the Doc has none. Ends of relations are entities, as they are in gold, even if
        the Doc has relations without them.
    """
    words = tuple(token.text for token in doc)
    return AnnotatedText(
        text_id(doc) or name, doc.text, read(doc).closed(), words, tuple(sentence_starts(doc))
    )


def to_doc(
    nlp: Language, text: AnnotatedText, held: Counter[str] | None = None, lost: Lost | None = None
) -> tuple[Doc, list[str]]:
    """A Doc with gold, and one line for each entity and relation that its tokens cannot hold.

    White space at the ends of an entity is cut off, and counted in `held` as "trimmed". Otherwise gold is not
    changed: an entity that ends inside a token, is white space alone or has no label is left out with its
    relations, and `lost` counts why. If the tokens do not give the text, the Doc has no annotation.
    """
    doc = unlabelled(nlp, text)
    lost = Counter() if lost is None else lost
    gold = text.extraction
    if doc.text.rstrip() != text.text.rstrip():
        why = "in texts that their tokens do not give"
        lost += Counter({("entities", why): len(gold.entities), ("relations", why): len(gold.relations)})
        what = f"{len(gold.entities)} entities and {len(gold.relations)} relations are left out"
        return doc, [f"the tokens give another text, {what}: {doc.text[:60]!r}"]
    fits: dict[Entity, Entity] = {}
    problems: list[str] = []

    def leave_out(kind: Kind, why: str, line: str) -> None:
        lost[kind, why] += 1
        problems.append(line)

    for entity in gold.entities:
        start, end = trimmed(text.text, entity.start, entity.end)
        words, place = text.text[start:end], f"from {entity.start} to {entity.end}"
        if not 0 <= entity.start < entity.end <= len(text.text):
            line = f"entity ({entity.label}) {place} is no stretch of the text"
            leave_out("entities", "outside of the text", line)
        elif start == end:
            line = f"entity ({entity.label}) {place} is nothing but white space"
            leave_out("entities", "white space alone", line)
        elif not is_label(entity.label):
            line = f"entity {words!r} at {start} has the label {entity.label!r}, expected a text"
            leave_out("entities", "without a label", line)
        elif doc.char_span(start, end) is None:
            line = f"entity {words!r} ({entity.label}) at {start} ends inside a token"
            leave_out("entities", "ending inside a token", line)
        else:
            fits[entity] = replace(entity, start=start, end=end)
    relations: list[Relation[Entity]] = []
    for relation in gold.relations:
        where = f"relation {relation.label} at {relation.head.start}"
        if relation.head not in fits or relation.tail not in fits:
            leave_out("relations", "of entities that were lost", f"{where} lost an argument")
        elif not is_label(relation.label):
            line = f"{where} has the label {relation.label!r}, expected a text"
            leave_out("relations", "without a label", line)
        else:
            head, tail = fits[relation.head], fits[relation.tail]
            relations.append(Relation(head, tail, relation.label, relation.score))
    write(doc, Extraction(tuple(fits.values()), tuple(relations)))
    if held is not None:
        held["trimmed"] += sum(old != new for old, new in fits.items())
    return doc, problems


def to_docbin(
    nlp: Language,
    texts: Iterable[AnnotatedText],
    held: Counter[str] | None = None,
    lost: Lost | None = None,
) -> tuple[DocBin, list[str]]:
    """All texts with their ids as a DocBin, and what could not be placed, each line with its text's id.

    A text that its tokens do not give is left out. `held` counts the entities and relations in the DocBin,
    as "trimmed" the entities without the white space that they had at an end, and as "cross_window" the
    relations whose ends lie more than `POSITIONS` tokens apart. `lost` counts texts, entities and relations
    that are not in it, by kind and reason.
    """
    docbin = DocBin(attrs=FILLED, store_user_data=True)
    problems: list[str] = []
    for text in texts:
        doc, lines = to_doc(nlp, text, held, lost)
        if has_entities(doc):
            docbin.add(doc)
            if held is not None:
                held += _count(doc)
        elif lost is not None:
            lost["texts", "that their tokens do not give"] += 1
        problems += [f"{text.id}: {line}" for line in lines]
    return docbin, problems


def _count(doc: Doc) -> Counter[str]:
    relations = get_relations(doc)
    wide = sum(
        max(one.head.end, one.tail.end) - min(one.head.start, one.tail.start) > POSITIONS for one in relations
    )
    return Counter(entities=len(read(doc).entities), relations=len(relations), cross_window=wide)
