"""XML files as plain elements that know their line, read so that a file can do no harm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from spacy_bispn.converters import ConversionError, FilePosition, read_chunks, short_repr


@dataclass
class Element:
    """One element; `text` is what stands before its first child."""

    position: FilePosition
    tag: str
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    text: str = ""

    def all(self, tag: str) -> list[Element]:
        return [child for child in self.children if child.tag == tag]

    def one(self, tag: str) -> Element:
        found = self.all(tag)
        if len(found) != 1:
            expected, advice = f"one <{tag}> in <{self.tag}>", "Correct it, or check the file's format."
            raise self.position.error(str(len(found)), expected, advice)
        return found[0]

    def attribute(self, name: str) -> str:
        if name not in self.attributes:
            found = ", ".join(map(repr, self.attributes)) or "none"
            expected = f"the attribute {name!r} of <{self.tag}>"
            raise self.position.error(f"the attributes {found}", expected, "Add it.")
        return self.attributes[name]


def parse(path: Path, parts: tuple[str, str], take: Callable[[Element], None]) -> Element:
    """The root of an XML file. Raises ConversionError if it cannot be read, or is another one than asked for.

    parts: the tags of a root and of its children that are taken, each when it is complete; but the last
        they do not stay with the root, so that a large file needs no more memory than its largest part.

    Nothing outside the file is read, also not its DTD. Declared entities, with which a small file can
    grow without bounds, are refused, and so are entities of the text that only the DTD could explain.
    Attributes are those that stand in the elements, not what a DTD would add.
    """
    position = FilePosition(path, "whole file")
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.specified_attributes = True
    top = Element(position, "", {})
    stack = [top]

    def start(tag: str, attributes: dict[str, str]) -> None:
        element = Element(FilePosition(path, f"line {parser.CurrentLineNumber}"), tag, attributes)
        if stack == [top] and tag != parts[0]:
            raise element.position.error(f"<{tag}>", f"<{parts[0]}>", "Check the file's format.")
        stack[-1].children.append(element)
        stack.append(element)

    def end(tag: str) -> None:
        element = stack.pop()
        if len(stack) == len(parts) and tuple(x.tag for x in (*stack[1:], element)) == parts:
            # one stays: text behind it stands beside an element
            stack[-1].children[:] = [x for x in stack[-1].children if x.tag != tag or x is element]
            take(element)

    def characters(text: str) -> None:
        if not stack[-1].children:
            stack[-1].text += text
        elif text.strip():  # white space behind a child is layout
            here = FilePosition(path, f"line {parser.CurrentLineNumber}")
            found, expected = f"{short_repr(text.strip())} beside an element", "either text or elements"
            raise here.error(found, expected, f"Remove the elements in <{stack[-1].tag}>, or the text.")

    def refuse(name: str, *details: object) -> None:
        here = FilePosition(path, f"line {parser.CurrentLineNumber}")
        expected = "characters, or one of the five entities of XML itself"
        raise here.error(f"the entity {name!r}", expected, "Replace it by the characters it stands for.")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = characters
    parser.EntityDeclHandler = refuse
    parser.SkippedEntityHandler = refuse
    try:
        for content in read_chunks(path):
            parser.Parse(content)
        parser.Parse(b"", True)
    except ConversionError:
        raise
    except (expat.ExpatError, LookupError, ValueError) as error:  # the last two: unknown encodings
        advice = "Check the file's format; fetch it again if it is cut off, or save it as UTF-8."
        raise position.error(f"invalid XML ({error})", "XML", advice) from error
    return top.children[0]
