"""The text that the regions of a Label Studio task mark: plain text, hypertext as it is shown, or a dialogue.

What the offsets of its versions count is not said in an export: UTF-16 units or characters, line ends of a
browser or those of the text. The texts of the regions tell.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import accumulate
from typing import Any

from spacy_bispn.converters import FilePosition, ParsedItem, short_repr
from spacy_bispn.converters.offsets import UNITS, Offsets, Unit, gather, spread
from spacy_bispn.records import Entity, Relation

KINDS = ("labels", "hypertextlabels", "paragraphlabels")  # of results that mark a text
FILE = re.compile(r"/data/(?:upload|local-files)/[^\n]+|(?:https?|s3|gs|azure-blob)://\S+")
UPLOADED = ("/data/", "s3:", "gs:", "azure-blob:")  # which no text begins with

HYPERTEXT = "texts of hypertext, without its tags"  # noted
DIALOGUES = "texts of dialogues, a paragraph a line, without names"  # noted
LINE_ENDS = "texts with CR LF, which is LF in their offsets and in the output"  # noted


@dataclass(frozen=True)
class View:
    """A text as offsets may count it, and what is to be noted of it.

    unit: what they count; the text is `spread` where that is UTF-16 units.
    starts: where each paragraph of a dialogue begins.
    """

    text: str
    unit: Unit
    notes: tuple[str, ...] = ()
    starts: Sequence[int] = field(default=(), compare=False)

    def place(self, position: FilePosition, result: Mapping[str, Any]) -> tuple[int, int, str]:
        """Start and end of a region, and what it says it marks. Raises ConversionError without offsets."""
        value = position.get(result, "value", dict)
        marked = position.get(value, "text", str, "")
        if self.starts and {"startOffset", "endOffset"} <= value.keys():
            start, end = (self._in_paragraph(position, value, side) for side in ("start", "end"))
        elif type(value.get("start")) is str and "globalOffsets" not in value:
            found = f"a region at {short_repr(value['start'])} without 'globalOffsets'"
            advice = "Export the project anew from a version that writes them, or label it as plain text."
            raise position.error(found, "offsets in the whole text", advice)
        else:
            where = (
                position.get(value, "globalOffsets", dict, value)
                if type(value.get("start")) is not int
                else value
            )
            start, end = position.get(where, "start", int), position.get(where, "end", int)
        return start, end, marked

    def _in_paragraph(self, position: FilePosition, value: Any, side: str) -> int:
        number = position.get_name(value, side)
        if not re.fullmatch("[0-9]{1,9}", number) or int(number) >= len(self.starts):
            expected = f"the number of one of {len(self.starts)} paragraphs, counted from 0"
            raise position.error(f"the {side} {short_repr(number)}", expected, "Correct the region.")
        return self.starts[int(number)] + position.get(value, f"{side}Offset", int)

    def marks(self, start: int, end: int) -> str:
        """What is at these offsets; nothing where they are no stretch of the text."""
        return gather(self.text[start:end]) if 0 <= start < end else ""

    def check(self, position: FilePosition, claims: Sequence[tuple[FilePosition, str, str]]) -> None:
        """Raise ConversionError if the text is the place of a file and not what the regions mark."""
        text = self.text.strip()
        fits = any(_plain(marked) == _plain(claimed) for _, marked, claimed in claims)
        if FILE.fullmatch(text) and not fits and (claims or text.startswith(UPLOADED)):
            advice = (
                "Put the content of the file there, as an export of tasks that were imported as texts has it."
            )
            raise position.error(f"the place of a file, {short_repr(text)}", "the text itself", advice)

    def add(
        self,
        parsed: ParsedItem,
        position: FilePosition,
        text_id: str,
        entities: Sequence[Entity],
        relations: Sequence[Relation[Entity]],
    ) -> None:
        """Add the text with what is said of it."""
        for note in self.notes:
            parsed.note(note)
        parsed.offsets = self.unit
        parsed.add(position, text_id, self.text, entities, relations)


def find_content(position: FilePosition, data: Mapping[str, Any], key: str | None) -> Any:
    """What a task is about: a string, or the paragraphs of a dialogue.

    key: where it is; None looks for "text", and for the only key with a text. Raises ConversionError if there
    is none.
    """
    texts = [name for name, value in data.items() if _is_text(value)]
    name = "text" if key is None and "text" in data else texts[0] if key is None and len(texts) == 1 else key
    if name is None or name not in data:
        keys = ", ".join(map(repr, data)) or "none"
        advice = "Pass --text-key with the key of the texts."
        raise position.error(f"the keys {keys} in 'data'", f"the key {name or 'text'!r}", advice)
    return data[name] if _is_text(data[name]) else position.get(data, name, str)


def _is_text(value: Any) -> bool:
    return (isinstance(value, str) and bool(value.strip())) or (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(one, dict) and "text" in one for one in value)
    )


def choose_view(position: FilePosition, content: Any, results: Sequence[Any], offsets: Offsets) -> View:
    """The view of a task's content in which most regions mark what they say; of equal ones the plainest.

    Raises ConversionError for a region without offsets.
    """
    regions = [one for one in results if isinstance(one, dict) and one.get("type") in KINDS]
    views = list(dict.fromkeys(_views(position, content, regions, offsets)))
    return min(views, key=lambda view: sum(_is_wrong(view, position, region) for region in regions))


def _is_wrong(view: View, position: FilePosition, region: Mapping[str, Any]) -> bool:
    start, end, marked = view.place(position, region)
    return bool(marked) and _plain(view.marks(start, end)) != _plain(marked)


def _plain(text: str) -> str:
    return "".join(text.split())


def _views(
    position: FilePosition, content: Any, regions: Sequence[Mapping[str, Any]], offsets: Offsets
) -> Iterator[View]:
    for unit in UNITS if offsets == "auto" else [offsets]:
        measure: Callable[[str], str] = spread if unit == "utf-16" else str
        if isinstance(content, list):
            lines = [measure(position.get(one, "text", str)) for one in content]
            starts = list(accumulate((len(line) + 1 for line in lines[:-1]), initial=0))
            yield View("\n".join(lines), unit, (DIALOGUES,), starts)
            continue
        if any(type(position.get(one, "value", dict).get("start")) is str for one in regions):
            for line_end in ("", "\n"):
                yield View(measure(shown(content, line_end)), unit, (HYPERTEXT,))
        yield View(measure(content), unit)
        if "\r\n" in content:
            yield View(measure(content.replace("\r\n", "\n")), unit, (LINE_ENDS,))


def shown(hypertext: str, line_end: str) -> str:
    """The text of a hypertext as offsets in its document count it, with `line_end` for each <br>."""
    parts: list[str] = []
    parser = HTMLParser()
    parser.handle_data = parts.append  # type: ignore[method-assign, assignment]
    parser.handle_starttag = lambda tag, attrs: parts.append(line_end * (tag == "br"))  # type: ignore[method-assign]
    parser.feed(hypertext.replace("\r\n", "\n"))
    parser.close()
    return "".join(parts)
