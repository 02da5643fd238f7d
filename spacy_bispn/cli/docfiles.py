"""Texts to `.spacy` files: one, or as many in a folder as keep memory small."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from tempfile import mkdtemp
from typing import Self

from spacy.language import Language

from spacy_bispn.cli.sources import DOCS
from spacy_bispn.corpus import Lost, to_docbin, unlabelled
from spacy_bispn.files import save
from spacy_bispn.records import AnnotatedText
from spacy_bispn.settings import SettingError, Shown

CHARACTERS = 5_000_000  # of a file of a folder


class DocFiles:
    """A `.spacy` file, or a new folder with several of them, to be filled text by text in a `with` block.

    path: a name with the ending `.spacy` is that of one file, whose texts are in memory until it is
        written. Any other is that of a folder whose files have about 5 million characters each.
    other: a pipeline with another tokenizer, which is asked only for what it could place.
    docs: how many Docs were made. held, lost: what is in them and what is not, as `to_docbin` counts it.
    problems: what could not be placed on tokens, a line each. gained: how many entities and relations
        more the other tokenizer would place.

    The file or the folder is there when the block ends, and only if it ends without an error. Raises
    SettingError where something else is at the folder's place, OSError where nothing can be made.
    """

    def __init__(self, nlp: Language, path: Path, other: Language | None = None) -> None:
        self.path = path
        self.docs = 0
        self.held: Counter[str] = Counter()
        self.lost: Lost = Counter()
        self.problems: list[str] = []
        self.gained: Counter[str] = Counter()
        self._nlp = nlp
        self._other = other
        self._texts: list[AnnotatedText] = []
        self._characters = 0
        self._files: list[Path] = []
        self._single = path.suffix == DOCS

    def __enter__(self) -> Self:
        if not self._single:
            check_free(self.path)
        path = self.path.absolute()
        path.parent.mkdir(parents=True, exist_ok=True)
        # A name that nobody has, on the same disk.
        self._part = Path(mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        self._folder = self._part / "whole"
        self._folder.mkdir()
        return self

    def __exit__(self, kind: type[BaseException] | None, *details: object) -> None:
        try:
            if kind is None:
                self.finish()
                (self._files[0] if self._single else self._folder).replace(self.path)
        finally:
            shutil.rmtree(self._part, ignore_errors=True)

    def finish(self) -> None:
        """Write what is left, beside the place where it will be: what can fail has then happened."""
        if self._texts or (self._single and not self._files):
            self._write()

    def add(self, text: AnnotatedText) -> None:
        """Add a text; in a folder, a file is written whenever enough characters have come together."""
        self._texts.append(text)
        self._characters += len(text.text)
        if not self._single and self._characters >= CHARACTERS:
            self._write()

    def _write(self) -> None:
        with self._nlp.memory_zone():  # the words of one file are not kept for the next
            held: Counter[str] = Counter()
            docbin, problems = to_docbin(self._nlp, self._texts, held, self.lost)
            content = docbin.to_bytes()
        self.held += held
        if self._other is not None and problems:
            self.gained.update(count_placed(self._other, self._texts))
            self.gained.subtract({what: held[what] for what in ("entities", "relations")})
        self._files.append(self._folder / f"{len(self._files) + 1:05}{DOCS}")
        save(self._files[-1], content)
        self.docs += len(docbin)
        self.problems += problems
        self._texts, self._characters = [], 0


def count_placed(nlp: Language, texts: Iterable[AnnotatedText]) -> Counter[str]:
    """How many entities and relations begin and end where tokens do; the tokens of a corpus are kept."""
    placed: Counter[str] = Counter()
    with nlp.memory_zone():
        for text in texts:
            doc = unlabelled(nlp, text)
            fits = {
                entity
                for entity in text.extraction.entities
                if doc.char_span(entity.start, entity.end) is not None
            }
            relations = sum({one.head, one.tail} <= fits for one in text.extraction.relations)
            placed.update(entities=len(fits), relations=relations)
    return placed


def check_free(folder: Path) -> None:
    """Raise SettingError unless a new folder can get this name."""
    if folder.is_file() or (folder.exists() and any(folder.iterdir())):
        found = "a file" if folder.is_file() else "a folder with something in it"
        expected = "the name of a .spacy file, or of a new or empty folder"
        advice = "give another name, or remove what is there"
        raise SettingError(f"the output {folder}", Shown(found), expected, advice)
