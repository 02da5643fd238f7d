"""Texts out as documents of sentences of tokens, in which mentions form clusters: DyGIE and DocRED."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate, pairwise
from math import inf

from spacy_bispn.converters.cutting import edges
from spacy_bispn.converters.parsed_item import cluster_id
from spacy_bispn.converters.writing import argument_indices, count_spacing, word_offsets, word_ranges
from spacy_bispn.records import AnnotatedText, Entity, Extraction, PassageId, Relation

RENUMBERED = "texts whose ids are numbered anew, as others of their documents are not there"
NEW_IDS = "ids of entities, in whose place the file numbers the clusters of each document"
Cluster = str | Entity  # an id, or a mention without one


@dataclass(frozen=True)
class TokenDocument:
    """A document. Entities, and the ends of relations, count its tokens; ends are exclusive."""

    id: str
    sentences: list[list[str]]
    extraction: Extraction

    @cached_property
    def starts(self) -> list[int]:
        """The first token of each sentence."""
        return [*accumulate(map(len, self.sentences[:-1]), initial=0)] if self.sentences else []

    def sentence(self, entity: Entity) -> int:
        """The sentence in which an entity begins."""
        return bisect_right(self.starts, entity.start) - 1

    def clusters(self) -> dict[Cluster, list[Entity]]:
        """The mentions of each id, "D1|D2" being two, and each mention without an id.

        Ids that this document had in such a file, "ID#0", come first, in the order of their numbers.
        """
        found: dict[Cluster, list[Entity]] = {}
        for entity in self.extraction.entities:
            for name in dict.fromkeys(filter(None, entity.kb_id.split("|"))):
                found.setdefault(name, []).append(entity)
            if not entity.kb_id.strip("|"):
                found[entity] = [entity]
        return dict(sorted(found.items(), key=lambda item: self._number(item[0])))

    def _number(self, cluster: Cluster) -> float:
        number = cluster.removeprefix(cluster_id(self.id, 0)[:-1]) if isinstance(cluster, str) else ""
        known = number.isascii() and number.isdecimal() and cluster == cluster_id(self.id, int(number))
        return int(number) if known else inf

    def count_new_ids(self, read: Mapping[Entity, list[int]], lost: Counter[str]) -> None:
        """Count the entities with an id that reading the file does not give back.

        read: the clusters of each entity in the file, by their numbers.
        """
        for entity in self.extraction.entities:
            found = "|".join(cluster_id(self.id, number) for number in read.get(entity, []))
            lost[NEW_IDS] += bool(entity.kb_id) and entity.kb_id != found


def token_documents(texts: Iterable[AnnotatedText], lost: Counter[str]) -> Iterator[TokenDocument]:
    """Documents: each text, or the texts "ID:0", "ID:1", ... into which a document was cut, as its sentences.

    Other texts have the sentences that they say, none of which begins inside an entity.

    Raises ConversionError for a text without words, an entity that starts or ends inside a word, and a
    relation to what is not among the entities.
    """
    for key, parts in _documents(texts, lost):
        sentences: list[list[str]] = []
        entities: list[Entity] = []
        relations: list[Relation[Entity]] = []
        tokens = 0
        for part in parts:
            moved = _in_tokens(part, tokens)
            entities += moved.entities
            relations += moved.relations
            words = list(part.words or ())
            bounds = [0, len(words)] if part.id != key else _bounds(part)
            sentences += [words[low:high] for low, high in pairwise(bounds)]
            tokens += len(words)
            count_spacing(part, lost)
        yield TokenDocument(key, sentences, Extraction(tuple(entities), tuple(relations)))


def _documents(
    texts: Iterable[AnnotatedText], lost: Counter[str]
) -> Iterator[tuple[str, list[AnnotatedText]]]:
    """Texts in their order by documents; those of one document follow each other, from "ID:0" on."""
    document, last, parts = "", inf, list[AnnotatedText]()
    for text in texts:
        key, number = PassageId.of(text.id) or (text.id, inf)
        if not (parts and key == document and number > last):
            if parts:
                yield document, parts
            parts = []
            if number:
                key, number = text.id, inf  # which no text follows
        lost[RENUMBERED] += number not in (len(parts), inf)
        document, last = key, number
        parts.append(text)
    if parts:
        yield document, parts


def _in_tokens(text: AnnotatedText, first: int) -> Extraction:
    """What a text says, in tokens counted from a first one."""
    argument_indices(text.extraction.entities, text.extraction.relations, text.id)  # raises
    moved = {
        entity: replace(entity, start=first + start, end=first + end)
        for entity, (start, end) in zip(text.extraction.entities, word_ranges(text), strict=True)
    }
    relations = (
        replace(one, head=moved[one.head], tail=moved[one.tail]) for one in text.extraction.relations
    )
    return Extraction(tuple(moved.values()), tuple(relations))


def _bounds(text: AnnotatedText) -> list[int]:
    """The first word of each sentence, and the number of words."""
    offsets = word_offsets(text)
    bounds = [bisect_left(offsets, (edge,)) for edge in edges(text, text.sentences)[:-1]]
    return [*bounds, len(offsets)]
