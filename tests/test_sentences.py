"""Where sentences begin: as another component says, else at punctuation, never inside a number."""

from __future__ import annotations

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc

from spacy_bispn.doc_utils import sentence_starts

APART = {"nlp": {"tokenizer": {"@tokenizers": "spacy-bispn.PunctuationTokenizer.v1"}}}


@pytest.fixture(scope="module", params=[{}, APART], ids=["usual tokens", "punctuation apart"])
def nlp(request: pytest.FixtureRequest) -> Language:
    return spacy.blank("en", config=request.param)


@pytest.mark.parametrize(
    ("text", "starts"),
    [
        ("At 0.5 mg it binds. Not at 0.7. No!", [0, 20, 32]),
        ("One.\n\nTwo.\nThree", [0, 4, 10]),
        ("It binds (see fig. 2). Yes.", [0, 19, 23]),
        ("No end", [0]),
    ],
)
def test_sentences_end_at_punctuation(nlp: Language, text: str, starts: list[int]) -> None:
    doc = nlp(text)
    assert sentence_starts(doc) == starts
    assert not doc.has_annotation("SENT_START"), "nothing is written on the Doc"


def test_what_another_component_says_holds() -> None:
    doc = Doc(spacy.blank("en").vocab, words=["a", "b", ".", "c"], sent_starts=[True, True, False, False])
    assert sentence_starts(doc) == [0, 2]


def test_sentences_without_spaces_between_them() -> None:
    assert sentence_starts(spacy.blank("zh")("一二。三四。")) == [0, 3]


def test_a_doc_without_words_has_none() -> None:
    assert sentence_starts(Doc(spacy.blank("en").vocab)) == []
