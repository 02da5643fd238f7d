"""Other spellings of a mention are told from words of another place."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from spacy_bispn.converters.spelling import is_respelt, is_similar

RESPELT = [
    ("TNF-α", "TNF-a"),
    ("TNF-α", "TNF alpha"),
    ("TNF-α", "TNF-?"),
    ("TNF-α", "TNF-"),  # an exporter to ASCII
    ("β-catenin", "beta-Catenin"),
    ("5 µm", "5 um"),
    ("Ångström", "Angstrom"),
    ("Sørensen", "Sorensen"),
    ("Straße", "STRASSE"),
    ("ﬁbrin", "fibrin"),
    ("Ca²⁺", "Ca2+"),
    ("p < 5", "p &lt; 5"),
    ("( S ) -x", "-LRB- S -RRB- x"),
    ("IL-2", "IL 2"),
    ("–", "-"),
    ("ＡＢＣ", "abc"),
]
SIMILAR = [("bound", "bind"), ("10 mg", "12 mg"), ("哮喘患者", "哮喘病者"), ("TNF-Î±", "TNF-β1")]
ELSEWHERE = [
    ("aloxone r", "Naloxone"),
    ("Naloxon", "Naloxone"),
    ("NALOXON", "naloxone"),
    ("glue.", "glue"),
    ("caf", "café!"),
    ("吗啡片", "吗啡"),
    ("argon", "neon"),
    ("he", "it"),
    ("(", "()"),
    ("φαρμακολογίας της ιντερλευκίνης", "phase of the interleukins xyz"),
    ("αγωγή των ασθενών με ναλοξόνη και κλονιδίνη", "γωγή των ασθενών με ναλοξόνη και κλονιδίνη μ"),
    ("a" + 40 * "α", "b" + 60 * "a"),  # and that at once
]


@pytest.mark.parametrize(("marked", "claimed"), RESPELT)
def test_another_spelling(marked: str, claimed: str) -> None:
    assert is_respelt(marked, claimed) and is_respelt(claimed, marked)


@pytest.mark.parametrize(("marked", "claimed"), SIMILAR)
def test_words_that_resemble_each_other(marked: str, claimed: str) -> None:
    assert not is_respelt(marked, claimed) and is_similar(marked, claimed) and is_similar(claimed, marked)


@pytest.mark.parametrize(("marked", "claimed"), ELSEWHERE)
def test_words_of_another_place(marked: str, claimed: str) -> None:
    for one, other in ((marked, claimed), (claimed, marked)):
        assert not is_respelt(one, other) and not is_similar(one, other)


WORD = st.text(alphabet="abcdefghij", min_size=4, max_size=9)


@given(st.lists(WORD, min_size=2, max_size=5), st.sampled_from([(0, -1), (1, 0), (0, 2), (-1, 0)]))
def test_ends_that_lie_elsewhere_are_never_a_spelling(words: list[str], move: tuple[int, int]) -> None:
    text = f" {' '.join(words)} x "
    start, end = 1, 1 + len(words[0])
    marked = text[start + move[0] : end + move[1]].strip()
    assume(marked != words[0])
    assert not is_respelt(marked, words[0]) and not is_similar(marked, words[0])
