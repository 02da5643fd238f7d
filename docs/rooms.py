"""The table of rooms in docs/architecture.md: layers from pyproject.toml, meanings from docstrings."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


def room_rows() -> Iterator[dict[str, str]]:
    """A row for each room, from the highest layer down; optional rooms may be absent."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    (contract,) = (x for x in project["tool"]["importlinter"]["contracts"] if x["id"] == "rooms")
    for level, layer in zip(range(len(contract["layers"]), 0, -1), contract["layers"], strict=True):
        for room in re.findall(r"\w+", layer):
            path = REPOSITORY / "spacy_bispn" / room
            file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
            if file.exists():
                name = f"`{room}{'/' * path.is_dir()}`"
                yield {"layer": str(level), "room": name, "what is in it": summary(file)}


def summary(file: Path) -> str:
    """The first paragraph of a module's docstring, on one line."""
    docstring = ast.get_docstring(ast.parse(file.read_text("utf-8"))) or ""
    return " ".join(docstring.partition("\n\n")[0].split())
