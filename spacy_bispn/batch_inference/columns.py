"""The columns in which extraction writes what it found: names, types, and the values of a text.

A type is `str`, `int` or `float`, a dict of fields for a struct, or a list of one type for an array. The
types of Arrow and of Spark are made from these.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from spacy_bispn.records import AnnotatedText, Entity, Relation

SPAN = {"": str, "_label": str, "_start": int, "_end": int}
FINDING = {"label": str, "score": float}
ENTITY = {**FINDING, "text": str, "start": int, "end": int}
RELATION = {**FINDING, **{f"{end}{name}": kind for end in ("head", "tail") for name, kind in SPAN.items()}}
ROW = {"kind": str, **ENTITY, **RELATION}
FIELDS = {"position": int, "id": str, **ROW}  # of CSV

ERROR = {"error": str}
OUTPUTS: dict[str, dict[str, Any]] = {
    "nested": {"entities": [ENTITY], "relations": [RELATION], **ERROR},
    "rows": {**ROW, **ERROR},
}
DIGITS = 4  # of scores: what follows depends on the machine
SPARK = {str: "string", int: "bigint", float: "double"}


def to_entity(text: str, entity: Entity) -> dict[str, Any]:
    """The values of the columns `ENTITY`."""
    words = text[entity.start : entity.end]
    values = (entity.label, round(entity.score, DIGITS), words, entity.start, entity.end)
    return dict(zip(ENTITY, values, strict=True))


def to_relation(text: str, relation: Relation[Entity]) -> dict[str, Any]:
    """The values of the columns `RELATION`."""
    values: list[Any] = [relation.label, round(relation.score, DIGITS)]
    for end in (relation.head, relation.tail):
        values += [text[end.start : end.end], end.label, end.start, end.end]
    return dict(zip(RELATION, values, strict=True))


def to_nested(text: AnnotatedText) -> dict[str, Any]:
    """All entities and all relations of a text, as two lists."""
    found = text.extraction
    return {
        "entities": [to_entity(text.text, entity) for entity in found.entities],
        "relations": [to_relation(text.text, relation) for relation in found.relations],
    }


def to_rows(text: AnnotatedText) -> Iterator[dict[str, Any]]:
    """One row for each entity, then one for each relation; only the columns that its kind has."""
    found = to_nested(text)
    for kind, name in (("entity", "entities"), ("relation", "relations")):
        yield from ({"kind": kind, **row} for row in found[name])


def arrow_type(kind: Any) -> Any:
    """A type as a `pyarrow.DataType`."""
    import pyarrow

    if isinstance(kind, dict):
        return pyarrow.struct([(name, arrow_type(inner)) for name, inner in kind.items()])
    if isinstance(kind, list):
        return pyarrow.list_(arrow_type(kind[0]))
    return {str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64()}[kind]


def arrow_schema(fields: dict[str, Any]) -> Any:
    """Columns as a `pyarrow.Schema`."""
    import pyarrow

    return pyarrow.schema([(name, arrow_type(kind)) for name, kind in fields.items()])


def spark_type(kind: Any) -> str:
    """A type as Spark's SQL has it."""
    if isinstance(kind, dict):
        return f"struct<{', '.join(f'`{name}`: {spark_type(inner)}' for name, inner in kind.items())}>"
    return f"array<{spark_type(kind[0])}>" if isinstance(kind, list) else SPARK[kind]


def spark_ddl(fields: dict[str, Any]) -> str:
    """Columns as a schema of Spark's, such as `entities array<struct<...>>, error string`."""
    return ", ".join(f"`{name}` {spark_type(kind)}" for name, kind in fields.items())
