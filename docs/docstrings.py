"""Docstrings for the reference: lines such as `width: in pixels` become lists of arguments or attributes."""

from __future__ import annotations

import re
from typing import Any

import griffe


class NamedLines(griffe.Extension):
    """Turns a paragraph whose lines begin with names of arguments into a section that griffe knows."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of a function or a class."""
        if obj.docstring is None or not (obj.is_function or obj.is_class):
            return
        names = parameters(obj)
        paragraphs = obj.docstring.value.split("\n\n")
        obj.docstring.value = "\n\n".join(section(paragraph, names, obj) for paragraph in paragraphs)


def parameters(obj: griffe.Object) -> set[str]:
    """The names of a function's arguments, or of a class's attributes and its constructor's arguments."""
    if obj.is_function:
        return {parameter.name for parameter in obj.parameters}
    constructor = obj.members.get("__init__")
    return {*obj.attributes, *(parameters(constructor) if constructor is not None else ())}


def section(paragraph: str, names: set[str], obj: griffe.Object) -> str:
    """A paragraph as a section if each of its entries begins with a name, else as it is."""
    found = re.match(r"(\w+): ", paragraph)
    if found is None or found[1] not in names:
        return paragraph
    # a sentence may name a second argument: "path: a file. limit: at most so many."
    entries = re.split(rf"(?:^|\n|(?<=\. ))(?=(?:{'|'.join(sorted(names))}): )", paragraph)
    title = "Args" if obj.is_function else "Attributes"
    lines = (" ".join(entry.split()) for entry in entries if entry.strip())
    return f"{title}:\n" + "\n".join(f"    {line}" for line in lines)
