"""Adds the pages of the repository's root to the site; links to files that the site lacks become text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT_PAGES = ("CONTRIBUTING.md", "CHANGELOG.md")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages of the root, with lower-case names. Their links lead into docs/ or to each other."""
    for name in ROOT_PAGES:
        text = (Path(config.config_file_path).parent / name).read_text("utf-8")
        files.append(File.generated(config, name.lower(), content=moved(text.replace("](docs/", "]("), "")))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Links to the pages of the root lead to their copies; those to other files outside docs/ are text."""
    return re.sub(r"(?<!!)\[([^\]]*)\]\(\.\./[^)]*\)", r"\1", moved(markdown, "../"))


def moved(markdown: str, folder: str) -> str:
    """Links to the pages of the root, which stand in `folder`, as links to their copies."""
    for name in ROOT_PAGES:
        markdown = markdown.replace(f"]({folder}{name}", f"]({name.lower()}")
    return markdown
