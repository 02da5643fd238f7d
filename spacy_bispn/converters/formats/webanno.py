"""WebAnno TSV 3, which INCEpTION exports too: a document a file, a token a line.

    #FORMAT=WebAnno TSV 3.3
    #T_SP=webanno.custom.Entity|value
    #T_RL=webanno.custom.Relation|value|BT_webanno.custom.Entity


    #Text=ORC binds ATP
    1-1	0-3	ORC	protein	_	_
    1-2	4-9	binds	_	_	_
    1-3	10-13	ATP	chemical	binds	1-1

Columns hold the features of layers: spans (T_SP, also with slots), chains (T_CH) and relations (T_RL), which
stand at their target and name their source. `_` is no annotation, `*` one without a value, `a|b` two at one
position, and a number in brackets tells which annotation is meant. Offsets count UTF-16 units.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from itertools import pairwise
from pathlib import Path
from typing import Any, Unpack

from spacy_bispn.converters import Conversion, FilePosition, ParsedItem, Rules, corpus_format
from spacy_bispn.converters.layers import (
    LabelFeature,
    Layers,
    Link,
    Span,
    document_files,
    extract,
)
from spacy_bispn.converters.webanno_tokens import (
    HEADER,
    Layer,
    Unit,
    lay_out,
    parse_tokens,
    unescape,
)

NUMBERED = re.compile(r"(.*)(?<!\\)\[([0-9]+)(?:_([0-9]+))?\]", re.DOTALL)
CHAINED = re.compile(r"(?<!\\)->([0-9]+-[0-9]+)$")
NONE, UNSET = "_", "*"
ANY = "uima.tcas.Annotation"  # as a target: a span of any layer


def is_webanno(item: Any) -> bool:
    if isinstance(item, Path):
        return any(_begins(file) for file in sorted(item.glob("[!.]*.tsv"))[:1])
    return isinstance(item, str) and item.startswith(HEADER)


def _begins(file: Path) -> bool:
    with file.open("rb") as content:
        return content.read(50).decode(errors="replace").lstrip("\ufeff").startswith(HEADER)


@corpus_format("webanno", about="WebAnno TSV 3: INCEpTION, WebAnno", recognizes=is_webanno)
def read_webanno(path: Path, *, label_feature: LabelFeature = None, **rules: Unpack[Rules]) -> Conversion:
    """Read a document, or those of a folder. Raises ConversionError on malformed input.

    A document's id is its file name without suffix. See `spacy_bispn.converters.layers` for which layers
    are read and where labels are from. Between two sentences stands one space, whatever was there.
    """
    files = document_files(path, "*.tsv")
    return Conversion(**rules).add_items(_parse, ((file,) for file in files), label_feature)


def _parse(parsed: ParsedItem, path: Path, label_feature: str | None) -> None:
    position = FilePosition(path, "whole file")
    version, layers, sentences = parse_tokens(path)
    if not sentences:
        expected = "a line '#Text=...' and lines of tokens"
        raise position.error("no sentence", expected, "Export the document again.")
    text, starts, units = lay_out(parsed, path.stem, sentences, sum(len(x.columns) for x in layers), version)
    found = _Reader(parsed, layers, units).read()
    entities, relations = extract(parsed, path.stem, found, label_feature)
    parsed.add(position, path.stem, text, entities, relations, sentences=starts)


class _Reader:
    """The annotations of all units, put together from the lines they stand in."""

    def __init__(self, parsed: ParsedItem, layers: list[Layer], units: list[Unit]) -> None:
        self._parsed, self._layers, self._units = parsed, layers, units
        self._found = Layers()
        # the keys of the spans at a unit, by the unit's id and the layer
        self._at: dict[tuple[str, str], list[Hashable]] = {}
        self._mentions: set[tuple[str, str]] = set()  # in chains

    def read(self) -> Layers:
        ids: set[str] = set()
        for unit in self._units:
            if unit.id in ids:
                expected, advice = "a number of its own", "Make each document a file of its own."
                raise unit.position.error(f"the token {unit.id!r} again", expected, advice)
            ids.add(unit.id)
        for layer in self._layers:
            named = [x.name for x in layer.columns if x.kind == "feature" and x.name]
            self._found.features[layer.name] = named
        rows = [
            (layer, unit, stacked)
            for unit in self._units
            for layer in self._layers
            if (stacked := _stacked(layer, unit))
        ]
        for layer, unit, stacked in rows:
            if layer.kind == "SP":
                self._add_spans(layer, unit, stacked)
            elif layer.kind == "CH":
                links = [found[1] for x in stacked for cell in x if (found := CHAINED.search(cell))]
                self._mentions.update((layer.name, link) for link in links)
        slots: set[tuple[Hashable, str]] = set()
        for layer, unit, stacked in rows:
            for index, cells in enumerate(stacked):
                if layer.kind == "RL":
                    self._add_relation(layer, unit, cells)
                elif layer.kind == "SP":
                    host = self._at[unit.id, layer.name][index]
                    self._add_slots(layer, unit, cells, host, slots)
        self._parsed.drop("mentions in chains", len(self._mentions))
        return self._found

    def _add_spans(self, layer: Layer, unit: Unit, stacked: list[list[str]]) -> None:
        for index, cells in enumerate(stacked):
            columns = list(zip(layer.columns, cells, strict=True))
            # a target has the number of another annotation
            own = [NUMBERED.fullmatch(cell) for column, cell in columns if column.kind != "target"]
            numbers = [found[2] for found in own if found]
            key: Hashable = numbers[0] if numbers else (unit.id, layer.name, index)
            values = {x.name: _value(cell) for x, cell in columns if x.kind == "feature" and x.name}
            span = self._found.spans.get(key)
            if span is None:
                span = Span(unit.position, layer.name, unit.start, unit.end, values)
            elif span.layer != layer.name:
                found, expected = f"the number {key} of two layers", "a number for each annotation"
                raise unit.position.error(found, expected, "Export the document again.")
            start, end = min(span.start, unit.start), max(span.end, unit.end)
            self._found.spans[key] = Span(span.position, span.layer, start, end, span.values)
            self._at.setdefault((unit.id, layer.name), []).append(key)

    def _add_relation(self, layer: Layer, unit: Unit, cells: list[str]) -> None:
        values: dict[str, str | None] = {}
        head: Hashable | None = None
        tail: Hashable | None = None
        for column, cell in zip(layer.columns, cells, strict=True):
            if column.kind == "source":
                numbered = NUMBERED.fullmatch(cell)
                source, of_head, of_tail = numbered.groups() if numbered else (cell, None, None)
                head = self._find(source, of_head, column.name)
                tail = self._find(unit.id, of_tail, column.name)
            elif column.name:
                values[column.name] = _value(cell)
        self._found.links.append(Link(unit.position, layer.name, head, tail, values))

    def _add_slots(
        self, layer: Layer, unit: Unit, cells: list[str], host: Hashable, done: set[tuple[Hashable, str]]
    ) -> None:
        """The slots of a span, which stand in every line of it."""
        columns = list(zip(layer.columns, cells, strict=True))
        for (column, roles), (target, targets) in pairwise(columns):
            if column.kind != "role" or (host, column.name) in done:
                continue
            done.add((host, column.name))
            numbered = NUMBERED.fullmatch(roles)
            names = _split(numbered[1] if numbered else roles, ";")
            links = [] if targets in (NONE, UNSET) else _split(targets, ";")
            if len(names) != len(links) and links:
                found = f"{len(names)} roles with {len(links)} targets"
                raise unit.position.error(found, "a role for each target", "Export the document again.")
            for role, link in zip(names, links, strict=False):
                numbered = NUMBERED.fullmatch(link)
                name, number = (numbered[1], numbered[2]) if numbered else (link, None)
                tail = self._find(name, number, target.name)
                # without a role, the slot's name says what is linked
                values = {"value": _value(role) or column.name}
                self._found.links.append(
                    Link(unit.position, f"{layer.name}.{column.name}", host, tail, values)
                )

    def _find(self, unit: str, number: str | None, layer: str) -> Hashable | None:
        """The span that a number means or, without one, the only one of a layer at a unit."""
        if number not in (None, "0"):
            return number if number in self._found.spans else None
        names = [one.name for one in self._layers if one.kind == "SP" and layer in (one.name, ANY)]
        keys = [key for name in names for key in self._at.get((unit, name), ())]
        alone = [key for key in keys if isinstance(key, tuple)] or keys
        return alone[0] if len(alone) == 1 else None


def _stacked(layer: Layer, unit: Unit) -> list[list[str]]:
    """The annotations of a layer at a unit, each with the cells of its columns."""
    cells = unit.cells[layer.first : layer.first + len(layer.columns)]
    if all(cell in (NONE, "") for cell in cells):
        return []
    stacks = [_split(cell, "|") for cell in cells]
    deepest = max(map(len, stacks))
    stacks = [stack * deepest if stack == [NONE] else stack for stack in stacks]
    if len({len(stack) for stack in stacks}) > 1:
        counts = " and ".join(str(len(stack)) for stack in stacks)
        found = f"{counts} values in the columns of {layer.name}"
        raise unit.position.error(found, "as many in each", "Escape '|' in values as '\\|', or export again.")
    return [list(one) for one in zip(*stacks, strict=True)]


def _split(cell: str, separator: str) -> list[str]:
    """The parts of a cell; a separator behind a backslash is part of a value."""
    parts = [""]
    for piece in re.findall(r"\\->|\\.|.|\\", cell, re.DOTALL):
        if piece == separator:
            parts.append("")
        else:
            parts[-1] += piece
    return parts


def _value(cell: str) -> str | None:
    """The value of a feature without its number; None where there is no value."""
    numbered = NUMBERED.fullmatch(cell)
    value = numbered[1] if numbered else cell
    return None if value in (NONE, UNSET, "") else unescape(value, "")
