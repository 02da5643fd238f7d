"""UIMA CAS, a document a file, as JSON or as XMI: what INCEpTION exports, and any pipeline of UIMA.

    {"%VIEWS": {"_InitialView": {"%SOFA": 1, "%MEMBERS": [2, 3, 4]}}, "%FEATURE_STRUCTURES": [
      {"%ID": 1, "%TYPE": "uima.cas.Sofa", "sofaID": "_InitialView", "sofaString": "ORC binds ATP"},
      {"%ID": 2, "%TYPE": "custom.Entity", "@sofa": 1, "begin": 0, "end": 3, "value": "protein"},
      {"%ID": 3, "%TYPE": "custom.Entity", "@sofa": 1, "begin": 10, "end": 13, "value": "chemical"},
      {"%ID": 4, "%TYPE": "custom.Relation", "@sofa": 1, "begin": 10, "end": 13,
       "value": "binds", "@Governor": 2, "@Dependent": 3}]}

Offsets count UTF-16 units. A relation leads from its governor to its dependent. XMI is read without a type
system: what refers to another annotation is told by its name and by what the number names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Unpack

from spacy_bispn.converters import (
    Conversion,
    FilePosition,
    ParsedItem,
    Rules,
    corpus_format,
    read_json,
    short_repr,
)
from spacy_bispn.converters.layers import (
    DKPRO,
    LabelFeature,
    Layers,
    Link,
    Span,
    UnitOffsets,
    Values,
    document_files,
    extract,
    is_structure,
)
from spacy_bispn.converters.markup import parse

INITIAL = "_InitialView"
SOFA, VIEW = "uima.cas.Sofa", "uima.cas.View"
SENTENCE = f"{DKPRO}segmentation.type.Sentence"
METADATA = f"{DKPRO}metadata.type.DocumentMetaData"
HEAD, TAIL = "Governor", "Dependent"  # of a relation
TARGET, ROLE = "target", "role"  # of a slot
FIRST, NEXT = "first", "next"  # of a chain and of its links
VALUES = tuple(
    f"uima.cas.{kind}Array" for kind in ("String", "Integer", "Long", "Float", "Double", "Boolean")
)
RESERVED = ("sofa", "begin", "end")
ECORE = re.compile(r"http:///(.*)\.ecore")


@dataclass
class Structure:
    """A feature structure: its features by name, texts and numbers apart from references to others."""

    position: FilePosition
    id: str
    type: str
    values: dict[str, Any] = field(default_factory=dict)
    links: dict[str, list[str]] = field(default_factory=dict)

    @property
    def is_slot(self) -> bool:
        return TARGET in self.links and "begin" not in self.values

    @property
    def is_list(self) -> bool:
        return "elements" in self.links or self.type.endswith("Array")

    def offset(self, name: str) -> int:
        value = self.values.get(name)
        if type(value) is not int and not re.fullmatch(r"[0-9]{1,12}", str(value)):
            raise self.position.error(
                f"{name!r}: {short_repr(value)}", "a whole number", "Export the document again."
            )
        return int(str(value))


@dataclass
class Cas:
    """A document: its feature structures by their id, the members of its views, the features of its types."""

    position: FilePosition
    structures: dict[str, Structure] = field(default_factory=dict)
    members: dict[str, set[str]] = field(default_factory=dict)  # by the id of a view's text
    features: dict[str, list[str]] = field(default_factory=dict)  # those with texts, where types are declared

    def add(self, one: Structure) -> None:
        if one.id in self.structures:
            expected, advice = "an id of its own", "Export the document again."
            raise one.position.error(f"the id {one.id!r} again", expected, advice)
        self.structures[one.id] = one


def is_cas_json(item: Any) -> bool:
    if isinstance(item, Path):
        return any(_begins(file, '"%TYPES"', '"%FEATURE_STRUCTURES"') for file in _some(item, "*.json"))
    return isinstance(item, dict) and bool({"%FEATURE_STRUCTURES", "%TYPES", "%VIEWS"} & item.keys())


def is_cas_xmi(item: Any) -> bool:
    if isinstance(item, Path):
        return bool(_some(item, "*.xmi"))
    return isinstance(item, str) and "<xmi:XMI" in item


def _some(folder: Path, pattern: str) -> list[Path]:
    return sorted(file for file in folder.glob(pattern) if file.is_file() and not file.name.startswith("."))[
        :1
    ]


def _begins(file: Path, *keys: str) -> bool:
    with file.open("rb") as content:
        beginning = content.read(200).decode(errors="replace")
    return any(key in beginning for key in keys)


@corpus_format("cas-json", about="UIMA CAS JSON: INCEpTION", recognizes=is_cas_json)
def read_cas_json(path: Path, *, label_feature: LabelFeature = None, **rules: Unpack[Rules]) -> Conversion:
    """Read a document, or those of a folder. Raises ConversionError on malformed input.

    A document's id is its title, or else its file name without suffix. See `spacy_bispn.converters.layers`
    for which layers are read and where labels are from.
    """
    files = document_files(path, "*.json")
    return Conversion(**rules).add_items(_parse, ((_from_json, file) for file in files), label_feature)


@corpus_format("cas-xmi", about="UIMA CAS XMI: INCEpTION, WebAnno", recognizes=is_cas_xmi)
def read_cas_xmi(path: Path, *, label_feature: LabelFeature = None, **rules: Unpack[Rules]) -> Conversion:
    """Read a document, or those of a folder; see `read_cas_json`."""
    files = document_files(path, "*.xmi")
    return Conversion(**rules).add_items(_parse, ((_from_xmi, file) for file in files), label_feature)


def _from_json(path: Path) -> Cas:
    position, item = read_json(path)
    cas = Cas(position)
    for name, declared in position.get(item, "%TYPES", dict, {}).items():
        if isinstance(declared, dict):
            ranges = {
                key: feature.get("%RANGE")
                for key, feature in declared.items()
                if isinstance(feature, dict) and not key.startswith("%")
            }
            cas.features[name] = [key for key, kind in ranges.items() if kind == "uima.cas.String"]
    listed = item.get("%FEATURE_STRUCTURES", []) if isinstance(item, dict) else None
    if isinstance(listed, dict):  # by id, as early versions have it
        listed = [{"%ID": name, **one} if isinstance(one, dict) else one for name, one in listed.items()]
    for number, one in enumerate(position.get({"%FEATURE_STRUCTURES": listed}, "%FEATURE_STRUCTURES", list)):
        cas.add(_json_structure(FilePosition(path, f"feature structure {number}"), one, number))
    for view in position.get(item, "%VIEWS", dict, {}).values():
        members = position.get(view, "%MEMBERS", list, [])
        cas.members[str(view.get("%SOFA"))] = {str(member) for member in members}
    return cas


def _json_structure(position: FilePosition, item: Any, number: int) -> Structure:
    kind = position.get(item, "%TYPE", str)
    found = Structure(position, str(item.get("%ID", f"number {number}")), kind)
    for key, value in item.items():
        if key.startswith("@"):
            found.links[key[1:]] = [str(one) for one in (value if isinstance(value, list) else [value])]
        elif key == "%ELEMENTS" and isinstance(value, list):
            found.links["elements"] = [str(one) for one in value]
        elif not key.startswith(("%", "^")):
            found.values[key.removeprefix("#")] = value
    return found


def _from_xmi(path: Path) -> Cas:
    root = parse(path, ("xmi:XMI", ""), lambda element: None)
    spaces = {
        key.partition(":")[2]: value for key, value in root.attributes.items() if key.startswith("xmlns:")
    }
    cas = Cas(root.position)
    for number, element in enumerate(root.children):
        kind = _type_name(element.tag, spaces)
        if kind == VIEW:
            cas.members[element.attribute("sofa")] = set(element.attributes.get("members", "").split())
            continue
        one = Structure(element.position, element.attributes.get("xmi:id", f"element {number}"), kind)
        for key, value in element.attributes.items():
            if key in (HEAD, TAIL, TARGET, FIRST, NEXT, "sofa") and re.fullmatch("[0-9]+", value):
                one.links[key] = [value]
            elif key == "elements":
                one.links[key] = value.split()
            elif not key.startswith("xmi:"):
                one.values[key] = value
        # a feature with several values has an element for each
        one.links |= {child.tag: [] for child in element.children}
        cas.add(one)
    features: dict[tuple[str, str], list[Structure]] = {}
    for one in cas.structures.values():
        for key in one.values.keys() - {*RESERVED}:
            features.setdefault((one.type, key), []).append(one)
    for (_, key), owners in features.items():
        # Numbers are references where all of them name slots or lists.
        if all(_are_references(cas, str(one.values[key]).split()) for one in owners):
            for one in owners:
                one.links[key] = str(one.values.pop(key)).split()
    return cas


def _are_references(cas: Cas, numbers: list[str]) -> bool:
    """Whether all of these name slots or lists."""
    found = [cas.structures.get(number) for number in numbers]
    return bool(found) and all(one is not None and (one.is_slot or one.is_list) for one in found)


def _type_name(tag: str, spaces: Mapping[str, str]) -> str:
    prefix, _, name = tag.rpartition(":")
    package = ECORE.fullmatch(spaces.get(prefix, ""))
    if package is None or package[1] == "uima/noNamespace":
        return name
    return f"{package[1].replace('/', '.')}.{name}"


def _parse(parsed: ParsedItem, load: Callable[[Path], Cas], path: Path, label_feature: str | None) -> None:
    cas = load(path)
    texts = {
        one.id: one.values["sofaString"]
        for one in cas.structures.values()
        if one.type == SOFA and isinstance(one.values.get("sofaString"), str)
    }
    if not texts:
        expected, advice = "a text ('sofaString')", "Export the document again, with its text."
        raise cas.position.error("none", expected, advice)
    initial = [name for name in texts if cas.structures[name].values.get("sofaID") == INITIAL]
    sofa = next(iter([*initial, *texts]))
    parsed.drop("further views of a document", len(texts) - 1)
    text = texts[sofa]
    text_id = _title(cas) or cas.position.path.stem
    layers, starts = _layers(parsed, cas, sofa, UnitOffsets(text))
    entities, relations = extract(parsed, text_id, layers, label_feature)
    parsed.add(cas.position, text_id, text, entities, relations, sentences=starts)


def _title(cas: Cas) -> str:
    for one in cas.structures.values():
        if one.type == METADATA:
            return next((x for key in ("documentTitle", "documentId") if (x := one.values.get(key))), "")
    return ""


def _layers(parsed: ParsedItem, cas: Cas, sofa: str, offsets: UnitOffsets) -> tuple[Layers, list[int]]:
    """What is annotated in a view, and where its sentences begin."""
    layers, starts = Layers(features=cas.features), []
    members = cas.members.get(sofa)
    chained = _chained(cas)
    for one in _of_view(cas, sofa):
        if members is not None and one.id not in members:
            parsed.drop("annotations that are in no index", int(not is_structure(one.type)))
            continue
        start, end = (offsets.characters(one.offset(name)) for name in ("begin", "end"))
        if one.type == SENTENCE:
            starts.append(start)
        elif HEAD in one.links or TAIL in one.links:
            head, tail = (next(iter(one.links.get(name, ())), None) for name in (HEAD, TAIL))
            layers.links.append(Link(one.position, one.type, head, tail, _texts(one)))
        elif one.type in chained:
            parsed.drop("mentions in chains")
        else:
            if start > end:
                one.position.check_span(start, end, end, "UTF-16 units")
            parsed.drop("features with several values", sum(_has_several(cas, x) for x in one.links.values()))
            layers.spans[one.id] = Span(one.position, one.type, start, end, _texts(one))
            layers.links += _slots(cas, one)
    return layers, sorted(starts)


def _chained(cas: Cas) -> set[str]:
    """The types of the links of chains: what has a next one, or is the first of a chain."""
    firsts = [number for one in cas.structures.values() for number in one.links.get(FIRST, ())]
    links = [cas.structures[number] for number in firsts if number in cas.structures]
    return {one.type for one in links} | {one.type for one in cas.structures.values() if NEXT in one.links}


def _of_view(cas: Cas, sofa: str) -> Iterator[Structure]:
    for one in cas.structures.values():
        owner = one.links.get("sofa") or [str(one.values.get("sofa", sofa))]
        if "begin" in one.values and owner == [sofa]:
            yield one


def _texts(one: Structure) -> Values:
    """The features that hold texts; a flag or a number is one too, if only to be counted."""
    return {
        key: value if isinstance(value, str) else str(value).lower()
        for key, value in one.values.items()
        if key not in RESERVED and value is not None
    }


def _has_several(cas: Cas, numbers: list[str]) -> bool:
    """Whether a feature holds a list of values: its own, or that of what it names."""
    found = [cas.structures[number] for number in numbers if number in cas.structures]
    return not numbers or any(one.is_list and one.type in VALUES for one in found)


def _slots(cas: Cas, host: Structure) -> Iterator[Link]:
    for name, numbers in host.links.items():
        for number in numbers:
            lists = [cas.structures[number]] if number in cas.structures else []
            names = [x for one in lists for x in one.links.get("elements", [number])]
            for slot in (cas.structures[x] for x in names if x in cas.structures):
                if slot.is_slot:
                    role = slot.values.get(ROLE) or name
                    values = {"value": str(role)}
                    yield Link(slot.position, f"{host.type}.{name}", host.id, slot.links[TARGET][0], values)
