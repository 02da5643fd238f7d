"""What the commands share: tokenizers, the part of a corpus that is held out, and what is predicted."""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Annotated

import spacy
import typer
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from spacy_bispn.context import set_context_by_id
from spacy_bispn.converters import ConversionError
from spacy_bispn.corpus import to_doc
from spacy_bispn.corpus_reader import bare, create_reader, last_bispn, predict_examples
from spacy_bispn.doc_utils import sentence_starts
from spacy_bispn.records import AnnotatedText, PassageId
from spacy_bispn.settings import SettingError

PREDICTED, GOLD = "predicted", "gold"  # where entities come from
GOLD_SPANS = "gold"
GROUPS = {PREDICTED: None, GOLD: GOLD_SPANS}  # the span group that is filled for each
DOCS = ".spacy"  # what the commands call DocBins, where a format is asked for
PUNCTUATION = "spacy-bispn.PunctuationTokenizer.v1"
GPU = Annotated[int, typer.Option("--gpu-id", "-g", help="GPU, or -1 for the CPU")]


def make_tokenizer(lang: str, punctuation: bool = False) -> Language:
    """A pipeline that only makes tokens, of texts of any length: its parser and models are elsewhere.

    Raises SettingError for a language that spaCy does not have, or not without a package of its own.
    """
    config = {"nlp": {"tokenizer": {"@tokenizers": PUNCTUATION}}} if punctuation else {}
    try:
        nlp = spacy.blank(lang, config=config)
    except ImportError as error:
        advice = f"correct it, or install what it asks for ({error})"
        raise SettingError("--lang", lang, "the code of a language that spaCy has here", advice) from error
    nlp.max_length = sys.maxsize
    return nlp


class Documents:
    """Numbers the documents of a corpus, counted from 0: those with the same words have the same number.

    by_sentences: each text is a sentence of a document. The texts come in the order of the file, all of them
    through `add`, then all again through `number`.
    """

    def __init__(self, by_sentences: bool) -> None:
        self._by_sentences = by_sentences
        self._words: list[int] = []  # a hash for each document
        self._numbers: list[int] = []
        self._passed = 0

    def add(self, text: AnnotatedText) -> None:
        """Take note of a text."""
        words = " ".join(text.text.split())
        if self._begins(text):
            self._words.append(hash(words))
        else:
            self._words[-1] = hash((self._words[-1], words))

    @property
    def count(self) -> int:
        """How many different documents there are."""
        first: dict[int, int] = {}
        self._numbers = [first.setdefault(words, len(first)) for words in self._words]
        return len(first)

    def number(self, text: AnnotatedText) -> int:
        """The number of the document that this is, or is a sentence of."""
        self._passed += self._begins(text)
        return self._numbers[self._passed - 1]

    def rewind(self) -> None:
        """Begin again with the first text that is given to `number`."""
        self._passed = 0

    def _begins(self, text: AnnotatedText) -> bool:
        passage = PassageId.of(text.id) if self._by_sentences else None
        return passage is None or passage.number == 0


def held_out(total: int, share: float, seed: int, parts: int = 1) -> dict[int, int]:
    """A random share of texts for each of some parts, to choose models by and to test them on: the number
    of each text, from 0, with its part, from 0. The first part does not depend on how many there are.

    Raises SettingError unless the shares lie between 0 and 1 and leave something, ConversionError for less
    texts than parts and one.
    """
    if not 0 < share < 1 / parts:
        raise SettingError("--share", share, f"a number between 0 and {1 / parts:g}", "0.1 is usual")
    if total <= parts:
        options = "--dev or --test"
        raise ConversionError(
            f"there is {total} text, expected at least {parts + 1} to hold {parts} out: leave out {options}."
        )
    count = min(max(round(share * total), 1), (total - 1) // parts)  # at least one for each side
    source, found = random.Random(seed), dict[int, int]()
    for part in range(parts):
        left = [number for number in range(total) if number not in found]
        found |= dict.fromkeys(source.sample(left, count), part)
    return found


def dev_beside(corpus: Path) -> str:
    """The development texts beside training texts, to be named in a command; DEV where none lies there."""
    beside = corpus.with_name("dev.spacy")
    return str(beside) if beside.exists() else "DEV"


def find_sentences(doc: Doc) -> tuple[int, ...]:
    """The characters where the sentences of a Doc begin: its own, or else found among the usual tokens of its
    language. Where each symbol is a token, a full stop within a number would end one.
    """
    has_own = doc.has_annotation("SENT_START")
    return tuple(sentence_starts(doc if has_own else usual_tokenizer(doc.lang_ or "xx").make_doc(doc.text)))


@cache
def usual_tokenizer(lang: str) -> Language:
    """The same pipeline of `make_tokenizer` at each call."""
    return make_tokenizer(lang)


def predict_docs(nlp: Language, path: Path, entities: str = PREDICTED) -> list[Example]:
    """The Docs of `.spacy` files, and what is predicted for them."""
    return predict_examples(nlp, list(create_reader(path)(nlp)), GROUPS[entities])


def predict_texts(nlp: Language, texts: Sequence[AnnotatedText], entities: str = PREDICTED) -> list[Example]:
    """What is predicted for texts, beside as much of their gold as fits the tokens."""
    gold = [to_doc(nlp, text)[0] for text in texts]
    set_context_by_id(nlp, gold)
    return predict_examples(nlp, [Example(bare(nlp, doc), doc) for doc in gold], GROUPS[entities])


def take_gold(nlp: Language) -> None:
    """Let the last component of a pipeline take its entities from `GOLD_SPANS`, whatever its settings say.

    Raises SettingError for a pipeline without such a component.
    """
    from spacy_bispn.model.given import GivenEntities

    pipe = last_bispn(nlp)
    if pipe is None:
        expected = f"{PREDICTED!r} for a pipeline without the component bispn ({', '.join(nlp.pipe_names)})"
        raise SettingError("--entities", GOLD, expected, "give a pipeline that has one")
    pipe.given = GivenEntities("given", GOLD_SPANS, with_ents=False)
    pipe.cfg = pipe.cfg | {"remove_overlaps": False}  # what is given is kept
