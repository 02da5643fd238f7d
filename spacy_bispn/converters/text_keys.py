"""The text of an item of JSON, whose key a tool lets its users choose."""

from __future__ import annotations

from typing import Annotated, Any

from spacy_bispn.converters.file_reading import FilePosition

TextKey = Annotated[str, "The key of the texts"]


def get_text(position: FilePosition, item: Any, key: str) -> str:
    """The text of an item. Raises ConversionError if there is no string at its key."""
    if type(item) is dict and key not in item:
        keys = ", ".join(map(repr, item)) or "none"
        advice = "Pass --text-key with the key of the texts, or check the file's format."
        raise position.error(f"the keys {keys}", f"the key {key!r}", advice)
    return position.get(item, key, str)
