"""Texts to `.spacy` files: one, or as many in a folder as keep memory small."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Self

from spacy.language import Language

from ..corpora import to_docbin
from ..files import save
from ..records import AnnotatedText
from .sources import DOCS

CHARACTERS = 5_000_000  # of a file of a folder


class DocFiles:
    """A `.spacy` file, or a new folder with several of them, to be filled text by text in a `with` block.

    path: a name with the ending `.spacy` is that of one file, whose texts are in memory until it is
        written. Any other is that of a folder whose files have about 5 million characters each.
    docs: how many Docs were made. problems: what could not be placed on tokens, a line each.

    The file or the folder is there when the block ends, and only if it ends without an error. Raises
    ValueError where something else is at the folder's place.
    """

    def __init__(self, nlp: Language, path: Path) -> None:
        self.path = path
        self.docs = 0
        self.problems: list[str] = []
        self._nlp = nlp
        self._texts: list[AnnotatedText] = []
        self._characters = 0
        self._files = 0
        self._part = None if path.suffix == DOCS else path.absolute().with_name(f"{path.name}.part")

    def __enter__(self) -> Self:
        if self._part is not None:
            check_free(self.path)
            shutil.rmtree(self._part, ignore_errors=True)  # of a call that was killed
            self._part.mkdir(parents=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, *details: object) -> None:
        if self._part is None:
            if kind is None:
                self._write(self.path)
            return
        try:
            if kind is None:
                self._write_next(self._part)
                self._part.replace(self.path)
        finally:
            shutil.rmtree(self._part, ignore_errors=True)

    def add(self, text: AnnotatedText) -> None:
        self._texts.append(text)
        self._characters += len(text.text)
        if self._part is not None and self._characters >= CHARACTERS:
            self._write_next(self._part)

    def _write_next(self, folder: Path) -> None:
        if self._texts:
            self._files += 1
            self._write(folder / f"{self._files:05}{DOCS}")

    def _write(self, path: Path) -> None:
        with self._nlp.memory_zone():  # the words of one file are not kept for the next
            docbin, problems = to_docbin(self._nlp, self._texts)
            content = docbin.to_bytes()
        save(path, content)
        self.docs += len(docbin)
        self.problems += problems
        self._texts, self._characters = [], 0


def check_free(folder: Path) -> None:
    """Raise ValueError unless a new folder can get this name."""
    if folder.is_file() or (folder.exists() and any(folder.iterdir())):
        found = "a file" if folder.is_file() else "a folder with something in it"
        raise ValueError(
            f"the output {folder} is {found}, expected the name of a .spacy file, or of a new or empty "
            f"folder: give another name, or remove what is there."
        )
