"""The table of supported versions in docs/index.md, from the constraints files that `.ci/run` installs."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TESTED = {
    "oldest": "constraints-oldest.txt",
    "most tested": "constraints.txt",
    "newest": "constraints-newest.txt",
}
SHOWN = ("spacy", "transformers", "tokenizers", "torch", "numpy")


def version_rows() -> list[dict[str, str]]:
    """A row for each library with its version in each set."""
    sets = {heading: pinned(ROOT / name) for heading, name in TESTED.items()}
    files = {"library": "", **{heading: f"`{name}`" for heading, name in TESTED.items()}}
    return [files, *({"library": name, **{key: sets[key][name] for key in sets}} for name in SHOWN)]


def pinned(constraints: Path) -> dict[str, str]:
    """The versions that a constraints file names, by library."""
    lines = constraints.read_text("utf-8").splitlines()
    return dict(line.lower().split("==") for line in lines if "==" in line)
