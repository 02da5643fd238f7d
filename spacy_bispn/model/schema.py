"""A schema: which labels a relation may join, and how many relations of a label an entity may have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from spacy_bispn.records import Entity, Extraction, Labels, Relation, is_label
from spacy_bispn.settings import SettingError

SCHEMAS = ("none", "observed")
PER_END = ("relations_per_head", "relations_per_tail")
Triple = tuple[str | None, str | None, str | None]  # labels of head, relation and tail, None for any
TRIPLES = "triples `[head, relation, tail]` of labels, `null` for any"
LIMITS = "pairs `[relation, number]`, `null` for all other relation labels"


def check_triples(schema: Any) -> None:
    """Raise SettingError unless a schema is one of SCHEMAS or a list of triples."""
    if schema in SCHEMAS:
        return
    if not isinstance(schema, list | tuple) or not schema or not all(map(is_triple, schema)):
        wrong = [x for x in schema if not is_triple(x)] if isinstance(schema, list) and schema else schema
        advice = 'write [["DRUG", "TREATS", "DISEASE"]], or "none" to allow all relations'
        raise SettingError("schema", wrong, f"{TRIPLES}, or one of {', '.join(SCHEMAS)}", advice)


def is_triple(given: Any) -> bool:
    """Whether these are labels of head, relation and tail, any of them None."""
    return (
        isinstance(given, list | tuple) and len(given) == 3 and all(x is None or is_label(x) for x in given)
    )


def check_limits(name: str, limits: Any) -> None:
    """Raise SettingError unless these are pairs of a relation label, or None, and a number."""
    wrong = limits
    if isinstance(limits, list | tuple):
        wrong = [x for x in limits if not _is_limit(x)]
    if wrong or not isinstance(limits, list | tuple):
        advice = 'write [["BORN_IN", 1]], or [] for any number'
        raise SettingError(name, wrong, f"{LIMITS}; numbers are at least 1", advice)
    twice = [label for label, count in Counter(label for label, _ in limits).items() if count > 1]
    if twice:
        raise SettingError(name, twice, "each relation label once", "remove the other numbers")


def _is_limit(given: Any) -> bool:
    if not isinstance(given, list | tuple) or len(given) != 2:
        return False
    label, most = given
    return (label is None or is_label(label)) and type(most) is int and most >= 1


def triple(relation: Relation[Entity], symmetric: Sequence[str]) -> tuple[str, str, str]:
    """Labels of head, relation and tail; those of head and tail are sorted if the relation is symmetric."""
    found = Relation(relation.head.label, relation.tail.label, relation.label).oriented(symmetric)
    return found.head, found.label, found.tail


def observed_triples(
    known: list[list[str]] | None, gold: Iterable[Extraction], labels: Labels
) -> list[list[str]] | None:
    """The triples that are known, and those that some gold adds whose labels the model has.

    None where those of earlier gold are unknown.
    """
    if known is None:
        return None
    found = {triple(one, labels.symmetric) for one in known_relations(gold, labels)}
    return [*known, *map(list, sorted(found - {(x[0], x[1], x[2]) for x in known}))]


def known_relations(gold: Iterable[Extraction], labels: Labels) -> list[Relation[Entity]]:
    """The relations of some gold whose labels the model has, those of their ends included."""
    entity, relation = set(labels.entity), set(labels.relation)
    every = (x for extraction in gold for x in extraction.relations)
    return [x for x in every if x.label in relation and {x.head.label, x.tail.label} <= entity]


@dataclass(frozen=True)
class Schema:
    """What decoding permits.

    triples: those permitted, None where all are.
    per_head, per_tail: the most relations of one head or tail by the relation's label. Under None is the
        number of labels without one of their own. A symmetric label has ends alone: the lower number counts.
    self_relations: whether a relation may join a span with itself.
    """

    triples: frozenset[Triple] | None
    per_head: Mapping[str | None, int]
    per_tail: Mapping[str | None, int]
    self_relations: bool
    labels: Labels

    @classmethod
    def of(cls, cfg: Mapping[str, Any]) -> Schema | None:
        """The schema that the `cfg` of a component describes, None where it permits everything.

        Raises SettingError for labels that a trained model does not have, and for "observed" if the triples
        of its training data are unknown.
        """
        given, limits, observed = cfg["schema"], [cfg[name] for name in PER_END], cfg["observed_triples"]
        if given == "none" and not any(limits) and cfg["self_relations"]:
            return None
        labels = Labels.of(cfg)
        trained = bool(labels.entity or labels.relation)
        if given == "observed" and observed is None and trained:
            raise SettingError(
                "schema", given, "a model that was saved with the triples of its training data",
                'train it again, give the triples as a list, or set schema = "none"',
            )  # fmt: skip
        if trained:
            _check_labels(given, limits, labels)
        triples = None if given == "none" else (observed or ()) if given == "observed" else given
        permitted = None if triples is None else frozenset((x[0], x[1], x[2]) for x in triples)
        per_head, per_tail = (dict(map(tuple, limit)) for limit in limits)
        return cls(permitted, per_head, per_tail, cfg["self_relations"], labels)

    def permits(self, head: str, label: str, tail: str) -> bool:
        """Whether a relation of this label may join entities of these labels."""
        if self.triples is None:
            return True
        ways = ((head, tail), (tail, head)) if label in self.labels.symmetric else ((head, tail),)
        return any(
            reading in self.triples for way in ways for reading in product((way[0], None), (label, None),
                                                                           (way[1], None))
        )  # fmt: skip

    def forbidden(self, relations: Iterable[Relation[Entity]]) -> Counter[str]:
        """How many relations have labels that are not permitted, by their triple in words."""
        return Counter(
            " ".join(triple(x, self.labels.symmetric))
            for x in relations
            if not self.permits(x.head.label, x.label, x.tail.label)
        )

    def limit(
        self, relations: Iterable[Relation[Entity]], thing: Callable[[Entity], Hashable] | None = None
    ) -> list[Relation[Entity]]:
        """The relations that join two spans, if they have to, and no more of a label than an entity may have.

        The best are kept. thing: says what an entity is a mention of where mentions share relations: then no
        more than a thing may have, and all relations between the mentions of two things count once.
        """
        what = thing or _itself
        kept, used, counted = [], Counter[Hashable](), set()
        for relation in sorted(relations, key=lambda x: (-x.score, x)):
            ends = what(relation.head), what(relation.tail)
            pair = (frozenset(ends) if relation.label in self.labels.symmetric else ends), relation.label
            slots = {} if pair in counted else dict(self._slots(relation.label, *ends))
            alone = (relation.head.start, relation.head.end) == (relation.tail.start, relation.tail.end)
            if all(used[slot] < most for slot, most in slots.items()) and (self.self_relations or not alone):
                used.update(slots.keys())
                counted.add(pair)
                kept.append(relation)
        return kept

    def _slots(self, label: str, one: Hashable, other: Hashable) -> Iterator[tuple[Hashable, int]]:
        """What a relation uses up of its head and its tail, and how much of it there is."""
        head, tail = (x.get(label, x.get(None)) for x in (self.per_head, self.per_tail))
        if label in self.labels.symmetric:
            least = min((x for x in (head, tail) if x is not None), default=None)
            places = (("end", one, least), ("end", other, least))
        else:
            places = (("head", one, head), ("tail", other, tail))
        return (((label, place, end), most) for place, end, most in places if most is not None)


def _itself(entity: Entity) -> Entity:
    return entity


def _check_labels(given: Any, limits: Sequence[Sequence[Any]], labels: Labels) -> None:
    """Raise SettingError for labels that the model does not have."""
    triples = given if isinstance(given, list | tuple) else []
    ends = {end for head, _, tail in triples for end in (head, tail)}
    named = (
        ("schema", "entity", ends, labels.entity),
        ("schema", "relation", {label for _, label, _ in triples}, labels.relation),
        *(
            (name, "relation", {label for label, _ in limit}, labels.relation)
            for name, limit in zip(PER_END, limits, strict=True)
        ),
    )
    for name, kind, found, known in named:
        unknown = sorted(found - {None, *known})
        if unknown:
            expected = f"{kind} labels of the model ({', '.join(known) or 'none'})"
            raise SettingError(name, unknown, expected, "correct the component's config")


def forbidden_relations(schema: Schema | None, gold: Iterable[Extraction]) -> int:
    """How many relations of some gold a schema forbids."""
    return schema.forbidden(known_relations(gold, schema.labels)).total() if schema else 0
