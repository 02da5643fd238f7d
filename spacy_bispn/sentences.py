"""Sentence starts of a Doc, for reading and cutting long texts."""

from __future__ import annotations

from spacy.pipeline import Sentencizer
from spacy.tokens import Doc, Token


def sentence_starts(doc: Doc) -> list[int]:
    """The characters where sentences start: those set by another component, or else by punctuation.

    Nothing is written on the Doc. A full stop with no space behind it ends no sentence: it stands in a number
    or a name that a tokenizer took apart.
    """
    if doc.has_annotation("SENT_START"):
        return [sentence.start_char for sentence in doc.sents]
    (starts,) = Sentencizer().predict([doc])
    return [
        token.idx for token, is_start in zip(doc, starts, strict=True) if is_start and not _goes_on(token)
    ]


def _goes_on(token: Token) -> bool:
    before = token.nbor(-1) if token.i else None
    return before is not None and before.text.endswith(".") and not before.whitespace_ and not token.is_space
