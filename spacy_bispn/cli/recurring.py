"""Texts of a training corpus that recur in others, such as those that a model is chosen or tested on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from spacy.language import Language

from spacy_bispn.corpus import Lost, unlabelled
from spacy_bispn.corpus_reader import find_files, load
from spacy_bispn.diagnosis.near_duplicates import TextIndex, spelled
from spacy_bispn.records import AnnotatedText
from spacy_bispn.settings import SettingError, Shown

OPTION = "--drop-recurring"


class Recurring:
    """Says which texts to leave out, and counts them: the near-duplicates that `debug-data` finds.

    paths: `.spacy` files, or folders of some. unwritten: places that are yet to be written; of those among
        the paths, the texts are given to `learn`.

    Raises SettingError for a path without a `.spacy` file.
    """

    def __init__(self, nlp: Language, paths: Sequence[Path], unwritten: Sequence[Path] = ()) -> None:
        self.left_out: Lost = Counter()
        named, later = ({path.resolve() for path in some} for some in (paths, unwritten))
        self.awaited = {part for part, path in enumerate(unwritten) if path.resolve() in named}
        self._nlp = nlp
        self._paths = [path for path in paths if path.resolve() not in later]
        self._asked = bool(paths)
        self._words: list[list[str]] = []
        self._index: TextIndex | None = None
        for path in self._paths:
            try:
                docs = [doc for file in find_files(path) for doc in load(file, nlp.vocab)]
            except ValueError as error:
                advice = "convert it first, or name what --dev or --test writes"
                shown = Shown(f"{path}, in which there is none")
                raise SettingError(OPTION, shown, "a .spacy file, or a folder of some", advice) from error
            self._words += [spelled(token.text for token in doc) for doc in docs]

    def learn(self, text: AnnotatedText, part: int | None) -> None:
        """Take note of a text whose copies are to be left out, if it is of a place that is awaited."""
        if part in self.awaited:
            self._words.append(self._spelled(text))

    def leaves_out(self, text: AnnotatedText) -> bool:
        """Whether a text recurs; if so, it is counted with what is in it."""
        if not self._asked:
            return False
        if self._index is None:
            self._index = TextIndex(self._words)
        if self._index.find(self._spelled(text)) is None:
            return False
        why = f"that recur ({OPTION})"
        self.left_out["texts", why] += 1
        self.left_out["entities", f"in texts {why}"] += len(text.extraction.entities)
        self.left_out["relations", f"in texts {why}"] += len(text.extraction.relations)
        return True

    def check(self, kept: int) -> None:
        """Raise SettingError where no text is left."""
        if self._asked and not kept:
            named = ", ".join(map(str, self._paths)) or "what --dev or --test writes"
            shown = Shown(f"{named}, in which all texts recur")
            advice = "name the files of other texts, or leave it out"
            raise SettingError(OPTION, shown, "at least one text that does not recur", advice)

    def _spelled(self, text: AnnotatedText) -> list[str]:
        with self._nlp.memory_zone():
            return spelled(token.text for token in unlabelled(self._nlp, text))
