"""Fill the generated tables of the docs: `python docs/generate.py`; with `--check`, fail where one is stale.

A table stands between `<!-- table: NAME -->` and `<!-- /table -->`. NAME is one of `TABLES`, or
`settings FUNCTION` for the settings of a registered function.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import Any

from rooms import room_rows
from spacy.util import load_model_from_config
from thinc.api import Config
from versions import version_rows

from spacy_bispn.converters.registry import format_rows
from spacy_bispn.evaluation.conventions import convention_rows
from spacy_bispn.settings import Settings, default_of, is_retired, settings_of

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
PAPER = ROOT / "project" / "configs" / "paper_biorelex.cfg"
MARKED = re.compile(r"(<!-- table: (?P<name>[^>]*?) -->\n)(?P<table>.*?)(<!-- /table -->)", re.S)

Rows = list[dict[str, str]]


def registered() -> dict[str, Any]:
    """What the package registers with spaCy and thinc but its commands, by name."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["entry-points"]
    places = chain.from_iterable(groups[group].items() for group in groups if group != "spacy_cli")
    found = ((name, *place.split(":")) for name, place in places)
    return {name: getattr(import_module(module), attribute) for name, module, attribute in found}


def groups_of(function: Any) -> tuple[type[Settings], ...]:
    """The groups of settings that a registered function takes, or that it is one of."""
    if isinstance(function, type) and issubclass(function, Settings):
        return (function,)
    groups: tuple[type[Settings], ...] = getattr(function, "groups", ())
    return groups


def paper_blocks() -> dict[str, dict[str, Any]]:
    """The blocks of the paper's config with all settings filled in, by the function that each names."""
    written = Config().from_disk(PAPER, interpolate=False)
    config = load_model_from_config(written, auto_fill=True).config.interpolate()
    found: dict[str, dict[str, Any]] = {}
    blocks = [config["components"]["bispn"], config["training"]["optimizer"]]
    while blocks:
        block = blocks.pop()
        named = (str(block[key]) for key in block if key.startswith("@"))
        found[next(named, str(block.get("factory")))] = block
        blocks += [inner for inner in block.values() if isinstance(inner, dict)]
    return found


def settings_table(name: str) -> Rows:
    """Each setting of a function: default, the paper's value where it is another, values, meaning."""
    paper = paper_blocks().get(name, {})
    rows = []
    for each in chain.from_iterable(map(settings_of, groups_of(registered()[name]))):
        if is_retired(each):
            continue
        default = default_of(each)
        there = paper.get(each.name, default)
        rows.append(
            {
                "setting": f"`{each.name}`",
                "default": "*required*" if default is MISSING else code(default),
                "paper": "" if there == default else code(there),
                "values": str(each.metadata["values"]),
                "what it does, and when to change it": each.metadata["meaning"],
            }
        )
    if not any(row["paper"] for row in rows):
        for row in rows:
            del row["paper"]
    return rows


def retired_rows() -> Rows:
    """The settings that filled configs have, and that nothing reads."""
    return [
        {"function": f"`{name}`", "setting": f"`{each.name}`", "value": code(default_of(each))}
        for name, function in registered().items()
        for each in chain.from_iterable(map(settings_of, groups_of(function)))
        if is_retired(each)
    ]


def code(value: Any) -> str:
    """A value as a config file has it."""
    return f"`{json.dumps(value)}`"


TABLES: dict[str, Callable[[], Iterable[Mapping[str, str]]]] = {
    "formats": format_rows,
    "conventions": convention_rows,
    "retired": retired_rows,
    "rooms": room_rows,
    "versions": version_rows,
}


def markdown(rows: Iterable[Mapping[str, str]]) -> str:
    """Rows, each by the headings of its columns, as a Markdown table."""
    rows = list(rows)
    lines = [[*rows[0]], ["---"] * len(rows[0]), *(row.values() for row in rows)]
    cells = ([cell.replace("|", "\\|") for cell in line] for line in lines)
    return "".join(f"| {' | '.join(line)} |\n".replace("|  |", "| |") for line in cells)


def filled(page: str) -> str:
    """A page with its tables made anew. Raises KeyError for a table of an unknown name."""

    def table(found: re.Match[str]) -> str:
        kind, _, name = found["name"].partition(" ")
        rows = settings_table(name) if kind == "settings" else TABLES[found["name"]]()
        return f"{found[1]}{markdown(rows)}{found[4]}"

    return MARKED.sub(table, page)


def stale(pages: Iterable[Path]) -> dict[Path, str]:
    """The pages that are not as the code has it, with what they should be."""
    texts = {page: page.read_text("utf-8") for page in pages}
    return {page: new for page, text in texts.items() if (new := filled(text)) != text}


def main() -> None:
    """Write the pages that are stale, or with `--check` name them."""
    found = stale([*sorted(DOCS.rglob("*.md")), ROOT / "README.md"])
    if "--check" in sys.argv:
        sys.exit(", ".join(str(page.relative_to(ROOT)) for page in found) or 0)
    for page, text in found.items():
        page.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
